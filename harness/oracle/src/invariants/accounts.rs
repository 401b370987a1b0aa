//! ACC, ID: who gets into an account, with which devices.

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
    let mut recent: BTreeMap<&UserName, VecDeque<SimTime>> = BTreeMap::new();
    for seen in &evidence.run.events.facts {
        let Fact::PasswordTried { user, fits: false } = &seen.get().fact else { continue };
        let recent = recent.entry(user).or_default();
        recent.retain(|at| seen.at.since(*at) < GUESSING);
        recent.push_back(seen.at);
        checks.check(recent.len() <= MOST_GUESSES, seen.at, seen.index, || {
            format!("the server looks at {} wrong passwords of {user} within an hour", recent.len())
        });
    }
    checks
}

/// ACC-3.
pub(crate) fn revoked_devices_are_out(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for fact in &run.events.facts {
        let Fact::DeviceRemoved { device, .. } = &fact.get().fact else { continue };
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
    if told.is_some() || run.end > deadline {
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
    let until = run.events.facts.iter().find(again).map_or(u64::MAX, |seen| seen.index);
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
    matches!(message, "logged_out" | "refused") || at == removed && matches!(message, "ended" | "call_row")
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
