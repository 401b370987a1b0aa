//! What a peer can make this device send to others: how many addresses it checks, how fast, and for how long it goes on
//! sending to one that has stopped answering.
//!
//! A candidate is an address that the peer names. Whoever names a thousand of a third party's would use this device as a
//! port scanner or to amplify a flood (RFC 8445, section 19.5.1); whoever goes away while media flows leaves a stream
//! behind at an address that may be somebody else's by now (RFC 7675).

use kernel::{Micros, SimTime};
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

/// Remote candidates that are taken between two restarts (as the queue of the call machine).
pub(super) const MAX_REMOTE_CANDIDATES: usize = 30;
/// Own candidates that are offered.
pub(super) const MAX_OWN_CANDIDATES: usize = 10;
/// The longest SDP or candidate line that is parsed, in bytes.
pub(super) const MAX_SDP_BYTES: usize = 16 * 1024;
/// Addresses that never answered and yet are checked, at most (RFC 8445, section 6.1.2.5: pairs).
const MAX_UNANSWERED: usize = 100;
/// One check is paid for in this time (Ta of RFC 8445, section 14.2).
const PACE: Micros = Micros::from_millis(50);
/// Checks that may go at once after a pause: the pairs of an honest call.
const BURST: u64 = 10;
/// How long an answer permits to send (RFC 7675, section 5.1).
const CONSENT: Micros = Micros::from_secs(30);
/// Checks whose answers are waited for.
const MAX_TRANSACTIONS: usize = 256;
/// Addresses whose answers are remembered.
const MAX_ANSWERED: usize = 64;

/// The limits of one call.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// When the checks so far are paid for.
    paid_at: SimTime,
    /// Addresses that were checked and have not answered.
    unanswered: BTreeMap<SocketAddr, SimTime>,
    /// Addresses that answered a check, with the time of the last answer.
    answered: BTreeMap<SocketAddr, SimTime>,
    transactions: VecDeque<([u8; 12], SocketAddr)>,
}

impl Limits {
    /// Whether a packet may be sent to a peer's address now. Answers to the peer's checks always may: they are no longer
    /// than what they answer.
    pub(super) fn admit(&mut self, to: SocketAddr, bytes: &[u8], now: SimTime) -> bool {
        match transaction(bytes) {
            Some((REQUEST, id)) => self.check(to, id, now),
            Some(_) => true,
            None => self.consents(to, now),
        }
    }

    /// Takes note of what came from a peer's address: only the answer to a check of ours counts, whose transaction id
    /// nobody off the path can guess. True when it is one.
    pub(super) fn received(&mut self, from: SocketAddr, bytes: &[u8], now: SimTime) -> bool {
        let Some((SUCCESS, id)) = transaction(bytes) else { return false };
        let Some(place) = self.transactions.iter().position(|sent| *sent == (id, from)) else { return false };
        self.transactions.remove(place);
        self.unanswered.remove(&from);
        if self.answered.len() < MAX_ANSWERED || self.answered.contains_key(&from) {
            self.answered.insert(from, now);
        }
        true
    }

    fn check(&mut self, to: SocketAddr, id: [u8; 12], now: SimTime) -> bool {
        if !self.answered.contains_key(&to) {
            let paid_at = self.paid_at.max(now) + PACE;
            let is_known = self.unanswered.contains_key(&to);
            if paid_at > now + Micros(PACE.0 * BURST) || (!is_known && self.unanswered.len() >= MAX_UNANSWERED) {
                return false;
            }
            self.paid_at = paid_at;
            self.unanswered.insert(to, now);
        }
        if self.transactions.len() == MAX_TRANSACTIONS {
            self.transactions.pop_front();
        }
        self.transactions.push_back((id, to));
        true
    }

    fn consents(&self, to: SocketAddr, now: SimTime) -> bool {
        // ICE uses a pair only after an answer; what is not remembered was forgotten for want of place.
        self.answered.get(&to).is_none_or(|answered| now.since(*answered) < CONSENT)
    }
}

/// Message types of Binding (RFC 8489, section 5).
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;

/// Type and transaction id, when it is STUN.
fn transaction(bytes: &[u8]) -> Option<(u16, [u8; 12])> {
    let (head, _) = bytes.split_first_chunk::<20>()?;
    let is_stun = head[0] < 4 && head[4..8] == [0x21, 0x12, 0xa4, 0x42];
    is_stun.then(|| (u16::from_be_bytes([head[0], head[1]]), head[8..].try_into().expect("12 of 20 bytes are left")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stun(kind: u16, id: u8) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &[0, 0, 0x21, 0x12, 0xa4, 0x42], &[id; 12]].concat()
    }

    fn peer(n: usize) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, (n % 250) as u8], 7_000 + (n / 250) as u16))
    }

    const MEDIA: &[u8] = &[0x80, 96, 0, 1];

    #[test]
    fn a_thousand_addresses_are_checked_slowly_and_not_beyond_a_hundred() {
        let mut limits = Limits::default();
        let mut sent = Vec::new();
        for round in 0..20_000_u64 {
            let now = SimTime(round * 1_000);
            // A stride that is no divisor: whoever is admitted at each beat of the pace is another one.
            let nth = round * 7 % 997;
            if limits.admit(peer(nth as usize), &stun(REQUEST, 1), now) {
                sent.push((now, nth));
            }
        }
        let addresses: std::collections::BTreeSet<u64> = sent.iter().map(|(_, peer)| *peer).collect();
        assert_eq!(addresses.len(), MAX_UNANSWERED);
        for window in sent.windows(31) {
            let span = window[30].0.since(window[0].0);
            assert!(span >= Micros(PACE.0 * (30 - BURST)), "31 checks in {span}");
        }
    }

    #[test]
    fn an_answered_address_is_checked_at_will() {
        let mut limits = Limits::default();
        assert!(limits.admit(peer(1), &stun(REQUEST, 1), SimTime(0)));
        limits.received(peer(1), &stun(SUCCESS, 1), SimTime(10));
        assert!((0..100).all(|_| limits.admit(peer(1), &stun(REQUEST, 2), SimTime(10))));
        assert_eq!(limits.paid_at, SimTime(0) + PACE);
    }

    #[test]
    fn consent_lapses_thirty_seconds_after_the_last_answer() {
        let mut limits = Limits::default();
        assert!(limits.admit(peer(1), &stun(REQUEST, 1), SimTime(0)));
        limits.received(peer(1), &stun(SUCCESS, 1), SimTime(10));
        let last = SimTime(10) + CONSENT;
        assert!(limits.admit(peer(1), MEDIA, SimTime(last.0 - 1)) && !limits.admit(peer(1), MEDIA, last));
        assert!(limits.admit(peer(1), &stun(SUCCESS, 9), last), "an answer to the peer's own check");
        assert!(limits.admit(peer(1), &stun(REQUEST, 3), last));
        limits.received(peer(1), &stun(SUCCESS, 3), last);
        assert!(limits.admit(peer(1), MEDIA, last));
    }

    #[test]
    fn only_the_answer_to_an_own_check_from_where_it_went_counts() {
        let mut limits = Limits::default();
        assert!(limits.admit(peer(1), &stun(REQUEST, 1), SimTime(0)));
        limits.received(peer(2), &stun(SUCCESS, 1), SimTime(1));
        limits.received(peer(1), &stun(SUCCESS, 2), SimTime(1));
        limits.received(peer(1), &stun(REQUEST, 1), SimTime(1));
        limits.received(peer(1), &[1, 1], SimTime(1));
        assert!(limits.answered.is_empty());
        limits.received(peer(1), &stun(SUCCESS, 1), SimTime(1));
        limits.received(peer(1), &stun(SUCCESS, 1), SimTime(99));
        assert_eq!(limits.answered[&peer(1)], SimTime(1), "an answer counts once");
    }
}
