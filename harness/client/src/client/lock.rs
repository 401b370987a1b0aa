//! What a locked device shows, and what can be done with it: who calls, and a call.

use super::Client;
use kernel::{ThreadId, UserName, event, event::Act, mutant};

/// Threads whose rows are counted; further ones show none.
const MAX_THREADS: usize = 4_096;

impl Client {
    /// Whether a device does what its user wants: of one that is locked nobody knows who holds it.
    pub(super) fn may(&self, act: &Act) -> bool {
        let is_for_anybody = matches!(
            act,
            Act::Accept { .. }
                | Act::Decline
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
        !self.is_locked || is_for_anybody
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
        let rows = self.threads.get(&ThreadId::between(&self.user, peer)).copied().unwrap_or(0);
        event!(ThreadShown { device: self.device.clone(), peer: peer.clone(), rows });
    }

    /// A thread has one row more.
    pub(super) fn count_row(&mut self, thread: &ThreadId) {
        if self.threads.len() < MAX_THREADS || self.threads.contains_key(thread) {
            *self.threads.entry(thread.clone()).or_default() += 1;
        }
    }
}
