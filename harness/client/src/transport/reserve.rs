//! Pairs in reserve: what answered a check can carry media at once when the pair in use dies (RFC 8445, section 12.1: before
//! a pair is selected any valid one may be used). str0m knows the pair that ICE selected and no other.

use super::{Transport, gather::Gathering};
use kernel::{Micros, SimTime, event::CandidateKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};
use str0m::Candidate;

/// Pairs that are remembered; of more the oldest is forgotten.
const MAX_PAIRS: usize = 64;
/// How long an answer makes a pair a valid one (consent, RFC 7675).
const FRESH: Micros = Micros::from_secs(30);

/// What may take over.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    /// Own and peer's address, and when a check between them was last answered.
    answered: BTreeMap<(SocketAddr, SocketAddr), SimTime>,
    /// Addresses that the peer had named and names no more.
    gone: BTreeSet<SocketAddr>,
}

impl Reserve {
    /// A check of a pair was answered.
    pub(super) fn answered(&mut self, pair: (SocketAddr, SocketAddr), now: SimTime) {
        if self.answered.len() == MAX_PAIRS
            && !self.answered.contains_key(&pair)
            && let Some(oldest) = self.answered.iter().min_by_key(|(_, at)| **at).map(|(pair, _)| *pair)
        {
            self.answered.remove(&oldest);
        }
        self.answered.insert(pair, now);
    }

    /// The peer names all of its candidates: those of the ones that it named before which are missing are gone.
    pub(super) fn keep_only(&mut self, lines: &[String], named: &BTreeMap<SocketAddr, CandidateKind>) {
        let parsed = lines.iter().filter_map(|line| Candidate::from_sdp_string(line).ok());
        let here: BTreeSet<SocketAddr> = parsed.map(|candidate| candidate.addr()).collect();
        self.gone = named.keys().copied().filter(|address| !here.contains(address)).collect();
    }

    /// The pair that answered last, direct ones before relayed.
    fn best(
        &self,
        is_own: impl Fn(SocketAddr) -> bool,
        relayed: Option<SocketAddr>,
        now: SimTime,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let lives = |((own, peer), at): &(&(SocketAddr, SocketAddr), &SimTime)| {
            (is_own(*own) || relayed == Some(*own)) && !self.gone.contains(peer) && now.since(**at) < FRESH
        };
        let is_direct = |own: SocketAddr| relayed != Some(own);
        self.answered.iter().filter(lives).max_by_key(|((own, _), at)| (is_direct(*own), **at)).map(|(pair, _)| *pair)
    }
}

impl Transport {
    /// The pair itself while both of its ends are there, else one in reserve.
    pub(super) fn living_pair(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        now: SimTime,
    ) -> (SocketAddr, SocketAddr) {
        let relayed = self.gathering.as_ref().and_then(Gathering::relayed);
        let is_own = |socket: SocketAddr| self.config.locals.contains(&socket);
        if (is_own(source) || relayed == Some(source)) && !self.reserve.gone.contains(&destination) {
            return (source, destination);
        }
        self.reserve.best(is_own, relayed, now).unwrap_or((source, destination))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(host: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], 5_000))
    }

    const OWN: [u8; 2] = [1, 2];
    const RELAYED: u8 = 9;

    fn best(reserve: &Reserve, at: u64) -> Option<(SocketAddr, SocketAddr)> {
        let is_own = |own| OWN.iter().any(|host| socket(*host) == own);
        reserve.best(is_own, Some(socket(RELAYED)), SimTime(at))
    }

    #[test]
    fn the_newest_living_pair_takes_over_and_a_relayed_one_last() {
        let mut reserve = Reserve::default();
        assert_eq!(best(&reserve, 0), None);
        reserve.answered((socket(RELAYED), socket(21)), SimTime(500));
        assert_eq!(best(&reserve, 1_000), Some((socket(RELAYED), socket(21))));
        reserve.answered((socket(1), socket(20)), SimTime(300));
        reserve.answered((socket(2), socket(21)), SimTime(400));
        reserve.answered((socket(3), socket(22)), SimTime(900));
        assert_eq!(best(&reserve, 1_000), Some((socket(2), socket(21))), "3 is no own socket");
        let named = [20, 21].map(|host| (socket(host), CandidateKind::Host)).into();
        reserve.keep_only(&["candidate:1 1 udp 1 10.0.0.20 5000 typ host".into()], &named);
        assert_eq!(best(&reserve, 1_000), Some((socket(1), socket(20))), "21 is named no more");
    }

    #[test]
    fn a_pair_that_is_silent_for_long_is_none() {
        let mut reserve = Reserve::default();
        reserve.answered((socket(1), socket(20)), SimTime(0));
        assert!(best(&reserve, FRESH.0 - 1).is_some() && best(&reserve, FRESH.0).is_none());
    }

    #[test]
    fn the_oldest_of_too_many_pairs_is_forgotten() {
        let mut reserve = Reserve::default();
        for host in 0..100 {
            reserve.answered((socket(1), socket(host)), SimTime(u64::from(host)));
        }
        assert_eq!(reserve.answered.len(), MAX_PAIRS);
        assert!(!reserve.answered.contains_key(&(socket(1), socket(0))));
    }
}
