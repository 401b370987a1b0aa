//! How fast a link's wire works: at a rate, or as a trace says.
//!
//! Work is counted in millionths of bits, so that a rate in bits per second does a whole amount of it in a microsecond
//! and nothing is ever rounded: what the last microsecond of a packet had left over is credit for the next one.

use kernel::{
    BitRate, Micros, SimTime,
    plan::{LinkPlan, OPPORTUNITY_BYTES, RateTrace, TraceShape},
};
use std::sync::Arc;

/// The highest rate for which the arithmetic is exact.
pub(crate) const MAX_RATE: BitRate = BitRate(1_000_000_000_000);

/// The work of clocking out so many bytes.
pub(crate) fn work_of(bytes: u64) -> u64 {
    bytes * 8_000_000
}

/// A trace and the instant of its time zero.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) trace: Arc<RateTrace>,
    pub(crate) origin: SimTime,
}

/// What sets the time that a packet takes.
#[derive(Clone, Debug)]
pub(crate) enum Pace {
    /// No time at all.
    Unlimited,
    /// A rate from 1 bit/s to [`MAX_RATE`].
    Constant(BitRate),
    /// A recording.
    Traced(Recording),
}

/// When an amount of work is done, and the work that could have been done besides within that instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) at: SimTime,
    pub(crate) credit: u64,
}

impl Pace {
    pub(crate) fn of(plan: &LinkPlan, recording: Option<&Recording>) -> Pace {
        match (recording, plan.rate) {
            (Some(recording), _) => Pace::Traced(recording.clone()),
            (None, Some(rate)) => Pace::Constant(rate),
            (None, None) => Pace::Unlimited,
        }
    }

    pub(crate) fn is_unlimited(&self) -> bool {
        matches!(self, Pace::Unlimited)
    }

    /// The first instant at which work that began at `since` is done. Rounding up never sends faster than the pace.
    pub(crate) fn done(&self, since: SimTime, work: u64) -> Done {
        match self {
            Pace::Unlimited => Done { at: since, credit: 0 },
            Pace::Constant(rate) => {
                let span = work.div_ceil(rate.0);
                Done { at: since + Micros(span), credit: span * rate.0 - work }
            }
            Pace::Traced(recording) => recording.done(since, work),
        }
    }

    /// The work that is done after `since` up to and including `now`.
    pub(crate) fn served(&self, since: SimTime, now: SimTime) -> u64 {
        match self {
            Pace::Unlimited => u64::MAX,
            Pace::Constant(rate) => saturating(u128::from(rate.0) * u128::from(now.since(since).0)),
            Pace::Traced(recording) => recording.served(since, now),
        }
    }
}

impl Recording {
    fn period(&self) -> u64 {
        self.trace.period.0
    }

    /// How far into its period the recording is: above zero and at most the period for opportunities, which belong to
    /// the end of their microsecond; from zero up to below the period for steps.
    fn phase(&self, at: SimTime) -> u64 {
        (i128::from(at.0) - i128::from(self.origin.0)).rem_euclid(i128::from(self.period())) as u64
    }

    fn done(&self, since: SimTime, work: u64) -> Done {
        let all = self.work_of_a_period();
        let phase = self.phase(since);
        // Whole periods first, so that the walk below passes at most two.
        let rounds = (work.saturating_sub(1)) / all;
        let begin = since + Micros(rounds * self.period());
        let left = work - rounds * all;
        if left == 0 {
            return Done { at: since, credit: 0 };
        }
        match &self.trace.shape {
            TraceShape::Opportunities { at } => {
                let mut left = left;
                let first = at.partition_point(|(at, _)| at.0 <= phase);
                for step in 0..=2 * at.len() {
                    let index = first + step;
                    let (instant, count) = at[index % at.len()];
                    let amount = u64::from(count) * OPPORTUNITY;
                    if amount >= left {
                        let turns = (index / at.len()) as u64;
                        let span = turns * self.period() + instant.0 - phase;
                        return Done { at: begin + Micros(span), credit: amount - left };
                    }
                    left -= amount;
                }
                unreachable!("two periods do the work of one")
            }
            TraceShape::Steps { from } => {
                let mut left = left;
                let mut index = from.partition_point(|(at, _)| at.0 <= phase) - 1;
                let (mut span, mut position) = (0, phase);
                for _ in 0..=2 * from.len() + 1 {
                    let end = from.get(index + 1).map_or(self.period(), |(at, _)| at.0);
                    let rate = from[index].1.0;
                    let needed = if rate == 0 { u64::MAX } else { left.div_ceil(rate) };
                    if needed <= end - position {
                        return Done { at: begin + Micros(span + needed), credit: needed * rate - left };
                    }
                    left -= rate * (end - position);
                    span += end - position;
                    index = (index + 1) % from.len();
                    position = from[index].0.0;
                }
                unreachable!("two periods do the work of one")
            }
        }
    }

    fn served(&self, since: SimTime, now: SimTime) -> u64 {
        let span = now.since(since).0;
        let rounds = span / self.period();
        let begin = self.phase(since);
        let end = begin + span % self.period();
        let within = if end <= self.period() {
            self.work_until(end) - self.work_until(begin)
        } else {
            self.work_of_a_period() - self.work_until(begin) + self.work_until(end - self.period())
        };
        saturating(u128::from(rounds) * u128::from(self.work_of_a_period()) + u128::from(within))
    }

    fn work_of_a_period(&self) -> u64 {
        self.work_until(self.period())
    }

    /// The work of the first `phase` microseconds of a period.
    fn work_until(&self, phase: u64) -> u64 {
        match &self.trace.shape {
            TraceShape::Opportunities { at } => {
                let passed = at.iter().take_while(|(at, _)| at.0 <= phase);
                passed.map(|(_, count)| u64::from(*count)).sum::<u64>() * OPPORTUNITY
            }
            TraceShape::Steps { from } => {
                let ends = from.iter().skip(1).map(|(at, _)| at.0).chain([self.period()]);
                let parts = from.iter().zip(ends);
                parts.map(|((begin, rate), end)| end.min(phase).saturating_sub(begin.0) * rate.0).sum()
            }
        }
    }
}

const OPPORTUNITY: u64 = OPPORTUNITY_BYTES * 8_000_000;

fn saturating(work: u128) -> u64 {
    u64::try_from(work).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(text: &str, origin: u64) -> Pace {
        let trace = Arc::new(RateTrace::parse("t", text).unwrap());
        Pace::Traced(Recording { trace, origin: SimTime(origin) })
    }

    fn done_at(pace: &Pace, since: u64, bytes: u64) -> (u64, u64) {
        let done = pace.done(SimTime(since), work_of(bytes));
        (done.at.0, done.credit / 8_000_000)
    }

    #[test]
    fn a_rate_leaves_the_rest_of_its_last_microsecond_as_credit() {
        let pace = Pace::Constant(BitRate(3_000_000));
        // 1000 bytes at 3 Mbit/s are 2666 2/3 us.
        assert_eq!(pace.done(SimTime(5), work_of(1_000)), Done { at: SimTime(2_672), credit: 1_000_000 });
        assert_eq!(pace.done(SimTime(5), work_of(1_000) - 2_000_000), Done { at: SimTime(2_671), credit: 0 });
        assert_eq!(Pace::Unlimited.done(SimTime(5), work_of(1_000)), Done { at: SimTime(5), credit: 0 });
    }

    #[test]
    fn opportunities_carry_1500_bytes_each_and_repeat() {
        let pace = traced("2\n3\n3\n10\n", 0);
        assert_eq!(done_at(&pace, 0, 100), (2_000, 1_400));
        assert_eq!(done_at(&pace, 2_000, 100), (3_000, 2_900), "who comes at the very instant has missed it");
        assert_eq!(done_at(&pace, 2_000, 3_001), (10_000, 1_499));
        assert_eq!(done_at(&pace, 3_500, 1_501), (12_000, 1_499));
        assert_eq!(done_at(&pace, 0, 6_000), (10_000, 0));
        assert_eq!(done_at(&pace, 0, 6_001), (12_000, 1_499));
        assert_eq!(done_at(&pace, 9_999, 60_000), (103_000, 0));
    }

    #[test]
    fn steps_are_walked_and_an_outage_waits() {
        // 8 Mbit/s for 1 ms (1000 bytes), nothing for 4 ms, 4 Mbit/s for 5 ms (2500 bytes).
        let pace = traced("0,8000000\n1,0\n5,4000000\n10,0\n", 3);
        assert_eq!(done_at(&pace, 3, 1_000), (1_003, 0));
        assert_eq!(done_at(&pace, 3, 1_001), (5_005, 0));
        assert_eq!(done_at(&pace, 503, 1_000), (6_003, 0));
        assert_eq!(done_at(&pace, 5_003, 3_000), (10_503, 0));
        assert_eq!(done_at(&pace, 3, 7_000), (20_003, 0));
        assert_eq!(done_at(&pace, 3, 7_001), (20_004, 0));
        assert_eq!(done_at(&pace, 0, 1).0, 2, "before its origin the period runs too");
    }

    #[test]
    fn what_is_served_until_the_end_is_the_work_and_its_credit() {
        let paces = [
            Pace::Constant(BitRate(3_333_333)),
            traced("2\n3\n3\n10\n", 777),
            traced("0,8000000\n1,0\n5,4000001\n10,0\n", 123_456),
        ];
        for pace in &paces {
            for since in (0..40_000).step_by(377) {
                for bytes in [0, 1, 40, 999, 1_500, 4_000, 70_001] {
                    let done = pace.done(SimTime(since), work_of(bytes));
                    assert_eq!(pace.served(SimTime(since), done.at), work_of(bytes) + done.credit, "{pace:?} {since}");
                    if done.at.0 > since {
                        let before = pace.served(SimTime(since), SimTime(done.at.0 - 1));
                        assert!(before < work_of(bytes), "{pace:?} from {since} has {bytes} bytes earlier");
                    }
                }
            }
        }
    }
}
