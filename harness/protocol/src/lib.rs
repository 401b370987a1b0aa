//! The wire of signaling: its messages with their canonical bytes, and the channel that carries them, by QUIC or by TLS over TCP.
//!
//! Messages of the server and messages of a peer are different types: a peer's message can never be taken for the
//! server's word, and so never grants consent.

pub mod channel;
mod endpoint;
pub mod epoch;
mod grant;
mod link;
pub mod message;
mod peer;
mod relay_stream;
mod secure_stream;
mod stream_link;
mod thread;
pub mod tls;
pub mod wire;

pub use channel::{ChannelEvent, ClientChannel, ConnectionId, Route, STREAM_PORTS, SendError, ServerChannel};
pub use epoch::{Epoch, SignedEpoch, Start};
pub use grant::{RelayGrant, RelayTls};
pub use message::{
    CallEnd, ClientMessage, PROTOCOL_VERSION, PUSH_PAYLOAD, PushRequest, PushToken, RequestId, ServerMessage,
};
pub use peer::{PathDescription, PeerMessage, SessionDescription};
pub use relay_stream::{BrokenStream, RelayStream};
pub use thread::{
    Attachment, CallRowEntry, DirectMessage, MAX_PICTURE_BYTES, MAX_TEXT_BYTES, MessageRowEntry, RowEntry,
};
pub use tls::{ServerIdentity, ServerIdentityPublic};
// The sealed part of a message: the server reads its header only.
pub use e2ee::{
    DeviceChange, DeviceIdentity, DeviceKeys, DeviceLink, DeviceList, EnvelopeHeader, EnvelopeKind, SealedEnvelope,
};
