//! Events of the signaling server and its store.

use crate::{
    log::BlobRef,
    names::{ActorName, CallId, ThreadId, UserName},
    time::Micros,
};
use serde::{Deserialize, Serialize};

/// A signaling message as the server sees it (view `server`): outer fields in clear, sealed bodies as ciphertext.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// Sender: a device, or `signaling`.
    pub from: ActorName,
    /// Receiver: `signaling`, or a device.
    pub to: ActorName,
    /// The kind of message: `invite`, `ring`, `accept`, …
    pub message: String,
    /// The call that it is about.
    pub call: Option<CallId>,
    /// The canonical bytes, as carried inside TLS.
    pub body: BlobRef,
}

/// How a call ended, as its row in the thread says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// It was live.
    Answered,
    /// Nobody answered.
    Missed,
    /// The callee declined.
    Declined,
    /// The caller cancelled.
    Cancelled,
}

/// A fact of the store, in the order in which facts became durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// An account exists.
    AccountCreated {
        /// Whose.
        user: UserName,
    },
    /// A device is signed in.
    SessionCreated {
        /// Whose.
        user: UserName,
        /// Which device.
        device: ActorName,
    },
    /// An account has one more device.
    DeviceAdded {
        /// Whose.
        user: UserName,
        /// Which device.
        device: ActorName,
    },
    /// A friend request waits.
    FriendRequested {
        /// Who asks.
        from: UserName,
        /// Who is asked.
        to: UserName,
    },
    /// Both edges are accepted from now on.
    Befriended {
        /// Who accepted.
        by: UserName,
        /// Who had asked.
        other: UserName,
    },
    /// A request was declined.
    FriendDeclined {
        /// Who declined.
        by: UserName,
        /// Who had asked.
        other: UserName,
    },
    /// Both edges are gone.
    Unfriended {
        /// Who ended it.
        by: UserName,
        /// The other side.
        other: UserName,
    },
    /// One user blocks another; the friendship is gone too.
    Blocked {
        /// Who blocks.
        by: UserName,
        /// Who is blocked.
        other: UserName,
    },
    /// A call rings.
    CallRinging {
        /// The call.
        call: CallId,
        /// Who calls.
        caller: UserName,
        /// Who is called.
        callee: UserName,
    },
    /// A call was accepted.
    CallLive {
        /// The call.
        call: CallId,
        /// The caller's device.
        caller_device: ActorName,
        /// The callee's device.
        callee_device: ActorName,
    },
    /// A call is over; its row is in the thread.
    CallOver {
        /// The call.
        call: CallId,
        /// Its thread.
        thread: ThreadId,
        /// How it ended.
        outcome: CallOutcome,
        /// How long it was live.
        duration: Micros,
    },
    /// A relay credential was issued.
    RelayCredentialIssued {
        /// For the call.
        call: CallId,
        /// To the device.
        device: ActorName,
    },
}

/// A fact became durable in the server's store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Store {
    /// Whose store.
    pub node: ActorName,
    /// The fact.
    #[serde(flatten)]
    pub fact: Fact,
}

/// A message that ends or forbids a call reached a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// The device.
    pub device: ActorName,
    /// The call.
    pub call: CallId,
    /// The kind of message: `ended`, `elsewhere`, `rejected`.
    pub message: String,
}
