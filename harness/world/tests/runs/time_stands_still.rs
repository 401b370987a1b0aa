//! Who needs endless steps at one instant is named, instead of hanging the run.

use crate::{
    puppets::{Puppet, run},
    village::{ALICE, BOB, village},
};
use kernel::{Micros, SimTime};
use world::{ActorOutput, Outcome, WorldError};

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

/// An actor that wakes again so soon, from 10.000500 s on.
fn restless(every: Micros) -> Result<Outcome, WorldError> {
    run(&village(Micros::from_millis(200)), move |name| match name {
        "bob-phone" => {
            Puppet::idle(name).waking(SimTime(10_000_500)).doing(move |_, now, bob| bob.wake = Some(now + every))
        }
        _ => Puppet::idle(name),
    })
}

#[test]
fn an_actor_that_wakes_at_every_microsecond_is_named() {
    let error = restless(Micros(1)).unwrap_err();
    let WorldError::Restless { at, who } = &error else { panic!("{error}") };
    assert_eq!((*at, who.as_str()), (SimTime(10_100_000), "bob-phone"));
    assert!(error.to_string().starts_with("at 10.100000 s bob-phone has woken more than 250 times"), "{error}");
}

#[test]
fn an_actor_may_wake_two_hundred_times_a_millisecond() {
    assert!(restless(Micros(5)).is_ok());
}
