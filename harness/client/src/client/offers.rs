//! What an offer says before its call is accepted: nothing that counts. Who calls is known from the roster, and the offer stays
//! sealed. What a hostile caller writes into it is here too, and the planted bugs that fall for it.

use super::Client;
use crate::{
    call::{Extras, Own},
    config::Misbehaviour,
};
use kernel::{ActorName, CallId, UserName, event, event::AttackKind, mutant, random};
use protocol::SessionDescription;
use std::net::IpAddr;
use str0m::change::SdpOffer;

/// What a hostile caller wants to be taken for.
const ASSUMED_NAME: &str = "your-bank";
/// Who answers for the names that a hostile caller wants to be asked for.
const TRACKER: &str = "tracker.example";

impl Client {
    /// Who calls, and with which device, as the ring screen shows it.
    pub(super) fn caller_shown(&self, caller: &UserName, waits: bool) -> (UserName, ActorName) {
        let call = self.waiting.as_ref().filter(|_| waits).or(self.call.as_ref());
        let keys = call.and_then(|call| call.peer.as_ref());
        let device = keys.map_or_else(|| "".into(), |keys| keys.device.clone());
        // V111: the screen is made from what the caller wrote.
        let written = if mutant!(V111) { self.peek_offer().and_then(|offer| offer.name) } else { None };
        (written.map_or_else(|| caller.clone(), |name| name.as_str().into()), device)
    }

    /// The planted bugs V70 and V84: an offer is looked into while it rings, to save time after the accept.
    pub(super) fn look_into_offer(&self, id: CallId) {
        if !mutant!(V70) && !mutant!(V84) {
            return;
        }
        let Some(offer) = self.peek_offer() else { return };
        let (device, call) = (self.device.clone(), Some(id));
        if mutant!(V84) {
            event!(ParserEntered { device: device.clone(), call: id, parser: "sdp".to_owned() });
            let _scope = random::scope("str0m");
            let _ = SdpOffer::from_sdp_string(&offer.sdp);
        }
        if mutant!(V70) {
            for name in offer.sdp.lines().filter_map(host_name) {
                event!(Dns { device: device.clone(), call, name: name.to_owned() });
            }
        }
    }

    /// What this client writes into its offers against the protocol.
    pub(super) fn extras(&mut self) -> Extras {
        let id = self.call.as_ref().map(|call| call.id);
        let named = self.misbehaves(Misbehaviour::NameInOffer).then(|| ASSUMED_NAME.to_owned());
        let host = self.misbehaves(Misbehaviour::HostNameInOffer);
        let host_name = id.filter(|_| host).map(|id| format!("{id}.{TRACKER}"));
        let candidates = self.misbehaves(Misbehaviour::CandidatesInOffer);
        if let Some(id) = id.filter(|_| named.is_some() || host || candidates) {
            self.announce(AttackKind::DressUpOffer, id, "writes into its offer what does not belong there");
        }
        Extras { candidates, host_name, name: named }
    }

    fn peek_offer(&self) -> Option<SessionDescription> {
        let own = Own { device: &self.device, identity: &self.identity };
        self.call.as_ref()?.peek_offer(own)
    }
}

/// The address of a candidate line (RFC 8839 section 5.1), where it is a name.
fn host_name(line: &str) -> Option<&str> {
    let address = line.strip_prefix("a=candidate:")?.split_whitespace().nth(4)?;
    address.parse::<IpAddr>().is_err().then_some(address)
}
