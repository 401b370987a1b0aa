//! RL-1, RL-2: how often somebody may be rung, and how many handles somebody may look up.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Run, Seen, Settings},
};
use kernel::{
    Micros, SimTime, UserName,
    event::{Fact, Store},
};
use std::{collections::BTreeSet, net::IpAddr};

const MINUTE: Micros = Micros::from_secs(60);
const HOUR: Micros = Micros::from_secs(3_600);
/// How much later than it was counted a ring or lookup may be durable: windows are shorter by it.
const COMMITTING: Micros = Micros::from_secs(1);
/// Rings of one user at another.
const RINGS_A_MINUTE: usize = 3;
const RINGS_AN_HOUR: usize = 10;
/// Rings at a user from all who are not on the list of close friends: only friends ring, and these are the strangers among
/// them.
const KNOCKS_AN_HOUR: usize = 30;
/// Handles that an account, and all from one address, look up within an hour.
const HANDLES_OF_AN_ACCOUNT: usize = 30;
const HANDLES_OF_AN_ADDRESS: usize = 60;
/// Accounts that look one handle up within an hour.
const ACCOUNTS_OF_A_HANDLE: usize = 60;

struct Rung<'a> {
    at: SimTime,
    caller: &'a UserName,
    callee: &'a UserName,
    is_close: bool,
}

/// RL-1. Every call that rang counts, however it ended.
pub(crate) fn rings_are_limited(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let settings = Settings::of(run);
    let mut checks = Checks::default();
    let mut rung: Vec<Rung> = Vec::new();
    for seen in &run.events.facts {
        let Fact::CallRinging { caller, callee, .. } = &seen.get().fact else { continue };
        let is_close = settings.is_close(callee, caller, seen.index);
        rung.push(Rung { at: seen.at, caller, callee, is_close });
        let within = |window: Micros, counts: &dyn Fn(&Rung) -> bool| {
            rung.iter().filter(|one| is_within(one.at, seen.at, window) && counts(one)).count()
        };
        let of_pair = |one: &Rung| one.caller == caller && one.callee == callee;
        let of_strangers = |one: &Rung| one.callee == callee && !one.is_close;
        let (minute, hour) = (within(MINUTE, &of_pair), within(HOUR, &of_pair));
        checks.check(minute <= RINGS_A_MINUTE && hour <= RINGS_AN_HOUR, seen.at, seen.index, || {
            format!(
                "{caller} rings {callee} {minute} times within a minute and {hour} within an hour, at most \
                 {RINGS_A_MINUTE} and {RINGS_AN_HOUR} are allowed"
            )
        });
        let knocks = within(HOUR, &of_strangers);
        checks.check(is_close || knocks <= KNOCKS_AN_HOUR, seen.at, seen.index, || {
            format!(
                "{callee} is rung {knocks} times within an hour by others than close friends, at most {KNOCKS_AN_HOUR} \
                 are allowed"
            )
        });
    }
    checks
}

/// RL-2. A handle that an account looks up again within the hour tells it nothing.
pub(crate) fn lookups_are_limited(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let lookups: Vec<Seen<Store>> =
        run.events.facts.iter().filter(|seen| matches!(seen.fact, Fact::LookedUp { .. })).copied().collect();
    for (last, seen) in lookups.iter().enumerate() {
        let Fact::LookedUp { by, handle } = &seen.fact else { continue };
        let lately = lookups[..=last].iter().filter(|one| is_within(one.at, seen.at, HOUR));
        let lately: Vec<(&UserName, &UserName)> = lately.filter_map(|one| names(one.get())).collect();
        let handles: BTreeSet<_> = lately.iter().filter(|(asks, _)| *asks == by).map(|(_, handle)| handle).collect();
        let askers: BTreeSet<_> = lately.iter().filter(|(_, asked)| *asked == handle).map(|(asks, _)| asks).collect();
        let home = address(run, by);
        let neighbours: BTreeSet<_> = lately.iter().filter(|(asks, _)| home == address(run, asks)).collect();
        let (handles, askers, neighbours) = (handles.len(), askers.len(), neighbours.len());
        checks.check(handles <= HANDLES_OF_AN_ACCOUNT, seen.at, seen.index, || {
            format!("{by} looks {handles} handles up within an hour, at most {HANDLES_OF_AN_ACCOUNT} are allowed")
        });
        checks.check(askers <= ACCOUNTS_OF_A_HANDLE, seen.at, seen.index, || {
            format!("{askers} accounts look {handle} up within an hour, at most {ACCOUNTS_OF_A_HANDLE} are allowed")
        });
        checks.check(neighbours <= HANDLES_OF_AN_ADDRESS, seen.at, seen.index, || {
            format!(
                "from one address {neighbours} handles are looked up within an hour, at most {HANDLES_OF_AN_ADDRESS}"
            )
        });
    }
    checks
}

fn names(fact: &Store) -> Option<(&UserName, &UserName)> {
    match &fact.fact {
        Fact::LookedUp { by, handle } => Some((by, handle)),
        _ => None,
    }
}

/// From where a user is heard.
fn address(run: &Run, user: &UserName) -> Option<IpAddr> {
    run.plan.participants.iter().find(|one| one.user == *user).map(|one| one.access.public_address)
}

fn is_within(at: SimTime, now: SimTime, window: Micros) -> bool {
    now.since(at) < Micros(window.0 - COMMITTING.0)
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::{
        CallId,
        event::{Fact, Setting},
    };

    const RINGS: &str = "rings_are_limited";
    const LOOKUPS: &str = "lookups_are_limited";

    fn ring(story: &mut Story, ms: u64, caller: &str) {
        let call = CallId([ms as u8; 16]);
        story.at(ms).fact(Fact::CallRinging { call, caller: caller.into(), callee: "bob".into() });
    }

    fn rings(times_s: impl IntoIterator<Item = u64>) -> Story {
        let mut story = Story::new();
        story.befriend();
        times_s.into_iter().for_each(|s| ring(&mut story, 10_000 + s * 1_000, "alice"));
        story
    }

    #[test]
    fn three_rings_a_minute_are_enough() {
        assert_eq!(rings([0, 10, 20, 60, 70, 80]).report(RINGS).violations, 0);
        let sentence = rings([0, 10, 20, 58]).report(RINGS);
        assert_eq!((sentence.checks, sentence.violations), (8, 1));
    }

    #[test]
    fn ten_rings_an_hour_are_enough() {
        assert_eq!(rings((0..10).map(|n| n * 300)).report(RINGS).violations, 0);
        assert_eq!(rings((0..11).map(|n| n * 300)).report(RINGS).violations, 1);
    }

    #[test]
    fn thirty_rings_an_hour_of_all_but_close_friends_are_enough() {
        let crowd = |close: bool| {
            let mut story = Story::new();
            for friend in 0..31 {
                let name = format!("friend-{friend}");
                let setting = Setting::CloseFriend { user: name.as_str().into(), listed: close };
                story.at(1_000).fact(Fact::SettingChanged { by: "bob".into(), setting });
            }
            (0..31).for_each(|friend| ring(&mut story, 10_000 + friend * 1_000, &format!("friend-{friend}")));
            story.report(RINGS).violations
        };
        assert_eq!((crowd(true), crowd(false)), (0, 1));
    }

    #[test]
    fn thirty_handles_an_hour_are_enough() {
        let looks_up = |count: u64, by: &dyn Fn(u64) -> String, handle: &dyn Fn(u64) -> String| {
            let mut story = Story::new();
            for n in 0..count {
                let (by, handle) = (by(n).as_str().into(), handle(n).as_str().into());
                story.at(1_000 + n).fact(Fact::LookedUp { by, handle });
            }
            story.report(LOOKUPS).violations
        };
        let (alice, name) = (|_| "alice".to_owned(), |n| format!("name-{n}"));
        assert_eq!((looks_up(30, &alice, &name), looks_up(31, &alice, &name)), (0, 1));
        assert_eq!(looks_up(60, &alice, &|_| "bob".to_owned()), 0, "one handle again and again");
        let bob = |_| "bob".to_owned();
        assert!(looks_up(61, &|n| format!("asker-{n}"), &bob) > 0);
    }
}
