//! What fails in a run besides its links: nodes, paths, interfaces, messages of signaling. Part of the plan.

use crate::{names::ActorName, time::Micros};
use serde::{Deserialize, Serialize};

/// What fails while the story runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// Nodes, paths and interfaces, in order of time.
    pub faults: Vec<Fault>,
    /// Messages of signaling. Of two faults of the same kind of message the first strikes.
    pub signaling: Vec<SignalingFault>,
}

/// The kinds of messages about calls, as the event `Signal` names them. Those before a call (sign-up, friendships) are asked
/// and answered once a connection; faults spare them.
pub const MESSAGE_KINDS: [&str; 24] = [
    "invite",
    "ring",
    "ringing",
    "accept",
    "accepted",
    "decline",
    "cancel",
    "busy",
    "hang_up",
    "to_peer",
    "from_peer",
    "elsewhere",
    "glare",
    "rejected",
    "ended",
    "call_row",
    "hand_over",
    "take_over",
    "yield",
    "taken",
    "moved",
    "rejoin",
    "message_row",
    "send_message",
];

/// What becomes of messages of one kind, at the server: packet loss cannot do this, QUIC repeats what it loses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalingFault {
    /// The kind of message, as the event `Signal` names it.
    pub message: String,
    /// What becomes of it.
    #[serde(flatten)]
    pub does: MessageFault,
    /// To each n-th message of the kind, 1 or more.
    pub every: u32,
    /// So many times at most.
    pub times: Option<u32>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "snake_case")]
pub enum MessageFault {
    /// It is lost.
    Drop,
    /// It is said twice.
    Duplicate,
    /// It comes behind the next one of its kind.
    Reorder,
    /// It is late.
    Delay {
        /// By so much.
        by: Micros,
    },
}

/// Something fails, or works again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// When, after the set-up.
    pub at: Micros,
    /// What.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What fails or works again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum FaultKind {
    /// A server, or the app of a device, stops with everything that it held in memory.
    Crash {
        /// The server or device.
        node: ActorName,
    },
    /// From now on the server waits for the first transaction with a fact of this kind, and stops so long after handing
    /// it to its store: before the transaction is durable, or once somebody was told.
    CrashInCommit {
        /// The server.
        node: ActorName,
        /// The kind of fact, one of [`FACT_KINDS`](crate::event::FACT_KINDS).
        of: String,
        /// How long after.
        after: Micros,
    },
    /// What stopped starts again. What runs stops first.
    Restart {
        /// The server or device.
        node: ActorName,
    },
    /// Somebody copies what a server's store holds.
    CopyStore {
        /// The server.
        node: ActorName,
    },
    /// A server stops, the last copy takes the place of its store, and it starts again.
    RestoreStore {
        /// The server.
        node: ActorName,
    },
    /// The core carries nothing between two nodes any more; what goes over a third one passes.
    Cut {
        /// The two nodes.
        between: (ActorName, ActorName),
    },
    /// The core carries it again.
    Mend {
        /// The two nodes.
        between: (ActorName, ActorName),
    },
    /// A device loses an access network; what is under way on its links is lost.
    InterfaceDown {
        /// The interface, by its name in the plan.
        interface: ActorName,
    },
    /// A device gets it back, or for the first time.
    InterfaceUp {
        /// The interface, by its name in the plan.
        interface: ActorName,
    },
}

impl Trouble {
    /// Whether the core is cut between two nodes at some time, from when on, after the set-up.
    pub fn first_cut(&self, one: &ActorName, other: &ActorName) -> Option<Micros> {
        let cuts = self.faults.iter().filter(|fault| match &fault.kind {
            FaultKind::Cut { between: (a, b) } => (a, b) == (one, other) || (a, b) == (other, one),
            _ => false,
        });
        cuts.map(|fault| fault.at).min()
    }
}
