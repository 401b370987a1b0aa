//! DUR: an old copy of a server's store in the place of the store.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Run, Seen},
};
use kernel::{
    ActorName, Micros,
    event::{Store, StoreRestored},
};

/// How soon a device that an older state is shown says so.
const NOTICED: Micros = Micros::from_secs(1);
/// What a device says to a server before it goes by it.
const GREETINGS: [&str; 2] = ["attach", "sign_in"];

/// The copy, if any, that took a fact back.
pub(super) fn undone<'a>(run: &Run<'a>, fact: Seen<'a, Store>) -> Option<Seen<'a, StoreRestored>> {
    let takes = |restored: &&Seen<StoreRestored>| restored.index > fact.index && restored.copied < fact.at;
    run.events.restored.iter().find(takes).copied()
}

/// DUR-3. A session that ends because a copy does not know it has gone by the copy.
pub(crate) fn server_rollback_is_noticed(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for restored in &run.events.restored {
        for number in 0..run.cast.len() {
            if knows_better(run, run.cast.name(number), *restored) {
                judge_device(run, number, *restored, &mut checks);
            }
        }
    }
    for seen in &run.events.rollbacks {
        let there_was = run.events.restored.iter().any(|restored| restored.index < seen.index);
        checks.check(there_was, seen.at, seen.index, || {
            format!("{} takes the server for an old copy of itself, and it is none", seen.device)
        });
    }
    // A server that starts again as it was is gone by.
    let honest = run
        .events
        .recovered
        .iter()
        .filter(|recovered| !run.events.restored.iter().any(|restored| restored.index < recovered.index));
    checks.held(honest.count() as u64);
    checks
}

/// Whether the server told a device of a transaction that the copy does not have, in an answer to what the device itself did.
fn knows_better(run: &Run, device: &ActorName, restored: Seen<StoreRestored>) -> bool {
    let told = run.events.signals.of(device).rfind(|signal| {
        matches!(&*signal.message, "signed_in" | "done") && signal.index < restored.index && signal.at > restored.copied
    });
    let Some(told) = told else { return false };
    let later = |fact: &&Seen<Store>| fact.at > restored.copied && fact.index < told.index;
    // The last message may still have been under way when the server stopped.
    let arrived = restored.at.since(told.at) >= NOTICED;
    arrived && run.events.facts.iter().any(|fact| later(&fact))
}

fn judge_device(run: &Run, number: usize, restored: Seen<StoreRestored>, checks: &mut Checks) {
    let device = run.cast.name(number);
    let ended = run.events.logged_out.of(device).find(|ended| ended.index > restored.index);
    let (at, record) = ended.map_or((restored.at, restored.index), |ended| (ended.at, ended.index));
    checks.check(ended.is_none(), at, record, || {
        format!("{device} is logged out by an old copy of the server, which it knows to be old")
    });
    let Some(shown) =
        run.events.signals.of(device).find(|signal| signal.message == "signed_in" && signal.index > restored.index)
    else {
        return;
    };
    let deadline = run.deadline(number, shown.at, NOTICED);
    let noticed = run.events.rollbacks.of(device).find(|seen| seen.index > shown.index);
    if noticed.is_some() || run.end > deadline {
        let (at, record) = noticed.map_or((deadline, shown.index), |seen| (seen.at, seen.index));
        checks.check(noticed.is_some() && at <= deadline, at, record, || {
            format!("{device} signs in to an old copy of the server, and does not notice")
        });
    }
    let said =
        run.events.signals.of(&run.plan.signaling.name).find(|signal| {
            signal.from == *device && signal.index > shown.index && !GREETINGS.contains(&&*signal.message)
        });
    let (at, record) = said.map_or((shown.at, shown.index), |said| (said.at, said.index));
    checks.check(said.is_none(), at, record, || {
        let message = said.map(|said| said.message.as_str()).unwrap_or_default();
        format!("{device} goes by an old copy of the server: it says {message}")
    });
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::{
        SimTime,
        event::{Event, Fact, LoggedOut, RollbackSeen, StoreRestored},
    };

    const NOTICED: &str = "server_rollback_is_noticed";

    /// Bob blocks Alice and is told so; an older copy of the store comes back.
    fn restored(copied_ms: u64) -> Story {
        let mut story = Story::new();
        story.befriend().at(3_000).fact(Fact::Blocked { by: "bob".into(), other: "alice".into() });
        story.signal("signaling", "bob-phone", "done", b"");
        let (node, copied) = ("signaling".into(), SimTime(copied_ms * 1_000));
        story.at(5_000).tell(Event::StoreRestored(StoreRestored { node, copied }));
        for device in ["alice-phone", "bob-phone"] {
            story.at(5_500).signal(device, "signaling", "attach", b"").signal("signaling", device, "signed_in", b"");
        }
        story
    }

    fn notices(story: &mut Story, ms: u64) {
        let seen = RollbackSeen { device: "bob-phone".into(), known: 9, back_to: 7 };
        story.at(ms).tell(Event::RollbackSeen(seen));
    }

    fn until_the_end(mut story: Story) -> Story {
        story.at(17_000).signal("signaling", "alice-phone", "refused", b"");
        story
    }

    #[test]
    fn who_was_told_of_something_newer_notices_and_stays_away() {
        let mut story = restored(2_000);
        notices(&mut story, 5_540);
        story.at(6_500).signal("bob-phone", "signaling", "attach", b"");
        assert_eq!(until_the_end(story).holds(NOTICED), 4);
        assert_eq!(until_the_end(restored(3_500)).holds(NOTICED), 0, "the copy has the block");
    }

    #[test]
    fn who_does_not_notice_or_goes_on_is_found() {
        let sentence = until_the_end(restored(2_000)).fails_only(NOTICED);
        assert_eq!(sentence, "bob-phone signs in to an old copy of the server, and does not notice");
        let mut story = restored(2_000);
        notices(&mut story, 5_540);
        story.at(6_000).signal("bob-phone", "signaling", "fetch_keys", b"");
        let sentence = until_the_end(story).fails_only(NOTICED);
        assert_eq!(sentence, "bob-phone goes by an old copy of the server: it says fetch_keys");
    }

    #[test]
    fn an_honest_restart_is_no_copy() {
        let mut story = Story::new();
        notices(&mut story, 5_000);
        assert_eq!(story.fails_only(NOTICED), "bob-phone takes the server for an old copy of itself, and it is none");
    }

    #[test]
    fn whom_an_old_copy_logs_out_is_found() {
        let logs_out = |device: &str| {
            let mut story = Story::new();
            story.befriend().at(3_000).fact(Fact::Blocked { by: "bob".into(), other: "alice".into() });
            story.signal("signaling", "bob-phone", "done", b"");
            let (node, copied) = ("signaling".into(), SimTime(2_000_000));
            story.at(5_000).tell(Event::StoreRestored(StoreRestored { node, copied }));
            story.at(5_500).tell(Event::LoggedOut(LoggedOut { device: device.into() }));
            until_the_end(story)
        };
        assert_eq!(logs_out("alice-phone").holds(NOTICED), 1, "alice knows of nothing newer");
        let sentence = logs_out("bob-phone").fails_only(NOTICED);
        assert_eq!(sentence, "bob-phone is logged out by an old copy of the server, which it knows to be old");
    }
}
