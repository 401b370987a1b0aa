//! FG: only friends ring, and the end of a friendship is the end of its calls.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Call, Friendships, Part, Run, Seen},
};
use kernel::{
    CallId, Micros, SimTime, UserName,
    event::{Fact, Store},
};

/// How long an unfriended pair's call may take to be over at both devices.
const TEARDOWN: Micros = Micros::from_secs(2);

/// FG-1. Judged where the server decides, and again where it rings: a ring that was sent to a friend may arrive a moment
/// after the friendship ended, and `unfriending_ends_the_call` judges how long it goes on.
pub(crate) fn only_friends_ring(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let friendships = Friendships::of(run);
    let mut checks = Checks::default();
    for call in run.calls.by_id.values() {
        for sent in &call.rings {
            let Some(device) = run.cast.device(&sent.to) else { continue };
            let callee = run.cast.user(device);
            let Some(caller) = &call.caller else {
                checks.fail(sent.at, sent.index, || format!("the server rings {callee} for a call that nobody placed"));
                continue;
            };
            checks.check(friendships.may_ring(caller, callee, sent.index), sent.at, sent.index, || {
                format!("the server rings {callee} for {caller}, but the store does not hold them as friends then")
            });
        }
    }
    for ring in &run.events.rings {
        let sent = run.calls.by_id.get(&ring.call).and_then(|call| {
            call.rings.iter().rev().find(|sent| sent.to == ring.device && sent.index < ring.index)
        });
        let decided = sent.map_or(ring.index, |sent| sent.index);
        checks.check(friendships.may_ring(&ring.caller, &ring.user, decided), ring.at, ring.index, || {
            format!("{} rings for {}, but {} and {0} are not friends then", ring.user, ring.caller, ring.caller)
        });
    }
    checks
}

/// FG-2, FG-3, FG-4. About calls that exist when the friendship ends; one placed later is the gate's business.
pub(crate) fn unfriending_ends_the_call(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for fact in &run.events.facts {
        let (Fact::Unfriended { by, other } | Fact::Blocked { by, other }) = &fact.fact else { continue };
        for (id, call) in &run.calls.by_id {
            if is_between(call, by, other) && existed(call, *fact) {
                judge_teardown(run, *id, call, *fact, &mut checks);
            }
        }
    }
    checks
}

fn is_between(call: &Call, one: &UserName, other: &UserName) -> bool {
    match (&call.caller, &call.callee) {
        (Some(caller), Some(callee)) => [(caller, callee), (callee, caller)].contains(&(one, other)),
        _ => false,
    }
}

/// The end that the same transaction commits has the same time.
fn existed(call: &Call, commit: Seen<Store>) -> bool {
    call.ringing.is_some_and(|ringing| ringing.index < commit.index)
        && call.over.is_none_or(|over| over.at >= commit.at)
}

fn judge_teardown(run: &Run, id: CallId, call: &Call, commit: Seen<Store>, checks: &mut Checks) {
    for accepted in &call.accepted {
        checks.check(accepted.index < commit.index, accepted.at, accepted.index, || {
            format!("the server tells {} that call {id} was accepted, after the friendship had ended", accepted.to)
        });
    }
    for credential in &call.credentials {
        checks.check(credential.index < commit.index, credential.at, credential.index, || {
            format!("a relay credential is issued for call {id} after the friendship had ended")
        });
    }
    for part in run.calls.parts.values().filter(|part| part.call == id) {
        judge_part(run, part, commit, checks);
    }
}

fn judge_part(run: &Run, part: &Part, commit: Seen<Store>, checks: &mut Checks) {
    let device = run.cast.name(part.device);
    let deadline = run.deadline(part.device, commit.at, TEARDOWN);
    if part.over().is_some_and(|(at, _)| at < commit.at) || run.end < deadline {
        return;
    }
    let over = part.over();
    let in_time = over.is_some_and(|(at, _)| at <= deadline);
    let (at, record) = over.unwrap_or((deadline, commit.index));
    checks.check(in_time, at, record, || match over {
        Some((at, _)) => format!("at {device} the call went on for {} after the friendship had ended", at.since(commit.at)),
        None => format!("at {device} the call is not over 2 s after the friendship had ended"),
    });
    // Only while this is the device's call: a later one has rights of its own.
    let is_this_call = |index| run.call_at(part.device, index).is_some_and(|current| current.call == part.call);
    let late = |at: SimTime, index| at > deadline && is_this_call(index);
    let sent = run.events.rtp_sent.iter().find(|sent| sent.device == *device && late(sent.at, sent.index));
    let (at, record) = sent.map_or((commit.at, commit.index), |sent| (sent.at, sent.index));
    checks.check(sent.is_none(), at, record, || {
        format!("{device} still sends media {} after the friendship had ended", at.since(commit.at))
    });
    let shown = run.events.rendered.iter().find(|shown| shown.device == *device && late(shown.at, shown.index));
    let (at, record) = shown.map_or((commit.at, commit.index), |shown| (shown.at, shown.index));
    checks.check(shown.is_none(), at, record, || {
        format!("{device} still shows the former friend {} after the friendship had ended", at.since(commit.at))
    });
}
