//! The call table, row by row, and what holds across rows.

use super::conversation::{COMMIT, Conversation, accept, accept_for, call_id, envelope, invite, phone, sign_up};
use kernel::{
    event::{CallOutcome, Fact},
    mutant::{self, Mutant},
    names::ActorName,
    time::{Micros, SimTime},
};
use protocol::{CallEnd, CallRowEntry, ClientMessage, EnvelopeKind, RequestId, RowEntry, ServerMessage};

fn friends() -> (Conversation, ActorName, ActorName) {
    let mut conversation = Conversation::new(&["alice", "bob", "carol"]);
    conversation.befriend("alice", "bob");
    (conversation, phone("alice"), phone("bob"))
}

fn ringing() -> (Conversation, ActorName, ActorName) {
    let (mut conversation, alice, bob) = friends();
    conversation.say(&alice, invite(call_id(1), &alice, &[&bob]));
    let got = conversation.take(&bob);
    assert!(matches!(&got[..], [ServerMessage::Ring { call, .. }] if *call == call_id(1)), "{got:?}");
    (conversation, alice, bob)
}

fn live() -> (Conversation, ActorName, ActorName) {
    let (mut conversation, alice, bob) = ringing();
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    conversation.inbox.clear();
    (conversation, alice, bob)
}

fn ends(messages: &[ServerMessage]) -> Vec<CallEnd> {
    messages
        .iter()
        .filter_map(|m| if let ServerMessage::Ended { reason, .. } = m { Some(*reason) } else { None })
        .collect()
}

fn rows(messages: &[ServerMessage]) -> Vec<CallRowEntry> {
    let row = |m: &ServerMessage| {
        if let ServerMessage::Row { row: RowEntry::Call(row), .. } = m { Some(row.clone()) } else { None }
    };
    messages.iter().filter_map(row).collect()
}

#[track_caller]
fn assert_over(conversation: &mut Conversation, told: &[&ActorName], reason: CallEnd, outcome: CallOutcome) {
    for device in told {
        let got = conversation.take(device);
        assert_eq!(ends(&got), [reason], "{device} is told once");
        assert_eq!(rows(&got).iter().map(|row| row.outcome).collect::<Vec<_>>(), [outcome], "{device} has the row");
    }
    assert!(conversation.granted.is_empty(), "no relay credential outlives its call");
    assert_eq!(conversation.service.store.calls().count(), 0);
}

#[test]
fn an_invite_between_friends_rings_with_the_callers_keys() {
    let (mut conversation, alice, bob) = friends();
    conversation.say(&alice, invite(call_id(1), &alice, &[&bob]));
    let got = conversation.take(&bob);
    let [ServerMessage::Ring { from, caller, video: true, age, offer, .. }] = &got[..] else { panic!("{got:?}") };
    assert_eq!((from.as_str(), &caller.device, &offer.header.to), ("alice", &alice, &bob));
    assert!(*age >= COMMIT && *age < Micros::from_millis(10), "the ring leaves after the commit: {age}");
    assert!(conversation.take(&alice).is_empty());
}

#[test]
fn nothing_is_said_before_the_store_committed() {
    let (mut conversation, alice, bob) = friends();
    conversation.send(&alice, invite(call_id(1), &alice, &[&bob]));
    conversation.pass(Micros::from_millis(1));
    assert!(conversation.take(&bob).is_empty());
    assert!(!conversation.facts.iter().any(|fact| matches!(fact, Fact::CallRinging { .. })));
    conversation.pass(COMMIT);
    assert_eq!(conversation.take(&bob).len(), 1);
}

#[test]
fn a_second_invite_of_the_caller_is_rejected_from_any_of_their_devices() {
    let (mut conversation, alice, bob) = ringing();
    let laptop = conversation.add_laptop("alice");
    for device in [&alice, &laptop] {
        conversation.inbox.clear();
        conversation.say(device, invite(call_id(2), device, &[&bob]));
        assert_eq!(conversation.take(device), [ServerMessage::Rejected { call: call_id(2) }]);
    }
    assert!(conversation.take(&bob).is_empty(), "the first call rings on");
}

#[test]
fn an_invite_of_the_callee_is_glare_and_the_first_call_rings_at_its_device() {
    let (mut conversation, alice, bob) = ringing();
    for _ in 0..2 {
        conversation.say(&bob, invite(call_id(3), &bob, &[&alice]));
        let got = conversation.take(&bob);
        let [ServerMessage::Ring { call, .. }, glare] = &got[..] else { panic!("{got:?}") };
        assert_eq!((*call, glare), (call_id(1), &ServerMessage::Glare { call: call_id(3), other: call_id(1) }));
        assert!(conversation.take(&alice).is_empty(), "the first call rings on, and nobody rings twice");
    }
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    assert!(matches!(conversation.take(&alice)[..], [ServerMessage::Accepted { .. }]));
}

#[test]
fn an_invite_of_the_callee_is_busy_when_the_call_is_live_or_does_not_ring_at_its_device() {
    let (mut conversation, alice, bob) = live();
    conversation.say(&bob, invite(call_id(3), &bob, &[&alice]));
    assert_eq!(ends(&conversation.take(&bob)), [CallEnd::Busy]);

    let (mut conversation, alice, _) = ringing();
    let laptop = conversation.add_laptop("bob");
    conversation.inbox.clear();
    conversation.say(&laptop, invite(call_id(3), &laptop, &[&alice]));
    assert_eq!(ends(&conversation.take(&laptop)), [CallEnd::Busy], "the offer was for the phone only");
}

#[test]
fn v13_lets_both_calls_ring() {
    let (mut conversation, alice, bob) = ringing();
    mutant::plant(&[Mutant::V13]);
    conversation.say(&bob, invite(call_id(3), &bob, &[&alice]));
    mutant::plant(&[]);
    assert!(matches!(conversation.take(&alice)[..], [ServerMessage::Ring { .. }]));
    assert_eq!(conversation.service.store.calls().count(), 2);
}

#[test]
fn a_call_id_is_never_used_twice() {
    let (mut conversation, alice, bob) = ringing();
    conversation.say(&bob, ClientMessage::Decline { call: call_id(1) });
    conversation.inbox.clear();
    conversation.say(&alice, invite(call_id(1), &alice, &[&bob]));
    assert_eq!(conversation.take(&alice), [ServerMessage::Rejected { call: call_id(1) }]);
    assert!(conversation.take(&bob).is_empty());
}

#[test]
fn the_caller_hears_once_that_it_rings() {
    let (mut conversation, alice, bob) = ringing();
    conversation.say(&bob, ClientMessage::Ringing { call: call_id(1) });
    conversation.say(&bob, ClientMessage::Ringing { call: call_id(1) });
    assert_eq!(conversation.take(&alice), [ServerMessage::Ringing { call: call_id(1) }]);
}

#[test]
fn accepted_goes_to_both_ends_with_relay_credentials_of_their_own() {
    let (mut conversation, alice, bob) = ringing();
    assert!(conversation.granted.is_empty(), "no credential before the accept");
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    let (at_alice, at_bob) = (conversation.take(&alice), conversation.take(&bob));
    let [ServerMessage::Accepted { device, answer: Some(answer), relays: of_alice, .. }] = &at_alice[..] else {
        panic!("{at_alice:?}")
    };
    let [ServerMessage::Accepted { answer: None, relays: of_bob, .. }] = &at_bob[..] else { panic!("{at_bob:?}") };
    assert_eq!((device, &answer.header.to), (&bob, &alice));
    assert_eq!((of_alice.len(), of_bob.len(), conversation.granted.len()), (1, 1, 2));
    assert_ne!(of_alice[0].username, of_bob[0].username);
    assert_ne!(of_alice[0].password, of_bob[0].password);
    let issued = |fact: &Fact| matches!(fact, Fact::RelayCredentialIssued { .. });
    assert_eq!(conversation.facts.iter().filter(|fact| issued(fact)).count(), 2);
}

#[test]
fn another_device_of_the_callee_stops_when_one_accepts_and_cannot_accept_too() {
    let (mut conversation, alice, bob) = friends();
    let laptop = conversation.add_laptop("bob");
    conversation.inbox.clear();
    conversation.say(&alice, invite(call_id(1), &alice, &[&bob, &laptop]));
    assert_eq!((conversation.take(&bob).len(), conversation.take(&laptop).len()), (1, 1));
    conversation.say(&laptop, accept(call_id(1), &laptop, &alice));
    let elsewhere = [ServerMessage::Elsewhere { call: call_id(1) }];
    assert_eq!(conversation.take(&bob), elsewhere);
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    assert_eq!(conversation.take(&bob), elsewhere);
    conversation.say(&laptop, ClientMessage::HangUp { call: call_id(1) });
    assert_eq!(rows(&conversation.take(&bob)).len(), 1, "every device has the row");
}

#[test]
fn the_caller_cannot_accept_for_the_callee_nor_can_a_third_user() {
    let (mut conversation, alice, _) = ringing();
    let carol = phone("carol");
    for device in [&alice, &carol] {
        conversation.say(device, accept(call_id(1), device, &alice));
        assert_eq!(ends(&conversation.take(device)), [CallEnd::Unknown]);
    }
    conversation.say(&carol, ClientMessage::HangUp { call: call_id(1) });
    assert_eq!(ends(&conversation.take(&carol)), [CallEnd::Unknown]);
    assert_eq!(conversation.service.store.calls().count(), 1);
    assert_eq!(conversation.service.attacks(), 2, "each is counted");
    assert!(conversation.granted.is_empty());
}

#[test]
fn v150_lets_the_caller_accept_for_the_callee() {
    let (mut conversation, alice, bob) = ringing();
    mutant::plant(&[Mutant::V150]);
    conversation.say(&alice, accept_for(&bob, call_id(1), &alice, &alice));
    mutant::plant(&[]);
    assert!(matches!(conversation.take(&bob)[..], [ServerMessage::Elsewhere { .. }]));
    assert_eq!(conversation.granted.len(), 2);
}

#[test]
fn a_decline_ends_the_call_on_every_device() {
    let (mut conversation, alice, bob) = ringing();
    conversation.say(&bob, ClientMessage::Decline { call: call_id(1) });
    assert_over(&mut conversation, &[&alice, &bob], CallEnd::Declined, CallOutcome::Declined);
}

#[test]
fn a_cancel_ends_the_ring() {
    let (mut conversation, alice, bob) = ringing();
    conversation.say(&alice, ClientMessage::Cancel { call: call_id(1) });
    assert_over(&mut conversation, &[&alice, &bob], CallEnd::Cancelled, CallOutcome::Cancelled);
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    assert_eq!(ends(&conversation.take(&bob)), [CallEnd::Unknown], "a late accept revives nothing");
    mutant::plant(&[Mutant::V10]);
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    mutant::plant(&[]);
    assert!(matches!(conversation.take(&bob)[..], [ServerMessage::Accepted { .. }]), "but under V10");
}

#[test]
fn v15_forgets_to_tell_of_a_cancel() {
    let (mut conversation, alice, bob) = ringing();
    mutant::plant(&[Mutant::V15]);
    conversation.say(&alice, ClientMessage::Cancel { call: call_id(1) });
    mutant::plant(&[]);
    assert!(ends(&conversation.take(&bob)).is_empty());
    assert_eq!(conversation.service.store.calls().count(), 0);
}

#[test]
fn a_busy_callee_ends_the_call() {
    let (mut conversation, alice, bob) = ringing();
    conversation.say(&bob, ClientMessage::Busy { call: call_id(1) });
    assert_over(&mut conversation, &[&alice, &bob], CallEnd::Busy, CallOutcome::Missed);
}

#[test]
fn a_call_rings_for_60_seconds_and_no_longer() {
    let (mut conversation, alice, bob) = ringing();
    conversation.pass(Micros(59_900_000));
    assert!(conversation.take(&alice).is_empty());
    conversation.pass(Micros(200_000));
    assert_over(&mut conversation, &[&alice, &bob], CallEnd::Unanswered, CallOutcome::Missed);
}

#[test]
fn v125_leaves_an_unanswered_call_ringing_for_ever() {
    mutant::plant(&[Mutant::V125]);
    let (mut conversation, alice, _) = ringing();
    conversation.pass(Micros::from_secs(3_600));
    mutant::plant(&[]);
    assert!(conversation.take(&alice).is_empty());
    assert_eq!(conversation.service.store.calls().count(), 1);
}

#[test]
fn either_end_can_hang_up_and_the_row_says_how_long_it_was() {
    for hangs_up in [phone("alice"), phone("bob")] {
        let (mut conversation, alice, bob) = live();
        conversation.pass(Micros::from_secs(12));
        conversation.say(&hangs_up, ClientMessage::HangUp { call: call_id(1) });
        let row = rows(&conversation.service.store.rows_after(&"alice".into(), &"alice-phone".into(), 0))[0].clone();
        assert!((12_000_000..12_100_000).contains(&row.duration.0), "{row:?}");
        assert_over(&mut conversation, &[&alice, &bob], CallEnd::HungUp, CallOutcome::Answered);
        conversation.say(&hangs_up, ClientMessage::HangUp { call: call_id(1) });
        assert_eq!(ends(&conversation.take(&hangs_up)), [CallEnd::Unknown]);
    }
}

#[test]
fn unfriending_and_blocking_end_ringing_and_live_calls_in_the_same_transaction() {
    for (start, outcome) in
        [(ringing as fn() -> (Conversation, ActorName, ActorName), CallOutcome::Missed), (live, CallOutcome::Answered)]
    {
        for blocks in [false, true] {
            let (mut conversation, alice, bob) = start();
            let (request, user) = (RequestId(4), "alice".into());
            let message =
                if blocks { ClientMessage::Block { request, user } } else { ClientMessage::Unfriend { request, user } };
            conversation.say(&bob, message);
            let over = conversation.facts.iter().position(|fact| matches!(fact, Fact::CallOver { .. })).unwrap();
            assert!(matches!(conversation.facts[over - 1], Fact::Unfriended { .. } | Fact::Blocked { .. }));
            assert_over(&mut conversation, &[&alice, &bob], CallEnd::Unfriended, outcome);
        }
    }
}

#[test]
fn v22_lets_a_call_outlive_the_friendship() {
    let (mut conversation, alice, bob) = live();
    mutant::plant(&[Mutant::V22]);
    conversation.say(&bob, ClientMessage::Unfriend { request: RequestId(4), user: "alice".into() });
    mutant::plant(&[]);
    assert!(ends(&conversation.take(&alice)).is_empty());
    assert_eq!(conversation.service.store.calls().count(), 1);
}

#[test]
fn v20_lets_a_stranger_ring() {
    mutant::plant(&[Mutant::V20]);
    let (mut conversation, _, bob) = friends();
    let carol = phone("carol");
    conversation.say(&carol, invite(call_id(1), &carol, &[&bob]));
    mutant::plant(&[]);
    assert!(matches!(conversation.take(&bob)[..], [ServerMessage::Ring { .. }]));
}

#[test]
fn an_accept_is_checked_against_the_friendship_again() {
    let (mut conversation, alice, bob) = ringing();
    mutant::plant(&[Mutant::V22]);
    conversation.say(&alice, ClientMessage::Unfriend { request: RequestId(4), user: "bob".into() });
    mutant::plant(&[]);
    conversation.inbox.clear();
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    assert_over(&mut conversation, &[&alice, &bob], CallEnd::Unfriended, CallOutcome::Missed);
}

#[test]
fn peer_messages_pass_between_the_ends_of_a_live_call_only() {
    let (mut conversation, alice, bob) = live();
    let peer = |from: &ActorName, to: &ActorName| ClientMessage::ToPeer {
        call: call_id(1),
        body: envelope(EnvelopeKind::Peer, call_id(1), from, to),
    };
    conversation.say(&alice, peer(&alice, &bob));
    assert!(matches!(conversation.take(&bob)[..], [ServerMessage::FromPeer { .. }]));
    let carol = phone("carol");
    conversation.say(&carol, peer(&carol, &bob));
    conversation.say(&alice, peer(&bob, &alice));
    assert!(conversation.take(&bob).is_empty() && conversation.take(&alice).is_empty());

    let (mut conversation, alice, bob) = ringing();
    conversation.say(&alice, peer(&alice, &bob));
    assert!(conversation.take(&bob).is_empty(), "nothing reaches a device that only rings");
    conversation.service.pass_before_accept(true);
    conversation.say(&alice, peer(&alice, &bob));
    assert!(matches!(conversation.take(&bob)[..], [ServerMessage::FromPeer { .. }]), "unless the server colludes");
}

#[test]
fn a_lost_connection_ends_a_live_call_after_30_seconds_unless_it_comes_back() {
    let (mut conversation, alice, bob) = live();
    conversation.close(&alice);
    conversation.pass(Micros::from_secs(29));
    conversation.attach(&alice);
    conversation.pass(Micros::from_secs(31));
    assert_eq!(conversation.service.store.calls().count(), 1);
    conversation.close(&alice);
    conversation.pass(Micros::from_secs(31));
    assert_eq!(ends(&conversation.take(&bob)), [CallEnd::HungUp]);
    conversation.attach(&alice);
    let got = conversation.take(&alice);
    assert_eq!((ends(&got), rows(&got).len()), (vec![CallEnd::HungUp], 1), "it hears of the end when it is back");
}

#[test]
fn a_ring_without_its_caller_stops_after_10_seconds() {
    let (mut conversation, alice, bob) = ringing();
    conversation.close(&alice);
    conversation.pass(Micros::from_secs(11));
    assert_eq!(ends(&conversation.take(&bob)), [CallEnd::Cancelled]);
}

#[test]
fn a_device_that_attaches_in_time_rings_with_the_age_of_the_invite() {
    let (mut conversation, alice, bob) = friends();
    conversation.close(&bob);
    conversation.say(&alice, invite(call_id(1), &alice, &[&bob]));
    conversation.pass(Micros::from_secs(20));
    conversation.attach(&bob);
    let got = conversation.take(&bob);
    let [ServerMessage::SignedIn { .. }, ServerMessage::Ring { age, .. }] = &got[..] else { panic!("{got:?}") };
    assert!((20_000_000..21_000_000).contains(&age.0), "{age}");
    conversation.close(&bob);
    conversation.pass(Micros::from_secs(60));
    conversation.attach(&bob);
    let got = conversation.take(&bob);
    assert!(!got.iter().any(|message| matches!(message, ServerMessage::Ring { .. })), "{got:?}");
    assert_eq!(rows(&got).len(), 1, "a missed call is no invisible call");
}

#[test]
fn an_accepted_that_waited_for_its_device_is_not_delivered_after_the_end() {
    let (mut conversation, alice, bob) = ringing();
    conversation.close(&alice);
    conversation.say(&bob, accept(call_id(1), &bob, &alice));
    conversation.say(&bob, ClientMessage::Unfriend { request: RequestId(4), user: "alice".into() });
    conversation.attach(&alice);
    let got = conversation.take(&alice);
    assert!(!got.iter().any(|message| matches!(message, ServerMessage::Accepted { .. })), "{got:?}");
    assert_eq!(ends(&got), [CallEnd::Unfriended]);
}

#[test]
fn a_device_signs_in_again_with_its_password_only() {
    let mut conversation = Conversation::new(&["alice"]);
    let alice = phone("alice");
    let retry = |conversation: &mut Conversation, password: &str| {
        conversation.close(&alice);
        conversation.connect(&alice);
        conversation.say(&alice, sign_up("alice", password));
        conversation.take(&alice)
    };
    assert!(matches!(retry(&mut conversation, "not the password")[..], [ServerMessage::Refused { .. }]));
    assert!(matches!(retry(&mut conversation, "the password of alice")[..], [ServerMessage::SignedIn { .. }]));
    for _ in 0..9 {
        retry(&mut conversation, "not the password");
    }
    let got = retry(&mut conversation, "the password of alice");
    assert!(matches!(got[..], [ServerMessage::Refused { .. }]), "ten guesses an hour: {got:?}");
    conversation.pass(Micros::from_secs(3_600));
    assert!(matches!(retry(&mut conversation, "the password of alice")[..], [ServerMessage::SignedIn { .. }]));
}

#[test]
fn a_password_hash_takes_its_simulated_time() {
    let mut conversation = Conversation::new(&[]);
    conversation.connect(&phone("alice"));
    conversation.say(&phone("alice"), sign_up("alice", "correct horse"));
    let (at, _) = conversation.take_timed(&phone("alice"))[0];
    assert!(at > SimTime(20_000) && at < SimTime(25_000), "{at}");
}

#[test]
fn nothing_is_done_before_sign_in() {
    let mut conversation = Conversation::new(&["alice"]);
    let mallory = phone("mallory");
    conversation.connect(&mallory);
    conversation.say(&mallory, invite(call_id(1), &mallory, &[&phone("alice")]));
    conversation.say(&mallory, ClientMessage::RequestFriend { request: RequestId(1), user: "alice".into() });
    assert!(conversation.take(&mallory).is_empty() && conversation.take(&phone("alice")).is_empty());
}

#[test]
fn the_snapshot_holds_no_password_and_no_token() {
    let mut conversation = Conversation::new(&[]);
    let alice = phone("alice");
    conversation.connect(&alice);
    conversation.say(&alice, sign_up("alice", "correct horse battery"));
    let got = conversation.take(&alice);
    let [ServerMessage::SignedIn { token, .. }] = &got[..] else { panic!("{got:?}") };
    let snapshot = conversation.service.snapshot();
    let holds = |secret: &str| snapshot.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(holds("alice-phone"), "the search finds what is there");
    assert!(!holds("correct horse battery") && !holds(token));
}

#[test]
fn what_is_said_again_is_answered_again() {
    let mut table = Conversation::new(&["alice", "bob"]);
    table.befriend("alice", "bob");
    let (alice, bob) = (phone("alice"), phone("bob"));
    let call = call_id(1);
    table.say(&alice, invite(call, &alice, &[&bob]));
    table.inbox.clear();
    table.say(&alice, invite(call, &alice, &[&bob]));
    assert!(matches!(table.take(&bob)[..], [ServerMessage::Ring { .. }]), "the ring may have been lost");
    table.say(&bob, ClientMessage::Ringing { call });
    table.inbox.clear();
    table.say(&alice, invite(call, &alice, &[&bob]));
    assert_eq!(table.take(&alice), [ServerMessage::Ringing { call }]);
    table.say(&bob, accept(call, &bob, &alice));
    let (told_alice, told_bob) = (table.take(&alice), table.take(&bob));
    table.say(&bob, accept(call, &bob, &alice));
    assert_eq!((table.take(&alice), table.take(&bob)), (told_alice.clone(), told_bob.clone()));
    table.say(&alice, invite(call, &alice, &[&bob]));
    assert_eq!((table.take(&alice), table.take(&bob)), (told_alice, told_bob));
    assert_eq!(table.granted.len(), 2, "the same credentials, not new ones");
}

/// A ring and a live call at the time of a crash: the ring is over, the live call waits for both ends.
#[test]
fn a_restart_ends_rings_and_keeps_live_calls_whose_ends_come_back() {
    for (comes_back, lives) in [(true, true), (false, false)] {
        let mut table = Conversation::new(&["alice", "bob", "carol", "dave"]);
        table.befriend("alice", "bob");
        table.befriend("carol", "dave");
        let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(phone);
        table.say(&alice, invite(call_id(1), &alice, &[&bob]));
        table.say(&bob, accept(call_id(1), &bob, &alice));
        table.say(&carol, invite(call_id(2), &carol, &[&dave]));
        table.crash();
        let back: &[&ActorName] = if comes_back { &[&alice, &bob, &carol] } else { &[&alice, &carol] };
        back.iter().for_each(|device| table.attach(device));
        let told = table.take(&carol);
        let over =
            |message: &ServerMessage| matches!(message, ServerMessage::Ended { call, .. } if *call == call_id(2));
        assert!(told.iter().any(over), "{told:?}");
        table.pass(Micros::from_secs(31));
        let ended = table.take(&alice).iter().any(|message| matches!(message, ServerMessage::Ended { .. }));
        assert_eq!(ended, !lives);
    }
}
