//! The virtual client: a complete device, sans-IO.
//!
//! [`Client`] takes datagrams, acts of its user and the passing of time, and gives datagrams and screens. Inside, the
//! pure call [`machine`] decides what may happen, the account keeps the connection to signaling, [`transport`] does ICE,
//! DTLS and SRTP, and [`engine`] runs camera, codecs and playout.
//!
//! Contract: nothing is captured, gathered or sent for a call before the user's own call or accept and the server's
//! `Accepted`; before the accept of a ringing call its offer stays sealed.

mod account;
mod call;
mod client;
mod config;
mod content;
pub mod crypto;
pub mod engine;
mod likeness;
mod link;
pub mod machine;
mod pictures;
mod saved;
mod sequence;
mod threads;
pub mod transport;

pub use client::Client;
pub use config::{ClientConfig, Hop, Input, MEDIA_PORT, Misbehaviour, Output, SIGNALING_PORT, Work};
pub use likeness::SERVICE_WORDS;
pub use saved::Saved;
