//! NATs and firewalls, carriers, and what happens to them.

use crate::{either::Either, located::Located, scalar::Duration};
use schemars::JsonSchema;
use serde::Deserialize;

/// Kind of NAT (RFC 4787, RFC 3489).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Nat {
    /// The address is public.
    None,
    /// Anyone may answer to a mapped port.
    FullCone,
    /// Only the address that was sent to may answer, from any port.
    RestrictedCone,
    /// Only the address and port that was sent to may answer.
    PortRestricted,
    /// As port-restricted, and every destination sees another port.
    Symmetric,
}

/// A NAT in every detail (RFC 4787): port-restricted with random ports but for what is named.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatTable {
    /// Which destinations share an outer port: all unless given.
    pub(crate) mapping: Option<Dependence>,
    /// Who may answer to it: only the endpoint that was sent to unless given.
    pub(crate) filtering: Option<Dependence>,
    /// How long a UDP mapping lives in silence; 5 minutes unless given.
    pub(crate) lifetime: Option<Located<Duration>>,
    /// Which packets keep a mapping alive: outbound ones unless given.
    pub(crate) refresh: Option<Refresh>,
    /// Whether nodes inside reach each other by their outer addresses: they do unless given.
    pub(crate) hairpin: Option<bool>,
    /// How outer ports are chosen: at random unless given.
    pub(crate) ports: Option<Ports>,
    /// Whether an even port stays even and an odd one odd: not unless given.
    pub(crate) parity: Option<bool>,
}

/// What a mapping or a filter tells apart.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dependence {
    /// Nothing: all outer endpoints are alike.
    EndpointIndependent,
    /// Addresses, whatever the port.
    AddressDependent,
    /// Addresses and ports.
    AddressAndPortDependent,
}

/// Which packets keep a mapping alive.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Refresh {
    /// Those on their way out.
    Outbound,
    /// Those on their way out and those that are let in.
    Both,
}

/// How outer ports are chosen.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ports {
    /// The inner port where it is free.
    Preserve,
    /// At random.
    Random,
    /// One after the other.
    Sequential,
    /// Always the inner port: the public address belongs to one device alone.
    OneToOne,
}

/// What a network lets pass.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Firewall {
    /// Everything.
    Open,
    /// Everything outwards, and answers to it.
    Stateful,
    /// Outwards only to port 443, and answers to it: signaling by QUIC passes, STUN and media do not.
    #[serde(rename = "udp-only-443")]
    Only443,
    /// Outwards only TCP to port 443: not even signaling by QUIC passes.
    UdpBlocked,
}

/// A carrier with a NAT of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Carrier {
    /// What participants call it.
    #[schemars(required)]
    pub(crate) name: Option<Located<String>>,
    /// Its NAT.
    #[schemars(required)]
    pub(crate) nat: Option<Located<Either<Nat, NatTable>>>,
}

/// Something that happens to a NAT.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatChange {
    /// At this time of the timeline.
    #[schemars(required)]
    pub(crate) at: Option<Located<Duration>>,
    /// Whose NAT: a participant behind it.
    #[schemars(required)]
    pub(crate) user: Option<Located<String>>,
    /// Whether the carrier's NAT is meant and not the home's.
    #[serde(default)]
    pub(crate) carrier: bool,
    /// What happens.
    #[schemars(required)]
    pub(crate) change: Option<NatChangeKind>,
}

/// What happens to a NAT.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NatChangeKind {
    /// It restarts: all mappings are gone.
    Forget,
    /// Every mapping moves to another outer port.
    Renumber,
}
