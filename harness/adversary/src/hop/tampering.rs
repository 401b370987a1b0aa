//! Flips bits.

use super::EachNth;
use client::Hop;
use e2ee::clear_bytes;
use kernel::{ActorName, SimTime, Track, event::AttackKind, plan::VideoCodec};
use std::ops::Range;

/// The authentication tag at the end of a frame, in bytes.
const TAG_BYTES: usize = 16;
/// How far the flipped bit moves within its part from one round to the next.
const STRIDE: u64 = 37;

/// Flips one bit in a copy of each n-th frame of each track and puts the copy before or after the real one. The part
/// of the frame changes each time (clear bytes, SFrame header, ciphertext, tag), the bit within it and the order too.
#[derive(Debug)]
pub struct TamperingHop {
    target: ActorName,
    codec: VideoCodec,
    each: EachNth,
    attacks: u64,
}

impl TamperingHop {
    /// In front of the device `target`: a changed copy of each `every`-th frame.
    pub fn new(target: ActorName, codec: VideoCodec, every: u32) -> TamperingHop {
        TamperingHop { target, codec, each: EachNth::new(every), attacks: 0 }
    }
}

impl Hop for TamperingHop {
    fn incoming(&mut self, track: Track, frame: Vec<u8>, _: SimTime) -> Vec<Vec<u8>> {
        let Some(number) = self.each.pick(track).filter(|_| !frame.is_empty()) else { return vec![frame] };
        let parts = parts(&frame, clear_bytes(track, self.codec, &frame));
        let (round, turn) = (self.attacks / parts.len() as u64, self.attacks % parts.len() as u64);
        let (part, range) = &parts[usize::try_from(turn).unwrap_or_default()];
        let bit = round.wrapping_mul(STRIDE) % (range.len() as u64 * 8);
        let position = range.start + usize::try_from(bit / 8).unwrap_or_default();
        let mut forged = frame.clone();
        forged[position] ^= 1 << (bit % 8);
        let before = round.is_multiple_of(2);
        self.attacks += 1;
        kernel::event!(Attack {
            kind: AttackKind::Tamper,
            target: self.target.clone(),
            call: None,
            detail: format!(
                "{track} frame {number}: bit {} of byte {position} ({part}), {} the real one",
                bit % 8,
                if before { "before" } else { "after" }
            ),
        });
        if before { vec![forged, frame] } else { vec![frame, forged] }
    }

    fn poll(&mut self, _: SimTime) -> Option<(Track, Vec<u8>)> {
        None
    }

    fn next_wake(&self) -> Option<SimTime> {
        None
    }
}

/// The parts of a sealed frame that are not empty; of bytes that are too short for one, all of it.
fn parts(frame: &[u8], clear: usize) -> Vec<(&'static str, Range<usize>)> {
    let header = clear + header_bytes(frame.get(clear).copied().unwrap_or_default());
    let Some(tag) = frame.len().checked_sub(TAG_BYTES).filter(|tag| header <= *tag) else {
        return vec![("whole", 0..frame.len())];
    };
    let parts =
        [("clear", 0..clear), ("header", clear..header), ("ciphertext", header..tag), ("tag", tag..frame.len())];
    parts.into_iter().filter(|(_, range)| !range.is_empty()).collect()
}

/// Length of an SFrame header by its first byte (RFC 9605, section 4.3): `X KKK Y CCC`; with X or Y the bits beside it
/// say how many bytes, less one, the key id or counter has.
fn header_bytes(config: u8) -> usize {
    let extension = |flag: u8, length: u8| if config & flag == 0 { 0 } else { usize::from(length & 7) + 1 };
    1 + extension(0x80, config >> 4) + extension(0x08, config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use e2ee::{CallShare, FrameKeys, OpenError, Role, Transcript};
    use kernel::random::SeedTree;
    use std::collections::BTreeSet;

    fn keys() -> (FrameKeys, FrameKeys) {
        let share = |name: &str| CallShare::generate(&mut SeedTree::root(1).stream(name));
        let transcript = Transcript::new(b"offer", b"answer");
        let (caller, callee) = (share("caller"), share("callee"));
        let (caller_public, callee_public) = (caller.public(), callee.public());
        let caller = FrameKeys::derive(&caller.agree(&callee_public, &transcript).unwrap(), Role::Caller);
        let callee = FrameKeys::derive(&callee.agree(&caller_public, &transcript).unwrap(), Role::Callee);
        (caller, callee)
    }

    #[test]
    fn every_changed_copy_differs_in_one_bit_and_is_refused_and_every_real_frame_opens() {
        let (mut sender, mut receiver) = keys();
        let mut hop = TamperingHop::new("bob-phone".into(), VideoCodec::Vp8, 1);
        let clear_of = |bytes: &[u8]| clear_bytes(Track::Video, VideoCodec::Vp8, bytes);
        let mut orders = BTreeSet::new();
        for n in 0..200u8 {
            let mut plain = vec![n; 60];
            plain[0] |= 1;
            let sealed = sender.seal(Track::Video, 1, &plain).unwrap();
            let out = hop.incoming(Track::Video, sealed.bytes.clone(), SimTime(u64::from(n)));
            assert_eq!(out.len(), 2);
            orders.insert(out[0] == sealed.bytes);
            for bytes in out {
                let flipped: u32 = bytes.iter().zip(&sealed.bytes).map(|(a, b)| (a ^ b).count_ones()).sum();
                let opened = receiver.open(Track::Video, clear_of, &bytes);
                if flipped == 0 {
                    assert_eq!(opened.unwrap().bytes, plain);
                } else {
                    assert_eq!(flipped, 1);
                    assert!(
                        matches!(opened, Err(OpenError::Forged { .. } | OpenError::UnknownKey { .. })),
                        "{opened:?}"
                    );
                }
            }
        }
        assert_eq!(orders.len(), 2, "the copy comes before and after");
    }

    #[test]
    fn all_four_parts_take_their_turn() {
        let mut frame = vec![0u8; 60];
        frame[0] = 1;
        frame[1] = 0x0f;
        let names: Vec<&str> = parts(&frame, 1).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["clear", "header", "ciphertext", "tag"]);
        assert_eq!(parts(&frame, 1)[1].1, 1..10);
        assert_eq!(parts(&frame[..8], 0), [("whole", 0..8)]);
    }

    #[test]
    fn the_header_is_as_long_as_its_first_byte_says() {
        assert_eq!([0x00, 0x80, 0x08, 0xff].map(header_bytes), [1, 2, 2, 17]);
    }

    #[test]
    fn frames_that_are_not_picked_pass_as_they_are() {
        let mut hop = TamperingHop::new("bob-phone".into(), VideoCodec::Vp8, 2);
        assert_eq!(hop.incoming(Track::Audio, vec![1, 2, 3], SimTime(0)), [vec![1, 2, 3]]);
        assert_eq!(hop.incoming(Track::Audio, vec![1, 2, 3], SimTime(0)).len(), 2);
        assert_eq!(hop.incoming(Track::Audio, Vec::new(), SimTime(0)), [Vec::<u8>::new()]);
    }
}
