//! Whom the user verified, and whether they are still the same: a list of devices is what was compared, as it was then.

use super::Client;
use kernel::{UserName, event::Verification, mutant};

/// Users who are remembered as verified; further ones are not.
const MAX_VERIFIED: usize = 4_096;

impl Client {
    /// The user compared the safety number with somebody: their devices are the right ones, as they are now.
    pub(super) fn verify(&mut self, user: UserName) {
        let Some(head) = self.account.roster().head(&user) else { return };
        if self.verified.len() < MAX_VERIFIED || self.verified.contains_key(&user) {
            self.verified.insert(user, head);
        }
    }

    /// What is known of somebody's devices, as they are now.
    pub(super) fn verification(&self, user: &UserName) -> Verification {
        match self.verified.get(user) {
            None => Verification::Unverified,
            // V155: once verified is verified for good, whoever is added.
            Some(head) if mutant!(V155) || self.account.roster().head(user) == Some(*head) => Verification::Verified,
            Some(_) => Verification::Changed,
        }
    }
}
