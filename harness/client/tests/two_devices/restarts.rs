//! Paths that break in a live call, and the ICE restarts that follow.

use crate::{
    SECOND, go_live,
    house::{House, Story, tell},
};
use client::Misbehaviour;
use kernel::{
    Log, Micros, SimTime,
    event::{Act, CallStateName, EndReason, Event, KeyUsed, Screen},
};

/// The moves of a device's machine from Live on, with their times.
fn moves(log: &Log, device: &str) -> Vec<(SimTime, CallStateName, String)> {
    let moved = log.records.iter().filter_map(|record| match &record.event {
        Event::CallState(state) if state.device == *device => Some((record.at, state.to, state.because.clone())),
        _ => None,
    });
    moved.skip_while(|(_, to, _)| *to != CallStateName::Live).skip(1).collect()
}

fn cut_for(house: &mut House, span: Micros) {
    house.media_cut = true;
    house.run(span);
    house.media_cut = false;
}

fn states_of(log: &Log, device: &str) -> Vec<CallStateName> {
    moves(log, device).into_iter().map(|(_, to, _)| to).collect()
}

#[test]
fn a_second_of_silence_reconnects_and_the_keys_go_on() {
    let (states, log) = tell(31, Story::default(), |house| {
        go_live(house);
        cut_for(house, Micros::from_secs(3));
        house.run(Micros::from_secs(3));
        assert!(house.screens[0].iter().any(|screen| matches!(screen, Screen::Reconnecting { .. })));
        house.states()
    });
    assert_eq!(states, [CallStateName::Live; 2]);
    for device in ["alice-phone", "bob-phone"] {
        assert_eq!(states_of(&log, device), [CallStateName::Reconnecting, CallStateName::Live], "{device}");
        let handshakes = log
            .records
            .iter()
            .filter(|record| matches!(&record.event, Event::DtlsConnected(connected) if connected.device == *device));
        assert_eq!(handshakes.count(), 1, "the association goes on");
        assert_counters_rise(&log, device);
    }
    let restarts = log.records.iter().filter(|record| {
        matches!(&record.event, Event::IceState(state) if state.state == "checking" && record.at > SimTime(3_500_000))
    });
    assert!(restarts.count() >= 2, "both devices check pairs again");
}

#[test]
fn a_call_in_which_everything_is_off_keeps_its_path_and_notices_when_it_breaks() {
    let off = |house: &mut House| {
        for (who, act) in [(0, Act::CameraOff), (0, Act::Mute), (1, Act::CameraOff), (1, Act::Mute)] {
            house.act(who, act);
        }
    };
    let (_, log) = tell(35, Story::default(), move |house| {
        go_live(house);
        off(house);
        house.run(Micros::from_secs(5));
    });
    assert_eq!([states_of(&log, "alice-phone"), states_of(&log, "bob-phone")], [vec![], vec![]]);
    let (states, log) = tell(35, Story::default(), move |house| {
        go_live(house);
        off(house);
        house.run(SECOND);
        cut_for(house, Micros::from_secs(3));
        house.run(Micros::from_secs(3));
        house.states()
    });
    assert_eq!(states, [CallStateName::Live; 2]);
    for device in ["alice-phone", "bob-phone"] {
        assert_eq!(states_of(&log, device), [CallStateName::Reconnecting, CallStateName::Live], "{device}");
    }
}

/// No frame counter of any key is used twice, and none goes back.
fn assert_counters_rise(log: &Log, device: &str) {
    let mut last = std::collections::BTreeMap::new();
    for record in &log.records {
        if let Event::KeyUsed(KeyUsed { device: of, kid, counter, seals: true, .. }) = &record.event
            && *of == *device
        {
            let before = last.insert(*kid, *counter);
            assert!(before.is_none_or(|before| before < *counter), "{device}: {before:?} {counter}");
        }
    }
    assert!(last.values().any(|counter| *counter > 100));
}

#[test]
fn without_any_path_the_call_fails_after_thirty_seconds() {
    let (states, log) = tell(32, Story::default(), |house| {
        go_live(house);
        cut_for(house, Micros::from_secs(35));
        house.states()
    });
    assert!(states.iter().all(|state| matches!(state, CallStateName::Idle | CallStateName::Ended)), "{states:?}");
    let failed = log
        .records
        .iter()
        .any(|record| matches!(&record.event, Event::Ended(ended) if ended.reason == EndReason::Failed));
    assert!(failed);
    let alice = moves(&log, "alice-phone");
    assert_eq!(alice[0].1, CallStateName::Reconnecting);
    let waited = alice[1].0.since(alice[0].0);
    assert!(waited <= Micros::from_secs(30), "{waited}");
}

#[test]
fn another_fingerprint_in_a_restart_ends_the_call() {
    let story = Story { misbehaviour: vec![Misbehaviour::ChangeFingerprint], ..Story::default() };
    let (states, log) = tell(35, story, |house| {
        go_live(house);
        cut_for(house, Micros::from_secs(2));
        house.run(Micros::from_secs(2));
        house.states()
    });
    assert_eq!(states, [CallStateName::Idle; 2]);
    let reason = log.records.iter().find_map(|record| match &record.event {
        Event::Ended(ended) if ended.device == *"bob-phone" => Some(ended.reason),
        _ => None,
    });
    assert_eq!(reason, Some(EndReason::Security));
}

#[test]
fn a_question_that_is_lost_is_asked_again() {
    let (states, log) = tell(33, Story::default(), |house| {
        go_live(house);
        house.lose_peer_messages(true);
        house.media_cut = true;
        house.run(Micros::from_millis(1_500));
        house.lose_peer_messages(false);
        house.run(Micros::from_millis(1_500));
        house.media_cut = false;
        house.run(SECOND);
        house.states()
    });
    assert_eq!(states, [CallStateName::Live; 2]);
    assert_eq!(states_of(&log, "bob-phone"), [CallStateName::Reconnecting, CallStateName::Live]);
}

#[test]
fn a_path_that_comes_back_by_itself_needs_no_answer() {
    let (states, _) = tell(34, Story::default(), |house| {
        go_live(house);
        house.lose_peer_messages(true);
        cut_for(house, Micros::from_secs(2));
        house.run(SECOND);
        house.states()
    });
    assert_eq!(states, [CallStateName::Live; 2]);
}

#[test]
fn a_restart_survives_the_loss_of_the_connection_to_signaling() {
    let ((states, sign_ins), _) = tell(35, Story::default(), |house| {
        go_live(house);
        house.media_cut = true;
        house.cut(0);
        house.run(Micros::from_secs(3));
        house.media_cut = false;
        house.run(Micros::from_secs(2));
        (house.states(), house.sign_ins)
    });
    assert_eq!(states, [CallStateName::Live; 2]);
    assert_eq!(sign_ins, [2, 1]);
}
