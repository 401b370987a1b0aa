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
    /// No core link has this name.
    #[error("{node} goes over {link}, which is no core link")]
    UnknownVia {
        /// Whose plan it is.
        node: ActorName,
        /// What it names.
        link: String,
    },
    /// The nodes of a home go over the same core links.
    #[error("{node} goes over other core links than the rest of its home at {public_address}")]
    MixedVia {
        /// Who joined the home.
        node: ActorName,
        /// The home.
        public_address: IpAddr,
    },
    /// Links have names of their own.
    #[error("two links are called {0}")]
    LinkNameTaken(LinkName),
    /// A link follows a trace that the fabric was not given.
    #[error("link {link}: no trace is called {trace}")]
    UnknownTrace {
        /// The link.
        link: LinkName,
        /// What it names.
        trace: String,
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
    /// IPv4 wants 68 bytes at least (RFC 791), and no packet is larger than 65,535.
    #[error("the MTU is not between 68 and 65535 bytes")]
    BadMtu,
    /// A packet takes at most 65,535 bytes besides its own.
    #[error("the overhead is above 65535 bytes")]
    OverheadTooLarge,
    /// A policer has a rate and a burst, both above zero and at most 1 Tbit/s and 1 GiB.
    #[error("the policer's rate or burst is zero or too large")]
    BadPolicer,
    /// `CoDel` wants a target and an interval up to an hour, an interval above zero, 1 to 65,536 flows, and a quantum.
    #[error("a parameter of CoDel is out of its range")]
    BadCodel,
    /// RED wants `0 < min < max <= 1 GiB`, a probability, and a shift up to 20.
    #[error("a parameter of RED is out of its range")]
    BadRed,
    /// Exact losses come in ascending order.
    #[error("the lost packets are not in ascending order")]
    LostPacketsUnsorted,
}
