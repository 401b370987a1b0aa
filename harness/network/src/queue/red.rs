//! RED (Floyd and Jacobson, 1993): drops or marks with a probability that grows with the average queue.

use super::{Discipline, Limit, Parcel, Rejects, fifo::Fifo, mark};
use kernel::{SimTime, event::DropReason, random::Stream};

/// The probability over the average.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) probability_ppm: u32,
    pub(super) weight_shift: u32,
    pub(super) ecn: bool,
}

/// A queue under RED.
pub(super) struct Red {
    queue: Fifo,
    curve: Curve,
    stream: Stream,
    /// The average in 65536ths of a byte.
    average: u64,
    /// Packets since the last that was struck.
    count: u64,
    /// Since when the queue is empty.
    idle_since: Option<SimTime>,
    last_popped: SimTime,
    /// Whether packets waited when the last one left: only then the time to the next one is its service.
    was_busy: bool,
    /// How long a packet takes to be sent, as last seen.
    service: u64,
}

/// The most packets by which an idle spell ages the average: after so many it is nothing.
const MOST_IDLE_PACKETS: u64 = 1 << 16;

impl Red {
    pub(super) fn new(curve: Curve, stream: Stream) -> Red {
        Red {
            queue: Fifo::default(),
            curve,
            stream,
            average: 0,
            count: 0,
            idle_since: Some(SimTime::ZERO),
            last_popped: SimTime::ZERO,
            was_busy: false,
            service: 0,
        }
    }

    fn update_average(&mut self, now: SimTime) {
        let shift = self.curve.weight_shift;
        if let Some(since) = self.idle_since.take() {
            // As if so many small packets had found the queue empty (section 4, "(time - q_time) / s").
            let missed = now.since(since).0.checked_div(self.service).unwrap_or(MOST_IDLE_PACKETS);
            for _ in 0..missed.min(MOST_IDLE_PACKETS) {
                if self.average < 1 << shift {
                    self.average = 0;
                    break;
                }
                self.average -= self.average >> shift;
            }
        }
        let current = self.queue.bytes() << 16;
        self.average = self.average - (self.average >> shift) + (current >> shift);
    }

    /// The probability for the average alone, in millionths; a million and more is certain.
    fn probability_ppm(&self) -> u64 {
        let Curve { min, max, probability_ppm, .. } = self.curve;
        let average = self.average >> 16;
        let most = u64::from(probability_ppm);
        if average < min {
            0
        } else if average < max {
            most * (average - min) / (max - min)
        } else if average < 2 * max {
            most + (1_000_000 - most) * (average - max) / max
        } else {
            1_000_000
        }
    }

    /// Whether the packet that comes now is struck: evenly spaced by the count since the last one (section 4).
    fn strikes(&mut self, draw: u64) -> bool {
        let probability = self.probability_ppm();
        if probability == 0 {
            self.count = 0;
            return false;
        }
        self.count += 1;
        let spaced = 1_000_000_u64.saturating_sub(self.count.saturating_mul(probability));
        let strikes = spaced == 0 || draw < probability.saturating_mul(1_000_000) / spaced;
        if strikes {
            self.count = 0;
        }
        strikes
    }
}

impl Discipline for Red {
    fn push(&mut self, mut parcel: Parcel, limit: &Limit, now: SimTime, rejects: &mut Rejects) {
        let draw = self.stream.below(1_000_000);
        self.update_average(now);
        if self.strikes(draw) {
            let may_mark = self.curve.ecn && self.average >> 16 < self.curve.max;
            if !(may_mark && mark(&mut parcel)) {
                rejects.dropped.push((parcel, DropReason::Aqm));
                return;
            }
            rejects.marked += 1;
        }
        self.queue.push(parcel, limit, now, rejects);
    }

    fn pop(&mut self, now: SimTime, _: &mut Rejects) -> Option<Parcel> {
        let parcel = self.queue.take();
        if self.was_busy && parcel.is_some() {
            self.service = now.since(self.last_popped).0.max(1);
        }
        self.last_popped = now;
        self.was_busy = self.queue.len() > 0;
        if !self.was_busy {
            self.idle_since.get_or_insert(now);
        }
        parcel
    }

    fn bytes(&self) -> u64 {
        self.queue.bytes()
    }

    fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{NO_LIMIT, parcel},
        *,
    };
    use kernel::{packet::Ecn, random::SeedTree};

    const CURVE: Curve = Curve { min: 10_000, max: 30_000, probability_ppm: 100_000, weight_shift: 2, ecn: true };

    /// Holds the queue at `level` bytes and pushes: millionths dropped, millionths marked.
    fn struck_ppm(curve: Curve, level: u64, ecn: Ecn) -> (u64, u64) {
        let mut red = Red::new(curve, SeedTree::root(5).stream("red"));
        let mut rejects = Rejects::default();
        let (mut dropped, mut marked) = (0, 0);
        for now in 0..60_000 {
            if now == 10_000 {
                (dropped, marked) = (rejects.dropped.len() as u64, rejects.marked);
            }
            red.push(parcel(1, 500, now, ecn), &NO_LIMIT, SimTime(now), &mut rejects);
            while red.bytes() > level {
                red.pop(SimTime(now), &mut rejects);
            }
        }
        let ppm = |count: u64| count * 1_000_000 / 50_000;
        (ppm(rejects.dropped.len() as u64 - dropped), ppm(rejects.marked - marked))
    }

    #[test]
    fn nothing_is_struck_below_min_and_everything_above_twice_max() {
        assert_eq!(struck_ppm(CURVE, 9_000, Ecn::NotEct), (0, 0));
        let mut red = Red::new(CURVE, SeedTree::root(5).stream("red"));
        red.average = (2 * CURVE.max) << 16;
        assert_eq!(red.probability_ppm(), 1_000_000);
    }

    #[test]
    fn the_even_spacing_doubles_the_rate_of_the_curve() {
        // Half way the curve says p = 5 %: the gaps are uniform from 1 to 1/p - 1 (section 7), so the rate is 2 p.
        let (dropped, marked) = struck_ppm(CURVE, 20_000, Ecn::NotEct);
        assert!((96_000..=104_000).contains(&dropped) && marked == 0, "{dropped}");
        let (dropped, marked) = struck_ppm(CURVE, 20_000, Ecn::Ect0);
        assert!((96_000..=104_000).contains(&marked) && dropped == 0, "{marked}");
    }

    #[test]
    fn above_max_the_slope_is_gentle_and_marking_ends() {
        let mut red = Red::new(CURVE, SeedTree::root(5).stream("red"));
        for (average, ppm) in [(30_000, 100_000), (45_000, 550_000), (59_999, 999_970)] {
            red.average = average << 16;
            assert_eq!(red.probability_ppm(), ppm);
        }
        let mut rejects = Rejects::default();
        red.idle_since = None;
        for now in 0..100 {
            red.average = 40_000 << 16;
            while red.bytes() < 40_000 {
                red.queue.append(parcel(1, 500, now, Ecn::Ect0));
            }
            red.push(parcel(1, 500, now, Ecn::Ect0), &NO_LIMIT, SimTime(now), &mut rejects);
        }
        assert!(!rejects.dropped.is_empty() && rejects.marked == 0);
    }

    #[test]
    fn an_idle_spell_ages_the_average() {
        let mut red = Red::new(CURVE, SeedTree::root(5).stream("red"));
        red.average = 20_000 << 16;
        (red.service, red.idle_since) = (1_000, Some(SimTime(0)));
        red.update_average(SimTime(4_000));
        assert_eq!(red.average >> 16, 20_000 * 3_u64.pow(5) / 4_u64.pow(5));
        red.idle_since = Some(SimTime(4_000));
        red.update_average(SimTime(1_000_000_000));
        assert_eq!(red.average >> 16, 0);
    }
}
