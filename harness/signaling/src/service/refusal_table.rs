//! Who may not ring somebody is refused alike, whatever the reason (FG-7).

use super::conversation::{Conversation, accept, call_id, invite, phone};
use kernel::{
    event::{Audience, Setting},
    mutant::{self, Mutant},
    random::SeedTree,
    time::Micros,
};
use protocol::{ClientMessage, RequestId, ServerMessage};

/// Why alice may not ring somebody.
const REASONS: [&str; 11] = [
    "stranger",
    "asked",
    "asks",
    "declined",
    "unfriended",
    "blocks",
    "blocked",
    "follows",
    "unblocked",
    "setting",
    "rate",
];
/// Why a friend may not, who gets keys all the same.
const REASONS_OF_FRIENDS: [&str; 2] = ["setting", "rate"];
/// What the other one does meanwhile.
const STATES: [&str; 4] = ["idle", "rings", "talks", "away"];

/// After how long what is answered.
type Answer = (Micros, Vec<u8>);

/// Somebody who may not be rung for a reason, and does something; alice's tries at him.
fn refused(reason: &str, state: &str, tries: u8) -> Vec<Answer> {
    let mut table = Conversation::new(&["alice", "bob", "carol"]);
    table.befriend("bob", "carol");
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(phone);
    let request = RequestId(1);
    let ask = |user: &str| ClientMessage::RequestFriend { request, user: user.into() };
    match reason {
        "asked" => table.say(&alice, ask("bob")),
        "asks" => table.say(&bob, ask("alice")),
        "declined" => {
            table.say(&alice, ask("bob"));
            table.say(&bob, ClientMessage::AnswerFriend { request, user: "alice".into(), accept: false });
        }
        "unfriended" => {
            table.befriend("alice", "bob");
            table.say(&bob, ClientMessage::Unfriend { request, user: "alice".into() });
        }
        "blocks" => table.say(&alice, ClientMessage::Block { request, user: "bob".into() }),
        "blocked" => {
            table.befriend("alice", "bob");
            table.say(&bob, ClientMessage::Block { request, user: "alice".into() });
        }
        "follows" => table.say(&alice, ClientMessage::Follow { request, user: "bob".into(), follow: true }),
        "unblocked" => {
            table.say(&bob, ClientMessage::Block { request, user: "alice".into() });
            table.say(&bob, ClientMessage::Unblock { request, user: "alice".into() });
        }
        "setting" => {
            table.befriend("alice", "bob");
            table.say(&bob, ClientMessage::Set { request, setting: Setting::Callers(Audience::CloseFriends) });
        }
        "rate" => {
            table.befriend("alice", "bob");
            for call in 1..=3 {
                table.say(&alice, invite(call_id(call), &alice, &[&bob]));
                table.say(&alice, ClientMessage::Cancel { call: call_id(call) });
            }
        }
        _ => {}
    }
    match state {
        "rings" => table.say(&carol, invite(call_id(9), &carol, &[&bob])),
        "talks" => {
            table.say(&carol, invite(call_id(9), &carol, &[&bob]));
            table.say(&bob, accept(call_id(9), &bob, &carol));
        }
        "away" => table.close(&bob),
        _ => {}
    }
    let callee = if reason == "stranger" && tries.is_multiple_of(2) { "nobody" } else { "bob" };
    table.inbox.clear();
    let mut answers = Vec::new();
    for _ in 0..tries {
        table.pass(Micros::from_secs(1));
        let before = table.now;
        table.say(&alice, invite(call_id(7), &alice, &[&phone(callee)]));
        if !REASONS_OF_FRIENDS.contains(&reason) {
            table.say(&alice, ClientMessage::FetchKeys { request: RequestId(5), user: callee.into() });
        }
        let told = table.take_timed(&alice).into_iter();
        answers.extend(told.map(|(at, message)| (at.since(before), postcard::to_allocvec(&message).unwrap())));
    }
    assert!(table.take(&bob).is_empty(), "{callee} hears nothing");
    answers
}

/// So many seeds of reason, state and number of tries; how many were told from the first.
fn told_apart(seeds: u64) -> usize {
    let reference = refused("stranger", "idle", 1);
    assert_eq!(reference.len(), 2, "an answer to the invite, one to the request for keys");
    let differs = |seed: &u64| {
        let mut dice = SeedTree::root(*seed).stream("refusal");
        let mut one_of = |all: &[&'static str]| all[dice.below(all.len() as u64) as usize];
        let (reason, state) = (one_of(&REASONS), one_of(&STATES));
        let answers = refused(reason, state, 1 + dice.below(3) as u8);
        let each = if REASONS_OF_FRIENDS.contains(&reason) { 1 } else { 2 };
        answers.chunks(each).any(|answers| *answers != reference[..each])
    };
    (0..seeds).filter(differs).count()
}

#[test]
fn who_may_not_ring_gets_the_same_bytes_after_the_same_time_over_a_thousand_seeds() {
    assert_eq!(told_apart(1_000), 0);
}

#[test]
fn one_more_look_at_the_store_for_one_reason_tells_the_blocked_apart() {
    mutant::plant(&[Mutant::V126]);
    let apart = told_apart(100);
    mutant::plant(&[]);
    assert!(apart > 10, "{apart}");
}

#[test]
fn nobody_can_ring_himself_and_the_refusal_is_as_any() {
    let (mut table, alice) = (Conversation::new(&["alice", "bob", "carol"]), phone("alice"));
    table.befriend("alice", "bob");
    let before = table.now;
    table.say(&alice, invite(call_id(7), &alice, &[&alice]));
    let (at, message) = table.take_timed(&alice).pop_front().unwrap();
    let answer = (at.since(before), postcard::to_allocvec(&message).unwrap());
    assert_eq!(answer, refused("stranger", "idle", 1)[0]);
}

#[test]
fn friend_requests_to_the_unknown_and_to_a_blocker_are_refused_alike() {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.say(&phone("bob"), ClientMessage::Block { request: RequestId(1), user: "alice".into() });
    conversation.inbox.clear();
    let ask = |conversation: &mut Conversation, user: &str| {
        let before = conversation.now;
        conversation.say(&phone("alice"), ClientMessage::RequestFriend { request: RequestId(3), user: user.into() });
        let timed = conversation.take_timed(&phone("alice"));
        timed.into_iter().map(|(at, message)| (at.since(before), message)).collect::<Vec<_>>()
    };
    let (blocked, unknown) = (ask(&mut conversation, "bob"), ask(&mut conversation, "nobody"));
    assert_eq!(blocked, unknown);
    assert!(matches!(blocked[..], [(_, ServerMessage::Refused { request: RequestId(3) })]));
    assert!(conversation.take(&phone("bob")).is_empty());
}

#[test]
fn lookups_and_follows_of_the_unknown_and_of_a_blocker_are_refused_alike() {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    conversation.say(&phone("bob"), ClientMessage::Block { request: RequestId(1), user: "alice".into() });
    let request = RequestId(3);
    for message in [
        |request, user: &str| ClientMessage::LookUp { request, handle: user.into() },
        |request, user: &str| ClientMessage::Follow { request, user: user.into(), follow: true },
        |request, user: &str| ClientMessage::AskLastSeen { request, user: user.into() },
    ] {
        let mut conversation = conversation.clone();
        let mut ask = |user: &str| {
            let before = conversation.now;
            conversation.inbox.clear();
            conversation.say(&phone("alice"), message(request, user));
            let timed = conversation.take_timed(&phone("alice"));
            timed.into_iter().map(|(at, message)| (at.since(before), message)).collect::<Vec<_>>()
        };
        let (blocked, unknown) = (ask("bob"), ask("nobody"));
        assert_eq!(blocked, unknown);
        assert!(matches!(blocked[..], [(_, ServerMessage::Refused { .. })]), "{blocked:?}");
    }
}
