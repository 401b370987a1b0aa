//! A call that goes from one device of a user to another: at the device that has it, at the one that takes it, and at the
//! peer's.
//!
//! The peer's device goes on with another one only if three agree: the device that it talked to says, sealed and signed, who
//! takes the call; that one is in the user's list; and the offer is that one's. The server only carries.

use super::{Client, effects::camera_of};
use crate::{
    call::{Call, Extras, Mismatch, OfferRules, Offered, Own},
    engine::Peer,
    machine::{Event, ServerEvent, UserEvent},
};
use kernel::{
    ActorName, CallId, SimTime, Track, UserName,
    event::{CallStateName, Screen},
    mutant,
};
use protocol::{ClientMessage, PeerMessage, RelayGrant, SealedEnvelope};

/// Another device of the own user asks this one to take its call over.
pub(super) struct Asked {
    pub(super) call: CallId,
    pub(super) from: ActorName,
    pub(super) peer: UserName,
    pub(super) device: ActorName,
    pub(super) outgoing: bool,
    pub(super) video: bool,
}

/// The peer goes on with another of its devices.
pub(super) struct Moved {
    pub(super) call: CallId,
    pub(super) device: ActorName,
    pub(super) word: SealedEnvelope,
    pub(super) offer: SealedEnvelope,
}

impl Client {
    /// Shows the question, once it is known with whom the call is: a device of the peer's list.
    pub(super) fn asked_to_take_over(&mut self, asked: Asked, now: SimTime) {
        let Asked { call: id, from, peer, device, outgoing, video } = asked;
        let roster = self.account.roster();
        if roster.device(&self.user, &from).is_none() || roster.is_blocked(&peer) {
            return;
        }
        let Some(keys) = roster.device(&peer, &device).cloned() else {
            // Without the peer's keys there is nothing to offer to. The other device can ask again.
            return self.account.fetch_keys(peer, now);
        };
        if matches!(self.machine.state(), CallStateName::Idle | CallStateName::Ended) {
            let mut call = Call::asked(id, &self.user, &peer, from);
            call.peer = Some(keys);
            self.call = Some(call);
        }
        self.step(Event::Server(ServerEvent::HandOver { call: id, peer, outgoing, video }), now);
        // V162: the user accepted the call on the other device, and that is enough.
        if mutant!(V162) {
            self.step(Event::User(UserEvent::Accept { video }), now);
        }
    }

    pub(super) fn show_hand_over(&mut self, call: CallId) {
        let from = self.call.as_ref().and_then(|call| call.asked_by.clone());
        if let (Some(from), Some(dialog)) = (from, self.machine.dialog()) {
            let peer = dialog.peer.clone();
            self.show(Screen::HandedOver { call, peer, from });
        }
    }

    /// The user accepted here: offers to the peer's device.
    pub(super) fn take_over(&mut self, id: CallId, now: SimTime) {
        let Some(dialog) = self.machine.dialog().cloned() else { return };
        let Some(keys) = self.call.as_ref().and_then(|call| call.peer.clone()) else { return };
        self.moves += 1;
        self.show(Screen::Connecting { call: id, peer: dialog.peer.clone() });
        self.show_thread(&dialog.peer);
        let config = self.transport_config(id, keys.device.clone(), dialog.peer_video);
        let offered = Offered { to: &[keys], camera: dialog.video && dialog.peer_video };
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return };
        match call.make_offers(own, offered, config, &Extras::default(), &mut self.sealing, now) {
            Ok(offers) => {
                let Some(offer) = offers.into_iter().next() else { return };
                let message = ClientMessage::TakeOver { call: id, offer };
                call.invite = Some(message.clone());
                self.tell_server(message, now);
            }
            Err(mismatch) => self.refuse(&mismatch, now),
        }
    }

    /// Leaves the call to another device. Camera and microphone close first.
    pub(super) fn yield_call(&mut self, id: CallId, to: ActorName, now: SimTime) {
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return };
        if let Some(engine) = call.engine.as_mut().filter(|_| !mutant!(V161)) {
            engine.stop(now);
        }
        let Some(peer) = call.peer.clone() else { return };
        if let Some(word) = call.seal_to(own, &peer, &PeerMessage::HandedOver { to }, &mut self.sealing) {
            self.say_farewell(ClientMessage::Yield { call: id, word }, id, now);
        }
    }

    /// The server says that the peer goes on with another device. What does not fit is ignored: the call that is there stays.
    pub(super) fn moved(&mut self, moved: Moved, relays: &[RelayGrant], now: SimTime) {
        use CallStateName::{Connecting, Held, Live, Reconnecting};
        let Some(dialog) = self.machine.dialog().filter(|dialog| dialog.call == moved.call).cloned() else { return };
        let Some(peer) = self.call.as_ref().and_then(|call| call.peer.clone()) else { return };
        if peer.device == moved.device {
            // Said again, because the answer may have been lost.
            let answer = self.call.as_ref().and_then(Call::answer);
            let again = answer.map(|answer| ClientMessage::Rejoin { call: moved.call, answer });
            return again.into_iter().for_each(|message| self.tell_server(message, now));
        }
        if !matches!(self.machine.state(), Connecting | Live | Held | Reconnecting) {
            return;
        }
        let Some(keys) = self.account.roster().device(&dialog.peer, &moved.device).cloned() else {
            // There may be a longer list than the last that was seen, and the device says it again.
            return self.account.fetch_keys(dialog.peer, now);
        };
        // V164: it is a device of the peer's, and that is enough.
        if !self.is_handed_over_to(&moved) && !mutant!(V164) {
            return self.complain(&Mismatch::of("the peer did not say that it leaves the call to another device"));
        }
        self.moves += 1;
        let has_video = dialog.video || dialog.peer_video;
        let config = self.transport_config(moved.call, keys.device.clone(), has_video);
        let rules = OfferRules { video: dialog.video && dialog.peer_video, inline_candidates: false };
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return };
        match call.rejoin(own, (keys, moved.offer), config, rules, &mut self.sealing, now) {
            Ok(before) => {
                before.into_iter().for_each(|transport| self.release(transport, now));
                self.keys_agreed(now);
                self.step_with(Event::Server(ServerEvent::Moved { call: moved.call }), relays, now);
            }
            Err(mismatch) => self.complain(&mismatch),
        }
    }

    /// Whether the device that the call is with says so.
    fn is_handed_over_to(&mut self, moved: &Moved) -> bool {
        let own = Own { device: &self.device, identity: &self.identity };
        let word = self.call.as_mut().and_then(|call| call.open_from_peer(own, &moved.word));
        matches!(word, Some(PeerMessage::HandedOver { to }) if to == moved.device)
    }

    /// The answer goes out, and a path to the other device is sought. Capture goes on as it is.
    pub(super) fn go_on_with_other_device(&mut self, id: CallId, relays: &[RelayGrant], now: SimTime) {
        let Some(peer) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        self.show(Screen::Reconnecting { call: id, peer });
        let Some(call) = &mut self.call else { return };
        let (Some(device), Some(answer)) = (call.peer.as_ref().map(|keys| keys.device.clone()), call.answer()) else {
            return;
        };
        let index = camera_of(&self.peers, &device);
        let video = call.peer_video;
        if let (Some(keys), Some(engine)) = (call.take_keys(), &mut call.engine) {
            engine.rejoin(Peer { device, index, video }, keys, now);
            if let Some(transport) = &mut call.transport {
                transport.sends_video(engine.is_capturing(Track::Video));
            }
        }
        self.tell_server(ClientMessage::Rejoin { call: id, answer }, now);
        self.gather(relays, now);
        self.open_queued(now);
    }
}
