//! The wire of signaling: its messages with their canonical bytes, and the channel that carries them, by QUIC or by TLS over TCP.
//!
//! Messages of the server and messages of a peer are different types: a peer's message can never be taken for the
//! server's word, and so never grants consent.

mod call_end;
pub mod channel;
mod endpoint;
pub mod epoch;
mod link;
pub mod message;
mod peer;
mod push;
mod relay_grant;
mod relay_stream;
mod secure_stream;
mod stream_link;
mod thread;
pub mod tls;
pub mod wire;

pub use call_end::CallEnd;
pub use channel::{ChannelEvent, ClientChannel, ConnectionId, Route, STREAM_PORTS, SendError, ServerChannel};
pub use epoch::{Epoch, SignedEpoch, Start};
pub use message::{ClientMessage, PROTOCOL_VERSION, RequestId, ServerMessage};
pub use peer::{PathDescription, PeerMessage, SessionDescription};
pub use push::{PUSH_PAYLOAD, PushRequest, PushToken};
pub use relay_grant::{RelayGrant, RelayTls};
pub use relay_stream::{BrokenStream, RelayStream};
pub use thread::{
    Attachment, CallRowEntry, DirectMessage, MAX_AVATAR_BYTES, MAX_PARTS, MAX_PICTURE_BYTES, MAX_TEXT_BYTES,
    MessageRowEntry, PART_BYTES, RowEntry, SealedPicture,
};
pub use tls::{ServerIdentity, ServerIdentityPublic};
// The sealed part of a message: the server reads its header only.
pub use e2ee::{
    AttachmentKey, DeviceChange, DeviceIdentity, DeviceKeys, DeviceLink, DeviceList, EnvelopeHeader, EnvelopeKind,
    SealedEnvelope,
};
