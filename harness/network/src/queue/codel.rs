//! `CoDel` (RFC 8289): drops at the head of a queue whose packets have waited longer than `target` for an `interval`.

use super::{Discipline, Limit, Parcel, Rejects, fifo::Fifo, mark};
use kernel::{Micros, SimTime, event::DropReason};

/// A queue of no more than one packet of full size is never managed (RFC 8289, section 4.2).
const MAX_PACKET: u64 = 1_514;

/// The control law of one queue.
pub(super) struct Control {
    target: Micros,
    interval: Micros,
    ecn: bool,
    /// When the wait will have been above the target for an interval.
    first_above: Option<SimTime>,
    drop_next: SimTime,
    count: u64,
    last_count: u64,
    is_dropping: bool,
}

impl Control {
    pub(super) fn new(target: Micros, interval: Micros, ecn: bool) -> Control {
        Control {
            target,
            interval,
            ecn,
            first_above: None,
            drop_next: SimTime::ZERO,
            count: 0,
            last_count: 0,
            is_dropping: false,
        }
    }

    /// The packet to send next, once those are dropped (or marked) that the law wants.
    pub(super) fn next(&mut self, queue: &mut Fifo, now: SimTime, rejects: &mut Rejects) -> Option<Parcel> {
        let (mut parcel, mut may_drop) = self.take(queue, now);
        if self.is_dropping {
            if !may_drop {
                self.is_dropping = false;
            }
            while self.is_dropping && now >= self.drop_next {
                self.count += 1;
                if let Some(kept) = self.strike(parcel.take(), rejects) {
                    self.drop_next = self.after(self.drop_next);
                    return Some(kept);
                }
                (parcel, may_drop) = self.take(queue, now);
                if may_drop {
                    self.drop_next = self.after(self.drop_next);
                } else {
                    self.is_dropping = false;
                }
            }
        } else if may_drop {
            let kept = self.strike(parcel.take(), rejects);
            parcel = match kept {
                Some(marked) => Some(marked),
                None => self.take(queue, now).0,
            };
            self.is_dropping = true;
            // Soon after the last spell the rate that tamed it is nearly right (RFC 8289, section 5.5).
            let delta = self.count - self.last_count;
            let is_recent = now.since(self.drop_next) < Micros(16 * self.interval.0);
            self.count = if delta > 1 && is_recent { delta } else { 1 };
            self.drop_next = self.after(now);
            self.last_count = self.count;
        }
        parcel
    }

    /// Marks the packet and gives it back, or drops it.
    fn strike(&mut self, parcel: Option<Parcel>, rejects: &mut Rejects) -> Option<Parcel> {
        let mut parcel = parcel?;
        if self.ecn && mark(&mut parcel) {
            rejects.marked += 1;
            return Some(parcel);
        }
        rejects.dropped.push((parcel, DropReason::Aqm));
        None
    }

    /// The packet at the head, and whether the law lets it be dropped.
    fn take(&mut self, queue: &mut Fifo, now: SimTime) -> (Option<Parcel>, bool) {
        let Some(parcel) = queue.take() else {
            self.first_above = None;
            return (None, false);
        };
        if now.since(parcel.entered) < self.target || queue.bytes() <= MAX_PACKET {
            self.first_above = None;
            return (Some(parcel), false);
        }
        let due = *self.first_above.get_or_insert(now + self.interval);
        (Some(parcel), now >= due)
    }

    /// `at` plus the interval over the square root of the count.
    fn after(&self, at: SimTime) -> SimTime {
        let root = (u128::from(self.count.max(1)) << 32).isqrt();
        at + Micros(((u128::from(self.interval.0) << 16) / root) as u64)
    }
}

/// A queue under the control law.
pub(super) struct Codel {
    queue: Fifo,
    control: Control,
}

impl Codel {
    pub(super) fn new(target: Micros, interval: Micros, ecn: bool) -> Codel {
        Codel { queue: Fifo::default(), control: Control::new(target, interval, ecn) }
    }
}

impl Discipline for Codel {
    fn push(&mut self, parcel: Parcel, limit: &Limit, now: SimTime, rejects: &mut Rejects) {
        self.queue.push(parcel, limit, now, rejects);
    }

    fn pop(&mut self, now: SimTime, rejects: &mut Rejects) -> Option<Parcel> {
        self.control.next(&mut self.queue, now, rejects)
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
    use kernel::packet::Ecn;

    const TARGET: Micros = Micros::from_millis(5);
    const INTERVAL: Micros = Micros::from_millis(100);

    /// Keeps the queue full of packets that have waited 50 ms and sends one a millisecond; when packets were struck.
    fn strikes(ecn: Ecn, marks: bool, spans: u64) -> (Vec<u64>, u64) {
        let mut codel = Codel::new(TARGET, INTERVAL, marks);
        let (mut times, mut marked) = (Vec::new(), 0);
        for now in (50_000..50_000 + spans).step_by(1_000) {
            let mut rejects = Rejects::default();
            while codel.len() < 10 {
                codel.push(parcel(1, 1_000, now - 50_000, ecn), &NO_LIMIT, SimTime(now), &mut rejects);
            }
            assert!(codel.pop(SimTime(now), &mut rejects).is_some());
            let struck = rejects.dropped.len() as u64 + rejects.marked;
            times.extend((0..struck).map(|_| now - 50_000));
            marked += rejects.marked;
        }
        (times, marked)
    }

    #[test]
    fn the_drops_come_at_the_inverse_square_root_of_their_number() {
        let (times, marked) = strikes(Ecn::NotEct, false, 400_000);
        // 100 ms, then + 100, + 70.7, + 57.7, + 50 ms, at the next millisecond.
        assert_eq!(times, [100_000, 200_000, 271_000, 329_000, 379_000]);
        assert_eq!(marked, 0);
    }

    #[test]
    fn capable_packets_are_marked_at_the_same_times() {
        let (times, marked) = strikes(Ecn::Ect0, true, 400_000);
        assert_eq!((times, marked), (vec![100_000, 200_000, 271_000, 329_000, 379_000], 5));
        assert_eq!(strikes(Ecn::Ect0, false, 400_000).1, 0, "unless marking is off");
        assert_eq!(strikes(Ecn::NotEct, true, 400_000).1, 0, "or the packet cannot be marked");
    }

    #[test]
    fn short_waits_and_small_queues_are_left_alone() {
        let mut codel = Codel::new(TARGET, INTERVAL, false);
        let mut rejects = Rejects::default();
        for now in (0..1_000_000).step_by(1_000) {
            // 4.999 ms of wait in a long queue, and then long waits in a queue of one packet.
            let (waited, length) = if now < 500_000 { (4_999, 10) } else { (50_000, 2) };
            while codel.len() > 0 {
                codel.pop(SimTime(now + 4_999), &mut rejects);
            }
            for _ in 0..length {
                let entered = (now + 4_999_u64).saturating_sub(waited);
                codel.push(parcel(1, 1_000, entered, Ecn::NotEct), &NO_LIMIT, SimTime(now), &mut rejects);
            }
            codel.pop(SimTime(now + 4_999), &mut rejects);
        }
        assert_eq!(rejects.dropped.len(), 0);
    }
}
