//! The timeline does not begin before what it takes for granted: accounts and friendships.

use crate::{
    puppets::{Puppet, lines, notes, run},
    village::{friends, village},
};
use kernel::{Event, Micros, Plan, SimTime, event::Act, plan::Loss};
use std::sync::Arc;
use world::{ActorInput, ActorOutput, Reference, RunOptions, WorldError};

#[test]
fn a_device_that_is_not_signed_in_is_named() {
    let outcome = run(&village(Micros::from_secs(1)), |name| match name {
        "bob-phone" => Puppet::absent(name),
        _ => Puppet::idle(name),
    });
    assert_eq!(missing(outcome.unwrap_err()), "bob-phone is not signed in");
}

#[test]
fn who_does_not_know_of_a_friendship_is_named() {
    let plan = Plan { friends: friends(), ..village(Micros::from_secs(1)) };
    let outcome = run(&plan, |name| match name {
        "bob-phone" => Puppet::idle(name).saying(ActorOutput::FriendAdded("alice".into())),
        _ => Puppet::idle(name),
    });
    assert_eq!(missing(outcome.unwrap_err()), "alice does not know that bob is a friend");
}

#[test]
fn a_network_that_lets_nothing_through_is_no_verdict_on_the_stack() {
    let mut plan = village(Micros::from_secs(1));
    plan.participants[1].access.up.loss = Loss::Bernoulli { ppm: 1_000_000 };
    let outcome = world::run(&plan, Arc::new(Reference), &RunOptions::default());
    assert_eq!(missing(outcome.unwrap_err()), "bob-phone is not signed in");
}

#[test]
fn friends_are_asked_when_everybody_has_an_account_and_accept_after_a_tenth_of_a_second() {
    let signs_in = 3_000_456;
    let plan = Plan { friends: friends(), ..village(Micros::from_secs(1)) };
    let outcome = run(&plan, move |name| match name {
        "alice-phone" => Puppet::idle(name).doing(|input, _, alice| {
            if let ActorInput::Act(Act::RequestFriend { user }) = input {
                alice.note(format!("alice asks {user}"));
                alice.output(ActorOutput::FriendAdded(user));
            }
        }),
        "bob-phone" => Puppet::absent(name).waking(SimTime(signs_in)).doing(move |input, now, bob| match input {
            ActorInput::Timeout if now.0 == signs_in => {
                bob.output(ActorOutput::SignedIn);
                bob.wake = Some(SimTime(signs_in + 1_000_000));
            }
            ActorInput::Timeout => bob.output(ActorOutput::FriendRequest("alice".into())),
            ActorInput::Act(Act::AcceptFriend { user }) => {
                bob.note(format!("bob accepts {user}"));
                bob.output(ActorOutput::FriendAdded(user));
            }
            _ => {}
        }),
        _ => Puppet::idle(name),
    });
    // Alice looks up at the next tick; what Bob does counts from the microsecond at which he saw the request.
    assert_eq!(
        notes(&outcome.unwrap().log),
        lines(&[(3_001_000, "alice asks bob"), (signs_in + 1_100_000, "bob accepts alice")])
    );
}

#[test]
fn a_set_up_that_needs_longer_gets_more_time_and_the_plan_says_so() {
    let signs_in = 21_000_000;
    let outcome = run(&village(Micros::from_secs(1)), move |name| match name {
        "bob-phone" => Puppet::absent(name).waking(SimTime(signs_in)).doing(|_, _, bob| {
            bob.output(ActorOutput::SignedIn);
            bob.wake = None;
        }),
        _ => Puppet::idle(name),
    });
    let log = outcome.unwrap().log;
    let Event::Plan(plan) = &log.records[0].event else { panic!("the plan comes first") };
    assert_eq!(plan.timeline_start, SimTime(40_000_000));
}

/// What the error says is missing when the timeline should begin at last.
fn missing(error: WorldError) -> String {
    match error {
        WorldError::SetUp { what, limit: SimTime(80_000_000) } => what,
        other => panic!("{other}"),
    }
}
