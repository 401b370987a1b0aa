//! A run that cannot be made says why, and is never a verdict.

use crate::{
    puppets::{Puppet, run},
    village::village,
};
use kernel::{Micros, SimTime};
use world::WorldError;

#[test]
fn an_actor_that_panics_ends_its_own_run_with_its_message() {
    let outcome = run(&village(Micros::from_millis(100)), |name| match name {
        "bob-phone" => Puppet::idle(name).waking(SimTime(10_000_500)).doing(|_, _, _| panic!("bob fell over {}", 7)),
        _ => Puppet::idle(name),
    });
    let error = outcome.unwrap_err();
    let WorldError::Panicked(message) = &error else { panic!("{error}") };
    assert_eq!(message, "bob fell over 7");
}

#[test]
fn two_devices_with_one_address_cannot_be_staged() {
    let mut plan = village(Micros::from_millis(100));
    plan.participants[1].address = plan.participants[0].address;
    plan.participants[1].access.public_address = plan.participants[0].access.public_address;
    let error = run(&plan, Puppet::idle).unwrap_err();
    assert!(matches!(error, WorldError::Plan(_)), "{error}");
}
