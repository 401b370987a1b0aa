//! How far the server's store was when this device heard of it last. A server that is less far, or whose history parts from
//! that one, runs on an old copy: what was revoked or blocked since may be good again there.

use super::{Account, Request};
use kernel::{SimTime, event, mutant};
use protocol::{RequestId, SignedEpoch};

impl Account {
    /// Whether this device goes by what the server is now; then it remembers that.
    pub(super) fn goes_by(&mut self, told: Option<&SignedEpoch>) -> bool {
        let key = self.config.server_key;
        let told = told.filter(|told| told.verify(key).is_some());
        let known = self.epoch.as_ref().and_then(|known| known.verify(key));
        let back_to = match (told.and_then(|told| told.verify(key)), known) {
            (_, None) => None,
            // Who says nothing any more could be any old copy.
            (None, Some(_)) => Some(0),
            (Some(told), Some(known)) => told.parts_from(known),
        };
        // V118: what is known is not compared with what is told.
        if let (Some(back_to), Some(known)) = (back_to.filter(|_| !mutant!(V118)), known) {
            event!(RollbackSeen { device: self.config.device.clone(), known: known.transactions, back_to });
            return false;
        }
        if let Some(told) = told {
            self.epoch = Some(told.clone());
        }
        true
    }

    /// The server refuses the session of this device. A server that this device does not go by says nothing with that: an old
    /// copy knows no session that began since.
    pub(super) fn session_refused(&mut self, told: Option<&SignedEpoch>, now: SimTime) {
        match self.goes_by(told) {
            true => self.log_out(),
            false => self.turn_away(now),
        }
    }

    pub(super) fn not_attached(&mut self, request: RequestId, told: Option<&SignedEpoch>, now: SimTime) {
        let is_asked = matches!(self.requests.remove(&request), Some(Request::SignIn)) && self.token.is_some();
        if is_asked {
            self.session_refused(told, now);
        }
    }

    /// Leaves a server that it does not go by. It tries again later: somebody may put the right store back.
    pub(super) fn turn_away(&mut self, now: SimTime) {
        self.channel.close(now);
        self.lose(now);
    }
}
