//! What the relay decides about a packet to its TURN port before the TURN library sees it.

use std::net::SocketAddr;
use stun_proto::types::{
    attribute::{ErrorCode, Userhash, Username, XorMappedAddress},
    message::{
        BINDING, IntegrityAlgorithm, LongTermCredentials, Message, MessageClass, MessageIntegrityCredentials,
        MessageType, MessageWriteVec, Method,
    },
    prelude::{MessageWrite, MessageWriteExt},
};
use turn_server_proto::types::{
    attribute::{ChannelNumber, XorPeerAddress},
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND},
};

/// The most peers of one request that are looked at; more are a bad request (a permission for each candidate of a call
/// needs fewer).
const MAX_PEERS: usize = 64;

/// What a packet to the TURN port is.
#[derive(Debug)]
pub(crate) enum Packet<'a> {
    /// A plain STUN Binding request, with its answer.
    Binding(Vec<u8>),
    /// A TURN request: it is authenticated.
    Request(Request<'a>),
    /// Data for a peer. It is not authenticated: what counts is where it comes from. A Send indication names the peer,
    /// ChannelData does not.
    Data(Option<SocketAddr>),
    /// Anything else: dropped.
    Other,
}

/// A TURN request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    message: Message<'a>,
    /// Who it says it is from.
    pub(crate) claim: Claim,
    /// The peers that it names.
    pub(crate) peers: Vec<SocketAddr>,
    /// The channel that it names.
    pub(crate) channel: Option<u16>,
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
pub(crate) fn classify(from: SocketAddr, bytes: &[u8]) -> Packet<'_> {
    // STUN and ChannelData differ in their first two bits (RFC 8656 section 12).
    if bytes.first().is_some_and(|first| first >> 6 == 1) {
        return Packet::Data(None);
    }
    let Ok(message) = Message::from_bytes(bytes) else { return Packet::Other };
    match (message.class(), message.method()) {
        (MessageClass::Request, BINDING) => Packet::Binding(answer_binding(&message, from)),
        (MessageClass::Request, ALLOCATE | REFRESH | CREATE_PERMISSION | CHANNEL_BIND) => {
            let (claim, peers) = (claim(&message), peers(&message));
            let channel = message.attribute::<ChannelNumber>().ok().map(|channel| channel.channel());
            Packet::Request(Request { message, claim, peers, channel })
        }
        (MessageClass::Indication, SEND) => match peers(&message)[..] {
            // One that names several peers could be checked by one and sent to another.
            [peer] => Packet::Data(Some(peer)),
            _ => Packet::Other,
        },
        _ => Packet::Other,
    }
}

impl Request<'_> {
    /// Allocate, Refresh, CreatePermission or ChannelBind.
    pub(crate) fn method(&self) -> Method {
        self.message.method()
    }

    /// Whether the request is signed with the user's password.
    pub(crate) fn is_signed_by(&self, credentials: &MessageIntegrityCredentials) -> bool {
        self.message.validate_integrity(credentials).is_ok()
    }

    /// The signed answer that the request is refused.
    pub(crate) fn refuse(&self, code: u16, credentials: &MessageIntegrityCredentials) -> Vec<u8> {
        let algorithm = self.message.validate_integrity(credentials).unwrap_or(IntegrityAlgorithm::Sha1);
        let mut answer = Message::builder_error(&self.message, MessageWriteVec::new());
        let reason = ErrorCode::builder(code).build().expect("the codes of TURN have a reason");
        answer.add_attribute(&reason).expect("an empty message takes an error");
        answer.add_message_integrity(credentials, algorithm).expect("an unsigned message takes a signature");
        answer.finish()
    }

    /// The same request without any attribute: whoever cannot sign learns no more than a stranger.
    pub(crate) fn anonymous(&self) -> Vec<u8> {
        let kind = MessageType::from_class_method(MessageClass::Request, self.method());
        Message::builder(kind, self.message.transaction_id(), MessageWriteVec::new()).finish()
    }
}

/// The key of a user, for signatures.
pub(crate) fn credentials(username: &str, password: &str, realm: &str) -> MessageIntegrityCredentials {
    LongTermCredentials::new(username.into(), password.into()).to_key(realm.into()).into()
}

fn claim(message: &Message<'_>) -> Claim {
    if let Ok(username) = message.attribute::<Username>() {
        return Claim::Name(username.username().into());
    }
    message.attribute::<Userhash>().map_or(Claim::Nobody, |hash| Claim::Hash(*hash.hash()))
}

fn peers(message: &Message<'_>) -> Vec<SocketAddr> {
    let attributes = message.iter_attributes().map(|(_, attribute)| attribute);
    let named = attributes.filter_map(|attribute| XorPeerAddress::try_from(&attribute).ok());
    named.take(MAX_PEERS + 1).map(|peer| peer.addr(message.transaction_id())).collect()
}

/// Whether a request names more peers than are looked at.
pub(crate) fn names_too_many(peers: &[SocketAddr]) -> bool {
    peers.len() > MAX_PEERS
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
