//! Threads of direct messages: their rows, and what a message says inside its envelopes.

use kernel::{
    event::CallOutcome,
    names::{CallId, MessageId, ThreadId, UserName},
    time::Micros,
};
use serde::{Deserialize, Serialize};

/// Longest text of a message, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Longest picture of a message or avatar, in bytes: it goes inside each of up to fifteen envelopes, and all of them inside
/// one message of signaling.
pub const MAX_PICTURE_BYTES: usize = 2_816;

/// A row of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowEntry {
    /// It stands for a call.
    Call(CallRowEntry),
    /// It stands for a message.
    Message(MessageRowEntry),
}

/// A row of a thread that stands for a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRowEntry {
    /// The thread.
    pub thread: ThreadId,
    /// The call.
    pub call: CallId,
    /// Who called.
    pub caller: UserName,
    /// How it ended.
    pub outcome: CallOutcome,
    /// How long it was live.
    pub duration: Micros,
}

/// A row of a thread that stands for a message. What it says is sealed to each device apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRowEntry {
    /// The thread.
    pub thread: ThreadId,
    /// The message.
    pub message: MessageId,
    /// Who wrote it.
    pub sender: UserName,
    /// What it says, in clear: never. The planted bug V159 lets the server search it.
    pub searchable: String,
}

/// What a message says, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectMessage {
    /// The text, at most [`MAX_TEXT_BYTES`].
    pub text: String,
    /// What goes with it.
    pub attachment: Option<Attachment>,
}

/// What goes with a message: all of it, so that nothing has to be fetched from anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attachment {
    /// A JPEG file, at most [`MAX_PICTURE_BYTES`], without what its camera wrote into it.
    Picture(Vec<u8>),
    /// A place, in ten-thousandths of a degree north and east. It is shown as numbers: a map would have to be fetched.
    Location {
        /// North.
        latitude: i32,
        /// East.
        longitude: i32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ClientMessage, EnvelopeHeader, EnvelopeKind, RequestId, SealedEnvelope,
        wire::{MAX_MESSAGE_BYTES, canonical_bytes},
    };

    #[test]
    fn the_longest_message_to_the_most_devices_is_one_message_of_signaling() {
        let name = |n: u8| "x".repeat(31) + &char::from(b'a' + n).to_string();
        let body = DirectMessage {
            text: "x".repeat(MAX_TEXT_BYTES),
            attachment: Some(Attachment::Picture(vec![7; MAX_PICTURE_BYTES])),
        };
        let seal = |n: u8| SealedEnvelope {
            header: EnvelopeHeader {
                version: u16::MAX,
                kind: EnvelopeKind::Message,
                subject: [7; 16],
                thread: ThreadId::between(&name(0).into(), &name(1).into()),
                from: name(0).into(),
                to: name(n).into(),
                sequence: u32::MAX,
            },
            encapsulated: vec![7; 32],
            // The signature and the seal's tag.
            ciphertext: [vec![7; 64 + 16], canonical_bytes(&body)].concat(),
        };
        let sent = ClientMessage::SendMessage {
            request: RequestId(u32::MAX),
            message: MessageId([7; 16]),
            to: name(1).into(),
            bodies: (0..15).map(seal).collect(),
            searchable: String::new(),
        };
        let bytes = canonical_bytes(&sent).len();
        assert!((MAX_MESSAGE_BYTES - 4_096..=MAX_MESSAGE_BYTES).contains(&bytes), "{bytes}");
    }
}
