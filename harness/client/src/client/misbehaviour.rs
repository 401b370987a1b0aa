//! What a hostile client does with each frame that it gets. The reference client never comes here.

use super::Client;
use crate::{call::Own, config::Misbehaviour};
use kernel::{ActorName, CallId, SimTime, UserName, event, event::AttackKind};
use protocol::{ClientMessage, PeerMessage};

/// How many third parties a client names that lists them.
const THIRD_PARTIES: usize = 1_000;
/// How many it names with one frame: the server works off no more.
const AT_ONCE: usize = 3;
/// How many handles a client looks up that enumerates them.
const HANDLES: usize = 40;

impl Client {
    pub(super) fn misbehave(&mut self, now: SimTime) {
        let Some(call) = &self.call else { return };
        let id = call.id;
        if self.misbehaves(Misbehaviour::FloodKeyFrames) {
            self.announce(AttackKind::FloodKeyFrames, id, "asks for a key frame with every frame");
            if let Some(transport) = self.call.as_mut().and_then(|call| call.transport.as_mut()) {
                transport.request_key_frame(now);
            }
        }
        if self.misbehaves(Misbehaviour::ListThirdParties) {
            self.announce(AttackKind::ListThirdParties, id, "names a thousand addresses of third parties");
            for _ in 0..AT_ONCE {
                self.list_third_party(id, now);
            }
        }
    }

    /// Accepts the own call in the callee's place.
    pub(super) fn accept_own_call(&mut self, id: CallId, now: SimTime) {
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return };
        let Some(answer) = call.seal_own_answer(own, &mut self.sealing) else { return };
        self.announce(AttackKind::AcceptOwnCall, id, "accepts for the callee");
        self.tell_server(ClientMessage::Accept { call: id, answer }, now);
    }

    /// Asks the server for what only the callee may ask for.
    pub(super) fn act_for_another(&mut self, id: CallId, now: SimTime) {
        let Some(callee) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        self.announce(AttackKind::ActForAnother, id, "asks to log the callee out and to change the callee's password");
        self.account.act_for(&callee, now);
    }

    /// Invites somebody whose keys the server refuses, with an offer that nobody can open, at the device that people
    /// mostly have.
    pub(super) fn invite_anyway(&mut self, id: CallId, callee: &UserName, now: SimTime) {
        let device = ActorName::from(format!("{callee}-phone"));
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return };
        let Some(offer) = call.seal_nothing(own, &device, &mut self.sealing) else { return };
        self.announce(AttackKind::AskAnyway, id, "invites without keys");
        let invite = ClientMessage::Invite { call: id, to: callee.clone(), video: true, offers: vec![offer] };
        self.tell_server(invite, now);
    }

    /// Looks a handle up; a hostile client as many as it can think of.
    pub(super) fn look_up(&mut self, handle: UserName, now: SimTime) {
        if self.misbehaves(Misbehaviour::EnumerateHandles) {
            let (kind, target) = (AttackKind::EnumerateHandles, self.device.clone());
            event!(Attack { kind, target, call: None, detail: format!("looks {HANDLES} handles up") });
            (0..HANDLES).for_each(|n| self.account.look_up(format!("{handle}-{n}").into(), now));
        }
        self.account.look_up(handle, now);
    }

    /// Asks for the callee's camera, once.
    pub(super) fn ask_for_camera(&mut self, id: CallId, now: SimTime) {
        if self.misbehaves(Misbehaviour::AskForCamera) && !self.announced.contains(&AttackKind::AskForCamera) {
            self.announce(AttackKind::AskForCamera, id, "asks for the camera that the user did not accept with");
            self.tell_peer(&PeerMessage::Update, now);
        }
    }

    fn list_third_party(&mut self, id: CallId, now: SimTime) {
        if self.listed == THIRD_PARTIES {
            return;
        }
        let (host, port) = (100 + self.listed % 100, 7_000 + self.listed / 100);
        self.listed += 1;
        let line = format!("candidate:{} 1 udp 2130706431 198.51.100.{host} {port} typ host", self.listed);
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return };
        let Some(peer) = call.peer.clone() else { return };
        if let Some(body) = call.seal_to(own, &peer, &PeerMessage::Candidate(line), &mut self.sealing) {
            self.tell_server(ClientMessage::ToPeer { call: id, body }, now);
        }
    }

    /// Tells the oracle once of each kind of attack.
    pub(super) fn announce(&mut self, kind: AttackKind, call: CallId, detail: &str) {
        if self.announced.insert(kind) {
            // Who is called has no device in the call before the answer.
            let called = self.machine.dialog().map(|dialog| self.account.roster().devices(&dialog.peer));
            let peer = self.call.as_ref().and_then(|call| call.peer.clone());
            let target =
                peer.or_else(|| called?.into_iter().next()).map_or_else(|| self.device.clone(), |keys| keys.device);
            event!(Attack { kind, target, call: Some(call), detail: detail.to_owned() });
        }
    }
}
