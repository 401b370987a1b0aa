//! SM: the table, and that server and devices come to the same: SM-1, SM-2, SM-5, SM-6, SM-8; and CON-7.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Call, Friendships, Moment, Move, Part, Run, Seen},
};
use kernel::{
    BitRate, CallId, Micros, SimTime,
    event::{Act, CallStateName, CaptureSwitched, Store, UserAct, is_listed},
    plan::{LinkPlan, Loss},
};

/// How soon server and device agree that a call is over, or live.
const AGREEMENT: Micros = Micros::from_secs(3);
/// The same where messages of signaling or the server itself fail, or the network is bad: the longest time limit of both.
const AGREEMENT_AFTER_FAULTS: Micros = Micros::from_secs(35);
/// A link below this rate, or with more than this on the way, is part of a bad network.
const PROMPT_RATE: BitRate = BitRate(256_000);
const PROMPT_PROPAGATION: Micros = Micros::from_millis(200);
/// The longest that a device rings, counted from the invite (SM-8) ...
const RING_LIMIT: Micros = Micros::from_secs(60);
/// ... and how long the way of the last word, or the grain of a timer, may take.
const SLACK: Micros = Micros::from_secs(1);

/// SM-1, SM-2.
pub(crate) fn only_listed_transitions(evidence: &Evidence) -> Checks {
    let mut checks = Checks::default();
    for moved in &evidence.run.events.call_states {
        let (from, to, because) = (moved.from, moved.to, &moved.because);
        checks.check(is_listed(from, because, to), moved.at, moved.index, || {
            format!(
                "{} goes from {from:?} to {to:?} because of {because}, which no row of the table does",
                moved.device
            )
        });
    }
    checks
}

/// CON-7. Checks are the times at which a track was opened again: what opens first is consent's business.
pub(crate) fn no_peer_starts_a_track(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for opened in run.events.captures.iter().filter(|switched| switched.on) {
        let Some(closed) = closed_before(run, opened) else { continue };
        let acts = || run.events.user_acts.iter().filter(|act| act.device == opened.device);
        let within = |act: &&Seen<UserAct>| (closed.index..opened.index).contains(&act.index);
        // What the user wanted while the operating system denied it was in vain.
        let allowed = acts().filter(within).rfind(|act| act.what == Act::AllowAccess { track: opened.track });
        let since = allowed.map_or(closed.index, |act| act.index);
        let mut later = acts().filter(within).filter(|act| act.index > since);
        let wanted = later.any(|act| act.what.switches().contains(&(opened.track, true)));
        checks.check(wanted, opened.at, opened.index, || {
            format!("{} opens {} again, and its user did not ask for it", opened.device, opened.track)
        });
    }
    checks
}

fn closed_before<'a>(run: &Run<'a>, opened: &Seen<'a, CaptureSwitched>) -> Option<Seen<'a, CaptureSwitched>> {
    // A call that comes back to a device is accepted there anew.
    let part = run.part_at(run.cast.device(&opened.device)?, opened.call, opened.index)?;
    let same = |seen: &&Seen<CaptureSwitched>| {
        !seen.on
            && run.is_of(part, seen.index)
            && seen.index < opened.index
            && seen.call == opened.call
            && seen.track == opened.track
            && seen.device == opened.device
    };
    run.events.captures.iter().rfind(same).copied()
}

/// SM-5. A call that is over at the server is over at each device that had to do with it; one that is live there is so at
/// its two ends, which are a device of either user.
pub(crate) fn server_and_devices_agree(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let friendships = Friendships::of(run);
    for (id, call) in &run.calls.by_id {
        judge_over(run, *id, call, &mut checks);
        // A call that comes to be live between no friends any more is wrong by that, and `unfriending_ends_the_call` says so.
        let ended_before = call.live.zip(call.caller.as_ref().zip(call.callee.as_ref()));
        if ended_before.is_none_or(|(live, (one, other))| friendships.may_ring(one, other, live.index)) {
            judge_live(run, *id, call, &mut checks);
        }
    }
    checks
}

fn judge_over(run: &Run, id: CallId, call: &Call, checks: &mut Checks) {
    let Some(over) = call.over else { return };
    let ring_ends = call.ringing.map_or(SimTime::NEVER, |ringing| ringing.at + RING_LIMIT);
    for part in run.calls.parts.values().filter(|part| part.call == id && part.began.1 < over.index) {
        let deadline = run.deadline(part.device, over.at, agreement(run, part.device));
        // From then on the age of the ring is what is wrong, and `no_ring_older_than_a_minute` says so.
        let only_rings = part.first(CallStateName::Accepting).is_none() && part.ring.is_some();
        let told = part.over().map(|(at, _)| at);
        if told.is_none() && run.end <= deadline || only_rings && deadline >= ring_ends {
            continue;
        }
        checks.check(told.is_some_and(|at| at <= deadline), deadline, over.index, || {
            let device = run.cast.name(part.device);
            format!("the call is over at the server, and {device} still has it {} later", deadline.since(over.at))
        });
    }
}

fn judge_live(run: &Run, id: CallId, call: &Call, checks: &mut Checks) {
    let Some(live) = call.live else { return };
    let users = call.devices.map(|(one, other)| (run.cast.user(one), run.cast.user(other)));
    let both =
        users.is_some_and(|(one, other)| Some(one) == call.caller.as_ref() && Some(other) == call.callee.as_ref());
    checks.check(both, live.at, live.index, || {
        "the server takes a call for accepted by somebody who was not called".to_owned()
    });
    let Some((one, other)) = call.devices.filter(|_| both) else { return };
    for device in [one, other] {
        let part = run.part(device, id);
        judge_end(run, call, part, device, live, checks);
    }
    // What the server made up is no device's business.
    let said = |moved: &&Move| {
        let mut said = run.events.signals.of(run.cast.name(moved.from));
        said.any(|said| said.call == Some(id) && said.message == "yield" && said.index < moved.stored.index)
    };
    for moved in call.moves.iter().filter(said) {
        let part = run.part_at(moved.to, id, moved.stored.index);
        judge_end(run, call, part, moved.to, moved.stored, checks);
    }
}

/// An end of a live call, from a record of the store on: it is there, and when it leaves the server knows.
fn judge_end(run: &Run, call: &Call, part: Option<&Part>, device: usize, since: Seen<Store>, checks: &mut Checks) {
    let came = run.deadline(device, since.at, agreement(run, device));
    let is_there = part.and_then(|part| part.first(CallStateName::Connecting)).is_some_and(|(at, _)| at <= came);
    // Who was there and left tells the server: that it is over, or who goes on.
    let left = part.and_then(Part::over).map(|(at, _)| at).filter(|_| is_there);
    let deadline = left.map_or(came, |left| run.deadline(device, left, agreement(run, device)));
    if run.end <= deadline {
        return;
    }
    let is_over = call.over.is_some_and(|over| over.index > since.index && over.at <= deadline);
    let mut moves = call.moves.iter().filter(|moved| moved.from == device && moved.stored.index > since.index);
    let has_moved = moves.any(|moved| moved.stored.at <= deadline);
    checks.check(is_there && left.is_none() || is_over || has_moved, deadline, since.index, || {
        format!("the call is live at the server, and {} has left it", run.cast.name(device))
    });
}

/// How long a device may take to agree with the server.
fn agreement(run: &Run, device: usize) -> Micros {
    let faults = &run.plan.trouble;
    let access = &run.cast.participant(device).access;
    let is_sound = faults.signaling.is_empty() && faults.faults.is_empty();
    if is_sound && is_prompt(&access.up) && is_prompt(&access.down) { AGREEMENT } else { AGREEMENT_AFTER_FAULTS }
}

/// Whether a message goes over a link in a moment: nothing is lost, and neither rate nor distance is those of a bad network.
fn is_prompt(link: &LinkPlan) -> bool {
    let is_fast = link.rate.is_none_or(|rate| rate >= PROMPT_RATE);
    link.loss == Loss::None && is_fast && link.propagation <= PROMPT_PROPAGATION
}

/// SM-6. Checks are the calls that begin to ring.
pub(crate) fn one_call_of_two_at_a_time(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for (id, call) in &run.calls.by_id {
        let Some(ringing) = call.ringing else { continue };
        let before = run.calls.by_id.iter().find(|(other, earlier)| {
            *other != id
                && are_of_the_same_two(earlier, call)
                && earlier.ringing.is_some_and(|began| began.index < ringing.index)
                && earlier.over.is_none_or(|over| over.index > ringing.index)
        });
        checks.check(before.is_none(), ringing.at, ringing.index, || {
            format!(
                "a second call begins to ring while call {} of the same two goes on",
                before.map_or(*id, |(id, _)| *id)
            )
        });
    }
    checks
}

fn are_of_the_same_two(one: &Call, other: &Call) -> bool {
    let users = |call: &Call| (call.caller.clone(), call.callee.clone());
    let (caller, callee) = users(other);
    users(one) == (caller.clone(), callee.clone()) || users(one) == (callee, caller)
}

/// SM-8. By the server's clock: its record of the invite. While the call goes on at the server too the ring is not stale, and
/// `every_call_ends` judges both.
pub(crate) fn no_ring_older_than_a_minute(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for part in run.calls.parts.values() {
        let call = run.calls.by_id.get(&part.call).filter(|call| call.over.is_some());
        let (Some(ring), Some(invited)) = (part.ring, call.and_then(|call| call.ringing)) else { continue };
        let deadline = invited.at + RING_LIMIT + SLACK;
        let stopped = stops_ringing(part).map(|(at, _)| at);
        if stopped.is_none() && run.end <= deadline {
            continue;
        }
        let holds = ring.at <= deadline && stopped.is_some_and(|at| at <= deadline);
        checks.check(holds, deadline.max(ring.at), ring.index, || {
            let until = stopped.map_or("without end".to_owned(), |at| format!("until {} after", at.since(invited.at)));
            format!("{} rings for a call {until} its invite", ring.device)
        });
    }
    checks
}

fn stops_ringing(part: &Part) -> Option<Moment> {
    part.over().into_iter().chain(part.accepting()).min_by_key(|moment| moment.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{CALL, Story};
    use kernel::{
        Track,
        event::{self, CallOutcome, EndReason, Event, Fact},
        trouble::{Fault, FaultKind},
    };

    fn moved(story: &mut Story, because: &str, from: CallStateName, to: CallStateName) {
        let (device, because) = ("bob-phone".into(), because.into());
        story.tell(Event::CallState(event::CallState { device, call: Some(CALL), from, to, because }));
    }

    #[test]
    fn each_move_of_a_machine_is_a_row_of_the_table() {
        let mut story = Story::new();
        story.live().over(9_000);
        assert_eq!(story.holds("only_listed_transitions"), 9);
        let mut story = Story::new();
        moved(story.live().at(9_000), "peer.answer", CallStateName::Live, CallStateName::Held);
        let sentence = story.fails_only("only_listed_transitions");
        assert_eq!(sentence, "bob-phone goes from Live to Held because of peer.answer, which no row of the table does");
    }

    /// Bob's device closes its camera because alice holds the call, and opens it again.
    fn held(resumes: bool) -> Story {
        let mut story = Story::new();
        moved(story.live().at(9_000), "peer.hold", CallStateName::Live, CallStateName::Held);
        story.capture("bob-phone", Track::Video, false).at(10_000);
        if resumes {
            story.act("bob-phone", Act::Resume);
            moved(&mut story, "user.resume", CallStateName::Held, CallStateName::Live);
        }
        story.capture("bob-phone", Track::Video, true);
        story
    }

    #[test]
    fn a_track_opens_again_when_its_user_says_so_and_not_else() {
        assert_eq!(held(true).holds("no_peer_starts_a_track"), 1);
        let sentence = held(false).fails_only("no_peer_starts_a_track");
        assert_eq!(sentence, "bob-phone opens video again, and its user did not ask for it");
    }

    #[test]
    fn a_track_that_was_denied_opens_when_its_user_says_so_after_it_was_allowed() {
        let opened = |asks_after: bool| {
            let mut story = Story::new();
            let track = Track::Video;
            story.live().at(9_000).act("bob-phone", Act::DenyAccess { track }).capture("bob-phone", track, false);
            story.at(9_500).act("bob-phone", Act::CameraOn).at(10_000).act("bob-phone", Act::AllowAccess { track });
            if asks_after {
                story.at(10_500).act("bob-phone", Act::CameraOn);
            }
            story.capture("bob-phone", track, true);
            story
        };
        assert_eq!(opened(true).holds("no_peer_starts_a_track"), 1);
        opened(false).fails_only("no_peer_starts_a_track");
    }

    /// The server ends the ring after 4 s; bob's device hears of it at a time.
    fn cancelled(heard_ms: Option<u64>) -> Story {
        let mut story = Story::new();
        story.befriend().ringing().at(10_000).act("alice-phone", Act::Cancel);
        story.ended("alice-phone", EndReason::Cancelled).at(10_020).call_over(CallOutcome::Cancelled);
        if let Some(ms) = heard_ms {
            story.at(ms).ended("bob-phone", EndReason::Cancelled);
        }
        story.at(20_000).signal("signaling", "bob-phone", "call_row", b"");
        story
    }

    #[test]
    fn a_device_rings_with_no_caller_behind_it() {
        assert_eq!(cancelled(Some(10_060)).holds("server_and_devices_agree"), 2);
        for heard in [Some(13_021), None] {
            let sentence = cancelled(heard).fails_only("server_and_devices_agree");
            assert_eq!(sentence, "the call is over at the server, and bob-phone still has it 3000.000 ms later");
        }
    }

    /// Bob's app crashes in the call, or a relay does; alice's device hears of the end, and bob's says nothing more.
    fn crashed(node: &str) -> Story {
        let mut story = Story::new();
        story.plan.timeline_start = SimTime(5_000_000);
        story.plan.trouble.faults =
            vec![Fault { at: Micros::from_secs(4), kind: FaultKind::Crash { node: node.into() } }];
        story.live().at(9_500).call_over(CallOutcome::Answered).at(9_540);
        story.ended("alice-phone", EndReason::PeerHungUp);
        story.at(50_000).signal("signaling", "alice-phone", "call_row", b"");
        story
    }

    #[test]
    fn a_call_is_over_at_a_device_whose_app_crashes() {
        let report = crashed("bob-phone").report("server_and_devices_agree");
        assert_eq!((report.checks, report.violations), (4, 0));
        let report = crashed("relay").report("server_and_devices_agree");
        assert_eq!(
            report.first_violation.unwrap().message,
            "the call is over at the server, and bob-phone still has it 35000.000 ms later"
        );
    }

    #[test]
    fn over_a_bad_network_a_device_hears_later() {
        let loss = Loss::Bernoulli { ppm: 10_000 };
        let worsen: [fn(&mut LinkPlan, Loss); 3] = [
            |link, loss| link.loss = loss,
            |link, _| link.rate = Some(BitRate(50_000)),
            |link, _| link.propagation = Micros::from_millis(350),
        ];
        for worsen in worsen {
            let mut story = cancelled(Some(13_021));
            worsen(&mut story.plan.participants[1].access.down, loss);
            assert_eq!(story.holds("server_and_devices_agree"), 2);
        }
    }

    #[test]
    fn a_call_is_live_at_the_server_only() {
        let mut story = Story::new();
        story.befriend().ringing().at(10_000).ended("alice-phone", EndReason::Cancelled).at(10_020);
        story.call_over(CallOutcome::Cancelled).at(10_060).ended("bob-phone", EndReason::Cancelled);
        let (caller_device, callee_device) = ("alice-phone".into(), "bob-phone".into());
        story.at(10_100).fact(Fact::CallLive { call: CALL, caller_device, callee_device });
        story.at(15_000).signal("signaling", "bob-phone", "call_row", b"");
        let sentence = story.fails_only("server_and_devices_agree");
        assert_eq!(sentence, "the call is live at the server, and alice-phone has left it");
    }

    #[test]
    fn a_caller_accepts_for_the_callee() {
        let mut story = Story::new();
        let (caller_device, callee_device) = ("alice-phone".into(), "alice-phone".into());
        story.befriend().ringing().at(7_000).fact(Fact::CallLive { call: CALL, caller_device, callee_device });
        let sentence = story.fails_only("server_and_devices_agree");
        assert_eq!(sentence, "the server takes a call for accepted by somebody who was not called");
    }

    #[test]
    fn a_second_call_of_the_same_two_begins_beside_the_first() {
        let second = |story: &mut Story| {
            let call = CallId([8; 16]);
            story.fact(Fact::CallRinging { call, caller: "bob".into(), callee: "alice".into() });
        };
        let mut story = cancelled(Some(10_060));
        second(&mut story);
        assert_eq!(story.holds("one_call_of_two_at_a_time"), 2);
        let mut story = Story::new();
        second(story.befriend().ringing());
        let sentence = story.fails_only("one_call_of_two_at_a_time");
        assert!(sentence.starts_with("a second call begins to ring while call 07070707"), "{sentence}");
    }

    /// Nobody answers; the server ends the call after a minute, and bob's device at a time.
    fn unanswered(stops_ms: u64) -> Story {
        let mut story = Story::new();
        story.befriend().ringing().at(66_020).call_over(CallOutcome::Missed);
        story.at(66_040).ended("alice-phone", EndReason::Unanswered);
        story.at(stops_ms).ended("bob-phone", EndReason::Unanswered);
        story
    }

    #[test]
    fn a_ring_that_is_older_than_a_minute() {
        assert_eq!(unanswered(66_060).holds("no_ring_older_than_a_minute"), 1);
        let sentence = unanswered(67_021).fails_only("no_ring_older_than_a_minute");
        assert_eq!(sentence, "bob-phone rings for a call until 61001.000 ms after its invite");
    }
}
