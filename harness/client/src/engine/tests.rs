//! Two engines over an ideal pipe: constant delay, and losses where a test asks for them.

use super::*;
use e2ee::{CallShare, Role, Transcript};
use kernel::{
    BitRate, Event, Log, Mutant, SimTime,
    event::{OpenVerdict, Sealed},
    mutant,
    plan::VideoCodec,
    seam, time,
};
use std::collections::BTreeMap;

const PIPE: Micros = Micros::from_millis(20);
const START: SimTime = SimTime(1_000_000);

pub(super) fn plan() -> MediaPlan {
    MediaPlan {
        width: 320,
        height: 180,
        fps: 30,
        video_codec: VideoCodec::Vp8,
        video_max: BitRate::from_kbps(1_500),
        video_min: BitRate::from_kbps(60),
        video_start: BitRate::from_kbps(400),
        audio_rate: BitRate::from_kbps(32),
        quality_every: 3,
    }
}

/// What a test does with a frame on its way: by sender, track, frame number and bytes, what arrives.
type Way = Box<dyn FnMut(usize, Track, u32, Vec<u8>) -> Vec<Vec<u8>>>;

struct Loopback {
    engines: [Engine; 2],
    way: Way,
    pipe: BTreeMap<(SimTime, u64), (usize, Carried)>,
    sent: u64,
}

enum Carried {
    Frame(ReceivedFrame),
    KeyFrameRequest,
}

impl Loopback {
    fn new(media: &MediaPlan, class: DeviceClass, way: Way) -> Loopback {
        let seeds = SeedTree::root(5);
        let shares = ["a", "b"].map(|name| CallShare::generate(&mut seeds.stream(name)));
        let publics = [shares[0].public(), shares[1].public()];
        let transcript = Transcript::new(b"offer", b"answer");
        let mut number = 0;
        let engines = shares.map(|share| {
            let (own, other) = (number, 1 - number);
            number = 1;
            let secret = share.agree(&publics[other], &transcript).unwrap();
            let role = if own == 0 { Role::Caller } else { Role::Callee };
            let config = EngineConfig {
                device: device(own),
                peer: device(other),
                tile: UserName::from(["alice", "bob"][other]),
                index: own as u8,
                peer_index: other as u8,
                class,
                media: media.clone(),
                seeds: seeds.child(["alice", "bob"][own]),
                frame_keys: FrameKeys::derive(&secret, role),
                peer_video: true,
            };
            Engine::new(config, START)
        });
        Loopback { engines, way, pipe: BTreeMap::new(), sent: 0 }
    }

    fn start(&mut self) {
        self.engines.iter_mut().for_each(|engine| engine.start(&[Track::Audio, Track::Video], CallId([7; 16]), START));
    }

    fn run_until(&mut self, end: SimTime) {
        loop {
            self.collect();
            let due = self.engines.iter().filter_map(Engine::next_wake);
            let next = due.chain(self.pipe.first_key_value().map(|((at, _), _)| *at)).min();
            let Some(now) = next.filter(|next| *next <= end) else { break };
            time::set_now(now);
            while let Some(entry) = self.pipe.first_entry()
                && entry.key().0 <= now
            {
                match entry.remove() {
                    (to, Carried::Frame(frame)) => self.engines[to].receive(frame, now),
                    (to, Carried::KeyFrameRequest) => self.engines[to].key_frame_requested(now),
                }
            }
            self.engines.iter_mut().for_each(|engine| engine.handle_timeout(now));
        }
        time::set_now(end);
    }

    fn collect(&mut self) {
        for from in [0, 1] {
            while let Some(output) = self.engines[from].poll() {
                let carried: Vec<_> = match output {
                    EngineOutput::SendFrame { track, frame, rtp_timestamp, bytes } => {
                        (self.way)(from, track, frame, bytes)
                            .into_iter()
                            .map(|bytes| {
                                Carried::Frame(ReceivedFrame { track, rtp_timestamp, bytes, contiguous: true })
                            })
                            .collect()
                    }
                    EngineOutput::RequestKeyFrame { .. } => vec![Carried::KeyFrameRequest],
                };
                for carried in carried {
                    self.sent += 1;
                    self.pipe.insert((time::now() + PIPE, self.sent), (1 - from, carried));
                }
            }
        }
    }
}

fn device(number: usize) -> ActorName {
    ActorName::from(["alice-phone", "bob-phone"][number])
}

fn in_simulation(mutants: &'static [Mutant], body: impl FnOnce() + Send + 'static) -> Log {
    media::initialize().unwrap();
    let simulation = move || {
        let simulation = seam::enter(1);
        mutant::plant(mutants);
        time::set_now(START);
        body();
        let (log, draws) = simulation.leave();
        assert_eq!(draws.strays, Vec::<String>::new());
        log
    };
    std::thread::Builder::new().spawn(simulation).unwrap().join().unwrap()
}

/// A call of `seconds` over the way that `way` makes, both sides sending.
fn call(mutants: &'static [Mutant], seconds: u64, way: impl FnOnce() -> Way + Send + 'static) -> Log {
    in_simulation(mutants, move || {
        let mut loopback = Loopback::new(&plan(), DeviceClass::MidRange, way());
        loopback.start();
        loopback.run_until(START + Micros::from_secs(seconds));
    })
}

fn ideal() -> Way {
    Box::new(|_, _, _, bytes| vec![bytes])
}

fn events<T>(log: &Log, select: impl Fn(&Event) -> Option<&T>) -> Vec<(SimTime, &T)> {
    log.records.iter().filter_map(|record| Some((record.at, select(&record.event)?))).collect()
}

macro_rules! all {
    ($log:expr, $kind:ident) => {
        events($log, |event| if let Event::$kind(event) = event { Some(event) } else { None })
    };
}

mod off;

fn sealed_by<'a>(log: &'a Log, device: &ActorName, track: Track, counter: u64) -> &'a Sealed {
    let sealed = all!(log, Sealed).into_iter().map(|(_, sealed)| sealed);
    sealed.into_iter().find(|s| s.device == *device && s.track == track && s.counter == counter).unwrap()
}

#[test]
fn the_legs_of_every_picture_add_up_to_the_time_from_sensor_to_screen() {
    let log = call(&[], 4, ideal);
    let rendered = all!(&log, Rendered);
    assert!(rendered.len() > 2 * 110, "{} pictures", rendered.len());
    for (at, rendered) in rendered {
        let sealed = sealed_by(&log, &rendered.sender, Track::Video, rendered.counter);
        let of_sender = |device: &ActorName, track, frame| {
            *device == rendered.sender && track == Track::Video && frame == sealed.frame
        };
        let of_receiver = |device: &ActorName, track, counter| {
            *device == rendered.device && track == Track::Video && counter == rendered.counter
        };
        let (_, captured) =
            all!(&log, Captured).into_iter().find(|(_, e)| of_sender(&e.device, e.track, e.frame)).unwrap();
        let (_, encoded) =
            all!(&log, Encoded).into_iter().find(|(_, e)| of_sender(&e.device, e.track, e.frame)).unwrap();
        let (_, opened) = all!(&log, Opened)
            .into_iter()
            .find(|(_, e)| e.counter.is_some_and(|c| of_receiver(&e.device, e.track, c)))
            .unwrap();
        let (_, decoded) =
            all!(&log, Decoded).into_iter().find(|(_, e)| of_receiver(&e.device, e.track, e.counter)).unwrap();
        let legs = [
            encoded.capture,
            encoded.encode,
            sealed.encrypt,
            PIPE,
            opened.decrypt,
            decoded.buffer,
            decoded.decode,
            rendered.render_wait,
        ];
        let sum = legs.into_iter().fold(Micros::ZERO, |sum, leg| sum + leg);
        assert_eq!(sum, at - captured.sensed_at, "frame {} of {}", sealed.frame, rendered.sender);
        assert_eq!(rendered.mark.map(|mark| mark.frame), Some(sealed.frame));
    }
}

#[test]
fn an_ideal_call_is_fast_complete_and_good() {
    let log = call(&[], 5, ideal);
    let quality = all!(&log, PictureQuality);
    assert!(quality.len() > 80, "{}", quality.len());
    let worst = quality.iter().skip(20).map(|(_, quality)| quality.psnr_y_mdb).min().unwrap();
    assert!(worst > 28_000, "{worst} mdB");
    assert_eq!(all!(&log, FrameDropped).len(), 0);
    assert_eq!(all!(&log, KeyFrameRequested).len(), 0);
    let played: Vec<_> = all!(&log, AudioPlayed).into_iter().filter(|(_, p)| p.device == "alice-phone").collect();
    assert!(played.len() > 240 && played.iter().all(|(_, p)| p.counter.is_some() && p.stretched == 0));
    for (at, played) in played {
        let frame = sealed_by(&log, &played.sender, Track::Audio, played.counter.unwrap()).frame;
        let captured = all!(&log, Captured);
        let is_it =
            |e: &kernel::event::Captured| e.device == played.sender && e.track == Track::Audio && e.frame == frame;
        let (_, captured) = captured.into_iter().find(|(_, e)| is_it(e)).unwrap();
        let mouth_to_ear = at - captured.sensed_at;
        assert!((Micros::from_millis(55)..Micros::from_millis(90)).contains(&mouth_to_ear), "{mouth_to_ear}");
    }
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let lossy = || -> Way { Box::new(|_, _, frame, bytes| if frame % 37 == 20 { vec![] } else { vec![bytes] }) };
    assert_eq!(call(&[], 2, lossy).digest, call(&[], 2, lossy).digest);
}

#[test]
fn a_lost_frame_is_followed_by_a_key_frame_and_never_by_a_picture_without_reference() {
    let lossy = || -> Way {
        Box::new(|from, track, frame, bytes| {
            let lost = from == 0 && track == Track::Video && frame == 40;
            if lost { vec![] } else { vec![bytes] }
        })
    };
    let log = call(&[], 3, lossy);
    let requests = all!(&log, KeyFrameRequested);
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!((requests[0].1.device.as_str(), requests[0].1.reason.as_str()), ("bob-phone", "missing_reference"));
    let shown: Vec<_> =
        all!(&log, Rendered).into_iter().filter(|(_, r)| r.device == "bob-phone").map(|(_, r)| r.counter).collect();
    let key = all!(&log, Encoded)
        .into_iter()
        .find(|(_, e)| e.device == "alice-phone" && e.track == Track::Video && e.key && e.frame > 0)
        .map(|(_, e)| u64::from(e.frame))
        .unwrap();
    assert!((42..=46).contains(&key), "the key frame is {key}");
    assert_eq!(shown, (0..40).chain(key..key + shown.len() as u64 - 40).collect::<Vec<_>>());
    let dropped = all!(&log, FrameDropped);
    assert_eq!(dropped.len() as u64, key - 41);
    assert!(dropped.iter().all(|(_, d)| d.reason == "missing_reference"), "{dropped:?}");
}

#[test]
fn the_modelled_codec_is_seen_and_heard_and_asks_for_key_frames_like_the_real_one() {
    let log = in_simulation(&[], || {
        let media = MediaPlan { video_codec: VideoCodec::Modelled, quality_every: 0, ..plan() };
        let lossy: Way = Box::new(
            |from, track, frame, bytes| {
                if from == 0 && track == Track::Video && frame == 40 { vec![] } else { vec![bytes] }
            },
        );
        let mut loopback = Loopback::new(&media, DeviceClass::MidRange, lossy);
        loopback.start();
        loopback.run_until(START + Micros::from_secs(3));
    });
    let rendered = all!(&log, Rendered);
    assert!(rendered.len() > 2 * 75, "{} pictures", rendered.len());
    for (_, rendered) in rendered {
        let frame = sealed_by(&log, &rendered.sender, Track::Video, rendered.counter).frame;
        let mark = rendered.mark.unwrap();
        assert_eq!((device(mark.sender.into()), mark.frame), (rendered.sender.clone(), frame));
    }
    let requests = all!(&log, KeyFrameRequested);
    assert_eq!((requests.len(), requests[0].1.reason.as_str()), (1, "missing_reference"));
    let encoded = all!(&log, Encoded);
    let keys = encoded.iter().filter(|(_, e)| e.device == "alice-phone" && e.key).count();
    assert_eq!(keys, 2);
    let sizes = encoded.iter().filter(|(_, e)| e.track == Track::Audio).map(|(_, e)| e.bytes.len);
    assert!(sizes.clone().count() > 2 * 140 && sizes.clone().all(|len| len == 80));
    assert_eq!(all!(&log, PictureQuality).len(), 0);
    assert!(all!(&log, AudioPlayed).len() > 2 * 140);
    assert_eq!(decoded_but_never_encoded(&log), 0);
}

/// Every tenth frame comes three times: with a flipped bit in its ciphertext, as it is, and as it is once more.
fn tampered() -> Way {
    Box::new(|_, _, frame, bytes| {
        let mut flipped = bytes.clone();
        let place = flipped.len() - 17 - frame as usize % 16;
        flipped[place] ^= 1;
        if frame % 10 == 3 { vec![flipped, bytes.clone(), bytes] } else { vec![bytes] }
    })
}

fn decoded_but_never_encoded(log: &Log) -> usize {
    let hash = |bytes: &[u8]| kernel::names::to_hex(&blake3::hash(bytes).as_bytes()[..16]);
    let encoded: Vec<_> = all!(log, Encoded).into_iter().map(|(_, e)| hash(log.bytes(e.bytes))).collect();
    all!(log, Decoded).into_iter().filter(|(_, decoded)| !encoded.contains(&decoded.hash)).count()
}

#[test]
fn a_refused_frame_never_reaches_a_decoder() {
    let log = call(&[], 3, tampered);
    let verdicts = |verdict| all!(&log, Opened).into_iter().filter(|(_, opened)| opened.verdict == verdict).count();
    assert!(verdicts(OpenVerdict::Forged) >= 40 && verdicts(OpenVerdict::Replayed) >= 40);
    assert_eq!(decoded_but_never_encoded(&log), 0);
    assert_eq!(all!(&log, KeyFrameRequested).len(), 0);
    assert!(all!(&log, Rendered).len() > 2 * 80);
}

#[test]
fn a_planted_decryption_that_ignores_the_tag_is_visible() {
    assert!(decoded_but_never_encoded(&call(&[Mutant::V59], 3, tampered)) > 0);
}

/// Starts late and stops early. Answers the log and whether alice's engine still wanted to run after its stop.
fn stopped_call(mutants: &'static [Mutant]) -> Log {
    in_simulation(mutants, || {
        let mut loopback = Loopback::new(&plan(), DeviceClass::Laptop, ideal());
        loopback.run_until(START + Micros::from_secs(1));
        assert_eq!(loopback.engines[0].next_wake(), None);
        let (started, call) = (time::now(), CallId([1; 16]));
        loopback.engines[0].start(&[Track::Audio, Track::Video], call, started);
        loopback.run_until(started + Micros::from_secs(1));
        loopback.engines[0].stop(time::now());
        assert!(mutant!(V129) || loopback.engines[0].next_wake().is_none());
        loopback.run_until(started + Micros::from_secs(5));
        loopback.engines[0].start(&[Track::Video], call, time::now());
        loopback.engines[1].stop(time::now());
        loopback.run_until(started + Micros::from_secs(6));
    })
}

#[test]
fn nothing_is_captured_before_start_and_after_stop() {
    let log = stopped_call(&[]);
    let captured = all!(&log, Captured);
    let (begin, end) = (START + Micros::from_secs(1), START + Micros::from_secs(2));
    assert!(captured.iter().all(|(at, c)| c.device == "alice-phone" && (begin..=end).contains(at)));
    let encoded = all!(&log, Encoded).len();
    let dropped = all!(&log, FrameDropped).iter().filter(|(_, d)| d.reason == "stopped").count();
    assert_eq!(captured.len(), encoded + dropped);
    assert_eq!(all!(&log, KeyErased).len(), 2);
    assert!(all!(&log, KeyErased).iter().all(|(_, erased)| erased.keys.len() == 4));
    let on: Vec<_> = all!(&log, CaptureSwitched).iter().map(|(_, switched)| switched.on).collect();
    assert_eq!(on, [true, true, false, false]);
}

#[test]
fn a_planted_late_stop_is_visible() {
    let log = stopped_call(&[Mutant::V129]);
    let end = START + Micros::from_secs(2);
    let last = all!(&log, Sealed).last().unwrap().0;
    assert!((end + Micros::from_millis(1_900)..=end + Micros::from_secs(2)).contains(&last), "{last}");
}

#[test]
fn a_planted_missing_transform_sends_the_plain_frame() {
    let shows_plaintext = |mutants| {
        let log = call(mutants, 2, ideal);
        let encoded = all!(&log, Encoded).into_iter().map(|(_, e)| log.bytes(e.bytes)).filter(|bytes| bytes.len() > 20);
        let sealed: Vec<_> = all!(&log, Sealed).into_iter().map(|(_, s)| log.bytes(s.bytes)).collect();
        let plain = encoded.filter(|frame| sealed.iter().any(|sealed| sealed.starts_with(frame))).count();
        assert!(all!(&log, Rendered).len() > 2 * 40);
        plain
    };
    assert_eq!(shows_plaintext(&[]), 0);
    assert!(shows_plaintext(&[Mutant::V136]) > 2 * 40);
}

#[test]
fn a_planted_wrong_tile_shows_somebody_else() {
    let log = call(&[Mutant::V135], 2, ideal);
    let own = all!(&log, Rendered)
        .into_iter()
        .filter(|(_, r)| r.mark.is_some_and(|mark| device(mark.sender.into()) == r.device));
    assert!(own.count() > 2 * 40);
}

#[test]
fn a_planted_counter_reset_repeats_a_nonce() {
    let repeated = |mutants| {
        let lossy = || -> Way { Box::new(|_, _, frame, bytes| if frame == 20 { vec![] } else { vec![bytes] }) };
        let log = call(mutants, 2, lossy);
        let mut used: Vec<_> =
            all!(&log, KeyUsed).into_iter().filter(|(_, u)| u.seals).map(|(_, u)| (u.key.clone(), u.counter)).collect();
        let all = used.len();
        used.sort();
        used.dedup();
        all - used.len()
    };
    assert_eq!(repeated(&[]), 0);
    assert!(repeated(&[Mutant::V48]) > 0);
}

#[test]
fn the_encoder_follows_the_estimate() {
    let log = in_simulation(&[], || {
        let mut loopback = Loopback::new(&plan(), DeviceClass::Flagship, ideal());
        loopback.start();
        loopback.run_until(START + Micros::from_secs(2));
        let path = PathState { estimate: BitRate::from_kbps(200), round_trip: None };
        loopback.engines[0].set_path(path, time::now());
        loopback.run_until(START + Micros::from_secs(4));
    });
    let targets: Vec<_> = all!(&log, EncoderTarget)
        .into_iter()
        .filter(|(_, t)| t.device == "alice-phone" && t.track == Track::Video)
        .map(|(_, t)| t.rate)
        .collect();
    assert_eq!(targets.len(), 2, "{targets:?}");
    let bits_in = |from: u64| {
        let second = START + Micros::from_secs(from)..START + Micros::from_secs(from + 1);
        let frames = all!(&log, Encoded)
            .into_iter()
            .filter(|(at, e)| second.contains(at) && e.device == "alice-phone" && e.track == Track::Video);
        frames.map(|(_, e)| u64::from(e.bytes.len) * 8).sum::<u64>()
    };
    let (before, after) = (bits_in(1), bits_in(3));
    assert!((300_000..=500_000).contains(&before), "{before} bit/s at 400 kbit/s");
    assert!(after < targets[1].0 * 13 / 10, "{after} bit/s at {}", targets[1]);
}

#[test]
fn a_device_that_is_too_slow_drops_frames_before_it_encodes_them() {
    let log = in_simulation(&[], || {
        let media = MediaPlan { width: 1280, height: 720, quality_every: 0, ..plan() };
        let mut loopback = Loopback::new(&media, DeviceClass::LowEnd, ideal());
        loopback.start();
        loopback.run_until(START + Micros::from_secs(1));
        loopback.engines.iter_mut().for_each(|engine| engine.stop(time::now()));
    });
    let of_video = |track: Track| track == Track::Video;
    let captured = all!(&log, Captured).into_iter().filter(|(_, c)| of_video(c.track)).count();
    let encoded = all!(&log, Encoded).into_iter().filter(|(_, e)| of_video(e.track)).count();
    let dropped =
        |reason| all!(&log, FrameDropped).into_iter().filter(|(_, d)| of_video(d.track) && d.reason == reason).count();
    assert!(dropped("encoder_busy") >= 10, "{}", dropped("encoder_busy"));
    assert_eq!(captured, encoded + dropped("encoder_busy") + dropped("stopped"));
}

#[test]
fn below_the_encoders_least_rate_frames_are_left_out_and_counted() {
    let log = in_simulation(&[], || {
        let media =
            MediaPlan { width: 640, height: 360, quality_every: 0, video_min: BitRate::from_kbps(100), ..plan() };
        let mut loopback = Loopback::new(&media, DeviceClass::Flagship, ideal());
        loopback.start();
        loopback.run_until(START + Micros::from_secs(1));
        let path = PathState { estimate: BitRate::from_kbps(110), round_trip: None };
        loopback.engines[0].set_path(path, time::now());
        loopback.run_until(START + Micros::from_secs(6));
        loopback.engines.iter_mut().for_each(|engine| engine.stop(time::now()));
    });
    let by_alice = |device: &ActorName, track: Track| *device == "alice-phone" && track == Track::Video;
    let late = START + Micros::from_secs(2);
    let encoded: Vec<_> = all!(&log, Encoded).into_iter().filter(|(_, e)| by_alice(&e.device, e.track)).collect();
    let bits: u64 = encoded.iter().filter(|(at, _)| *at >= late).map(|(_, e)| u64::from(e.bytes.len) * 8).sum();
    // 110 kbit/s less 39 for sound, 87 % of that, over 4 s; a bucket more.
    assert!((180_000..=4 * 62_000 + 62_000).contains(&bits), "{bits} bits in 4 s");
    let captured = all!(&log, Captured).into_iter().filter(|(_, c)| by_alice(&c.device, c.track)).count();
    let dropped = |reason| {
        let of_reason = |d: &kernel::event::FrameDropped| by_alice(&d.device, d.track) && d.reason == reason;
        all!(&log, FrameDropped).into_iter().filter(|(_, d)| of_reason(d)).count()
    };
    assert!(dropped("over_rate") > 30, "{}", dropped("over_rate"));
    assert_eq!(captured, encoded.len() + dropped("over_rate") + dropped("stopped"));
}
