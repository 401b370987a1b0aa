//! Latency, smoothness, quality and counts of frames in one direction.

use super::{Sheet, Smoothness};
use crate::run::{LEGS, Legs, Run, Seen, Way};
use kernel::{
    CallId, Micros, SimTime, Track,
    event::{Captured, OpenVerdict},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn measure(run: &Run, way: Way, sheet: &mut Sheet) {
    let name = run.way_name(way);
    measure_latency(run, way, &name, sheet);
    measure_smoothness(run, way, &name, sheet);
    measure_quality(run, way, &name, sheet);
    measure_sound(run, way, &name, sheet);
    count(run, way, &name, sheet);
}

/// Rendered frames whose legs are not all known.
pub(super) fn without_legs(run: &Run) -> u64 {
    let rendered = run.frames.deliveries.iter().filter(|delivery| delivery.rendered.is_some());
    rendered.filter(|delivery| Legs::of(run, delivery).is_none()).count() as u64
}

fn measure_latency(run: &Run, way: Way, name: &str, sheet: &mut Sheet) {
    let mut glass_to_glass = Vec::new();
    let mut mouth_to_ear = Vec::new();
    let mut legs: [Vec<(SimTime, u64)>; LEGS.len()] = Default::default();
    for (sent, delivery) in run.deliveries(way) {
        let Some(captured) = sent.captured else { continue };
        if let Some(rendered) = delivery.rendered {
            glass_to_glass.push((rendered.at, rendered.at.since(captured.sensed_at).0));
            if let Some((frame, _)) = Legs::of(run, delivery) {
                legs.iter_mut().zip(frame.0).for_each(|(leg, value)| leg.push((rendered.at, value)));
            }
        }
        if let Some(played) = delivery.played {
            mouth_to_ear.push((played.at, played.at.since(captured.sensed_at).0));
        }
    }
    let mut distribution = |quantity: &str, mut values: Vec<(SimTime, u64)>| {
        values.sort_by_key(|(at, _)| *at);
        sheet.distribution(name, quantity, values);
    };
    distribution("glass_to_glass_us", glass_to_glass);
    for (leg, values) in LEGS.iter().zip(legs) {
        distribution(&format!("leg_{leg}_us"), values);
    }
    distribution("mouth_to_ear_us", mouth_to_ear);
}

/// How smoothly a direction's pictures came, call by call.
pub(crate) fn smoothness(run: &Run, way: Way) -> Smoothness {
    let (device, sender) = (run.cast.name(way.receiver), run.cast.name(way.sender));
    let mut calls: BTreeMap<Option<CallId>, Vec<SimTime>> = BTreeMap::new();
    for rendered in run.events.rendered.of(device).filter(|seen| seen.sender == *sender) {
        let call = run.call_at(way.receiver, rendered.index).map(|part| part.call);
        calls.entry(call).or_default().push(rendered.at);
    }
    let mut smoothness = Smoothness::default();
    for (call, times) in calls {
        let end = video_end(run, way, call);
        let mut shown = &times[..];
        for off in off_at(run, way) {
            let (before, after) = shown.split_at(shown.partition_point(|at| *at <= off));
            smoothness.add(before, end.min(off));
            shown = after;
        }
        smoothness.add(shown, end);
    }
    smoothness
}

/// When the receiver knew that the sender's camera is off: its tile shows no picture from then on, so that none freezes.
fn off_at(run: &Run, way: Way) -> impl Iterator<Item = SimTime> {
    let (device, sender) = (run.cast.name(way.receiver), run.cast.name(way.sender));
    let switches = run.events.peer_switches.iter().filter(|seen| !seen.on && seen.track == Track::Video);
    switches.filter(move |seen| seen.device == *device && seen.sender == *sender).map(|seen| seen.at)
}

/// When either side took the call as over.
fn video_end(run: &Run, way: Way, call: Option<CallId>) -> SimTime {
    let parts = call.map(|call| [way.sender, way.receiver].map(|device| run.part(device, call)));
    let ends = parts.into_iter().flatten().flatten().flat_map(|part| part.hung_up.into_iter().chain(part.over()));
    ends.map(|(at, _)| at).min().unwrap_or(run.end)
}

fn measure_smoothness(run: &Run, way: Way, name: &str, sheet: &mut Sheet) {
    let smoothness = smoothness(run, way);
    let Some(harmonic_fps) = smoothness.harmonic_fps_milli() else { return };
    sheet.of(name, "freeze_count", smoothness.freezes.len() as u64);
    sheet.of(name, "freeze_total_us", smoothness.total().0);
    sheet.of(name, "freeze_longest_us", smoothness.longest().0);
    sheet.of(name, "pause_count", smoothness.pauses);
    sheet.of(name, "harmonic_fps_milli", harmonic_fps);
}

fn measure_quality(run: &Run, way: Way, name: &str, sheet: &mut Sheet) {
    let (device, sender) = (run.cast.name(way.receiver), run.cast.name(way.sender));
    let qualities: Vec<_> = run.events.qualities.of(device).filter(|seen| seen.sender == *sender).collect();
    let psnr = qualities.iter().map(|seen| (seen.at, u64::from(seen.psnr_y_mdb))).collect();
    let ssim = qualities.iter().map(|seen| (seen.at, u64::from(seen.ssim_y_ppm))).collect();
    sheet.distribution(name, "psnr_y_mdb", psnr);
    sheet.distribution(name, "ssim_y_ppm", ssim);
}

fn measure_sound(run: &Run, way: Way, name: &str, sheet: &mut Sheet) {
    let (device, sender) = (run.cast.name(way.receiver), run.cast.name(way.sender));
    let played = run.events.played.of(device).filter(|seen| seen.sender == *sender);
    // Silence before the first block is no concealment.
    let played: Vec<_> = played.skip_while(|seen| seen.counter.is_none()).collect();
    let samples: u64 = played.iter().map(|seen| u64::from(seen.samples)).sum();
    if samples == 0 {
        return;
    }
    let concealed: u64 = played.iter().filter(|seen| seen.counter.is_none()).map(|seen| u64::from(seen.samples)).sum();
    let stretched: u64 = played.iter().map(|seen| u64::from(seen.stretched.unsigned_abs())).sum();
    sheet.of(name, "concealed_ppm", concealed * 1_000_000 / samples);
    sheet.of(name, "stretched_ppm", stretched * 1_000_000 / samples);
    sheet.distribution(name, "audio_buffer_us", played.iter().map(|seen| (seen.at, seen.buffered.0)).collect());
}

/// Counts along the way: the senders' of all that was captured for this peer, the receivers' of what came of it.
fn count(run: &Run, way: Way, name: &str, sheet: &mut Sheet) {
    let sent = |track: Track| {
        let frames = run.frames.sent_by(way.sender).filter(move |sent| sent.track == track);
        frames.filter(move |sent| {
            let first = sent.captured.map(|seen| seen.index).or(sent.sealed.map(|seen| seen.index));
            first.is_none_or(|index| run.way_of(way.sender, index).is_none_or(|of| of == way))
        })
    };
    let received =
        |track: Track| run.deliveries(way).filter(move |(sent, _)| sent.track == track).map(|(_, delivery)| delivery);
    let mut put = |quantity: &str, count: usize| sheet.of(name, quantity, count as u64);
    for (track, prefix) in [(Track::Video, "video"), (Track::Audio, "audio")] {
        put(&format!("{prefix}_frames_captured"), sent(track).filter(|sent| sent.captured.is_some()).count());
        put(&format!("{prefix}_frames_sealed"), sent(track).filter(|sent| sent.sealed.is_some()).count());
        put(
            &format!("{prefix}_frames_received"),
            received(track).filter(|delivery| delivery.reassembled.is_some()).count(),
        );
    }
    put("video_frames_encoded", sent(Track::Video).filter(|sent| sent.encoded.is_some()).count());
    put("video_frames_decoded", received(Track::Video).filter(|delivery| delivery.decoded.is_some()).count());
    put("video_frames_rendered", received(Track::Video).filter(|delivery| delivery.rendered.is_some()).count());
    put("audio_frames_played", received(Track::Audio).filter(|delivery| delivery.played.is_some()).count());
    count_drops(run, way, &mut put);
    let lost_to_capture =
        unaccounted(run, way, sent(Track::Video).filter_map(|sent| sent.captured.filter(|_| sent.encoded.is_none())));
    put("video_frames_unaccounted", lost_to_capture);
}

fn count_drops(run: &Run, way: Way, put: &mut impl FnMut(&str, usize)) {
    let (device, sender) = (run.cast.name(way.receiver), run.cast.name(way.sender));
    let at_sender = run.events.dropped_frames.of(sender).filter(|seen| is_senders(&seen.reason));
    let at_receiver = run.events.dropped_frames.of(device).filter(|seen| !is_senders(&seen.reason));
    put("video_frames_dropped", at_sender.chain(at_receiver).filter(|seen| seen.track == Track::Video).count());
    let refused = run.events.opened.of(device).filter(|seen| seen.verdict != OpenVerdict::Accepted);
    put("frames_refused", refused.filter(|seen| seen.sender == *sender).count());
    let requests = run.events.key_frame_requests.of(device);
    put(
        "key_frame_requests",
        requests.filter(|seen| run.way_of(way.receiver, seen.index).is_none_or(|of| of.receiver == way.sender)).count(),
    );
}

/// Whether a frame was dropped before it was sent, and its number is the sender's.
fn is_senders(reason: &str) -> bool {
    !matches!(reason, "late" | "missing_reference" | "before_key_frame")
}

fn unaccounted<'e>(run: &Run, way: Way, captured: impl Iterator<Item = Seen<'e, Captured>>) -> usize {
    let sender = run.cast.name(way.sender);
    let own = run.events.dropped_frames.of(sender).filter(|seen| is_senders(&seen.reason));
    let dropped: BTreeSet<u64> = own.filter(|seen| seen.track == Track::Video).filter_map(|seen| seen.frame).collect();
    // The last pictures may still have been in the encoder when the call or the run ended.
    let ends = run.calls.parts.values().filter(|part| part.device == way.sender).filter_map(|part| part.over());
    let ends: Vec<SimTime> = ends.map(|(at, _)| at).chain([run.end]).collect();
    let at_an_end = |at: SimTime| ends.iter().any(|end| at <= *end && end.since(at) < Micros::from_secs(1));
    captured.filter(|seen| !dropped.contains(&u64::from(seen.frame)) && !at_an_end(seen.at)).count()
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, noise};
    use kernel::{
        BlobRef, Micros, Track,
        event::{self, Event},
        names::to_hex,
    };

    fn value(judgement: &crate::Judgement, name: &str) -> Option<i64> {
        judgement.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    /// A block of alice's sound: captured now, heard `delay_ms` later.
    fn sound(story: &mut Story, number: u32, delay_ms: u64) {
        let (device, peer, track) = ("alice-phone".into(), "bob-phone".into(), Track::Audio);
        let sensed_at = story.now();
        let block = noise(&format!("sound {number}"), 80);
        let hash = to_hex(&blake3::hash(&block).as_bytes()[..8]);
        let (bytes, sealed) = (story.store(&block), story.store(&noise(&format!("sealed sound {number}"), 97)));
        let (capture, encode, encrypt) = (Micros(1), Micros(1), Micros(1));
        let (frame, counter, key, clear_bytes) = (number, u64::from(number), false, 0);
        let sender: kernel::ActorName = device;
        let device = sender.clone();
        story.tell(Event::Captured(event::Captured { device: device.clone(), track, frame, sensed_at }));
        story.tell(Event::Encoded(event::Encoded {
            device: device.clone(),
            track,
            frame,
            key,
            bytes,
            capture,
            encode,
        }));
        let bytes: BlobRef = sealed;
        story.tell(Event::Sealed(event::Sealed { device, track, frame, counter, clear_bytes, bytes, encrypt }));
        story.at(sensed_at.as_millis() + delay_ms);
        let (output, buffer, decode) = (true, Micros(1), Micros(1));
        let device: kernel::ActorName = peer;
        let heard = device.clone();
        let from = sender.clone();
        story.tell(Event::Decoded(event::Decoded {
            device,
            sender: from,
            track,
            counter,
            hash,
            output,
            buffer,
            decode,
        }));
        play(story, heard, sender, Some(counter), 0);
    }

    fn play(
        story: &mut Story,
        device: kernel::ActorName,
        sender: kernel::ActorName,
        counter: Option<u64>,
        stretched: i32,
    ) {
        let (samples, buffered) = (960, Micros::from_millis(40));
        story.tell(Event::AudioPlayed(event::AudioPlayed { device, sender, counter, samples, stretched, buffered }));
    }

    #[test]
    fn mouth_to_ear_is_from_the_sensor_to_the_speaker() {
        let mut story = Story::new();
        story.live();
        for number in 0..20 {
            story.at(8_000 + 20 * u64::from(number));
            sound(&mut story, number, 100 + u64::from(number));
        }
        let judgement = story.judge();
        assert_eq!(value(&judgement, "alice-phone>bob-phone/mouth_to_ear_us_p50"), Some(109_000));
        assert_eq!(value(&judgement, "mouth_to_ear_us_p95"), Some(118_000));
        assert_eq!(value(&judgement, "mouth_to_ear_us_max"), Some(119_000));
        assert_eq!(value(&judgement, "audio_frames_played"), Some(20));
        assert_eq!(value(&judgement, "audio_buffer_us_p50"), Some(40_000));
        assert_eq!(value(&judgement, "bob-phone>alice-phone/mouth_to_ear_us_p50"), None);
    }

    #[test]
    fn concealed_and_stretched_samples_are_shares_of_what_was_played() {
        let mut story = Story::new();
        let blocks = [(None, 0), (Some(()), 0), (None, 0), (Some(()), -96), (Some(()), 0)];
        story.live().at(8_000);
        for (number, (arrived, stretched)) in (0..).zip(blocks) {
            match arrived {
                Some(()) if stretched == 0 => sound(&mut story, number, 50),
                _ => play(&mut story, "bob-phone".into(), "alice-phone".into(), arrived.map(|()| 77), stretched),
            }
        }
        let judgement = story.judge();
        // The first block is silence before the call, not concealment.
        assert_eq!(value(&judgement, "concealed_ppm"), Some(250_000));
        assert_eq!(value(&judgement, "stretched_ppm"), Some(25_000));
        assert_eq!(value(&judgement, "frames_unmatched"), Some(1));
    }

    #[test]
    fn pictures_that_vanish_are_unaccounted_for() {
        let mut story = Story::new();
        story.live().at(8_000);
        for (number, fate) in (0..).zip(["sent", "dropped", "vanished", "sent"]) {
            story.changed_frame("alice-phone", number, |way| {
                if fate != "sent" {
                    way.truncate(1);
                }
            });
            if fate == "dropped" {
                let (device, reason) = ("alice-phone".into(), "encoder_busy".into());
                let (track, frame) = (Track::Video, Some(u64::from(number)));
                story.tell(Event::FrameDropped(event::FrameDropped { device, track, frame, reason }));
            }
        }
        story.over(12_000);
        let judgement = story.judge();
        assert_eq!(value(&judgement, "video_frames_captured"), Some(4));
        assert_eq!(value(&judgement, "video_frames_encoded"), Some(2));
        assert_eq!(value(&judgement, "video_frames_dropped"), Some(1));
        assert_eq!(value(&judgement, "video_frames_unaccounted"), Some(1));
        assert!(
            judgement.findings.iter().any(|finding| finding.sentence.starts_with("1 captured pictures were neither"))
        );
    }

    #[test]
    fn quality_has_its_low_percentiles() {
        let mut story = Story::new();
        story.live();
        for frame in 1..=100u32 {
            let (device, sender) = ("bob-phone".into(), "alice-phone".into());
            let (psnr_y_mdb, ssim_y_ppm) = (30_000 + frame, 900_000 + frame);
            let quality = event::PictureQuality { device, sender, frame, psnr_y_mdb, ssim_y_ppm };
            story.at(8_000 + u64::from(frame)).tell(Event::PictureQuality(quality));
        }
        let judgement = story.judge();
        assert_eq!(value(&judgement, "psnr_y_mdb_p5"), Some(30_005));
        assert_eq!(value(&judgement, "ssim_y_ppm_p50"), Some(900_050));
    }
}
