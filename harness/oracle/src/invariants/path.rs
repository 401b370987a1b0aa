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
            judge_path(run, *id, device, &mut checks);
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

fn judge_path(run: &Run, call: CallId, device: usize, checks: &mut Checks) {
    let name = run.cast.name(device);
    let Some(part) = run.part(device, call) else { return };
    let is_connected = |state: &str| matches!(state, "connected" | "completed");
    let Some(connected) = run.events.ice_states.iter().find(|seen| {
        seen.device == *name && seen.index > part.began.1 && is_connected(&seen.state)
    }) else {
        return;
    };
    let limit = connected.at + SETTLING;
    let end = part.over().map_or(run.end, |(at, _)| at);
    if end < limit {
        return;
    }
    let in_call = |at: SimTime, index: u64| index > part.began.1 && at <= end;
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
