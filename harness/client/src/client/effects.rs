//! The machine's transitions and what they make the client do.

use super::Client;
use crate::{
    call::{Call, Mismatch, OfferRules, Offered, Own},
    config::{Misbehaviour, Output, Work},
    engine::{Engine, EngineConfig},
    machine::{ANSWER_LIMIT, CONNECTING_LIMIT, Effect, Event, PathEvent, RECONNECTING_LIMIT, RING_LIMIT, Transition},
};
use kernel::{
    ActorName, CallId, Micros, SimTime, Track, UserName, event,
    event::{AttackKind, CallStateName, EndReason, Screen},
    mutant,
};
use protocol::{ClientMessage, DeviceKeys, PeerMessage, RelayGrant, SealedEnvelope};

impl Client {
    /// Gives an event to the machine and does what its transition asks for.
    pub(super) fn step(&mut self, event: Event, now: SimTime) {
        self.step_with(event, &[], now);
    }

    /// As [`Client::step`], with the relays that came with the server's `Accepted`.
    pub(super) fn step_with(&mut self, event: Event, relays: &[RelayGrant], now: SimTime) {
        if let Some(transition) = self.machine.handle(event, now) {
            self.take(transition, relays, now);
        }
    }

    fn take(&mut self, transition: Transition, relays: &[RelayGrant], now: SimTime) {
        let Transition { call, from, to, because, effects } = transition;
        if from != to {
            event!(CallState { device: self.device.clone(), call: Some(call), from, to, because: because.to_owned() });
            self.note_pending(call, to);
            self.insistence.entered(to, now);
        }
        for effect in effects {
            self.apply(effect, call, relays, now);
        }
        if let Some(transition) = self.machine.ring_on() {
            self.take(transition, &[], now);
        }
    }

    fn apply(&mut self, effect: Effect, call: CallId, relays: &[RelayGrant], now: SimTime) {
        match effect {
            Effect::Invite => self.invite(call, now),
            Effect::Ring => self.ring(call, now),
            Effect::RingBeside => self.ring_beside(call, now),
            Effect::ShowRing => self.ring_on(),
            Effect::EndWaiting(reason) => self.end_waiting(call, reason, now),
            Effect::DeclineWaiting => self.say_farewell(ClientMessage::Decline { call }, call, now),
            Effect::AskHandOver(to) => self.tell_server(ClientMessage::HandOver { call, to }, now),
            Effect::ShowHandOver => self.show_hand_over(call),
            Effect::TakeOver => self.take_over(call, now),
            Effect::Yield(to) => self.yield_call(call, to, now),
            Effect::Rejoin => self.go_on_with_other_device(call, relays, now),
            Effect::Answer => self.answer(call, now),
            Effect::Connect => self.connect(call, relays, now),
            Effect::GoLive => self.go_live(call, now),
            Effect::Reconnect => self.reconnect(call, now),
            Effect::SwitchOff(track) => self.switch(track, false, now),
            Effect::SwitchOn(track) => self.switch(track, true, now),
            Effect::KeepRing => {}
            Effect::GiveUp(own) => self.give_up(own, now),
            Effect::Hold => self.hold(call, now),
            Effect::ShowHold => self.show_hold(call),
            Effect::Resume => self.take_up(call, now),
            Effect::TellHold => self.tell_peer(&PeerMessage::Hold, now),
            Effect::TellResume => self.tell_peer(&PeerMessage::Resume, now),
            Effect::ShowRequest => self.show_request(call),
            Effect::CaptureUnasked => self.capture_unasked(now),
            Effect::SendBusy(other) => self.tell_server(ClientMessage::Busy { call: other }, now),
            Effect::SendDecline => self.say_farewell(ClientMessage::Decline { call }, call, now),
            Effect::SendCancel => self.say_farewell(ClientMessage::Cancel { call }, call, now),
            Effect::SendHangUp => self.say_farewell(ClientMessage::HangUp { call }, call, now),
            Effect::End(reason) => self.end(call, reason, now),
        }
    }

    fn note_pending(&self, call: CallId, state: CallStateName) {
        let (awaits, limit) = match state {
            CallStateName::Outgoing => ("answer", ANSWER_LIMIT),
            CallStateName::Incoming => ("user", RING_LIMIT),
            CallStateName::Accepting => ("server-accept", CONNECTING_LIMIT),
            CallStateName::Connecting => ("ice", CONNECTING_LIMIT),
            CallStateName::Reconnecting => ("path", RECONNECTING_LIMIT),
            CallStateName::Idle | CallStateName::Live | CallStateName::Held | CallStateName::Ended => return,
        };
        self.await_for(call, awaits, limit);
    }

    pub(super) fn await_for(&self, call: CallId, awaits: &str, limit: Micros) {
        event!(Pending { device: self.device.clone(), call, awaits: awaits.to_owned(), limit });
    }

    fn invite(&mut self, call: CallId, now: SimTime) {
        let Some(callee) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        self.show(Screen::Outgoing { call, peer: callee.clone() });
        self.show_thread(&callee);
        self.call = Some(Call::outgoing(call, &self.user, &callee));
        if self.account.roster().devices(&callee).is_empty() {
            self.account.fetch_keys(callee, now);
        } else {
            self.send_offers(now);
        }
    }

    /// Seals the offer to each device of the callee and invites.
    pub(super) fn send_offers(&mut self, now: SimTime) {
        let Some(dialog) = self.machine.dialog().cloned() else { return };
        let devices = self.account.roster().devices(&dialog.peer);
        let first = devices.first().map_or_else(|| "".into(), |keys| keys.device.clone());
        let config = self.transport_config(dialog.call, first, dialog.video);
        let extras = self.extras();
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return };
        let offered = Offered { to: &devices, camera: dialog.video };
        match call.make_offers(own, offered, config, &extras, &mut self.sealing, now) {
            Ok(offers) => {
                let invite = ClientMessage::Invite { call: dialog.call, to: dialog.peer, video: dialog.video, offers };
                call.invite = Some(invite.clone());
                self.tell_server(invite, now);
            }
            Err(mismatch) => self.refuse(&mismatch, now),
        }
    }

    fn ring(&mut self, call: CallId, now: SimTime) {
        let Some(dialog) = self.machine.dialog().cloned() else { return };
        let (device, user, caller) = (self.device.clone(), self.user.clone(), dialog.peer.clone());
        event!(Ring { device, user, caller, call });
        self.show_ring(&dialog, false);
        self.tell_server(ClientMessage::Ringing { call }, now);
        self.look_into_offer(call);
        if mutant!(V04) && self.make_answer(dialog.peer_video, now).is_ok() {
            // Candidates inside the offer count, and ICE starts while it rings.
            self.gather(&[], now);
        }
    }

    fn answer(&mut self, call: CallId, now: SimTime) {
        let Some(dialog) = self.machine.dialog().cloned() else { return };
        self.show(Screen::Connecting { call, peer: dialog.peer.clone() });
        self.show_thread(&dialog.peer);
        match self.make_answer(dialog.video, now) {
            Ok(answer) => self.tell_server(ClientMessage::Accept { call, answer }, now),
            Err(mismatch) => self.refuse(&mismatch, now),
        }
    }

    /// Opens the offer and answers it.
    pub(super) fn make_answer(&mut self, video: bool, now: SimTime) -> Result<SealedEnvelope, Mismatch> {
        let offered = self.machine.dialog().is_some_and(|dialog| dialog.peer_video);
        let peer = self.call.as_ref().and_then(|call| call.peer.clone());
        let (id, peer) = match (&self.call, peer) {
            (Some(call), Some(peer)) => (call.id, peer),
            _ => return Err(Mismatch::of("no call rings")),
        };
        let config = self.transport_config(id, peer.device.clone(), offered);
        let rules = OfferRules { video: video && offered, inline_candidates: mutant!(V04) };
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return Err(Mismatch::of("no call rings")) };
        let answer = call.make_answer(own, config, rules, &mut self.sealing, now)?;
        self.keys_agreed(now);
        Ok(answer)
    }

    /// Takes the answer; false when it does not fit.
    pub(super) fn take_answer(
        &mut self,
        device: &ActorName,
        answer: &SealedEnvelope,
        devices: &[DeviceKeys],
        now: SimTime,
    ) -> bool {
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return false };
        let taken = call.take_answer(own, devices, device, answer).is_ok();
        if taken {
            self.keys_agreed(now);
        }
        taken
    }

    pub(super) fn keys_agreed(&mut self, now: SimTime) {
        let key = self.call.as_ref().and_then(|call| call.announce_secrets(&self.device));
        if let Some(key) = key {
            self.account.escrow(&key, now);
        }
    }

    /// Media may flow: both users consented and the server says that the call exists.
    fn connect(&mut self, call: CallId, relays: &[RelayGrant], now: SimTime) {
        self.crossing = None;
        let Some(dialog) = self.machine.dialog().cloned() else { return };
        if dialog.outgoing {
            self.show(Screen::Connecting { call, peer: dialog.peer.clone() });
        }
        let video = dialog.video && dialog.peer_video;
        if mutant!(V05) {
            self.queue_capture(video);
        } else {
            self.start_capture(&dialog.peer, tracks(video), now);
        }
        for (how, kind) in [
            (Misbehaviour::ProbeInternal, AttackKind::ProbeInternal),
            (Misbehaviour::HoardAllocations, AttackKind::HoardAllocations),
        ] {
            if self.misbehaves(how) {
                self.announce(kind, call, "with a valid credential");
            }
        }
        self.gather(relays, now);
        self.open_queued(now);
    }

    /// The planted bug V05: everything that was offered is opened, and what the user did not accept is kept off by work of
    /// its own. It is queued first.
    fn queue_capture(&mut self, video: bool) {
        if !video {
            self.outputs.push_back(Output::Queue(Work::KeepCameraOff));
        }
        self.outputs.push_back(Output::Queue(Work::OpenTracks));
    }

    /// Does what V05 queued.
    pub(super) fn work(&mut self, work: Work, now: SimTime) {
        let (Some(call), Some(dialog)) = (&mut self.call, self.machine.dialog().cloned()) else { return };
        match work {
            Work::KeepCameraOff => {
                call.keeps_camera_off = true;
                self.switch(Track::Video, false, now);
            }
            Work::OpenTracks => {
                let video = !call.keeps_camera_off;
                self.start_capture(&dialog.peer, tracks(video), now);
            }
        }
    }

    /// Makes the engine and switches capture on.
    pub(super) fn start_capture(&mut self, tile: &UserName, tracks: &[Track], now: SimTime) {
        let Some(call) = &mut self.call else { return };
        let Some(peer) = call.peer.as_ref().map(|keys| keys.device.clone()) else { return };
        if let Some(frame_keys) = call.take_keys() {
            let config = EngineConfig {
                device: self.device.clone(),
                peer_index: camera_of(&self.peers, &peer),
                peer,
                tile: tile.clone(),
                index: self.index,
                class: self.class,
                media: self.media.clone(),
                seeds: self.seeds.child("engine").child(&seeds_of(call.id, self.moves)),
                frame_keys,
                peer_video: call.peer_video,
            };
            call.engine = Some(Engine::new(config, now));
        }
        let (closed, open): (Vec<Track>, Vec<Track>) = tracks.iter().partition(|track| self.denied.contains(track));
        if let Some(engine) = &mut call.engine {
            engine.start(&open, call.id, now);
            closed.iter().for_each(|track| engine.keep_off(*track, now));
        }
        if let Some(transport) = call.transport.as_mut().filter(|_| closed.contains(&Track::Video)) {
            transport.sends_video(false);
        }
    }

    pub(super) fn gather(&mut self, relays: &[RelayGrant], now: SimTime) {
        if let Some(transport) = self.call.as_mut().and_then(|call| call.transport.as_mut()) {
            transport.gather(relays, self.stun, now);
        }
    }

    pub(super) fn go_live(&mut self, id: CallId, now: SimTime) {
        let Some(peer) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        let Some(call) = &mut self.call else { return };
        if let Some(engine) = &mut call.engine {
            // What was encoded before the path was there is lost: begin with a frame that needs no other.
            engine.key_frame_requested(now);
        }
        let safety_number = call.safety_number.clone();
        self.show(Screen::Live { call: id, peer, safety_number });
        if !self.misbehaviour.is_empty() {
            self.ask_for_camera(id, now);
        }
    }

    /// Switches an own track; without video there is no rate to look for.
    pub(super) fn switch(&mut self, track: Track, on: bool, now: SimTime) {
        if on && self.is_denied(track) {
            return;
        }
        let Some(call) = &mut self.call else { return };
        let Some(engine) = &mut call.engine else { return };
        if on {
            engine.switch_on(track, now);
        } else {
            engine.switch_off(track, now);
        }
        if let (Track::Video, Some(transport)) = (track, &mut call.transport) {
            transport.sends_video(engine.is_capturing(Track::Video));
        }
    }

    /// Says in the log of the device what was not taken.
    pub(super) fn complain(&self, of: &impl ToString) {
        let (actor, level, line) = (self.device.clone(), "warn".to_owned(), of.to_string());
        event!(LogLine { actor, level, line });
    }

    pub(super) fn refuse(&mut self, mismatch: &Mismatch, now: SimTime) {
        self.complain(mismatch);
        self.step(Event::Path(PathEvent::Mismatch), now);
    }

    fn end(&mut self, id: CallId, reason: EndReason, now: SimTime) {
        self.crossing = None;
        let had_part = |call: &Call| call.is_incoming() || call.engine.is_some();
        let leaves_row = self.insistence.rings || self.call.as_ref().is_some_and(had_part);
        if leaves_row && !matches!(reason, EndReason::Elsewhere | EndReason::Unavailable | EndReason::HandedOver) {
            self.account.expect_row(id, now);
        }
        if let Some(mut call) = self.call.take() {
            if let Some(engine) = &mut call.engine {
                engine.stop(now);
            }
            let going_on = call.engine.as_ref().is_some_and(|engine| engine.next_wake().is_some());
            if going_on {
                self.ended = Some(call);
            } else {
                self.drop_call(call, now);
            }
        }
        self.insistence.passed(id);
        event!(Ended { device: self.device.clone(), call: id, reason });
        self.show(Screen::Over { call: id, reason });
    }
}

/// The number in the mark of a device's camera, which only the probe reads: without an entry one that no camera writes.
pub(super) fn camera_of(peers: &[(UserName, ActorName, u8)], device: &ActorName) -> u8 {
    peers.iter().find(|(_, known, _)| known == device).map_or(u8::MAX, |(_, _, index)| *index)
}

/// Names what is drawn for a call: each time that it comes to a device, or to another one of the peer's, anew.
pub(super) fn seeds_of(call: CallId, moves: u32) -> String {
    if moves == 0 { call.to_string() } else { format!("{call} move {moves}") }
}

/// The tracks of a call with or without the own camera.
fn tracks(video: bool) -> &'static [Track] {
    if video { &[Track::Audio, Track::Video] } else { &[Track::Audio] }
}
