//! People react: their reaction times count from the exact microsecond at which the screen changed.

use crate::{
    puppets::{Puppet, lines, notes, run},
    village::{step, village},
};
use kernel::{
    CallId, Micros, Plan, SimTime, UserName,
    event::{Act, Screen, Verification},
    plan::When,
};
use world::{ActorInput, ActorOutput};

/// In the middle of a tick of turmoil.
const SHOWN: u64 = 10_000_777;
const CALL: CallId = CallId([7; 16]);

#[test]
fn a_reaction_counts_from_the_microsecond_at_which_the_phone_rang() {
    assert_eq!(acts_of_bob(incoming(), When::AfterRing { delay: Micros(5_001) }), lines(&[(SHOWN + 5_001, "Decline")]));
}

#[test]
fn a_reaction_counts_from_the_microsecond_at_which_the_call_was_live() {
    let live = Screen::Live { call: CALL, peer: alice(), safety_number: "0".repeat(30) };
    assert_eq!(acts_of_bob(live, When::AfterLive { delay: Micros(5_001) }), lines(&[(SHOWN + 5_001, "Decline")]));
}

#[test]
fn nobody_reacts_to_another_screen() {
    assert_eq!(acts_of_bob(incoming(), When::AfterLive { delay: Micros(5_001) }), []);
    let outgoing = Screen::Outgoing { call: CALL, peer: alice() };
    assert_eq!(acts_of_bob(outgoing, When::AfterRing { delay: Micros(5_001) }), []);
}

#[test]
fn an_act_has_the_microsecond_of_its_plan_counted_from_the_timeline() {
    assert_eq!(acts_of_bob(incoming(), When::At { at: Micros(40_321) }), lines(&[(10_040_321, "Decline")]));
}

#[test]
fn a_person_cannot_react_before_the_next_look() {
    assert_eq!(acts_of_bob(incoming(), When::AfterRing { delay: Micros(1) }), lines(&[(10_001_000, "Decline")]));
}

/// Bob's phone shows a screen twice, and he has planned to decline.
fn acts_of_bob(screen: Screen, when: When) -> Vec<(u64, String)> {
    let plan = Plan { timeline: vec![step("bob", when, Act::Decline)], ..village(Micros::from_millis(100)) };
    let outcome = run(&plan, move |name| {
        let screen = screen.clone();
        match name {
            "bob-phone" => Puppet::idle(name).waking(SimTime(SHOWN)).doing(move |input, now, bob| match input {
                ActorInput::Act(act) => bob.note(format!("{act:?}")),
                ActorInput::Timeout => {
                    bob.output(ActorOutput::Screen(screen.clone()));
                    bob.wake = (now.0 == SHOWN).then_some(SimTime(SHOWN + 20_000));
                }
                _ => {}
            }),
            _ => Puppet::idle(name).doing(|input, _, other| other.note(format!("not Bob: {input:?}"))),
        }
    });
    notes(&outcome.unwrap().log)
}

fn incoming() -> Screen {
    let (calling_device, verification) = ("alice-phone".into(), Verification::Unverified);
    Screen::Incoming {
        call: CALL,
        peer: alice(),
        calling_device,
        video: true,
        verification,
        looks_like: None,
        waits: false,
    }
}

fn alice() -> UserName {
    "alice".into()
}
