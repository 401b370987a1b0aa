//! How an account gets another password, who is out then, and what a one-time code is good for.

use super::conversation::{Conversation, identity, keys, phone, sign_in, sign_up};
use kernel::{
    event::{Fact, PasswordPath},
    mutant::{self, Mutant},
    names::ActorName,
    time::Micros,
};
use protocol::{ClientMessage, PROTOCOL_VERSION, RequestId, ServerMessage};

const NEW: &str = "a new horse for the battery";
const WEAK: &str = "password1";

fn change(user: &str, old: &str, new: &str) -> ClientMessage {
    ClientMessage::ChangePassword { request: RequestId(4), user: user.into(), old: old.into(), new: new.into() }
}

fn end_others(user: &str) -> ClientMessage {
    ClientMessage::EndOtherSessions { request: RequestId(4), user: user.into() }
}

fn ask_code(user: &str) -> ClientMessage {
    ClientMessage::RequestCode { request: RequestId(4), user: user.into() }
}

fn reset(user: &str, device: &ActorName, code: &str, password: &str) -> ClientMessage {
    let keys = keys(user, device.as_str());
    let consent = keys.consent(&identity(device.as_str()));
    let (request, version) = (RequestId(4), PROTOCOL_VERSION);
    ClientMessage::ResetPassword { request, version, code: code.into(), password: password.into(), keys, consent }
}

/// Bob with a phone and a laptop, and alice.
fn household() -> (Conversation, ActorName, ActorName) {
    let mut conversation = Conversation::new(&["alice", "bob"]);
    let laptop = conversation.add_laptop("bob");
    conversation.inbox.clear();
    (conversation, phone("bob"), laptop)
}

fn is_signed_in(messages: &[ServerMessage]) -> bool {
    matches!(messages.first(), Some(ServerMessage::SignedIn { .. }))
}

fn is_refused(messages: &[ServerMessage]) -> bool {
    matches!(messages, [ServerMessage::Refused { .. }])
}

fn is_done(messages: &[ServerMessage]) -> bool {
    matches!(messages, [ServerMessage::Done { .. }])
}

/// The code that bob was sent last.
fn code(conversation: &mut Conversation, asks: &ActorName) -> String {
    conversation.say(asks, ask_code("bob"));
    assert!(is_done(&conversation.take(asks)));
    let (user, code) = conversation.mailed.last().unwrap().clone();
    assert!(user == "bob" && code.len() == 8 && code.bytes().all(|digit| digit.is_ascii_digit()));
    code
}

fn signs_in(conversation: &mut Conversation, password: &str) -> bool {
    let laptop = ActorName::from("bob-laptop");
    conversation.connect(&laptop);
    conversation.say(&laptop, sign_in("bob", &laptop, password));
    is_signed_in(&conversation.take(&laptop))
}

#[test]
fn the_rule_for_passwords_holds_on_every_path_unless_v121_is_planted() {
    let weak_reset = |mutants: &[Mutant]| {
        let (mut conversation, bob, laptop) = household();
        let code = code(&mut conversation, &bob);
        mutant::plant(mutants);
        conversation.connect(&laptop);
        conversation.say(&laptop, reset("bob", &laptop, &code, WEAK));
        mutant::plant(&[]);
        (conversation.take(&laptop), conversation)
    };
    let mut conversation = Conversation::new(&[]);
    let carol = phone("carol");
    conversation.connect(&carol);
    for weak in [WEAK, "short", "carol", &"x".repeat(300)] {
        conversation.say(&carol, sign_up("carol", weak));
        assert!(is_refused(&conversation.take(&carol)), "{weak}");
    }
    let (mut conversation, bob, _) = household();
    conversation.say(&bob, change("bob", "the password of bob", WEAK));
    assert!(is_refused(&conversation.take(&bob)));
    assert!(signs_in(&mut conversation, "the password of bob"));
    let (answer, conversation) = weak_reset(&[]);
    assert!(is_refused(&answer));
    let tried = |fact: &Fact| matches!(fact, Fact::CodeTried { .. });
    assert!(!conversation.facts.iter().any(tried), "a password that will not do costs no try");
    assert!(is_signed_in(&weak_reset(&[Mutant::V121]).0));
}

#[test]
fn a_change_logs_all_others_out_at_once_and_the_new_password_lets_them_in_again() {
    let (mut conversation, bob, laptop) = household();
    let began = conversation.now;
    conversation.say(&bob, change("bob", "the password of bob", NEW));
    assert!(is_done(&conversation.take(&bob)));
    let told = conversation.take_timed(&laptop);
    assert!(matches!(told.front(), Some((at, ServerMessage::LoggedOut)) if at.since(began) < Micros::from_millis(100)));
    let (user, by) = ("bob".into(), bob.clone());
    let set = Fact::PasswordSet { user, how: PasswordPath::Change, by: by.clone() };
    let revoked = Fact::SessionRevoked { user: "bob".into(), device: laptop.clone(), by };
    assert!(conversation.facts.ends_with(&[set, revoked]));
    conversation.attach(&laptop);
    assert!(
        matches!(conversation.take(&laptop)[..], [ServerMessage::NotAttached { .. }]),
        "its token is worth nothing"
    );
    assert!(!signs_in(&mut conversation, "the password of bob"));
    assert!(signs_in(&mut conversation, NEW));
    conversation.close(&bob);
    conversation.attach(&bob);
    assert!(is_signed_in(&conversation.take(&bob)), "who changed it stays");
}

#[test]
fn a_change_needs_the_old_password_and_its_tries_count() {
    let (mut conversation, bob, _) = household();
    for _ in 0..10 {
        conversation.say(&bob, change("bob", "not the password", NEW));
        assert!(is_refused(&conversation.take(&bob)));
    }
    conversation.say(&bob, change("bob", "the password of bob", NEW));
    assert!(is_refused(&conversation.take(&bob)), "the eleventh is not looked at");
}

#[test]
fn ten_wrong_guesses_of_somebody_else_do_not_touch_who_has_a_session() {
    let (mut conversation, bob, laptop) = household();
    for n in 0..12 {
        let guesser = ActorName::from(format!("guesser-{n}"));
        conversation.connect(&guesser);
        conversation.say(&guesser, sign_in("bob", &guesser, "not the password"));
    }
    assert!(!signs_in(&mut conversation, "the password of bob"), "the password itself is not looked at");
    for device in [&bob, &laptop] {
        conversation.attach(device);
        assert!(is_signed_in(&conversation.take(device)));
        conversation.say(device, ClientMessage::FetchKeys { request: RequestId(1), user: "bob".into() });
        assert!(matches!(conversation.take(device)[..], [ServerMessage::Keys { .. }]));
    }
    // And the way by the mailbox is open.
    let code = code(&mut conversation, &bob);
    conversation.say(&bob, reset("bob", &bob, &code, NEW));
    assert!(is_signed_in(&conversation.take(&bob)));
}

#[test]
fn a_code_sets_a_password_once_and_logs_everybody_else_out() {
    let (mut conversation, bob, laptop) = household();
    let tablet = ActorName::from("bob-tablet");
    conversation.connect(&tablet);
    let code = code(&mut conversation, &tablet);
    conversation.say(&tablet, reset("bob", &tablet, &code, NEW));
    assert!(is_signed_in(&conversation.take(&tablet)));
    for device in [&bob, &laptop] {
        let told = conversation.take(device);
        assert!(told.contains(&ServerMessage::LoggedOut), "{device}: {told:?}");
    }
    // It is a new device all the same: another one must confirm it.
    conversation.say(&tablet, ClientMessage::FetchKeys { request: RequestId(3), user: "bob".into() });
    assert!(is_refused(&conversation.take(&tablet)));
    conversation.connect(&laptop);
    conversation.say(&laptop, reset("bob", &laptop, &code, "yet another long password"));
    assert!(is_refused(&conversation.take(&laptop)), "a code is good once");
    assert!(signs_in(&mut conversation, NEW));
}

#[test]
fn a_code_is_good_for_ten_minutes_and_until_the_next_one_or_a_change() {
    let after = |wait: &dyn Fn(&mut Conversation)| {
        let (mut conversation, bob, laptop) = household();
        let code = code(&mut conversation, &bob);
        wait(&mut conversation);
        conversation.connect(&laptop);
        conversation.say(&laptop, reset("bob", &laptop, &code, NEW));
        is_signed_in(&conversation.take(&laptop))
    };
    assert!(after(&|conversation| conversation.pass(Micros::from_secs(599))));
    assert!(!after(&|conversation| conversation.pass(Micros::from_secs(600))));
    assert!(!after(&|conversation| drop(code(conversation, &phone("alice")))));
    assert!(!after(&|conversation| conversation.say(&phone("bob"), change("bob", "the password of bob", NEW))));
}

/// A thousand connections from as many addresses at one instant.
fn at_once(conversation: &mut Conversation, say: impl Fn(&ActorName) -> ClientMessage) -> Vec<Vec<ServerMessage>> {
    let guessers: Vec<ActorName> = (0..1_000).map(|n| ActorName::from(format!("guesser-{n}"))).collect();
    for guesser in &guessers {
        conversation.connect(guesser);
        conversation.send(guesser, say(guesser));
    }
    conversation.pass(Micros::from_secs(60));
    guessers.iter().map(|guesser| conversation.take(guesser)).collect()
}

#[test]
fn of_a_thousand_codes_at_one_instant_five_are_looked_at_unless_v100_is_planted() {
    let looked_at = |mutants: &[Mutant]| {
        let (mut conversation, bob, _) = household();
        let right = code(&mut conversation, &bob);
        mutant::plant(mutants);
        let wrong = if right == "00000000" { "00000001" } else { "00000000" };
        let answers = at_once(&mut conversation, |guesser| reset("bob", guesser, wrong, NEW));
        assert!(answers.iter().all(|answer| is_refused(answer)));
        conversation.say(&bob, reset("bob", &bob, &right, NEW));
        let then = is_signed_in(&conversation.take(&bob));
        mutant::plant(&[]);
        let tried = |fact: &&Fact| matches!(fact, Fact::CodeTried { looked_at: true, fits: false, .. });
        (conversation.facts.iter().filter(tried).count(), then)
    };
    assert_eq!(looked_at(&[]), (5, false), "nor is the right one afterwards");
    assert_eq!(looked_at(&[Mutant::V100]), (1_000, true));
}

#[test]
fn of_a_thousand_who_ask_for_a_code_at_one_instant_all_are_told_the_same_and_five_are_sent() {
    let (mut conversation, bob, _) = household();
    let answers = at_once(&mut conversation, |_| ask_code("bob"));
    assert!(answers.iter().all(|answer| is_done(answer)));
    assert_eq!(conversation.mailed.len(), 5);
    conversation.crash();
    conversation.connect(&bob);
    conversation.say(&bob, ask_code("bob"));
    assert_eq!(conversation.mailed.len(), 5, "a crash brings none back");
    conversation.pass(Micros::from_secs(3_600));
    conversation.say(&bob, ask_code("bob"));
    assert_eq!(conversation.mailed.len(), 6);
}

/// What a stranger hears, and after how long.
fn answer(to: ClientMessage, before: &[ClientMessage]) -> Vec<(Micros, ServerMessage)> {
    let (mut conversation, ..) = household();
    let stranger = ActorName::from("guesser");
    conversation.connect(&stranger);
    before.iter().for_each(|message| conversation.say(&stranger, message.clone()));
    conversation.inbox.clear();
    let began = conversation.now;
    conversation.say(&stranger, to);
    conversation.take_timed(&stranger).into_iter().map(|(at, message)| (at.since(began), message)).collect()
}

#[test]
fn whether_there_is_an_account_shows_in_no_answer_about_codes() {
    let sent = answer(ask_code("bob"), &[]);
    assert_eq!(sent.len(), 1);
    assert_eq!(answer(ask_code("nobody"), &[]), sent);
    assert_eq!(answer(ask_code("bob"), &vec![ask_code("bob"); 5]), sent, "nor whether one was sent");
    let guesser = ActorName::from("guesser");
    let guess = |user: &str| reset(user, &guesser, "not a code", NEW);
    let wrong = answer(guess("bob"), &[ask_code("bob")]);
    assert_eq!(wrong.len(), 1);
    for (user, before) in [("bob", vec![]), ("nobody", vec![]), ("bob", vec![guess("bob"); 6])] {
        assert_eq!(answer(guess(user), &before), wrong);
    }
}

#[test]
fn nobody_acts_for_an_account_by_naming_it_unless_v101_is_planted() {
    let (mut conversation, bob, laptop) = household();
    let alice = phone("alice");
    let mut tries = |mutants: &[Mutant], message: ClientMessage| {
        mutant::plant(mutants);
        conversation.say(&alice, message);
        mutant::plant(&[]);
        let out = [&bob, &laptop].map(|device| conversation.take(device).contains(&ServerMessage::LoggedOut));
        (is_done(&conversation.take(&alice)), out)
    };
    assert_eq!(tries(&[], end_others("bob")), (false, [false, false]));
    assert_eq!(tries(&[], change("bob", "the password of bob", NEW)), (false, [false, false]));
    assert_eq!(tries(&[Mutant::V101], end_others("nobody")), (false, [false, false]));
    assert_eq!(tries(&[Mutant::V101], end_others("bob")), (true, [true, true]));
}

#[test]
fn all_other_devices_are_logged_out_and_no_other_user_s() {
    let (mut conversation, bob, laptop) = household();
    conversation.say(&bob, end_others("bob"));
    assert!(is_done(&conversation.take(&bob)));
    assert!(conversation.take(&laptop).contains(&ServerMessage::LoggedOut));
    for device in [&bob, &phone("alice")] {
        conversation.attach(device);
        assert!(is_signed_in(&conversation.take(device)));
    }
}
