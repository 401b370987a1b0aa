//! A live call whose path broke: the ICE restart, in the sealed and signed messages of the peers.

use super::Client;
use crate::{
    call::{Mismatch, Own},
    config::Misbehaviour,
    transport::{RestartError, Transport},
};
use kernel::{
    CallId, SimTime,
    event::{CallStateName, Screen},
};
use protocol::{ClientMessage, PathDescription, PeerMessage};

impl Client {
    pub(super) fn reconnect(&mut self, call: CallId, now: SimTime) {
        let Some(peer) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        self.show(Screen::Reconnecting { call, peer });
        self.ask_restart(now);
    }

    /// The connection to signaling is there again: what may have been lost with the old one is said again.
    pub(super) fn resume(&mut self, now: SimTime) {
        self.insistence.resumed();
        self.insist(now);
        if self.machine.state() == CallStateName::Reconnecting {
            self.ask_restart(now);
        }
    }

    /// Asks the peer for an ICE restart. Without a connection to signaling it waits for [`Client::resume`]: a queue of
    /// old questions would help nobody.
    pub(super) fn ask_restart(&mut self, now: SimTime) {
        if self.account.is_signed_in()
            && let Some(mut question) = self.transport().and_then(|transport| transport.ask_restart(now))
        {
            if self.misbehaves(Misbehaviour::ChangeFingerprint) {
                question.fingerprint = format!("sha-256 {}", ["EE"; 32].join(":"));
            }
            self.tell_peer(&PeerMessage::Restart(question), now);
        }
    }

    pub(super) fn answer_restart(&mut self, question: &PathDescription, now: SimTime) {
        // When both ask at once the caller's restart goes on.
        let wins = self.machine.dialog().is_some_and(|dialog| dialog.outgoing);
        let Some(transport) = self.transport() else { return };
        match transport.answer_restart(question, wins, now) {
            Ok(Some(answer)) => self.tell_peer(&PeerMessage::Restarted(answer), now),
            Ok(None) => {}
            Err(error) => self.restart_failed(&error, now),
        }
    }

    pub(super) fn finish_restart(&mut self, answer: &PathDescription, now: SimTime) {
        let Some(transport) = self.transport() else { return };
        if let Err(error) = transport.finish_restart(answer, now) {
            self.restart_failed(&error, now);
        }
    }

    /// Another certificate ends the call; a restart that cannot be used does not, since the old path may still work.
    fn restart_failed(&mut self, error: &RestartError, now: SimTime) {
        match error {
            RestartError::Fingerprint => self.refuse(&Mismatch::of(error), now),
            RestartError::Refused(_) => self.complain(error),
        }
    }

    pub(super) fn tell_peer(&mut self, message: &PeerMessage, now: SimTime) {
        let own = Own { device: &self.device, identity: &self.identity };
        let Some(call) = &mut self.call else { return };
        let Some(peer) = call.peer.clone() else { return };
        let id = call.id;
        if let Some(body) = call.seal_to(own, &peer, message, &mut self.sealing) {
            self.tell_server(ClientMessage::ToPeer { call: id, body }, now);
        }
    }

    fn transport(&mut self) -> Option<&mut Transport> {
        self.call.as_mut()?.transport.as_mut()
    }
}
