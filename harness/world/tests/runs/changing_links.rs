//! Links change at an exact instant of the timeline.

use crate::{
    puppets::{Puppet, lines, notes, run},
    village::{ALICE, BOB, village},
};
use kernel::{
    Micros, Plan, SimTime,
    plan::{LinkChange, LinkStep},
};
use world::WorldError;

#[test]
fn a_packet_sent_a_microsecond_before_the_change_still_sees_the_old_link() {
    let plan = Plan { link_schedule: vec![lengthened("alice-phone/up")], ..village(Micros::from_millis(100)) };
    let outcome = run(&plan, |name| match name {
        "alice-phone" => Puppet::idle(name).waking(SimTime(10_001_233)).doing(|_, now, alice| {
            alice.send(ALICE, BOB, b"ping");
            alice.wake = (now.0 == 10_001_233).then_some(SimTime(10_001_234));
        }),
        "bob-phone" => Puppet::idle(name).doing(|_, _, bob| bob.note("ping")),
        _ => Puppet::idle(name),
    });
    assert_eq!(notes(&outcome.unwrap().log), lines(&[(10_001_233, "ping"), (10_001_234 + 5_678, "ping")]));
}

#[test]
fn a_change_of_a_link_that_is_not_there_cannot_be_staged() {
    let plan = Plan { link_schedule: vec![lengthened("carol-phone/up")], ..village(Micros::from_millis(100)) };
    let error = run(&plan, Puppet::idle).unwrap_err();
    assert!(matches!(error, WorldError::Plan(_)) && error.to_string().contains("carol-phone/up"), "{error}");
}

/// From 1.234 ms of the timeline on the link takes 5.678 ms.
fn lengthened(link: &str) -> LinkStep {
    let change = LinkChange { propagation: Some(Micros(5_678)), ..LinkChange::default() };
    LinkStep { at: Micros(1_234), every: None, link: link.into(), change }
}
