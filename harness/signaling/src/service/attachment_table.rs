//! Who may leave a picture, who may fetch it, and how long it is there.

use super::{
    conversation::{Conversation, envelope, phone},
    store::attachments::{KEPT, MAX_SHELF_BYTES, MAX_UNSENT, UNSENT},
};
use kernel::{
    event::Fact,
    mutant::{self, Mutant},
    names::{ActorName, AttachmentId, CallId, MessageId, ThreadId},
    time::Micros,
};
use protocol::{ClientMessage, EnvelopeKind, MAX_PARTS, PART_BYTES, RequestId, ServerMessage};

const REQUEST: RequestId = RequestId(7);

fn id(n: u128) -> AttachmentId {
    AttachmentId(n.to_be_bytes())
}

fn put(attachment: AttachmentId, (part, parts): (u16, u16), bytes: usize) -> ClientMessage {
    ClientMessage::PutPart {
        request: REQUEST,
        attachment,
        part,
        parts,
        bytes: vec![(part as u8).wrapping_add(1); bytes],
    }
}

/// The one answer to something that a device says.
fn answer(conversation: &mut Conversation, device: &ActorName, message: ClientMessage) -> ServerMessage {
    conversation.inbox.clear();
    conversation.say(device, message);
    let is_answer = |message: &ServerMessage| {
        matches!(message, ServerMessage::Done { .. } | ServerMessage::Refused { .. } | ServerMessage::Part { .. })
    };
    let answers: Vec<ServerMessage> = conversation.take(device).into_iter().filter(is_answer).collect();
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    answer.clone()
}

fn takes(conversation: &mut Conversation, device: &ActorName, message: ClientMessage) -> bool {
    match answer(conversation, device, message) {
        ServerMessage::Done { .. } => true,
        ServerMessage::Refused { .. } => false,
        other => panic!("{other:?}"),
    }
}

/// Leaves a whole picture of so many parts, the last of them short.
fn upload(conversation: &mut Conversation, device: &ActorName, attachment: AttachmentId, parts: u16) {
    for part in 0..parts {
        let bytes = if part + 1 == parts { 100 } else { PART_BYTES };
        assert!(takes(conversation, device, put(attachment, (part, parts), bytes)), "{part} of {parts}");
    }
}

/// A message of a user's phone to another's, with a picture.
fn message(n: u8, (from, to): (&str, &str), attachment: AttachmentId) -> ClientMessage {
    let mut body = envelope(EnvelopeKind::Message, CallId([n; 16]), &phone(from), &phone(to));
    body.header.thread = ThreadId::between(&from.into(), &to.into());
    let (message, searchable) = (MessageId([n; 16]), String::new());
    let (to, bodies, attachment) = (to.into(), vec![body], Some(attachment));
    ClientMessage::SendMessage { request: REQUEST, message, to, bodies, searchable, attachment }
}

fn fetch(attachment: AttachmentId, part: u16) -> ClientMessage {
    ClientMessage::FetchPart { request: REQUEST, attachment, part }
}

fn fetched(conversation: &mut Conversation, user: &str, attachment: AttachmentId, part: u16) -> Option<Vec<u8>> {
    match answer(conversation, &phone(user), fetch(attachment, part)) {
        ServerMessage::Part { bytes, .. } => Some(bytes),
        ServerMessage::Refused { .. } => None,
        other => panic!("{other:?}"),
    }
}

/// Alice is a friend of Bob's and Carol's.
fn friends() -> Conversation {
    let mut conversation = Conversation::new(&["alice", "bob", "carol"]);
    conversation.befriend("alice", "bob");
    conversation.befriend("alice", "carol");
    conversation
}

/// Alice sent Bob a picture of three parts.
fn sent() -> Conversation {
    let mut conversation = friends();
    upload(&mut conversation, &phone("alice"), id(1), 3);
    assert!(takes(&mut conversation, &phone("alice"), message(1, ("alice", "bob"), id(1))));
    conversation
}

#[test]
fn a_picture_is_fetched_by_both_users_of_its_thread_and_a_crash_changes_nothing() {
    let mut conversation = sent();
    let uploaded = Fact::PictureUploaded { by: "alice".into(), bytes: 2 * PART_BYTES as u32 + 100 };
    assert_eq!(conversation.facts.iter().filter(|fact| **fact == uploaded).count(), 1);
    for crash in [false, true] {
        if crash {
            conversation.crash();
            ["alice", "bob", "carol"].iter().for_each(|user| conversation.attach(&phone(user)));
        }
        for user in ["bob", "alice"] {
            let parts: Vec<_> = (0..3).map(|part| fetched(&mut conversation, user, id(1), part).unwrap()).collect();
            assert_eq!(parts, [vec![1; PART_BYTES], vec![2; PART_BYTES], vec![3; 100]]);
            assert_eq!(fetched(&mut conversation, user, id(1), 3), None);
        }
    }
}

#[test]
fn who_is_not_in_the_thread_hears_what_is_heard_of_nothing_and_as_late() {
    let mut conversation = sent();
    upload(&mut conversation, &phone("alice"), id(2), 1);
    let mut heard = |user: &str, attachment, part| {
        conversation.inbox.clear();
        let began = conversation.now;
        conversation.say(&phone(user), fetch(attachment, part));
        let got = conversation.take_timed(&phone(user));
        got.into_iter().map(|(at, message)| (at.since(began), message)).collect::<Vec<_>>()
    };
    let nothing = heard("carol", id(9), 0);
    assert!(matches!(nothing[..], [(_, ServerMessage::Refused { .. })]), "{nothing:?}");
    assert_eq!(heard("carol", id(1), 0), nothing, "a friend of the sender, in another thread");
    assert_eq!(heard("bob", id(2), 0), nothing, "of no message");
    assert_eq!(heard("alice", id(2), 0), nothing, "her own, likewise");
    assert_eq!(heard("bob", id(1), 3), nothing, "a part that there is not");
    assert_eq!(heard("bob", id(1), u16::MAX), nothing);
}

#[test]
fn a_message_names_a_whole_picture_of_its_writer_and_of_no_other_thread() {
    let mut conversation = sent();
    let (alice, bob) = (phone("alice"), phone("bob"));
    assert!(takes(&mut conversation, &alice, put(id(2), (0, 2), PART_BYTES)));
    assert!(!takes(&mut conversation, &alice, message(2, ("alice", "bob"), id(2))), "half of it");
    assert!(!takes(&mut conversation, &alice, message(2, ("alice", "bob"), id(9))), "none");
    assert!(!takes(&mut conversation, &alice, message(2, ("alice", "carol"), id(1))), "bob's");
    assert!(!takes(&mut conversation, &bob, message(2, ("bob", "alice"), id(1))), "not his");
    assert!(takes(&mut conversation, &alice, message(2, ("alice", "bob"), id(1))), "once more to him");
    assert_eq!(fetched(&mut conversation, "carol", id(1), 0), None);
    assert!(takes(&mut conversation, &alice, put(id(2), (1, 2), 100)));
    assert!(takes(&mut conversation, &alice, message(3, ("alice", "carol"), id(2))));
    assert!(fetched(&mut conversation, "carol", id(2), 1).is_some());
    assert_eq!(fetched(&mut conversation, "bob", id(2), 1), None);
}

#[test]
fn parts_come_in_order_and_may_come_twice_also_after_a_crash() {
    let mut conversation = friends();
    let alice = phone("alice");
    assert!(!takes(&mut conversation, &alice, put(id(1), (1, 3), PART_BYTES)), "the first one first");
    for _ in 0..2 {
        assert!(takes(&mut conversation, &alice, put(id(1), (0, 3), PART_BYTES)));
    }
    conversation.crash();
    ["alice", "bob"].iter().for_each(|user| conversation.attach(&phone(user)));
    assert!(!takes(&mut conversation, &alice, put(id(1), (2, 3), 100)), "one is missing");
    assert!(takes(&mut conversation, &alice, put(id(1), (1, 3), PART_BYTES)), "what was acknowledged is there");
    assert!(!takes(&mut conversation, &alice, put(id(1), (2, 4), PART_BYTES)), "it was of three");
    assert!(!takes(&mut conversation, &phone("bob"), put(id(1), (2, 3), 100)), "it is hers");
    assert!(takes(&mut conversation, &alice, put(id(1), (2, 3), 100)));
    assert!(takes(&mut conversation, &alice, message(1, ("alice", "bob"), id(1))));
}

#[test]
fn parts_of_another_length_or_number_are_refused() {
    let mut conversation = friends();
    for (place, bytes) in [
        ((0, 0), 100),
        ((0, MAX_PARTS + 1), PART_BYTES),
        ((3, 3), 100),
        ((u16::MAX, u16::MAX), 100),
        ((0, 2), PART_BYTES - 1),
        ((0, 2), PART_BYTES + 1),
        ((0, 1), 0),
        ((0, 1), PART_BYTES + 1),
    ] {
        assert!(!takes(&mut conversation, &phone("alice"), put(id(1), place, bytes)), "{place:?} {bytes}");
    }
    assert!(takes(&mut conversation, &phone("alice"), put(id(1), (0, 1), PART_BYTES)));
}

#[test]
fn few_pictures_wait_for_their_messages_and_those_that_wait_too_long_make_room() {
    let mut conversation = friends();
    let alice = phone("alice");
    for n in 0..MAX_UNSENT as u128 {
        upload(&mut conversation, &alice, id(n), 1);
    }
    assert!(!takes(&mut conversation, &alice, put(id(99), (0, 1), 100)));
    assert!(takes(&mut conversation, &phone("bob"), put(id(98), (0, 1), 100)), "he has his own");
    assert!(takes(&mut conversation, &alice, message(1, ("alice", "bob"), id(0))));
    upload(&mut conversation, &alice, id(99), 1);
    conversation.pass(UNSENT);
    assert!(!takes(&mut conversation, &alice, message(2, ("alice", "bob"), id(1))), "it is gone");
    for n in 10..10 + MAX_UNSENT as u128 {
        upload(&mut conversation, &alice, id(n), 1);
    }
    assert!(fetched(&mut conversation, "bob", id(0), 0).is_some(), "what was sent is kept longer");
}

#[test]
fn an_account_has_room_for_sixteen_mebibytes_which_a_crash_does_not_enlarge() {
    let mut conversation = friends();
    let alice = phone("alice");
    let most = MAX_SHELF_BYTES / (u32::from(MAX_PARTS) * PART_BYTES as u32);
    for n in 0..most {
        upload(&mut conversation, &alice, id(n.into()), MAX_PARTS);
        assert!(takes(&mut conversation, &alice, message(n as u8, ("alice", "bob"), id(n.into()))));
    }
    for crash in [false, true] {
        if crash {
            conversation.crash();
            ["alice", "bob"].iter().for_each(|user| conversation.attach(&phone(user)));
        }
        assert!(!takes(&mut conversation, &alice, put(id(9_999), (0, 1), 100)));
    }
    conversation.pass(KEPT);
    assert!(takes(&mut conversation, &alice, put(id(9_999), (0, 1), 100)));
}

#[test]
fn a_picture_is_kept_for_thirty_days_and_nothing_of_it_afterwards() {
    let mut conversation = sent();
    let before = conversation.service.snapshot();
    conversation.pass(Micros(KEPT.0 - UNSENT.0));
    assert!(fetched(&mut conversation, "bob", id(1), 0).is_some());
    conversation.pass(UNSENT);
    for crash in [false, true] {
        if crash {
            conversation.crash();
            ["alice", "bob"].iter().for_each(|user| conversation.attach(&phone(user)));
        }
        assert_eq!((0..3).find_map(|part| fetched(&mut conversation, "bob", id(1), part)), None);
    }
    let marker = [1; 1_000];
    let holds = |snapshot: &[u8]| snapshot.windows(marker.len()).any(|part| part == marker);
    assert!(holds(&before) && !holds(&conversation.service.snapshot()));
}

#[test]
fn an_avatar_is_told_to_friends_unless_v172_is_planted() {
    for (planted, is_told) in [(&[][..], false), (&[Mutant::V172], true)] {
        let mut conversation = Conversation::new(&["alice", "bob", "carol"]);
        conversation.befriend("alice", "bob");
        mutant::plant(planted);
        conversation.say(&phone("alice"), ClientMessage::SetAvatar { request: REQUEST, picture: vec![1, 2, 3] });
        mutant::plant(&[]);
        let mut sees = |user: &str| {
            let told = conversation.take(&phone(user));
            told.iter().any(|message| matches!(message, ServerMessage::Avatar { user, .. } if *user == "alice"))
        };
        assert_eq!((sees("bob"), sees("carol"), sees("alice")), (true, is_told, false));
    }
}
