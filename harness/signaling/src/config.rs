//! What a server is started with.

use kernel::{names::ActorName, plan::Cores, random::SeedTree, time::Micros, trouble::SignalingFault};
use protocol::{Epoch, RelayTls, ServerIdentity};
use std::net::SocketAddr;

/// What a server is started with.
#[derive(Clone)]
pub struct ServerConfig {
    /// The server's name in events.
    pub name: ActorName,
    /// Its address, port 443 of UDP and TCP.
    pub address: SocketAddr,
    /// The same of version 6, where it has both.
    pub address_v6: Option<SocketAddr>,
    /// The relays whose credentials it issues, at most 8.
    pub relays: Vec<RelayEndpoint>,
    /// Cost of a password hash.
    pub password_cost: Argon2Cost,
    /// Simulated time that work takes.
    pub costs: ServiceCosts,
    /// How often the server started before: each time it draws other tokens and connection ids.
    pub boots: u32,
    /// What the store holds at this start, and where earlier ones began.
    pub epoch: Epoch,
    /// How many cores share the store.
    pub cores: Cores,
    /// Faults of messages.
    pub faults: Vec<SignalingFault>,
    /// Identity, tokens, salts and relay credentials are drawn below this node.
    pub seeds: SeedTree,
}

impl ServerConfig {
    /// The node of the seed tree for a part that must not draw the same again after a restart.
    pub(crate) fn boot_seeds(&self, part: &str) -> SeedTree {
        match self.boots {
            0 => self.seeds.child(part),
            boots => self.seeds.child(part).child(&format!("boot {boots}")),
        }
    }

    /// What one of the cores is started with: none of two draws the same.
    pub(crate) fn core(&self, number: u8) -> ServerConfig {
        let seeds = if number == 0 { self.seeds } else { self.seeds.child(&format!("core {number}")) };
        ServerConfig { seeds, ..self.clone() }
    }

    /// The identity that the server proves to have: a function of its seeds, so that clients can be given its key.
    pub fn identity(&self) -> ServerIdentity {
        ServerIdentity::generate(&mut self.seeds.stream("identity"))
    }
}

/// A relay that the server issues credentials for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayEndpoint {
    /// The relay's name: where `GrantRelay` goes.
    pub name: ActorName,
    /// Its TURN address over UDP.
    pub address: SocketAddr,
    /// Its TURN address over TCP, where it has one.
    pub tcp: Option<SocketAddr>,
    /// Its TURN address over TLS, where it has one.
    pub tls: Option<RelayTls>,
}

/// Simulated time that the server's work takes. It is charged whatever the real machine needs, so that an access too
/// many shows in the times of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceCosts {
    /// Per access to the store.
    pub store_access: Micros,
    /// Per password hash: what Argon2id at 19 MiB, 2 passes, 1 lane takes on a server core.
    pub password_hash: Micros,
}

impl Default for ServiceCosts {
    /// 50 µs per access (an indexed read from memory-resident pages), 20 ms per password hash.
    fn default() -> Self {
        ServiceCosts { store_access: Micros(50), password_hash: Micros::from_millis(20) }
    }
}

/// Cost of Argon2id (RFC 9106). The product's cost has a floor; a simulation may hash cheaply, since an attacker
/// against the stored hash is not simulated, and is charged the product's simulated time all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Cost {
    /// The floor of the product, from the OWASP password storage cheat sheet: 19 MiB, 2 passes, 1 lane.
    pub const FLOOR: Argon2Cost = Argon2Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// For simulations only: 64 KiB, 1 pass, 1 lane.
    pub const SIMULATION: Argon2Cost = Argon2Cost { memory_kib: 64, passes: 1, lanes: 1 };

    /// A cost for the product; memory in KiB.
    ///
    /// # Errors
    /// When memory or passes are below the floor, or lanes are not 1 to 16.
    pub fn product(memory_kib: u32, passes: u32, lanes: u32) -> Result<Argon2Cost, BelowFloor> {
        let cost = Argon2Cost { memory_kib, passes, lanes };
        let floor = Self::FLOOR;
        let accepted = memory_kib >= floor.memory_kib && passes >= floor.passes && (1..=16).contains(&lanes);
        if accepted { Ok(cost) } else { Err(BelowFloor(cost)) }
    }

    /// Memory in KiB, passes, lanes.
    pub(crate) fn parameters(self) -> (u32, u32, u32) {
        (self.memory_kib, self.passes, self.lanes)
    }
}

/// A product may not hash passwords this cheaply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("argon2id with {} KiB, {} passes and {} lanes is below the floor of 19456 KiB, 2 passes and 1 lane", .0.memory_kib, .0.passes, .0.lanes)]
pub struct BelowFloor(Argon2Cost);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_cannot_hash_below_the_floor() {
        assert_eq!(Argon2Cost::product(19 * 1024, 2, 1), Ok(Argon2Cost::FLOOR));
        for (memory, passes, lanes) in [(19 * 1024 - 1, 2, 1), (19 * 1024, 1, 1), (19 * 1024, 2, 0), (64, 1, 1)] {
            let error = Argon2Cost::product(memory, passes, lanes).unwrap_err();
            assert!(error.to_string().contains("below the floor"));
        }
    }
}
