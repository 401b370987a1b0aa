//! The token bucket that decides what a link lets in at all.

use crate::pace::work_of;
use kernel::{SimTime, plan::Policer};

/// The bucket of a policer. Tokens are millionths of bits.
pub(crate) struct Bucket {
    tokens: u64,
    at: SimTime,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(policer: &Policer, now: SimTime) -> Bucket {
        Bucket { tokens: capacity(policer), at: now }
    }

    /// Whether a packet finds the tokens that it needs; then they are gone.
    pub(crate) fn admits(&mut self, policer: &Policer, bytes: u64, now: SimTime) -> bool {
        let Policer::TokenBucket { rate, .. } = policer else { return true };
        let filled = u128::from(rate.0) * u128::from(now.since(self.at).0) + u128::from(self.tokens);
        self.tokens = u64::try_from(filled).unwrap_or(u64::MAX).min(capacity(policer));
        self.at = now;
        match self.tokens.checked_sub(work_of(bytes)) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}

fn capacity(policer: &Policer) -> u64 {
    match policer {
        Policer::None => 0,
        Policer::TokenBucket { burst, .. } => work_of(*burst),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::BitRate;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let policer = Policer::TokenBucket { rate: BitRate(8_000_000), burst: 3_000 };
        let mut bucket = Bucket::new(&policer, SimTime(0));
        let mut admits = |at| bucket.admits(&policer, 1_000, SimTime(at));
        assert_eq!([0, 0, 0, 0].map(&mut admits), [true, true, true, false]);
        assert_eq!([999, 1_000, 1_001, 2_000].map(&mut admits), [false, true, false, true]);
        // Idle time fills the bucket, and no more than it holds.
        assert_eq!([100_000; 4].map(&mut admits), [true, true, true, false]);
    }

    #[test]
    fn no_policer_admits_everything() {
        let mut bucket = Bucket::new(&Policer::None, SimTime(0));
        assert!(bucket.admits(&Policer::None, 65_535, SimTime(0)));
    }
}
