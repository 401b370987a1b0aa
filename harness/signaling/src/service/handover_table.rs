//! A live call that goes from one device of a user to another, step by step.

use super::conversation::{Conversation, accept, call_id, envelope, invite, phone};
use kernel::{
    event::{CallOutcome, Fact},
    names::ActorName,
    time::Micros,
};
use protocol::{CallEnd, ClientMessage, EnvelopeKind, RequestId, ServerMessage};

/// Alice talks to bob's phone; his laptop is there too.
fn live() -> (Conversation, [ActorName; 3]) {
    let mut conversation = Conversation::new(&["alice", "bob", "carol"]);
    conversation.befriend("alice", "bob");
    let laptop = conversation.add_laptop("bob");
    conversation.confirm("bob", &laptop);
    let (alice, bob) = (phone("alice"), phone("bob"));
    conversation.say(&alice, invite(call_id(1), &alice, &[&bob, &laptop]));
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    conversation.inbox.clear();
    (conversation, [alice, bob, laptop])
}

fn hand_over(to: &ActorName) -> ClientMessage {
    ClientMessage::HandOver { call: call_id(1), to: to.clone() }
}

fn take_over(from: &ActorName, peer: &ActorName) -> ClientMessage {
    ClientMessage::TakeOver { call: call_id(1), offer: envelope(EnvelopeKind::Offer, call_id(1), from, peer) }
}

fn yields(from: &ActorName, peer: &ActorName) -> ClientMessage {
    ClientMessage::Yield { call: call_id(1), word: envelope(EnvelopeKind::Peer, call_id(1), from, peer) }
}

fn rejoin(from: &ActorName, to: &ActorName) -> ClientMessage {
    ClientMessage::Rejoin { call: call_id(1), answer: envelope(EnvelopeKind::Answer, call_id(1), from, to) }
}

fn ends(messages: &[ServerMessage]) -> Vec<CallEnd> {
    let end = |message: &ServerMessage| match message {
        ServerMessage::Ended { reason, .. } => Some(*reason),
        _ => None,
    };
    messages.iter().filter_map(end).collect()
}

/// The names of the ends of the call.
fn parties(conversation: &Conversation) -> Option<(ActorName, ActorName)> {
    let call = conversation.service.store.call(call_id(1))?;
    call.ends().map(|(caller, callee)| (caller.clone(), callee.clone()))
}

#[test]
fn a_call_goes_to_another_device_when_its_user_accepts_there_and_the_first_one_left() {
    let (mut conversation, [alice, bob, laptop]) = live();
    let before = conversation.granted.clone();
    conversation.say(&bob, hand_over(&laptop));
    let asked = conversation.take(&laptop);
    let [ServerMessage::HandOver { from, device, outgoing: false, .. }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((from, device), (&bob, &alice));
    assert_eq!(parties(&conversation), Some((alice.clone(), bob.clone())), "nothing changed yet");
    conversation.say(&laptop, take_over(&laptop, &alice));
    assert_eq!(conversation.take(&bob), [ServerMessage::Taken { call: call_id(1), by: laptop.clone() }]);
    assert!(conversation.take(&alice).is_empty());
    conversation.say(&bob, yields(&bob, &alice));
    assert_eq!(conversation.take(&bob), [ServerMessage::Elsewhere { call: call_id(1) }]);
    let told = conversation.take(&alice);
    let [ServerMessage::Moved { device, relays, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((device, relays.len()), (&laptop, 1));
    assert_eq!(parties(&conversation), Some((alice.clone(), laptop.clone())));
    // What the phone could use at the relay it cannot any more; the laptop has credentials of its own.
    let kept = conversation.granted.iter().filter(|granted| before.contains(granted)).count();
    assert_eq!((before.len(), kept, conversation.granted.len()), (2, 1, 2));
    conversation.say(&alice, rejoin(&alice, &laptop));
    let told = conversation.take(&laptop);
    let [ServerMessage::Accepted { device, answer: Some(_), relays, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((device, relays.len()), (&alice, 1));
    conversation.say(&laptop, ClientMessage::HangUp { call: call_id(1) });
    assert_eq!(ends(&conversation.take(&alice)), [CallEnd::HungUp]);
    assert!(conversation.granted.is_empty());
    let over = conversation.facts.iter().filter(|fact| matches!(fact, Fact::CallOver { .. })).count();
    let moved = conversation.facts.iter().filter(|fact| matches!(fact, Fact::CallMoved { .. })).count();
    assert_eq!((moved, over), (1, 1));
}

#[test]
fn what_is_said_again_is_answered_as_far_as_it_has_come() {
    let (mut conversation, [alice, bob, laptop]) = live();
    conversation.say(&bob, hand_over(&laptop));
    let mut last = Vec::new();
    for (says, message, hears) in [
        (&laptop, take_over(&laptop, &alice), &bob),
        (&bob, yields(&bob, &alice), &alice),
        (&alice, rejoin(&alice, &laptop), &laptop),
    ] {
        conversation.inbox.clear();
        conversation.say(says, message.clone());
        let told = conversation.take(hears);
        assert_eq!(told.len(), 1, "{told:?}");
        // Only the device that takes over insists: each of its questions gets the next step told again.
        conversation.say(&laptop, take_over(&laptop, &alice));
        assert_eq!(conversation.take(hears), told);
        last = told;
    }
    assert!(matches!(last[..], [ServerMessage::Accepted { .. }]));
    conversation.say(&bob, yields(&bob, &alice));
    assert_eq!(conversation.take(&bob), [ServerMessage::Elsewhere { call: call_id(1) }]);
    assert_eq!(parties(&conversation), Some((alice, laptop)));
}

#[test]
fn nobody_takes_a_call_who_was_not_asked() {
    let (mut conversation, [alice, bob, laptop]) = live();
    conversation.say(&laptop, take_over(&laptop, &alice));
    assert_eq!(conversation.take(&laptop), [ServerMessage::Elsewhere { call: call_id(1) }]);
    let carol = phone("carol");
    conversation.say(&carol, take_over(&carol, &alice));
    assert_eq!(ends(&conversation.take(&carol)), [CallEnd::Unknown]);
    conversation.say(&carol, hand_over(&carol));
    assert_eq!(ends(&conversation.take(&carol)), [CallEnd::Unknown]);
    for other in [&alice, &bob, &carol] {
        conversation.say(&bob, hand_over(other));
        assert_eq!(conversation.take(&bob), [ServerMessage::HandOverDeclined { call: call_id(1) }], "{other}");
    }
    assert!(conversation.take(&alice).is_empty());
    assert_eq!(parties(&conversation), Some((alice, bob)));
}

#[test]
fn an_offer_or_a_word_that_is_for_somebody_else_moves_nothing() {
    let (mut conversation, [alice, bob, laptop]) = live();
    conversation.say(&bob, hand_over(&laptop));
    conversation.inbox.clear();
    conversation.say(&laptop, take_over(&bob, &alice));
    assert!(conversation.take(&bob).is_empty());
    conversation.say(&laptop, take_over(&laptop, &alice));
    conversation.inbox.clear();
    // Who says that it left has left, whatever else it says.
    conversation.say(&bob, yields(&laptop, &alice));
    assert_eq!(ends(&conversation.take(&alice)), [CallEnd::HungUp]);
    assert_eq!(ends(&conversation.take(&laptop)), [CallEnd::HungUp], "who was asked is told too");
}

#[test]
fn a_device_that_declines_or_is_busy_leaves_the_call_where_it_is() {
    for refuses in [
        ClientMessage::Decline { call: call_id(1) },
        ClientMessage::Busy { call: call_id(1) },
        ClientMessage::HangUp { call: call_id(1) },
    ] {
        let (mut conversation, [alice, bob, laptop]) = live();
        conversation.say(&bob, hand_over(&laptop));
        conversation.say(&laptop, refuses);
        assert_eq!(conversation.take(&bob), [ServerMessage::HandOverDeclined { call: call_id(1) }]);
        assert_eq!(parties(&conversation), Some((alice.clone(), bob.clone())));
        // And it can be asked again.
        conversation.inbox.clear();
        conversation.say(&bob, hand_over(&laptop));
        assert!(matches!(conversation.take(&laptop)[..], [ServerMessage::HandOver { .. }]));
    }
}

#[test]
fn the_end_of_the_call_or_of_the_friendship_is_told_to_who_was_asked() {
    for (message, reason) in [
        (ClientMessage::HangUp { call: call_id(1) }, CallEnd::HungUp),
        (ClientMessage::Unfriend { request: RequestId(9), user: "bob".into() }, CallEnd::Unfriended),
    ] {
        let (mut conversation, [alice, bob, laptop]) = live();
        conversation.say(&bob, hand_over(&laptop));
        conversation.inbox.clear();
        conversation.say(&alice, message);
        assert_eq!(ends(&conversation.take(&bob)), [reason]);
        assert_eq!(ends(&conversation.take(&laptop)), [reason]);
        conversation.say(&laptop, take_over(&laptop, &alice));
        assert_eq!(ends(&conversation.take(&laptop)), [CallEnd::Unknown]);
        assert!(conversation.granted.is_empty());
    }
}

#[test]
fn the_gate_is_asked_again_when_a_device_takes_the_call() {
    use kernel::mutant::{self, Mutant};
    let (mut conversation, [alice, bob, laptop]) = live();
    conversation.say(&bob, hand_over(&laptop));
    mutant::plant(&[Mutant::V22]);
    conversation.say(&alice, ClientMessage::Unfriend { request: RequestId(9), user: "bob".into() });
    mutant::plant(&[]);
    conversation.inbox.clear();
    conversation.say(&laptop, take_over(&laptop, &alice));
    assert_eq!(ends(&conversation.take(&bob)), [CallEnd::Unfriended]);
    let over = conversation.facts.iter().rev().find_map(|fact| match fact {
        Fact::CallOver { outcome, .. } => Some(*outcome),
        _ => None,
    });
    assert_eq!(over, Some(CallOutcome::Answered));
}

#[test]
fn a_handover_goes_on_after_the_server_crashed() {
    let (mut conversation, [alice, bob, laptop]) = live();
    conversation.say(&bob, hand_over(&laptop));
    conversation.say(&laptop, take_over(&laptop, &alice));
    conversation.crash();
    [&alice, &bob, &laptop].iter().for_each(|device| conversation.attach(device));
    conversation.inbox.clear();
    conversation.say(&laptop, take_over(&laptop, &alice));
    let told = conversation.take(&bob);
    assert!(matches!(told[..], [ServerMessage::Taken { .. }]), "{told:?} {:?}", conversation.take(&laptop));
    conversation.say(&bob, yields(&bob, &alice));
    conversation.pass(Micros::from_secs(31));
    assert_eq!(parties(&conversation), Some((alice, laptop)));
}
