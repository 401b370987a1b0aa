//! Who may write to whom, and what comes of it.

use super::conversation::{Conversation, envelope, phone};
use kernel::{
    event::Fact,
    mutant::{self, Mutant},
    names::{ActorName, CallId, MessageId, UserName},
};
use protocol::{ClientMessage, EnvelopeKind, MAX_AVATAR_BYTES, RequestId, RowEntry, SealedEnvelope, ServerMessage};

const REQUEST: RequestId = RequestId(7);

fn done() -> ServerMessage {
    ServerMessage::Done { request: REQUEST, epoch: None }
}

fn bodies(n: u8, from: &ActorName, to: &[&ActorName], thread: (&str, &str)) -> Vec<SealedEnvelope> {
    let body = |to: &&ActorName| {
        let mut body = envelope(EnvelopeKind::Message, CallId([n; 16]), from, to);
        body.header.thread = kernel::ThreadId::between(&thread.0.into(), &thread.1.into());
        body
    };
    to.iter().map(body).collect()
}

/// A message from alice's phone to bob.
fn message(n: u8, to: &[&ActorName]) -> ClientMessage {
    ClientMessage::SendMessage {
        request: REQUEST,
        message: MessageId([n; 16]),
        to: "bob".into(),
        bodies: bodies(n, &phone("alice"), to, ("alice", "bob")),
        searchable: String::new(),
        attachment: None,
    }
}

/// The rows of messages that a device got: number, message, and whether it can read it.
fn rows(conversation: &mut Conversation, device: &ActorName) -> Vec<(u32, u8, bool)> {
    let row = |message| match message {
        ServerMessage::Row { number, row: RowEntry::Message(row), body, .. } => {
            Some((number, row.message.0[0], body.is_some_and(|body| body.header.to == *device)))
        }
        _ => None,
    };
    conversation.take(device).into_iter().filter_map(row).collect()
}

fn answers(conversation: &mut Conversation, device: &ActorName) -> Vec<ServerMessage> {
    let is_answer = |message: &ServerMessage| {
        matches!(message, ServerMessage::Done { .. } | ServerMessage::Refused { .. } | ServerMessage::Keys { .. })
    };
    conversation.take(device).into_iter().filter(is_answer).collect()
}

fn friends() -> (Conversation, [ActorName; 3]) {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.befriend("alice", "bob");
    let laptop = conversation.add_laptop("bob");
    conversation.inbox.clear();
    (conversation, [phone("alice"), phone("bob"), laptop])
}

#[test]
fn a_message_comes_to_every_device_of_both_with_a_body_of_its_own() {
    let (mut conversation, [alice, bob, laptop]) = friends();
    conversation.say(&alice, message(1, &[&bob, &laptop]));
    conversation.say(&alice, message(2, &[&bob, &laptop]));
    for device in [&bob, &laptop] {
        assert_eq!(rows(&mut conversation, device), [(1, 1, true), (2, 2, true)]);
    }
    assert_eq!(rows(&mut conversation, &alice), [(1, 1, false), (2, 2, false)], "she wrote them there");
}

#[test]
fn a_message_without_a_body_for_each_device_is_refused_and_one_that_comes_twice_is_stored_once() {
    let (mut conversation, [alice, bob, laptop]) = friends();
    let refused = [ServerMessage::Refused { request: REQUEST }];
    let stranger = phone("carol");
    for to in [&[&bob][..], &[&bob, &laptop, &stranger], &[&bob, &bob], &[&bob, &laptop, &laptop], &[]] {
        conversation.say(&alice, message(1, to));
        assert_eq!(answers(&mut conversation, &alice), refused);
    }
    for _ in 0..2 {
        conversation.say(&alice, message(1, &[&bob, &laptop]));
        assert_eq!(answers(&mut conversation, &alice), [done()]);
    }
    assert_eq!(rows(&mut conversation, &bob), [(1, 1, true)]);
}

#[test]
fn a_device_that_was_away_gets_what_it_missed_also_after_a_crash() {
    let (mut conversation, [alice, bob, laptop]) = friends();
    conversation.close(&laptop);
    conversation.say(&alice, message(1, &[&bob, &laptop]));
    conversation.attach(&laptop);
    assert_eq!(rows(&mut conversation, &laptop), [(1, 1, true)]);
    conversation.close(&laptop);
    conversation.say(&alice, message(2, &[&bob, &laptop]));
    conversation.crash();
    conversation.attach(&laptop);
    assert_eq!(rows(&mut conversation, &laptop), [(2, 2, true)]);
}

fn ask(user: &str) -> ClientMessage {
    ClientMessage::RequestThread { request: REQUEST, user: user.into() }
}

fn answer(user: &str, accept: bool) -> ClientMessage {
    ClientMessage::AnswerThread { request: REQUEST, user: user.into(), accept }
}

/// What alice, a stranger, gets when she asks for bob's keys and writes to him.
fn attempt(conversation: &mut Conversation) -> Vec<ServerMessage> {
    let (alice, bob) = (phone("alice"), phone("bob"));
    conversation.inbox.clear();
    conversation.say(&alice, ClientMessage::FetchKeys { request: REQUEST, user: "bob".into() });
    conversation.say(&alice, message(1, &[&bob]));
    answers(conversation, &alice)
}

fn is_refused(answers: &[ServerMessage]) -> bool {
    answers == [ServerMessage::Refused { request: REQUEST }, ServerMessage::Refused { request: REQUEST }]
}

#[test]
fn a_stranger_writes_once_the_other_agrees() {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    assert!(is_refused(&attempt(&mut conversation)));
    conversation.say(&phone("alice"), ask("bob"));
    let asked = ServerMessage::ThreadRequest { from: "alice".into() };
    assert_eq!(conversation.take(&phone("bob")), [asked]);
    assert!(is_refused(&attempt(&mut conversation)), "asking opens nothing");
    conversation.say(&phone("bob"), answer("alice", true));
    assert!(conversation.take(&phone("alice")).contains(&ServerMessage::ThreadOpened { user: "bob".into() }));
    let answers = attempt(&mut conversation);
    assert!(matches!(answers[..], [ServerMessage::Keys { .. }, ServerMessage::Done { .. }]), "{answers:?}");
}

#[test]
fn a_device_that_comes_later_is_told_that_its_user_may_write() {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.say(&phone("alice"), ask("bob"));
    conversation.say(&phone("bob"), answer("alice", true));
    let laptop = conversation.add_laptop("alice");
    conversation.say(&laptop, ask("bob"));
    assert_eq!(conversation.take(&laptop), [done(), ServerMessage::ThreadOpened { user: "bob".into() }]);
    assert_eq!(conversation.take(&phone("bob")), [], "he is not asked again");
}

#[test]
fn what_was_agreed_to_before_a_friendship_ends_with_it() {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.say(&phone("alice"), ask("bob"));
    conversation.say(&phone("bob"), answer("alice", true));
    conversation.befriend("alice", "bob");
    conversation.say(&phone("bob"), ClientMessage::Unfriend { request: REQUEST, user: "alice".into() });
    assert!(is_refused(&attempt(&mut conversation)));
}

#[test]
fn a_stranger_who_is_declined_or_blocked_does_not_write() {
    for block in [false, true] {
        let mut conversation = Conversation::new(&["alice", "bob"]);
        conversation.say(&phone("alice"), ask("bob"));
        if block {
            conversation.say(&phone("bob"), answer("alice", true));
            conversation.say(&phone("bob"), ClientMessage::Block { request: REQUEST, user: "alice".into() });
        } else {
            conversation.say(&phone("bob"), answer("alice", false));
        }
        assert!(is_refused(&attempt(&mut conversation)));
    }
}

#[test]
fn who_cannot_be_asked_looks_like_nobody() {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.say(&phone("bob"), ClientMessage::Block { request: REQUEST, user: "alice".into() });
    let mut refusal = |user: &str| {
        let began = conversation.now;
        conversation.inbox.clear();
        conversation.say(&phone("alice"), ask(user));
        let got = conversation.take_timed(&phone("alice"));
        got.into_iter().map(|(at, message)| (at.since(began), message)).collect::<Vec<_>>()
    };
    let blocked = refusal("bob");
    assert!(matches!(blocked[..], [(_, ServerMessage::Refused { .. })]), "{blocked:?}");
    assert_eq!(refusal("nobody"), blocked);
}

#[test]
fn who_was_a_friend_writes_no_more_unless_v157_is_planted() {
    for (planted, is_taken) in [(&[][..], false), (&[Mutant::V157], true)] {
        let (mut conversation, [alice, bob, laptop]) = friends();
        conversation.say(&bob, ClientMessage::Unfriend { request: REQUEST, user: "alice".into() });
        conversation.inbox.clear();
        mutant::plant(planted);
        conversation.say(&alice, message(1, &[&bob, &laptop]));
        mutant::plant(&[]);
        let taken = answers(&mut conversation, &alice) == [done()];
        assert_eq!((taken, rows(&mut conversation, &bob).len()), (is_taken, usize::from(is_taken)));
    }
}

fn receipt(row: u32, read: bool, tell: bool) -> ClientMessage {
    ClientMessage::Receipt { row, read, tell }
}

fn receipts(conversation: &mut Conversation, device: &ActorName) -> Vec<(u8, UserName, bool)> {
    let receipt = |message| match message {
        ServerMessage::Receipt { message, by, read } => Some((message.0[0], by, read)),
        _ => None,
    };
    conversation.take(device).into_iter().filter_map(receipt).collect()
}

#[test]
fn a_friend_learns_how_far_a_message_came_if_the_reader_tells_it() {
    let (mut conversation, [alice, bob, laptop]) = friends();
    for n in [1, 2] {
        conversation.say(&alice, message(n, &[&bob, &laptop]));
    }
    conversation.inbox.clear();
    conversation.say(&bob, receipt(1, false, true));
    conversation.say(&laptop, receipt(1, false, true));
    assert_eq!(receipts(&mut conversation, &alice), [(1, "bob".into(), false)], "once");
    conversation.say(&bob, receipt(2, true, false));
    assert_eq!(receipts(&mut conversation, &alice), [], "he does not tell that he read");
    assert_eq!(receipts(&mut conversation, &laptop), [(2, "bob".into(), true)], "but to his own devices");
    conversation.say(&alice, receipt(1, true, true));
    conversation.say(&bob, receipt(9, true, true));
    assert_eq!(receipts(&mut conversation, &bob), [], "her own message, and none");
}

#[test]
fn who_is_no_friend_learns_nothing_of_a_reader() {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.say(&phone("alice"), ask("bob"));
    conversation.say(&phone("bob"), answer("alice", true));
    conversation.say(&phone("alice"), message(1, &[&phone("bob")]));
    conversation.inbox.clear();
    conversation.say(&phone("bob"), receipt(1, false, true));
    conversation.say(&phone("bob"), receipt(1, true, true));
    assert_eq!(receipts(&mut conversation, &phone("alice")), []);
    let told = |fact: &&Fact| matches!(fact, Fact::MessageReceipt { told: true, .. });
    assert_eq!(conversation.facts.iter().filter(told).count(), 0);
}

#[test]
fn friends_see_an_avatar_when_it_is_set_and_when_they_become_friends() {
    let mut conversation = Conversation::new(&["alice", "bob", "carol"]);
    conversation.befriend("alice", "bob");
    let set = |picture: Vec<u8>| ClientMessage::SetAvatar { request: REQUEST, picture };
    conversation.say(&phone("alice"), set(vec![1; MAX_AVATAR_BYTES + 1]));
    assert_eq!(answers(&mut conversation, &phone("alice")), [ServerMessage::Refused { request: REQUEST }]);
    conversation.say(&phone("alice"), set(vec![1, 2, 3]));
    let shown = ServerMessage::Avatar { user: "alice".into(), picture: vec![1, 2, 3] };
    assert_eq!(conversation.take(&phone("bob")), std::slice::from_ref(&shown));
    assert_eq!(conversation.take(&phone("carol")), [], "she is no friend");
    let request = ClientMessage::RequestFriend { request: REQUEST, user: "alice".into() };
    conversation.say(&phone("carol"), request);
    conversation.inbox.clear();
    let accept = ClientMessage::AnswerFriend { request: REQUEST, user: "carol".into(), accept: true };
    conversation.say(&phone("alice"), accept);
    assert!(conversation.take(&phone("carol")).contains(&shown));
}
