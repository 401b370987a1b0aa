//! How far a server's store is, signed: who was told so once goes by no older state of it.
//!
//! The number of transactions alone would not do: a server whose store was replaced by an old copy catches up with it. So a
//! server also says how many transactions it found at each of its starts. Starts are counted outside the store, where no
//! copy takes them back. In a true history every start found all that was there before; one that found less than a device
//! knows of gives the copy away, however much came afterwards.

use crate::{
    tls::{ServerIdentity, ServerIdentityPublic},
    wire::canonical_bytes,
};
use serde::{Deserialize, Serialize};

/// What is signed begins with this.
const DOMAIN: &[u8] = b"callproof 2026 epoch";
/// So many starts are told, the newest.
pub const MAX_STARTS: usize = 64;

/// A start of a server with the store that it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// How often it had started before.
    pub boot: u32,
    /// How many transactions were in the store.
    pub transactions: u64,
}

/// How far a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// How many transactions are durable.
    pub transactions: u64,
    /// The server's starts but for the very first one, in order.
    pub starts: Vec<Start>,
}

/// An epoch with the server's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEpoch {
    epoch: Epoch,
    signature: Vec<u8>,
}

impl Epoch {
    fn boot(&self) -> u32 {
        self.starts.last().map_or(0, |start| start.boot)
    }

    /// The number of transactions at which this history parts from one in which `known` was true; none when `known` lies in
    /// it.
    pub fn parts_from(&self, known: &Epoch) -> Option<u64> {
        if self.boot() <= known.boot() {
            let is_older = self.boot() < known.boot() || self.transactions < known.transactions;
            return is_older.then_some(self.transactions.min(known.transactions));
        }
        let later = self.starts.iter().filter(|start| start.boot > known.boot()).map(|start| start.transactions);
        later.min().filter(|found| *found < known.transactions)
    }

    /// Signs it.
    pub fn sign(self, identity: &ServerIdentity) -> SignedEpoch {
        let signature = identity.sign(&self.statement());
        SignedEpoch { epoch: self, signature }
    }

    fn statement(&self) -> Vec<u8> {
        [DOMAIN, &canonical_bytes(self)].concat()
    }
}

impl SignedEpoch {
    /// The epoch, if the server signed it.
    pub fn verify(&self, server: ServerIdentityPublic) -> Option<&Epoch> {
        let is_sane = self.epoch.starts.len() <= MAX_STARTS;
        let holds = is_sane && server.signed(&self.epoch.statement(), &self.signature);
        holds.then_some(&self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    fn epoch(transactions: u64, starts: &[(u32, u64)]) -> Epoch {
        let start = |(boot, transactions): &(u32, u64)| Start { boot: *boot, transactions: *transactions };
        Epoch { transactions, starts: starts.iter().map(start).collect() }
    }

    #[test]
    fn a_history_that_goes_on_holds_what_was_known() {
        let known = epoch(100, &[(1, 40)]);
        for later in [known.clone(), epoch(120, &[(1, 40)]), epoch(100, &[(1, 40), (2, 100)])] {
            assert_eq!(later.parts_from(&known), None);
        }
        // The device slept through some starts, and their list is cut at its old end.
        assert_eq!(epoch(300, &[(7, 200), (8, 250)]).parts_from(&known), None);
    }

    #[test]
    fn an_old_copy_is_seen_at_once_and_for_ever() {
        let known = epoch(100, &[(1, 40)]);
        assert_eq!(epoch(80, &[(1, 40), (2, 80)]).parts_from(&known), Some(80));
        assert_eq!(epoch(150, &[(1, 40), (2, 80)]).parts_from(&known), Some(80), "it caught up");
        assert_eq!(epoch(200, &[(1, 40), (2, 80), (3, 150)]).parts_from(&known), Some(80), "and started again");
        // A copy of before the last start, and a server that counts its starts in the store.
        assert_eq!(epoch(90, &[(1, 40)]).parts_from(&known), Some(90));
        assert_eq!(epoch(30, &[]).parts_from(&known), Some(30));
    }

    #[test]
    fn only_the_server_s_own_word_counts() {
        let identity = |n| ServerIdentity::generate(&mut SeedTree::root(n).stream("identity"));
        let signed = epoch(7, &[(1, 3)]).sign(&identity(1));
        assert_eq!(signed.verify(identity(1).public()), Some(&epoch(7, &[(1, 3)])));
        assert_eq!(signed.verify(identity(2).public()), None);
        let changed = SignedEpoch { epoch: epoch(8, &[(1, 3)]), ..signed };
        assert_eq!(changed.verify(identity(1).public()), None);
        let many: Vec<(u32, u64)> = (1..=65).map(|boot| (boot, 1)).collect();
        assert_eq!(epoch(1, &many).sign(&identity(1)).verify(identity(1).public()), None);
    }
}
