//! DM: threads of direct messages: what is in them, who may write, who learns how far a message came.

use super::devices::counts_from;
use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Friendships, Run, Seen},
};
use kernel::{
    ActorName, CallId, MessageId, Micros, SimTime, ThreadId, UserName,
    event::{Act, Fact, MessageRow, ReceiptShown, Store},
};
use std::collections::BTreeMap;

/// How long a row or receipt may take to a device that signaling can reach: one that lost its connection notices that, and
/// tries again after 8 s at the latest.
const ROW: Micros = Micros::from_secs(10);

/// A row of a thread, as store and devices name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RowId {
    Call(CallId),
    Message(MessageId),
}

/// DM-1. Every device of both users comes to show what the store holds, in the order of the store, and what was written.
pub(crate) fn threads_read_alike(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for stored in &run.events.facts {
        let Fact::MessageStored { message, thread, sender, .. } = &stored.get().fact else { continue };
        for device in (0..run.cast.len()).filter(|device| is_of(thread, run.cast.user(*device))) {
            judge_row(run, (*message, thread, sender), *stored, device, &mut checks);
        }
    }
    for device in 0..run.cast.len() {
        judge_order(run, run.cast.name(device), &mut checks);
    }
    checks
}

pub(super) fn is_of(thread: &ThreadId, user: &UserName) -> bool {
    thread.users().is_some_and(|(one, other)| one == *user || other == *user)
}

fn judge_row(
    run: &Run,
    (message, thread, sender): (MessageId, &ThreadId, &UserName),
    stored: Seen<Store>,
    device: usize,
    checks: &mut Checks,
) {
    let (name, user) = (run.cast.name(device), run.cast.user(device));
    let Some(since) = counts_from(run, device) else { return };
    if blocks(run, user, sender) {
        return;
    }
    let deadline = run.deadline(device, since.max(stored.at), ROW);
    let row = run.events.messages.of(name).find(|row| row.message == message);
    if row.is_none() && run.end <= deadline {
        return;
    }
    let (at, record) = row.map_or((deadline, stored.index), |row| (row.at, row.index));
    // A device that came later has no body of what was sealed before.
    let was_there = since <= stored.at;
    let holds = row.is_some_and(|row| at <= deadline && says(run, *row, (thread, sender), was_there));
    checks.check(holds, at, record, || match row {
        None => format!("a message of {sender} is in the thread {thread}, and {name} does not show it"),
        Some(_) if at > deadline => format!("{name} shows a message of {sender} {} late", at.since(stored.at)),
        Some(row) if row.text.is_none() => format!("{name} cannot read a message of {sender} that was sealed to it"),
        Some(_) => format!("{name} shows something else than what {sender} wrote"),
    });
}

/// Whether a row says what its writer wrote in this thread. What it says belongs to the writer's act: any of the writer's
/// to the same user.
fn says(run: &Run, row: Seen<MessageRow>, (thread, sender): (&ThreadId, &UserName), was_there: bool) -> bool {
    if row.thread != *thread || row.sender != *sender {
        return false;
    }
    let Some(shown) = &row.get().text else { return !was_there };
    run.events.user_acts.iter().any(|act| {
        let Act::Write { user, text, .. } = &act.what else { return false };
        act.user == *sender && ThreadId::between(sender, user) == *thread && text == shown && act.index < row.index
    })
}

fn blocks(run: &Run, by: &UserName, other: &UserName) -> bool {
    let is_it = |fact: &Fact| matches!(fact, Fact::Blocked { by: b, other: o } if b == by && o == other);
    run.events.facts.iter().any(|seen| is_it(&seen.fact))
}

/// The rows of each thread that a device shows are in the order of the store.
fn judge_order(run: &Run, device: &ActorName, checks: &mut Checks) {
    let order = stored_order(run);
    let calls = run.events.rows.of(device).map(|row| (row.index, row.at, &row.get().thread, RowId::Call(row.call)));
    let messages =
        run.events.messages.of(device).map(|row| (row.index, row.at, &row.get().thread, RowId::Message(row.message)));
    let mut shown: Vec<_> = calls.chain(messages).collect();
    shown.sort_unstable_by_key(|(index, ..)| *index);
    let mut last: BTreeMap<&ThreadId, u64> = BTreeMap::new();
    for (index, at, thread, row) in shown {
        let Some(place) = order.get(&row) else {
            checks.fail(at, index, || format!("{device} shows a row of {thread} that the store does not hold"));
            continue;
        };
        if let Some(before) = last.insert(thread, *place) {
            checks.check(before < *place, at, index, || {
                format!("{device} shows a row of {thread} behind one that the store holds after it")
            });
        }
    }
}

/// The record at which each row came into its thread.
fn stored_order(run: &Run) -> BTreeMap<RowId, u64> {
    let row = |seen: &Seen<Store>| match &seen.fact {
        Fact::CallOver { call, .. } => Some((RowId::Call(*call), seen.index)),
        Fact::MessageStored { message, .. } => Some((RowId::Message(*message), seen.index)),
        _ => None,
    };
    run.events.facts.iter().filter_map(row).collect()
}

/// DM-2. A message comes into a thread only between friends, or where who gets it agreed to that.
pub(crate) fn strangers_ask_before_they_write(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let friendships = Friendships::of(run);
    let mut checks = Checks::default();
    for stored in &run.events.facts {
        let Fact::MessageStored { thread, sender, .. } = &stored.get().fact else { continue };
        let Some((one, other)) = thread.users() else { continue };
        let reader = if one == *sender { &other } else { &one };
        let may = friendships.may_ring(sender, reader, stored.index) || is_open(run, sender, reader, stored.index);
        checks.check(may, stored.at, stored.index, || {
            format!("{sender} writes to {reader}, who is no friend and did not agree to read it")
        });
    }
    for asked in &run.events.thread_requests {
        let Some(user) = run.cast.device(&asked.device).map(|device| run.cast.user(device)) else { continue };
        let did_ask =
            |fact: &Fact| matches!(fact, Fact::ThreadRequested { from, to } if *from == asked.from && to == user);
        let stands = run.events.facts.iter().any(|seen| seen.index < asked.index && did_ask(&seen.fact));
        checks.check(stands, asked.at, asked.index, || {
            format!("{} shows that {} asks to write, who did not", asked.device, asked.from)
        });
    }
    checks
}

/// Whether two who are no friends had agreed to read each other, just before a record.
pub(super) fn is_open(run: &Run, one: &UserName, other: &UserName, index: u64) -> bool {
    let is_pair = |a: &UserName, b: &UserName| [(a, b), (b, a)].contains(&(one, other));
    let mut open = false;
    for fact in run.events.facts.iter().take_while(|seen| seen.index < index) {
        match &fact.fact {
            Fact::ThreadOpened { by, other } if is_pair(by, other) => open = true,
            Fact::ThreadDeclined { by, other } | Fact::Blocked { by, other } | Fact::Befriended { by, other }
                if is_pair(by, other) =>
            {
                open = false;
            }
            _ => {}
        }
    }
    open
}

/// DM-3. A writer learns how far a message came from friends only, that it was read only if it was and the reader tells
/// that; and where the reader tells, the writer's devices show it.
pub(crate) fn receipts_are_the_readers_choice(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let friendships = Friendships::of(run);
    let mut checks = Checks::default();
    for shown in &run.events.receipts {
        let fault = fault_of(run, &friendships, *shown);
        checks.check(fault.is_none(), shown.at, shown.index, || fault.unwrap_or_default());
    }
    for fact in &run.events.facts {
        let Fact::MessageReceipt { message, by, read, told: true } = &fact.get().fact else { continue };
        let Some(writer) = writer(run, *message) else { continue };
        for device in (0..run.cast.len()).filter(|device| run.cast.user(*device) == writer) {
            let Some(since) = counts_from(run, device).filter(|since| *since <= fact.at) else { continue };
            let (name, deadline) = (run.cast.name(device), run.deadline(device, since.max(fact.at), ROW));
            let is_it = |shown: &&Seen<ReceiptShown>| {
                (&shown.device, shown.message, &shown.by, shown.read) == (name, *message, by, *read)
            };
            let shown = run.events.receipts.iter().find(is_it).map_or(SimTime::NEVER, |shown| shown.at);
            if shown <= deadline || run.end > deadline {
                checks.check(shown <= deadline, deadline.min(run.end), fact.index, || {
                    format!("{name} does not show that a message came to {by}, who tells that")
                });
            }
        }
    }
    checks
}

fn writer<'a>(run: &Run<'a>, message: MessageId) -> Option<&'a UserName> {
    run.events.facts.iter().find_map(|seen| match &seen.get().fact {
        Fact::MessageStored { message: stored, sender, .. } if *stored == message => Some(sender),
        _ => None,
    })
}

/// What is wrong with a receipt that a device shows.
fn fault_of(run: &Run, friendships: &Friendships, shown: Seen<ReceiptShown>) -> Option<String> {
    let ReceiptShown { device, message, by, read } = shown.get();
    let user = run.cast.device(device).map(|device| run.cast.user(device))?;
    let Some(writer) = writer(run, *message) else {
        return Some(format!("{device} shows a receipt for a message that nobody wrote"));
    };
    let earlier = |index: u64| index < shown.index;
    let has_read = run.events.user_acts.iter().any(|act| {
        let Act::Read { user: other } = &act.what else { return false };
        act.user == *by && other == writer && earlier(act.index)
    });
    if *read && !has_read {
        return Some(format!("{device} shows that {by} read what {by} has not looked at"));
    }
    if user == by {
        // The own other devices.
        return None;
    }
    if user != writer {
        return Some(format!("{device} shows how far a message of {writer} came, which is not {user}'s"));
    }
    let participant = (0..run.cast.len()).find(|other| run.cast.user(*other) == by)?;
    if *read && !run.cast.participant(participant).read_receipts {
        return Some(format!("{device} shows that {by} read a message, who does not tell that"));
    }
    let is_its = |row: &Seen<MessageRow>| {
        row.message == *message && run.cast.device(&row.device).is_some_and(|device| run.cast.user(device) == by)
    };
    if !run.events.messages.iter().any(|row| is_its(row) && earlier(row.index)) {
        return Some(format!("{device} shows that a message came to {by}, to whom it has not come"));
    }
    let told = run.events.facts.iter().rev().find(|seen| {
        let is_it = matches!(&seen.fact, Fact::MessageReceipt { message: m, by: b, .. } if m == message && b == by);
        is_it && earlier(seen.index)
    });
    let decided = told.map_or(shown.index, |fact| fact.index);
    (!friendships.may_ring(writer, by, decided))
        .then(|| format!("{device} shows how far a message came to {by}, who is no friend"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;
    use kernel::event::{self, CallOutcome, Event};

    const ALIKE: &str = "threads_read_alike";
    const STRANGERS: &str = "strangers_ask_before_they_write";
    const RECEIPTS: &str = "receipts_are_the_readers_choice";
    const TEXT: &str = "the soup needs an hour";

    fn id(n: u8) -> MessageId {
        MessageId([n; 16])
    }

    fn thread() -> ThreadId {
        ThreadId::between(&"alice".into(), &"bob".into())
    }

    fn writes(story: &mut Story, ms: u64, n: u8) {
        let (user, text) = ("bob".into(), TEXT.into());
        story.at(ms).act("alice-phone", Act::Write { user, text, attached: None });
        let stored = Fact::MessageStored { message: id(n), thread: thread(), sender: "alice".into(), numbers: [1, 1] };
        story.at(ms + 20).fact(stored);
    }

    fn row(story: &mut Story, device: &str, ms: u64, n: u8, text: Option<&str>) {
        let (device, sender, text) = (device.into(), "alice".into(), text.map(str::to_owned));
        let row = event::MessageRow { device, thread: thread(), message: id(n), sender, text, attached: None };
        story.at(ms).tell(Event::MessageRow(row));
    }

    /// Alice wrote two messages, which both phones show.
    fn two() -> Story {
        let mut story = Story::new();
        story.befriend();
        for (ms, n) in [(2_000, 1), (3_000, 2)] {
            writes(&mut story, ms, n);
            row(&mut story, "alice-phone", ms + 40, n, Some(TEXT));
            row(&mut story, "bob-phone", ms + 40, n, Some(TEXT));
        }
        story
    }

    fn ends(mut story: Story, ms: u64) -> Story {
        story.at(ms).signal("signaling", "bob-phone", "done", b"");
        story
    }

    #[test]
    fn both_phones_show_both_messages_in_order() {
        assert_eq!(ends(two(), 30_000).holds(ALIKE), 6);
    }

    #[test]
    fn a_phone_without_a_message_or_late_or_with_another_text() {
        let with = |shown: Option<(u64, Option<&str>)>, end| {
            let mut story = two();
            writes(&mut story, 4_000, 3);
            row(&mut story, "alice-phone", 4_040, 3, Some(TEXT));
            if let Some((ms, text)) = shown {
                row(&mut story, "bob-phone", ms, 3, text);
            }
            ends(story, end)
        };
        let fails = |shown, end| with(shown, end).fails_only(ALIKE);
        assert_eq!(
            fails(None, 30_000),
            "a message of alice is in the thread alice+bob, and bob-phone does not show it"
        );
        assert_eq!(with(None, 10_000).holds(ALIKE), 8, "there is time yet");
        assert_eq!(fails(Some((20_000, Some(TEXT))), 30_000), "bob-phone shows a message of alice 15980.000 ms late");
        assert_eq!(fails(Some((4_100, Some("no"))), 30_000), "bob-phone shows something else than what alice wrote");
        assert_eq!(
            fails(Some((4_100, None)), 30_000),
            "bob-phone cannot read a message of alice that was sealed to it"
        );
    }

    #[test]
    fn a_thread_in_another_order_and_a_row_that_the_store_does_not_hold() {
        let mut story = Story::new();
        story.befriend();
        writes(&mut story, 2_000, 1);
        writes(&mut story, 2_100, 2);
        for n in [1, 2] {
            row(&mut story, "alice-phone", 2_200, n, Some(TEXT));
            row(&mut story, "bob-phone", 2_200, 3 - n, Some(TEXT));
        }
        assert_eq!(
            story.fails_only(ALIKE),
            "bob-phone shows a row of alice+bob behind one that the store holds after it"
        );
        let mut story = two();
        row(&mut story, "bob-phone", 5_000, 9, Some(TEXT));
        assert_eq!(story.fails_only(ALIKE), "bob-phone shows a row of alice+bob that the store does not hold");
    }

    #[test]
    fn calls_lie_between_messages() {
        let mut story = two();
        let call = crate::story::CALL;
        let (outcome, duration) = (CallOutcome::Missed, Micros::ZERO);
        story.at(4_000).fact(Fact::CallOver { call, thread: thread(), outcome, duration });
        let (device, caller) = ("bob-phone".into(), "alice".into());
        story.at(4_050).tell(Event::CallRow(event::CallRow {
            device,
            thread: thread(),
            call,
            caller,
            outcome,
            duration,
        }));
        writes(&mut story, 4_500, 3);
        row(&mut story, "bob-phone", 4_600, 3, Some(TEXT));
        assert_eq!(story.report(ALIKE).violations, 0);
    }

    #[test]
    fn who_blocked_the_writer_needs_no_row() {
        let mut story = two();
        writes(&mut story, 4_000, 3);
        row(&mut story, "alice-phone", 4_040, 3, Some(TEXT));
        story.at(4_050).fact(Fact::Blocked { by: "bob".into(), other: "alice".into() });
        assert_eq!(ends(story, 30_000).report(ALIKE).violations, 0);
    }

    #[test]
    fn a_stranger_writes_only_where_it_was_agreed_to() {
        let by = |facts: &[Fact]| {
            let mut story = Story::new();
            story.at(1_000);
            facts.iter().for_each(|fact| {
                story.fact(fact.clone());
            });
            writes(&mut story, 2_000, 1);
            story
        };
        let opened = Fact::ThreadOpened { by: "bob".into(), other: "alice".into() };
        let requested = Fact::ThreadRequested { from: "alice".into(), to: "bob".into() };
        let blocked = Fact::Blocked { by: "bob".into(), other: "alice".into() };
        assert_eq!(by(&[requested.clone(), opened.clone()]).holds(STRANGERS), 1);
        let sentence = "alice writes to bob, who is no friend and did not agree to read it";
        for facts in [vec![], vec![requested.clone()], vec![opened, blocked]] {
            assert_eq!(by(&facts).fails_only(STRANGERS), sentence);
        }
        let asked = |facts: &[Fact]| {
            let mut story = by(facts);
            story.tell(Event::ThreadAsked(event::ThreadAsked { device: "bob-phone".into(), from: "alice".into() }));
            story.report(STRANGERS)
        };
        assert_eq!(asked(&[requested]).violations, 1, "only what was written");
        assert_eq!(asked(&[]).violations, 2, "and that she asks, who did not");
    }

    fn receipt(story: &mut Story, read: bool, told: bool, shown: bool) {
        let (message, by): (_, UserName) = (id(1), "bob".into());
        story.at(5_000).fact(Fact::MessageReceipt { message, by: by.clone(), read, told });
        if shown {
            let device = "alice-phone".into();
            story.at(5_040).tell(Event::ReceiptShown(event::ReceiptShown { device, message, by, read }));
        }
    }

    fn bob_reads(story: &mut Story) {
        story.at(4_900).act("bob-phone", Act::Read { user: "alice".into() });
    }

    #[test]
    fn a_receipt_is_shown_when_it_is_true_and_told() {
        let mut story = two();
        receipt(&mut story, false, true, true);
        assert_eq!(story.holds(RECEIPTS), 2);
        let mut story = two();
        bob_reads(&mut story);
        receipt(&mut story, true, true, true);
        assert_eq!(story.holds(RECEIPTS), 2);
        let mut story = two();
        receipt(&mut story, false, true, false);
        let sentence = ends(story, 30_000).fails_only(RECEIPTS);
        assert_eq!(sentence, "alice-phone does not show that a message came to bob, who tells that");
    }

    #[test]
    fn a_receipt_of_what_was_not_read_or_not_told_or_to_a_stranger() {
        let mut story = two();
        receipt(&mut story, true, true, true);
        assert_eq!(story.fails_only(RECEIPTS), "alice-phone shows that bob read what bob has not looked at");
        let mut story = two();
        story.plan.participants[1].read_receipts = false;
        bob_reads(&mut story);
        receipt(&mut story, true, true, true);
        assert_eq!(story.fails_only(RECEIPTS), "alice-phone shows that bob read a message, who does not tell that");
        let mut story = two();
        story.at(4_000).fact(Fact::Unfriended { by: "bob".into(), other: "alice".into() });
        receipt(&mut story, false, true, true);
        assert_eq!(story.fails_only(RECEIPTS), "alice-phone shows how far a message came to bob, who is no friend");
    }
}
