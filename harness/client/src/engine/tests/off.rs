//! Tracks that their user switches off and on.

use super::*;
use kernel::event::{CaptureSwitched, Captured, PeerSwitched};

const SECOND: Micros = Micros::from_secs(1);
/// A sealed frame without content: header and tag.
const EMPTY: u32 = 33;

/// Alice switches `track` off after a second and on after three; the log of five seconds.
fn off_and_on(track: Track, way: impl FnOnce() -> Way + Send + 'static) -> Log {
    in_simulation(&[], move || {
        let mut loopback = Loopback::new(&plan(), DeviceClass::MidRange, way());
        loopback.start();
        loopback.run_until(START + SECOND);
        loopback.engines[0].switch_off(track, time::now());
        loopback.run_until(START + Micros::from_secs(3));
        loopback.engines[0].switch_on(track, time::now());
        loopback.run_until(START + Micros::from_secs(5));
    })
}

fn told(log: &Log) -> Vec<(SimTime, bool)> {
    let told: Vec<(SimTime, &PeerSwitched)> = all!(log, PeerSwitched);
    assert!(told.iter().all(|(_, told)| told.device == "bob-phone" && told.sender == "alice-phone"));
    told.into_iter().map(|(at, told)| (at, told.on)).collect()
}

fn captured_by_alice(log: &Log, track: Track) -> Vec<SimTime> {
    let captured: Vec<(SimTime, &Captured)> = all!(log, Captured);
    let own = captured.into_iter().filter(|(_, seen)| seen.device == "alice-phone" && seen.track == track);
    own.map(|(at, _)| at).collect()
}

#[test]
fn a_camera_that_is_off_is_closed_and_comes_back_with_a_key_frame() {
    let log = off_and_on(Track::Video, ideal);
    let (off, on) = (START + SECOND, START + Micros::from_secs(3));
    let switched: Vec<(SimTime, &CaptureSwitched)> = all!(&log, CaptureSwitched);
    let switched: Vec<_> = switched.into_iter().filter(|(at, _)| *at > START).map(|(at, seen)| (at, seen.on)).collect();
    assert_eq!(switched, [(off, false), (on, true)]);
    assert!(captured_by_alice(&log, Track::Video).iter().all(|at| *at <= off || *at > on));
    let told = told(&log);
    assert_eq!(told.iter().map(|(_, on)| *on).collect::<Vec<_>>(), [false, true]);
    assert!(told[0].0.since(off) < PIPE + Micros::from_millis(1), "{:?}", told[0]);
    let sealed: Vec<_> = all!(&log, Sealed);
    let video = |seen: &&Sealed| seen.device == "alice-phone" && seen.track == Track::Video;
    let meanwhile = sealed.iter().filter(|(at, _)| *at > off && *at < on).map(|(_, seen)| *seen);
    let meanwhile: Vec<_> = meanwhile.filter(video).collect();
    assert_eq!(meanwhile.len(), 5, "each 400 ms");
    assert!(meanwhile.iter().all(|seen| seen.bytes.len <= EMPTY && seen.clear_bytes == 0));
    let numbers: Vec<u32> = sealed.iter().map(|(_, seen)| *seen).filter(video).map(|s| s.frame).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "numbers go on");
    let encoded = all!(&log, Encoded);
    let first = encoded.iter().find(|(at, e)| *at > on && e.device == "alice-phone" && e.track == Track::Video);
    assert!(first.is_some_and(|(_, encoded)| encoded.key));
    let shown = all!(&log, Rendered);
    let shown: Vec<_> = shown.iter().filter(|(_, seen)| seen.device == "bob-phone").map(|(at, _)| *at).collect();
    assert!(shown.iter().all(|at| *at <= told[0].0 || *at > on));
    assert!(shown.iter().filter(|at| **at > on).count() > 50);
    assert_eq!(all!(&log, KeyFrameRequested).len(), 0);
    assert_eq!(decoded_but_never_encoded(&log), 0);
}

#[test]
fn a_camera_that_never_opened_is_off_for_the_peer_and_can_open_later() {
    let log = in_simulation(&[], || {
        let mut loopback = Loopback::new(&plan(), DeviceClass::MidRange, ideal());
        loopback.engines[0].start(&[Track::Audio], CallId([7; 16]), START);
        loopback.engines[0].keep_off(Track::Video, START);
        loopback.engines[1].start(&[Track::Audio, Track::Video], CallId([7; 16]), START);
        loopback.run_until(START + SECOND);
        loopback.engines[0].switch_on(Track::Video, time::now());
        loopback.run_until(START + Micros::from_secs(2));
    });
    let told = told(&log);
    assert_eq!(told.iter().map(|(_, on)| *on).collect::<Vec<_>>(), [false, true]);
    assert!(told[0].0.since(START) < PIPE + Micros::from_millis(1), "{:?}", told[0]);
    let captured = captured_by_alice(&log, Track::Video);
    assert!(captured.len() > 20 && captured.iter().all(|at| *at > START + SECOND));
    assert_eq!(decoded_but_never_encoded(&log), 0);
}

#[test]
fn a_muted_microphone_is_silence_and_no_loss() {
    let log = off_and_on(Track::Audio, ideal);
    let (off, on) = (START + SECOND, START + Micros::from_secs(3));
    let played = all!(&log, AudioPlayed);
    let heard: Vec<_> = played.iter().filter(|(_, seen)| seen.device == "bob-phone").collect();
    assert!(heard.iter().all(|(_, seen)| seen.counter.is_some()), "nothing is invented");
    let silent = Micros::from_millis(300);
    assert!(heard.iter().all(|(at, _)| *at < off + silent || *at > on));
    assert!(heard.iter().filter(|(at, _)| *at > on).count() > 90);
    assert_eq!(told(&log).len(), 2);
}

#[test]
fn a_lost_word_is_repeated() {
    let log = off_and_on(Track::Video, || {
        let mut lost = false;
        Box::new(move |from, track, _, bytes| {
            let first = from == 0 && track == Track::Video && bytes.len() <= EMPTY as usize && !lost;
            lost |= first;
            if first { vec![] } else { vec![bytes] }
        })
    });
    let known = told(&log)[0].0.since(START + SECOND);
    assert!((Micros::from_millis(420)..Micros::from_millis(425)).contains(&known), "{known}");
}

#[test]
fn a_frame_that_comes_after_the_word_is_not_shown() {
    let log = off_and_on(Track::Video, || {
        let mut last = None;
        let mut late = false;
        Box::new(move |from, track, frame, bytes| {
            if from != 0 || track != Track::Video {
                return vec![bytes];
            }
            // The frame of the second's end comes with the first word.
            if (20..40).contains(&frame) && bytes.len() > EMPTY as usize && !late {
                return last.replace(bytes).into_iter().collect();
            }
            late |= bytes.len() <= EMPTY as usize;
            [Some(bytes), last.take()].into_iter().flatten().collect()
        })
    });
    let told = told(&log);
    assert_eq!(told.iter().map(|(_, on)| *on).collect::<Vec<_>>(), [false, true]);
    assert!(told[1].0 > START + Micros::from_secs(3));
    let dropped = all!(&log, FrameDropped);
    let dropped: Vec<_> = dropped.into_iter().map(|(_, seen)| (seen.frame, seen.reason.as_str())).collect();
    // The one that waits for its time in the jitter buffer, and the late one.
    assert_eq!(dropped, [(Some(28), "switched_off"), (Some(29), "switched_off")]);
}
