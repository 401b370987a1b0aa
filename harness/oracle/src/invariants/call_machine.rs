//! SM: calls get somewhere.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Part, Run, Seen},
};
use kernel::{
    Micros, SimTime,
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
    use CallStateName::{Accepting, Connecting, Incoming, Outgoing};
    matches!(state, Outgoing | Incoming | Accepting | Connecting)
}

fn judge_wait(run: &Run, pending: Seen<Pending>, checks: &mut Checks) {
    let Some(part) = run.cast.device(&pending.device).and_then(|device| run.part(device, pending.call)) else { return };
    let limit = pending.limit + SLACK;
    let deadline = run.deadline(part.device, pending.at, limit);
    let moved = part.states.iter().find(|state| {
        // The move into the waiting state itself may stand on either side of the wait in the log.
        state.index > pending.index && (state.at > pending.at || !waits(state.to))
    });
    let next = run.events.pending.iter().find(|next| {
        next.index > pending.index && next.device == pending.device && next.call == pending.call
    });
    let ended = part.ended.filter(|ended| ended.index > pending.index).map(|ended| ended.at);
    let over = moved.map(|state| state.at).into_iter().chain(next.map(|next| next.at)).chain(ended).min();
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
    let named = run.events.pending.iter().any(|pending| {
        pending.device == *device && pending.call == part.call && pending.at >= state.at && pending.at <= until
    });
    let moved_on = part.states.iter().any(|next| next.index > state.index && next.at <= until);
    if run.end > until {
        checks.check(named || moved_on, state.at, state.index, || {
            format!("{device} enters {:?} and does not say what it waits for", state.to)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_states_before_live_wait() {
        assert!(waits(CallStateName::Accepting));
        assert!(!waits(CallStateName::Live) && !waits(CallStateName::Idle) && !waits(CallStateName::Ended));
        assert!(SimTime::ZERO + NAMING < SimTime::ZERO + SLACK);
    }
}
