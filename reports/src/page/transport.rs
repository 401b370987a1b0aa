//! Paths: candidates, the addresses that connectivity checks tried, the pair that was chosen.

use crate::{metric_name::instant, trace::Packets};
use kernel::{
    ActorName, Log, SimTime,
    event::{CandidateKind, Event, WireProtocol},
    plan::Plan,
};
use std::{collections::BTreeMap, net::SocketAddr};

/// Rows of a table beyond these are left out: a symmetric NAT can make many.
const MAX_ROWS: usize = 40;

/// The paths of a run.
pub(crate) struct Transport {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) states: Vec<States>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) checks: Vec<Check>,
}

/// A candidate of a device.
pub(crate) struct Candidate {
    pub(crate) at: String,
    pub(crate) device: String,
    pub(crate) kind: &'static str,
    pub(crate) address: String,
    pub(crate) offered: bool,
}

/// How ICE and DTLS moved on a device.
pub(crate) struct States {
    pub(crate) device: String,
    pub(crate) states: Vec<(String, String)>,
}

/// A pair that a device used.
pub(crate) struct Pair {
    pub(crate) at: String,
    pub(crate) device: String,
    pub(crate) local: String,
    pub(crate) local_kind: &'static str,
    pub(crate) remote: String,
    pub(crate) path: &'static str,
    pub(crate) last: bool,
}

/// Connectivity checks between two addresses, as the network saw them.
pub(crate) struct Check {
    pub(crate) from: String,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
    pub(crate) first: String,
    pub(crate) lost: String,
}

pub(crate) fn collect(log: &Log, packets: &Packets<'_>, plan: &Plan) -> Transport {
    Transport {
        candidates: log.records.iter().filter_map(candidate).take(MAX_ROWS).collect(),
        states: plan.participants.iter().map(|participant| states(log, &participant.device)).collect(),
        pairs: pairs(log),
        checks: checks(packets),
    }
}

fn candidate(record: &kernel::Record) -> Option<Candidate> {
    let Event::CandidateGathered(gathered) = &record.event else { return None };
    Some(Candidate {
        at: instant(record.at),
        device: gathered.device.to_string(),
        kind: kind_name(gathered.kind),
        address: gathered.address.to_string(),
        offered: gathered.offered,
    })
}

fn states(log: &Log, device: &ActorName) -> States {
    let state = |record: &kernel::Record| match &record.event {
        Event::IceState(ice) if ice.device == *device => Some((instant(record.at), format!("ICE {}", ice.state))),
        Event::DtlsConnected(dtls) if dtls.device == *device => Some((instant(record.at), "DTLS connected".into())),
        _ => None,
    };
    States { device: device.to_string(), states: log.records.iter().filter_map(state).take(MAX_ROWS).collect() }
}

fn pairs(log: &Log) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for record in &log.records {
        let Event::PairSelected(selected) = &record.event else { continue };
        let device = selected.device.to_string();
        pairs.iter_mut().filter(|pair| pair.device == device).for_each(|pair| pair.last = false);
        pairs.push(Pair {
            at: instant(record.at),
            device,
            local: selected.local.to_string(),
            local_kind: kind_name(selected.local_kind),
            remote: selected.remote.to_string(),
            path: if selected.relayed { "relayed" } else { "direct" },
            last: true,
        });
    }
    pairs.truncate(MAX_ROWS);
    pairs
}

#[derive(Default)]
struct Tried {
    sent: u64,
    arrived: u64,
    first: SimTime,
    lost: BTreeMap<&'static str, u64>,
}

fn checks(packets: &Packets<'_>) -> Vec<Check> {
    let mut tried: BTreeMap<(&ActorName, SocketAddr, SocketAddr), Tried> = BTreeMap::new();
    for passage in packets.iter().filter(|passage| passage.protocol == WireProtocol::Stun) {
        let (source, destination) = passage.core.map_or((passage.source, passage.destination), |(_, s, d)| (s, d));
        let entry = tried
            .entry((passage.from, source, destination))
            .or_insert(Tried { first: passage.sent_at, ..Tried::default() });
        entry.sent += 1;
        entry.arrived += u64::from(!passage.arrivals.is_empty());
        if let Some(dropped) = &passage.dropped {
            *entry.lost.entry(crate::trace::reason_name(dropped.reason)).or_default() += 1;
        }
    }
    let mut tried: Vec<_> = tried.into_iter().collect();
    tried.sort_by_key(|(_, tried)| tried.first);
    tried.into_iter().take(MAX_ROWS).map(check).collect()
}

fn check(((from, source, destination), tried): ((&ActorName, SocketAddr, SocketAddr), Tried)) -> Check {
    let lost: Vec<String> = tried.lost.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    Check {
        from: from.to_string(),
        source: source.to_string(),
        destination: destination.to_string(),
        sent: tried.sent,
        arrived: tried.arrived,
        first: instant(tried.first),
        lost: lost.join(", "),
    }
}

fn kind_name(kind: CandidateKind) -> &'static str {
    match kind {
        CandidateKind::Host => "host",
        CandidateKind::ServerReflexive => "server reflexive",
        CandidateKind::PeerReflexive => "peer reflexive",
        CandidateKind::Relayed => "relayed",
    }
}
