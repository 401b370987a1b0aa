//! What the server and, through it, the peer say about a call.

use super::{
    Client,
    takeover::{Asked, Moved},
};
use crate::{
    call::{Call, Own},
    config::Misbehaviour,
    machine::{Event, PeerEvent, ServerEvent},
};
use kernel::{
    ActorName, CallId, Micros, SimTime, Track, UserName, event,
    event::{AttackKind, CallStateName},
    mutant,
};
use protocol::{ClientMessage, DeviceKeys, PeerMessage, RelayGrant, SealedEnvelope, ServerMessage};

/// A ring as the server sends it.
#[derive(Clone)]
pub(super) struct Ring {
    call: CallId,
    from: UserName,
    caller: DeviceKeys,
    video: bool,
    /// How old the invite was when the ring came.
    age: Micros,
    came: SimTime,
    offer: SealedEnvelope,
}

impl Client {
    pub(super) fn keys_known(&mut self, user: &UserName, now: SimTime) {
        if let Some(ring) = self.unknown.take_if(|ring| ring.from == *user)
            && self.account.roster().device(user, &ring.caller.device).is_some()
        {
            self.rung(ring, now);
        }
        if self.waits_for_keys_of(user) {
            self.send_offers(now);
        }
    }

    /// The server gives no keys of somebody who may not be called: its answer to the call as well.
    pub(super) fn keys_refused(&mut self, user: &UserName, now: SimTime) {
        if self.waits_for_keys_of(user)
            && let Some(call) = self.machine.dialog().map(|dialog| dialog.call)
        {
            if self.misbehaves(Misbehaviour::AskAnyway) {
                return self.invite_anyway(call, user, now);
            }
            self.notice(call, "rejected");
            self.step(Event::Server(ServerEvent::Rejected { call }), now);
        }
    }

    fn waits_for_keys_of(&self, user: &UserName) -> bool {
        self.machine.state() == CallStateName::Outgoing
            && self.machine.dialog().is_some_and(|dialog| dialog.peer == *user)
            && self.call.as_ref().is_some_and(|call| call.transport.is_none())
    }

    pub(super) fn call_message(&mut self, message: ServerMessage, now: SimTime) {
        match message {
            ServerMessage::Ring { call, from, caller, video, age, offer, .. } => {
                self.rung(Ring { call, from, caller, video, age, came: now, offer }, now);
            }
            ServerMessage::Ringing { call } => self.callee_rings(call, now),
            ServerMessage::Accepted { call, device, answer, relays, .. } => {
                self.accepted(call, &device, answer.as_ref(), &relays, now);
            }
            ServerMessage::Elsewhere { call } => {
                self.confirmed(call);
                self.notice(call, "elsewhere");
                self.step(Event::Server(ServerEvent::Elsewhere { call }), now);
            }
            ServerMessage::Rejected { call } => {
                self.notice(call, "rejected");
                self.step(Event::Server(ServerEvent::Rejected { call }), now);
            }
            ServerMessage::Ended { call, reason } => {
                self.confirmed(call);
                self.notice(call, "ended");
                self.step(Event::Server(ServerEvent::Ended { call, reason }), now);
            }
            ServerMessage::Glare { call, other } => {
                self.step(Event::Server(ServerEvent::Glare { call, other }), now);
            }
            ServerMessage::HandOver { call, from, peer, device, outgoing, video } => {
                self.asked_to_take_over(Asked { call, from, peer, device, outgoing, video }, now);
            }
            ServerMessage::Taken { call, by } => self.step(Event::Server(ServerEvent::Taken { call, by }), now),
            ServerMessage::HandOverDeclined { call } => self.notice(call, "hand_over_declined"),
            ServerMessage::Moved { call, device, word, offer, relays } => {
                self.moved(Moved { call, device, word, offer }, &relays, now);
            }
            ServerMessage::FromPeer { call, body } => self.peer_message(call, body, now),
            // The account took the others.
            _ => {}
        }
    }

    /// The server says that a call is over for this device: it needs no telling, and does not ring any more.
    fn confirmed(&mut self, call: CallId) {
        self.insistence.confirmed(call);
        self.unknown.take_if(|ring| ring.call == call);
    }

    pub(super) fn notice(&self, call: CallId, message: &str) {
        event!(Notice { device: self.device.clone(), call, message: message.to_owned() });
    }

    /// Looks at the outer fields only; the offer stays sealed until the user accepts.
    fn rung(&mut self, ring: Ring, now: SimTime) {
        let Ring { call: id, from, caller, video, age, came, offer } = ring;
        if self.rung_again(id, now) {
            return;
        }
        if caller.user != from || self.account.roster().is_blocked(&from) {
            return;
        }
        // A device is known by its user's list, whatever the server says of its keys. If it is not in the last list that was
        // seen there may be a longer one.
        let Some(caller) = self.account.roster().device(&from, &caller.device).cloned() else {
            self.account.fetch_keys(from.clone(), now);
            self.unknown = Some(Ring { call: id, from, caller, video, age, came, offer });
            return;
        };
        let call = Call::incoming(id, &self.user, caller, offer);
        if !call.offer_is_for(&self.device) {
            return;
        }
        match self.machine.state() {
            CallStateName::Idle | CallStateName::Ended => self.call = Some(call),
            CallStateName::Outgoing if self.machine.dialog().is_some_and(|dialog| dialog.peer == from) => {
                self.crossing = Some(call);
            }
            _ if self.machine.lets_wait() => self.waiting = Some(call),
            _ => {}
        }
        let age = Micros(age.0.saturating_add(now.since(came).0));
        self.step(Event::Server(ServerEvent::Ring { call: id, peer: from, video, age }), now);
    }

    fn accepted(
        &mut self,
        call: CallId,
        device: &ActorName,
        answer: Option<&SealedEnvelope>,
        relays: &[RelayGrant],
        now: SimTime,
    ) {
        let Some(dialog) = self.machine.dialog().filter(|dialog| dialog.call == call).cloned() else { return };
        let verified = match (self.machine.state(), answer) {
            // The server's word about this device's own answer: there is nothing to verify.
            (CallStateName::Accepting, _) if !dialog.takes_over => true,
            (CallStateName::Outgoing | CallStateName::Accepting, Some(answer)) => {
                let devices = self.account.roster().devices(&dialog.peer);
                self.take_answer(device, answer, &devices, now)
            }
            (CallStateName::Outgoing | CallStateName::Accepting, None) => false,
            // Accepted twice, or before this user did: no row of the table.
            _ => return,
        };
        self.step_with(Event::Server(ServerEvent::Accepted { call, verified }), relays, now);
    }

    /// A sealed message of the peer. Before `Accepted` it waits un-opened: nothing that a peer says can consent.
    fn peer_message(&mut self, id: CallId, sealed: SealedEnvelope, now: SimTime) {
        use CallStateName::{Connecting, Held, Live, Reconnecting};
        let early = mutant!(V02) || mutant!(V03);
        let open = matches!(self.machine.state(), Connecting | Live | Reconnecting | Held);
        let Some(call) = self.call.as_mut().filter(|call| call.id == id) else { return };
        if open || early {
            self.open_peer_message(&sealed, now);
        } else {
            call.queue(sealed);
        }
    }

    /// Opens what waited for `Accepted`.
    pub(super) fn open_queued(&mut self, now: SimTime) {
        let queued = self.call.as_mut().map(Call::take_queued).unwrap_or_default();
        queued.iter().for_each(|sealed| self.open_peer_message(sealed, now));
    }

    fn open_peer_message(&mut self, sealed: &SealedEnvelope, now: SimTime) {
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(message) = self.call.as_mut().and_then(|call| call.open_from_peer(own, sealed)) else { return };
        match message {
            PeerMessage::Candidate(line) => {
                if let Some(transport) = self.call.as_mut().and_then(|call| call.transport.as_mut()) {
                    transport.add_remote_candidate(&line, now);
                }
            }
            PeerMessage::ClaimAccepted => self.step(Event::Peer(PeerEvent::ClaimAccepted), now),
            PeerMessage::Update => self.step(Event::Peer(PeerEvent::Update), now),
            PeerMessage::Hold => self.step(Event::Peer(PeerEvent::Hold), now),
            PeerMessage::Resume => self.step(Event::Peer(PeerEvent::Resume), now),
            PeerMessage::Restart(question) => self.answer_restart(&question, now),
            PeerMessage::Restarted(answer) => self.finish_restart(&answer, now),
            // An offer or answer comes in an envelope of its own kind, and the word of a device that leaves with the offer of
            // the one that goes on.
            PeerMessage::Offer(_) | PeerMessage::Answer(_) | PeerMessage::HandedOver { .. } => {}
        }
    }

    /// The planted bugs V03, V11 and V12: the description of a ringing call is applied, and the device sends; of a live one
    /// the camera opens.
    pub(super) fn capture_unasked(&mut self, now: SimTime) {
        let Some(peer) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        let rings = self.machine.state() == CallStateName::Incoming;
        if !rings || self.make_answer(true, now).is_ok() {
            self.start_capture(&peer, &[Track::Audio, Track::Video], now);
        }
    }

    fn callee_rings(&mut self, id: CallId, now: SimTime) {
        let ours = self.machine.dialog().is_some_and(|dialog| dialog.call == id);
        let first = ours && !std::mem::replace(&mut self.insistence.rings, true);
        if !first || self.machine.state() != CallStateName::Outgoing {
            return;
        }
        if self.misbehaves(Misbehaviour::ForgeConsent) {
            self.forge_consent(id, now);
        }
        if self.misbehaves(Misbehaviour::AcceptOwnCall) {
            self.accept_own_call(id, now);
        }
        if self.misbehaves(Misbehaviour::ActForAnother) {
            self.act_for_another(id, now);
        }
    }

    /// Against the protocol: claims the callee's consent while the callee's devices ring.
    fn forge_consent(&mut self, id: CallId, now: SimTime) {
        let Some(callee) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        for device in self.account.roster().devices(&callee) {
            for message in [PeerMessage::ClaimAccepted, PeerMessage::Update] {
                let own = Own { device: &self.device, identity: &self.identity };
                let Some(call) = &mut self.call else { return };
                let Some(body) = call.seal_to(own, &device, &message, &mut self.sealing) else { continue };
                let (kind, target, detail) = (AttackKind::ForgeConsent, device.device.clone(), format!("{message:?}"));
                event!(Attack { kind, target, call: Some(id), detail });
                self.tell_server(ClientMessage::ToPeer { call: id, body }, now);
            }
        }
    }
}
