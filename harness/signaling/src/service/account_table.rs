//! What may be done to an account, and by which of its devices.

use super::conversation::{Conversation, accept, call_id, identity, invite, keys, phone, sign_in};
use kernel::{
    event::Fact,
    mutant::{self, Mutant},
    names::ActorName,
    time::Micros,
};
use protocol::{CallEnd, ClientMessage, DeviceChange, PROTOCOL_VERSION, RequestId, ServerMessage};

fn household() -> (Conversation, [ActorName; 3]) {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.befriend("alice", "bob");
    let laptop = conversation.add_laptop("bob");
    conversation.inbox.clear();
    (conversation, [phone("alice"), phone("bob"), laptop])
}

/// A thousand connections from as many addresses guess at one instant.
fn guess_at_once(conversation: &mut Conversation) -> usize {
    let guessers: Vec<ActorName> = (0..1_000).map(|n| ActorName::from(format!("guesser-{n}"))).collect();
    for (guesser, n) in guessers.iter().zip(0..) {
        conversation.connect(guesser);
        conversation.send(guesser, sign_in("alice", guesser, &format!("guess number {n}")));
    }
    conversation.pass(Micros::from_secs(60));
    let refused =
        guessers.iter().filter(|guesser| matches!(conversation.take(guesser)[..], [ServerMessage::Refused { .. }]));
    assert_eq!(refused.count(), 1_000);
    let tried = |fact: &&Fact| matches!(fact, Fact::PasswordTried { fits: false, .. });
    conversation.facts.iter().filter(tried).count()
}

#[test]
fn of_a_thousand_guesses_at_one_instant_ten_are_looked_at_unless_v100_is_planted() {
    let mut conversation = Conversation::new(&["alice"]);
    assert_eq!(guess_at_once(&mut conversation), 10);
    mutant::plant(&[Mutant::V100]);
    let counted = guess_at_once(&mut Conversation::new(&["alice"]));
    mutant::plant(&[]);
    assert_eq!(counted, 1_000);
}

#[test]
fn guesses_are_counted_across_a_crash() {
    let mut conversation = Conversation::new(&["alice"]);
    assert_eq!(guess_at_once(&mut conversation), 10);
    conversation.crash();
    assert_eq!(guess_at_once(&mut conversation), 10, "none more than before the crash");
    conversation.pass(Micros::from_secs(3_600));
    assert_eq!(guess_at_once(&mut conversation), 20);
}

#[test]
fn an_account_that_there_is_not_or_that_is_locked_answers_as_late_as_a_wrong_password() {
    let answer = |user: &str, before: usize| {
        let mut conversation = Conversation::new(&["alice"]);
        let guesser = ActorName::from("guesser");
        conversation.connect(&guesser);
        let guess = || sign_in(user, &guesser, "not the password");
        (0..before).for_each(|_| conversation.say(&guesser, guess()));
        conversation.inbox.clear();
        let began = conversation.now;
        conversation.say(&guesser, guess());
        conversation
            .take_timed(&guesser)
            .into_iter()
            .map(|(at, message)| (at.since(began), message))
            .collect::<Vec<_>>()
    };
    let wrong = answer("alice", 0);
    assert_eq!(wrong.len(), 1);
    assert_eq!((answer("nobody", 0), answer("alice", 10)), (wrong.clone(), wrong));
}

#[test]
fn a_device_that_is_not_confirmed_is_announced_and_gets_nothing() {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.befriend("alice", "bob");
    let (alice, bob, laptop) = (phone("alice"), phone("bob"), ActorName::from("bob-laptop"));
    conversation.connect(&laptop);
    conversation.say(&laptop, sign_in("bob", &laptop, "the password of bob"));
    assert!(matches!(conversation.take(&laptop)[..], [ServerMessage::SignedIn { .. }]));
    let [ServerMessage::NewDevice { keys, consent }] = &conversation.take(&bob)[..] else { panic!("no notice") };
    assert!(keys.device == laptop && keys.consents(consent));
    conversation.say(&laptop, invite(call_id(1), &laptop, &[&alice]));
    assert_eq!(conversation.take(&laptop), [ServerMessage::Rejected { call: call_id(1) }]);
    conversation.say(&alice, invite(call_id(2), &alice, &[&bob, &laptop]));
    assert!(conversation.take(&laptop).is_empty(), "it does not ring");
    conversation.say(&laptop, accept(call_id(2), &laptop, &alice));
    assert_eq!(conversation.take(&laptop), [ServerMessage::Ended { call: call_id(2), reason: CallEnd::Unknown }]);
    conversation.say(&laptop, ClientMessage::FetchKeys { request: RequestId(3), user: "alice".into() });
    assert_eq!(conversation.take(&laptop), [ServerMessage::Refused { request: RequestId(3) }]);
    conversation.confirm("bob", &laptop);
    conversation.say(&alice, invite(call_id(2), &alice, &[&bob, &laptop]));
    conversation.say(&laptop, ClientMessage::FetchKeys { request: RequestId(4), user: "alice".into() });
    assert!(matches!(conversation.take(&laptop)[..], [ServerMessage::Keys { .. }]), "from now on it counts");
}

#[test]
fn only_a_device_of_the_list_signs_for_another() {
    let (mut conversation, [_, _, _]) = household();
    let tablet = ActorName::from("bob-tablet");
    conversation.connect(&tablet);
    conversation.say(&tablet, sign_in("bob", &tablet, "the password of bob"));
    let keys = keys("bob", "bob-tablet");
    let consent = keys.consent(&identity("bob-tablet"));
    let list = conversation.service.store.account(&"bob".into()).unwrap().list.clone();
    let link = Box::new(list.sign(DeviceChange::Add { keys, consent }, &tablet, &identity("bob-tablet")));
    conversation.inbox.clear();
    conversation.say(&tablet, ClientMessage::ExtendDevices { request: RequestId(5), link: link.clone() });
    conversation.say(&phone("bob"), ClientMessage::ExtendDevices { request: RequestId(5), link });
    for device in [tablet, phone("bob")] {
        assert_eq!(conversation.take(&device), [ServerMessage::Refused { request: RequestId(5) }]);
    }
}

#[test]
fn a_removed_device_is_out_at_once_with_its_call_and_its_credentials() {
    let (mut conversation, [alice, _, laptop]) = household();
    conversation.say(&alice, invite(call_id(1), &alice, &[&phone("bob"), &laptop]));
    conversation.say(&laptop, accept(call_id(1), &laptop, &alice));
    assert_eq!(conversation.granted.len(), 2);
    let began = conversation.now;
    conversation.inbox.clear();
    let list = conversation.service.store.account(&"bob".into()).unwrap().list.clone();
    let change = DeviceChange::Remove { device: laptop.clone() };
    let link = Box::new(list.sign(change, &phone("bob"), &identity("bob-phone")));
    conversation.say(&phone("bob"), ClientMessage::ExtendDevices { request: RequestId(9), link });
    let told = conversation.take_timed(&laptop);
    assert_eq!(told.back().map(|(_, message)| message), Some(&ServerMessage::LoggedOut));
    assert!(told.iter().all(|(at, _)| at.since(began) < Micros::from_millis(10)), "{told:?}");
    assert!(conversation.granted.is_empty() && conversation.service.store.calls().count() == 0);
    let ended = ServerMessage::Ended { call: call_id(1), reason: CallEnd::HungUp };
    assert!(conversation.take(&alice).contains(&ended));
    conversation.attach(&laptop);
    assert!(
        matches!(conversation.take(&laptop)[..], [ServerMessage::NotAttached { .. }]),
        "its token is worth nothing"
    );
}

#[test]
fn a_ring_goes_on_at_the_devices_that_are_left() {
    let (mut conversation, [alice, bob, laptop]) = household();
    conversation.say(&alice, invite(call_id(1), &alice, &[&bob, &laptop]));
    conversation.extend_list("bob", DeviceChange::Remove { device: laptop.clone() });
    assert_eq!(conversation.service.store.calls().count(), 1);
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    assert!(matches!(conversation.take(&bob)[..], [ServerMessage::Accepted { .. }]));
}

#[test]
fn v103_leaves_a_removed_device_its_session() {
    let (mut conversation, [_, _, laptop]) = household();
    mutant::plant(&[Mutant::V103]);
    conversation.extend_list("bob", DeviceChange::Remove { device: laptop.clone() });
    mutant::plant(&[]);
    conversation.close(&laptop);
    conversation.attach(&laptop);
    assert!(matches!(conversation.take(&laptop)[..], [ServerMessage::SignedIn { .. }]));
}

#[test]
fn the_version_is_asked_for_at_each_sign_in() {
    let mut conversation = Conversation::new(&["bob"]);
    let laptop = ActorName::from("bob-laptop");
    conversation.connect(&laptop);
    let ClientMessage::SignIn { request, password, keys, consent, .. } = sign_in("bob", &laptop, "the password of bob")
    else {
        panic!("a sign-in")
    };
    let version = PROTOCOL_VERSION - 1;
    conversation.say(&laptop, ClientMessage::SignIn { request, version, password, keys, consent });
    assert_eq!(conversation.take(&laptop), [ServerMessage::Refused { request }]);
}
