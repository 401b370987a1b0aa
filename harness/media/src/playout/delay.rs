//! How much later than the fastest a packet may come: a forgetting histogram of relative delays.

use kernel::{Micros, SimTime};
use std::collections::VecDeque;

const ONE: u32 = 1 << 30;
const BUCKETS: usize = 100;
/// The fastest is looked for in this much of the past.
const WINDOW: Micros = Micros::from_secs(2);
/// At most this many candidates for the fastest are kept.
const MAX_CANDIDATES: usize = 512;

/// Estimates from arrival times and media times how long a buffer must wait.
///
/// The delay of a packet is taken relative to the fastest of the last two seconds, since the clocks of sender and
/// receiver are not known to each other. A quantile of the relative delays is the answer, as in NetEq's delay manager.
#[derive(Clone, Debug)]
pub struct DelayEstimator {
    bucket: Micros,
    quantile: u32,
    forget: u32,
    /// Weights that add up to 2^30.
    histogram: Vec<u32>,
    observed: u32,
    /// Arrival minus media time of candidates for the fastest: each later one is slower. With its time of arrival.
    fastest: VecDeque<(SimTime, i64)>,
}

impl DelayEstimator {
    /// An estimator with buckets of a width, which keeps `quantile_permille` thousandths of the packets from being
    /// late, and whose memory of each packet fades to `forget_permille` thousandths with the next.
    pub fn new(bucket: Micros, quantile_permille: u32, forget_permille: u32) -> DelayEstimator {
        DelayEstimator {
            bucket,
            quantile: permille(quantile_permille),
            forget: permille(forget_permille),
            histogram: vec![0; BUCKETS],
            observed: 0,
            fastest: VecDeque::new(),
        }
    }

    /// A packet that was captured at `media_time` (microseconds of the sender's clock, any origin) arrived.
    pub fn observe(&mut self, media_time: Micros, arrived: SimTime) {
        let offset = arrived.0 as i64 - media_time.0 as i64;
        while self.fastest.back().is_some_and(|(_, slower)| *slower >= offset) {
            self.fastest.pop_back();
        }
        let outdated = |at: &SimTime| arrived.since(*at) > WINDOW;
        while self.fastest.front().is_some_and(|(at, _)| outdated(at)) || self.fastest.len() >= MAX_CANDIDATES {
            self.fastest.pop_front();
        }
        self.fastest.push_back((arrived, offset));
        let relative = offset - self.fastest.front().map_or(offset, |(_, fastest)| *fastest);
        self.add((relative as u64 / self.bucket.0.max(1)) as usize);
    }

    /// How long after the fastest packet the next would have arrived, to be played in time: a whole number of buckets.
    /// `None` before the first packet.
    pub fn target(&self) -> Option<Micros> {
        if self.observed == 0 {
            return None;
        }
        let mut seen = 0;
        let bucket = self.histogram.iter().position(|weight| {
            seen += weight;
            seen >= self.quantile
        });
        Some(Micros((bucket.unwrap_or(BUCKETS - 1) as u64 + 1) * self.bucket.0))
    }

    /// When the fastest packet captured at `media_time` would arrive.
    pub fn fastest_arrival(&self, media_time: Micros) -> Option<SimTime> {
        let (_, offset) = self.fastest.front()?;
        Some(SimTime((media_time.0 as i64 + offset).max(0) as u64))
    }

    fn add(&mut self, bucket: usize) {
        // The first packets weigh as much as a plain mean would give them, so that the estimate settles at once.
        self.observed = self.observed.saturating_add(1);
        let keep = self.forget.min(ONE - ONE / self.observed);
        let scaled = |weight: u32| ((u64::from(weight) * u64::from(keep)) >> 30) as u32;
        self.histogram.iter_mut().for_each(|weight| *weight = scaled(*weight));
        // Whatever rounding lost goes to the new packet too: the weights add up to one, always.
        let rest = ONE - self.histogram.iter().sum::<u32>();
        self.histogram[bucket.min(BUCKETS - 1)] += rest;
    }
}

fn permille(value: u32) -> u32 {
    (u64::from(value.min(1_000)) * u64::from(ONE) / 1_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn estimator() -> DelayEstimator {
        DelayEstimator::new(Micros::from_millis(20), 970, 983)
    }

    #[test]
    fn a_steady_network_asks_for_one_bucket() {
        let mut estimator = estimator();
        assert_eq!(estimator.target(), None);
        for n in 0..100 {
            estimator.observe(Micros(n * 20_000), SimTime(1_000_000 + n * 20_000));
        }
        assert_eq!(estimator.target(), Some(Micros::from_millis(20)));
        assert_eq!(estimator.fastest_arrival(Micros(20_000)), Some(SimTime(1_020_000)));
    }

    #[test]
    fn jitter_raises_the_target_above_itself_and_calm_lowers_it_again() {
        let mut estimator = estimator();
        for n in 0..200 {
            let late = if n % 5 == 0 { 70_000 } else { 0 };
            estimator.observe(Micros(n * 20_000), SimTime(1_000_000 + n * 20_000 + late));
        }
        assert_eq!(estimator.target(), Some(Micros::from_millis(80)));
        for n in 200..500 {
            estimator.observe(Micros(n * 20_000), SimTime(1_000_000 + n * 20_000));
        }
        assert_eq!(estimator.target(), Some(Micros::from_millis(20)));
    }

    #[test]
    fn a_longer_path_becomes_the_new_normal_after_two_seconds() {
        let mut estimator = estimator();
        for n in 0..600 {
            let path = if n < 100 { 10_000 } else { 90_000 };
            estimator.observe(Micros(n * 20_000), SimTime(n * 20_000 + path));
        }
        assert_eq!(estimator.target(), Some(Micros::from_millis(20)));
        assert_eq!(estimator.fastest_arrival(Micros(0)), Some(SimTime(90_000)));
    }

    proptest! {
        #[test]
        fn the_weights_always_add_up_to_one(delays in prop::collection::vec(0_u64..10_000_000, 1..200)) {
            let mut estimator = estimator();
            for (n, delay) in delays.iter().enumerate() {
                estimator.observe(Micros(n as u64 * 20_000), SimTime(n as u64 * 20_000 + delay));
                prop_assert_eq!(estimator.histogram.iter().sum::<u32>(), ONE);
                let target = estimator.target().unwrap();
                prop_assert!(target >= Micros::from_millis(20) && target <= Micros::from_secs(2));
            }
        }
    }
}
