//! The synthetic microphone: band noise that is gated like syllables, 48 kHz mono.

use crate::noise::Noise;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Samples a second.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples of a block of 20 ms.
pub const BLOCK_SAMPLES: usize = 960;
/// Bytes of a block: signed 16 bit, little endian.
pub const BLOCK_BYTES: usize = BLOCK_SAMPLES * 2;

/// The voice repeats after this many blocks (10 s).
const BLOCKS: usize = 500;
/// Samples of a syllable: 150 ms.
const SYLLABLE_SAMPLES: usize = 7_200;

/// A voice: a function of the number of the sender.
pub struct Voice {
    sender: u8,
    pcm: Vec<u8>,
}

impl Voice {
    /// The voice of the participant with the number `sender`. Takes some 5 ms: see [`Voice::shared`].
    pub fn new(sender: u8) -> Voice {
        let mut noise = Noise::new(u64::from(sender) ^ 0xA_0D10);
        let (mut low, mut lower, mut envelope, mut gate) = (0_i64, 0_i64, 0_i64, 0_i64);
        let mut pcm = Vec::with_capacity(BLOCKS * BLOCK_BYTES);
        for i in 0..BLOCKS * BLOCK_SAMPLES {
            if i % SYLLABLE_SAMPLES == 0 {
                let sounds = noise.below(4) > 0;
                gate = i64::from(sounds) * (8 + noise.below(24) as i64);
            }
            // The envelope follows the gate in some 40 ms; two one-pole filters leave roughly 200 Hz to 2 kHz.
            envelope += (gate * 1_000_000 - envelope) / 2_000;
            let white = i64::from(noise.next() as i16);
            low += (white - low) / 4;
            lower += (low - lower) / 40;
            let sample = ((low - lower) * envelope / 64_000_000).clamp(-32_000, 32_000) as i16;
            pcm.extend_from_slice(&sample.to_le_bytes());
        }
        Voice { sender, pcm }
    }

    /// The same as [`Voice::new`], shared by everybody in this process who holds it.
    pub fn shared(sender: u8) -> Arc<Voice> {
        static VOICES: Mutex<[Weak<Voice>; 256]> = Mutex::new([const { Weak::new() }; 256]);
        let mut voices = VOICES.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut voices[usize::from(sender)];
        known.upgrade().unwrap_or_else(|| {
            let voice = Arc::new(Voice::new(sender));
            *known = Arc::downgrade(&voice);
            voice
        })
    }

    /// Number of the sender.
    pub fn sender(&self) -> u8 {
        self.sender
    }

    /// Block `number` as signed 16 bit little endian samples, [`BLOCK_BYTES`] long.
    pub fn block(&self, number: u32) -> &[u8] {
        &self.pcm[number as usize % BLOCKS * BLOCK_BYTES..][..BLOCK_BYTES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_sounds_and_pauses() {
        let voice = Voice::new(1);
        let loudness = |block| {
            let samples = voice.block(block).chunks_exact(2).map(|s| i64::from(i16::from_le_bytes([s[0], s[1]])));
            samples.map(|s| s * s).sum::<i64>() / BLOCK_SAMPLES as i64
        };
        let loudest = (0..500).map(loudness).max().unwrap();
        let quiet = (0..500).filter(|&block| loudness(block) * 100 < loudest).count();
        assert!(loudest > 1_000_000, "mean square {loudest}");
        assert!((25..=250).contains(&quiet), "{quiet} of 500 blocks are quiet");
        assert_eq!(voice.block(0), voice.block(500));
        assert_ne!(voice.block(1), Voice::new(2).block(1));
    }
}
