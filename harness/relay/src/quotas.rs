//! What one user may take of a relay, so that a credential is no free proxy and no way to exhaust it (OWASP ASVS 5.0,
//! V17.1.1 and V17.1.2).

use kernel::time::{BitRate, Micros, SimTime};

/// Limits of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Allocations at once, of all users together; one beyond is refused with 508 (Insufficient Capacity).
    pub allocations: usize,
    /// Allocations of one user name at once: a device that changes networks leaves one behind each time. One beyond is
    /// refused with 486 (Allocation Quota Reached).
    pub allocations_per_user: usize,
    /// Peer addresses with a permission in one allocation; one beyond is refused with 508.
    pub permissions: usize,
    /// Channels of one allocation; one beyond is refused with 508.
    pub channels: usize,
    /// What passes through one allocation, both ways together; what is beyond is dropped.
    pub bandwidth: BitRate,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            allocations: 1_024,
            allocations_per_user: 8,
            permissions: 64,
            channels: 64,
            bandwidth: BitRate(16_000_000),
        }
    }
}

/// How long an allocation may go at any speed before the limit holds.
const BURST: Micros = Micros::from_millis(500);

/// A token bucket: what has passed, as the time at which it would be paid for at the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meter {
    paid_at: SimTime,
}

impl Meter {
    /// Lets `bytes` pass now, or says that they are too many.
    pub(crate) fn pass(&mut self, bytes: usize, limit: BitRate, now: SimTime) -> bool {
        let cost = Micros((bytes as u64 * 8 * 1_000_000).div_ceil(limit.0.max(1)));
        let paid_at = self.paid_at.max(now) + cost;
        let fits = paid_at <= now + BURST;
        if fits {
            self.paid_at = paid_at;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_limit_holds_in_every_second() {
        let (mut meter, limit) = (Meter::default(), BitRate(8_000_000));
        let mut passed_in = [0_u64; 4];
        for step in 0..40_000_u64 {
            let now = SimTime(step * 100);
            // 1,000 bytes every 100 us: ten times the limit of one byte a microsecond.
            passed_in[(now.0 / 1_000_000) as usize] += if meter.pass(1_000, limit, now) { 1_000 } else { 0 };
        }
        assert!((1_490_000..=1_500_000).contains(&passed_in[0]), "{passed_in:?}");
        assert!(passed_in[1..].iter().all(|bytes| (990_000..=1_001_000).contains(bytes)), "{passed_in:?}");
    }
}
