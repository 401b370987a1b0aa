//! Ticks never show: packets, timers and answers have their exact microsecond.

use crate::{
    puppets::{Puppet, lines, notes, run},
    village::{ALICE, BOB, link_of, village},
};
use kernel::{Micros, SimTime};
use world::ActorInput;

/// In the middle of a tick of turmoil.
const START: u64 = 10_000_123;

#[test]
fn a_packet_over_links_of_no_length_arrives_at_the_microsecond_it_was_sent() {
    let outcome = run(&village(Micros::from_millis(100)), |name| match name {
        "alice-phone" => Puppet::idle(name).waking(SimTime(START)).doing(|input, _, alice| match input {
            ActorInput::Timeout => alice.send(ALICE, BOB, b"ping"),
            _ => alice.note("pong"),
        }),
        "bob-phone" => Puppet::idle(name).doing(|_, _, bob| {
            bob.note("ping");
            bob.send(BOB, ALICE, b"pong");
        }),
        _ => Puppet::idle(name),
    });
    assert_eq!(notes(&outcome.unwrap().log), lines(&[(START, "ping"), (START, "pong")]));
}

#[test]
fn a_timer_fires_at_its_microsecond_and_an_answer_leaves_with_it() {
    let outcome = run(&village(Micros::from_millis(100)), |name| match name {
        "alice-phone" => Puppet::idle(name).waking(SimTime(START)).doing(|input, _, alice| match input {
            ActorInput::Timeout => alice.send(ALICE, BOB, b"ping"),
            _ => alice.note("pong"),
        }),
        "bob-phone" => Puppet::idle(name).doing(|input, now, bob| match input {
            ActorInput::Timeout => bob.send(BOB, ALICE, b"pong"),
            _ => bob.wake = Some(now + Micros(1_077)),
        }),
        _ => Puppet::idle(name),
    });
    assert_eq!(notes(&outcome.unwrap().log), lines(&[(START + 1_077, "pong")]));
}

#[test]
fn a_thousand_round_trips_take_a_thousand_times_their_legs() {
    let mut plan = village(Micros::from_millis(100));
    for (participant, (up, down)) in plan.participants.iter_mut().zip([(3, 6), (5, 4)]) {
        (participant.access.up, participant.access.down) = (link_of(up), link_of(down));
    }
    let outcome = run(&plan, |name| match name {
        "alice-phone" => {
            let mut left = 1_000;
            Puppet::idle(name).waking(SimTime(START)).doing(move |_, _, alice| {
                match left {
                    0 => alice.note("all back"),
                    _ => alice.send(ALICE, BOB, b"ping"),
                }
                left -= 1;
            })
        }
        "bob-phone" => Puppet::idle(name).doing(|_, _, bob| bob.send(BOB, ALICE, b"pong")),
        _ => Puppet::idle(name),
    });
    let round_trip = 3 + 4 + 5 + 6;
    assert_eq!(notes(&outcome.unwrap().log), lines(&[(START + 1_000 * round_trip, "all back")]));
}

#[test]
fn what_is_due_after_the_end_does_not_happen() {
    let plan = village(Micros::from_millis(1));
    let end = 10_001_000;
    let outcome = run(&plan, move |name| match name {
        "alice-phone" => Puppet::idle(name).waking(SimTime(end)).doing(move |_, now, alice| {
            alice.note("tick");
            alice.wake = Some(now + Micros(1));
        }),
        _ => Puppet::idle(name),
    });
    assert_eq!(notes(&outcome.unwrap().log), lines(&[(end, "tick")]));
}
