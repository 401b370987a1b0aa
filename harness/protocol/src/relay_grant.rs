//! What signaling gives the devices of a call for their relays.

use kernel::time::Micros;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A short-lived relay credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayGrant {
    /// The relay's TURN address, UDP.
    pub address: SocketAddr,
    /// TURN user name.
    pub username: String,
    /// TURN password.
    pub password: String,
    /// How long the relay takes it, from the grant on.
    pub lifetime: Micros,
    /// The relay's TURN address over TCP, for networks that let no UDP pass.
    pub tcp: Option<SocketAddr>,
    /// And over TLS, for networks that let nothing pass but that.
    pub tls: Option<RelayTls>,
}

/// Where a relay speaks TURN over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayTls {
    /// Its address.
    pub address: SocketAddr,
    /// The Ed25519 key that it must prove.
    pub key: [u8; 32],
}
