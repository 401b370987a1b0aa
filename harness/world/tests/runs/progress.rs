//! A run tells how far it is.

use crate::{
    puppets::{Puppet, run_with},
    village::village,
};
use kernel::{Micros, SimTime};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use world::RunOptions;

#[test]
fn progress_follows_simulated_time_to_the_tick_and_ends_at_the_end() {
    let progress = Arc::new(AtomicU64::new(0));
    let (options, shown) = (RunOptions { progress: Some(progress.clone()), ..RunOptions::default() }, progress.clone());
    let outcome = run_with(&village(Micros::from_millis(250)), &options, move |name| {
        let shown = shown.clone();
        match name {
            "alice-phone" => Puppet::idle(name).waking(SimTime(1_234_567)).doing(move |_, now, alice| {
                assert_eq!(shown.load(Ordering::Relaxed), now.0 / 100_000 * 100_000);
                alice.note("compared");
                alice.wake = Some(now + Micros(999_999));
            }),
            _ => Puppet::idle(name),
        }
    });
    assert_eq!(crate::puppets::notes(&outcome.unwrap().log).len(), 10);
    assert_eq!(progress.load(Ordering::Relaxed), 10_250_000);
}
