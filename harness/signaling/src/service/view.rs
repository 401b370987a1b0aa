//! What can be seen of the service from outside, without a message: by its driver, the oracle and a search.

use super::{Phase, Service, store};
use kernel::{
    event::Recovered,
    names::{ActorName, CallId},
};
use protocol::{ClientMessage, ConnectionId};

/// A call that rings or is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveCall {
    /// Its id.
    pub id: CallId,
    /// The device that calls.
    pub caller_device: ActorName,
    /// The device that accepted; none while it rings.
    pub callee_device: Option<ActorName>,
}

impl Service {
    /// The friend graph and the sessions as the service holds them now.
    pub fn held(&self) -> Recovered {
        let (edges, sessions) = self.store.held();
        Recovered { node: self.name.clone(), edges, sessions }
    }

    /// How often somebody accepted a call that does not ring there, such as the caller's own.
    pub fn attacks(&self) -> u64 {
        self.attacks
    }

    /// Everything that the service holds, in postcard.
    pub fn snapshot(&self) -> Vec<u8> {
        postcard::to_allocvec(&self.store).expect("the store serializes into memory")
    }

    /// Every call that rings or is live, in the order of their ids.
    pub fn active_calls(&self) -> Vec<ActiveCall> {
        let active = |call: &store::Call| ActiveCall {
            id: call.id,
            caller_device: call.caller_device.clone(),
            callee_device: call.ends().map(|(_, callee_device)| callee_device.clone()),
        };
        self.store.calls().map(active).collect()
    }

    /// What decides how the service answers from here on, for a search that must know a state again: no rows, no accounts,
    /// no counters, and no state of its generators. Times are part of it; a search lets none pass.
    ///
    /// # Panics
    /// When work is under way.
    pub fn essence(&self) -> Vec<u8> {
        assert!(matches!(self.phase, Phase::Idle) && self.queue.is_empty(), "only a service at rest has an essence");
        self.store.essence()
    }

    /// The device that a message comes from: the signed-in one, or the one that it signs in as, or `unknown`.
    pub fn speaker(&self, connection: ConnectionId, message: &ClientMessage) -> ActorName {
        let presented = || match message {
            ClientMessage::SignUp { keys, .. }
            | ClientMessage::SignIn { keys, .. }
            | ClientMessage::ResetPassword { keys, .. } => Some(keys.device.clone()),
            ClientMessage::Attach { token, .. } => self.store.peek_session(blake3::hash(token.as_bytes()).as_bytes()),
            _ => None,
        };
        self.device_of(connection).or_else(presented).unwrap_or_else(|| "unknown".into())
    }
}
