//! Devices that start again, from nothing or from an old state: no key seals twice with one counter (KH-1).

use crate::{
    SECOND, go_live,
    house::{House, Story, tell},
};
use kernel::{
    CallId, Log, Mutant,
    event::{Act, CallStateName, Event},
};
use std::collections::{BTreeMap, BTreeSet};

/// What an app finds that starts again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// What it kept last.
    Newest,
    /// What it kept before its first call: an old copy of its disk.
    Old,
    /// That, on a device that does not count its starts either.
    OldAndUncounted,
}

/// What came of three calls.
struct Lives {
    states: [CallStateName; 2],
    /// What the offers were sealed with.
    encapsulated: Vec<Vec<u8>>,
    calls: BTreeSet<CallId>,
    log: Log,
}

/// A call, both devices start again, and a call; and that once more.
fn three_lives(found: Found, mutants: &[Mutant]) -> Lives {
    let story = Story { mutants: mutants.to_vec(), ..Story::default() };
    let ((states, encapsulated), log) = tell(51, story, move |house: &mut House| {
        house.run(SECOND);
        let old = [house.clients[0].saved(), house.clients[1].saved()];
        for boots in 1..=3 {
            go_live(house);
            house.act(0, Act::CameraOff);
            house.run(SECOND);
            house.act(0, Act::CameraOn);
            house.run(SECOND);
            if boots == 3 {
                break;
            }
            house.act(0, Act::HangUp);
            house.run(SECOND);
            for (who, old) in old.iter().enumerate() {
                let kept = if found == Found::Newest { house.clients[who].saved() } else { old.clone() };
                house.restart(who, if found == Found::OldAndUncounted { 0 } else { boots }, kept);
            }
        }
        (house.states(), house.encapsulated())
    });
    let calls = log.records.iter().filter_map(|record| match &record.event {
        Event::CallState(state) => state.call,
        _ => None,
    });
    Lives { states, encapsulated, calls: calls.collect(), log }
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
fn a_device_that_starts_again_draws_what_it_never_drew_also_with_an_old_disk() {
    for found in [Found::Newest, Found::Old] {
        let lives = three_lives(found, &[]);
        let (frames, twice) = sealed(&lives.log);
        assert!(frames > 600 && twice == 0, "{twice} of {frames} frames");
        let different: BTreeSet<_> = lives.encapsulated.iter().collect();
        let numbers = (lives.encapsulated.len(), different.len(), lives.calls.len());
        assert_eq!(numbers, (3, 3, 3), "each call is another, with keys of its own");
        assert_eq!(lives.states, [CallStateName::Live; 2]);
    }
}

/// The two ways in which the test above would fail. A call that was there before does not even ring.
#[test]
fn who_draws_the_same_again_or_begins_counting_again_repeats_itself() {
    let lives = three_lives(Found::OldAndUncounted, &[]);
    assert_eq!((lives.calls.len(), lives.states), (1, [CallStateName::Outgoing, CallStateName::Idle]));
    let (frames, twice) = sealed(&three_lives(Found::Newest, &[Mutant::V48]).log);
    assert!(twice > 0 && twice < frames, "{twice} of {frames}");
}
