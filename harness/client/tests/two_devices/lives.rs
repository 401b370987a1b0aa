//! Devices that start again, from nothing or from an old state: no key seals twice with one counter (KH-1).

use crate::{
    SECOND, go_live,
    house::{House, Story, tell},
};
use kernel::{
    Log, Mutant,
    event::{Act, CallStateName, Event},
};
use std::collections::BTreeMap;

/// A call, both devices start again with what they saved or with nothing, and a call. Gives what the offers were sealed with
/// too.
fn two_lives(remembers: bool, mutants: &[Mutant]) -> (Vec<Vec<u8>>, Log) {
    let story = Story { mutants: mutants.to_vec(), ..Story::default() };
    let ((states, encapsulated), log) = tell(51, story, move |house: &mut House| {
        go_live(house);
        house.act(0, Act::CameraOff);
        house.run(SECOND);
        house.act(0, Act::CameraOn);
        house.run(SECOND);
        house.act(0, Act::HangUp);
        house.run(SECOND);
        (0..2).for_each(|who| house.restart(who, remembers));
        go_live(house);
        (house.states(), house.encapsulated())
    });
    assert_eq!(states, [CallStateName::Live; 2]);
    (encapsulated, log)
}

/// How many frames were sealed, and how many of them with a key and a counter that sealed another one.
fn sealed(log: &Log) -> (u64, u64) {
    let mut uses: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for record in &log.records {
        if let Event::KeyUsed(used) = &record.event
            && used.seals
        {
            *uses.entry((&used.key, used.counter)).or_default() += 1;
        }
    }
    (uses.values().sum(), uses.values().map(|count| count - 1).sum())
}

#[test]
fn a_device_that_starts_again_seals_under_keys_of_its_own() {
    let (encapsulated, log) = two_lives(true, &[]);
    let (frames, twice) = sealed(&log);
    assert!(frames > 300 && twice == 0, "{twice} of {frames} frames");
    assert!(encapsulated.len() == 2 && encapsulated[0] != encapsulated[1], "each offer has a key of its own");
}

/// The two ways in which the test above would fail: who remembers not even that it started before has, in a simulation, the same
/// randomness again.
#[test]
fn who_draws_the_same_again_or_begins_counting_again_repeats_itself() {
    let (encapsulated, _) = two_lives(false, &[]);
    assert!(encapsulated.len() == 2 && encapsulated[0] == encapsulated[1]);
    let (frames, twice) = sealed(&two_lives(true, &[Mutant::V48]).1);
    assert!(twice > 0 && twice < frames, "{twice} of {frames}");
}
