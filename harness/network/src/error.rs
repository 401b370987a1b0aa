//! What is wrong with a topology or a link.

use kernel::{ActorName, LinkName};
use std::net::IpAddr;

/// A node or a change that the fabric refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FabricError {
    /// No node has a link of this name.
    #[error("no link is called {0}")]
    UnknownLink(LinkName),
    /// Names are unique.
    #[error("two nodes are called {0}")]
    NameTaken(ActorName),
    /// Addresses are unique: public ones everywhere, private ones within a home.
    #[error("{address} of {node} is already in use")]
    AddressTaken {
        /// Who wanted it.
        node: ActorName,
        /// The address.
        address: IpAddr,
    },
    /// Without a NAT the own address is the public one.
    #[error("{0} has no NAT, so its public address must be its own")]
    PublicAddressWithoutNat(ActorName),
    /// The nodes behind an address share one NAT.
    #[error("{node} has a {found} NAT, but the NAT at {outer_address} is {expected}")]
    MixedNat {
        /// Who joined.
        node: ActorName,
        /// The NAT.
        outer_address: IpAddr,
        /// What it is.
        expected: String,
        /// What the node's plan says.
        found: String,
    },
    /// A node has no NAT, or its home has no carrier's behind it.
    #[error("{node} is behind no {}NAT", if *carrier { "carrier's " } else { "" })]
    NoNat {
        /// The node.
        node: ActorName,
        /// Whether the carrier's was meant.
        carrier: bool,
    },
    /// A parameter of a link is out of its range.
    #[error("link {link}: {problem}")]
    BadLink {
        /// The link.
        link: LinkName,
        /// What is wrong.
        problem: LinkProblem,
    },
}

/// A parameter of a link that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkProblem {
    /// A link that never finishes a packet is a node that is down.
    #[error("the rate is zero")]
    RateZero,
    /// The serialization arithmetic is exact up to 1 Tbit/s.
    #[error("the rate is above 1 Tbit/s")]
    RateTooHigh,
    /// Propagation and jitter are at most an hour.
    #[error("a delay is above one hour")]
    DelayTooLong,
    /// Probabilities are millionths.
    #[error("a probability is above 1000000 millionths")]
    NoProbability,
}
