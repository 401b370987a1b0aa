//! A link to a call was opened: it fills in who would be called, and the user calls or does not.

use super::Client;
use crate::{
    link::CallLink,
    machine::{Event, UserEvent},
};
use kernel::{
    CallId, SimTime,
    event::{CallStateName, Screen},
    mutant,
};

impl Client {
    /// Shows what a link asks for. One that is none of this app's, or comes during a call, changes nothing.
    pub(super) fn open_link(&mut self, link: &str, now: SimTime) {
        let is_free = matches!(self.machine.state(), CallStateName::Idle | CallStateName::Ended);
        let Some(link) = CallLink::parse(link).filter(|link| is_free && link.peer != self.user) else { return };
        let CallLink { peer, video, automatic } = link;
        if automatic && mutant!(V06) {
            let call = CallId(self.calls.bytes());
            return self.step(Event::User(UserEvent::Call { call, peer, video }), now);
        }
        self.show(Screen::Compose { peer, video });
    }
}
