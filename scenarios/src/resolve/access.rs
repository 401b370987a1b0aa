//! Access networks: presets, what is changed of them, and the links of servers.

use crate::{
    either::Either,
    file::{GilbertElliott, Jitter as JitterTable, Link, Nat, Network, Server},
    located::Located,
    problem::Problems,
    scalar::{Duration, Share},
    vocabulary::{AccessPreset, Vocabulary},
};
use kernel::{
    names::ActorName,
    plan::{Jitter, LinkPlan, Loss, NatKind, ServerPlan},
    time::{BitRate, Micros},
};
use std::net::IpAddr;

/// A resolved access network: the preset's name, or `custom`, and what it comes to.
pub(super) struct Access {
    pub(super) preset: String,
    pub(super) links: AccessPreset,
}

/// What a participant's network comes to.
pub(super) fn access(
    network: &Located<Either<String, Network>>,
    vocabulary: &Vocabulary,
    problems: &mut Problems,
) -> Access {
    match &**network {
        Either::Text(name) => preset(name, network.span(), vocabulary, problems),
        Either::Table(table) => {
            let base = match &table.preset {
                Some(name) => preset(name, name.span(), vocabulary, problems),
                None => Access { preset: "custom".into(), links: ideal() },
            };
            let up = link(base.links.up, &table.up, problems);
            let down = link(base.links.down, &table.down, problems);
            Access { preset: base.preset, links: AccessPreset { up, down, nat: base.links.nat } }
        }
    }
}

/// A server's place and links.
pub(super) fn server(name: ActorName, address: IpAddr, server: &Server, problems: &mut Problems) -> ServerPlan {
    let up = link(data_centre(), &server.up, problems);
    let down = link(data_centre(), &server.down, problems);
    ServerPlan { name, address, up, down }
}

/// The access of a host of its own that nothing is said of: so fast that other links decide.
pub(super) fn own_server() -> Access {
    Access {
        preset: "custom".into(),
        links: AccessPreset { up: data_centre(), down: data_centre(), nat: NatKind::None },
    }
}

/// The kernel's word for a kind of NAT.
pub(super) fn nat(nat: Nat) -> NatKind {
    match nat {
        Nat::None => NatKind::None,
        Nat::FullCone => NatKind::FullCone,
        Nat::PortRestricted => NatKind::PortRestricted,
        Nat::Symmetric => NatKind::Symmetric,
    }
}

/// What a loss comes to.
pub(super) fn loss(loss: &Either<Share, GilbertElliott>) -> Loss {
    let ppm = |share: Option<Share>, otherwise: u32| share.map_or(otherwise, |share| share.0);
    match loss {
        Either::Text(Share(0)) => Loss::None,
        Either::Text(Share(ppm)) => Loss::Bernoulli { ppm: *ppm },
        Either::Table(table) => Loss::GilbertElliott {
            p_ppm: ppm(table.good_to_bad, 0),
            r_ppm: ppm(table.bad_to_good, 0),
            good_loss_ppm: ppm(table.good_loss, 0),
            bad_loss_ppm: ppm(table.bad_loss, 1_000_000),
        },
    }
}

fn preset(name: &str, span: crate::located::Span, vocabulary: &Vocabulary, problems: &mut Problems) -> Access {
    let links = vocabulary.presets.get(name).cloned().unwrap_or_else(|| {
        let note = problems.note(span, format!("no network preset is called `{name}`"), "unknown preset");
        note.did_you_mean(name, vocabulary.presets.keys().map(String::as_str));
        ideal()
    });
    Access { preset: name.into(), links }
}

fn link(base: LinkPlan, changes: &Link, problems: &mut Problems) -> LinkPlan {
    LinkPlan {
        rate: changes.rate.map_or(base.rate, |rate| rate.0),
        queue_bytes: changes.queue.map_or(base.queue_bytes, |queue| queue.0),
        propagation: changes.propagation.map_or(base.propagation, |propagation| propagation.0),
        jitter: changes.jitter.as_ref().map_or(base.jitter, |changed| jitter(changed, problems)),
        loss: changes.loss.as_ref().map_or(base.loss, loss),
    }
}

fn jitter(jitter: &Located<Either<Duration, JitterTable>>, problems: &mut Problems) -> Jitter {
    match &**jitter {
        Either::Text(Duration(Micros::ZERO)) => Jitter::None,
        Either::Text(Duration(max)) => Jitter::Uniform { max: *max, reorders: false },
        Either::Table(JitterTable { max: Some(max), deviation: None, reorders }) => {
            Jitter::Uniform { max: max.0, reorders: *reorders }
        }
        Either::Table(JitterTable { max: None, deviation: Some(deviation), reorders }) => {
            Jitter::Normal { deviation: deviation.0, reorders: *reorders }
        }
        Either::Table(_) => {
            let message = "jitter is uniform up to `max` or normal with a `deviation`";
            problems.note(jitter.span(), message, "exactly one of the two");
            Jitter::None
        }
    }
}

/// A link that costs nothing.
fn ideal_link() -> LinkPlan {
    LinkPlan { rate: None, queue_bytes: 1 << 20, propagation: Micros::ZERO, jitter: Jitter::None, loss: Loss::None }
}

fn ideal() -> AccessPreset {
    AccessPreset { up: ideal_link(), down: ideal_link(), nat: NatKind::None }
}

/// A server's link: so fast that the access networks decide.
fn data_centre() -> LinkPlan {
    LinkPlan { rate: Some(BitRate::from_mbps(1_000)), propagation: Micros::from_millis(5), ..ideal_link() }
}
