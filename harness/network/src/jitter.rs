//! Jitter: what each packet gets on top of propagation. Integer arithmetic only, so that every machine agrees.

use kernel::{plan::Jitter, random::Stream, time::Micros};

/// Draws the jitter of a link.
pub(crate) struct JitterProcess {
    stream: Stream,
}

impl JitterProcess {
    pub(crate) fn new(stream: Stream) -> JitterProcess {
        JitterProcess { stream }
    }

    /// The jitter of the next packet.
    pub(crate) fn step(&mut self, jitter: &Jitter) -> Micros {
        match *jitter {
            Jitter::None => Micros::ZERO,
            Jitter::Uniform { max, .. } => Micros(self.stream.below(max.0 + 1)),
            Jitter::Normal { deviation, .. } => self.normal(deviation),
        }
    }

    /// Normal with this standard deviation, cut at three of it and shifted by three of it.
    ///
    /// The sum of twelve uniforms has variance one (Irwin-Hall); three draws hold twelve 16-bit lanes.
    fn normal(&mut self, deviation: Micros) -> Micros {
        let sum: i64 = (0..3).map(|_| lanes(self.stream.next_u64())).sum();
        let offset = i128::from(sum - MEAN) * i128::from(deviation.0) / UNIT;
        let bound = 3 * i128::from(deviation.0);
        Micros((offset.clamp(-bound, bound) + bound) as u64)
    }
}

/// Whether a later packet may overtake an earlier one.
pub(crate) fn reorders(jitter: &Jitter) -> bool {
    match *jitter {
        Jitter::None => false,
        Jitter::Uniform { reorders, .. } | Jitter::Normal { reorders, .. } => reorders,
    }
}

/// One standard deviation of the sum of twelve 16-bit lanes.
const UNIT: i128 = 1 << 16;
/// Its mean.
const MEAN: i64 = 12 * 0xffff / 2;

fn lanes(draw: u64) -> i64 {
    (0..4).map(|lane| (draw >> (16 * lane) & 0xffff) as i64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    fn samples(jitter: Jitter) -> Vec<i64> {
        let mut process = JitterProcess::new(SeedTree::root(5).stream("jitter"));
        (0..100_000).map(|_| process.step(&jitter).0 as i64).collect()
    }

    fn mean(values: impl ExactSizeIterator<Item = i64>) -> i64 {
        let count = values.len() as i64;
        values.sum::<i64>() / count
    }

    #[test]
    fn uniform_reaches_both_ends_and_stays_between() {
        let samples = samples(Jitter::Uniform { max: Micros(100), reorders: false });
        assert_eq!((samples.iter().min(), samples.iter().max()), (Some(&0), Some(&100)));
        assert!((49..=51).contains(&mean(samples.iter().copied())));
    }

    #[test]
    fn normal_has_its_deviation_around_three_of_it() {
        let samples = samples(Jitter::Normal { deviation: Micros(2_000), reorders: false });
        assert!((5_970..=6_030).contains(&mean(samples.iter().copied())));
        let variance = mean(samples.iter().map(|sample| (sample - 6_000).pow(2)));
        assert!((1_960..=2_040).contains(&variance.isqrt()), "{}", variance.isqrt());
        assert!(samples.iter().all(|sample| (0..=12_000).contains(sample)));
        // A normal holds 68.27 % within one deviation.
        let within = samples.iter().filter(|sample| (4_000..=8_000).contains(*sample)).count();
        assert!((67_300..=69_300).contains(&within), "{within}");
    }

    #[test]
    fn a_zero_span_is_zero_jitter() {
        assert!(samples(Jitter::Uniform { max: Micros::ZERO, reorders: true }).iter().all(|sample| *sample == 0));
        assert!(samples(Jitter::Normal { deviation: Micros::ZERO, reorders: true }).iter().all(|sample| *sample == 0));
    }
}
