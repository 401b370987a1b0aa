//! A body sealed to one device (HPKE, RFC 9180) and signed by the sending device (Ed25519, RFC 8032).

use kernel::names::{ActorName, CallId, ThreadId};
use serde::{Deserialize, Serialize};

/// What the body of an envelope is: bound, so that an answer is never taken for an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnvelopeKind {
    /// An offer.
    Offer,
    /// An answer.
    Answer,
    /// Any later message of the call.
    Peer,
}

/// The clear header: associated data of the seal, and signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeHeader {
    /// Protocol version.
    pub version: u16,
    /// What the body is.
    pub kind: EnvelopeKind,
    /// The call.
    pub call: CallId,
    /// The thread of the call.
    pub thread: ThreadId,
    /// Sending device.
    pub from: ActorName,
    /// Receiving device.
    pub to: ActorName,
    /// Counts the sender's envelopes of this call from 0.
    pub sequence: u32,
}

/// A sealed and signed body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedEnvelope {
    /// The clear header.
    pub header: EnvelopeHeader,
    /// HPKE encapsulated key.
    pub encapsulated: Vec<u8>,
    /// HPKE ciphertext of signature and body.
    pub ciphertext: Vec<u8>,
}
