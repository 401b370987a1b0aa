//! The way out of one track: sensor, encoder, frame encryption, RTP.

use super::{EngineOutput, Local, frames::FrameCipher};
use kernel::{Micros, SimTime, Track, event, log};
use media::{Codec, CodecError, EncodedPicture, Lane, Ticket};
use std::collections::VecDeque;

/// A camera or a microphone with its encoder.
pub(super) trait Source {
    /// The track that it feeds.
    const TRACK: Track;
    /// Its encoder.
    type Encoder: Codec<Output = Result<EncodedPicture, CodecError>>;

    /// When the sensor meets frame `frame`.
    fn sensed_at(&self, frame: u32) -> SimTime;

    /// How long after that the frame is known to have been captured: the length of a block of sound.
    fn exposure(&self) -> Micros;

    /// From there until the encoder could have it.
    fn readout(&self) -> Micros;

    /// How long the encoder takes.
    fn encode_cost(&self) -> Micros;

    /// What the encoder is given; settings are latched here.
    fn input(&mut self, frame: u32) -> <Self::Encoder as Codec>::Input;

    /// Whether the path has room for another frame.
    fn admits(&self, now: SimTime) -> bool;

    /// A frame of so many bytes came out of the encoder.
    fn encoded(&mut self, bytes: usize, now: SimTime);

    /// RTP timestamp of a frame.
    fn rtp_timestamp(sensed_at: SimTime) -> u64;
}

/// At most this many frames are between sensor and encoder: a readout is shorter than that.
const MAX_IN_READOUT: usize = 8;

struct Sensed {
    frame: u32,
    sensed_at: SimTime,
}

struct Encoding {
    of: Sensed,
    began: SimTime,
    due: SimTime,
    ticket: Ticket,
}

struct Sealing {
    of: Sensed,
    began: SimTime,
    due: SimTime,
    bytes: Vec<u8>,
}

/// The frames of one track on their way out. At most one is inside the encoder and one waits for it: a newer one takes
/// the place of the one that waits.
pub(super) struct Outgoing<S: Source> {
    source: S,
    lane: Lane<S::Encoder>,
    next_frame: u32,
    in_readout: VecDeque<Sensed>,
    waiting: Option<Sensed>,
    encoding: Option<Encoding>,
    sealing: VecDeque<Sealing>,
}

impl<S: Source> Outgoing<S> {
    /// A source whose first frame has the number `next_frame`.
    pub(super) fn new(source: S, encoder: S::Encoder, next_frame: u32) -> Outgoing<S> {
        Outgoing {
            source,
            lane: Lane::new(encoder),
            next_frame,
            in_readout: VecDeque::new(),
            waiting: None,
            encoding: None,
            sealing: VecDeque::new(),
        }
    }

    pub(super) fn source(&self) -> &S {
        &self.source
    }

    pub(super) fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    pub(super) fn next_wake(&self) -> Option<SimTime> {
        let readout = self.in_readout.front().map(|sensed| self.read_out_at(sensed));
        let encoding = self.encoding.as_ref().map(|encoding| encoding.due);
        let sealing = self.sealing.front().map(|sealing| sealing.due);
        kernel::time::earliest([Some(self.captured_at()), readout, encoding, sealing])
    }

    /// Does what is due, later steps first: a step never waits for one that ends at the same instant.
    pub(super) fn handle_timeout(
        &mut self,
        local: &Local,
        cipher: &mut FrameCipher,
        now: SimTime,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        while let Some(sealing) = self.sealing.pop_front_if(|sealing| sealing.due <= now) {
            send(local, cipher, S::TRACK, S::rtp_timestamp(sealing.of.sensed_at), &sealing, now, outputs);
        }
        if let Some(encoding) = self.encoding.take_if(|encoding| encoding.due <= now) {
            self.finish_encoding(local, encoding, now);
        }
        if self.captured_at() <= now {
            self.capture(local);
        }
        while let Some(at) = self.in_readout.front().map(|sensed| self.read_out_at(sensed)).filter(|at| *at <= now) {
            debug_assert!(at <= now);
            self.read_out(local);
        }
        self.begin_encoding(local, now);
    }

    /// Drops everything under way, and says which frames will never be encoded. Answers the number that the next frame
    /// would have had.
    pub(super) fn abandon(self, local: &Local) -> u32 {
        let unencoded =
            self.encoding.map(|encoding| encoding.of).into_iter().chain(self.waiting).chain(self.in_readout);
        unencoded.for_each(|sensed| dropped(local, S::TRACK, sensed.frame, "stopped"));
        self.next_frame
    }

    fn captured_at(&self) -> SimTime {
        self.source.sensed_at(self.next_frame) + self.source.exposure()
    }

    fn read_out_at(&self, sensed: &Sensed) -> SimTime {
        sensed.sensed_at + self.source.exposure() + self.source.readout()
    }

    fn capture(&mut self, local: &Local) {
        let (frame, sensed_at) = (self.next_frame, self.source.sensed_at(self.next_frame));
        self.next_frame += 1;
        event!(Captured { device: local.device.clone(), track: S::TRACK, frame, sensed_at });
        if self.in_readout.len() < MAX_IN_READOUT {
            self.in_readout.push_back(Sensed { frame, sensed_at });
        } else {
            dropped(local, S::TRACK, frame, "encoder_busy");
        }
    }

    fn read_out(&mut self, local: &Local) {
        let newer = self.in_readout.pop_front();
        if let Some(older) = std::mem::replace(&mut self.waiting, newer) {
            dropped(local, S::TRACK, older.frame, "encoder_busy");
        }
    }

    fn begin_encoding(&mut self, local: &Local, now: SimTime) {
        if self.encoding.is_some() {
            return;
        }
        let Some(of) = self.waiting.take() else { return };
        if !self.source.admits(now) {
            return dropped(local, S::TRACK, of.frame, "over_rate");
        }
        let ticket = self.lane.submit(self.source.input(of.frame));
        self.encoding = Some(Encoding { of, began: now, due: now + self.source.encode_cost(), ticket });
    }

    fn finish_encoding(&mut self, local: &Local, encoding: Encoding, now: SimTime) {
        let Encoding { of, began, ticket, .. } = encoding;
        let Ok(EncodedPicture { bytes, key }) = self.lane.collect(ticket) else {
            return dropped(local, S::TRACK, of.frame, "encoder_failed");
        };
        event!(Encoded {
            device: local.device.clone(),
            track: S::TRACK,
            frame: of.frame,
            key,
            bytes: log::store(&bytes),
            capture: began - of.sensed_at,
            encode: now - began,
        });
        self.source.encoded(bytes.len(), now);
        let free = self.sealing.back().map_or(now, |before| before.due.max(now));
        self.sealing.push_back(Sealing { of, began: now, due: free + local.costs.crypt_frame(bytes.len()), bytes });
    }
}

fn send(
    local: &Local,
    cipher: &mut FrameCipher,
    track: Track,
    rtp_timestamp: u64,
    sealing: &Sealing,
    now: SimTime,
    outputs: &mut VecDeque<EngineOutput>,
) {
    let frame = sealing.of.frame;
    match cipher.seal(local, track, frame, &sealing.bytes, now - sealing.began) {
        Ok(bytes) => outputs.push_back(EngineOutput::SendFrame { track, frame, rtp_timestamp, bytes }),
        Err(_) => dropped(local, track, frame, "not_sealed"),
    }
}

fn dropped(local: &Local, track: Track, frame: u32, reason: &str) {
    event!(FrameDropped { device: local.device.clone(), track, frame: Some(frame.into()), reason: reason.into() });
}
