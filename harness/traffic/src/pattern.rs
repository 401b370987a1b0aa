//! The rate of a UDP flow over time.

use kernel::{BitRate, Micros, SimTime, random::Stream};

/// A rate over time.
pub(crate) enum Pattern {
    Constant(BitRate),
    Walk {
        least: BitRate,
        most: BitRate,
        step: BitRate,
        every: Micros,
        now: BitRate,
        next: Option<SimTime>,
        stream: Box<Stream>,
    },
    Pulses {
        rate: BitRate,
        on: Micros,
        off: Micros,
        began: Option<SimTime>,
    },
}

impl Pattern {
    pub(crate) fn constant(rate: BitRate) -> Pattern {
        Pattern::Constant(rate)
    }

    /// Starts in the middle of its bounds.
    pub(crate) fn walk(least: BitRate, most: BitRate, step: BitRate, every: Micros, stream: Stream) -> Pattern {
        let now = BitRate(least.0.midpoint(most.0));
        Pattern::Walk { least, most, step, every, now, next: None, stream: Box::new(stream) }
    }

    /// Starts on.
    pub(crate) fn pulses(rate: BitRate, on: Micros, off: Micros) -> Pattern {
        Pattern::Pulses { rate, on, off, began: None }
    }

    /// The rate at an instant, not before any earlier one; `Err` while it is silent, until then.
    pub(crate) fn at(&mut self, at: SimTime) -> Result<BitRate, SimTime> {
        match self {
            Pattern::Constant(rate) => Ok(*rate),
            Pattern::Walk { least, most, step, every, now, next, stream } => {
                let mut due = next.unwrap_or(at + *every);
                while due <= at {
                    let to = (now.0 + stream.below(2 * step.0 + 1)).saturating_sub(step.0);
                    *now = BitRate(to.clamp(least.0, most.0));
                    due += *every;
                }
                *next = Some(due);
                Ok(*now)
            }
            Pattern::Pulses { rate, on, off, began } => {
                let began = *began.get_or_insert(at);
                let period = on.0 + off.0;
                let within = at.since(began).0 % period;
                if within < on.0 { Ok(*rate) } else { Err(at + Micros(period - within)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    #[test]
    fn pulses_are_on_and_off_in_turn() {
        let mut pulses = Pattern::pulses(BitRate(1_000), Micros(300), Micros(700));
        let begin = SimTime(50);
        assert_eq!(pulses.at(begin), Ok(BitRate(1_000)));
        assert_eq!(pulses.at(begin + Micros(299)), Ok(BitRate(1_000)));
        assert_eq!(pulses.at(begin + Micros(300)), Err(begin + Micros(1_000)));
        assert_eq!(pulses.at(begin + Micros(1_999)), Err(begin + Micros(2_000)));
        assert_eq!(pulses.at(begin + Micros(2_000)), Ok(BitRate(1_000)));
    }

    #[test]
    fn a_walk_stays_within_its_bounds_and_visits_both_halves() {
        let (least, most, step) = (BitRate(100_000), BitRate(900_000), BitRate(200_000));
        let mut walk = Pattern::walk(least, most, step, Micros(100), SeedTree::root(1).stream("walk"));
        assert_eq!(walk.at(SimTime(0)), Ok(BitRate(500_000)));
        assert_eq!(walk.at(SimTime(99)), Ok(BitRate(500_000)));
        let mut last = BitRate(500_000);
        let (mut low, mut high) = (0, 0);
        for at in 1..2_000 {
            let rate = walk.at(SimTime(at * 100)).unwrap();
            assert!((least..=most).contains(&rate) && rate.0.abs_diff(last.0) <= step.0);
            *(if rate.0 < 500_000 { &mut low } else { &mut high }) += 1;
            last = rate;
        }
        assert!(low > 500 && high > 500, "{low} and {high}");
    }
}
