//! Each refusal by its code (RFC 8656, RFC 8489), asked for with hand-made requests.

use super::{super::MAX_KNOWN, PEER, config, host, relay_address};
use crate::{Quotas, Relay, RelayConfig, RelayInput};
use kernel::{
    mutant::{self, Mutant},
    packet::Datagram,
    random::SeedTree,
    time::{Micros, SimTime},
};
use std::net::SocketAddr;
use stun_proto::types::{
    AddressFamily,
    attribute::{AttributeWrite, ErrorCode, Nonce, Realm, Username},
    message::{
        IntegrityAlgorithm, LongTermCredentials, Message, MessageClass, MessageIntegrityCredentials, MessageType,
        MessageWriteVec, Method, TransactionId,
    },
    prelude::{MessageWrite, MessageWriteExt},
};
use turn_server_proto::types::{
    attribute::{
        ChannelNumber, Data, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress, XorRelayedAddress,
    },
    message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND},
};

/// A client that says exactly what the test wants.
struct Talker {
    relay: Relay,
    from: SocketAddr,
    user: (&'static str, &'static str),
    nonce: String,
    transaction: u128,
}

type Attributes<'a> = &'a [&'a dyn AttributeWrite];

impl Talker {
    fn new(config: RelayConfig) -> Talker {
        let mut relay = Relay::new("relay".into(), relay_address(), config, SeedTree::root(1), SimTime::ZERO);
        relay.grant("alice", "secret-a", Micros::from_secs(3_600), SimTime::ZERO);
        relay.grant("bob", "secret-b", Micros::from_secs(3_600), SimTime::ZERO);
        let user = ("alice", "secret-a");
        let mut talker = Talker { relay, from: host(1), user, nonce: String::new(), transaction: 1 };
        talker.move_to(host(1));
        talker
    }

    /// Speaks from another address from now on, with a nonce of its own.
    fn move_to(&mut self, from: SocketAddr) -> &mut Talker {
        self.from = from;
        let answer = self.exchange(ALLOCATE, &[], false).expect("a request is answered");
        self.nonce = Message::from_bytes(&answer).unwrap().attribute::<Nonce>().unwrap().nonce().to_owned();
        self
    }

    fn transaction(&mut self) -> TransactionId {
        self.transaction += 1;
        TransactionId::from(self.transaction)
    }

    fn exchange(&mut self, method: Method, attributes: Attributes, signed: bool) -> Option<Vec<u8>> {
        let transaction = TransactionId::from(self.transaction);
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut request = Message::builder(kind, transaction, MessageWriteVec::new());
        for attribute in attributes {
            request.add_attribute(*attribute).unwrap();
        }
        if signed {
            let (name, password) = self.user;
            request.add_attribute(&Username::new(name).unwrap()).unwrap();
            request.add_attribute(&Realm::new("callproof").unwrap()).unwrap();
            request.add_attribute(&Nonce::new(&self.nonce).unwrap()).unwrap();
            let key = LongTermCredentials::new(name.into(), password.into()).to_key("callproof".into());
            let key = MessageIntegrityCredentials::from(key);
            request.add_message_integrity(&key, IntegrityAlgorithm::Sha1).unwrap();
        }
        self.deliver(request.finish())
    }

    fn deliver(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        let packet = Datagram::new(self.from, relay_address(), bytes);
        self.relay.handle(RelayInput::Datagram(packet), SimTime(1_000));
        let answer = self.relay.poll()?;
        assert_eq!((answer.source, answer.destination), (relay_address(), self.from));
        Some(answer.bytes)
    }

    /// The code of the answer; 0 for success.
    fn code(&mut self, method: Method, attributes: Attributes) -> u16 {
        code(&self.exchange(method, attributes, true).expect("a request is answered"))
    }

    fn allocate(&mut self) -> u16 {
        self.transaction += 1;
        self.code(ALLOCATE, &[&RequestedTransport::new(RequestedTransport::UDP)])
    }

    fn allocate_v6(&mut self) -> u16 {
        self.transaction += 1;
        let family = RequestedAddressFamily::new(AddressFamily::IPV6);
        self.code(ALLOCATE, &[&RequestedTransport::new(RequestedTransport::UDP), &family])
    }

    fn permit(&mut self, peer: &str) -> u16 {
        let transaction = self.transaction();
        self.code(CREATE_PERMISSION, &[&XorPeerAddress::new(peer.parse().unwrap(), transaction)])
    }

    fn bind(&mut self, number: u16, peer: &str) -> u16 {
        let transaction = self.transaction();
        let peer = XorPeerAddress::new(peer.parse().unwrap(), transaction);
        self.code(CHANNEL_BIND, &[&ChannelNumber::new(number), &peer])
    }

    /// Where a Send indication for these peers goes.
    fn send(&mut self, peers: &[&str]) -> Option<SocketAddr> {
        let transaction = self.transaction();
        let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
        let mut indication = Message::builder(kind, transaction, MessageWriteVec::new());
        for peer in peers {
            let peer = XorPeerAddress::new(peer.parse().unwrap(), transaction);
            // The builder refuses a second attribute of a kind, so write the later ones by hand.
            if indication.add_attribute(&peer).is_err() {
                let mut bytes = indication.finish();
                bytes.extend(peer.to_raw().to_bytes());
                let length = (bytes.len() - 20) as u16;
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                return self.deliver_to_peer(bytes);
            }
        }
        indication.add_attribute(&Data::new(b"data")).unwrap();
        self.deliver_to_peer(indication.finish())
    }

    fn deliver_to_peer(&mut self, bytes: Vec<u8>) -> Option<SocketAddr> {
        let packet = Datagram::new(self.from, relay_address(), bytes);
        self.relay.handle(RelayInput::Datagram(packet), SimTime(1_000));
        self.relay.poll().map(|packet| packet.destination)
    }
}

fn code(answer: &[u8]) -> u16 {
    let answer = Message::from_bytes(answer).unwrap();
    if answer.has_class(MessageClass::Success) { 0 } else { answer.attribute::<ErrorCode>().unwrap().code() }
}

fn peer() -> String {
    host(PEER).to_string()
}

#[test]
fn bad_request_400() {
    let mut talker = Talker::new(config());
    assert_eq!(talker.code(ALLOCATE, &[]), 400, "no REQUESTED-TRANSPORT");
    assert_eq!(talker.allocate(), 0);
    talker.transaction();
    assert_eq!(talker.code(CREATE_PERMISSION, &[]), 400, "no peer");
    assert_eq!(talker.bind(0x4000, &peer()), 0);
    assert_eq!(talker.bind(0x4000, "198.51.100.77:5000"), 400, "the number belongs to another peer");
    assert_eq!(talker.bind(0x4001, &peer()), 400, "the peer has another number");
    assert_eq!(talker.bind(0x3fff, "198.51.100.77:5000"), 400, "the number is none of a channel");
}

#[test]
fn unauthorized_401() {
    let mut talker = Talker::new(config());
    talker.user = ("alice", "secret-b");
    assert_eq!(talker.allocate(), 401);
    talker.user = ("mallory", "secret-a");
    assert_eq!(talker.allocate(), 401);
    // Whoever cannot sign does not learn what is refused.
    assert_eq!(talker.permit("127.0.0.1:80"), 401);
    let unsigned = talker.exchange(REFRESH, &[], false).unwrap();
    assert_eq!(code(&unsigned), 401);
}

#[test]
fn forbidden_403() {
    let special = [
        "0.0.0.0:80",
        "10.0.0.5:80",
        "100.64.0.1:80",
        "127.0.0.1:22",
        "127.255.255.254:22",
        "169.254.169.254:80",
        "172.16.9.9:1",
        "192.0.0.9:1",
        "192.31.196.1:1",
        "192.52.193.1:1",
        "192.88.99.2:1",
        "192.168.84.6:5000",
        "192.175.48.1:1",
        "198.18.0.1:1",
        "203.0.113.1:1",
        "224.0.0.251:5353",
        "255.255.255.255:1",
    ];
    let mut talker = Talker::new(config());
    assert_eq!(talker.allocate(), 0);
    for (peer, number) in special.iter().zip(0x4000..) {
        assert_eq!((talker.permit(peer), talker.bind(number, peer)), (403, 403), "{peer}");
        assert_eq!(talker.send(&[peer]), None, "{peer}");
    }
    assert_eq!(talker.bind(0x4fff, &relay_address().to_string()), 403, "the relay's own port");
    assert_eq!((talker.permit(&peer()), talker.send(&[&peer()])), (0, Some(host(PEER))));
    assert_eq!(talker.send(&[&peer(), "10.0.0.5:80"]), None, "one peer for the check, one for the way");
}

#[test]
fn forbidden_403_of_version_6() {
    let special = [
        "[::]:80",
        "[::1]:80",
        "[::ffff:127.0.0.1]:80",
        "[::ffff:198.51.100.200]:80",
        "[::10.0.0.1]:80",
        "[64:ff9b::10.0.0.1]:80",
        "[64:ff9b:1::1]:80",
        "[100::1]:1",
        "[2001::1]:1",
        "[2001:0:a00:1::f5ff:fffe]:1",
        "[2001:20::1]:1",
        "[2002:7f00:1::1]:80",
        "[2620:4f:8000::1]:1",
        "[3fff::1]:1",
        "[5f00::1]:1",
        "[fd00::5]:80",
        "[fe80::1]:80",
        "[ff02::1]:1",
    ];
    let mut talker = Talker::new(config());
    assert_eq!(talker.allocate_v6(), 0);
    for (peer, number) in special.iter().zip(0x4000..) {
        assert_eq!((talker.permit(peer), talker.bind(number, peer)), (403, 403), "{peer}");
        assert_eq!(talker.send(&[peer]), None, "{peer}");
    }
    assert_eq!(talker.permit("[2001:db8::77]:5000"), 0);
    assert_eq!(talker.send(&["[2001:db8::77]:5000"]), Some("[2001:db8::77]:5000".parse().unwrap()));
}

#[test]
fn allocation_mismatch_437() {
    let mut talker = Talker::new(config());
    talker.transaction();
    assert_eq!(talker.code(REFRESH, &[&Lifetime::new(600)]), 437);
    assert_eq!(talker.permit(&peer()), 437);
    assert_eq!(talker.bind(0x4000, "10.0.0.5:80"), 437, "without an allocation nothing is told of peers");
    assert_eq!((talker.allocate(), talker.allocate()), (0, 437));
}

#[test]
fn stale_nonce_438() {
    let mut talker = Talker::new(config());
    talker.nonce = "0123456789abcdef".into();
    assert_eq!(talker.allocate(), 438);
}

#[test]
fn address_family_not_supported_440() {
    let mut talker = Talker::new(RelayConfig { address_v6: None, ..config() });
    assert_eq!(talker.allocate_v6(), 440);
    let mut talker = Talker::new(config());
    talker.transaction();
    let family = RequestedAddressFamily::new(AddressFamily::IPV6);
    let attributes: Attributes = &[&RequestedTransport::new(RequestedTransport::UDP), &family];
    let answer = talker.exchange(ALLOCATE, attributes, true).unwrap();
    let answer = Message::from_bytes(&answer).unwrap();
    let relayed = answer.attribute::<XorRelayedAddress>().unwrap().addr(answer.transaction_id());
    assert_eq!(relayed.ip(), super::relay_v6());
}

#[test]
fn wrong_credentials_441() {
    let mut talker = Talker::new(config());
    assert_eq!(talker.allocate(), 0);
    talker.user = ("bob", "secret-b");
    talker.transaction();
    assert_eq!(talker.code(REFRESH, &[&Lifetime::new(0)]), 441);
    assert_eq!(talker.permit(&peer()), 441);
    assert_eq!(talker.permit("10.0.0.5:80"), 441, "of peers nothing is told");
}

#[test]
fn unsupported_transport_442_and_peer_family_443() {
    let mut talker = Talker::new(config());
    assert_eq!(talker.code(ALLOCATE, &[&RequestedTransport::new(33)]), 442);
    assert_eq!(talker.allocate(), 0);
    assert_eq!(talker.permit("[2001:db8::77]:5000"), 443);
}

#[test]
fn allocation_quota_reached_486() {
    let quotas = Quotas { allocations_per_user: 2, ..Quotas::default() };
    let mut talker = Talker::new(RelayConfig { quotas, ..config() });
    let codes = [1, 2, 3].map(|n| talker.move_to(host(n)).allocate());
    assert_eq!(codes, [0, 0, 486]);
    talker.user = ("bob", "secret-b");
    assert_eq!(talker.allocate(), 0);
}

#[test]
fn insufficient_capacity_508() {
    let quotas = Quotas { allocations: 1, permissions: 2, channels: 1, ..Quotas::default() };
    let mut talker = Talker::new(RelayConfig { quotas, ..config() });
    assert_eq!(talker.allocate(), 0);
    assert_eq!(talker.bind(0x4000, "198.51.100.11:1"), 0);
    assert_eq!(talker.bind(0x4001, "198.51.100.11:2"), 508);
    assert_eq!(talker.permit("198.51.100.12:1"), 0);
    assert_eq!(talker.permit("198.51.100.13:1"), 508);
    assert_eq!(talker.permit("198.51.100.12:9"), 0, "a permission is renewed");
    assert_eq!(talker.move_to(host(2)).allocate(), 508);
}

/// Whoever forges sources fills no memory, but keeps new clients out: a limit of the library, which forgets no nonce.
#[test]
fn beyond_the_addresses_that_it_remembers_a_relay_serves_those_that_it_knows() {
    let mut talker = Talker::new(config());
    let forged = (0..).map(|n: u32| (false, SocketAddr::from((n.to_be_bytes(), 5_000))));
    talker.relay.known.extend(forged.take(MAX_KNOWN - 1));
    assert_eq!(talker.relay.known.len(), MAX_KNOWN);
    talker.from = host(2);
    assert_eq!(talker.exchange(ALLOCATE, &[], false), None);
    talker.from = host(1);
    assert_eq!((talker.allocate(), talker.relay.known.len()), (0, MAX_KNOWN));
}

#[test]
fn planted_bugs_open_what_they_say() {
    let code = |planted: Mutant, peer: &str| {
        mutant::plant(&[planted]);
        let mut talker = Talker::new(config());
        let codes = (talker.allocate(), talker.permit(peer));
        mutant::plant(&[]);
        codes
    };
    assert_eq!((code(Mutant::V75, "127.0.0.1:1"), code(Mutant::V75, "10.0.0.5:1")), ((0, 0), (0, 0)));
    assert_eq!((code(Mutant::V76, "127.0.0.1:1"), code(Mutant::V76, "10.0.0.5:1")), ((0, 403), (0, 0)));
}
