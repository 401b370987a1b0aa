//! SM: calls get somewhere.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Part, Run, Seen},
};
use kernel::{
    Micros,
    event::{CallState, CallStateName, Pending},
};

/// How much later than its limit a wait may end: the machine's last message and its timer's grain.
const SLACK: Micros = Micros::from_secs(1);
/// How soon after entering a state in which a call waits the reason must be named.
const NAMING: Micros = Micros::from_millis(100);
/// The longest way to live or ended: 62 s for an answer, 20 s for the server's acceptance, 20 s for connecting.
const WHOLE_WAY: Micros = Micros::from_secs(105);

/// SM-10.
pub(crate) fn every_call_ends(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for pending in &run.events.pending {
        judge_wait(run, *pending, &mut checks);
    }
    for part in run.calls.parts.values().filter(|part| !part.states.is_empty()) {
        for state in part.states.iter().filter(|state| waits(state.to) && state.from != state.to) {
            judge_naming(run, part, *state, &mut checks);
        }
        let arrived = part.first(CallStateName::Live).into_iter().chain(part.over()).min_by_key(|moment| moment.1);
        let deadline = run.deadline(part.device, part.began.0, WHOLE_WAY);
        if arrived.is_some() || run.end > deadline {
            let (at, record) = arrived.unwrap_or((deadline, part.began.1));
            checks.check(at <= deadline && arrived.is_some(), at, record, || {
                format!("the call at {} is neither live nor over after {}", run.cast.name(part.device), WHOLE_WAY)
            });
        }
    }
    checks
}

fn waits(state: CallStateName) -> bool {
    use CallStateName::{Accepting, Connecting, Incoming, Outgoing, Reconnecting};
    matches!(state, Outgoing | Incoming | Accepting | Connecting | Reconnecting)
}

fn judge_wait(run: &Run, pending: Seen<Pending>, checks: &mut Checks) {
    let device = run.cast.device(&pending.device);
    let Some(part) = device.and_then(|device| run.part_at(device, pending.call, pending.index)) else { return };
    let limit = pending.limit + SLACK;
    let deadline = run.deadline(part.device, pending.at, limit);
    let moved = part.states.iter().find(|state| {
        // The move into the waiting state itself may stand on either side of the wait in the log.
        state.index > pending.index && (state.at > pending.at || !waits(state.to))
    });
    let next = run
        .events
        .pending
        .iter()
        .find(|next| next.index > pending.index && next.device == pending.device && next.call == pending.call);
    let ended = part.ended.filter(|ended| ended.index > pending.index).map(|ended| ended.at);
    let crashed = part.crashed.filter(|crash| crash.1 >= pending.index).map(|crash| crash.0);
    let over =
        moved.map(|state| state.at).into_iter().chain(next.map(|next| next.at)).chain(ended).chain(crashed).min();
    if over.is_none() && run.end <= deadline {
        return;
    }
    let in_time = over.is_some_and(|at| at <= deadline);
    checks.check(in_time, over.unwrap_or(deadline), pending.index, || {
        let (device, awaits, limit) = (&pending.device, &pending.awaits, pending.limit);
        match over {
            Some(at) => format!("{device} waits for {awaits} for {}, but its limit is {limit}", at.since(pending.at)),
            None => format!("{device} waits for {awaits} for ever, but its limit is {limit}"),
        }
    });
}

fn judge_naming(run: &Run, part: &Part, state: Seen<CallState>, checks: &mut Checks) {
    let device = run.cast.name(part.device);
    let until = state.at + NAMING;
    let mut pending = run.events.pending.of(device);
    let named = pending.any(|pending| pending.call == part.call && pending.at >= state.at && pending.at <= until);
    let moved_on = part.states.iter().any(|next| next.index > state.index && next.at <= until);
    if run.end > until {
        checks.check(named || moved_on, state.at, state.index, || {
            format!("{device} enters {:?} and does not say what it waits for", state.to)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::waits;
    use crate::story::{CALL, Story};
    use kernel::{
        LinkName, Micros,
        event::{self, CallOutcome, CallStateName, EndReason, Event},
        plan::Loss,
    };

    const ENDS: &str = "every_call_ends";

    /// A ring that nobody answers, with its end at a time.
    fn unanswered(end_ms: Option<u64>, run_ms: u64) -> Story {
        let mut story = Story::new();
        story.befriend().ringing();
        if let Some(ms) = end_ms {
            story.at(ms).ended("alice-phone", EndReason::Unanswered).ended("bob-phone", EndReason::Unanswered);
        }
        story.at(run_ms).signal("signaling", "bob-phone", "call_row", b"");
        story
    }

    #[test]
    fn only_states_without_a_path_wait() {
        assert!(waits(CallStateName::Accepting) && waits(CallStateName::Reconnecting));
        assert!(!waits(CallStateName::Live) && !waits(CallStateName::Idle) && !waits(CallStateName::Ended));
    }

    #[test]
    fn a_call_that_ends_in_time_or_still_may() {
        // Each device: one wait, one naming, one arrival.
        assert_eq!(unanswered(Some(66_000), 70_000).holds(ENDS), 6);
        assert_eq!(unanswered(None, 66_000).holds(ENDS), 2);
    }

    #[test]
    fn a_call_that_waits_for_ever() {
        let sentence = unanswered(None, 70_000).fails_only(ENDS);
        assert_eq!(sentence, "alice-phone waits for answer for ever, but its limit is 60000.000 ms");
    }

    #[test]
    fn a_call_that_ends_too_late() {
        let sentence = unanswered(Some(67_500), 70_000).fails_only(ENDS);
        assert_eq!(sentence, "alice-phone waits for answer for 61500.000 ms, but its limit is 60000.000 ms");
    }

    #[test]
    fn the_run_goes_on_after_its_last_event() {
        let mut story = unanswered(None, 10_000);
        story.plan.duration = Micros::from_secs(70);
        story.fails_only(ENDS);
    }

    #[test]
    fn a_cut_path_to_signaling_gives_time() {
        let mut story = unanswered(None, 30_000);
        let mut link = story.plan.participants[0].access.up.clone();
        for (at, ppm) in [(30_000, 1_000_000), (40_000, 0)] {
            link.loss = Loss::Bernoulli { ppm };
            for name in ["alice-phone/up", "bob-phone/down"] {
                let change = event::LinkChanged { link: LinkName::from(name), to: Box::new(link.clone()) };
                story.at(at).tell(Event::LinkChanged(change));
            }
        }
        story.at(75_000).ended("alice-phone", EndReason::Unanswered).ended("bob-phone", EndReason::Unanswered);
        story.holds(ENDS);
    }

    /// A live call that loses its path; both devices give up at a time, or never.
    fn reconnecting(end_ms: Option<u64>) -> Story {
        let mut story = Story::new();
        story.live().at(10_000);
        for device in ["alice-phone", "bob-phone"] {
            story.state(device, CallStateName::Live, CallStateName::Reconnecting);
            story.tell(Event::Pending(event::Pending {
                device: device.into(),
                call: CALL,
                awaits: "path".into(),
                limit: Micros::from_secs(30),
            }));
        }
        if let Some(ms) = end_ms {
            story.at(ms).ended("alice-phone", EndReason::Failed).ended("bob-phone", EndReason::Failed);
            story.call_over(CallOutcome::Answered);
        }
        // Before the row of a call that is over is missed.
        let last = if end_ms.is_some() { 48_000 } else { 60_000 };
        story.at(last).signal("signaling", "bob-phone", "call_row", b"");
        story
    }

    #[test]
    fn a_call_without_a_path_ends_in_time() {
        reconnecting(Some(40_100)).holds(ENDS);
        let sentence = reconnecting(None).fails_only(ENDS);
        assert_eq!(sentence, "alice-phone waits for path for ever, but its limit is 30000.000 ms");
    }

    #[test]
    fn a_wait_without_a_reason() {
        let mut story = Story::new();
        let (device, because) = ("bob-phone".into(), "srv.ring".into());
        let (from, to) = (CallStateName::Idle, CallStateName::Incoming);
        story.at(6_000).tell(Event::CallState(event::CallState { device, call: Some(CALL), from, to, because }));
        story.at(7_000).signal("signaling", "bob-phone", "done", b"");
        assert_eq!(story.fails_only(ENDS), "bob-phone enters Incoming and does not say what it waits for");
    }
}
