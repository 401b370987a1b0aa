//! Access networks: presets, what is changed of them, and the links of servers.

use super::links::Links;
use crate::{
    either::Either,
    file::{Network, Server},
    located::Located,
    problem::Problems,
    vocabulary::{AccessPreset, Vocabulary},
};
use kernel::{
    names::ActorName,
    plan::{LinkPlan, ServerPlan},
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
    links: &mut Links,
    problems: &mut Problems,
) -> Access {
    match &**network {
        Either::Text(name) => preset(name, network.span(), vocabulary, problems),
        Either::Table(table) => {
            let base = match &table.preset {
                Some(name) => preset(name, name.span(), vocabulary, problems),
                None => Access { preset: "custom".into(), links: ideal() },
            };
            let up = links.link(&base.links.up, &table.up, problems);
            let down = links.link(&base.links.down, &table.down, problems);
            Access { preset: base.preset, links: AccessPreset { up, down, ..base.links } }
        }
    }
}

/// A server's place and links.
pub(super) fn server(
    name: ActorName,
    (address, address_v6): (IpAddr, Option<IpAddr>),
    server: &Server,
    links: &mut Links,
    problems: &mut Problems,
) -> ServerPlan {
    let up = links.link(&data_centre(), &server.up, problems);
    let down = links.link(&data_centre(), &server.down, problems);
    ServerPlan { name, address, address_v6, up, down }
}

/// The access of a host of its own that nothing is said of: so fast that other links decide.
pub(super) fn own_server() -> Access {
    let (up, down) = (data_centre(), data_centre());
    Access { preset: "custom".into(), links: AccessPreset { up, down, nat: None, schedule: Vec::new() } }
}

fn preset(name: &str, span: crate::located::Span, vocabulary: &Vocabulary, problems: &mut Problems) -> Access {
    let links = vocabulary.presets.get(name).cloned().unwrap_or_else(|| {
        let note = problems.note(span, format!("no network preset is called `{name}`"), "unknown preset");
        note.did_you_mean(name, vocabulary.presets.keys().map(String::as_str));
        ideal()
    });
    Access { preset: name.into(), links }
}

fn ideal() -> AccessPreset {
    AccessPreset { up: LinkPlan::IDEAL, down: LinkPlan::IDEAL, nat: None, schedule: Vec::new() }
}

/// A server's link: so fast that the access networks decide.
fn data_centre() -> LinkPlan {
    LinkPlan { rate: Some(BitRate::from_mbps(1_000)), propagation: Micros::from_millis(5), ..LinkPlan::IDEAL }
}
