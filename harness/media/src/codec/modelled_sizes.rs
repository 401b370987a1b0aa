//! How large the frames of the modelled encoder are: the statistical model of RFC 8593 section 5, in integers.
//!
//! | RFC 8593 | here |
//! | --- | --- |
//! | reaction latency `tau_v`, 0.2 s | a new target is followed 200 ms after it was asked for |
//! | reference frame size `B_0` | target rate / frame rate |
//! | burst `K_B`, 13.5 kB at 1 Mbit/s and 30 frames a second | a key frame is 3.24 times `B_0` |
//! | transient of `K_d`, 8 frames | the 7 frames after a key frame make up for it |
//! | deviation `SCALE_B`, Laplacian, 0.15 | of every frame's size |
//! | deviation `SCALE_t` of intervals | none: pictures come when the camera gives them |
//!
//! The model's transient follows key frames, not each change of the target: a real-time encoder at constant bit rate, as
//! the real one here, changes its rate without a key frame.

use kernel::{BitRate, random::Stream};
use std::collections::VecDeque;

/// `tau_v`: from asking for another rate until frames have it, in milliseconds.
const REACTION_MS: u64 = 200;
/// `K_B / B_0`, in percent.
const KEY_PERCENT: u64 = 324;
/// `K_d - 1`: frames after a key frame that are smaller for it.
const RECOVERY_FRAMES: u64 = 7;
/// Their size in percent of `B_0`, so that the eight frames together keep to the rate.
const RECOVERY_PERCENT: u64 = (100 * (RECOVERY_FRAMES + 1) - KEY_PERCENT) / RECOVERY_FRAMES;
/// `SCALE_B`, in thousandths.
const SCALE_PERMILLE: i64 = 150;
/// One, in the fixed-point numbers of the exponential distribution.
const ONE: u64 = 1 << 20;
/// An exponential variate above this is cut: it comes once in 10^7 draws.
const MOST: u64 = 16;

/// No frame is larger: 250 Mbit/s at 30 frames a second.
const MOST_BYTES: usize = 1 << 20;

/// The sizes of one encoder's frames.
pub(super) struct FrameSizes {
    fps: u64,
    noise: Stream,
    target: BitRate,
    /// Rates that were asked for, with the number of the first frame that has them.
    asked: VecDeque<(u32, BitRate)>,
    /// Frames that are still to make up for the last key frame.
    recovery: u64,
}

impl FrameSizes {
    /// An encoder that runs at `target`.
    pub(super) fn new(fps: u32, target: BitRate, noise: Stream) -> FrameSizes {
        FrameSizes { fps: u64::from(fps.max(1)), noise, target, asked: VecDeque::new(), recovery: 0 }
    }

    /// Bytes of frame `frame`, encoded when `target` is asked for. Frame numbers rise; frames that were left out are
    /// no frames of the model.
    pub(super) fn next(&mut self, frame: u32, key: bool, target: BitRate) -> usize {
        if self.asked.back().map_or(self.target, |(_, rate)| *rate) != target {
            let reaction = (REACTION_MS * self.fps).div_ceil(1_000) as u32;
            self.asked.push_back((frame.saturating_add(reaction), target));
        }
        while let Some((_, rate)) = self.asked.pop_front_if(|(from, _)| *from <= frame) {
            self.target = rate;
        }
        let reference = self.target.0 / 8 / self.fps;
        let percent = if key {
            self.recovery = RECOVERY_FRAMES;
            KEY_PERCENT
        } else if self.recovery > 0 {
            self.recovery -= 1;
            RECOVERY_PERCENT
        } else {
            100
        };
        let expected = i64::try_from(reference.saturating_mul(percent) / 100).unwrap_or(i64::MAX / ONE as i64);
        let deviation = i128::from(expected) * i128::from(self.laplacian() * SCALE_PERMILLE) / i128::from(1_000 * ONE);
        (i128::from(expected) + deviation).clamp(0, MOST_BYTES as i128) as usize
    }

    /// A draw of the Laplacian distribution with mean 0 and scale 1, in units of 1/[`ONE`].
    fn laplacian(&mut self) -> i64 {
        let size = exponential(&mut self.noise) as i64;
        if self.noise.below(2) == 0 { size } else { -size }
    }
}

/// A draw of the exponential distribution with mean 1, in units of 1/[`ONE`]: von Neumann's method, which compares
/// uniform draws and computes no logarithm, whose last bits would differ between machines.
fn exponential(noise: &mut Stream) -> u64 {
    for whole in 0..MOST {
        let first = noise.below(ONE);
        let (mut last, mut falling) = (first, 1);
        loop {
            let next = noise.below(ONE);
            if next >= last {
                break;
            }
            (last, falling) = (next, falling + 1);
        }
        if falling % 2 == 1 {
            return whole * ONE + first;
        }
    }
    MOST * ONE
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    fn sizes(target: BitRate) -> FrameSizes {
        FrameSizes::new(30, target, SeedTree::root(1).stream("sizes"))
    }

    fn mean(sizes: &mut FrameSizes, frames: std::ops::Range<u32>, target: BitRate) -> u64 {
        let count = u64::from(frames.end - frames.start);
        frames.map(|frame| sizes.next(frame, false, target) as u64).sum::<u64>() / count
    }

    #[test]
    fn frames_keep_to_the_target_and_deviate_by_a_laplacian_of_15_percent() {
        let target = BitRate::from_mbps(1);
        let mut sizes = sizes(target);
        let drawn: Vec<i64> = (0..50_000).map(|frame| sizes.next(frame, false, target) as i64).collect();
        let mean = drawn.iter().sum::<i64>() / drawn.len() as i64;
        assert!((4_140..=4_190).contains(&mean), "{mean}");
        // The mean absolute deviation of a Laplacian is its scale: 15 % of 4166 bytes.
        let deviation = drawn.iter().map(|size| (size - mean).abs()).sum::<i64>() / drawn.len() as i64;
        assert!((615..=635).contains(&deviation), "{deviation}");
        let above = drawn.iter().filter(|size| **size > 4_166).count();
        assert!((24_500..=25_500).contains(&above), "{above}");
        // P(|L| > 3) = e^-3.
        let far = drawn.iter().filter(|size| (**size - 4_166).abs() > 3 * 625).count();
        assert!((2_300..=2_700).contains(&far), "{far}");
    }

    #[test]
    fn a_key_frame_is_a_burst_that_the_next_seven_frames_make_up_for() {
        let target = BitRate::from_mbps(1);
        let (mut keys, mut eight) = (0, 0);
        let mut sizes = sizes(target);
        for group in 0..1_000 {
            keys += sizes.next(group * 8, true, target);
            eight += (1..8).map(|frame| sizes.next(group * 8 + frame, false, target)).sum::<usize>();
        }
        assert!((13_200..=13_800).contains(&(keys / 1_000)), "{keys}");
        let rate = (keys + eight) * 8 * 30 / 8_000;
        assert!((980_000..=1_020_000).contains(&rate), "{rate}");
    }

    #[test]
    fn another_target_takes_effect_after_200_ms() {
        let (slow, fast) = (BitRate::from_kbps(240), BitRate::from_mbps(24));
        let mut sizes = sizes(slow);
        assert!(mean(&mut sizes, 0..30, slow) < 1_200);
        assert!(mean(&mut sizes, 30..36, fast) < 2_000);
        assert!(mean(&mut sizes, 36..66, fast) > 80_000);
    }

    #[test]
    fn no_rate_is_too_low_or_too_high() {
        let mut sizes = sizes(BitRate(0));
        sizes.next(0, true, BitRate(u64::MAX));
        assert_eq!(sizes.next(1_000, true, BitRate(0)), MOST_BYTES);
        assert_eq!(sizes.next(u32::MAX, false, BitRate(0)), 0);
    }
}
