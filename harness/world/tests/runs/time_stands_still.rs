//! Who needs endless steps at one instant is named, instead of hanging the run.

use crate::{
    puppets::{Puppet, run},
    village::{ALICE, BOB, village},
};
use kernel::{Micros, SimTime};
use world::{ActorOutput, WorldError};

#[test]
fn an_actor_that_wakes_without_letting_time_pass_is_named() {
    let outcome = run(&village(Micros::from_millis(100)), |name| match name {
        "bob-phone" => Puppet::idle(name).waking(SimTime(10_000_500)).doing(|_, now, bob| bob.wake = Some(now)),
        _ => Puppet::idle(name),
    });
    let error = outcome.unwrap_err();
    let WorldError::Stuck { at, who } = &error else { panic!("{error}") };
    assert_eq!((*at, who.as_str()), (SimTime(10_000_500), "bob-phone"));
}

#[test]
fn two_who_answer_each_other_for_ever_over_links_of_no_length_are_named() {
    let outcome = run(&village(Micros::from_millis(100)), |name| match name {
        "alice-phone" => {
            Puppet::idle(name).waking(SimTime(10_000_500)).doing(|_, _, alice| alice.send(ALICE, BOB, b"ping"))
        }
        "bob-phone" => Puppet::idle(name).doing(|_, _, bob| bob.send(BOB, ALICE, b"pong")),
        _ => Puppet::idle(name),
    });
    let error = outcome.unwrap_err();
    let WorldError::Stuck { at, who } = &error else { panic!("{error}") };
    assert_eq!(*at, SimTime(10_000_500));
    assert!(who.contains("alice-phone") || who.contains("bob-phone"), "nobody is named: {error}");
}

#[test]
fn an_actor_that_never_stops_giving_outputs_is_named() {
    let outcome = run(&village(Micros::from_millis(100)), |name| match name {
        "bob-phone" => Puppet::idle(name)
            .waking(SimTime(10_000_500))
            .doing(|_, _, bob| bob.babble = Some(ActorOutput::FriendAdded("alice".into()))),
        _ => Puppet::idle(name),
    });
    let error = outcome.unwrap_err();
    let WorldError::Stuck { at, who } = &error else { panic!("{error}") };
    assert_eq!((*at, who.as_str()), (SimTime(10_000_500), "bob-phone"));
}
