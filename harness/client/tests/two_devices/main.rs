//! Two devices and a scripted server: what is done, and what must not be done, from the ring to the end of a call.

mod handovers;
mod house;
mod lives;
mod restarts;
mod sleep;

use client::Misbehaviour;
use house::{House, Story, tell};
use kernel::{
    Log, Micros, Mutant, PacketId, SimTime,
    event::{Act, CallStateName, EndReason, Event, Screen},
};
use std::collections::BTreeMap;

const SECOND: Micros = Micros::from_secs(1);

fn ring(house: &mut House) {
    house.run(SECOND);
    house.call(true);
    house.run(Micros::from_millis(500));
}

fn go_live(house: &mut House) {
    ring(house);
    house.act(1, Act::Accept { video: true });
    house.run(Micros::from_secs(2));
}

fn first(log: &Log, wanted: impl Fn(&Event) -> bool) -> Option<SimTime> {
    log.records.iter().find(|record| wanted(&record.event)).map(|record| record.at)
}

fn captures(log: &Log, device: &str) -> Option<SimTime> {
    first(log, |event| matches!(event, Event::CaptureSwitched(switched) if switched.on && switched.device == *device))
}

fn consents(log: &Log, device: &str) -> Option<SimTime> {
    let consent = |act: &Act| !act.consents_to().is_empty();
    first(log, |event| matches!(event, Event::UserAct(act) if act.device == *device && consent(&act.what)))
}

#[test]
fn two_friends_get_into_a_live_call_with_one_safety_number() {
    let ((states, numbers), log) = tell(1, Story::default(), |house| {
        go_live(house);
        (house.states(), [house.safety_number(0), house.safety_number(1)])
    });
    assert_eq!(states, [CallStateName::Live; 2]);
    assert!(numbers[0].as_ref().is_some_and(|number| number.len() == 30));
    assert_eq!(numbers[0], numbers[1]);
    for device in ["alice-phone", "bob-phone"] {
        assert!(captures(&log, device) >= consents(&log, device));
        let opened = log.records.iter().filter(|record| {
            matches!(&record.event, Event::Opened(opened) if opened.device == *device && !opened.hash.is_empty())
        });
        assert!(opened.count() > 50, "{device} opens frames");
        let pair = log.records.iter().find_map(|record| match &record.event {
            Event::PairSelected(pair) if pair.device == *device => Some(pair),
            _ => None,
        });
        assert!(pair.is_some_and(|pair| !pair.relayed));
    }
}

#[test]
fn before_accept_the_offer_stays_sealed_and_no_media_packet_leaves() {
    let (sent, log) = tell(2, Story::default(), |house| {
        ring(house);
        house.media_sent.len()
    });
    assert_eq!(sent, 0);
    let parsed = first(&log, |event| matches!(event, Event::ParserEntered(_) | Event::CandidateGathered(_)));
    assert_eq!(parsed, None);
}

#[test]
fn a_hang_up_ends_the_call_and_its_media_on_both_sides() {
    let ((states, last, over), _) = tell(3, Story::default(), |house| {
        go_live(house);
        house.act(0, Act::HangUp);
        let hung_up = house.now;
        house.run(Micros::from_secs(3));
        let last = house.media_sent.iter().map(|(at, _)| at.since(hung_up)).max();
        (house.states(), last, house.screens.clone().map(|screens| screens.last().cloned()))
    });
    assert_eq!(states, [CallStateName::Idle; 2]);
    assert!(last.is_some_and(|last| last <= Micros::from_millis(100)), "{last:?}");
    let reason = |screen: &Option<Screen>| match screen {
        Some(Screen::Over { reason, .. }) => Some(*reason),
        _ => None,
    };
    assert_eq!([reason(&over[0]), reason(&over[1])], [Some(EndReason::HungUp), Some(EndReason::PeerHungUp)]);
}

#[test]
fn a_declined_call_captures_nothing() {
    let (states, log) = tell(4, Story::default(), |house| {
        ring(house);
        house.act(1, Act::Decline);
        house.run(SECOND);
        house.states()
    });
    assert_eq!(states, [CallStateName::Idle; 2]);
    assert_eq!([captures(&log, "alice-phone"), captures(&log, "bob-phone")], [None; 2]);
}

#[test]
fn a_peer_that_claims_consent_gets_none() {
    let forge = |mutants: Vec<Mutant>| {
        let story = Story { misbehaviour: vec![Misbehaviour::ForgeConsent], mutants, ..Story::default() };
        tell(5, story, |house| {
            ring(house);
            house.run(SECOND);
            house.states()[1]
        })
    };
    let (state, log) = forge(vec![]);
    assert_eq!(state, CallStateName::Incoming);
    assert_eq!(captures(&log, "bob-phone"), None);
    let attacks = log.records.iter().filter(|record| matches!(record.event, Event::Attack(_))).count();
    assert_eq!(attacks, 2);
    for mutant in [Mutant::V02, Mutant::V03] {
        let (_, log) = forge(vec![mutant]);
        assert!(captures(&log, "bob-phone").is_some(), "{mutant} captures without consent");
        assert_eq!(consents(&log, "bob-phone"), None);
    }
}

#[test]
fn candidates_inside_an_offer_start_nothing_before_the_accept() {
    let inline = |mutants: Vec<Mutant>| {
        let story = Story { misbehaviour: vec![Misbehaviour::CandidatesInOffer], mutants, ..Story::default() };
        tell(6, story, |house| {
            ring(house);
            let early = house.media_sent.iter().filter(|(_, who)| *who == 1).count();
            house.act(1, Act::Accept { video: true });
            house.run(Micros::from_secs(2));
            (early, house.states())
        })
    };
    assert_eq!(inline(vec![]).0, (0, [CallStateName::Live; 2]));
    let ((early, _), log) = inline(vec![Mutant::V04]);
    assert!(early > 0, "with V04 checks leave while it rings");
    let parsed = first(&log, |event| matches!(event, Event::ParserEntered(_)));
    assert!(parsed < consents(&log, "bob-phone"));
}

/// Alice calls, and bob's device learns the keys of hers after a time only; meanwhile something may happen.
fn ring_without_keys(wait: Micros, meanwhile: fn(&mut House)) -> [CallStateName; 2] {
    tell(12, Story::default(), move |house| {
        house.run(SECOND);
        house.withhold_keys(true);
        house.call(true);
        house.run(SECOND);
        assert_eq!(house.states()[1], CallStateName::Idle, "nobody knows yet who calls");
        meanwhile(house);
        house.run(wait);
        house.withhold_keys(false);
        house.run(Micros::from_millis(100));
        house.states()
    })
    .0
}

#[test]
fn a_ring_of_an_unknown_device_waits_for_its_keys_and_is_gone_with_its_call_or_its_time() {
    assert_eq!(ring_without_keys(SECOND, |_| ())[1], CallStateName::Incoming);
    assert_eq!(ring_without_keys(SECOND, |house| house.act(0, Act::Cancel))[1], CallStateName::Idle);
    assert_eq!(ring_without_keys(Micros::from_secs(60), |_| ())[1], CallStateName::Idle);
}

#[test]
fn an_offer_of_somebody_in_the_middle_ends_the_call() {
    let (states, log) = tell(7, Story { spoils_offers: true, ..Story::default() }, |house| {
        go_live(house);
        house.states()
    });
    assert_eq!(states[1], CallStateName::Ended);
    let ended = |event: &Event| matches!(event, Event::Ended(ended) if ended.device == "bob-phone" && ended.reason == EndReason::Security);
    assert!(first(&log, ended).is_some());
    assert_eq!(captures(&log, "bob-phone"), None);
}

#[test]
fn a_device_that_hides_gathers_and_sends_nothing_of_its_own() {
    let hide = |mutants: Vec<Mutant>| {
        tell(8, Story { callee_hides: true, mutants, ..Story::default() }, |house| {
            go_live(house);
            house.media_sent.iter().filter(|(_, who)| *who == 1).count()
        })
    };
    let gathers =
        |log: &Log| first(log, |event| matches!(event, Event::CandidateGathered(own) if own.device == "bob-phone"));
    let (sent, log) = hide(vec![]);
    assert_eq!((sent, gathers(&log)), (0, None));
    let (sent, log) = hide(vec![Mutant::V73]);
    assert!(sent > 0 && gathers(&log).is_some());
}

#[test]
fn a_call_without_a_path_ends_after_the_connecting_limit() {
    // The callee hides and has no relay: no pair can ever be valid.
    let (states, log) = tell(9, Story { callee_hides: true, ..Story::default() }, |house| {
        go_live(house);
        house.run(Micros::from_secs(25));
        house.states()
    });
    assert!(states.iter().all(|state| matches!(state, CallStateName::Idle | CallStateName::Ended)), "{states:?}");
    let failed = |event: &Event| matches!(event, Event::Ended(ended) if ended.reason == EndReason::Failed);
    assert!(first(&log, failed).is_some());
}

#[test]
fn both_devices_agree_on_the_four_frame_keys() {
    let keys = |log: &Log| -> Vec<String> {
        let secret = |event: &Event| match event {
            Event::Secret(secret) if secret.kid.is_some() => Some(secret.value.clone()),
            _ => None,
        };
        log.records.iter().filter_map(|record| secret(&record.event)).collect()
    };
    let (_, log) = tell(10, Story::default(), go_live);
    // Four base keys, told by both devices alike.
    let mut keys = keys(&log);
    assert_eq!(keys.len(), 8);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

/// The legs from the hand-over to RTP up to the hand-over by RTP leave nothing out.
#[test]
fn the_legs_of_rtp_add_up_for_each_frame() {
    let (_, log) = tell(11, Story::default(), go_live);
    let mut sent: BTreeMap<PacketId, (SimTime, Micros, u32)> = BTreeMap::new();
    let mut checked = 0;
    for record in &log.records {
        match &record.event {
            Event::RtpSent(packet) => {
                let legs = packet.pacer + packet.repair_wait;
                sent.insert(packet.packet, (record.at, legs, packet.frame));
            }
            Event::Reassembled(frame) => {
                let completed_by = frame.completed_by.expect("nothing is lost here");
                let (left, legs, _) = sent[&completed_by];
                let arrived = left + house::DELAY;
                assert_eq!(arrived + frame.reassembly, record.at);
                assert!(legs <= Micros::from_millis(200));
                checked += 1;
            }
            _ => {}
        }
    }
    assert!(checked > 100);
}

#[test]
fn a_lost_connection_is_made_again_with_the_session_token() {
    let ((sign_ins, states), _) = tell(14, Story::default(), |house| {
        house.run(SECOND);
        house.cut(0);
        house.run(Micros::from_secs(3));
        go_live(house);
        (house.sign_ins, house.states())
    });
    assert_eq!(sign_ins, [2, 1]);
    assert_eq!(states, [CallStateName::Live; 2]);
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let digest = |seed| tell(seed, Story::default(), go_live).1.digest;
    assert_eq!(digest(12), digest(12));
    assert_ne!(digest(12), digest(13));
}
