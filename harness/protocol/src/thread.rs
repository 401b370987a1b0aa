//! Threads of direct messages: their rows, and what a message says inside its envelopes.

use e2ee::AttachmentKey;
use kernel::{
    event::CallOutcome,
    names::{AttachmentId, CallId, MessageId, ThreadId, UserName},
    time::Micros,
};
use serde::{Deserialize, Serialize};

/// Longest text of a message, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Longest picture of a message, in bytes: sealed it has 256 KiB, which is what a phone makes of a photograph for a message.
pub const MAX_PICTURE_BYTES: usize = MAX_PARTS as usize * PART_BYTES - 16;
/// Length of each part but the last in which a sealed picture goes to the server and from there, in bytes. A ring waits
/// behind one part at most: for 130 ms at 1 Mbit/s.
pub const PART_BYTES: usize = 16 * 1024;
/// Most parts of a picture.
pub const MAX_PARTS: u16 = 16;
/// Longest avatar, in bytes: a small picture that friends' devices are given at once, in one message.
pub const MAX_AVATAR_BYTES: usize = 16 * 1024;

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

/// What goes with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attachment {
    /// A JPEG file, at most [`MAX_PICTURE_BYTES`], without what its camera wrote into it.
    Picture(SealedPicture),
    /// A place, in ten-thousandths of a degree north and east. It is shown as numbers: a map would have to be fetched.
    Location {
        /// North.
        latitude: i32,
        /// East.
        longitude: i32,
    },
}

/// A picture that lies sealed at the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPicture {
    /// What the server keeps it by.
    pub attachment: AttachmentId,
    /// What opens it.
    pub key: AttachmentKey,
}

impl SealedPicture {
    /// In how many parts it comes; none where it says that it is larger than any picture.
    pub fn parts(&self) -> Option<u16> {
        let parts = self.key.sealed_bytes().div_ceil(PART_BYTES);
        u16::try_from(parts).ok().filter(|parts| *parts <= MAX_PARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ClientMessage, EnvelopeHeader, EnvelopeKind, RequestId, SealedEnvelope,
        wire::{MAX_MESSAGE_BYTES, canonical_bytes},
    };
    use kernel::random::SeedTree;

    #[test]
    fn the_longest_message_to_the_most_devices_is_one_message_of_signaling() {
        let name = |n: u8| "x".repeat(31) + &char::from(b'a' + n).to_string();
        let (key, _) = picture(MAX_PICTURE_BYTES);
        let picture = SealedPicture { attachment: AttachmentId([7; 16]), key };
        let text = "x".repeat(MAX_TEXT_BYTES);
        let body = DirectMessage { text, attachment: Some(Attachment::Picture(picture)) };
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
            attachment: Some(AttachmentId([7; 16])),
        };
        let bytes = canonical_bytes(&sent).len();
        assert!((MAX_MESSAGE_BYTES / 4..=MAX_MESSAGE_BYTES).contains(&bytes), "{bytes}");
    }

    fn picture(bytes: usize) -> (AttachmentKey, Vec<u8>) {
        AttachmentKey::seal(&vec![7; bytes], &mut SeedTree::root(1).stream("attachments"))
    }

    #[test]
    fn the_largest_picture_has_the_most_parts_and_a_larger_one_none() {
        let parts = |bytes| SealedPicture { attachment: AttachmentId([7; 16]), key: picture(bytes).0 }.parts();
        assert_eq!(
            (parts(1), parts(MAX_PICTURE_BYTES), parts(MAX_PICTURE_BYTES + 1)),
            (Some(1), Some(MAX_PARTS), None)
        );
        let (_, sealed) = picture(MAX_PICTURE_BYTES);
        assert_eq!(sealed.chunks(PART_BYTES).count(), usize::from(MAX_PARTS));
        let (request, attachment, bytes) = (RequestId(u32::MAX), AttachmentId([7; 16]), vec![7; PART_BYTES]);
        let part = ClientMessage::PutPart { request, attachment, part: MAX_PARTS - 1, parts: MAX_PARTS, bytes };
        assert!(canonical_bytes(&part).len() < MAX_MESSAGE_BYTES / 3);
    }
}
