//! SM: the devices of one user and a call.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Call, Moment, Part, Run, Seen},
};
use kernel::{
    CallId, Micros, SimTime, UserName,
    event::{CallRow, CallStateName, Fact},
};

/// How long a device may ring on after another one of its user has answered.
const RINGS_ON: Micros = Micros::from_secs(1);
/// How long a row may take to a device that signaling can reach: one that lost its connection notices that, and tries
/// again after 8 s at the latest.
const ROW: Micros = Micros::from_secs(10);

/// SM-4, SM-7.
pub(crate) fn one_device_answers(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for (id, call) in &run.calls.by_id {
        let Some((live, answerer)) = call.live.zip(call.devices.map(|(_, callee)| callee)) else { continue };
        for part in parts(run, *id).filter(|part| part.device != answerer) {
            if run.cast.user(part.device) == run.cast.user(answerer) {
                judge_ring(run, part, (live.at, live.index), &mut checks);
            }
        }
    }
    for part in run.calls.parts.values() {
        judge_presence(run, part, &mut checks);
    }
    checks
}

fn parts<'r, 'a>(run: &'r Run<'a>, call: CallId) -> impl Iterator<Item = &'r Part<'a>> {
    run.calls.parts.values().filter(move |part| part.call == call)
}

/// A device that rang while another one of its user answered.
fn judge_ring(run: &Run, part: &Part, answered: Moment, checks: &mut Checks) {
    let Some(ring) = part.ring else { return };
    let left = part.states.iter().find(|state| state.from == CallStateName::Incoming && state.index > ring.index);
    let stopped =
        left.map(|state| (state.at, state.index)).into_iter().chain(part.over()).min_by_key(|moment| moment.1);
    let deadline = run.deadline(part.device, answered.0.max(ring.at), RINGS_ON);
    if stopped.is_some_and(|moment| moment.1 < answered.1) || stopped.is_none() && run.end <= deadline {
        return;
    }
    let (at, record) = stopped.unwrap_or((deadline, ring.index));
    checks.check(stopped.is_some() && at <= deadline, at, record, || {
        let device = run.cast.name(part.device);
        match stopped {
            Some((at, _)) => format!("{device} rings on for {} after another device answered", at.since(answered.0)),
            None => format!("{device} rings on after another device answered"),
        }
    });
}

/// Of the devices of a user who has several, none comes into a call in which another one is.
fn judge_presence(run: &Run, part: &Part, checks: &mut Checks) {
    let user = run.cast.user(part.device);
    let is_other = |device: &usize| *device != part.device && run.cast.user(*device) == user;
    let Some(entered) = entered(part) else { return };
    if !(0..run.cast.len()).any(|device| is_other(&device)) {
        return;
    }
    let is_in = |other: &&Part| {
        let over = other.over().map_or(u64::MAX, |over| over.1);
        self::entered(other).is_some_and(|(_, index)| index < entered.1) && entered.1 < over
    };
    let other = parts(run, part.call).filter(|other| is_other(&other.device)).find(is_in);
    checks.check(other.is_none(), entered.0, entered.1, || {
        let other = other.map(|other| run.cast.name(other.device).as_str()).unwrap_or_default();
        format!("{} comes into the call while {other} of the same user is in it", run.cast.name(part.device))
    });
}

/// When a device came into a call: from then on it may send.
fn entered(part: &Part) -> Option<Moment> {
    let is_in = |to| matches!(to, CallStateName::Connecting | CallStateName::Live | CallStateName::Reconnecting);
    part.states.iter().find(|state| is_in(state.to)).map(|state| (state.at, state.index))
}

/// SM-9.
pub(crate) fn every_ring_leaves_a_row(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for (id, call) in &run.calls.by_id {
        if parts(run, *id).all(|part| part.ring.is_none()) {
            continue;
        }
        for device in 0..run.cast.len() {
            if [&call.caller, &call.callee].into_iter().flatten().any(|user| user == run.cast.user(device)) {
                judge_row(run, (*id, call), device, &mut checks);
            }
        }
    }
    checks
}

fn judge_row(run: &Run, (id, call): (CallId, &Call), device: usize, checks: &mut Checks) {
    let Some(over) = call.over else { return };
    let name = run.cast.name(device);
    let Some(from) = counts_from(run, device).map(|counts| counts.max(over.at)) else { return };
    let deadline = run.deadline(device, from, ROW);
    let row = run.events.rows.of(name).find(|row| row.call == id);
    if row.is_none() && run.end <= deadline {
        return;
    }
    let (at, record) = row.map_or((deadline, over.index), |row| (row.at, row.index));
    let holds = row.is_some_and(|row| row.at <= deadline && says(*row, call.caller.as_ref(), &over.fact));
    checks.check(holds, at, record, || match row {
        None => format!("a call that rang is over, and {name} has no row of it"),
        Some(row) if row.at > deadline => {
            format!("{name} has the row of a call {} after its end", row.at.since(over.at))
        }
        Some(row) => {
            format!("{name} has a row that says {:?} after {}, and the store says otherwise", row.outcome, row.duration)
        }
    });
}

/// Whether a row says what the store does.
fn says(row: Seen<CallRow>, caller: Option<&UserName>, fact: &Fact) -> bool {
    let Fact::CallOver { thread, outcome, duration, .. } = fact else { return false };
    (&row.thread, &row.outcome, &row.duration) == (thread, outcome, duration) && caller == Some(&row.caller)
}

/// From when on a device counts as its user's: a further one when it is confirmed. None for one that never is, or that is
/// taken out again.
pub(super) fn counts_from(run: &Run, device: usize) -> Option<SimTime> {
    let name = run.cast.name(device);
    let (mut from, mut is_new) = (SimTime::ZERO, false);
    for seen in &run.events.facts {
        match &seen.get().fact {
            Fact::DeviceAdded { device, .. } if device == name => is_new = true,
            Fact::DeviceConfirmed { device, .. } if device == name => (from, is_new) = (seen.at, false),
            Fact::DeviceRemoved { device, .. } if device == name => return None,
            _ => {}
        }
    }
    (!is_new).then_some(from)
}

#[cfg(test)]
mod tests {
    use crate::story::{CALL, Story};
    use kernel::{
        Micros, ThreadId,
        event::{self, CallOutcome, CallStateName, EndReason, Event, Fact},
    };

    const ANSWERS: &str = "one_device_answers";
    const ROWS: &str = "every_ring_leaves_a_row";
    const LAPTOP: &str = "bob-laptop";

    /// Bob has a laptop, too.
    fn household() -> Story {
        let mut story = Story::new();
        let laptop = event_participant(&story);
        story.plan.participants.push(laptop);
        story
    }

    fn event_participant(story: &Story) -> kernel::plan::Participant {
        kernel::plan::Participant { device: LAPTOP.into(), ..story.plan.participants[1].clone() }
    }

    /// The phone answers at 7 s, while the laptop rings.
    fn answered() -> Story {
        let mut story = household();
        story.live().at(6_900).state(LAPTOP, CallStateName::Idle, CallStateName::Incoming).ring(LAPTOP, "alice");
        story
    }

    fn stops(story: &mut Story, ms: u64) {
        story.at(ms).state(LAPTOP, CallStateName::Incoming, CallStateName::Idle);
        let (device, reason) = (LAPTOP.into(), EndReason::Elsewhere);
        story.tell(Event::Ended(event::Ended { device, call: CALL, reason }));
    }

    #[test]
    fn the_laptop_stops_when_the_phone_answers() {
        let mut story = answered();
        stops(&mut story, 7_060);
        story.over(9_000);
        // The ring that stopped, and that the phone came into the call alone.
        assert_eq!(story.holds(ANSWERS), 2);
    }

    #[test]
    fn a_user_with_one_device_is_not_judged() {
        let mut story = Story::new();
        story.live().over(9_000);
        assert_eq!(story.holds(ANSWERS), 0);
    }

    #[test]
    fn a_laptop_that_rings_on() {
        let mut story = answered();
        stops(&mut story, 8_500);
        story.over(9_000);
        let sentence = story.fails_only(ANSWERS);
        assert_eq!(sentence, "bob-laptop rings on for 1480.000 ms after another device answered");
    }

    #[test]
    fn a_laptop_that_comes_into_the_call_too() {
        let mut story = answered();
        story.at(7_040).state(LAPTOP, CallStateName::Incoming, CallStateName::Accepting);
        story.at(7_300).state(LAPTOP, CallStateName::Accepting, CallStateName::Connecting);
        story.at(7_400).state(LAPTOP, CallStateName::Connecting, CallStateName::Idle);
        story.over(9_000);
        let sentence = story.fails_only(ANSWERS);
        assert_eq!(sentence, "bob-laptop comes into the call while bob-phone of the same user is in it");
    }

    fn over(story: &mut Story) {
        let (thread, outcome) = (ThreadId::between(&"alice".into(), &"bob".into()), CallOutcome::Cancelled);
        story.at(7_000).state("alice-phone", CallStateName::Outgoing, CallStateName::Idle);
        story.state("bob-phone", CallStateName::Incoming, CallStateName::Idle);
        story.fact(Fact::CallOver { call: CALL, thread, outcome, duration: Micros::ZERO });
    }

    fn row(story: &mut Story, device: &str, ms: u64, outcome: CallOutcome) {
        let (thread, caller) = (ThreadId::between(&"alice".into(), &"bob".into()), "alice".into());
        let (device, duration) = (device.into(), Micros::ZERO);
        story.at(ms).tell(Event::CallRow(event::CallRow { device, thread, call: CALL, caller, outcome, duration }));
    }

    /// A ring that its caller cancels, and rows of it on some devices.
    fn cancelled(rows: &[(&str, u64, CallOutcome)]) -> Story {
        let mut story = household();
        story.befriend().ringing();
        over(&mut story);
        rows.iter().for_each(|(device, ms, outcome)| row(&mut story, device, *ms, *outcome));
        story.at(30_000).signal("signaling", "bob-phone", "done", b"");
        story
    }

    const ROW_ON_ALL: [(&str, u64, CallOutcome); 3] = [
        ("alice-phone", 7_040, CallOutcome::Cancelled),
        ("bob-phone", 7_040, CallOutcome::Cancelled),
        (LAPTOP, 16_000, CallOutcome::Cancelled),
    ];

    #[test]
    fn every_device_has_the_row() {
        assert_eq!(cancelled(&ROW_ON_ALL).holds(ROWS), 3);
    }

    #[test]
    fn a_device_without_the_row_or_with_another_or_late() {
        let sentence = cancelled(&ROW_ON_ALL[..2]).fails_only(ROWS);
        assert_eq!(sentence, "a call that rang is over, and bob-laptop has no row of it");
        let mut rows = ROW_ON_ALL;
        rows[1].2 = CallOutcome::Declined;
        let sentence = cancelled(&rows).fails_only(ROWS);
        assert_eq!(sentence, "bob-phone has a row that says Declined after 0.000 ms, and the store says otherwise");
        rows = ROW_ON_ALL;
        rows[2].1 = 18_000;
        let sentence = cancelled(&rows).fails_only(ROWS);
        assert_eq!(sentence, "bob-laptop has the row of a call 11000.000 ms after its end");
    }

    #[test]
    fn a_device_that_is_confirmed_later_has_the_row_then_and_one_that_is_not_needs_none() {
        let (user, device, by) = ("bob".into(), "bob-laptop".into(), "bob-phone".into());
        let confirmed = Fact::DeviceConfirmed { user, device, by };
        let late = |confirm_ms: Option<u64>, end_ms: u64| {
            let mut story = cancelled(&ROW_ON_ALL[..2]);
            story.at(20_000).fact(Fact::DeviceAdded { user: "bob".into(), device: LAPTOP.into() });
            if let Some(ms) = confirm_ms {
                story.at(ms).fact(confirmed.clone());
            }
            story.at(end_ms).signal("signaling", "bob-phone", "done", b"");
            story.report(ROWS)
        };
        let reports = [late(None, 60_000), late(Some(55_000), 60_000), late(Some(30_000), 60_000)];
        assert_eq!(reports.map(|report| (report.checks, report.violations)), [(2, 0), (2, 0), (3, 1)]);
    }

    #[test]
    fn a_device_that_was_taken_out_needs_no_row() {
        let mut story = cancelled(&ROW_ON_ALL[..2]);
        let (user, device, by) = ("bob".into(), LAPTOP.into(), "bob-phone".into());
        story.at(6_900).fact(Fact::DeviceRemoved { user, device, by });
        assert_eq!(story.report(ROWS).violations, 0);
    }
}
