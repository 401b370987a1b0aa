//! FG: only friends ring, and the end of a friendship is the end of its calls.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Call, Friendships, Part, Run, Seen},
};
use kernel::{
    ActorName, CallId, Micros, SimTime, UserName,
    event::{Fact, SecretKind, Store},
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
        let sent =
            run.calls.by_id.get(&ring.call).and_then(|call| {
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

/// FG-8. By what the store says and by what the server's messages carry.
pub(crate) fn relay_credentials_follow_accept(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let is_end = |call: &Call, device: &ActorName| {
        call.pairs().any(|(caller, callee)| [run.cast.name(caller), run.cast.name(callee)].contains(&device))
    };
    for (id, call) in &run.calls.by_id {
        for issued in &call.credentials {
            let Fact::RelayCredentialIssued { device, .. } = &issued.get().fact else { continue };
            let is_due = call.live.is_some_and(|live| live.index < issued.index);
            checks.check(is_due && is_end(call, device), issued.at, issued.index, || {
                format!("a relay credential is issued to {device} for call {id}, which it has not accepted or placed")
            });
        }
    }
    let passwords = run.events.secrets.iter().filter(|secret| secret.kind == SecretKind::RelayPassword);
    let passwords: Vec<&[u8]> = passwords.map(|secret| secret.get().value.as_bytes()).collect();
    for told in run.events.signals.iter().filter(|seen| seen.from == run.plan.signaling.name) {
        let body = run.log.bytes(told.body);
        if !passwords.iter().any(|password| body.windows(password.len()).any(|window| window == *password)) {
            continue;
        }
        let call = told.call.and_then(|call| run.calls.by_id.get(&call));
        let is_due = call.and_then(|call| call.live).is_some_and(|live| live.index < told.index);
        checks.check(is_due, told.at, told.index, || {
            format!("the message {} tells {} a relay's password before the call is accepted", told.message, told.to)
        });
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
        Some((at, _)) => {
            format!("at {device} the call went on for {} after the friendship had ended", at.since(commit.at))
        }
        None => format!("at {device} the call is not over 2 s after the friendship had ended"),
    });
    // Only while this is the device's call: a later one has rights of its own.
    let is_this_call = |index| run.call_at(part.device, index).is_some_and(|current| current.call == part.call);
    let late = |at: SimTime, index| at > deadline && is_this_call(index);
    let sent = run.events.rtp_sent.of(device).find(|sent| late(sent.at, sent.index));
    let (at, record) = sent.map_or((commit.at, commit.index), |sent| (sent.at, sent.index));
    checks.check(sent.is_none(), at, record, || {
        format!("{device} still sends media {} after the friendship had ended", at.since(commit.at))
    });
    let shown = run.events.rendered.of(device).find(|shown| late(shown.at, shown.index));
    let (at, record) = shown.map_or((commit.at, commit.index), |shown| (shown.at, shown.index));
    checks.check(shown.is_none(), at, record, || {
        format!("{device} still shows the former friend {} after the friendship had ended", at.since(commit.at))
    });
}

#[cfg(test)]
mod tests {
    use crate::story::{CALL, Story};
    use kernel::event::{CallOutcome, CallStateName, EndReason, Fact, SecretKind};

    const GATE: &str = "only_friends_ring";
    const TEARDOWN: &str = "unfriending_ends_the_call";
    const CREDENTIALS: &str = "relay_credentials_follow_accept";

    fn issued(device: &str) -> Fact {
        Fact::RelayCredentialIssued { call: CALL, device: device.into() }
    }

    #[test]
    fn a_credential_follows_the_accept() {
        let mut story = Story::new();
        story.live().fact(issued("alice-phone")).fact(issued("bob-phone"));
        story.secret(SecretKind::RelayPassword, &["signaling", "bob-phone", "relay"], "0123456789abcdef");
        story.signal("signaling", "bob-phone", "accepted", b"with 0123456789abcdef inside").over(7_900);
        assert_eq!(story.holds(CREDENTIALS), 3);
    }

    #[test]
    fn a_credential_before_the_accept_or_for_a_third_is_found() {
        let mut story = Story::new();
        story.befriend().ringing().fact(issued("bob-phone"));
        assert!(story.fails_only(CREDENTIALS).contains("is issued to bob-phone for call"));
        let mut story = Story::new();
        story.live().fact(issued("carol-phone")).over(7_900);
        assert!(story.fails_only(CREDENTIALS).contains("is issued to carol-phone for call"));
    }

    #[test]
    fn a_ring_that_carries_a_credential_is_found() {
        let mut story = Story::new();
        story.befriend().ringing();
        story.secret(SecretKind::RelayPassword, &["signaling", "bob-phone", "relay"], "0123456789abcdef");
        story.signal("signaling", "bob-phone", "ring", b"with 0123456789abcdef inside");
        let sentence = story.fails_only(CREDENTIALS);
        assert_eq!(sentence, "the message ring tells bob-phone a relay's password before the call is accepted");
    }

    fn unfriended() -> Fact {
        Fact::Unfriended { by: "alice".into(), other: "bob".into() }
    }

    #[test]
    fn a_friend_rings() {
        let mut story = Story::new();
        story.befriend().ringing();
        assert_eq!(story.holds(GATE), 2);
    }

    #[test]
    fn a_stranger_rings() {
        let mut story = Story::new();
        story.ringing();
        assert_eq!(
            story.fails_only(GATE),
            "the server rings bob for alice, but the store does not hold them as friends then"
        );
    }

    #[test]
    fn a_pending_request_is_no_friendship() {
        let mut story = Story::new();
        story.at(1_000).fact(Fact::FriendRequested { from: "alice".into(), to: "bob".into() }).ringing();
        story.fails_only(GATE);
    }

    #[test]
    fn a_blocked_friend_rings() {
        let mut story = Story::new();
        story.befriend().at(2_000).fact(Fact::Blocked { by: "bob".into(), other: "alice".into() }).ringing();
        story.fails_only(GATE);
    }

    #[test]
    fn a_device_that_rings_without_the_server_is_judged_by_itself() {
        let mut story = Story::new();
        story.at(6_000).ring("bob-phone", "alice");
        assert_eq!(story.fails_only(GATE), "bob rings for alice, but alice and bob are not friends then");
    }

    #[test]
    fn a_ring_in_flight_when_the_friendship_ends_was_allowed() {
        let mut story = Story::new();
        story.befriend().at(6_000).signal("alice-phone", "signaling", "invite", b"");
        story.fact(Fact::CallRinging { call: CALL, caller: "alice".into(), callee: "bob".into() });
        story.signal("signaling", "bob-phone", "ring", b"").at(6_010).fact(unfriended());
        story.at(6_020).state("bob-phone", CallStateName::Idle, CallStateName::Incoming).ring("bob-phone", "alice");
        story.at(6_040).ended("bob-phone", EndReason::Unfriended).at(9_000).signal(
            "signaling",
            "bob-phone",
            "done",
            b"",
        );
        assert_eq!(story.holds(GATE), 2);
    }

    #[test]
    fn an_unfriended_call_ends_at_both_sides() {
        let mut story = Story::new();
        story.live().at(10_000).fact(unfriended()).call_over(CallOutcome::Answered);
        story.at(10_100).ended("alice-phone", EndReason::Unfriended).ended("bob-phone", EndReason::Unfriended);
        story.at(14_000).signal("signaling", "bob-phone", "done", b"");
        assert_eq!(story.holds(TEARDOWN), 8);
    }

    #[test]
    fn an_unfriended_call_goes_on() {
        let mut story = Story::new();
        story.live().at(10_000).fact(unfriended()).at(14_000).frame("alice-phone", 0);
        let sentence = story.fails_only(TEARDOWN);
        assert_eq!(sentence, "at alice-phone the call is not over 2 s after the friendship had ended");
    }

    #[test]
    fn one_side_ends_too_late() {
        let mut story = Story::new();
        story.live().at(10_000).fact(unfriended()).at(10_100).ended("alice-phone", EndReason::Unfriended);
        story.at(12_001).ended("bob-phone", EndReason::Unfriended);
        let sentence = story.fails_only(TEARDOWN);
        assert_eq!(sentence, "at bob-phone the call went on for 2001.000 ms after the friendship had ended");
    }

    #[test]
    fn an_acceptance_or_credential_after_the_end_of_the_friendship_is_wrong() {
        for late in ["accepted", "credential"] {
            let mut story = Story::new();
            story.live().at(10_000).fact(unfriended());
            match late {
                "accepted" => story.signal("signaling", "bob-phone", "accepted", b""),
                _ => story.fact(Fact::RelayCredentialIssued { call: CALL, device: "bob-phone".into() }),
            };
            story.at(10_100).ended("alice-phone", EndReason::Unfriended).ended("bob-phone", EndReason::Unfriended);
            story.fails_only(TEARDOWN);
        }
    }

    #[test]
    fn without_a_call_of_the_pair_nothing_is_judged() {
        let mut story = Story::new();
        story.befriend().at(2_000).fact(unfriended());
        assert_eq!(story.holds(TEARDOWN), 0);
    }
}
