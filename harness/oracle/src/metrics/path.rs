//! Which kind of path a call takes.

use super::Sheet;
use crate::run::{Call, Run};
use kernel::{
    CallId,
    event::{CandidateKind, PairSelected},
};

/// The values of `path_kind`.
const NONE: u64 = 0;
const HOST: u64 = 1;
const SERVER_REFLEXIVE: u64 = 2;
const PEER_REFLEXIVE: u64 = 3;
const RELAYED: u64 = 4;

pub(super) fn measure(run: &Run, sheet: &mut Sheet) {
    for (id, call) in &run.calls.by_id {
        if let Some(kind) = path_kind(run, *id, call) {
            sheet.once("path_kind", kind);
        }
    }
}

/// The worse of what both ends last used; none for a call that nobody accepted.
fn path_kind(run: &Run, id: CallId, call: &Call) -> Option<u64> {
    let (one, other) = call.devices?;
    let kind = |device: usize, peer: usize| {
        let part = run.part(device, id)?;
        let end = part.over().map_or(u64::MAX, |(_, index)| index);
        let mut own = run.events.pairs.of(run.cast.name(device));
        let last = own.rfind(|pair| pair.index > part.began.1 && pair.index < end)?;
        Some(kind_of(run, last, peer))
    };
    Some(kind(one, other).max(kind(other, one)).unwrap_or(NONE))
}

/// What the remote end of a pair is: the kind of candidate that the peer offered there; one that it never offered was learnt
/// from its packets.
fn kind_of(run: &Run, pair: &PairSelected, peer: usize) -> u64 {
    if pair.relayed {
        return RELAYED;
    }
    let offered = run.events.candidates.of(run.cast.name(peer)).filter(|seen| seen.offered);
    let known = offered.map(|seen| (seen.address, seen.kind)).find(|(address, _)| *address == pair.remote);
    match known {
        Some((_, CandidateKind::Host)) => HOST,
        Some((_, CandidateKind::ServerReflexive)) => SERVER_REFLEXIVE,
        Some((_, CandidateKind::Relayed)) => RELAYED,
        Some((_, CandidateKind::PeerReflexive)) | None => PEER_REFLEXIVE,
    }
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, address_of, relay_address};
    use kernel::event::{CandidateGathered, CandidateKind, Event};

    fn kind(mut story: Story) -> i64 {
        story.over(15_000);
        let metrics = story.judge().metrics;
        metrics.iter().find(|metric| metric.name == "path_kind").expect("the call was accepted").value
    }

    fn offer(story: &mut Story, device: &str, kind: CandidateKind) {
        let address = address_of(device);
        story.tell(Event::CandidateGathered(CandidateGathered { device: device.into(), kind, address, offered: true }));
    }

    #[test]
    fn the_path_is_of_the_worst_kind_of_its_ends() {
        for (one, other, expected) in [
            (Some(CandidateKind::Host), Some(CandidateKind::Host), 1),
            (Some(CandidateKind::Host), Some(CandidateKind::ServerReflexive), 2),
            (Some(CandidateKind::ServerReflexive), None, 3),
        ] {
            let mut story = Story::new();
            story.live().at(7_400);
            for (device, kind) in [("alice-phone", one), ("bob-phone", other)] {
                if let Some(kind) = kind {
                    offer(&mut story, device, kind);
                }
            }
            story.pair("alice-phone", address_of("alice-phone"), address_of("bob-phone"), false);
            story.pair("bob-phone", address_of("bob-phone"), address_of("alice-phone"), false);
            assert_eq!(kind(story), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn the_last_pair_counts() {
        let mut story = Story::new();
        story.live().at(14_000).pair("alice-phone", relay_address(), address_of("bob-phone"), true);
        assert_eq!(kind(story), 4);
    }
}
