//! How long a call takes to come up, step by step.

use super::Sheet;
use crate::run::{Call, Part, Run, Seen};
use kernel::{CallId, SimTime, Track, event::CallStateName};

pub(super) fn measure(run: &Run, sheet: &mut Sheet) {
    for (id, call) in &run.calls.by_id {
        measure_call(run, *id, call, sheet);
    }
}

fn measure_call(run: &Run, id: CallId, call: &Call, sheet: &mut Sheet) {
    let parts: Vec<&Part> = run.calls.parts.values().filter(|part| part.call == id).collect();
    let Some(caller) = parts.iter().find(|part| part.ring.is_none() && !part.consents.is_empty()) else { return };
    let Some(called) = caller.consents.first().map(|consent| consent.given.0) else { return };
    let mut step = |name: &str, at: Option<SimTime>| {
        if let Some(at) = at {
            sheet.once(name, at.since(called).0);
        }
    };
    let rang = parts.iter().filter_map(|part| part.ring).map(|ring| ring.at).min();
    step("setup_ring_us", rang);
    let Some((one, other)) = call.devices else { return };
    let (Some(caller), Some(callee)) = (run.part(one, id), run.part(other, id)) else { return };
    let accepted = callee.consents.first().map(|consent| consent.given.0);
    step("setup_accept_us", accepted);
    let both = [caller, callee];
    step("setup_ice_us", later(both, |part| ice_connected(run, part)));
    step("setup_dtls_us", later(both, |part| first(part, run.events.dtls.of(run.cast.name(part.device)))));
    step("setup_live_us", later(both, |part| part.first(CallStateName::Live).map(|(at, _)| at)));
    step("setup_first_key_us", later(both, |part| first(part, run.events.sealed.of(run.cast.name(part.device)))));
    step("setup_first_audio_us", later(both, |part| first_sound(run, part)));
    step("setup_first_video_us", later(both, |part| first_picture(run, part)));
    let first_media = later([(caller, callee), (callee, caller)], |(part, peer)| {
        let sees = peer.consents.iter().any(|consent| consent.tracks.contains(&Track::Video));
        if sees { first_picture(run, part) } else { first_sound(run, part) }
    });
    let (Some(first_media), Some(accepted)) = (first_media, accepted) else { return };
    sheet.once("accept_to_media_us", first_media.since(accepted).0);
    if let Some(rang) = rang {
        sheet.once("setup_us", first_media.since(accepted).0 + rang.since(called).0);
    }
}

/// The later of two times, when both are known.
fn later<T>(both: [T; 2], time: impl Fn(T) -> Option<SimTime>) -> Option<SimTime> {
    let [one, other] = both.map(time);
    Some(one?.max(other?))
}

fn ice_connected(run: &Run, part: &Part) -> Option<SimTime> {
    let states = run.events.ice_states.of(run.cast.name(part.device));
    first(part, states.filter(|seen| matches!(seen.state.as_str(), "connected" | "completed")))
}

fn first_sound(run: &Run, part: &Part) -> Option<SimTime> {
    let heard = run.events.played.of(run.cast.name(part.device));
    first(part, heard.filter(|seen| seen.counter.is_some()))
}

fn first_picture(run: &Run, part: &Part) -> Option<SimTime> {
    first(part, run.events.rendered.of(run.cast.name(part.device)))
}

/// The first of a device's events in its part of the call.
fn first<'e, 'a: 'e, T: 'a>(part: &Part, mut own: impl Iterator<Item = &'e Seen<'a, T>>) -> Option<SimTime> {
    own.find(|seen| seen.at >= part.began.0).map(|seen| seen.at)
}

#[cfg(test)]
mod tests {
    use crate::story::Story;

    fn value(judgement: &crate::Judgement, name: &str) -> Option<i64> {
        judgement.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    #[test]
    fn the_steps_of_a_call_are_measured_from_the_call_act() {
        let mut story = Story::new();
        story.live().at(7_320).frame("alice-phone", 0).at(7_400).frame("bob-phone", 0).over(9_000);
        let judgement = story.judge();
        assert_eq!(value(&judgement, "setup_ring_us"), Some(40_000));
        assert_eq!(value(&judgement, "setup_accept_us"), Some(1_000_000));
        assert_eq!(value(&judgement, "setup_ice_us"), Some(1_200_000));
        assert_eq!(value(&judgement, "setup_dtls_us"), Some(1_200_000));
        assert_eq!(value(&judgement, "setup_live_us"), Some(1_300_000));
        assert_eq!(value(&judgement, "setup_first_key_us"), Some(1_403_010));
        assert_eq!(value(&judgement, "setup_first_video_us"), Some(1_417_920));
        assert_eq!(value(&judgement, "accept_to_media_us"), Some(417_920));
        // Without the 960 ms from the ring to the accept.
        assert_eq!(value(&judgement, "setup_us"), Some(457_920));
        assert_eq!(value(&judgement, "setup_first_audio_us"), None);
    }

    #[test]
    fn a_call_without_media_has_no_setup_time() {
        let mut story = Story::new();
        story.live().frame("alice-phone", 0).over(9_000);
        let judgement = story.judge();
        assert_eq!(value(&judgement, "setup_us"), None);
        assert_eq!(value(&judgement, "setup_ring_us"), Some(40_000));
    }
}
