//! An app that is put away.

use crate::{
    SECOND, go_live,
    house::{House, Story, tell},
};
use kernel::{
    Micros,
    event::{Act, CallStateName, Event},
};

#[test]
fn an_app_that_sleeps_is_still_until_a_push_which_gives_it_half_a_minute() {
    let (seen, log) = tell(50, Story::default(), |house: &mut House| {
        house.run(SECOND);
        house.act(1, Act::Sleep);
        let mut seen = vec![(house.is_still(1), house.sign_ins[1])];
        house.run(Micros::from_secs(5));
        seen.push((house.is_still(1), house.sign_ins[1]));
        house.push(1);
        house.run(Micros::from_secs(29));
        seen.push((house.is_still(1), house.sign_ins[1]));
        house.run(Micros::from_secs(2));
        seen.push((house.is_still(1), house.sign_ins[1]));
        house.act(1, Act::Lock);
        house.act(1, Act::Verify { user: "alice".into() });
        seen.push((house.is_still(1), house.sign_ins[1]));
        house.act(1, Act::Unlock);
        house.push(1);
        house.act(1, Act::Verify { user: "alice".into() });
        house.run(Micros::from_secs(40));
        seen.push((house.is_still(1), house.sign_ins[1]));
        seen
    });
    let expected = [(true, 1), (true, 1), (false, 2), (true, 2), (true, 2), (false, 3)];
    assert_eq!(seen, expected, "neither a lock nor who holds it wakes it, and with its user it stays awake");
    let slept = log.records.iter().filter_map(|record| match &record.event {
        Event::AppSlept(slept) => Some(slept.asleep),
        _ => None,
    });
    assert_eq!(slept.collect::<Vec<_>>(), [true, false, true, false]);
}

#[test]
fn a_call_keeps_an_app_awake_that_is_put_away() {
    let (states, _) = tell(51, Story::default(), |house: &mut House| {
        go_live(house);
        house.act(1, Act::Sleep);
        house.run(SECOND);
        let mut states = vec![(house.states()[1], house.is_still(1))];
        house.act(0, Act::HangUp);
        house.run(SECOND);
        states.push((house.states()[1], house.is_still(1)));
        states
    });
    assert_eq!(states, [(CallStateName::Live, false), (CallStateName::Idle, true)]);
}

#[test]
fn a_push_for_an_app_that_is_awake_changes_nothing() {
    let (sign_ins, _) = tell(52, Story::default(), |house: &mut House| {
        house.run(SECOND);
        house.push(1);
        house.run(Micros::from_secs(40));
        assert!(!house.is_still(1));
        house.sign_ins
    });
    assert_eq!(sign_ins, [1, 1]);
}
