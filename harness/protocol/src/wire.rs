//! Messages as bytes: postcard, and on the stream a 4-byte big-endian length in front.

use bytes::{Buf, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

/// The longest message in bytes, without its length.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

const LENGTH_BYTES: usize = 4;

/// The one encoding of a message.
///
/// # Panics
/// Never for the messages of this crate: they hold nothing that postcard refuses.
pub fn canonical_bytes<M: Serialize>(message: &M) -> Vec<u8> {
    postcard::to_stdvec(message).expect("messages serialize")
}

/// Reads a message from all of `bytes`.
///
/// # Errors
/// [`WireError::NotCanonical`] when they are no message, have bytes behind it, or spell it in a way in which
/// [`canonical_bytes`] would not: two readers must never see different messages in the same bytes.
pub fn from_canonical_bytes<M: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<M, WireError> {
    let message = postcard::from_bytes(bytes).map_err(|_| WireError::NotCanonical)?;
    if canonical_bytes(&message) == bytes { Ok(message) } else { Err(WireError::NotCanonical) }
}

/// Why bytes of the other side are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The length in front exceeds [`MAX_MESSAGE_BYTES`].
    #[error("the message is too long")]
    TooLong,
    /// Not the canonical bytes of any message.
    #[error("not the canonical bytes of a message")]
    NotCanonical,
}

/// A message as it goes into the stream.
///
/// # Errors
/// [`WireError::TooLong`].
pub(crate) fn framed(message: &[u8]) -> Result<Bytes, WireError> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(WireError::TooLong);
    }
    Ok([&(message.len() as u32).to_be_bytes(), message].concat().into())
}

/// Cuts the stream into messages again. It buffers at most one message and what was pushed beyond it.
#[derive(Default)]
pub(crate) struct Deframer {
    pending: BytesMut,
}

impl Deframer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` when bytes are missing.
    pub(crate) fn next_message(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(length) = self.pending.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_MESSAGE_BYTES {
            return Err(WireError::TooLong);
        }
        if self.pending.len() < LENGTH_BYTES + length {
            return Ok(None);
        }
        self.pending.advance(LENGTH_BYTES);
        Ok(Some(self.pending.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ClientMessage, RequestId, ServerMessage};
    use proptest::prelude::*;

    fn message() -> ClientMessage {
        ClientMessage::RequestFriend { request: RequestId(300), user: "bob".into() }
    }

    #[test]
    fn a_message_has_one_encoding() {
        let bytes = canonical_bytes(&message());
        assert_eq!(from_canonical_bytes(&bytes), Ok(message()));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(from_canonical_bytes::<ClientMessage>(&longer), Err(WireError::NotCanonical));
        // The request id 300 is the varint ac 02; with a continuation bit and a zero it reads as 300 too.
        let at = bytes.windows(2).position(|pair| pair == [0xac, 0x02]).unwrap();
        let overlong = [&bytes[..at], &[0xac, 0x82, 0x00], &bytes[at + 2..]].concat();
        assert_eq!(from_canonical_bytes::<ClientMessage>(&overlong), Err(WireError::NotCanonical));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let mut deframer = Deframer::default();
        deframer.push(&(MAX_MESSAGE_BYTES as u32 + 1).to_be_bytes());
        assert_eq!(deframer.next_message(), Err(WireError::TooLong));
        assert_eq!(framed(&vec![0; MAX_MESSAGE_BYTES + 1]), Err(WireError::TooLong));
    }

    proptest! {
        #[test]
        fn messages_survive_any_cutting(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            cut in 1usize..50,
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|message| framed(message).unwrap()).collect();
            let mut deframer = Deframer::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(cut) {
                deframer.push(piece);
                while let Some(message) = deframer.next_message().unwrap() {
                    seen.push(message.to_vec());
                }
            }
            prop_assert_eq!(seen, messages);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = from_canonical_bytes::<ClientMessage>(&bytes);
            let _ = from_canonical_bytes::<ServerMessage>(&bytes);
            let mut deframer = Deframer::default();
            deframer.push(&bytes);
            while let Ok(Some(_)) = deframer.next_message() {}
        }
    }
}
