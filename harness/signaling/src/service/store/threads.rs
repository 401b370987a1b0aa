//! Rows of threads, how far their readers came, and avatars.

use super::Store;
use kernel::names::{ActorName, MessageId, UserName};
use protocol::{MessageRowEntry, RowEntry, SealedEnvelope, ServerMessage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most rows that are kept for a user; older ones go.
const MAX_ROWS: u32 = 1_000;
/// Most rows that a device is told at once; it asks for more.
const PAGE: usize = 64;

/// A row as it is kept for one of its two users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::service) struct Stored {
    pub(in crate::service) entry: RowEntry,
    /// Of a message what it says, sealed to each device of the user.
    pub(in crate::service) bodies: BTreeMap<ActorName, SealedEnvelope>,
}

/// How far a user came in a thread, as numbers of the user's rows; 0 for not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::service) struct Mark {
    delivered: u32,
    read: u32,
}

impl Stored {
    /// The row as a device is told of it.
    pub(in crate::service) fn told(&self, number: u32, previous: u32, device: &ActorName, more: bool) -> ServerMessage {
        let body = self.bodies.get(device).cloned().map(Box::new);
        ServerMessage::Row { previous, number, more, row: self.entry.clone(), body }
    }

    fn message(&self) -> Option<&MessageRowEntry> {
        match &self.entry {
            RowEntry::Message(message) => Some(message),
            RowEntry::Call(_) => None,
        }
    }
}

impl Store {
    /// Adds a row for each of two users, and gives its number for each.
    pub(in crate::service) fn insert_row(&mut self, rows: [(&UserName, Stored); 2]) -> [u32; 2] {
        self.touch();
        rows.map(|(user, row)| {
            let number = self.last_row(user) + 1;
            self.rows.insert((user.clone(), number), row);
            if let Some(oldest) = number.checked_sub(MAX_ROWS) {
                self.rows.remove(&(user.clone(), oldest));
            }
            number
        })
    }

    /// The number of a user's newest row; 0 before the first.
    fn last_row(&self, user: &UserName) -> u32 {
        self.rows_of(user, 0).next_back().map_or(0, |(number, _)| number)
    }

    /// The rows of a user behind one, with their numbers, oldest first.
    fn rows_of(&self, user: &UserName, after: u32) -> impl DoubleEndedIterator<Item = (u32, &Stored)> {
        let behind = (user.clone(), after.saturating_add(1))..=(user.clone(), u32::MAX);
        self.rows.range(behind).map(|((_, number), row)| (*number, row))
    }

    /// A page of the rows of a user behind one, as a device is told of them. What is no longer kept cannot be waited for.
    pub(in crate::service) fn rows_after(&self, user: &UserName, device: &ActorName, after: u32) -> Vec<ServerMessage> {
        self.touch();
        let oldest = self.rows_of(user, 0).next().map_or(0, |(number, _)| number);
        let last = self.last_row(user);
        let page = self.rows_of(user, after).take(PAGE).zip(1..);
        page.map(|((number, row), place)| {
            let previous = if number == oldest { after.min(oldest - 1) } else { number - 1 };
            row.told(number, previous, device, place == PAGE && number < last)
        })
        .collect()
    }

    /// One row of a user. Not charged: who asks has just written it, or is told that another core did.
    pub(in crate::service) fn row(&self, user: &UserName, number: u32) -> Option<&Stored> {
        self.rows.get(&(user.clone(), number))
    }

    /// Whether a user wrote a message already.
    pub(in crate::service) fn has_written(&self, user: &UserName, message: MessageId) -> bool {
        self.touch();
        self.rows_of(user, 0).rev().filter_map(|(_, row)| row.message()).any(|row| row.message == message)
    }

    /// A user's rows up to one came to a device, or were read. Gives the newest message of the other one among them, if
    /// that says something new.
    pub(in crate::service) fn mark(&mut self, user: &UserName, row: u32, read: bool) -> Option<MessageRowEntry> {
        self.touch();
        let message = self.row(user, row)?.message().filter(|message| message.sender != *user)?.clone();
        let mark = self.marks.entry((message.thread.clone(), user.clone()));
        let place = if read { &mut mark.read } else { &mut mark.delivered };
        if *place >= row {
            return None;
        }
        *place = row;
        Some(message)
    }

    pub(in crate::service) fn set_avatar(&mut self, user: &UserName, picture: Vec<u8>) {
        self.touch();
        self.avatars.insert(user.clone(), picture);
    }

    /// Everybody with an account but one: who the planted bug V172 shows an avatar to.
    pub(in crate::service) fn everybody_but(&self, user: &UserName) -> Vec<UserName> {
        self.touch();
        self.accounts.iter().map(|(other, _)| other).filter(|other| *other != user).cloned().collect()
    }

    pub(in crate::service) fn avatar(&self, user: &UserName) -> Option<&Vec<u8>> {
        self.touch();
        self.avatars.get(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{
        event::CallOutcome,
        names::{CallId, ThreadId},
        time::Micros,
    };
    use protocol::CallRowEntry;

    fn call(n: u8) -> Stored {
        let (alice, bob) = ("alice".into(), "bob".into());
        let (thread, outcome, duration) = (ThreadId::between(&alice, &bob), CallOutcome::Missed, Micros::ZERO);
        let entry = RowEntry::Call(CallRowEntry { thread, call: CallId([n; 16]), caller: alice, outcome, duration });
        Stored { entry, bodies: BTreeMap::new() }
    }

    fn message(n: u8) -> Stored {
        let (alice, bob) = (UserName::from("alice"), UserName::from("bob"));
        let thread = ThreadId::between(&alice, &bob);
        let entry = MessageRowEntry { thread, message: MessageId([n; 16]), sender: alice, searchable: String::new() };
        Stored { entry: RowEntry::Message(entry), bodies: BTreeMap::new() }
    }

    fn insert(store: &mut Store, users: [&str; 2], row: &Stored) -> [u32; 2] {
        let [one, other] = users.map(UserName::from);
        store.insert_row([(&one, row.clone()), (&other, row.clone())])
    }

    fn numbers(store: &Store, after: u32) -> Vec<(u32, u32, bool)> {
        let number = |message| match message {
            ServerMessage::Row { previous, number, more, .. } => (previous, number, more),
            other => panic!("{other:?}"),
        };
        store.rows_after(&"bob".into(), &"bob-phone".into(), after).into_iter().map(number).collect()
    }

    #[test]
    fn rows_are_numbered_for_each_user_and_told_behind_any() {
        let mut store = Store::default();
        assert_eq!(insert(&mut store, ["bob", "carol"], &call(1)), [1, 1]);
        assert_eq!(insert(&mut store, ["alice", "bob"], &call(2)), [1, 2]);
        assert_eq!(numbers(&store, 0), [(0, 1, false), (1, 2, false)]);
        assert_eq!((numbers(&store, 1), numbers(&store, 2)), (vec![(1, 2, false)], vec![]));
    }

    #[test]
    fn of_many_rows_the_last_are_kept_and_nobody_waits_for_the_others() {
        let mut store = Store::default();
        (0..MAX_ROWS + 5).for_each(|n| {
            insert(&mut store, ["alice", "bob"], &call(n as u8));
        });
        let (mut told, mut pages) = (Vec::new(), 0);
        loop {
            let page = numbers(&store, told.last().map_or(2, |(_, number, _)| *number));
            pages += 1;
            told.extend(page);
            if !told.last().is_some_and(|(.., more)| *more) {
                break;
            }
        }
        assert_eq!((told.len(), pages), (MAX_ROWS as usize, MAX_ROWS.div_ceil(PAGE as u32)));
        assert_eq!((told[0], told[1]), ((2, 6, false), (6, 7, false)));
        assert_eq!(numbers(&store, 5)[0], (5, 6, false));
    }

    #[test]
    fn a_mark_goes_forward_only_and_is_of_what_the_other_wrote() {
        let mut store = Store::default();
        insert(&mut store, ["alice", "bob"], &message(1));
        insert(&mut store, ["alice", "bob"], &message(2));
        insert(&mut store, ["alice", "bob"], &call(3));
        let (alice, bob) = (UserName::from("alice"), UserName::from("bob"));
        let mut mark = |user: &UserName, row, read| store.mark(user, row, read).map(|row| row.message.0[0]);
        assert_eq!(mark(&bob, 2, true), Some(2));
        assert_eq!([mark(&bob, 1, true), mark(&bob, 2, true)], [None; 2], "read already");
        assert_eq!(mark(&bob, 1, false), Some(1), "delivery counts apart");
        assert_eq!([mark(&bob, 3, true), mark(&bob, 9, true)], [None; 2], "a call, and nothing");
        assert_eq!(mark(&alice, 1, true), None, "her own");
        let mark = store.marks.get(&(ThreadId::between(&alice, &bob), bob)).copied();
        assert_eq!(mark, Some(Mark { delivered: 1, read: 2 }));
    }

    #[test]
    fn a_message_is_written_once() {
        let mut store = Store::default();
        insert(&mut store, ["alice", "bob"], &message(1));
        assert!(store.has_written(&"alice".into(), MessageId([1; 16])));
        assert!(!store.has_written(&"alice".into(), MessageId([2; 16])));
    }
}
