//! A STUN binding (RFC 8489): learns the own address outside a NAT.

use kernel::{Datagram, Micros, SimTime, random::Stream};
use std::net::SocketAddr;
use stun_proto::types::{
    attribute::{AttributeType, RawAttribute, Username, XorMappedAddress},
    message::{
        BINDING, IntegrityAlgorithm, Message, MessageClass, MessageIntegrityCredentials, MessageType, MessageWriteVec,
        ShortTermCredentials, TransactionId,
    },
    prelude::*,
};

/// First retransmission time-out; it doubles (RFC 8489 section 6.2.1).
const INITIAL_RTO: Micros = Micros::from_millis(500);
/// Requests that are sent at most (Rc of the same section).
const MAX_REQUESTS: u32 = 7;

/// One query, until it is answered or given up.
#[derive(Debug)]
pub(super) struct BindingQuery {
    local: SocketAddr,
    server: SocketAddr,
    transaction: TransactionId,
    sent: u32,
    due: Option<SimTime>,
}

impl BindingQuery {
    /// A query whose first request is due now.
    pub(super) fn new(local: SocketAddr, server: SocketAddr, stream: &mut Stream, now: SimTime) -> BindingQuery {
        let transaction = TransactionId::from(u128::from_be_bytes(stream.bytes()));
        BindingQuery { local, server, transaction, sent: 0, due: Some(now) }
    }

    /// The next request, when one is due.
    pub(super) fn poll_transmit(&mut self, now: SimTime) -> Option<Datagram> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        if self.sent == MAX_REQUESTS {
            self.due = None;
            return None;
        }
        self.due = Some(now + Micros(INITIAL_RTO.0 << self.sent));
        self.sent += 1;
        let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
        let mut request = Message::builder(kind, self.transaction, MessageWriteVec::new());
        request.add_fingerprint().ok()?;
        Some(Datagram::new(self.local, self.server, request.finish()))
    }

    /// The mapped address, when the datagram answers this query; later copies of the answer give none.
    pub(super) fn receive(&mut self, datagram: &Datagram) -> Option<SocketAddr> {
        if self.due.is_none() || datagram.source != self.server {
            return None;
        }
        let answer = Message::from_bytes(&datagram.bytes).ok()?;
        if !answer.has_class(MessageClass::Success) || answer.transaction_id() != self.transaction {
            return None;
        }
        let mapped = answer.attribute::<XorMappedAddress>().ok()?.addr(self.transaction);
        self.due = None;
        Some(mapped)
    }

    /// The socket that asks.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether the datagram carries this query's transaction.
    pub(super) fn owns(&self, datagram: &Datagram) -> bool {
        datagram.source == self.server
            && Message::from_bytes(&datagram.bytes).is_ok_and(|message| message.transaction_id() == self.transaction)
    }

    /// When the next request is due.
    pub(super) fn next_wake(&self) -> Option<SimTime> {
        self.due
    }
}

/// A check of ICE (RFC 8445, section 7.2.4), signed with the peer's password.
pub(super) fn check(names: &str, password: String, stream: &mut Stream) -> Vec<u8> {
    const PRIORITY: AttributeType = AttributeType::new(0x0024);
    let transaction = TransactionId::from(u128::from_be_bytes(stream.bytes()));
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    let mut request = Message::builder(kind, transaction, MessageWriteVec::new());
    let credentials = MessageIntegrityCredentials::from(ShortTermCredentials::new(password));
    let added = Username::new(names)
        .and_then(|name| request.add_attribute(&name))
        .and_then(|()| request.add_attribute(&RawAttribute::new(PRIORITY, &[0x6e, 0, 0xff, 0xff])))
        .and_then(|()| request.add_message_integrity(&credentials, IntegrityAlgorithm::Sha1))
        .and_then(|()| request.add_fingerprint());
    added.map(|()| request.finish()).unwrap_or_default()
}

/// The unsigned answer to a binding request.
pub(super) fn answer(request: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let request = Message::from_bytes(request).ok()?;
    let mut answer = Message::builder_success(&request, MessageWriteVec::new());
    answer.add_attribute(&XorMappedAddress::new(source, request.transaction_id())).ok()?;
    answer.add_fingerprint().ok()?;
    Some(answer.finish())
}

/// Whether a packet is a binding request with USE-CANDIDATE (RFC 8445, section 16.1), signed or not.
pub(super) fn asks_to_be_used(bytes: &[u8]) -> bool {
    const USE_CANDIDATE: AttributeType = AttributeType::new(0x0025);
    Message::from_bytes(bytes).is_ok_and(|message| {
        message.has_class(MessageClass::Request)
            && message.iter_attributes().any(|(_, attribute)| attribute.get_type() == USE_CANDIDATE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    fn query() -> BindingQuery {
        let mut stream = SeedTree::root(1).stream("stun");
        BindingQuery::new("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:3478".parse().unwrap(), &mut stream, SimTime(0))
    }

    fn answer(request: &Datagram, mapped: &str) -> Datagram {
        let message = Message::from_bytes(&request.bytes).unwrap();
        let mut answer = Message::builder_success(&message, MessageWriteVec::new());
        answer.add_attribute(&XorMappedAddress::new(mapped.parse().unwrap(), message.transaction_id())).unwrap();
        Datagram::new(request.destination, request.source, answer.finish())
    }

    #[test]
    fn the_mapped_address_is_learnt_once() {
        let mut query = query();
        let request = query.poll_transmit(SimTime(0)).unwrap();
        let answer = answer(&request, "198.51.100.7:40000");
        assert_eq!(query.receive(&answer), Some("198.51.100.7:40000".parse().unwrap()));
        assert_eq!(query.receive(&answer), None);
        assert_eq!(query.next_wake(), None);
    }

    #[test]
    fn a_lost_request_is_repeated_and_given_up_in_the_end() {
        let mut query = query();
        let mut requests = 0;
        while let Some(due) = query.next_wake() {
            requests += u32::from(query.poll_transmit(due).is_some());
        }
        assert_eq!(requests, MAX_REQUESTS);
    }

    #[test]
    fn another_servers_word_counts_for_nothing() {
        let mut query = query();
        let request = query.poll_transmit(SimTime(0)).unwrap();
        let mut answer = answer(&request, "198.51.100.7:40000");
        answer.source = "203.0.113.9:3478".parse().unwrap();
        assert_eq!(query.receive(&answer), None);
    }
}
