//! The wire of signaling: its messages with their canonical bytes, and the QUIC channel that carries them.
//!
//! Messages of the server and messages of a peer are different types: a peer's message can never be taken for the
//! server's word, and so never grants consent.

pub mod message;

pub use message::{
    CallEnd, CallRowEntry, ClientMessage, DeviceKeys, PeerMessage, RelayGrant, RequestId, ServerMessage, SessionDescription, PROTOCOL_VERSION,
};
