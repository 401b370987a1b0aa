//! CON-5, CON-6: a camera or microphone that its user switched off, or that the operating system denies.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Moment, Part, Run},
};
use kernel::{Micros, SimTime, Track, event::Act};
use std::collections::BTreeSet;

/// How long packets that were on their way inside the device may still leave it ...
const AFTERGLOW: Micros = Micros::from_millis(500);
/// ... and how long after the last of them has left it may be repeated for a peer that misses it, or to probe the rate: as
/// long as str0m keeps it.
const REPAIR: Micros = Micros::from_secs(3);
/// The most that a sealed frame without content has: SFrame header and tag (RFC 9605 sections 4.3 and 4.5).
const EMPTY: u32 = 17 + 16;

/// CON-5, CON-6. Checks are the times at which a track was off, thrice each, the frames that were sealed meanwhile, and the
/// times at which the operating system denied one, in a call or not.
pub(crate) fn nothing_captured_while_off(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for part in run.calls.parts.values() {
        for track in [Track::Audio, Track::Video] {
            for (off, on) in part.times_off(track).into_iter().filter(|(off, _)| is_captured(run, part, track, off.1)) {
                // That it opens again unasked is one mistake, and no_peer_starts_a_track judges it.
                let time = (off, reopened(run, part, track, off).unwrap_or(on).min(on));
                judge(run, part, track, time, &mut checks);
                judge_packets(run, part, track, time, &mut checks);
            }
        }
    }
    judge_denials(run, &mut checks);
    checks
}

/// When the device of a track opened again after it was closed at a moment.
fn reopened(run: &Run, part: &Part, track: Track, off: Moment) -> Option<Moment> {
    let mut switched = run
        .events
        .captures
        .of(run.cast.name(part.device))
        .filter(|seen| seen.index > off.1 && seen.call == part.call && seen.track == track);
    switched.find(|seen| !seen.on)?;
    switched.find(|seen| seen.on).map(|seen| (seen.at, seen.index))
}

/// While the operating system denies a track nothing of it is opened or captured, whatever the user of the app does.
fn judge_denials(run: &Run, checks: &mut Checks) {
    for denied in &run.events.user_acts {
        let Act::DenyAccess { track } = denied.what else { continue };
        let mut later =
            run.events.user_acts.iter().filter(|act| act.index > denied.index && act.device == denied.device);
        let allowed = later.find(|act| act.what == Act::AllowAccess { track });
        let until = allowed.map_or((SimTime::NEVER, u64::MAX), |act| (act.at, act.index));
        let within = |index: u64| index > denied.index && index < until.1;
        let opened = run.events.captures.of(&denied.device);
        let opened = opened.filter(|seen| seen.on && seen.track == track && within(seen.index));
        let captured = run.events.captured.iter();
        let captured =
            captured.filter(|seen| seen.device == denied.device && seen.track == track && within(seen.index));
        let moments = opened.map(|seen| (seen.at, seen.index)).chain(captured.map(|seen| (seen.at, seen.index)));
        let first = moments.min_by_key(|moment| moment.1);
        let (at, record) = first.unwrap_or((denied.at, denied.index));
        checks.check(first.is_none(), at, record, || {
            format!("{} captures {track} although its operating system denies it", denied.device)
        });
    }
}

/// Whether the device of a track was open just before a record.
pub(crate) fn is_captured(run: &Run, part: &Part, track: Track, record: u64) -> bool {
    let device = run.cast.name(part.device);
    let mut switched =
        run.events.captures.iter().filter(|seen| {
            seen.device == *device && seen.call == part.call && seen.track == track && seen.index < record
        });
    switched.next_back().is_some_and(|seen| seen.on)
}

/// The device is closed at once, gives nothing, and what is sealed has nothing in it.
fn judge(run: &Run, part: &Part, track: Track, ((at, off), (_, on)): (Moment, Moment), checks: &mut Checks) {
    let device = run.cast.name(part.device);
    let within = |index: u64| index > off && index < on;
    let closed =
        run.events.captures.iter().any(|seen| {
            within(seen.index) && seen.at == at && !seen.on && seen.device == *device && seen.track == track
        });
    checks.check(closed, at, off, || format!("{device} does not close its {track} when its user switches it off"));
    let captured =
        run.events.captured.iter().find(|seen| within(seen.index) && seen.device == *device && seen.track == track);
    let (seen_at, record) = captured.map_or((at, off), |seen| (seen.at, seen.index));
    checks.check(captured.is_none(), seen_at, record, || {
        format!("{device} captures {track} although its user switched it off")
    });
    let frames = run.frames.sent_by(part.device).filter(|sent| sent.track == track);
    for (sent, sealed) in frames.filter_map(|sent| sent.sealed.map(|sealed| (sent, sealed))) {
        if within(sealed.index) {
            checks.check(sent.encoded.is_none() && sealed.bytes.len <= EMPTY, sealed.at, sealed.index, || {
                format!("{device} seals {track} of {} bytes although its user switched it off", sealed.bytes.len)
            });
        }
    }
}

/// What was captured before does not leave long after.
fn judge_packets(run: &Run, part: &Part, track: Track, (off, on): (Moment, Moment), checks: &mut Checks) {
    let device = run.cast.name(part.device);
    let with_content: BTreeSet<u32> = run
        .frames
        .sent
        .iter()
        .filter(|sent| sent.device == part.device && sent.track == track)
        .filter(|sent| sent.encoded.is_some_and(|encoded| (part.began.1..on.1).contains(&encoded.index)))
        .map(|sent| sent.number)
        .collect();
    let late = run.events.rtp_sent.iter().find(|rtp| {
        rtp.index < on.1
            && rtp.at > off.0 + AFTERGLOW + if rtp.repair { REPAIR } else { Micros::ZERO }
            && rtp.device == *device
            && rtp.track == track
            && with_content.contains(&rtp.frame)
    });
    let (at, record) = late.map_or(off, |rtp| (rtp.at, rtp.index));
    checks.check(late.is_none(), at, record, || {
        format!("{device} still sends {track} {} after its user switched it off", at.since(off.0))
    });
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::{
        Micros, Track,
        event::{self, Act, Event},
    };

    /// Alice's camera goes off at 9 s; frame 0 was sent before.
    fn off() -> Story {
        let mut story = Story::new();
        story.live().at(8_000).frame("alice-phone", 0).at(9_000).act("alice-phone", Act::CameraOff);
        story
    }

    /// A frame of alice's without content.
    fn empty(story: &mut Story, frame: u32, len: usize) {
        let (device, bytes) = ("alice-phone".into(), story.store(&vec![frame as u8; len]));
        let (track, counter, clear_bytes, encrypt) = (Track::Video, u64::from(frame), 0, Micros(1));
        story.tell(Event::Sealed(event::Sealed { device, track, frame, counter, clear_bytes, bytes, encrypt }));
    }

    #[test]
    fn a_camera_that_is_closed_and_says_so_holds() {
        let mut story = off();
        story.capture("alice-phone", Track::Video, false);
        empty(&mut story, 1, 18);
        story.at(10_000).act("alice-phone", Act::CameraOn).capture("alice-phone", Track::Video, true);
        story.frame("alice-phone", 2).over(12_000);
        assert_eq!(story.holds("nothing_captured_while_off"), 4);
    }

    #[test]
    fn a_camera_that_stays_open() {
        let mut story = off();
        story.over(12_000);
        let sentence = story.fails_only("nothing_captured_while_off");
        assert_eq!(sentence, "alice-phone does not close its video when its user switches it off");
    }

    #[test]
    fn a_frame_that_is_captured_after_all() {
        let mut story = off();
        story.capture("alice-phone", Track::Video, false).frame("alice-phone", 1).over(12_000);
        let sentence = story.fails_only("nothing_captured_while_off");
        assert_eq!(sentence, "alice-phone captures video although its user switched it off");
    }

    #[test]
    fn a_frame_that_says_more_than_nothing() {
        let mut story = off();
        story.capture("alice-phone", Track::Video, false);
        empty(&mut story, 1, 40);
        story.over(12_000);
        let sentence = story.fails_only("nothing_captured_while_off");
        assert_eq!(sentence, "alice-phone seals video of 40 bytes although its user switched it off");
    }

    #[test]
    fn a_packet_that_leaves_late() {
        let mut story = off();
        story.capture("alice-phone", Track::Video, false).at(9_501);
        story.media_packet("alice-phone", "bob-phone");
        story.over(12_000);
        let sentence = story.fails_only("nothing_captured_while_off");
        assert_eq!(sentence, "alice-phone still sends video 501.000 ms after its user switched it off");
    }

    /// Bob's phone denies the camera before the call, and gives it back at a time.
    fn denied(allowed_ms: u64) -> Story {
        let mut story = Story::new();
        story.act("bob-phone", Act::DenyAccess { track: Track::Video });
        story.befriend().ringing().at(allowed_ms).act("bob-phone", Act::AllowAccess { track: Track::Video });
        story.at(7_000).act("bob-phone", Act::Accept { video: true });
        story.state("bob-phone", event::CallStateName::Incoming, event::CallStateName::Accepting);
        story.at(7_100).capture("bob-phone", Track::Audio, true).capture("bob-phone", Track::Video, true);
        story
    }

    #[test]
    fn what_is_denied_stays_closed() {
        assert_eq!(denied(6_500).holds("nothing_captured_while_off"), 1);
        let mut story = denied(6_500);
        story.act("bob-phone", Act::DenyAccess { track: Track::Audio });
        story.at(7_200).capture("bob-phone", Track::Audio, false).over(12_000);
        assert!(story.report("nothing_captured_while_off").checks > 1);
        let mut story = Story::new();
        story.act("bob-phone", Act::DenyAccess { track: Track::Video }).live().over(12_000);
        let sentence = story.fails_only("nothing_captured_while_off");
        assert_eq!(sentence, "bob-phone captures video although its operating system denies it");
    }

    #[test]
    fn a_camera_that_opens_again_unasked_is_the_mistake_of_another() {
        let mut story = Story::new();
        story.live().at(9_000).act("alice-phone", Act::DenyAccess { track: Track::Video });
        story.capture("alice-phone", Track::Video, false).at(10_000);
        story.act("alice-phone", Act::AllowAccess { track: Track::Video }).capture("alice-phone", Track::Video, true);
        story.frame("alice-phone", 0).over(12_000);
        story.fails_only("no_peer_starts_a_track");
    }

    #[test]
    fn a_camera_that_was_never_on_is_no_check() {
        let mut story = Story::new();
        story.live().at(9_000).capture("alice-phone", Track::Video, false).act("alice-phone", Act::CameraOff);
        story.over(12_000);
        assert_eq!(story.holds("nothing_captured_while_off"), 0);
    }
}
