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
/// Pairs whose answers are remembered.
const MAX_ANSWERED: usize = 64;

/// An own address, or one of the own relay's, and a peer's.
type Pair = (SocketAddr, SocketAddr);

/// The limits of one call.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// When the checks so far are paid for.
    paid_at: SimTime,
    /// Addresses that were checked and have not answered.
    unanswered: BTreeMap<SocketAddr, SimTime>,
    /// Pairs over which a check was answered, with the time of the last answer. What answers through the relay permits nothing
    /// past it: consent is given to a pair (RFC 7675, section 5.1).
    answered: BTreeMap<Pair, SimTime>,
    transactions: VecDeque<([u8; 12], SocketAddr)>,
}

impl Limits {
    /// Whether a packet may be sent over a pair now. Answers to the peer's checks always may: they are no longer
    /// than what they answer.
    pub(super) fn admit(&mut self, pair: Pair, bytes: &[u8], now: SimTime) -> bool {
        match transaction(bytes) {
            Some((REQUEST, id)) => self.check(pair.1, id, now),
            Some(_) => true,
            None => self.consents(pair, now),
        }
    }

    /// Takes note of what came over a pair: only the answer to a check of ours counts, whose transaction id
    /// nobody off the path can guess. True when it is one.
    pub(super) fn received(&mut self, pair: Pair, bytes: &[u8], now: SimTime) -> bool {
        let Some((SUCCESS, id)) = transaction(bytes) else { return false };
        let from = pair.1;
        let Some(place) = self.transactions.iter().position(|sent| *sent == (id, from)) else { return false };
        self.transactions.remove(place);
        self.unanswered.remove(&from);
        if self.answered.len() < MAX_ANSWERED || self.answered.contains_key(&pair) {
            self.answered.insert(pair, now);
        }
        true
    }

    fn check(&mut self, to: SocketAddr, id: [u8; 12], now: SimTime) -> bool {
        if !self.answered.keys().any(|(_, known)| *known == to) {
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

    fn consents(&self, pair: Pair, now: SimTime) -> bool {
        // ICE uses a pair only after an answer; what is not remembered was forgotten for want of place.
        self.answered.get(&pair).is_none_or(|answered| now.since(*answered) < CONSENT)
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

    /// The pair of the own host address with a peer's.
    fn to(n: usize) -> Pair {
        ("192.0.2.9:5000".parse().unwrap(), peer(n))
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
            if limits.admit(to(nth as usize), &stun(REQUEST, 1), now) {
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
        assert!(limits.admit(to(1), &stun(REQUEST, 1), SimTime(0)));
        limits.received(to(1), &stun(SUCCESS, 1), SimTime(10));
        assert!((0..100).all(|_| limits.admit(to(1), &stun(REQUEST, 2), SimTime(10))));
        assert_eq!(limits.paid_at, SimTime(0) + PACE);
    }

    #[test]
    fn consent_lapses_thirty_seconds_after_the_last_answer() {
        let mut limits = Limits::default();
        assert!(limits.admit(to(1), &stun(REQUEST, 1), SimTime(0)));
        limits.received(to(1), &stun(SUCCESS, 1), SimTime(10));
        let last = SimTime(10) + CONSENT;
        assert!(limits.admit(to(1), MEDIA, SimTime(last.0 - 1)) && !limits.admit(to(1), MEDIA, last));
        assert!(limits.admit(to(1), &stun(SUCCESS, 9), last), "an answer to the peer's own check");
        assert!(limits.admit(to(1), &stun(REQUEST, 3), last));
        limits.received(to(1), &stun(SUCCESS, 3), last);
        assert!(limits.admit(to(1), MEDIA, last));
    }

    #[test]
    fn an_answer_through_the_relay_is_no_consent_to_the_direct_pair() {
        let mut limits = Limits::default();
        let through_relay = ("198.51.100.7:61000".parse().unwrap(), peer(1));
        for (pair, id, at) in [(to(1), 1, 0), (through_relay, 2, 5_000_000)] {
            assert!(limits.admit(pair, &stun(REQUEST, id), SimTime(at)));
            assert!(limits.received(pair, &stun(SUCCESS, id), SimTime(at)));
        }
        let lapsed = SimTime(0) + CONSENT;
        assert!(!limits.admit(to(1), MEDIA, lapsed) && limits.admit(through_relay, MEDIA, lapsed));
    }

    #[test]
    fn only_the_answer_to_an_own_check_from_where_it_went_counts() {
        let mut limits = Limits::default();
        assert!(limits.admit(to(1), &stun(REQUEST, 1), SimTime(0)));
        limits.received(to(2), &stun(SUCCESS, 1), SimTime(1));
        limits.received(to(1), &stun(SUCCESS, 2), SimTime(1));
        limits.received(to(1), &stun(REQUEST, 1), SimTime(1));
        limits.received(to(1), &[1, 1], SimTime(1));
        assert!(limits.answered.is_empty());
        limits.received(to(1), &stun(SUCCESS, 1), SimTime(1));
        limits.received(to(1), &stun(SUCCESS, 1), SimTime(99));
        assert_eq!(limits.answered[&to(1)], SimTime(1), "an answer counts once");
    }
}
