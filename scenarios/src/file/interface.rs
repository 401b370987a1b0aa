//! Further access networks of a device.

use super::{Firewall, Ipv6, Nat, NatTable, Network};
use crate::{either::Either, located::Located};
use schemars::JsonSchema;
use serde::Deserialize;

/// A further access network of a device: a phone's mobile data beside the Wi-Fi at home. Faults bring it up and down.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interface {
    /// Its name: lower-case letters, digits and `-`. Links and faults name it behind the user: `alice.lte`.
    #[schemars(required)]
    pub(crate) name: Option<Located<String>>,
    /// How it reaches the internet: a preset's name, or a table.
    #[schemars(required)]
    pub(crate) network: Option<Located<Either<String, Network>>>,
    /// The NAT in front: the preset's unless given.
    pub(crate) nat: Option<Located<Either<Nat, NatTable>>>,
    /// The home that it is in, as of a participant.
    pub(crate) home: Option<Located<String>>,
    /// The carrier whose NAT is behind the own one.
    pub(crate) carrier: Option<Located<String>>,
    /// What the network lets pass: everything unless given.
    pub(crate) firewall: Option<Firewall>,
    /// What it does with version 6 where the internet is `dual-stack`: it works unless given.
    pub(crate) ipv6: Option<Located<Ipv6>>,
    /// The core links that its traffic goes over after its NAT, nearest first.
    #[serde(default)]
    pub(crate) via: Vec<Located<String>>,
    /// It is down until a fault brings it up.
    #[serde(default)]
    pub(crate) down: bool,
}
