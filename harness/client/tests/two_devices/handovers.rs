//! Interfaces that come and go in a live call.

use crate::{
    SECOND, go_live,
    house::{House, Story, tell},
};
use kernel::{
    Log, Micros, SimTime,
    event::{CallStateName, Event},
};

/// The longest time without a frame of the peer at a device, from a time on.
fn longest_gap(log: &Log, device: &str, from: SimTime) -> Micros {
    let frames = log.records.iter().filter_map(|record| match &record.event {
        Event::Reassembled(frame) if frame.device == *device => Some(record.at),
        _ => None,
    });
    let times: Vec<SimTime> = frames.filter(|at| *at >= from).collect();
    times.windows(2).map(|pair| pair[1].since(pair[0])).max().expect("frames came")
}

/// Who is the caller, and so has the last word on pairs, must not matter.
fn moves(seed: u64, who: usize, hosts: &'static [&'static [u8]], each: Micros) -> ([CallStateName; 2], [u32; 2], Log) {
    let ((states, sign_ins), log) = tell(seed, Story::default(), move |house: &mut House| {
        go_live(house);
        for hosts in hosts {
            house.move_to(who, hosts);
            house.run(each);
        }
        house.run(Micros::from_secs(2));
        (house.states(), house.sign_ins)
    });
    (states, sign_ins, log)
}

const LIVE: SimTime = SimTime(3_000_000);

#[test]
fn a_call_moves_to_an_interface_that_was_there_before_with_hardly_a_pause() {
    for who in [0, 1] {
        let home = if who == 0 { 2 } else { 3 };
        let hosts: &[&[u8]] = if home == 2 { &[&[2, 12], &[12]] } else { &[&[3, 12], &[12]] };
        let (states, sign_ins, log) = moves(40, who, hosts, SECOND);
        assert_eq!(states, [CallStateName::Live; 2]);
        assert_eq!(sign_ins, [1, 1], "the connection to signaling goes on");
        for device in ["alice-phone", "bob-phone"] {
            let gap = longest_gap(&log, device, LIVE);
            // Sound comes each 20 ms; the peer hears of the move two ways of 10 ms later.
            assert!(gap <= Micros::from_millis(100), "{device} hears nothing for {gap} when {who} moves");
        }
    }
}

#[test]
fn a_call_comes_back_soon_after_an_interface_that_comes_late() {
    for who in [0, 1] {
        let (states, sign_ins, log) = moves(41, who, &[&[], &[12]], Micros::from_millis(500));
        assert_eq!(states, [CallStateName::Live; 2]);
        assert_eq!(sign_ins, [1, 1]);
        for device in ["alice-phone", "bob-phone"] {
            let gap = longest_gap(&log, device, LIVE);
            assert!(gap >= Micros::from_millis(500) && gap <= Micros::from_millis(1_000), "{device}: {gap}");
        }
    }
}

#[test]
fn a_reserve_that_goes_disturbs_nobody() {
    let (states, _, log) = moves(42, 0, &[&[2, 12], &[2]], SECOND);
    assert_eq!(states, [CallStateName::Live; 2]);
    let moved = log
        .records
        .iter()
        .any(|record| matches!(&record.event, Event::CallState(state) if state.to == CallStateName::Reconnecting));
    assert!(!moved);
}

#[test]
fn who_hides_addresses_hides_those_of_every_interface() {
    let story = Story { callee_hides: true, ..Story::default() };
    let (sent, _) = tell(43, story, |house: &mut House| {
        go_live(house);
        house.move_to(1, &[3, 12]);
        house.run(SECOND);
        house.media_sent.iter().filter(|(_, who)| *who == 1).count()
    });
    assert_eq!(sent, 0, "there is no relay in this house");
}
