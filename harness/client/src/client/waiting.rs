//! A call that rings beside another one (call waiting, as 3GPP TS 24.615 has it): it is shown, and nothing else, until the user
//! ends the one for the other, or that one ends.

use super::Client;
use crate::{
    likeness,
    machine::{Dialog, Event, UserEvent},
};
use kernel::{
    CallId, SimTime, event,
    event::{CallStateName, EndReason, Screen},
};
use protocol::ClientMessage;

impl Client {
    /// Who calls, and how sure that is.
    pub(super) fn show_ring(&mut self, dialog: &Dialog, waits: bool) {
        let looks_like = likeness::taken_for(&dialog.peer, self.account.roster().older_friends(&dialog.peer));
        let verification = self.verification(&dialog.peer);
        let (peer, calling_device) = self.caller_shown(&dialog.peer, waits);
        let (call, video) = (dialog.call, dialog.peer_video);
        self.show(Screen::Incoming { call, peer, calling_device, video, verification, looks_like, waits });
    }

    pub(super) fn ring_beside(&mut self, call: CallId, now: SimTime) {
        let Some(dialog) = self.machine.waiting().cloned() else { return };
        let (device, user, caller) = (self.device.clone(), self.user.clone(), dialog.peer.clone());
        event!(Ring { device, user, caller, call });
        self.show_ring(&dialog, true);
        self.tell_server(ClientMessage::Ringing { call }, now);
    }

    /// The call that waited rings alone from now on.
    pub(super) fn ring_on(&mut self) {
        self.call = self.waiting.take();
        if let Some(dialog) = self.machine.dialog().cloned() {
            self.show_ring(&dialog, false);
        }
    }

    /// Ends the call for the one that waits.
    pub(super) fn accept_waiting(&mut self, video: bool, now: SimTime) {
        let waits = self.machine.waiting().map(|dialog| dialog.call);
        self.step(Event::User(UserEvent::AcceptWaiting), now);
        let rings = self.machine.dialog().map(|dialog| dialog.call);
        if waits.is_some() && rings == waits && self.machine.state() == CallStateName::Incoming {
            self.step(Event::User(UserEvent::Accept { video }), now);
        }
    }

    pub(super) fn end_waiting(&mut self, call: CallId, reason: EndReason, now: SimTime) {
        self.waiting = None;
        if reason != EndReason::Elsewhere {
            self.account.expect_row(call, now);
        }
        self.insistence.passed(call);
        event!(Ended { device: self.device.clone(), call, reason });
    }
}
