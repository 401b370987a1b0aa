//! Who is woken, when, and what the push service is told.

use super::{
    conversation::{Conversation, call_id, invite, phone},
    push::PATIENCE,
};
use kernel::{
    mutant::{self, Mutant},
    names::ActorName,
    time::Micros,
};
use protocol::{ClientMessage, PUSH_PAYLOAD, PushRequest, RequestId, ServerMessage};

const TOKEN: [u8; 16] = [7; 16];

/// Alice, and bob's phone, which went to sleep.
fn asleep() -> (Conversation, ActorName, ActorName) {
    let mut conversation = Conversation::new(&["alice", "bob", "carol"]);
    conversation.befriend("alice", "bob");
    let (alice, bob) = (phone("alice"), phone("bob"));
    conversation.say(&bob, ClientMessage::RegisterPush { token: TOKEN });
    conversation.close(&bob);
    conversation.inbox.clear();
    assert!(conversation.pushed.is_empty());
    (conversation, alice, bob)
}

fn ring(conversation: &mut Conversation, n: u8) {
    let (alice, bob) = (phone("alice"), phone("bob"));
    conversation.say(&alice, invite(call_id(n), &alice, &[&bob]));
}

#[test]
fn a_ring_wakes_a_device_once_and_rings_when_it_has_attached() {
    let (mut conversation, alice, bob) = asleep();
    ring(&mut conversation, 1);
    let request = PushRequest { token: TOKEN, payload: PUSH_PAYLOAD.to_vec() };
    assert_eq!(conversation.pushed.iter().map(|(_, pushed)| pushed.clone()).collect::<Vec<_>>(), [request]);
    conversation.say(&alice, ClientMessage::Cancel { call: call_id(1) });
    ring(&mut conversation, 2);
    assert_eq!(conversation.pushed.len(), 1, "one is under way");
    conversation.attach(&bob);
    let rings = |message: &ServerMessage| matches!(message, ServerMessage::Ring { call, .. } if *call == call_id(2));
    assert!(conversation.take(&bob).iter().any(rings));
    conversation.close(&bob);
    conversation.pass(Micros::from_millis(10));
    assert_eq!(conversation.pushed.len(), 2, "it went while it rang");
}

#[test]
fn a_push_that_nothing_comes_of_is_asked_for_again() {
    let (mut conversation, alice, _) = asleep();
    ring(&mut conversation, 1);
    conversation.pass(PATIENCE);
    conversation.say(&alice, ClientMessage::Cancel { call: call_id(1) });
    assert_eq!(conversation.pushed.len(), 2, "its row waits");
}

#[test]
fn a_friend_request_wakes_a_device_and_a_device_that_is_there_or_has_no_token_is_not_woken() {
    let (mut conversation, _, bob) = asleep();
    let ask = |user: &str| ClientMessage::RequestFriend { request: RequestId(50), user: user.into() };
    conversation.say(&phone("carol"), ask("bob"));
    assert_eq!(conversation.pushed.len(), 1);
    conversation.attach(&bob);
    ring(&mut conversation, 1);
    conversation.close(&phone("alice"));
    conversation.say(&phone("carol"), ask("alice"));
    assert_eq!(conversation.pushed.len(), 1);
}

#[test]
fn a_token_is_kept_over_a_crash_with_what_is_durable_and_is_gone_with_its_device() {
    let (mut conversation, _, bob) = asleep();
    // A fact, so that there is a transaction.
    conversation.befriend("alice", "carol");
    conversation.crash();
    assert_eq!(conversation.service.store.push_token(&bob), Some(TOKEN));
    conversation.service.store.remove_device(&"bob".into(), &bob);
    assert_eq!(conversation.service.store.push_token(&bob), None);
}

#[test]
fn a_push_says_who_calls_only_if_v112_is_planted() {
    let (mut conversation, _, _) = asleep();
    mutant::plant(&[Mutant::V112]);
    ring(&mut conversation, 1);
    mutant::plant(&[]);
    let said = String::from_utf8(conversation.pushed[0].1.payload.clone()).unwrap();
    assert_eq!(said, format!("alice is calling you ({})", call_id(1)));
}
