//! A call on hold, and two calls that cross: what changes hands without a call ending for its users.

use super::Client;
use kernel::{
    CallId, SimTime, Track, event,
    event::{EndReason, Screen},
};

impl Client {
    /// Closes what is open; the frames without content that follow keep the path alive.
    pub(super) fn hold(&mut self, call: CallId, now: SimTime) {
        let engine = self.call.as_ref().and_then(|call| call.engine.as_ref());
        let open: Vec<Track> = [Track::Audio, Track::Video]
            .into_iter()
            .filter(|track| engine.is_some_and(|engine| engine.is_capturing(*track)))
            .collect();
        open.iter().for_each(|track| self.switch(*track, false, now));
        if let Some(call) = &mut self.call {
            call.held = open;
        }
        self.show_hold(call);
    }

    pub(super) fn show_hold(&mut self, call: CallId) {
        let by_peer = self.machine.is_held_by_peer();
        let Some(peer) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        self.show(Screen::Held { call, peer, by_peer });
    }

    /// Opens what the hold closed, and nothing else.
    pub(super) fn take_up(&mut self, id: CallId, now: SimTime) {
        let held = self.call.as_mut().map(|call| std::mem::take(&mut call.held)).unwrap_or_default();
        held.into_iter().for_each(|track| self.switch(track, true, now));
        self.go_live(id, now);
    }

    pub(super) fn show_request(&mut self, call: CallId) {
        let Some(peer) = self.machine.dialog().map(|dialog| dialog.peer.clone()) else { return };
        self.show(Screen::CameraAsked { call, peer });
    }

    /// The own call never was: the server has the other side's, which rings from now on.
    pub(super) fn give_up(&mut self, own: CallId, now: SimTime) {
        let crossing = self.crossing.take();
        if let Some(call) = std::mem::replace(&mut self.call, crossing) {
            self.drop_call(call, now);
        }
        self.insistence.passed(own);
        event!(Ended { device: self.device.clone(), call: own, reason: EndReason::Crossed });
    }
}
