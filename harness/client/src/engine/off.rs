//! A track that its user switched off: the device is closed, and the peer is told by frames without content.
//!
//! No encoder makes an empty frame, so that an authentic one can mean only this. It goes the way of all frames: sealed
//! under the track's key and counter, in order with them, repaired where it is lost, and without a word to signaling. It
//! has nothing of the input, not even its size. It is repeated, as comfort noise would be, for a peer that missed it and
//! as a sign of life: a path over which both tracks are off is not a broken one.

use super::{EngineOutput, Local, frames::FrameCipher};
use kernel::{Micros, SimTime, Track};
use std::collections::VecDeque;

/// How often it is said: the pace of Opus in discontinuous transmission (RFC 7587 section 3.1.3).
const INTERVAL: Micros = Micros::from_millis(400);

/// What is said of a track while it is off.
pub(super) struct Off {
    next_frame: u32,
    due: SimTime,
    encrypt: Micros,
}

impl Off {
    /// Off from now on; the next frame of the track has the number `next_frame`.
    pub(super) fn since(now: SimTime, next_frame: u32, local: &Local) -> Off {
        let encrypt = local.costs.crypt_frame(0);
        Off { next_frame, due: now + encrypt, encrypt }
    }

    /// The number of the next frame: numbers go on when the track is on again.
    pub(super) fn next_frame(&self) -> u32 {
        self.next_frame
    }

    pub(super) fn next_wake(&self) -> SimTime {
        self.due
    }

    /// Says it when it is time to.
    pub(super) fn handle_timeout(
        &mut self,
        track: Track,
        local: &Local,
        cipher: &mut FrameCipher,
        now: SimTime,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        if self.due > now {
            return;
        }
        self.due = now + INTERVAL;
        let frame = self.next_frame;
        if let Ok(bytes) = cipher.seal(local, track, frame, &[], self.encrypt) {
            self.next_frame += 1;
            outputs.push_back(EngineOutput::SendFrame {
                track,
                frame,
                rtp_timestamp: rtp_timestamp(track, now),
                bytes,
            });
        }
    }
}

fn rtp_timestamp(track: Track, now: SimTime) -> u64 {
    match track {
        Track::Video => super::camera::rtp_timestamp(now),
        Track::Audio => super::microphone::rtp_timestamp(now),
    }
}
