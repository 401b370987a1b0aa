//! What stands between a node's access link and the core: NATs and firewalls (RFC 4787, RFC 5382, RFC 6888, RFC 6092).

use crate::time::Micros;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// Which outer endpoints a mapping or a filter tells apart (RFC 4787, sections 4.1 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// None: all are alike.
    EndpointIndependent,
    /// By address, whatever the port.
    AddressDependent,
    /// By address and port.
    AddressAndPortDependent,
}

/// How a NAT chooses the outer port of a new mapping. A port that is taken is never given twice (RFC 4787, REQ-3a).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortAssignment {
    /// The inner port where it is free, else one at random (RFC 4787, section 4.2.1).
    Preserve,
    /// At random among the ports from 1024.
    Random,
    /// The next free one after the last that was given, from 1024.
    Sequential,
    /// Always the inner port: the outer address stands for one inner address and for all of its ports ("1:1 NAT").
    OneToOne,
}

/// Which packets keep a mapping alive (RFC 4787, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refresh {
    /// Those on their way out (REQ-6 asks for at least this).
    Outbound,
    /// Those on their way out, and those that are let in.
    Both,
}

/// The behaviour of one NAT (RFC 4787).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatPlan {
    /// Which destinations share an outer port.
    pub mapping: Dependence,
    /// Which sources may answer to it.
    pub filtering: Dependence,
    /// How long a UDP mapping, and a permission of its filter, lives without a packet that refreshes it. TCP has the
    /// fixed one of RFC 5382.
    pub lifetime: Micros,
    /// Which packets refresh a mapping.
    pub refresh: Refresh,
    /// Whether nodes inside reach each other by their outer endpoints (REQ-9).
    pub hairpin: bool,
    /// How outer ports are chosen.
    pub ports: PortAssignment,
    /// Whether an even inner port gets an even outer one and an odd one an odd (section 4.2.2).
    pub parity: bool,
}

impl NatPlan {
    /// How long a UDP mapping lives unless the scenario says otherwise: five minutes (RFC 4787, REQ-5).
    pub const LIFETIME: Micros = Micros::from_secs(300);
    /// Endpoint-independent mapping and filtering.
    pub const FULL_CONE: NatPlan = NatPlan::new(Dependence::EndpointIndependent, Dependence::EndpointIndependent);
    /// Endpoint-independent mapping, address-dependent filtering.
    pub const RESTRICTED_CONE: NatPlan = NatPlan::new(Dependence::EndpointIndependent, Dependence::AddressDependent);
    /// Endpoint-independent mapping, address-and-port-dependent filtering.
    pub const PORT_RESTRICTED: NatPlan =
        NatPlan::new(Dependence::EndpointIndependent, Dependence::AddressAndPortDependent);
    /// Address-and-port-dependent mapping and filtering.
    pub const SYMMETRIC: NatPlan =
        NatPlan::new(Dependence::AddressAndPortDependent, Dependence::AddressAndPortDependent);

    /// A NAT of one of the nine types, otherwise as RFC 4787 recommends, but with random ports.
    pub const fn new(mapping: Dependence, filtering: Dependence) -> NatPlan {
        NatPlan {
            mapping,
            filtering,
            lifetime: NatPlan::LIFETIME,
            refresh: Refresh::Outbound,
            hairpin: true,
            ports: PortAssignment::Random,
            parity: false,
        }
    }
}

/// The old word of RFC 3489 where there is one, else mapping and filtering.
impl fmt::Display for NatPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Dependence::{AddressAndPortDependent as Both, AddressDependent as Address, EndpointIndependent as None};
        let word = |dependence| match dependence {
            None => "endpoint-independent",
            Address => "address-dependent",
            Both => "address-and-port-dependent",
        };
        match (self.mapping, self.filtering) {
            (None, None) => f.write_str("full-cone"),
            (None, Address) => f.write_str("restricted-cone"),
            (None, Both) => f.write_str("port-restricted"),
            (Both, Both) => f.write_str("symmetric"),
            (mapping, filtering) => write!(f, "{} mapping, {} filtering", word(mapping), word(filtering)),
        }
    }
}

impl Dependence {
    /// All three, from the most to the least open.
    pub const ALL: [Dependence; 3] =
        [Dependence::EndpointIndependent, Dependence::AddressDependent, Dependence::AddressAndPortDependent];

    /// Whether two outer endpoints are the same to it.
    pub fn unites(self, one: SocketAddr, other: SocketAddr) -> bool {
        match self {
            Dependence::EndpointIndependent => true,
            Dependence::AddressDependent => one.ip() == other.ip(),
            Dependence::AddressAndPortDependent => one == other,
        }
    }
}

/// A NAT of the carrier, which several homes share: the outer address of the home's NAT is private to the carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierPlan {
    /// Its behaviour.
    pub nat: NatPlan,
    /// The home's address inside the carrier's network (100.64.0.0/10, RFC 6598).
    pub inner_address: IpAddr,
}

/// What a network lets pass besides what its NATs do. All but `Open` keep state: what comes in must answer something
/// that went out, from the very endpoint that it went to, within five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Firewall {
    /// Everything.
    #[default]
    Open,
    /// Everything outwards, answers inwards (RFC 6092, the usual home router of version 6).
    Stateful,
    /// Outwards only to port 443, by UDP or TCP: QUIC passes, STUN, TURN on its own port and media do not.
    Only443,
    /// Outwards only TCP to port 443: no UDP at all, so no QUIC either.
    UdpBlocked,
}

/// What happens to a NAT in mid-operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatChange {
    /// It restarts: all mappings are gone, and so is what it let in.
    Forget,
    /// Every mapping moves to another outer port, and remembers whom it let in.
    Renumber,
}
