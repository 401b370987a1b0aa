//! Bugs are planted in the run of their plan, and in no other.

use crate::{
    puppets::{Puppet, notes, run},
    village::village,
};
use kernel::{Micros, Mutant, Plan, SimTime, mutant, plan::AdversaryPlan, random::SeedTree};

#[test]
fn the_mutant_of_the_plan_is_planted_alone() {
    assert_eq!(
        planted(Plan { mutant: Some(Mutant::V20), ..village(Micros::from_millis(10)) }),
        "V20: true, V03: false"
    );
    assert_eq!(planted(village(Micros::from_millis(10))), "V20: false, V03: false");
}

#[test]
fn the_adversary_plants_what_its_attack_needs() {
    let armed = adversary::arm(&[AdversaryPlan::NullAllEncryption], SeedTree::root(1)).mutants;
    let needed = *armed.first().expect("frame encryption can only be left out by a planted bug");
    let plan = Plan { adversary: vec![AdversaryPlan::NullAllEncryption], ..village(Micros::from_millis(10)) };
    let outcome = run(&plan, move |name| match name {
        "bob-phone" => Puppet::idle(name)
            .waking(SimTime(10_000_500))
            .doing(move |_, _, bob| bob.note(format!("planted: {}", mutant::is_planted(needed)))),
        _ => Puppet::idle(name),
    });
    assert_eq!(notes(&outcome.unwrap().log)[0].1, "planted: true");
}

/// What an actor of the run sees.
fn planted(plan: Plan) -> String {
    let outcome = run(&plan, |name| match name {
        "bob-phone" => Puppet::idle(name)
            .waking(SimTime(10_000_500))
            .doing(|_, _, bob| bob.note(format!("V20: {}, V03: {}", mutant!(V20), mutant!(V03)))),
        _ => Puppet::idle(name),
    });
    notes(&outcome.unwrap().log).remove(0).1
}
