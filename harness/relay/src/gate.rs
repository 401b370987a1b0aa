//! What the relay decides about a packet to its TURN port before the TURN library sees it.

use std::net::SocketAddr;
use stun_proto::types::{
    attribute::{Userhash, Username, XorMappedAddress},
    message::{BINDING, Message, MessageClass, MessageType, MessageWriteVec},
    prelude::{MessageWrite, MessageWriteExt},
};
use turn_server_proto::types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

/// What a packet to the TURN port is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// A plain STUN Binding request, with its answer.
    Binding(Vec<u8>),
    /// A TURN request: it is authenticated.
    Request(Claim),
    /// Data for a peer: a Send indication or ChannelData. It is not authenticated: what counts is where it comes from.
    Data,
    /// Anything else: dropped.
    Other,
}

/// Who a request says it is from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nobody: the first request of a client, which is answered with a nonce.
    Nobody,
    /// The user of this name.
    Name(String),
    /// The user with this hash of name and realm (RFC 8489 section 14.4).
    Hash([u8; 32]),
}

/// Classifies a packet. Of the methods of STUN only those of TURN over UDP pass: the library also knows TURN over TCP
/// (RFC 6062), which this relay does not offer.
pub(crate) fn classify(from: SocketAddr, bytes: &[u8]) -> Packet {
    // STUN and ChannelData differ in their first two bits (RFC 8656 section 12).
    if bytes.first().is_some_and(|first| first >> 6 == 1) {
        return Packet::Data;
    }
    let Ok(message) = Message::from_bytes(bytes) else { return Packet::Other };
    match (message.class(), message.method()) {
        (MessageClass::Request, BINDING) => Packet::Binding(answer_binding(&message, from)),
        (MessageClass::Request, ALLOCATE | REFRESH | CREATE_PERMISSION | CHANNEL_BIND) => {
            Packet::Request(claim(&message))
        }
        (MessageClass::Indication, SEND) => Packet::Data,
        _ => Packet::Other,
    }
}

fn claim(message: &Message<'_>) -> Claim {
    if let Ok(username) = message.attribute::<Username>() {
        return Claim::Name(username.username().into());
    }
    message.attribute::<Userhash>().map_or(Claim::Nobody, |hash| Claim::Hash(*hash.hash()))
}

/// The library would send the answer to the relay itself instead of to `from`.
fn answer_binding(request: &Message<'_>, from: SocketAddr) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Success, BINDING);
    let mut answer = Message::builder(kind, request.transaction_id(), MessageWriteVec::new());
    let mapped = XorMappedAddress::new(from, request.transaction_id());
    answer.add_attribute(&mapped).expect("an empty message takes an address");
    answer.add_fingerprint().expect("a message without fingerprint takes one");
    answer.finish()
}
