//! A run is a function of its plan and seed.

use crate::village::{friends, step, village};
use kernel::{Micros, Plan, event::Act, plan::When};
use std::sync::{Arc, atomic::AtomicU64};
use world::{Outcome, Reference, RunOptions};

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (first, again, other) = (talk(1), talk(1), talk(2));
    assert_eq!((first.log.digest, &first.draws), (again.log.digest, &again.draws));
    assert_ne!(first.log.digest, other.log.digest);
    assert_ne!(first.draws.digest, other.draws.digest);
}

#[test]
fn pictures_and_progress_change_no_byte() {
    let options = RunOptions { pictures: 3, progress: Some(Arc::new(AtomicU64::new(0))), log: None };
    let observed = world::run(&call(1), Arc::new(Reference), &options).unwrap();
    assert_eq!(observed.pictures.len(), 3);
    assert_eq!(observed.log.digest, talk(1).log.digest);
}

fn talk(seed: u64) -> Outcome {
    world::run(&call(seed), Arc::new(Reference), &RunOptions::default()).unwrap()
}

/// Alice calls Bob, they talk for a second and a half.
fn call(seed: u64) -> Plan {
    let timeline = vec![
        step("alice", When::At { at: Micros::from_millis(100) }, Act::Call { user: "bob".into(), video: true }),
        step("bob", When::AfterRing { delay: Micros::from_millis(300) }, Act::Accept { video: true }),
        step("alice", When::AfterLive { delay: Micros::from_millis(1_500) }, Act::HangUp),
    ];
    Plan { seed, friends: friends(), timeline, ..village(Micros::from_millis(2_500)) }
}
