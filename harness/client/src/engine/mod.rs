//! The media engine of one call at one device: camera and microphone on the way out, screen and speaker on the way in.
//!
//! # Contract
//!
//! Nothing is captured before [`Engine::start`], after [`Engine::stop`], and of a track between [`Engine::switch_off`] and
//! [`Engine::switch_on`]. A frame leaves only sealed; a frame that
//! frame decryption refused never reaches a decoder, nor does one whose reference is missing. Each step emits its event
//! when it ends, with the duration that it took by its own count: for every rendered picture the legs add up to the
//! time from sensor to screen.
//!
//! The driver calls [`Engine::handle_timeout`] at [`Engine::next_wake`], and drains [`Engine::poll`] after every call.

mod camera;
mod continuity;
mod dropper;
mod frames;
mod incoming;
mod microphone;
mod off;
mod outgoing;
mod ramp;
mod rate;
mod screen;
mod speaker;

#[cfg(test)]
mod tests;

pub use incoming::KeyFrameReason;
pub use rate::PathState;

use camera::Camera;
use e2ee::FrameKeys;
use frames::FrameCipher;
use incoming::Incoming;
use kernel::{
    ActorName, CallId, Micros, SimTime, Track, UserName, event, mutant,
    plan::{DeviceClass, MediaPlan},
    random::SeedTree,
};
use media::{PictureSize, device::DeviceCosts};
use microphone::Microphone;
use off::Off;
use outgoing::Outgoing;
use rate::RateControl;
use std::collections::{BTreeMap, VecDeque};

/// What an engine is made from.
pub struct EngineConfig {
    /// The own device.
    pub device: ActorName,
    /// The other device.
    pub peer: ActorName,
    /// Whose tile shows what is received.
    pub tile: UserName,
    /// Number in the mark of the own camera.
    pub index: u8,
    /// Number in the mark of the peer's camera. Only the probe that compares pictures reads it.
    pub peer_index: u8,
    /// Modelled speed of the device.
    pub class: DeviceClass,
    /// What is sent. The picture size must be one that [`PictureSize::new`] takes.
    pub media: MediaPlan,
    /// The phases of camera, microphone and screen are drawn below this node.
    pub seeds: SeedTree,
    /// The keys of the call. The engine is their only holder from now on.
    pub frame_keys: FrameKeys,
    /// Whether the peer may send video; otherwise its video frames are dropped unopened.
    pub peer_video: bool,
}

/// Whom an engine gets frames from.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The device.
    pub device: ActorName,
    /// Number in the mark of its camera.
    pub index: u8,
    /// Whether it may send video.
    pub video: bool,
}

/// A frame that RTP put together.
#[derive(Clone, Debug)]
pub struct ReceivedFrame {
    /// The track by which it came.
    pub track: Track,
    /// RTP timestamp: 90 kHz for video, 48 kHz for audio.
    pub rtp_timestamp: u64,
    /// The sealed frame.
    pub bytes: Vec<u8>,
    /// Whether RTP saw no gap before it.
    pub contiguous: bool,
}

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineOutput {
    /// Send a sealed frame, now.
    SendFrame {
        /// Its track.
        track: Track,
        /// Its number, from 0 on each track.
        frame: u32,
        /// RTP timestamp: 90 kHz for video, 48 kHz for audio.
        rtp_timestamp: u64,
        /// The sealed frame.
        bytes: Vec<u8>,
    },
    /// Ask the peer for a key frame.
    RequestKeyFrame {
        /// Why.
        reason: KeyFrameReason,
    },
}

/// Who this is, for events, and what computing costs here.
struct Local {
    device: ActorName,
    peer: ActorName,
    tile: UserName,
    index: u8,
    peer_index: u8,
    costs: DeviceCosts,
    size: PictureSize,
    media: MediaPlan,
}

/// The media engine of one call at one device.
pub struct Engine {
    local: Local,
    seeds: SeedTree,
    cipher: FrameCipher,
    call: Option<CallId>,
    camera: Option<Outgoing<Camera>>,
    microphone: Option<Outgoing<Microphone>>,
    /// The tracks that the user switched off.
    off: BTreeMap<Track, Off>,
    /// How often a track was switched on again: each time is another phase of the device.
    resumed: u64,
    incoming: Incoming,
    rate: RateControl,
    stopped: bool,
    /// Only the planted bug V129 sets it: when capture ends after all.
    stops_later: Option<SimTime>,
    outputs: VecDeque<EngineOutput>,
}

impl Engine {
    /// An engine that receives, and captures nothing yet.
    ///
    /// # Panics
    /// When the plan's picture size is refused by [`PictureSize::new`]: scenarios are checked when they are loaded.
    pub fn new(config: EngineConfig, now: SimTime) -> Engine {
        let EngineConfig { device, peer, tile, index, peer_index, class, media, seeds, frame_keys, peer_video } =
            config;
        let size = PictureSize::new(media.width, media.height).expect("the plan's picture size is checked");
        let costs = DeviceCosts::of(class);
        let rate = RateControl::new(&media);
        let local = Local { device, peer, tile, index, peer_index, costs, size, media };
        let refresh = Micros(seeds.stream("screen-phase").below(1_000_000 / costs.refresh_hz));
        Engine {
            cipher: FrameCipher::new(&local, frame_keys),
            incoming: Incoming::new(&local, peer_video, Micros(now.0) + refresh),
            local,
            seeds,
            call: None,
            camera: None,
            microphone: None,
            off: BTreeMap::new(),
            resumed: 0,
            rate,
            stopped: false,
            stops_later: None,
            outputs: VecDeque::new(),
        }
    }

    /// The call goes on with another device of the peer: other keys, and what came from the one before is dropped. Capture
    /// goes on; of video the next frame is a key frame.
    pub fn rejoin(&mut self, peer: Peer, frame_keys: FrameKeys, now: SimTime) {
        let Peer { device, index, video } = peer;
        self.cipher.erase(&self.local);
        (self.local.peer, self.local.peer_index) = (device, index);
        self.cipher = FrameCipher::new(&self.local, frame_keys);
        self.incoming.begin_anew(&self.local, video);
        self.outputs.clear();
        self.key_frame_requested(now);
    }

    /// Switches capture of `tracks` on for `call`. A track that is on stays as it is.
    ///
    /// # Panics
    /// When a codec cannot be made: `media::initialize` said before the simulation that it can.
    pub fn start(&mut self, tracks: &[Track], call: CallId, now: SimTime) {
        if self.stopped {
            return;
        }
        self.call = Some(call);
        for &track in tracks {
            if !self.is_capturing(track) && !self.off.contains_key(&track) {
                self.capture(track, self.seeds, 0, now);
            }
        }
    }

    /// Closes the device of a track that is on: what is under way is dropped, nothing more is captured, and the peer
    /// learns it. Any other track stays as it is.
    pub fn switch_off(&mut self, track: Track, now: SimTime) {
        // V07: what the user sees changes, and nothing else.
        if mutant!(V07) {
            return;
        }
        let next_frame = match track {
            Track::Video => self.camera.take().map(|camera| camera.abandon(&self.local)),
            Track::Audio => self.microphone.take().map(|microphone| microphone.abandon(&self.local)),
        };
        let (Some(next_frame), Some(call)) = (next_frame, self.call) else { return };
        event!(CaptureSwitched { device: self.local.device.clone(), call, track, on: false });
        self.off.insert(track, Off::since(now, next_frame, &self.local));
    }

    /// Leaves the device of a track closed that was not opened yet: the peer learns that it is off, as after
    /// [`Engine::switch_off`].
    pub fn keep_off(&mut self, track: Track, now: SimTime) {
        if !self.stopped && !self.is_capturing(track) {
            self.off.entry(track).or_insert_with(|| Off::since(now, 0, &self.local));
        }
    }

    /// Opens the device of a track again that was switched off. Of video the first frame is a key frame.
    ///
    /// # Panics
    /// As [`Engine::start`].
    pub fn switch_on(&mut self, track: Track, now: SimTime) {
        let Some(off) = self.off.remove(&track) else { return };
        self.resumed += 1;
        self.cipher.sequence_restarts(track);
        self.capture(track, self.seeds.child(&format!("resumed-{}", self.resumed)), off.next_frame(), now);
    }

    /// Whether the device of a track is open.
    pub fn is_capturing(&self, track: Track) -> bool {
        match track {
            Track::Video => self.camera.is_some(),
            Track::Audio => self.microphone.is_some(),
        }
    }

    fn capture(&mut self, track: Track, seeds: SeedTree, first_frame: u32, now: SimTime) {
        let (local, Some(call)) = (&self.local, self.call) else { return };
        event!(CaptureSwitched { device: local.device.clone(), call, track, on: true });
        match track {
            Track::Video => {
                self.camera = Some(Camera::switch_on(local, &seeds, self.rate.target(), first_frame, now));
            }
            Track::Audio => self.microphone = Some(Microphone::switch_on(local, &seeds, first_frame, now)),
        }
    }

    /// Switches capture off at once, drops what is under way and erases the keys. Under the planted bug V129 it goes on
    /// for two seconds: [`Engine::next_wake`] then still answers.
    pub fn stop(&mut self, now: SimTime) {
        if mutant!(V129) && self.stops_later.is_none() {
            self.stops_later = Some(now + Micros::from_secs(2));
            return;
        }
        self.stop_at_once();
    }

    /// What is known of the path: the encoder and the frame rate follow.
    pub fn set_path(&mut self, path: PathState, now: SimTime) {
        let target = self.rate.follow(path, now);
        let Some(camera) = &mut self.camera else { return };
        let camera = camera.source_mut();
        camera.dropper_mut().set_budget(self.rate.budget(), self.rate.is_draining());
        if let Some(target) = target {
            camera.set_target(&self.local, target);
        }
    }

    /// So many bytes of video were handed to RTP and wait in its pacer.
    pub fn set_unsent(&mut self, bytes: u64) {
        if let Some(camera) = &mut self.camera {
            camera.source_mut().dropper_mut().set_unsent(bytes);
        }
    }

    /// The peer asked for a key frame: the next picture becomes one.
    pub fn key_frame_requested(&mut self, _now: SimTime) {
        if let Some(camera) = &mut self.camera {
            camera.source_mut().force_key_frame();
            self.cipher.sequence_restarts(Track::Video);
        }
    }

    /// A frame came.
    pub fn receive(&mut self, frame: ReceivedFrame, now: SimTime) {
        if !self.stopped {
            self.incoming.receive(&self.local, frame, now);
        }
    }

    /// Does everything that is due. The driver calls it at [`Engine::next_wake`].
    pub fn handle_timeout(&mut self, now: SimTime) {
        loop {
            if self.stops_later.is_some_and(|at| at <= now) {
                return self.stop_at_once();
            }
            if let Some(camera) = &mut self.camera {
                camera.handle_timeout(&self.local, &mut self.cipher, now, &mut self.outputs);
            }
            if let Some(microphone) = &mut self.microphone {
                microphone.handle_timeout(&self.local, &mut self.cipher, now, &mut self.outputs);
            }
            for (track, off) in &mut self.off {
                off.handle_timeout(*track, &self.local, &mut self.cipher, now, &mut self.outputs);
            }
            let own_picture = self.camera.as_ref().and_then(|camera| camera.source().newest_picture());
            self.incoming.handle_timeout(&self.local, &mut self.cipher, own_picture, now, &mut self.outputs);
            if self.next_wake().is_none_or(|due| due > now) {
                return;
            }
        }
    }

    /// When [`Engine::handle_timeout`] is due; `None` when nothing is under way.
    pub fn next_wake(&self) -> Option<SimTime> {
        let camera = self.camera.as_ref().and_then(Outgoing::next_wake);
        let microphone = self.microphone.as_ref().and_then(Outgoing::next_wake);
        let off = self.off.values().map(Off::next_wake).min();
        kernel::time::earliest([camera, microphone, off, self.incoming.next_wake(), self.stops_later])
    }

    /// The next thing to do; to be called until there is none.
    pub fn poll(&mut self) -> Option<EngineOutput> {
        self.outputs.pop_front()
    }

    fn stop_at_once(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.stops_later = None;
        for track in [Track::Audio, Track::Video] {
            if self.is_capturing(track)
                && let Some(call) = self.call
            {
                event!(CaptureSwitched { device: self.local.device.clone(), call, track, on: false });
            }
        }
        if let Some(camera) = self.camera.take() {
            camera.abandon(&self.local);
        }
        if let Some(microphone) = self.microphone.take() {
            microphone.abandon(&self.local);
        }
        self.off.clear();
        self.incoming.abandon();
        self.outputs.clear();
        self.cipher.erase(&self.local);
    }
}
