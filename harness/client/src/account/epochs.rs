//! How far the server's store was when this device heard of it last. A server that is less far, or whose history parts from
//! that one, runs on an old copy: what was revoked or blocked since may be good again there.

use super::Account;
use kernel::{SimTime, event, mutant};
use protocol::SignedEpoch;

impl Account {
    /// Whether this device goes by what the server is now; then it remembers that.
    pub(super) fn goes_by(&mut self, told: Option<&SignedEpoch>) -> bool {
        let told = told.and_then(|told| told.verify(self.config.server_key));
        let back_to = match (told, &self.epoch) {
            (_, None) => None,
            // Who says nothing any more could be any old copy.
            (None, Some(_)) => Some(0),
            (Some(told), Some(known)) => told.parts_from(known),
        };
        // V118: what is known is not compared with what is told.
        if let (Some(back_to), Some(known)) = (back_to.filter(|_| !mutant!(V118)), &self.epoch) {
            event!(RollbackSeen { device: self.config.device.clone(), known: known.transactions, back_to });
            return false;
        }
        if let Some(told) = told {
            self.epoch = Some(told.clone());
        }
        true
    }

    /// Leaves a server that it does not go by. It tries again later: somebody may put the right store back.
    pub(super) fn turn_away(&mut self, now: SimTime) {
        self.channel.close(now);
        self.lose(now);
    }
}
