//! Consent to send (RFC 7675): who does not answer connectivity checks any more is sent nothing any more.
//!
//! str0m checks the pair in use every 3 s at most and tells how many authenticated answers came; it would send on after the
//! answers stopped. This is the one place that counts the time.

use kernel::{Micros, SimTime};

/// So long after the last answer sending stops (RFC 7675 section 5.1).
pub(super) const CONSENT_LIFETIME: Micros = Micros::from_secs(30);

/// The consent of the peer.
#[derive(Debug, Default)]
pub(super) struct Consent {
    responses: u64,
    last: Option<SimTime>,
}

impl Consent {
    /// So many answers came on the pair in use until now. A new pair counts from zero.
    pub(super) fn answered(&mut self, responses: u64, now: SimTime) {
        if responses > 0 && responses != self.responses {
            self.last = Some(now);
        }
        self.responses = responses;
    }

    /// Whether anything but connectivity checks may be sent. Before the first answer nothing has been sent anyway.
    pub(super) fn holds(&self, now: SimTime) -> bool {
        self.last.is_none_or(|last| now.since(last) < CONSENT_LIFETIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_lasts_thirty_seconds_after_the_last_answer() {
        let mut consent = Consent::default();
        assert!(consent.holds(SimTime(0)));
        consent.answered(1, SimTime(1_000_000));
        consent.answered(1, SimTime(20_000_000));
        assert!(consent.holds(SimTime(30_999_999)));
        assert!(!consent.holds(SimTime(31_000_000)));
        consent.answered(2, SimTime(40_000_000));
        assert!(consent.holds(SimTime(69_000_000)));
    }
}
