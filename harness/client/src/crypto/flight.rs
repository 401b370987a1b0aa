//! The last flight of a handshake, repeated sooner than dimpl does.
//!
//! dimpl doubles its timer without bound, and with it the pause in which a server ignores that its last flight is missed:
//! after three losses a handshake stands still for six seconds. Here what left last leaves again after a second without
//! an answer, and a server whose handshake is complete answers whoever goes on with his (RFC 6347 section 4.2.4). They are
//! copies of the same datagrams, as a network makes them too: where the first arrived the others are replays.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long an answer to a flight is waited for before it leaves again.
const PATIENCE: Duration = Duration::from_secs(1);
/// A server answers no sooner than this after it answered last: a flight of the client comes in several packets.
const PAUSE: Duration = Duration::from_millis(100);
/// Repetitions at most: those of the 20 s that a call may take to connect.
const MAX_REPETITIONS: u32 = 20;
/// Datagrams of a flight that are kept: those of a server with its certificate are two.
const MAX_DATAGRAMS: usize = 8;

/// What left last, and when it leaves again.
#[derive(Debug, Default)]
pub(super) struct Flight {
    datagrams: Vec<Vec<u8>>,
    /// When they left; none as long as the time is not known.
    left: Option<Instant>,
    /// Something came. Before, there may be no path at all, and what is to leave heaps up.
    is_heard: bool,
    connected: bool,
    /// The peer goes on with a handshake that is complete here: it has not got the last flight.
    is_missed: bool,
    repetitions: u32,
    again: VecDeque<Vec<u8>>,
}

impl Flight {
    /// A datagram leaves. One of another instant than those before begins another flight.
    pub(super) fn leaves(&mut self, datagram: &[u8]) {
        if self.left.take().is_some() {
            self.datagrams.clear();
        }
        if self.datagrams.len() < MAX_DATAGRAMS {
            self.datagrams.push(datagram.to_vec());
        }
    }

    /// A datagram came.
    pub(super) fn came(&mut self, datagram: &[u8], is_client: bool) {
        self.is_heard |= !datagram.is_empty();
        self.is_missed |= self.connected && !is_client && is_handshake_in_clear(datagram);
    }

    /// The handshake is complete here.
    pub(super) fn connected(&mut self) {
        self.connected = true;
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let is_missed = std::mem::take(&mut self.is_missed);
        if self.datagrams.is_empty() {
            return;
        }
        let left = *self.left.get_or_insert(now);
        let wait = match self.connected {
            false if self.is_heard => PATIENCE,
            true if is_missed => PAUSE,
            _ => return,
        };
        if now.saturating_duration_since(left) >= wait && self.repetitions < MAX_REPETITIONS {
            self.repetitions += 1;
            self.left = Some(now);
            self.again.extend(self.datagrams.iter().cloned());
        }
    }

    /// When [`Flight::handle_timeout`] is wanted; at once where the past is named.
    pub(super) fn next_wake(&self, past: Instant) -> Option<Instant> {
        if self.datagrams.is_empty() {
            return None;
        }
        match self.left {
            None => Some(past),
            Some(_) if self.is_missed => Some(past),
            Some(left) => {
                let waits = self.is_heard && !self.connected && self.repetitions < MAX_REPETITIONS;
                waits.then(|| left + PATIENCE)
            }
        }
    }

    /// The next datagram that leaves again.
    pub(super) fn poll(&mut self) -> Option<Vec<u8>> {
        self.again.pop_front()
    }
}

/// Whether a datagram begins with a record of a handshake before encryption: type 22, epoch 0 (RFC 6347 section 4.1).
fn is_handshake_in_clear(datagram: &[u8]) -> bool {
    datagram.len() > 13 && datagram[0] == 22 && datagram[3..5] == [0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SimTime;

    const CLIENTS: &[u8] = &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 16];
    const SEALED: &[u8] = &[22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 1, 16];

    fn again(flight: &mut Flight, now: Instant) -> Vec<Vec<u8>> {
        flight.handle_timeout(now);
        std::iter::from_fn(|| flight.poll()).collect()
    }

    /// A flight of two datagrams that left at `start`, in answer to something.
    fn left(start: Instant) -> Flight {
        let mut flight = Flight::default();
        flight.came(SEALED, true);
        flight.leaves(&[1]);
        flight.leaves(&[2]);
        assert_eq!(flight.next_wake(start), Some(start), "the time is asked for");
        assert!(again(&mut flight, start).is_empty());
        flight
    }

    #[test]
    fn a_flight_leaves_again_each_second_until_the_handshake_is_complete() {
        let start = SimTime::ZERO.to_instant();
        let mut flight = left(start);
        for second in 1..=2 {
            let due = start + PATIENCE * second;
            assert_eq!(flight.next_wake(start), Some(due));
            assert!(again(&mut flight, due - Duration::from_millis(1)).is_empty());
            assert_eq!(again(&mut flight, due), [vec![1], vec![2]]);
        }
        flight.connected();
        assert_eq!(flight.next_wake(start), None);
        assert!(again(&mut flight, start + PATIENCE * 9).is_empty());
    }

    #[test]
    fn before_anything_came_there_is_nothing_to_repeat() {
        let start = SimTime::ZERO.to_instant();
        let mut flight = Flight::default();
        flight.leaves(&[1]);
        assert!(again(&mut flight, start).is_empty() && again(&mut flight, start + PATIENCE).is_empty());
        assert_eq!(flight.next_wake(start), None);
    }

    #[test]
    fn what_leaves_later_is_another_flight() {
        let start = SimTime::ZERO.to_instant();
        let mut flight = left(start);
        flight.leaves(&[3]);
        assert!(again(&mut flight, start + PATIENCE).is_empty(), "it has only just left");
        assert_eq!(again(&mut flight, start + PATIENCE * 2), [vec![3]]);
    }

    #[test]
    fn a_server_repeats_its_last_flight_for_whoever_misses_it() {
        let start = SimTime::ZERO.to_instant();
        let mut flight = left(start);
        flight.connected();
        flight.came(CLIENTS, false);
        assert!(again(&mut flight, start + PAUSE / 2).is_empty(), "it has only just left");
        flight.came(SEALED, false);
        flight.came(&CLIENTS[..13], false);
        flight.came(CLIENTS, true);
        assert!(again(&mut flight, start + PAUSE).is_empty());
        flight.came(CLIENTS, false);
        assert_eq!(flight.next_wake(start), Some(start));
        assert_eq!(again(&mut flight, start + PAUSE), [vec![1], vec![2]]);
    }

    #[test]
    fn repetitions_are_bounded() {
        let start = SimTime::ZERO.to_instant();
        let mut flight = left(start);
        let left = (1..100).flat_map(|second| again(&mut flight, start + PATIENCE * second)).count();
        assert_eq!(left, 2 * MAX_REPETITIONS as usize);
        assert_eq!(flight.next_wake(start), None);
    }
}
