//! PATH and MED: the way that media takes, and whether its time is accounted for.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{LEGS, Legs, Run, Seen},
};
use kernel::{
    CallId, Micros, SimTime,
    event::{PairSelected, RtpSent},
    plan::{NatKind, Participant},
};

/// How long ICE may take from connecting to the direct pair.
const SETTLING: Micros = Micros::from_secs(5);

/// PATH-1.
pub(crate) fn direct_path_used_when_open(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for (id, call) in &run.calls.by_id {
        let Some((caller, callee)) = call.devices else { continue };
        let (one, other) = (run.cast.participant(caller), run.cast.participant(callee));
        if one.relay_only || other.relay_only || !direct_pair_validates(one, other) {
            continue;
        }
        for device in [caller, callee] {
            judge_path(run, *id, (device, [caller, callee]), &mut checks);
        }
    }
    checks
}

/// Whether ICE can find a direct pair through the two NATs (RFC 4787 behaviour): behind one NAT always; otherwise a
/// mapping per destination is reachable only if the other side's filter lets an unforeseen port in.
fn direct_pair_validates(one: &Participant, other: &Participant) -> bool {
    use NatKind::{PortRestricted, Symmetric};
    let share_a_nat = one.access.public_address == other.access.public_address;
    let closed = matches!(
        (one.access.nat, other.access.nat),
        (Symmetric, Symmetric | PortRestricted) | (PortRestricted, Symmetric)
    );
    share_a_nat || !closed
}

fn judge_path(run: &Run, call: CallId, (device, ends): (usize, [usize; 2]), checks: &mut Checks) {
    let name = run.cast.name(device);
    let Some(part) = run.part(device, call) else { return };
    let is_connected = |state: &str| matches!(state, "connected" | "completed");
    let Some(connected) = run
        .events
        .ice_states
        .iter()
        .find(|seen| seen.device == *name && seen.index > part.began.1 && is_connected(&seen.state))
    else {
        return;
    };
    let limit = connected.at + SETTLING;
    let end = part.over().map_or(run.end, |(at, _)| at);
    if end < limit {
        return;
    }
    // No direct path is open while an end is cut off.
    let is_open = |at: SimTime| !ends.iter().any(|end| run.is_cut(*end, at, SETTLING));
    let in_call = |at: SimTime, index: u64| index > part.began.1 && at <= end && is_open(at);
    let own = |seen: &&Seen<PairSelected>| seen.device == *name && in_call(seen.at, seen.index);
    let settled = run.events.pairs.iter().filter(own).rfind(|seen| seen.at <= limit);
    let (at, record) = settled.map_or((limit, connected.index), |seen| (seen.at, seen.index));
    checks.check(settled.is_some_and(|pair| !pair.relayed), at, record, || {
        format!("5 s after connecting {name} still uses a relay, although a direct path is open")
    });
    for pair in run.events.pairs.iter().filter(own).filter(|seen| seen.at > limit) {
        checks.check(!pair.relayed, pair.at, pair.index, || {
            format!("{name} goes back to a relay, although a direct path is open")
        });
    }
    let media = |sent: &&Seen<RtpSent>| sent.device == *name && sent.at > limit && in_call(sent.at, sent.index);
    for sent in run.events.rtp_sent.iter().filter(media) {
        checks.check(!is_relayed(run, sent), sent.at, sent.index, || {
            format!("{name} sends {} through a relay, although a direct path is open", sent.track)
        });
    }
}

fn is_relayed(run: &Run, sent: &RtpSent) -> bool {
    run.packets.get(sent.packet).is_some_and(|packet| {
        packet.carried_on_by.is_some() || packet.sent.is_some_and(|sent| run.is_relay(sent.destination.ip()))
    })
}

/// MED-1. Frames with an event missing on their way are no checks: the metric `frames_unmatched` counts them.
pub(crate) fn legs_sum_to_glass_to_glass(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for delivery in &run.frames.deliveries {
        let (Some((legs, glass_to_glass)), Some(rendered)) = (Legs::of(run, delivery), delivery.rendered) else {
            continue;
        };
        let sum = legs.sum();
        checks.check(sum == glass_to_glass, rendered.at, rendered.index, || {
            let sent = &run.frames.sent[delivery.frame];
            let (sender, number) = (run.cast.name(sent.device), sent.number);
            let named: Vec<String> =
                LEGS.iter().zip(legs.0).filter(|(_, leg)| *leg > 0).map(|(name, leg)| format!("{name} {leg}")).collect();
            format!(
                "frame {number} of {sender} took {glass_to_glass} us from glass to glass, but its legs add up to {sum} us: {}",
                named.join(", ")
            )
        });
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::direct_pair_validates;
    use crate::story::{Story, Way, address_of, relay_address};
    use kernel::{Micros, event::Event, plan::NatKind};

    const DIRECT: &str = "direct_path_used_when_open";
    const LEGS: &str = "legs_sum_to_glass_to_glass";

    #[test]
    fn which_nats_leave_a_direct_path() {
        use NatKind::{FullCone, None, PortRestricted, Symmetric};
        let open = |one: NatKind, other: NatKind, share: bool| {
            let mut participants = Story::new().plan.participants;
            participants[0].access.nat = one;
            participants[1].access.nat = other;
            if share {
                participants[1].access.public_address = participants[0].access.public_address;
            }
            direct_pair_validates(&participants[0], &participants[1])
        };
        for (one, other, expected) in [
            (None, Symmetric, true),
            (FullCone, Symmetric, true),
            (PortRestricted, PortRestricted, true),
            (PortRestricted, Symmetric, false),
            (Symmetric, Symmetric, false),
        ] {
            assert_eq!((open(one, other, false), open(other, one, false)), (expected, expected), "{one:?} {other:?}");
        }
        assert!(open(Symmetric, Symmetric, true), "behind one NAT host candidates meet");
    }

    #[test]
    fn a_direct_call() {
        let mut story = Story::new();
        story.live().at(13_000).frame("alice-phone", 0).over(15_000);
        assert_eq!(story.holds(DIRECT), 3);
    }

    fn relayed_at(ms: u64) -> Story {
        let mut story = Story::new();
        story.live().at(ms).pair("alice-phone", relay_address(), address_of("bob-phone"), true).over(15_000);
        story
    }

    #[test]
    fn a_relay_is_used_although_a_direct_path_is_open() {
        let sentence = relayed_at(7_300).fails_only(DIRECT);
        assert_eq!(sentence, "5 s after connecting alice-phone still uses a relay, although a direct path is open");
        let sentence = relayed_at(14_000).fails_only(DIRECT);
        assert_eq!(sentence, "alice-phone goes back to a relay, although a direct path is open");
    }

    #[test]
    fn where_no_direct_path_is_open_a_relay_is_right() {
        for close in ["nat", "relay_only"] {
            let mut story = relayed_at(7_300);
            match close {
                "nat" => story.plan.participants[0].access.nat = NatKind::Symmetric,
                _ => story.plan.participants[1].relay_only = true,
            }
            let report = story.report(DIRECT);
            assert_eq!((report.checks, report.violations), (0, 0));
        }
    }

    fn frame(change: impl FnOnce(&mut Way)) -> Story {
        let mut story = Story::new();
        story.live().frame("alice-phone", 0).changed_frame("alice-phone", 1, change);
        story
    }

    #[test]
    fn the_legs_add_up() {
        assert_eq!(frame(|_| {}).holds(LEGS), 2);
    }

    #[test]
    fn a_microsecond_is_missing() {
        for kind in ["encoded", "packet", "rendered"] {
            let story = frame(|way| {
                for (_, event) in way {
                    match event {
                        Event::Encoded(encoded) if kind == "encoded" => encoded.encode = Micros(1_999),
                        Event::PacketArrived(arrived) if kind == "packet" => arrived.propagation = Micros(4_999),
                        Event::Rendered(rendered) if kind == "rendered" => rendered.render_wait = Micros(3_999),
                        _ => {}
                    }
                }
            });
            let sentence = story.fails_only(LEGS);
            assert!(
                sentence.starts_with(
                    "frame 1 of alice-phone took 17920 us from glass to glass, but its legs add up to 17919 us"
                ),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_frame_with_a_gap_in_its_story_is_counted_and_not_judged() {
        let story = frame(|way| {
            for (_, event) in way {
                if let Event::Reassembled(reassembled) = event {
                    reassembled.completed_by = None;
                }
            }
        });
        let judgement = story.judge();
        let metric = judgement.metrics.iter().find(|metric| metric.name == "frames_without_legs").unwrap();
        assert_eq!(metric.value, 1);
        assert_eq!(judgement.invariants.iter().find(|report| report.name == LEGS).unwrap().checks, 1);
    }
}
