//! Tracks that were switched off: how soon the peer knows, and how soon it sees or hears again.

use super::Sheet;
use crate::{
    invariants::off::is_captured,
    run::{Run, Way},
};
use kernel::{SimTime, Track};

pub(super) fn measure(run: &Run, way: Way, sheet: &mut Sheet) {
    let name = run.way_name(way);
    let parts = run
        .calls
        .parts
        .values()
        .filter(|part| part.device == way.sender && run.part(way.receiver, part.call).is_some());
    let (mut known, mut resumed) = (Vec::new(), Vec::new());
    for part in parts {
        let over = part.over().unwrap_or((run.end, u64::MAX));
        for track in [Track::Audio, Track::Video] {
            for (off, on) in part.times_off(track).into_iter().filter(|(off, _)| is_captured(run, part, track, off.1)) {
                let told = told_off(run, way, track, off.1).filter(|at| *at <= on.0);
                known.push((off.0, told.unwrap_or(on.0.min(run.end)).since(off.0).0));
                if on.1 < over.1 {
                    let perceived = perceived(run, way, track, on.1).filter(|at| *at <= over.0);
                    resumed.push((on.0, perceived.unwrap_or(over.0).since(on.0).0));
                }
            }
        }
    }
    for (quantity, mut values) in [("off_known_us", known), ("resume_us", resumed)] {
        values.sort_by_key(|(at, _)| *at);
        sheet.distribution(&name, quantity, values);
    }
}

/// When the receiver learnt that the track is off.
fn told_off(run: &Run, way: Way, track: Track, after: u64) -> Option<SimTime> {
    let (device, sender) = (run.cast.name(way.receiver), run.cast.name(way.sender));
    let mut told = run.events.peer_switches.iter().filter(|seen| seen.index > after && seen.track == track && !seen.on);
    told.find(|seen| seen.device == *device && seen.sender == *sender).map(|seen| seen.at)
}

/// When the receiver's user saw or heard the track again.
fn perceived(run: &Run, way: Way, track: Track, after: u64) -> Option<SimTime> {
    let (device, sender) = (run.cast.name(way.receiver), run.cast.name(way.sender));
    match track {
        Track::Video => {
            let mut shown = run.events.rendered.iter().filter(|seen| seen.index > after);
            shown.find(|seen| seen.device == *device && seen.sender == *sender).map(|seen| seen.at)
        }
        Track::Audio => {
            let mut heard = run.events.played.iter().filter(|seen| seen.index > after && seen.counter.is_some());
            heard.find(|seen| seen.device == *device && seen.sender == *sender).map(|seen| seen.at)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{judgement::Judgement, story::Story};
    use kernel::{
        Track,
        event::{self, Act, Event},
    };

    fn value(judgement: &Judgement, name: &str) -> Option<i64> {
        judgement.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    /// Alice's picture for a second, her camera off from 9 s to 14 s, and her picture for a second.
    fn story(is_told: bool) -> Story {
        let mut story = Story::new();
        story.live().at(8_000);
        (0..30).for_each(|number| _ = story.frame("alice-phone", number));
        story.at(9_000).act("alice-phone", Act::CameraOff).capture("alice-phone", Track::Video, false).at(9_060);
        let (device, sender, track) = ("bob-phone".into(), "alice-phone".into(), Track::Video);
        if is_told {
            story.tell(Event::PeerSwitched(event::PeerSwitched { device, sender, track, on: false }));
        }
        story.at(14_000).act("alice-phone", Act::CameraOn).capture("alice-phone", Track::Video, true).at(14_100);
        (30..60).for_each(|number| _ = story.frame("alice-phone", number));
        story.at(15_100);
        story.over(15_100);
        story
    }

    #[test]
    fn a_picture_that_was_switched_off_does_not_freeze() {
        let judgement = story(true).judge();
        assert_eq!(value(&judgement, "freeze_count"), Some(0));
        assert_eq!(value(&judgement, "pause_count"), Some(0));
        assert_eq!(value(&judgement, "alice-phone>bob-phone/off_known_us_max"), Some(60_000));
        // The first picture is on the screen 17,920 us after the sensor.
        assert_eq!(value(&judgement, "alice-phone>bob-phone/resume_us_max"), Some(117_920));
    }

    #[test]
    fn a_receiver_that_is_not_told_sees_a_frozen_picture() {
        let judgement = story(false).judge();
        assert_eq!(value(&judgement, "freeze_count"), Some(1));
        assert_eq!(value(&judgement, "off_known_us_max"), Some(5_000_000));
    }

    #[test]
    fn a_call_in_which_nobody_switches_has_neither() {
        let mut story = Story::new();
        story.live().at(8_000).frame("alice-phone", 0).over(9_000);
        let judgement = story.judge();
        assert_eq!((value(&judgement, "off_known_us_max"), value(&judgement, "resume_us_max")), (None, None));
    }
}
