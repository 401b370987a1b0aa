//! How fast a rising estimate is followed.
//!
//! GCC raises its estimate by 8 % a second at most, and near the capacity by about half a packet per response time
//! (draft-ietf-rmcat-gcc-02 section 5.5). str0m adds 1 kbit/s or more each time that it is driven, and every packet and
//! timer drives it: some 600 times a second in a call. Whoever follows that at once is past the capacity within a second,
//! loses what the queue does not hold, falls far below, and begins again.

use kernel::{BitRate, Micros, SimTime};

/// Rise within a second up to where the path was found full before, in percent of the rate.
const RISE_PERCENT: u64 = 8;
/// The same in bits per second at most: one step for all, so that those who have less gain on those who have more.
const MOST_RISE: u64 = 40_000;
/// Rise within a second beyond that, where the path has changed or was never found full, in percent.
const SEARCH_PERCENT: u64 = 16;
/// Rise within a second at least, in bits per second.
const LEAST_RISE: u64 = 20_000;
/// Above this share of the rate at which the path was last found full it is taken for another path.
const BEYOND_PERCENT: u64 = 125;
/// An estimate that falls below this share within a sample has found the path full.
const FALL_PERCENT: u64 = 95;
/// Where GCC finds the path full it keeps this share of what arrives.
const KEPT_PERCENT: u64 = 85;
/// An estimate that rises by more within a sample was measured by a probe: being driven does not add so much.
const JUMP_PERCENT: u64 = 20;
/// The same in bits per second at least.
const LEAST_JUMP: u64 = 60_000;

/// What of an estimate may be used: falls and probes count at once, everything else by and by.
#[derive(Debug, Default)]
pub(super) struct Ramp {
    /// The last sample in bits per second, and when it was taken.
    estimate: u64,
    at: SimTime,
    /// In bits per second; zero before the first sample.
    allowed: u64,
    /// The rate in bits per second at which the path was last found full.
    full_at: Option<u64>,
}

impl Ramp {
    /// Takes a sample of the estimate and gives what of it may be used.
    pub(super) fn follow(&mut self, estimate: BitRate, now: SimTime) -> BitRate {
        let before = std::mem::replace(&mut self.estimate, estimate.0);
        let passed = now.since(std::mem::replace(&mut self.at, now)).min(Micros::from_secs(1));
        if estimate.0 < before / 100 * FALL_PERCENT {
            self.full_at = Some((estimate.0 / KEPT_PERCENT).saturating_mul(100));
        }
        let jump = (before / 100 * JUMP_PERCENT).max(LEAST_JUMP);
        let is_probed = estimate.0 > before.saturating_add(jump);
        if self.allowed == 0 || is_probed || estimate.0 < self.allowed {
            self.allowed = estimate.0;
        } else {
            let rise = u128::from(self.rise()) * u128::from(passed.0) / 1_000_000;
            self.allowed = self.allowed.saturating_add(rise as u64).min(estimate.0);
        }
        BitRate(self.allowed)
    }

    /// Bits per second within a second.
    fn rise(&self) -> u64 {
        let is_beyond = self.full_at.is_none_or(|full_at| self.allowed / BEYOND_PERCENT > full_at / 100);
        let percent = self.allowed / 100;
        let rise = if is_beyond { percent * SEARCH_PERCENT } else { (percent * RISE_PERCENT).min(MOST_RISE) };
        rise.max(LEAST_RISE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: u64 = 50_000;

    /// What is allowed at the end of samples each 50 ms.
    fn follow(ramp: &mut Ramp, estimates: impl IntoIterator<Item = u64>) -> u64 {
        estimates.into_iter().fold(0, |_, kbps| {
            let now = SimTime(ramp.at.0 + SAMPLE);
            ramp.follow(BitRate::from_kbps(kbps), now).0 / 1_000
        })
    }

    /// As str0m rises: 30 kbit/s a sample, for so many seconds.
    fn climb(from: u64, seconds: u64) -> impl Iterator<Item = u64> {
        (0..seconds * 20).map(move |sample| from + 30 * sample)
    }

    #[test]
    fn falls_and_what_a_probe_measured_count_at_once() {
        let mut ramp = Ramp::default();
        assert_eq!(follow(&mut ramp, [500]), 500);
        assert_eq!(follow(&mut ramp, [1_000]), 1_000);
        assert_eq!(follow(&mut ramp, [300]), 300);
    }

    #[test]
    fn where_the_path_was_never_full_the_rise_is_a_sixth_a_second() {
        let mut ramp = Ramp::default();
        let allowed = follow(&mut ramp, climb(500, 2));
        assert!((660..=690).contains(&allowed), "{allowed}");
    }

    #[test]
    fn up_to_where_the_path_was_full_the_rise_is_one_step_for_all() {
        for before in [800, 2_000] {
            let mut ramp = Ramp::default();
            follow(&mut ramp, [before]);
            let fallen = before * 85 / 100;
            follow(&mut ramp, [fallen]);
            let allowed = follow(&mut ramp, climb(fallen, 3));
            assert!((fallen + 110..=fallen + 120).contains(&allowed), "{allowed} from {fallen}");
        }
    }

    #[test]
    fn a_collapse_is_climbed_out_of_ever_faster() {
        let mut ramp = Ramp::default();
        follow(&mut ramp, [800, 150]);
        let first = follow(&mut ramp, climb(150, 3));
        let second = follow(&mut ramp, climb(1_950, 3));
        assert!((205..=215).contains(&first), "{first}");
        assert!(second > first + 75, "{first}, then {second}");
    }

    proptest! {
        #[test]
        fn never_more_than_the_estimate_is_allowed(estimates in prop::collection::vec(any::<u64>(), 1..50)) {
            let mut ramp = Ramp::default();
            for (n, estimate) in estimates.into_iter().enumerate() {
                prop_assert!(ramp.follow(BitRate(estimate), SimTime(n as u64 * SAMPLE)).0 <= estimate);
            }
        }
    }
}
