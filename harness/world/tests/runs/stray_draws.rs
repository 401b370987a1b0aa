//! Randomness that no scope accounts for could not be repeated: it fails the run.

use crate::{
    puppets::{Puppet, run},
    village::village,
};
use kernel::{Micros, SimTime, random};
use world::WorldError;

#[test]
fn a_draw_outside_any_scope_fails_the_run_and_names_the_actor() {
    let outcome = run(&village(Micros::from_millis(100)), |name| match name {
        "bob-phone" => Puppet::idle(name).waking(SimTime(10_000_500)).doing(|_, _, _| random::fill(&mut [0; 4])),
        _ => Puppet::idle(name),
    });
    let error = outcome.map(|outcome| outcome.draws).unwrap_err();
    let WorldError::StrayDraw(what) = &error else { panic!("{error}") };
    assert!(what.starts_with("4 bytes drawn by bob-phone at 10.000500 s outside any scope"), "{what}");
}

#[test]
fn a_draw_inside_a_scope_is_counted() {
    let draws = |drawing: bool| {
        let outcome = run(&village(Micros::from_millis(100)), move |name| match name {
            "bob-phone" if drawing => Puppet::idle(name).waking(SimTime(10_000_500)).doing(|_, _, _| {
                let _scope = random::scope("test");
                random::fill(&mut [0; 4]);
            }),
            _ => Puppet::idle(name),
        });
        outcome.unwrap().draws
    };
    let (without, with) = (draws(false), draws(true));
    assert_eq!(with.count, without.count + 1);
    assert_ne!(with.digest, without.digest);
}
