//! One unit of the server's work: what becomes durable, and what is said once it is.

use kernel::{
    event::Fact,
    names::{ActorName, CallId, UserName},
    time::{Micros, SimTime},
};
use protocol::{CallEnd, ConnectionId, RequestId, ServerMessage};

/// Work in progress. Nothing of it is seen outside before it is durable.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    /// When the work began.
    pub(super) at: SimTime,
    /// What becomes durable, in order.
    pub(super) facts: Vec<Fact>,
    /// What follows, in order.
    pub(super) effects: Vec<Effect>,
    /// How many passwords were hashed.
    pub(super) hashes: u64,
    /// Whether it goes to the store whatever comes of it: so that its time does not tell, or because it changes what is no fact
    /// for others.
    pub(super) always_commits: bool,
}

/// What follows a transaction.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// A message to a connection, signed in or not; dropped when it is gone.
    Reply(ConnectionId, ServerMessage),
    /// A message to a device; kept while it has no connection.
    Tell(ActorName, ServerMessage),
    /// The device rings, unless it has no connection: then it does when it attaches in time.
    Ring { device: ActorName, call: CallId },
    /// A device whose message was put into its outbox is woken, if it has no connection at any core.
    Nudge(ActorName),
    /// A relay learns a credential.
    Grant { relay: ActorName, username: String, password: String, lifetime: Micros },
    /// A device is told that it is logged out, and its connection closed.
    LogOut(ActorName),
    /// A one-time code goes to its owner's mailbox.
    Mail { user: UserName, code: String },
    /// A relay forgets a credential.
    Revoke { relay: ActorName, username: String },
}

impl Transaction {
    pub(super) fn new(at: SimTime) -> Transaction {
        Transaction { at, facts: Vec::new(), effects: Vec::new(), hashes: 0, always_commits: false }
    }

    pub(super) fn reply(&mut self, connection: ConnectionId, message: ServerMessage) {
        self.effects.push(Effect::Reply(connection, message));
    }

    pub(super) fn tell(&mut self, device: &ActorName, message: ServerMessage) {
        self.effects.push(Effect::Tell(device.clone(), message));
    }

    pub(super) fn tell_all<'a>(&mut self, devices: impl IntoIterator<Item = &'a ActorName>, message: &ServerMessage) {
        for device in devices {
            self.tell(device, message.clone());
        }
    }

    pub(super) fn done(&mut self, connection: ConnectionId, request: RequestId) {
        self.reply(connection, ServerMessage::Done { request, epoch: None });
    }

    /// The one refusal: it does not say why.
    pub(super) fn refuse(&mut self, connection: ConnectionId, request: RequestId) {
        self.reply(connection, ServerMessage::Refused { request });
    }

    /// The answer to a message about a call that is not there, or not the sender's.
    pub(super) fn unknown_call(&mut self, device: &ActorName, call: CallId) {
        self.tell(device, ServerMessage::Ended { call, reason: CallEnd::Unknown });
    }
}
