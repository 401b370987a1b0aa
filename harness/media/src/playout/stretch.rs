//! Time stretching of speech: one period of the sound is taken out or put in, with a cross-fade over that period.
//!
//! What it is not: NetEq refuses to stretch when no period is found; this splices at the best candidate in any case, and
//! so is smooth but not transparent on sound without a pitch.

/// Shortest and longest period that is looked for, in samples at 48 kHz: 400 Hz to 100 Hz.
const PERIODS: std::ops::RangeInclusive<usize> = 120..=480;
/// Candidates are this far apart.
const STEP: usize = 8;
/// So many samples are compared.
const COMPARED: usize = 480;

/// Takes one period out of a block of at least 960 samples. Answers how many samples fewer there are.
pub fn accelerate(samples: &mut Vec<i16>) -> usize {
    let Some(period) = best_period(samples) else { return 0 };
    for i in 0..period {
        samples[i] = fade(samples[i], samples[i + period], i, period);
    }
    samples.drain(period..2 * period);
    period
}

/// Puts one period into a block of at least 960 samples. Answers how many samples more there are.
pub fn expand(samples: &mut Vec<i16>) -> usize {
    let Some(period) = best_period(samples) else { return 0 };
    let bridge: Vec<i16> = (0..period).map(|i| fade(samples[i + period], samples[i], i, period)).collect();
    samples.splice(period..period, bridge);
    period
}

/// The distance at which the beginning of the block is most like itself; `None` when the block is too short.
fn best_period(samples: &[i16]) -> Option<usize> {
    if samples.len() < PERIODS.end() + COMPARED {
        return None;
    }
    PERIODS.step_by(STEP).min_by_key(|&period| {
        let pairs = samples[..COMPARED].iter().zip(&samples[period..period + COMPARED]);
        pairs.map(|(&a, &b)| i64::from((i32::from(a) - i32::from(b)).abs())).sum::<i64>()
    })
}

/// From `from` to `to` while `i` goes from 0 to `len`.
fn fade(from: i16, to: i16, i: usize, len: usize) -> i16 {
    let (i, len) = (i as i32, len as i32);
    ((i32::from(from) * (len - i) + i32::from(to) * i) / len) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A triangle wave.
    fn tone(period: usize, len: usize) -> Vec<i16> {
        (0..len).map(|i| ((i % period) as i32 * 20_000 / period as i32 - 10_000).abs() as i16 - 5_000).collect()
    }

    /// The largest step from one sample to the next.
    fn roughness(samples: &[i16]) -> i32 {
        samples.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max().unwrap()
    }

    #[test]
    fn a_tone_keeps_its_shape() {
        let original = tone(240, 960);
        let (mut shorter, mut longer) = (original.clone(), original.clone());
        let (removed, added) = (accelerate(&mut shorter), expand(&mut longer));
        assert_eq!((removed % 240, added % 240), (0, 0));
        assert_eq!(shorter, original[removed..]);
        assert_eq!(longer, tone(240, 960 + added));
    }

    #[test]
    fn a_short_block_is_left_alone() {
        let mut samples = tone(240, 648);
        assert_eq!((accelerate(&mut samples), expand(&mut samples), samples.len()), (0, 0, 648));
    }

    proptest! {
        #[test]
        fn no_stretch_makes_a_click(period in 100_usize..700, offset in 0_usize..500) {
            let original = tone(period, 960 + offset)[offset..].to_vec();
            let (mut shorter, mut longer) = (original.clone(), original.clone());
            let (removed, added) = (accelerate(&mut shorter), expand(&mut longer));
            prop_assert_eq!((shorter.len(), longer.len()), (960 - removed, 960 + added));
            // A cross-fade adds at most the difference of its two sides, spread over the period.
            let bound = roughness(&original) + 20_000 / 120 + 1;
            prop_assert!(roughness(&shorter) <= bound && roughness(&longer) <= bound);
        }
    }
}
