//! ACC: one-time codes, a part of ACC-2.

use crate::{checks::Checks, run::Run};
use kernel::{Micros, SimTime, UserName, event::Fact};
use std::collections::{BTreeMap, VecDeque};

/// How many codes an account gets within [`ISSUING`].
const MOST_CODES: usize = 5;
const ISSUING: Micros = Micros::from_secs(3_600);
/// How often a code may be tried, and how long it is good for. A fact is a little later than what it tells of.
const MOST_TRIES: u32 = 5;
const LIFETIME: Micros = Micros::from_secs(600 + 1);

#[derive(Default)]
struct Account {
    issued: VecDeque<SimTime>,
    /// When the last code was issued, and how often it was tried.
    current: Option<(SimTime, u32)>,
}

pub(super) fn judge(run: &Run, checks: &mut Checks) {
    let mut accounts: BTreeMap<&UserName, Account> = BTreeMap::new();
    for seen in &run.events.facts {
        match &seen.get().fact {
            Fact::CodeRequested { user, issued: true } => {
                let account = accounts.entry(user).or_default();
                account.issued.retain(|at| seen.at.since(*at) < ISSUING);
                account.issued.push_back(seen.at);
                account.current = Some((seen.at, 0));
                let count = account.issued.len();
                checks.check(count <= MOST_CODES, seen.at, seen.index, || {
                    format!("{user} is sent {count} one-time codes within an hour")
                });
            }
            Fact::CodeTried { user, looked_at: true, fits } => {
                let account = accounts.entry(user).or_default();
                let Some((issued, tries)) = &mut account.current else {
                    checks.fail(seen.at, seen.index, || {
                        format!("the server looks at a code of {user} when none is good")
                    });
                    continue;
                };
                *tries += 1;
                let (tries, age) = (*tries, seen.at.since(*issued));
                checks.check(tries <= MOST_TRIES, seen.at, seen.index, || {
                    format!("the server looks at {tries} tries of one code of {user}")
                });
                checks.check(age <= LIFETIME, seen.at, seen.index, || {
                    format!("the server looks at a code of {user} that is {} s old", age.0 / 1_000_000)
                });
                if *fits {
                    account.current = None;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::event::Fact;

    const GUESSES: &str = "guesses_are_throttled";

    fn asked(story: &mut Story, ms: u64) {
        story.at(ms).fact(Fact::CodeRequested { user: "bob".into(), issued: true });
    }

    fn tried(story: &mut Story, ms: u64, fits: bool) {
        story.at(ms).fact(Fact::CodeTried { user: "bob".into(), looked_at: true, fits });
    }

    #[test]
    fn five_codes_an_hour_with_five_tries_each_and_not_six() {
        let codes = |count: u64, tries: u64| {
            let mut story = Story::new();
            for code in 0..count {
                asked(&mut story, code * 1_000);
                (1..=tries).for_each(|n| tried(&mut story, code * 1_000 + n, false));
            }
            story.at(9_000).fact(Fact::CodeRequested { user: "bob".into(), issued: false });
            story.fact(Fact::CodeTried { user: "bob".into(), looked_at: false, fits: false });
            story
        };
        assert_eq!(codes(5, 5).holds(GUESSES), 5 + 2 * 25);
        assert_eq!(codes(6, 1).fails_only(GUESSES), "bob is sent 6 one-time codes within an hour");
        assert_eq!(codes(1, 6).fails_only(GUESSES), "the server looks at 6 tries of one code of bob");
    }

    #[test]
    fn a_code_is_good_for_ten_minutes_and_once() {
        let late = |ms: u64| {
            let mut story = Story::new();
            asked(&mut story, 0);
            tried(&mut story, ms, true);
            story
        };
        assert_eq!(late(600_000).holds(GUESSES), 3);
        assert_eq!(late(601_001).fails_only(GUESSES), "the server looks at a code of bob that is 601 s old");
        let mut twice = late(1_000);
        tried(&mut twice, 2_000, true);
        assert_eq!(twice.fails_only(GUESSES), "the server looks at a code of bob when none is good");
    }
}
