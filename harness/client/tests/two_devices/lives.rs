//! Devices that start again, from nothing or from an old state: no key seals with one counter twice (KH-1).

use crate::{
    SECOND, go_live,
    house::{House, Story, tell},
};
use kernel::{
    Log,
    event::{Act, CallStateName, Event},
};
use std::collections::BTreeMap;

/// A call, both devices start again as the `boots`-th time, and a call.
fn two_lives(boots: u32) -> Log {
    let (states, log) = tell(51, Story::default(), move |house: &mut House| {
        go_live(house);
        house.act(0, Act::HangUp);
        house.run(SECOND);
        (0..2).for_each(|who| house.restart(who, boots));
        go_live(house);
        house.states()
    });
    assert_eq!(states, [CallStateName::Live; 2]);
    log
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
    let (frames, twice) = sealed(&two_lives(1));
    assert!(frames > 300, "{frames} frames");
    assert_eq!(twice, 0);
}

/// What makes the test above hold: the counters begin again with each call, and so must the keys.
#[test]
fn devices_that_drew_the_same_again_would_repeat_themselves() {
    let (frames, twice) = sealed(&two_lives(0));
    assert!(twice > 0 && twice < frames, "{twice} of {frames}");
}
