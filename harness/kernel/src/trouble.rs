//! What fails in a run besides its links: nodes, paths, interfaces, messages of signaling. Part of the plan.

use crate::{names::ActorName, time::Micros};
use serde::{Deserialize, Serialize};

/// What fails while the story runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// Nodes, paths and interfaces, in order of time.
    pub faults: Vec<Fault>,
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
    /// A server stops with everything that it held in memory.
    Crash {
        /// The server.
        node: ActorName,
    },
    /// A server that stopped starts again. One that runs stops first.
    Restart {
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
