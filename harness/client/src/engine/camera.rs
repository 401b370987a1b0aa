//! The camera with its encoder.

use super::{
    Local,
    dropper::FrameDropper,
    outgoing::{Outgoing, Source},
};
use kernel::{BitRate, Micros, SimTime, Track, event, random::SeedTree};
use media::{VideoEncoder, codec::NextPicture};

/// A camera that is on.
pub(super) struct Camera {
    /// The number of its first picture, and when it meets the sensor.
    first: (u32, SimTime),
    fps: u64,
    readout: Micros,
    encode_cost: Micros,
    target: BitRate,
    dropper: FrameDropper,
    wants_key_frame: bool,
    newest: Option<u32>,
}

impl Camera {
    /// A camera whose first picture, the number `first_frame`, comes within the first frame interval.
    pub(super) fn switch_on(
        local: &Local,
        seeds: &SeedTree,
        target: BitRate,
        first_frame: u32,
        now: SimTime,
    ) -> Outgoing<Camera> {
        let fps = u64::from(local.media.fps.max(1));
        let phase = Micros(seeds.stream("camera-phase").below(1_000_000 / fps));
        let encoder = VideoEncoder::new(&local.media, local.size, target, local.index, seeds);
        let encoder = encoder.expect("media::initialize found the video encoder");
        announce(local, target);
        let camera = Camera {
            first: (first_frame, now + phase),
            fps,
            readout: local.costs.camera,
            encode_cost: local.costs.encode_picture(local.size),
            target,
            dropper: FrameDropper::new(target),
            wants_key_frame: false,
            newest: None,
        };
        Outgoing::new(camera, encoder, first_frame)
    }

    /// Another bit rate, from the next picture on that enters the encoder.
    pub(super) fn set_target(&mut self, local: &Local, target: BitRate) {
        self.target = target;
        announce(local, target);
    }

    /// What leaves frames out where the path has no room for them.
    pub(super) fn dropper_mut(&mut self) -> &mut FrameDropper {
        &mut self.dropper
    }

    /// The next picture that enters the encoder becomes a key frame.
    pub(super) fn force_key_frame(&mut self) {
        self.wants_key_frame = true;
    }

    /// The number of the newest picture: what the own tile shows.
    pub(super) fn newest_picture(&self) -> Option<u32> {
        self.newest
    }
}

impl Source for Camera {
    const TRACK: Track = Track::Video;
    type Encoder = VideoEncoder;

    fn sensed_at(&self, frame: u32) -> SimTime {
        let (number, at) = self.first;
        // Computed from the number: the rounding of 1/30 s does not add up.
        at + Micros(u64::from(frame - number) * 1_000_000 / self.fps)
    }

    fn exposure(&self) -> Micros {
        Micros::ZERO
    }

    fn readout(&self) -> Micros {
        self.readout
    }

    fn encode_cost(&self) -> Micros {
        self.encode_cost
    }

    fn admits(&self, now: SimTime) -> bool {
        self.dropper.admits(now)
    }

    fn encoded(&mut self, bytes: usize, now: SimTime) {
        self.dropper.encoded(bytes, now);
    }

    fn input(&mut self, frame: u32) -> NextPicture {
        self.newest = Some(frame);
        let key = std::mem::take(&mut self.wants_key_frame);
        NextPicture { frame, target: self.target, key }
    }

    fn rtp_timestamp(sensed_at: SimTime) -> u64 {
        rtp_timestamp(sensed_at)
    }
}

/// The RTP timestamp of an instant, 90 kHz.
pub(super) fn rtp_timestamp(at: SimTime) -> u64 {
    at.0 * 9 / 100
}

fn announce(local: &Local, rate: BitRate) {
    event!(EncoderTarget { device: local.device.clone(), track: Track::Video, rate });
}
