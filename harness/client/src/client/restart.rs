//! An app that starts again after a crash. It is in no call any more, and says so: nobody can be left talking to it.

use super::Client;
use crate::{config::ClientConfig, saved::Saved};
use kernel::{
    SimTime,
    event::{CallStateName, Screen},
};
use protocol::ClientMessage;

impl Client {
    /// A client that starts again with what the one before left on the device. A call that rang may ring again, if the server
    /// says so.
    pub fn restarted(config: ClientConfig, saved: Saved, now: SimTime) -> Client {
        let (call, farewells) = (saved.call, saved.farewells.clone());
        let mut client = Client::begin(config, Some(saved), now);
        client.show(Screen::Idle);
        client.show_kept_avatars();
        let left = call.map(|call| (ClientMessage::HangUp { call }, call));
        for (message, call) in farewells.into_iter().chain(left) {
            client.insistence.passed(call);
            client.say_farewell(message, call, now);
        }
        call.into_iter().for_each(|call| client.account.expect_row(call, now));
        client.settle(now);
        client
    }

    /// What the device keeps if the app crashes now.
    pub fn saved(&self) -> Saved {
        use CallStateName::{Accepting, Connecting, Held, Live, Outgoing, Reconnecting};
        let is_in = matches!(self.machine.state(), Outgoing | Accepting | Connecting | Live | Reconnecting | Held);
        let call = self.machine.dialog().filter(|_| is_in).map(|dialog| dialog.call);
        Saved {
            account: self.account.saved(),
            call,
            farewells: self.insistence.farewells(),
            verified: self.verified.clone(),
            threads: self.threads.clone(),
            is_locked: self.is_locked,
            denied: self.denied.clone(),
        }
    }
}
