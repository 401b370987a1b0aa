//! An account whose app sleeps: without a connection, until it is woken.

use super::Account;
use kernel::SimTime;
use protocol::ClientMessage;

impl Account {
    /// Closes the connection and makes no other. The server is told, so that it knows whom to wake.
    pub(crate) fn suspend(&mut self, now: SimTime) {
        self.suspended = true;
        self.signed_in = false;
        self.requests.clear();
        (self.reconnect_at, self.sign_in_at) = (None, None);
        self.channel.close(now);
        self.drive(now);
    }

    /// Connects anew at once.
    pub(crate) fn resume(&mut self, now: SimTime) {
        self.suspended = false;
        self.failures = 0;
        self.reconnect_at = Some(now);
        self.drive(now);
    }

    /// Says what the push service knows this device by. Each time: a server may have lost what nobody was told of.
    pub(super) fn register_push(&mut self) {
        if let Some(token) = self.config.push_token {
            self.queue(ClientMessage::RegisterPush { token });
        }
    }
}
