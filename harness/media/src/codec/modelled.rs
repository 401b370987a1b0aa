//! The modelled codec: frames whose sizes follow RFC 8593, whose content is seeded noise, and whose structure tells a
//! decoder all that a simulation wants to know of a real one: which frame of which sender this is, whether it is whole,
//! and whether the frame that it refers to was decoded.
//!
//! A video frame begins as a VP8 frame does (RFC 6386 section 9.1), so that packetizers, frame encryption and tests for
//! key frames need not know the difference. Behind the 3 or 10 bytes that VP8 has in front:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | number of the sender |
//! | 3 | number of the frame, big endian |
//! | 8 | check of the frame that this one refers to; of a key frame: seeded noise |
//! | any | seeded noise: nobody can guess it, so that a scan for it proves something |
//! | 8 | check: XXH3 over everything before |
//!
//! A packet of sound is the same with 0 bytes in front, no reference and a check of 4 bytes. Both need no GStreamer.

use super::{EncodedPicture, OpusInput, is_key_frame, modelled_sizes::FrameSizes};
use crate::{mark::FRAME_MASK, picture::PictureSize, voice::BLOCK_SAMPLES};
use kernel::{
    BitRate,
    event::Mark,
    random::{Noise, SeedTree},
};
use twox_hash::XxHash3_64;

const NUMBERS: usize = 4;
const REFERENCE: usize = 8;
const CHECK: usize = 8;
const SOUND_CHECK: usize = 4;
const KEY_HEADER: usize = 10;
const INTER_HEADER: usize = 3;
/// Noise that every frame has, however low the rate.
const LEAST_NOISE: usize = 16;
/// Blocks of sound a second.
const BLOCKS_PER_SECOND: u64 = 50;
/// A block of the lowest rate that Opus has (6 kbit/s).
const LEAST_SOUND: usize = 15;

type Check = [u8; CHECK];

/// The modelled video encoder.
pub struct ModelledEncoder {
    sender: u8,
    size: PictureSize,
    sizes: FrameSizes,
    noise: Noise,
    /// Check of the frame before; none before the first.
    last: Option<Check>,
}

impl ModelledEncoder {
    /// An encoder that has seen nothing: its first frame is a key frame. Sizes and content are drawn below `seeds`,
    /// from streams of their own.
    pub fn new(size: PictureSize, fps: u32, target: BitRate, sender: u8, seeds: &SeedTree) -> ModelledEncoder {
        ModelledEncoder {
            sender,
            size,
            sizes: FrameSizes::new(fps, target, seeds.stream("modelled-frame-sizes")),
            noise: seeds.noise("modelled-frames"),
            last: None,
        }
    }

    /// Encodes picture `frame`.
    pub fn encode(&mut self, frame: u32, target: BitRate, key: bool) -> EncodedPicture {
        let reference = self.last.filter(|_| !key);
        let key = reference.is_none();
        let least = KEY_HEADER + NUMBERS + REFERENCE + LEAST_NOISE + CHECK;
        let len = self.sizes.next(frame, key, target).max(least);
        let mut bytes = Vec::with_capacity(len);
        self.write_header(&mut bytes, key, len);
        bytes.push(self.sender);
        bytes.extend(&(frame & FRAME_MASK).to_be_bytes()[1..]);
        bytes.extend(reference.iter().flatten());
        let noise = bytes.len();
        bytes.resize(len - CHECK, 0);
        self.noise.fill(&mut bytes[noise..]);
        let check = check(&bytes);
        bytes.extend(check);
        self.last = Some(check);
        EncodedPicture { bytes, key }
    }

    /// The front of a VP8 frame: version 0, to be shown, one partition; of a key frame with its size.
    fn write_header(&self, bytes: &mut Vec<u8>, key: bool, len: usize) {
        const SHOWN: u32 = 1 << 4;
        let partition = (len as u32).min((1 << 19) - 1);
        let tag = u32::from(!key) | SHOWN | partition << 5;
        bytes.extend(&tag.to_le_bytes()[..INTER_HEADER]);
        if key {
            bytes.extend([0x9d, 0x01, 0x2a]);
            bytes.extend((self.size.width() as u16).to_le_bytes());
            bytes.extend((self.size.height() as u16).to_le_bytes());
        }
    }
}

/// The modelled video decoder.
#[derive(Debug, Default)]
pub struct ModelledDecoder {
    /// Check of the frame that was decoded last; none after one that could not be.
    last: Option<Check>,
}

impl ModelledDecoder {
    /// Decodes one frame to the mark that its picture would show; nothing for a frame that is damaged, or refers to
    /// another than the one decoded last. Only a key frame helps then.
    pub fn decode(&mut self, frame: &[u8]) -> Option<Mark> {
        let (content, own) = frame.split_last_chunk::<CHECK>()?;
        let last = self.last.take();
        let header = if is_key_frame(content) { KEY_HEADER } else { INTER_HEADER };
        let (numbers, rest) = content.get(header..)?.split_first_chunk::<NUMBERS>()?;
        let reference = rest.first_chunk::<REFERENCE>()?;
        let known = is_key_frame(content) || last == Some(*reference);
        if !known || check::<CHECK>(content) != *own {
            return None;
        }
        self.last = Some(*own);
        Some(mark(*numbers))
    }
}

/// The modelled audio encoder: constant bit rate.
pub struct ModelledVoice {
    sender: u8,
    noise: Noise,
}

impl ModelledVoice {
    /// An encoder of the sender's voice. Its content is drawn below `seeds`.
    pub fn new(sender: u8, seeds: &SeedTree) -> ModelledVoice {
        ModelledVoice { sender, noise: seeds.noise("modelled-sound") }
    }

    /// Encodes block `block` of 20 ms.
    pub fn encode(&mut self, block: u32, target: BitRate) -> Vec<u8> {
        let len = usize::try_from(target.0 / 8 / BLOCKS_PER_SECOND).unwrap_or(usize::MAX).clamp(LEAST_SOUND, 1_275);
        let [_, number @ ..] = (block & FRAME_MASK).to_be_bytes();
        let mut bytes = Vec::with_capacity(len);
        bytes.push(self.sender);
        bytes.extend(number);
        bytes.resize(len - SOUND_CHECK, 0);
        self.noise.fill(&mut bytes[NUMBERS..]);
        let check: [u8; SOUND_CHECK] = check(&bytes);
        bytes.extend(check);
        bytes
    }
}

/// Decodes a packet of modelled sound, or conceals a missing one: 20 ms of silence, nothing for a damaged packet.
pub fn decode_voice(input: &OpusInput) -> Vec<i16> {
    let intact = match input {
        OpusInput::Missing => true,
        OpusInput::Packet(packet) => {
            packet.split_last_chunk::<SOUND_CHECK>().is_some_and(|(content, own)| check::<SOUND_CHECK>(content) == *own)
        }
    };
    if intact { vec![0; BLOCK_SAMPLES] } else { Vec::new() }
}

fn check<const N: usize>(content: &[u8]) -> [u8; N] {
    let hash = XxHash3_64::oneshot(content).to_be_bytes();
    *hash.first_chunk().expect("no check is longer than a hash")
}

fn mark([sender, frame @ ..]: [u8; NUMBERS]) -> Mark {
    let [high, middle, low] = frame;
    Mark { sender, frame: u32::from_be_bytes([0, high, middle, low]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: BitRate = BitRate::from_kbps(500);

    fn encoder(seed: u64) -> ModelledEncoder {
        let size = PictureSize::new(640, 360).unwrap();
        ModelledEncoder::new(size, 30, TARGET, 7, &SeedTree::root(seed))
    }

    #[test]
    fn a_decoder_reads_sender_and_number_of_every_frame() {
        let (mut encoder, mut decoder) = (encoder(1), ModelledDecoder::default());
        for frame in 0..100 {
            let EncodedPicture { bytes, key } = encoder.encode(frame, TARGET, frame == 40);
            assert_eq!(key, frame == 0 || frame == 40);
            assert_eq!(is_key_frame(&bytes), key);
            assert_eq!(decoder.decode(&bytes), Some(Mark { sender: 7, frame }));
        }
    }

    #[test]
    fn after_a_lost_frame_nothing_is_decoded_until_a_key_frame() {
        let (mut encoder, mut decoder) = (encoder(1), ModelledDecoder::default());
        let frames: Vec<_> = (0..8).map(|frame| encoder.encode(frame, TARGET, frame == 6).bytes).collect();
        let shown: Vec<bool> =
            [0, 1, 3, 4, 2, 6, 7].map(|frame: usize| decoder.decode(&frames[frame]).is_some()).to_vec();
        assert_eq!(shown, [true, true, false, false, false, true, true]);
    }

    #[test]
    fn content_is_a_function_of_the_seed_and_never_repeats() {
        let frames = |seed| {
            let mut encoder = encoder(seed);
            (0..5).map(|frame| encoder.encode(frame, TARGET, false).bytes).collect::<Vec<_>>()
        };
        assert_eq!(frames(1), frames(1));
        let windows: std::collections::BTreeSet<Vec<u8>> = [frames(1), frames(2)]
            .concat()
            .iter()
            .flat_map(|frame| frame[22..].chunks_exact(16).map(<[u8]>::to_vec))
            .collect();
        let all: usize = [frames(1), frames(2)].concat().iter().map(|frame| frame[22..].len() / 16).sum();
        assert_eq!(windows.len(), all);
    }

    #[test]
    fn sound_has_the_size_of_its_rate_and_damage_is_seen() {
        let mut voice = ModelledVoice::new(3, &SeedTree::root(1));
        for (kbps, len) in [(6, 15), (20, 50), (32, 80), (510, 1_275)] {
            assert_eq!(voice.encode(0, BitRate::from_kbps(kbps)).len(), len);
        }
        let packet = voice.encode(1, BitRate::from_kbps(20));
        let mut damaged = packet.clone();
        damaged[20] ^= 1;
        assert_eq!(decode_voice(&OpusInput::Packet(packet)), [0; BLOCK_SAMPLES]);
        assert_eq!(decode_voice(&OpusInput::Missing), [0; BLOCK_SAMPLES]);
        assert!(decode_voice(&OpusInput::Packet(damaged)).is_empty());
        assert!(decode_voice(&OpusInput::Packet(Vec::new())).is_empty());
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_never_decoded(at: prop::sample::Index, bit in 0..8u8, inter: bool) {
            let (mut encoder, mut decoder) = (encoder(1), ModelledDecoder::default());
            let mut frame = encoder.encode(0, TARGET, false).bytes;
            if inter {
                decoder.decode(&frame);
                frame = encoder.encode(1, TARGET, false).bytes;
            }
            let at = at.index(frame.len());
            frame[at] ^= 1u8 << bit;
            prop_assert_eq!(decoder.decode(&frame), None);
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            prop_assert_eq!(ModelledDecoder::default().decode(&bytes), None);
            decode_voice(&OpusInput::Packet(bytes));
        }
    }
}
