//! The call rows of the user's threads, which every device of the user comes to have.
//!
//! The server numbers the rows of each user. A device takes them in order and says on a new connection which was its last;
//! it asks again after a gap, and when a call that it had a part in is over and no row of it comes.

use kernel::{CallId, Micros, SimTime};
use std::collections::VecDeque;

/// How long the row of a call that is over may take before it is asked for; each further time it is twice as long.
const PATIENCE: Micros = Micros::from_secs(5);
/// How often it is asked for.
const MOST_QUESTIONS: u32 = 5;
/// Calls whose rows are awaited; older ones are no longer.
const MAX_AWAITED: usize = 8;

/// Which rows a device has.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The number of the last row that came; 0 before the first.
    last: u32,
    /// The gap that was asked for: behind this row.
    asked: Option<u32>,
    awaited: VecDeque<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    call: CallId,
    at: SimTime,
    questions: u32,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is the next one.
    Next,
    /// It came before.
    Known,
    /// Rows are missing before it, and are to be asked for.
    Gap,
    /// Rows are missing before it, and were asked for.
    Waits,
}

impl Rows {
    /// Of a device that has all rows up to one.
    pub(super) fn after(last: u32) -> Rows {
        Rows { last, ..Rows::default() }
    }

    /// The number of the last row that came.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    /// A row came, and before it the server sent, or has, none later than `previous`.
    pub(super) fn arrive(&mut self, previous: u32, number: u32, call: CallId) -> Arrival {
        if number <= self.last {
            return Arrival::Known;
        }
        if previous > self.last {
            let asked = self.asked.replace(self.last) == Some(self.last);
            return if asked { Arrival::Waits } else { Arrival::Gap };
        }
        self.last = number;
        self.asked = None;
        self.awaited.retain(|awaited| awaited.call != call);
        Arrival::Next
    }

    /// A call that this device had a part in is over: its row should come.
    pub(super) fn expect(&mut self, call: CallId, now: SimTime) {
        if self.awaited.len() == MAX_AWAITED {
            self.awaited.pop_front();
        }
        self.awaited.push_back(Awaited { call, at: now + PATIENCE, questions: 0 });
    }

    /// When [`Rows::is_due`] is wanted.
    pub(super) fn next_wake(&self) -> Option<SimTime> {
        self.awaited.iter().map(|awaited| awaited.at).min()
    }

    /// Whether to ask for rows now.
    pub(super) fn is_due(&mut self, now: SimTime) -> bool {
        let mut is_due = false;
        for awaited in self.awaited.iter_mut().filter(|awaited| awaited.at <= now) {
            awaited.questions += 1;
            awaited.at = now + Micros(PATIENCE.0 << awaited.questions);
            is_due = true;
        }
        self.awaited.retain(|awaited| awaited.questions < MOST_QUESTIONS);
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(n: u8) -> CallId {
        CallId([n; 16])
    }

    #[test]
    fn rows_are_taken_once_and_in_order() {
        let mut rows = Rows::default();
        assert_eq!(rows.arrive(0, 1, call(1)), Arrival::Next);
        assert_eq!(rows.arrive(0, 1, call(1)), Arrival::Known);
        assert_eq!(rows.arrive(2, 3, call(3)), Arrival::Gap);
        assert_eq!(rows.arrive(3, 4, call(4)), Arrival::Waits, "one question a gap");
        assert_eq!(rows.arrive(1, 2, call(2)), Arrival::Next);
        assert_eq!((rows.arrive(2, 3, call(3)), rows.last()), (Arrival::Next, 3));
    }

    #[test]
    fn rows_that_the_server_forgot_leave_no_gap() {
        let mut rows = Rows::default();
        assert_eq!((rows.arrive(0, 500, call(1)), rows.last()), (Arrival::Next, 500));
    }

    #[test]
    fn a_row_that_does_not_come_is_asked_for_a_bounded_number_of_times() {
        let mut rows = Rows::default();
        rows.expect(call(1), SimTime::ZERO);
        rows.expect(call(2), SimTime::ZERO);
        rows.arrive(0, 1, call(2));
        let mut asked = Vec::new();
        while let Some(at) = rows.next_wake() {
            assert!(!rows.is_due(SimTime(at.0 - 1)) && rows.is_due(at));
            asked.push(at.as_millis() / 1_000);
        }
        assert_eq!(asked, [5, 15, 35, 75, 155]);
    }

    #[test]
    fn awaited_calls_are_bounded() {
        let mut rows = Rows::default();
        (0..100).for_each(|n| rows.expect(call(n), SimTime(u64::from(n))));
        assert_eq!(rows.awaited.len(), MAX_AWAITED);
    }
}
