//! A packet under way, and what its links measured.

use crate::routing::NodeIndex;
use kernel::{Datagram, Micros};

/// A packet under way.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) datagram: Datagram,
    pub(crate) sender: NodeIndex,
    /// Where it is.
    pub(crate) stage: Stage,
    pub(crate) legs: Legs,
    /// Whether it is a second copy made by a link.
    pub(crate) is_copy: bool,
}

/// The link that a packet is on, or has just left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its sender's uplink.
    Up(NodeIndex),
    /// The n-th core link that its sender goes over.
    Out(NodeIndex, usize),
    /// The n-th core link of its receiver, or of a node of its receiver's home.
    In(NodeIndex, usize),
    /// None: on a way round that the core takes (V137).
    Core,
    /// Its receiver's downlink.
    Down(NodeIndex),
}

/// What the links on the way took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Legs {
    pub(crate) uplink_queue: Micros,
    pub(crate) serialization: Micros,
    pub(crate) propagation: Micros,
    pub(crate) downlink_queue: Micros,
}

impl Flight {
    pub(crate) fn new(datagram: Datagram, sender: NodeIndex) -> Flight {
        Flight { datagram, sender, stage: Stage::Up(sender), legs: Legs::default(), is_copy: false }
    }

    pub(crate) fn add_queue(&mut self, span: Micros) {
        match self.stage {
            Stage::Up(_) => self.legs.uplink_queue += span,
            _ => self.legs.downlink_queue += span,
        }
    }
}
