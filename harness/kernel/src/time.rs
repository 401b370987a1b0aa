//! Simulated time in whole microseconds, and bit rates.

use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    fmt,
    ops::{Add, AddAssign, Sub},
    time::{Duration, Instant},
};

/// An instant of simulated time: microseconds since the simulation began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SimTime(pub u64);

/// A span of simulated time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

/// A rate in bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BitRate(pub u64);

impl SimTime {
    /// The beginning of the simulation.
    pub const ZERO: SimTime = SimTime(0);
    /// Later than any instant that a run reaches.
    pub const NEVER: SimTime = SimTime(u64::MAX);

    /// The span since `earlier`, or zero when `earlier` is later.
    pub fn since(self, earlier: SimTime) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }

    /// The same instant as a `std::time::Instant`, for libraries that want one.
    ///
    /// Under the seam the process-wide base is fixed, so that the mapping is a constant of the run.
    pub fn to_instant(self) -> Instant {
        base_instant() + Duration::from_micros(self.0)
    }

    /// The instant as a `SimTime`; earlier than the base counts as zero. Nanoseconds round up, so that a timer
    /// that is set from the result never fires before the library expects it.
    pub fn from_instant(at: Instant) -> SimTime {
        let since = at.saturating_duration_since(base_instant());
        let micros = since.as_secs().checked_mul(1_000_000);
        SimTime(micros.map_or(u64::MAX, |micros| micros.saturating_add(since.subsec_nanos().div_ceil(1_000).into())))
    }

    /// Milliseconds since the beginning, rounded down.
    pub fn as_millis(self) -> u64 {
        self.0 / 1_000
    }
}

impl Micros {
    /// No time at all.
    pub const ZERO: Micros = Micros(0);

    /// A span of whole milliseconds.
    pub const fn from_millis(ms: u64) -> Micros {
        Micros(ms * 1_000)
    }

    /// A span of whole seconds.
    pub const fn from_secs(secs: u64) -> Micros {
        Micros(secs * 1_000_000)
    }

    /// The span as a `std` duration.
    pub const fn to_duration(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

impl BitRate {
    /// A rate in thousands of bits per second.
    pub const fn from_kbps(kbps: u64) -> BitRate {
        BitRate(kbps * 1_000)
    }

    /// A rate in millions of bits per second.
    pub const fn from_mbps(mbps: u64) -> BitRate {
        BitRate(mbps * 1_000_000)
    }
}

impl Add<Micros> for SimTime {
    type Output = SimTime;
    fn add(self, span: Micros) -> SimTime {
        SimTime(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Micros> for SimTime {
    fn add_assign(&mut self, span: Micros) {
        *self = *self + span;
    }
}

impl Sub for SimTime {
    type Output = Micros;
    /// # Panics
    /// When the right side is later in a build with debug assertions: durations are never negative.
    fn sub(self, earlier: SimTime) -> Micros {
        debug_assert!(self >= earlier, "{self} is before {earlier}");
        self.since(earlier)
    }
}

impl Add for Micros {
    type Output = Micros;
    fn add(self, other: Micros) -> Micros {
        Micros(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Micros {
    fn add_assign(&mut self, other: Micros) {
        *self = *self + other;
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / 1_000, self.0 % 1_000)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s", self.0 / 1_000)
    }
}

thread_local! {
    static NOW: Cell<SimTime> = const { Cell::new(SimTime::ZERO) };
    static BASE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The simulated time of this thread, as its driver last set it.
pub fn now() -> SimTime {
    NOW.get()
}

/// The earliest of some times; none when there is none. Drivers and actors ask after every packet.
pub fn earliest<const N: usize>(times: [Option<SimTime>; N]) -> Option<SimTime> {
    let first = times.iter().fold(SimTime::NEVER, |first, at| first.min(at.unwrap_or(SimTime::NEVER)));
    (first < SimTime::NEVER || times.contains(&Some(SimTime::NEVER))).then_some(first)
}

/// Moves this thread's simulated time. Only the driver of a simulation calls it.
///
/// # Panics
/// When time would run backwards: that is a bug of the driver.
pub fn set_now(at: SimTime) {
    assert!(at >= NOW.get(), "simulated time runs backwards: {} after {at}", NOW.get());
    NOW.set(at);
}

/// Starts this thread's simulated time again at zero.
pub(crate) fn reset() {
    NOW.set(SimTime::ZERO);
    BASE.set(None);
}

#[expect(clippy::disallowed_methods, reason = "the one base from which simulated instants are counted")]
fn base_instant() -> Instant {
    BASE.get().unwrap_or_else(|| {
        // Under the seam `Instant::now` is base + NOW: take NOW off again, so that the base does not depend on when it is first asked.
        let base = if crate::seam::is_entered() {
            Instant::now() - Duration::from_micros(NOW.get().0)
        } else {
            Instant::now()
        };
        BASE.set(Some(base));
        base
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_what_a_search_among_all_finds() {
        let some = [None, Some(SimTime(0)), Some(SimTime(7)), Some(SimTime::NEVER)];
        for one in some {
            for other in some {
                assert_eq!(earliest([one, None, other]), [one, other].into_iter().flatten().min());
            }
        }
    }

    #[test]
    fn an_instant_between_two_microseconds_counts_as_the_later() {
        let base = base_instant();
        let at = |nanos| SimTime::from_instant(base + Duration::from_nanos(nanos));
        assert_eq!([at(0), at(1), at(1_000), at(1_001), at(2_999_999_001)].map(|at| at.0), [0, 1, 1, 2, 3_000_000]);
        assert_eq!(SimTime::from_instant(SimTime(86_400_000_123).to_instant()), SimTime(86_400_000_123));
    }
}
