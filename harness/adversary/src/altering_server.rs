//! A server that changes what it was given to keep.

use kernel::{
    event::AttackKind,
    names::{ActorName, to_hex},
};
use protocol::{ClientMessage, ServerMessage};
use signaling::Interceptor;

/// Flips a bit in each part of a picture that it hands out. It has no key: it can make nothing that opens, but a device that
/// shows what does not open shows what the server likes, a bit at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlteringServer;

impl Interceptor for AlteringServer {
    fn outgoing(&mut self, to: &ActorName, message: ServerMessage) -> ServerMessage {
        let ServerMessage::Part { request, mut bytes } = message else { return message };
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            let before = to_hex(&[*byte]);
            *byte ^= 1;
            kernel::event!(Attack {
                kind: AttackKind::AlterPicture,
                target: to.clone(),
                call: None,
                detail: format!("byte {middle} of a part of a picture is {} and was {before}", to_hex(&[*byte])),
            });
        }
        ServerMessage::Part { request, bytes }
    }

    fn incoming(&mut self, _: &ActorName, message: ClientMessage) -> ClientMessage {
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{AttachmentKey, RequestId};

    #[test]
    fn a_part_has_another_bit_and_nothing_else_changes() {
        let (key, sealed) =
            AttachmentKey::seal(b"a picture", &mut kernel::random::SeedTree::root(1).stream("pictures"));
        let part = ServerMessage::Part { request: RequestId(1), bytes: sealed.clone() };
        let ServerMessage::Part { bytes, .. } = AlteringServer.outgoing(&"bob-phone".into(), part) else { panic!() };
        let differing: u32 = bytes.iter().zip(&sealed).map(|(one, other)| (one ^ other).count_ones()).sum();
        assert_eq!((bytes.len(), differing), (sealed.len(), 1));
        assert!(key.open(&bytes).is_err() && key.open(&sealed).is_ok());
        let refused = ServerMessage::Refused { request: RequestId(1) };
        assert_eq!(AlteringServer.outgoing(&"bob-phone".into(), refused.clone()), refused);
        let empty = ServerMessage::Part { request: RequestId(1), bytes: Vec::new() };
        assert_eq!(AlteringServer.outgoing(&"bob-phone".into(), empty.clone()), empty);
    }
}
