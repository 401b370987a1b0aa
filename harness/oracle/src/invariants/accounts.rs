//! ACC, ID: who gets into an account, with which devices.

use super::{codes, rollback};
use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Part, Run, Seen},
};
use kernel::{
    ActorName, Micros, SimTime, UserName,
    event::{Act, CallStateName, DeviceListSeen, Fact, Store},
};
use std::collections::{BTreeMap, VecDeque};

/// How many wrong passwords an account takes within [`GUESSING`].
const MOST_GUESSES: usize = 10;
const GUESSING: Micros = Micros::from_secs(3_600);
/// How soon a device shows that another one signed in.
const ANNOUNCED: Micros = Micros::from_secs(5);
/// How soon a device that is logged out knows it, and is in no call.
const LOGGED_OUT: Micros = Micros::from_secs(1);

/// ACC-2.
pub(crate) fn guesses_are_throttled(evidence: &Evidence) -> Checks {
    let mut checks = Checks::default();
    // An account that there is not yet has no password that could be guessed.
    let mut accounts: BTreeMap<&UserName, VecDeque<SimTime>> = BTreeMap::new();
    for seen in &evidence.run.events.facts {
        if let Fact::AccountCreated { user } = &seen.get().fact {
            accounts.insert(user, VecDeque::new());
        }
        let Fact::PasswordTried { user, fits: false } = &seen.get().fact else { continue };
        let Some(recent) = accounts.get_mut(user) else { continue };
        recent.retain(|at| seen.at.since(*at) < GUESSING);
        recent.push_back(seen.at);
        checks.check(recent.len() <= MOST_GUESSES, seen.at, seen.index, || {
            format!("the server looks at {} wrong passwords of {user} within an hour", recent.len())
        });
    }
    codes::judge(evidence.run, &mut checks);
    checks
}

/// ACC-3.
pub(crate) fn revoked_devices_are_out(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for fact in &run.events.facts {
        let (Fact::DeviceRemoved { device, .. } | Fact::SessionRevoked { device, .. }) = &fact.get().fact else {
            continue;
        };
        let Some(number) = run.cast.device(device) else { continue };
        judge_knowledge(run, number, *fact, &mut checks);
        judge_silence(run, device, *fact, &mut checks);
        let in_call = run.calls.parts.values().filter(|part| part.device == number && part.began.1 < fact.index);
        for part in in_call.filter(|part| part.over().is_none_or(|over| over.1 > fact.index)) {
            judge_call(run, part, *fact, &mut checks);
        }
    }
    checks
}

fn judge_knowledge(run: &Run, number: usize, fact: Seen<Store>, checks: &mut Checks) {
    let device = run.cast.name(number);
    let deadline = run.deadline(number, fact.at, LOGGED_OUT);
    let told = run.events.logged_out.of(device).find(|told| told.index > fact.index);
    let is_undone = rollback::undone(run, fact).is_some_and(|restored| restored.at <= deadline);
    if told.is_some() || run.end > deadline && !is_undone {
        let (at, record) = told.map_or((deadline, fact.index), |told| (told.at, told.index));
        checks.check(told.is_some() && at <= deadline, at, record, || {
            format!("{device} is not told within 1 s that it is logged out")
        });
    }
}

/// Nothing that the device says has an effect: the server tells it nothing but that it is out, and stores nothing of it.
fn judge_silence(run: &Run, device: &ActorName, fact: Seen<Store>, checks: &mut Checks) {
    let again = |seen: &&Seen<Store>| {
        matches!(&seen.get().fact, Fact::SessionCreated { device: back, .. } if back == device)
            && seen.index > fact.index
    };
    let again = run.events.facts.iter().find(again).map(|seen| seen.index);
    // Where an old copy of the store took it back, the server does not know it any more: DUR-3.
    let undone = rollback::undone(run, fact).map(|restored| restored.index);
    let until = again.into_iter().chain(undone).min().unwrap_or(u64::MAX);
    let told = run.events.signals.of(device).find(|signal| {
        signal.index > fact.index && signal.index < until && !is_farewell(&signal.message, signal.at, fact.at)
    });
    let (at, record) = told.map_or((fact.at, fact.index), |told| (told.at, told.index));
    checks.check(told.is_none(), at, record, || {
        let message = told.map(|told| told.message.as_str()).unwrap_or_default();
        format!("{device} is logged out, and the server still answers it: {message}")
    });
}

/// What a device may be told once it is out: that it is, and what ended with it in the same transaction.
fn is_farewell(message: &str, at: SimTime, removed: SimTime) -> bool {
    matches!(message, "logged_out" | "refused" | "not_attached")
        || at == removed && matches!(message, "ended" | "call_row")
}

fn judge_call(run: &Run, part: &Part, fact: Seen<Store>, checks: &mut Checks) {
    let device = run.cast.name(part.device);
    let deadline = run.deadline(part.device, fact.at, LOGGED_OUT);
    let over = part.over();
    if over.is_some() || run.end > deadline {
        let (at, record) = over.unwrap_or((deadline, fact.index));
        checks.check(over.is_some() && at <= deadline, at, record, || {
            format!("{device} is logged out and still in a call 1 s later")
        });
    }
}

/// ACC-4, ID-7.
pub(crate) fn new_devices_are_confirmed(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for fact in &run.events.facts {
        if let Fact::DeviceAdded { user, device } = &fact.get().fact {
            judge_announcement(run, (user, device), *fact, &mut checks);
            judge_newcomer(run, (user, device), *fact, &mut checks);
        }
    }
    for number in 0..run.cast.len() {
        judge_lists(run, number, &mut checks);
    }
    checks
}

/// Every device of the user that counts by then shows the new one.
fn judge_announcement(run: &Run, (user, new): (&UserName, &ActorName), fact: Seen<Store>, checks: &mut Checks) {
    for number in (0..run.cast.len()).filter(|number| run.cast.user(*number) == user) {
        let device = run.cast.name(number);
        if device == new || !counts(run, device, fact.index) {
            continue;
        }
        let deadline = run.deadline(number, fact.at, ANNOUNCED);
        let shown = run.events.announced.of(device).find(|shown| shown.announced == *new && shown.at >= fact.at);
        if shown.is_some() || run.end > deadline {
            let (at, record) = shown.map_or((deadline, fact.index), |shown| (shown.at, shown.index));
            checks.check(shown.is_some() && at <= deadline, at, record, || {
                format!("{device} does not show within 5 s that {new} signed in")
            });
        }
    }
}

/// Whether a device counts at a record: it made the account, or was confirmed, and was not removed.
fn counts(run: &Run, device: &ActorName, index: u64) -> bool {
    let (mut is_new, mut counts) = (false, true);
    for seen in run.events.facts.iter().take_while(|seen| seen.index < index) {
        match &seen.get().fact {
            Fact::DeviceAdded { device: added, .. } if added == device => (is_new, counts) = (true, false),
            Fact::DeviceConfirmed { device: confirmed, .. } if confirmed == device => counts = true,
            Fact::DeviceRemoved { device: removed, .. } if removed == device => counts = false,
            _ => {}
        }
    }
    let signed_in = |seen: &Seen<Store>| {
        matches!(&seen.get().fact, Fact::SessionCreated { device: own, .. } if own == device) && seen.index < index
    };
    counts && (is_new || run.events.facts.iter().any(signed_in))
}

/// Before somebody confirms it with another device it rings for nobody and is in no call, and nobody else confirms it.
fn judge_newcomer(run: &Run, (user, new): (&UserName, &ActorName), fact: Seen<Store>, checks: &mut Checks) {
    let confirmed = run.events.facts.iter().find(|seen| {
        seen.index > fact.index && matches!(&seen.get().fact, Fact::DeviceConfirmed { device, .. } if device == new)
    });
    if let Some(confirmed) = confirmed
        && let Fact::DeviceConfirmed { by, .. } = &confirmed.get().fact
    {
        let meant = Act::ConfirmDevice { device: new.clone() };
        let acted = run
            .events
            .user_acts
            .iter()
            .any(|act| act.index < confirmed.index && act.what == meant && act.device == *by && act.user == *user);
        checks.check(acted && by != new, confirmed.at, confirmed.index, || {
            format!("{new} becomes a device of {user}, and nobody confirmed it with another one")
        });
    }
    let until = confirmed.map_or(u64::MAX, |confirmed| confirmed.index);
    let rings = run.events.rings.iter().filter(|ring| ring.device == *new).map(|ring| (ring.at, ring.index));
    let states =
        run.events.call_states.iter().filter(|state| {
            state.device == *new && matches!(state.to, CallStateName::Connecting | CallStateName::Live)
        });
    let early = rings.chain(states.map(|state| (state.at, state.index))).filter(|(_, index)| *index < until).min();
    let (at, record) = early.unwrap_or((fact.at, fact.index));
    checks.check(early.is_none(), at, record, || format!("{new} takes part in a call before it is confirmed"));
}

/// Each list that a device takes begins with the last one that it took of the same user's devices.
fn judge_lists(run: &Run, number: usize, checks: &mut Checks) {
    let device = run.cast.name(number);
    let mut last: BTreeMap<&UserName, Seen<DeviceListSeen>> = BTreeMap::new();
    for seen in run.events.lists.of(device).filter(|seen| seen.taken) {
        if let Some(before) = last.insert(&seen.get().user, *seen) {
            checks.check(seen.links.starts_with(&before.links), seen.at, seen.index, || {
                format!("{device} takes a list of {}'s devices that does not extend the one before", seen.user)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::{
        event::{self, Act, CallOutcome, CallStateName, EndReason, Event, Fact},
        plan::Participant,
    };

    const GUESSES: &str = "guesses_are_throttled";
    const OUT: &str = "revoked_devices_are_out";
    const CONFIRMED: &str = "new_devices_are_confirmed";
    const LAPTOP: &str = "bob-laptop";

    fn tried(fits: bool) -> Fact {
        Fact::PasswordTried { user: "alice".into(), fits }
    }

    /// Wrong passwords, a second from each to the next, after a pause.
    fn guesses(first: usize, pause_ms: u64, more: usize) -> Story {
        let mut story = Story::new();
        story.fact(tried(false)).fact(Fact::AccountCreated { user: "alice".into() });
        let times = (0..first as u64).map(|n| n * 1_000).chain((0..more as u64).map(|n| pause_ms + n * 1_000));
        for ms in times {
            story.at(ms).fact(tried(false));
        }
        story.fact(tried(true));
        story
    }

    #[test]
    fn ten_guesses_an_hour_are_looked_at_and_not_eleven() {
        assert_eq!(guesses(10, 3_600_000, 1).holds(GUESSES), 11);
        let sentence = guesses(10, 3_599_000, 1).fails_only(GUESSES);
        assert_eq!(sentence, "the server looks at 11 wrong passwords of alice within an hour");
    }

    fn household() -> Story {
        let mut story = Story::new();
        let laptop = Participant { device: LAPTOP.into(), ..story.plan.participants[1].clone() };
        story.plan.participants.push(laptop);
        let session = |device: &str| Fact::SessionCreated { user: "bob".into(), device: device.into() };
        story.befriend().at(500).fact(session("bob-phone"));
        story.at(1_500).fact(Fact::DeviceAdded { user: "bob".into(), device: LAPTOP.into() }).fact(session(LAPTOP));
        story
    }

    fn announce(story: &mut Story, ms: u64) {
        let (device, announced) = ("bob-phone".into(), LAPTOP.into());
        story.at(ms).tell(Event::DeviceAnnounced(event::DeviceAnnounced { device, announced }));
    }

    fn confirm(story: &mut Story, ms: u64, by: &str) {
        story.at(ms).act("bob-phone", Act::ConfirmDevice { device: LAPTOP.into() });
        story.fact(Fact::DeviceConfirmed { user: "bob".into(), device: LAPTOP.into(), by: by.into() });
    }

    fn until(mut story: Story, ms: u64) -> Story {
        story.at(ms).signal("signaling", "alice-phone", "done", b"");
        story
    }

    #[test]
    fn a_device_that_is_shown_and_confirmed() {
        let mut story = household();
        announce(&mut story, 1_600);
        confirm(&mut story, 4_000, "bob-phone");
        // That it was shown, who confirmed it, and that it did nothing before.
        assert_eq!(until(story, 20_000).holds(CONFIRMED), 3);
    }

    #[test]
    fn a_device_that_is_not_shown_or_confirms_itself_or_rings_early() {
        let sentence = until(household(), 20_000).fails_only(CONFIRMED);
        assert_eq!(sentence, "bob-phone does not show within 5 s that bob-laptop signed in");
        let mut story = household();
        announce(&mut story, 1_600);
        confirm(&mut story, 4_000, LAPTOP);
        let sentence = until(story, 20_000).fails_only(CONFIRMED);
        assert_eq!(sentence, "bob-laptop becomes a device of bob, and nobody confirmed it with another one");
        let mut story = household();
        announce(&mut story, 1_600);
        story.ringing().at(6_040).signal("signaling", LAPTOP, "ring", b"a ring").ring(LAPTOP, "alice");
        let sentence = until(story, 7_000).fails_only(CONFIRMED);
        assert_eq!(sentence, "bob-laptop takes part in a call before it is confirmed");
    }

    fn list(story: &mut Story, links: &[&str], taken: bool) {
        let links = links.iter().map(|link| link.to_string()).collect();
        let (device, user) = ("alice-phone".into(), "bob".into());
        story.tell(Event::DeviceListSeen(event::DeviceListSeen { device, user, links, taken }));
    }

    #[test]
    fn a_list_only_grows_but_for_those_that_are_refused() {
        let lists = |last: &[&str], taken: bool| {
            let mut story = Story::new();
            list(&mut story, &["a"], true);
            list(&mut story, &["a", "b"], true);
            list(&mut story, last, taken);
            story
        };
        assert_eq!(lists(&["a", "b"], true).holds(CONFIRMED), 2);
        assert_eq!(lists(&["a", "c"], false).holds(CONFIRMED), 1);
        for fork in [&["a", "c"][..], &["a"]] {
            let sentence = lists(fork, true).fails_only(CONFIRMED);
            assert_eq!(sentence, "alice-phone takes a list of bob's devices that does not extend the one before");
        }
    }

    /// The phone is logged out at 8 s while it is in a call; what follows, and when.
    fn removed(told_ms: u64, over_ms: u64, said: Option<&str>) -> Story {
        let mut story = Story::new();
        let (user, device, by) = ("bob".into(), "bob-phone".into(), LAPTOP.into());
        story.live().at(8_000).fact(Fact::DeviceRemoved { user, device, by });
        story.call_over(CallOutcome::Answered);
        let told = |story: &mut Story| {
            story.at(told_ms).tell(Event::LoggedOut(event::LoggedOut { device: "bob-phone".into() }));
        };
        if told_ms <= over_ms {
            told(&mut story);
        }
        story.at(over_ms).ended("bob-phone", EndReason::Failed).ended("alice-phone", EndReason::PeerHungUp);
        if told_ms > over_ms {
            told(&mut story);
        }
        if let Some(message) = said {
            story.at(12_000).signal("signaling", "bob-phone", message, b"");
        }
        until(story, 17_000)
    }

    #[test]
    fn a_removed_device_hears_of_it_and_is_in_no_call() {
        assert_eq!(removed(8_040, 8_040, Some("refused")).holds(OUT), 3);
        let sentence = removed(9_100, 8_040, None).fails_only(OUT);
        assert_eq!(sentence, "bob-phone is not told within 1 s that it is logged out");
        let sentence = removed(8_040, 9_100, None).fails_only(OUT);
        assert_eq!(sentence, "bob-phone is logged out and still in a call 1 s later");
        let sentence = removed(8_040, 8_040, Some("keys")).fails_only(OUT);
        assert_eq!(sentence, "bob-phone is logged out, and the server still answers it: keys");
    }

    #[test]
    fn a_state_before_the_call_is_no_taking_part() {
        let mut story = household();
        announce(&mut story, 1_600);
        story.at(3_000).state(LAPTOP, CallStateName::Idle, CallStateName::Outgoing);
        story.at(3_100).state(LAPTOP, CallStateName::Outgoing, CallStateName::Idle);
        until(story, 20_000).holds(CONFIRMED);
    }
}
