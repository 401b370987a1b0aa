//! The adversary: a malicious server, whoever holds a hop, misbehaving peers; and the catalogue of planted bugs.
//!
//! [`arm`] turns what a scenario plans into what the world puts into its actors. Every attack emits an event `Attack`
//! before its bytes go on, so that the oracle knows what to look for.

mod altering_server;
mod arms;
mod catalogue;
mod colluding_server;
mod description;
mod guesser;
mod hop;
mod malicious_server;
mod off_path;
mod thieving_server;

pub use altering_server::AlteringServer;
pub use arms::{Armed, HopAttacks, arm};
pub use catalogue::{KnownAttack, MUTANTS, known_attack};
pub use colluding_server::ColludingServer;
pub use guesser::{Guessed, Guesser};
pub use hop::{HopChain, ReplayingHop, TamperingHop};
pub use malicious_server::MaliciousServer;
pub use off_path::{OffPathHost, Target};
pub use thieving_server::ThievingServer;
