//! Jitter: what each packet gets on top of propagation. Integer arithmetic only, so that every machine agrees.

use kernel::{plan::Jitter, random::Stream, time::Micros};

/// Draws the jitter of a link.
pub(crate) struct JitterProcess {
    stream: Stream,
    /// The last packet's place in `0..=max` under correlation, as a 32-bit fraction.
    last: u64,
}

impl JitterProcess {
    pub(crate) fn new(stream: Stream) -> JitterProcess {
        JitterProcess { stream, last: MIDDLE }
    }

    /// The jitter of the next packet.
    pub(crate) fn step(&mut self, jitter: &Jitter) -> Micros {
        match *jitter {
            Jitter::None => Micros::ZERO,
            Jitter::Uniform { max, .. } => Micros(self.stream.below(max.0 + 1)),
            Jitter::Normal { deviation, .. } | Jitter::Spaced { deviation } => self.normal(deviation),
            Jitter::Pareto { mean, .. } => self.pareto(mean),
            Jitter::Correlated { max, correlation_ppm, .. } => self.correlated(max, u64::from(correlation_ppm)),
        }
    }

    /// Pareto of the second kind with shape 3: `2 mean (u^(-1/3) - 1)`, cut at twenty times the mean.
    fn pareto(&mut self, mean: Micros) -> Micros {
        let uniform = u128::from(self.stream.next_u64()) + 1;
        // 1/u with 60 bits behind the point; its cube root has 20.
        let inverse = (1_u128 << 124) / uniform;
        let excess = u128::from(cube_root(inverse)) - (1 << 20);
        let jitter = (2 * u128::from(mean.0) * excess) >> 20;
        Micros(u64::try_from(jitter).unwrap_or(u64::MAX).min(PARETO_CUT * mean.0))
    }

    fn correlated(&mut self, max: Micros, correlation_ppm: u64) -> Micros {
        let fresh = self.stream.next_u64() >> 32;
        self.last = (fresh * (1_000_000 - correlation_ppm) + self.last * correlation_ppm) / 1_000_000;
        Micros(((u128::from(self.last) * (u128::from(max.0) + 1)) >> 32) as u64)
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
        Jitter::None | Jitter::Spaced { .. } => false,
        Jitter::Uniform { reorders, .. }
        | Jitter::Normal { reorders, .. }
        | Jitter::Pareto { reorders, .. }
        | Jitter::Correlated { reorders, .. } => reorders,
    }
}

/// The largest span that a jitter names.
pub(crate) fn spread(jitter: &Jitter) -> Micros {
    match *jitter {
        Jitter::None => Micros::ZERO,
        Jitter::Uniform { max, .. } | Jitter::Correlated { max, .. } => max,
        Jitter::Normal { deviation, .. } | Jitter::Spaced { deviation } => deviation,
        Jitter::Pareto { mean, .. } => mean,
    }
}

/// Half of the way, as a 32-bit fraction.
const MIDDLE: u64 = 1 << 31;
/// In means.
const PARETO_CUT: u64 = 20;

/// The whole part of the cube root, digit by digit.
fn cube_root(value: u128) -> u64 {
    let mut root = 0_u128;
    for bit in (0..42).rev() {
        let candidate = root | 1 << bit;
        if candidate * candidate * candidate <= value {
            root = candidate;
        }
    }
    root as u64
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
    fn pareto_has_its_mean_and_its_tail() {
        let samples = samples(Jitter::Pareto { mean: Micros(10_000), reorders: true });
        // The cut takes 0.83 % off the mean.
        assert!((9_700..=10_150).contains(&mean(samples.iter().copied())), "{}", mean(samples.iter().copied()));
        let beyond = |means: i64| samples.iter().filter(|sample| **sample > means * 10_000).count();
        // P(X > m means) = (1 + m / 2)^-3: 12.5 % beyond two means, 0.463 % beyond ten.
        assert!((12_000..=13_000).contains(&beyond(2)), "{}", beyond(2));
        assert!((400..=530).contains(&beyond(10)), "{}", beyond(10));
        assert_eq!((beyond(20), samples.iter().max()), (0, Some(&200_000)));
    }

    #[test]
    fn correlated_jitter_resembles_the_last_one() {
        let jitter = Jitter::Correlated { max: Micros(10_000), correlation_ppm: 750_000, reorders: true };
        let samples = samples(jitter);
        let middle = mean(samples.iter().copied());
        assert!((4_950..=5_050).contains(&middle), "{middle}");
        let variance = mean(samples.iter().map(|sample| (sample - middle).pow(2)));
        let covariance = mean(samples.windows(2).map(|pair| (pair[0] - middle) * (pair[1] - middle)));
        assert!((730..=770).contains(&(covariance * 1_000 / variance)), "{}", covariance * 1_000 / variance);
    }

    #[test]
    fn cube_roots_are_exact() {
        for root in [0, 1, 2, 1 << 20, (1 << 20) + 1, 2_642_245, (1 << 42) - 1] {
            let cube = u128::from(root).pow(3);
            assert_eq!((cube_root(cube), cube_root(cube + u128::from(root))), (root, root));
        }
    }

    #[test]
    fn a_zero_span_is_zero_jitter() {
        assert!(samples(Jitter::Uniform { max: Micros::ZERO, reorders: true }).iter().all(|sample| *sample == 0));
        assert!(samples(Jitter::Normal { deviation: Micros::ZERO, reorders: true }).iter().all(|sample| *sample == 0));
    }
}
