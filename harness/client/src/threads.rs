//! What a device knows of its user's threads: what goes out, what came, and how far the user read.

use crate::pictures::{Fetches, Part, Upload};
use kernel::{MessageId, ThreadId, UserName};
use protocol::{ClientMessage, DirectMessage, MAX_AVATAR_BYTES, RowEntry, SealedEnvelope};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Messages that wait to go out; further ones are not taken.
const MAX_OUTGOING: usize = 512;
/// Of them to one other: who never agrees to read stops nobody else.
const MAX_TO_ONE: usize = 64;
/// How often a message is sealed anew because the server knows of other devices.
const MOST_TRIES: u32 = 3;
/// Messages that are remembered, so that none is shown twice: as many as a server keeps rows.
const MAX_KNOWN: usize = 1_000;
/// Others whose messages are counted as read or not; messages of further ones are shown all the same.
const MAX_OTHERS: usize = 4_096;
/// Rows that wait for the list of a writer's devices; further ones are shown at once, unreadable.
const MAX_WAITING: usize = 64;
/// Receipts that are said again over a new connection.
const MAX_RECEIPTS: usize = 64;

/// A message on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: MessageId,
    pub(crate) to: UserName,
    pub(crate) body: DirectMessage,
    /// The picture that goes with it.
    pub(crate) upload: Option<Upload>,
    stage: Stage,
    tries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// With a warning for the user, who has to say once more that it should go: so it does with what could not be sent.
    Held,
    /// For the other's consent, for keys, or for the one before it.
    Waits,
    /// A part of its picture is at the server, which has not said so.
    Uploads,
    /// At the server, which has not said so.
    Sent,
    /// In the thread; its row has not come yet.
    Stored,
}

/// A row as it came.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) number: u32,
    pub(crate) row: RowEntry,
    pub(crate) body: Option<SealedEnvelope>,
}

impl Arrived {
    pub(crate) fn thread(&self) -> &ThreadId {
        match &self.row {
            RowEntry::Call(row) => &row.thread,
            RowEntry::Message(row) => &row.thread,
        }
    }
}

/// The threads of a device's user, as the device keeps them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Threads {
    outgoing: VecDeque<Outgoing>,
    known: VecDeque<MessageId>,
    known_ids: BTreeSet<MessageId>,
    /// Whom this device asked to be allowed to write, and whether the server has heard so.
    asked: BTreeMap<UserName, bool>,
    /// The number of the last row that holds a message of somebody, by writer.
    came: BTreeMap<UserName, u32>,
    waiting: VecDeque<Arrived>,
    /// How many rows each thread has.
    counts: BTreeMap<ThreadId, u32>,
    receipts: VecDeque<ClientMessage>,
    pub(crate) fetches: Fetches,
    /// The avatars of friends.
    avatars: BTreeMap<UserName, Vec<u8>>,
}

impl Threads {
    /// Takes a message that the user wrote; false when too many wait already.
    pub(crate) fn compose(
        &mut self,
        (message, to): (MessageId, UserName),
        (body, upload): (DirectMessage, Option<Upload>),
        held: bool,
    ) -> bool {
        let to_one = self.outgoing.iter().filter(|out| out.to == to).count();
        let fits = self.outgoing.len() < MAX_OUTGOING && to_one < MAX_TO_ONE;
        if fits {
            let stage = if held { Stage::Held } else { Stage::Waits };
            self.outgoing.push_back(Outgoing { message, to, body, upload, stage, tries: 0 });
        }
        fits
    }

    /// The user said once more that what is held back should go.
    pub(crate) fn release(&mut self, to: &UserName) {
        self.outgoing.iter_mut().filter(|out| out.to == *to && out.stage == Stage::Held).for_each(Outgoing::release);
    }

    /// What goes to somebody next, if nothing is on its way: messages keep their order. What is held back by a warning
    /// holds nothing else.
    pub(crate) fn next(&self, to: &UserName) -> Option<&Outgoing> {
        let under_way = |out: &&Outgoing| matches!(out.stage, Stage::Waits | Stage::Uploads | Stage::Sent);
        self.outgoing.iter().filter(|out| out.to == *to).find(under_way).filter(|out| out.stage == Stage::Waits)
    }

    /// Everybody to whom something waits to go.
    pub(crate) fn awaited(&self) -> BTreeSet<UserName> {
        self.outgoing.iter().filter(|out| out.stage == Stage::Waits).map(|out| out.to.clone()).collect()
    }

    pub(crate) fn sent(&mut self, message: MessageId) {
        self.change(message, |out| out.stage = Stage::Sent);
    }

    /// The part of a message's picture that goes next, ahead of the message: from now on it is on its way.
    pub(crate) fn next_part(&mut self, message: MessageId) -> Option<Part> {
        let out = self.outgoing.iter_mut().find(|out| out.message == message)?;
        let part = out.upload.as_ref()?.next()?;
        out.stage = Stage::Uploads;
        Some(part)
    }

    /// The server has the part. Gives to whom the message goes.
    pub(crate) fn part_taken(&mut self, message: MessageId) -> Option<UserName> {
        let out = self.outgoing.iter_mut().find(|out| out.message == message && out.stage == Stage::Uploads)?;
        out.upload.iter_mut().for_each(Upload::taken);
        out.stage = Stage::Waits;
        Some(out.to.clone())
    }

    /// The server has it. Gives to whom it went.
    pub(crate) fn stored(&mut self, message: MessageId) -> Option<UserName> {
        self.change(message, |out| out.stage = Stage::Stored);
        if self.known_ids.contains(&message) {
            return self.take(message).map(|out| out.to);
        }
        self.outgoing.iter().find(|out| out.message == message).map(|out| out.to.clone())
    }

    /// The server does not take it as it is. Gives to whom it should go, and whether it is worth another try: if not it is
    /// held back.
    pub(crate) fn refused(&mut self, message: MessageId) -> Option<(UserName, bool)> {
        let out = self.outgoing.iter_mut().find(|out| out.message == message)?;
        out.tries += 1;
        let again = out.tries < MOST_TRIES;
        // The first time it is most likely a device that it was not sealed to; then, that its picture is no longer there.
        if out.tries > 1 || out.stage == Stage::Uploads {
            out.upload.iter_mut().for_each(Upload::restart);
        }
        out.stage = if again { Stage::Waits } else { Stage::Held };
        Some((out.to.clone(), again))
    }

    /// The connection is another: what was on its way may be lost. Gives what is to be said again.
    pub(crate) fn resume(&mut self) -> Vec<ClientMessage> {
        let on_its_way = |out: &&mut Outgoing| matches!(out.stage, Stage::Uploads | Stage::Sent);
        self.outgoing.iter_mut().filter(on_its_way).for_each(Outgoing::wait);
        self.fetches.resume();
        self.asked.retain(|_, answered| *answered);
        self.receipts.iter().cloned().collect()
    }

    /// Nobody gives keys of somebody: what waits for them is held back. Gives what that is.
    pub(crate) fn give_up(&mut self, to: &UserName) -> Vec<MessageId> {
        let waits = self.outgoing.iter_mut().filter(|out| out.to == *to && out.stage == Stage::Waits);
        waits
            .map(|out| {
                out.stage = Stage::Held;
                out.message
            })
            .collect()
    }

    /// Whether somebody is to be asked to be allowed to write: once, or until there is an answer.
    pub(crate) fn asks(&mut self, user: &UserName) -> bool {
        let asks = self.asked.len() < MAX_OTHERS && !self.asked.contains_key(user);
        if asks {
            self.asked.insert(user.clone(), false);
        }
        asks
    }

    /// The server has heard the question.
    pub(crate) fn asked(&mut self, user: &UserName) {
        self.asked.entry(user.clone()).and_modify(|answered| *answered = true);
    }

    /// A friend is not asked; who is none any more can be asked anew.
    pub(crate) fn befriended(&mut self, user: &UserName) {
        self.asked.remove(user);
    }

    /// Whether a message was not shown yet. From now on it was.
    pub(crate) fn is_new(&mut self, message: MessageId) -> bool {
        if !self.known_ids.insert(message) {
            return false;
        }
        if self.known.len() == MAX_KNOWN
            && let Some(oldest) = self.known.pop_front()
        {
            self.known_ids.remove(&oldest);
        }
        self.known.push_back(message);
        true
    }

    /// What this device itself wrote, when its row comes.
    pub(crate) fn take(&mut self, message: MessageId) -> Option<Outgoing> {
        let at = self.outgoing.iter().position(|out| out.message == message)?;
        self.outgoing.remove(at)
    }

    /// A thread has one row more.
    pub(crate) fn count(&mut self, thread: &ThreadId) {
        if self.counts.len() < MAX_OTHERS || self.counts.contains_key(thread) {
            *self.counts.entry(thread.clone()).or_default() += 1;
        }
    }

    /// How many rows a thread has.
    pub(crate) fn rows(&self, thread: &ThreadId) -> u32 {
        self.counts.get(thread).copied().unwrap_or(0)
    }

    /// A row waits for the list of its writer's devices, or behind one that does; false when too many do.
    pub(crate) fn wait(&mut self, arrived: Arrived) -> bool {
        let fits = self.waiting.len() < MAX_WAITING;
        if fits {
            self.waiting.push_back(arrived);
        }
        fits
    }

    /// Whether rows of a thread wait: later ones wait behind them.
    pub(crate) fn waits(&self, thread: &ThreadId) -> bool {
        self.waiting.iter().any(|arrived| arrived.thread() == thread)
    }

    /// Whose messages wait, or wait behind others.
    pub(crate) fn waiting_for(&self) -> BTreeSet<UserName> {
        let writer = |arrived: &Arrived| match &arrived.row {
            RowEntry::Message(row) => Some(row.sender.clone()),
            RowEntry::Call(_) => None,
        };
        self.waiting.iter().filter_map(writer).collect()
    }

    /// What waited, in order.
    pub(crate) fn take_waiting(&mut self) -> VecDeque<Arrived> {
        std::mem::take(&mut self.waiting)
    }

    /// A message of somebody came, in a row of this number.
    pub(crate) fn came(&mut self, sender: &UserName, number: u32) {
        if self.came.len() < MAX_OTHERS || self.came.contains_key(sender) {
            self.came.insert(sender.clone(), number);
        }
    }

    /// The row up to which the user read when looking at the thread with somebody.
    pub(crate) fn last_of(&self, sender: &UserName) -> Option<u32> {
        self.came.get(sender).copied()
    }

    /// Remembers a receipt, to be said again over another connection.
    pub(crate) fn remember(&mut self, receipt: ClientMessage) {
        if self.receipts.len() == MAX_RECEIPTS {
            self.receipts.pop_front();
        }
        self.receipts.push_back(receipt);
    }

    /// Keeps the avatar of somebody; false where it is none, or was there already.
    pub(crate) fn keep_avatar(&mut self, user: &UserName, picture: &[u8]) -> bool {
        let fits = self.avatars.len() < MAX_OTHERS || self.avatars.contains_key(user);
        let is_new = picture.len() <= MAX_AVATAR_BYTES && self.avatars.get(user).is_none_or(|known| known != picture);
        if fits && is_new {
            self.avatars.insert(user.clone(), picture.to_vec());
        }
        fits && is_new
    }

    /// Whose avatars are no friend's any more is not shown.
    pub(crate) fn forget_avatar(&mut self, user: &UserName) {
        self.avatars.remove(user);
    }

    /// The avatars that are kept.
    pub(crate) fn avatars(&self) -> impl Iterator<Item = (&UserName, &Vec<u8>)> {
        self.avatars.iter()
    }

    fn change(&mut self, message: MessageId, change: impl FnOnce(&mut Outgoing)) {
        if let Some(out) = self.outgoing.iter_mut().find(|out| out.message == message) {
            change(out);
        }
    }
}

impl Outgoing {
    fn wait(&mut self) {
        self.stage = Stage::Waits;
    }

    fn release(&mut self) {
        (self.stage, self.tries) = (Stage::Waits, 0);
        self.upload.iter_mut().for_each(Upload::restart);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    fn compose(threads: &mut Threads, n: u8, to: &str, text: &str, held: bool) -> MessageId {
        assert!(threads.compose((MessageId([n; 16]), to.into()), (body(text), None), held));
        MessageId([n; 16])
    }

    fn body(text: &str) -> DirectMessage {
        DirectMessage { text: text.into(), attachment: None }
    }

    fn next(threads: &Threads, to: &str) -> Option<String> {
        threads.next(&to.into()).map(|out| out.body.text.clone())
    }

    #[test]
    fn messages_to_one_go_in_order_and_one_at_a_time() {
        let mut threads = Threads::default();
        let first = compose(&mut threads, 1, "bob", "one", false);
        let second = compose(&mut threads, 2, "bob", "two", false);
        compose(&mut threads, 3, "carol", "hers", false);
        assert_eq!(next(&threads, "bob").as_deref(), Some("one"));
        threads.sent(first);
        assert_eq!((next(&threads, "bob"), next(&threads, "carol").as_deref()), (None, Some("hers")));
        assert_eq!(threads.stored(first), Some("bob".into()));
        assert_eq!(next(&threads, "bob").as_deref(), Some("two"));
        threads.sent(second);
        assert_eq!(next(&threads, "bob"), None);
        threads.resume();
        assert_eq!(next(&threads, "bob").as_deref(), Some("two"), "what was on its way may be lost");
    }

    #[test]
    fn what_is_held_back_goes_when_the_user_says_so_and_holds_nothing_else() {
        let mut threads = Threads::default();
        compose(&mut threads, 1, "bob", "the number of my card", true);
        compose(&mut threads, 2, "bob", "hello", false);
        assert_eq!(next(&threads, "bob").as_deref(), Some("hello"));
        threads.release(&"bob".into());
        assert_eq!(next(&threads, "bob").as_deref(), Some("the number of my card"));
    }

    #[test]
    fn a_refused_message_is_tried_a_bounded_number_of_times_and_held_then() {
        let mut threads = Threads::default();
        let message = compose(&mut threads, 1, "bob", "one", false);
        let to = || UserName::from("bob");
        for _ in 1..MOST_TRIES {
            threads.sent(message);
            assert_eq!(threads.refused(message), Some((to(), true)));
        }
        threads.sent(message);
        assert_eq!((threads.refused(message), next(&threads, "bob")), (Some((to(), false)), None));
        threads.release(&to());
        assert_eq!(next(&threads, "bob").as_deref(), Some("one"), "nothing is lost");
        assert_eq!((threads.give_up(&to()), next(&threads, "bob")), (vec![message], None));
    }

    #[test]
    fn a_message_goes_behind_its_picture_which_goes_on_over_another_connection_and_again_where_it_was_forgotten() {
        let (mut threads, bob, message) = (Threads::default(), UserName::from("bob"), MessageId([1; 16]));
        let upload = Upload::new(&[7; 40_000], &mut SeedTree::root(1).stream("pictures"));
        assert!(threads.compose((message, bob.clone()), (body("look"), Some(upload)), false));
        let part = |threads: &mut Threads| threads.next_part(message).map(|part| (part.part, part.parts));
        assert_eq!(part(&mut threads), Some((0, 3)));
        assert_eq!(next(&threads, "bob"), None, "one part at a time");
        assert_eq!(threads.part_taken(message), Some(bob.clone()));
        assert_eq!((part(&mut threads), threads.part_taken(MessageId([2; 16]))), (Some((1, 3)), None));
        threads.resume();
        assert_eq!(threads.part_taken(message), None, "said over the connection before");
        assert_eq!((next(&threads, "bob").as_deref(), part(&mut threads)), (Some("look"), Some((1, 3))));
        threads.part_taken(message);
        assert_eq!(part(&mut threads), Some((2, 3)));
        assert_eq!(threads.refused(message), Some((bob.clone(), true)), "the server has no room, or forgot it");
        for n in 0..3 {
            assert_eq!(part(&mut threads), Some((n, 3)));
            threads.part_taken(message);
        }
        assert_eq!((part(&mut threads), next(&threads, "bob").as_deref()), (None, Some("look")));
        threads.sent(message);
        assert_eq!(threads.refused(message), Some((bob, true)));
        assert_eq!(part(&mut threads), Some((0, 3)));
    }

    #[test]
    fn an_avatar_is_shown_when_it_is_another_one_and_forgotten_with_the_friendship() {
        let (mut threads, bob) = (Threads::default(), UserName::from("bob"));
        assert!(
            threads.keep_avatar(&bob, b"one")
                && !threads.keep_avatar(&bob, b"one")
                && threads.keep_avatar(&bob, b"two")
        );
        assert!(!threads.keep_avatar(&bob, &[7; MAX_AVATAR_BYTES + 1]));
        assert_eq!(
            threads.avatars().map(|(user, picture)| (user.as_str(), &picture[..])).collect::<Vec<_>>(),
            [("bob", &b"two"[..])]
        );
        threads.forget_avatar(&bob);
        assert_eq!(threads.avatars().count(), 0);
    }

    #[test]
    fn somebody_is_asked_again_only_if_the_question_may_be_lost() {
        let (mut threads, bob) = (Threads::default(), UserName::from("bob"));
        assert!(threads.asks(&bob) && !threads.asks(&bob));
        threads.resume();
        assert!(threads.asks(&bob), "over another connection");
        threads.asked(&bob);
        threads.resume();
        assert!(!threads.asks(&bob), "who does not agree is not pestered");
    }

    #[test]
    fn queues_are_bounded() {
        let mut threads = Threads::default();
        let all = 0..MAX_TO_ONE as u8 + 5;
        let composed =
            all.filter(|n| threads.compose((MessageId([*n; 16]), "bob".into()), (body(""), None), false)).count();
        assert_eq!(composed, MAX_TO_ONE);
        let others = (0..2 * MAX_OUTGOING as u128).map(|n| (MessageId((n << 64).to_be_bytes()), format!("user-{n}")));
        let composed =
            others.filter(|(id, user)| threads.compose((*id, user.as_str().into()), (body(""), None), false)).count();
        assert_eq!(composed, MAX_OUTGOING - MAX_TO_ONE);
        for n in 0..2 * MAX_KNOWN as u128 {
            assert!(threads.is_new(MessageId(n.to_be_bytes())));
            threads.came(&format!("user-{n}").into(), 1);
            threads.remember(ClientMessage::FetchRows { after: 0 });
        }
        assert_eq!((threads.known.len(), threads.known_ids.len()), (MAX_KNOWN, MAX_KNOWN));
        assert_eq!(threads.receipts.len(), MAX_RECEIPTS);
        assert!(!threads.is_new(MessageId((2 * MAX_KNOWN as u128 - 1).to_be_bytes())));
    }
}
