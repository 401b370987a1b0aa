//! The sending end of a link: clocks packets out at an exact rate and holds those that wait, drop tail.

use kernel::time::{BitRate, Micros, SimTime};
use std::collections::VecDeque;

/// Sends one packet after the other. Its clock keeps the fraction of a microsecond, so that no rounding accumulates.
#[derive(Default)]
pub(crate) struct Transmitter {
    /// When the last packet is out: `free` whole microseconds and `rest / rate` of one.
    free: SimTime,
    /// Below the rate; zero without one.
    rest: u64,
    /// Packets whose first bit is still to be sent: when it will be, and their bytes.
    waiting: VecDeque<(SimTime, u64)>,
    waiting_bytes: u64,
}

/// How long a packet waits and is clocked out. Both in whole microseconds; the sum over packets does not drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clocked {
    pub(crate) queue: Micros,
    pub(crate) serialization: Micros,
}

impl Transmitter {
    /// Takes a packet in at `now`, or `None` when it would have to wait and the queue has no room for it.
    ///
    /// The packet on the wire does not count towards the queue. A rate is at most [`MAX_RATE`] and not zero.
    pub(crate) fn take(
        &mut self,
        now: SimTime,
        bytes: u64,
        rate: Option<BitRate>,
        queue_bytes: u64,
    ) -> Option<Clocked> {
        self.begin_until(now);
        let start = self.idle_from().max(now);
        if start > now {
            if self.waiting_bytes + bytes > queue_bytes {
                return None;
            }
            self.waiting.push_back((start, bytes));
            self.waiting_bytes += bytes;
        }
        if let Some(rate) = rate {
            self.clock_out(now, bytes, rate);
        }
        Some(Clocked { queue: start.since(now), serialization: self.idle_from().since(start) })
    }

    /// Prepares for another rate: what was taken in keeps its times, and the fraction that is left rounds up.
    pub(crate) fn change_rate(&mut self) {
        self.free = self.idle_from();
        self.rest = 0;
    }

    /// The first whole microsecond at which the wire is idle. Rounding up never sends faster than the rate.
    fn idle_from(&self) -> SimTime {
        self.free + Micros(u64::from(self.rest > 0))
    }

    fn clock_out(&mut self, now: SimTime, bytes: u64, rate: BitRate) {
        if now >= self.idle_from() {
            self.free = now;
            self.rest = 0;
        }
        // Microseconds times rate: at most 2^16 bytes * 8e6 + 1e12, which fits.
        let work = bytes * 8_000_000 + self.rest;
        self.free += Micros(work / rate.0);
        self.rest = work % rate.0;
    }

    fn begin_until(&mut self, now: SimTime) {
        while let Some((_, bytes)) = self.waiting.pop_front_if(|(start, _)| *start <= now) {
            self.waiting_bytes -= bytes;
        }
    }
}

/// The highest rate for which the arithmetic is exact.
pub(crate) const MAX_RATE: BitRate = BitRate(1_000_000_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LIMIT: u64 = u64::MAX / 2;

    fn out_at(transmitter: &mut Transmitter, now: u64, bytes: u64, rate: u64) -> u64 {
        let clocked = transmitter.take(SimTime(now), bytes, Some(BitRate(rate)), NO_LIMIT).unwrap();
        now + clocked.queue.0 + clocked.serialization.0
    }

    #[test]
    fn the_remainder_of_a_microsecond_is_carried() {
        let mut transmitter = Transmitter::default();
        // 1000 bytes at 3 Mbit/s are 2666 2/3 us: three of them are 8000 us, and not 8001.
        let outs = [(); 6].map(|()| out_at(&mut transmitter, 0, 1_000, 3_000_000));
        assert_eq!(outs, [2_667, 5_334, 8_000, 10_667, 13_334, 16_000]);
    }

    #[test]
    fn an_idle_wire_forgets_the_remainder() {
        let mut transmitter = Transmitter::default();
        assert_eq!(out_at(&mut transmitter, 0, 1_000, 3_000_000), 2_667);
        assert_eq!(out_at(&mut transmitter, 2_667, 1_000, 3_000_000), 5_334);
        // The wire is free at 5333 2/3; a packet at 5334 starts a fresh count.
        assert_eq!(out_at(&mut transmitter, 5_334, 1_000, 3_000_000), 8_001);
    }

    #[test]
    fn no_rate_takes_no_time() {
        let mut transmitter = Transmitter::default();
        let clocked = transmitter.take(SimTime(9), 60_000, None, 0);
        assert_eq!(clocked, Some(Clocked { queue: Micros::ZERO, serialization: Micros::ZERO }));
    }

    #[test]
    fn the_packet_on_the_wire_is_not_in_the_queue() {
        let mut transmitter = Transmitter::default();
        let mut take = |now, queue| transmitter.take(SimTime(now), 1_000, Some(BitRate::from_mbps(8)), queue).is_some();
        assert!(take(0, 0), "an idle wire needs no queue");
        assert!(!take(0, 999));
        assert!(take(0, 1_000));
        assert!(!take(0, 1_999));
        assert!(take(1_000, 1_000), "the second packet began at 1000 us and made room");
        assert!(!take(1_999, 1_000));
        assert!(take(2_000, 1_000));
    }

    #[test]
    fn another_rate_leaves_the_times_of_queued_packets_alone() {
        let mut transmitter = Transmitter::default();
        assert_eq!(out_at(&mut transmitter, 0, 1_000, 3_000_000), 2_667);
        transmitter.change_rate();
        assert_eq!(out_at(&mut transmitter, 0, 1_000, 8_000_000), 3_667);
        transmitter.change_rate();
        let clocked = transmitter.take(SimTime(10), 1_000, None, NO_LIMIT).unwrap();
        assert_eq!(clocked, Clocked { queue: Micros(3_657), serialization: Micros::ZERO });
    }
}
