//! What a locked device shows, and what can be done with it: who calls, and a call.

use super::Client;
use kernel::{ThreadId, UserName, event, event::Act, mutant};

impl Client {
    /// Whether a device does what its user wants: of one that is locked nobody knows who holds it.
    pub(super) fn may(&self, act: &Act) -> bool {
        let is_for_anybody = matches!(
            act,
            Act::Accept { .. }
                | Act::Decline
                | Act::AcceptWaiting { .. }
                | Act::DeclineWaiting
                | Act::Cancel
                | Act::HangUp
                | Act::CameraOff
                | Act::Mute
                | Act::Unmute
                | Act::Hold
                | Act::Resume
                | Act::Sleep
                | Act::Lock
                | Act::Unlock
                | Act::DenyAccess { .. }
                | Act::AllowAccess { .. }
        );
        // A call that its user has elsewhere is answered: it comes here by somebody who is known.
        let takes_over = self.machine.dialog().is_some_and(|dialog| dialog.takes_over);
        !self.is_locked || is_for_anybody && !(takes_over && matches!(act, Act::Accept { .. }))
    }

    /// The user is known to be there: what a call hid is shown.
    pub(super) fn unlock(&mut self) {
        self.is_locked = false;
        if let Some(peer) = self.machine.dialog().map(|dialog| dialog.peer.clone())
            && self.call.as_ref().is_some_and(|call| call.transport.is_some())
        {
            self.show_thread(&peer);
        }
    }

    /// Shows the thread beside the call with somebody.
    pub(super) fn show_thread(&self, peer: &UserName) {
        // V09: whoever answers on the lock screen sees what was said before.
        if self.is_locked && !mutant!(V09) {
            return;
        }
        let rows = self.threads.rows(&ThreadId::between(&self.user, peer));
        event!(ThreadShown { device: self.device.clone(), peer: peer.clone(), rows });
    }
}
