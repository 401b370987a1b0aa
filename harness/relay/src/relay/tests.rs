use super::*;
use kernel::seam;
use proptest::prelude::*;
use stun_proto::types::message::{BINDING, Message, MessageWriteVec};
use stun_proto::types::prelude::{MessageWrite, MessageWriteExt};
use turn_client_proto::{
    api::{TurnClientApi, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    types::TurnCredentials,
    udp::TurnClientUdp,
};

mod errors;
mod streams;

fn relay_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 3_478))
}

fn host(n: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, n], 5_000))
}

/// The relay's IPv6 address.
fn relay_v6() -> IpAddr {
    "2001:db8::9".parse().unwrap()
}

/// Two test networks are the public Internet; everything else that is special stays special.
fn config() -> RelayConfig {
    let public = vec![
        Prefix::v4([192, 0, 2, 0], 24),
        Prefix::v4([198, 51, 100, 0], 24),
        Prefix::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ];
    RelayConfig { address_v6: Some(relay_v6()), public, quotas: Quotas::default(), identity: None }
}

const HOUR: Micros = Micros::from_secs(3_600);

/// A relay, TURN clients and one peer without TURN, joined by paths without delay.
struct Network {
    now: SimTime,
    relay: Relay,
    clients: Vec<Client>,
    at_peer: Vec<Datagram>,
    /// Every packet of the relay.
    sent: Vec<Datagram>,
}

struct Client {
    turn: TurnClientUdp,
    events: Vec<TurnEvent>,
    data: Vec<(SocketAddr, Vec<u8>)>,
}

const PEER: u8 = 200;

impl Network {
    fn new() -> Network {
        Network::with(config())
    }

    fn with(config: RelayConfig) -> Network {
        let mut relay = Relay::new("relay".into(), relay_address(), config, SeedTree::root(1), SimTime::ZERO);
        relay.grant("alice", "secret-a", HOUR, SimTime::ZERO);
        relay.grant("bob", "secret-b", HOUR, SimTime::ZERO);
        Network { now: SimTime::ZERO, relay, clients: Vec::new(), at_peer: Vec::new(), sent: Vec::new() }
    }

    /// Adds a client and lets it try to allocate.
    fn join(&mut self, username: &str, password: &str) -> usize {
        let config = TurnConfig::new(TurnCredentials::new(username, password));
        let turn = TurnClientUdp::allocate(host(self.clients.len() as u8 + 1), relay_address(), config);
        self.clients.push(Client { turn, events: Vec::new(), data: Vec::new() });
        self.exchange();
        self.clients.len() - 1
    }

    /// Advances time, waking whoever wants it.
    fn run(&mut self, span: Micros) {
        let end = self.now + span;
        self.settle();
        while self.now < end {
            let mut next = end;
            for client in &mut self.clients {
                if let TurnPollRet::WaitUntil(at) = client.turn.poll(instant(self.now)) {
                    next = next.min(SimTime(at.as_nanos() as u64 / 1_000).max(self.now) + Micros(1));
                }
            }
            next = next.min(self.relay.next_wake(self.now).unwrap_or(end));
            assert!(next > self.now, "time stands still");
            self.now = next;
            self.relay.handle(RelayInput::Timeout, self.now);
            self.settle();
        }
    }

    /// Gives requests and their answers time: the client library spaces its requests.
    fn exchange(&mut self) {
        self.run(Micros::from_millis(500));
    }

    /// Delivers packets until there are none.
    fn settle(&mut self) {
        loop {
            let mut packets = Vec::new();
            for client in &mut self.clients {
                client.turn.poll(instant(self.now));
                while let Some(transmit) = client.turn.poll_transmit(instant(self.now)) {
                    packets.push(Datagram::new(transmit.from, transmit.to, transmit.data.to_vec()));
                }
                client.events.extend(std::iter::from_fn(|| client.turn.poll_event()));
            }
            packets.extend(std::iter::from_fn(|| self.relay.poll()));
            if packets.is_empty() {
                return;
            }
            packets.into_iter().for_each(|packet| self.deliver(packet));
        }
    }

    fn deliver(&mut self, packet: Datagram) {
        if packet.source.ip() == relay_address().ip() {
            self.sent.push(packet.clone());
        }
        if packet.destination.ip() == relay_address().ip() {
            return self.relay.handle(RelayInput::Datagram(packet), self.now);
        }
        let Some(client) = self.clients.iter_mut().find(|client| client.turn.local_addr() == packet.destination) else {
            return self.at_peer.push(packet);
        };
        let transmit = Transmit::new(packet.bytes, TransportType::Udp, packet.source, packet.destination);
        if let TurnRecvRet::PeerData(data) = client.turn.recv(transmit, instant(self.now)) {
            client.data.push((data.peer, data.data().to_vec()));
        }
    }

    /// The relayed address of a client that allocated.
    fn relayed(&self, client: usize) -> SocketAddr {
        self.clients[client].turn.relayed_addresses().next().expect("the client has an allocation").1
    }

    fn permit(&mut self, client: usize, peer: SocketAddr) {
        self.clients[client].turn.create_permission(TransportType::Udp, peer.ip(), instant(self.now)).unwrap();
        self.exchange();
    }

    fn bind(&mut self, client: usize, peer: SocketAddr) {
        self.clients[client].turn.bind_channel(TransportType::Udp, peer, instant(self.now)).unwrap();
        self.exchange();
    }

    /// Sends from a client through the relay; the packet that went to the relay.
    fn send(&mut self, client: usize, to: SocketAddr, data: &[u8]) -> PacketId {
        let now = instant(self.now);
        let built = self.clients[client].turn.send_to(TransportType::Udp, to, data.to_vec(), now).unwrap();
        let transmit = built.expect("UDP data goes out at once").build();
        let packet = Datagram::new(transmit.from, transmit.to, transmit.data);
        let id = packet.packet;
        self.deliver(packet);
        self.settle();
        id
    }
}

#[test]
fn data_passes_both_ways_with_a_permission() {
    let mut network = Network::new();
    let alice = network.join("alice", "secret-a");
    let relayed = network.relayed(alice);
    assert!(relayed.port() >= FIRST_PORT);
    network.deliver(Datagram::new(host(PEER), relayed, b"too early".to_vec()));
    network.permit(alice, host(PEER));
    let sent = network.send(alice, host(PEER), b"to the peer");
    let [at_peer] = &network.at_peer[..] else { panic!("one packet reaches the peer") };
    assert_eq!((at_peer.source, &at_peer.bytes[..]), (relayed, &b"to the peer"[..]));
    assert_eq!((at_peer.cause, at_peer.relay), (Some(sent), Micros::ZERO));

    let answer = Datagram::new(host(PEER), relayed, b"to alice".to_vec());
    let id = answer.packet;
    network.deliver(answer);
    network.settle();
    assert_eq!(network.clients[alice].data, [(host(PEER), b"to alice".to_vec())]);
    assert_eq!(network.sent.last().unwrap().cause, Some(id));
}

#[test]
fn a_channel_adds_four_bytes() {
    let mut network = Network::new();
    let alice = network.join("alice", "secret-a");
    network.bind(alice, host(PEER));
    network.send(alice, host(PEER), &[7; 100]);
    assert_eq!(network.at_peer[0].bytes, [7; 100]);
    network.deliver(Datagram::new(host(PEER), network.relayed(alice), vec![8; 100]));
    network.settle();
    assert_eq!(network.sent.last().unwrap().bytes.len(), 104);
    assert_eq!(network.clients[alice].data, [(host(PEER), vec![8; 100])]);
}

#[test]
fn two_clients_of_one_relay_reach_each_other() {
    let mut network = Network::new();
    let (alice, bob) = (network.join("alice", "secret-a"), network.join("bob", "secret-b"));
    let (at_alice, at_bob) = (network.relayed(alice), network.relayed(bob));
    network.bind(alice, at_bob);
    network.bind(bob, at_alice);
    let sent = network.send(alice, at_bob, b"hello");
    assert_eq!(network.clients[bob].data, [(at_alice, b"hello".to_vec())]);
    let copy = network.sent.last().unwrap();
    assert_eq!((copy.cause, copy.destination), (Some(sent), host(2)));
}

#[test]
fn wrong_credentials_get_no_allocation() {
    for (username, password) in [("alice", "secret-b"), ("mallory", "secret-a")] {
        let mut network = Network::new();
        let client = network.join(username, password);
        network.run(Micros::from_secs(40));
        assert_eq!(network.clients[client].turn.relayed_addresses().count(), 0);
        assert!(network.relay.allocations.is_empty());
        assert!(network.sent.iter().all(|packet| packet.cause.is_none()));
    }
}

#[test]
fn an_allocation_lives_while_it_is_refreshed_and_ends_when_it_is_deleted() {
    let mut network = Network::new();
    let alice = network.join("alice", "secret-a");
    network.run(Micros::from_secs(3_500));
    assert_eq!(network.relay.allocations.len(), 1);
    network.clients[alice].turn.delete(instant(network.now)).unwrap();
    network.exchange();
    assert!(network.relay.allocations.is_empty());
    assert_eq!(network.relay.next_wake(network.now), None);
}

#[test]
fn an_abandoned_allocation_expires() {
    let mut network = Network::new();
    network.join("alice", "secret-a");
    network.clients.clear();
    network.run(Micros::from_secs(590));
    assert_eq!(network.relay.allocations.len(), 1);
    network.run(Micros::from_secs(3_100));
    assert!(network.relay.allocations.is_empty());
}

#[test]
fn a_revoked_user_is_cut_off_and_cannot_refresh() {
    let mut network = Network::new();
    let alice = network.join("alice", "secret-a");
    let relayed = network.relayed(alice);
    network.bind(alice, host(PEER));
    network.relay.revoke("alice", network.now);
    assert!(network.relay.allocations.is_empty(), "what was allocated is gone at once");
    network.send(alice, host(PEER), b"after");
    network.deliver(Datagram::new(host(PEER), relayed, b"after".to_vec()));
    network.settle();
    assert!(network.at_peer.is_empty() && network.clients[alice].data.is_empty());
    network.run(Micros::from_secs(700));
    assert!(network.relay.allocations.is_empty());
    let again = network.join("alice", "secret-a");
    network.run(Micros::from_secs(40));
    assert_eq!(network.clients[again].turn.relayed_addresses().count(), 0);
}

#[test]
fn a_credential_ends_with_its_time_and_takes_its_allocation_along() {
    let mut network = Network::new();
    network.relay.grant("carol", "secret-c", Micros::from_secs(100), network.now);
    let (carol, alice) = (network.join("carol", "secret-c"), network.join("alice", "secret-a"));
    network.bind(carol, host(PEER));
    network.run(Micros::from_secs(90));
    network.send(carol, host(PEER), b"in time");
    assert_eq!(network.at_peer.len(), 1);
    let relayed = network.relayed(alice);
    network.run(Micros::from_secs(10));
    assert_eq!(network.relay.allocations.keys().copied().collect::<Vec<_>>(), [relayed]);
    network.send(carol, host(PEER), b"too late");
    assert_eq!(network.at_peer.len(), 1);
    let again = network.join("carol", "secret-c");
    network.run(Micros::from_secs(40));
    assert_eq!(network.clients[again].turn.relayed_addresses().count(), 0);
}

#[test]
fn a_user_has_a_limited_number_of_allocations() {
    let mut network = Network::new();
    let most = Quotas::default().allocations_per_user;
    for _ in 0..most + 2 {
        network.join("alice", "secret-a");
    }
    assert_eq!(network.relay.allocations.len(), most);
    network.join("bob", "secret-b");
    assert_eq!(network.relay.allocations.len(), most + 1);
}

#[test]
fn an_allocation_has_a_limited_bandwidth_both_ways_together() {
    let quotas = Quotas { bandwidth: kernel::BitRate(800_000), ..Quotas::default() };
    let mut network = Network::with(RelayConfig { quotas, ..config() });
    let alice = network.join("alice", "secret-a");
    network.bind(alice, host(PEER));
    let relayed = network.relayed(alice);
    for step in 0..400 {
        network.send(alice, host(PEER), &[7; 500]);
        network.deliver(Datagram::new(host(PEER), relayed, vec![8; 500]));
        network.settle();
        if step % 10 == 9 {
            network.run(Micros::from_millis(25));
        }
    }
    // 400,000 bytes were offered in a second: 100,000 of them pass, and half a second's worth before.
    let passed = 500 * (network.at_peer.len() + network.clients[alice].data.len());
    assert!((140_000..=151_000).contains(&passed), "{passed}");
}

#[test]
fn a_client_without_allocation_sends_nothing() {
    let mut network = Network::new();
    let alice = network.join("alice", "secret-a");
    network.bind(alice, host(PEER));
    let relayed = network.relayed(alice);
    let stranger = host(77);
    network.deliver(Datagram::new(stranger, relay_address(), [&[0x40, 0, 0, 4][..], b"data"].concat()));
    network.deliver(Datagram::new(stranger, relayed, b"from a peer without permission".to_vec()));
    network.settle();
    assert!(network.at_peer.is_empty() && network.clients[alice].data.is_empty());
}

/// After a stranger spoke to the relay, its client's peer sends two packets; where they went.
fn after_a_stranger_spoke() -> Vec<SocketAddr> {
    let mut network = Network::new();
    let alice = network.join("alice", "secret-a");
    network.bind(alice, host(PEER));
    let relayed = network.relayed(alice);
    network.deliver(Datagram::new(host(77), relay_address(), [&[0x40, 0, 0, 4][..], b"data"].concat()));
    network.sent.clear();
    for _ in 0..2 {
        network.deliver(Datagram::new(host(PEER), relayed, b"for alice".to_vec()));
        network.settle();
    }
    network.sent.iter().map(|sent| sent.destination).collect()
}

#[test]
fn whoever_speaks_as_a_client_gets_nothing_of_it_unless_v79_is_planted() {
    assert_eq!(after_a_stranger_spoke(), [host(1); 2]);
    kernel::mutant::plant(&[kernel::Mutant::V79]);
    let went = after_a_stranger_spoke();
    kernel::mutant::plant(&[]);
    assert_eq!(went, [host(77), host(1)]);
}

#[test]
fn a_binding_request_is_answered_with_the_address_it_came_from() {
    let mut network = Network::new();
    let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
    request.add_fingerprint().unwrap();
    let packet = Datagram::new(host(PEER), relay_address(), request.finish());
    network.deliver(packet);
    network.settle();
    let answer = &network.at_peer[0];
    assert_eq!((answer.source, answer.cause), (relay_address(), None));
    let answer = Message::from_bytes(&answer.bytes).unwrap();
    let mapped = answer.attribute::<stun_proto::types::attribute::XorMappedAddress>().unwrap();
    assert_eq!(mapped.addr(answer.transaction_id()), host(PEER));
}

#[test]
fn the_snapshot_holds_passwords_only_while_they_are_granted() {
    let mut network = Network::new();
    let holds = |relay: &Relay, text: &str| relay.snapshot().windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds(&network.relay, "secret-a"));
    network.relay.revoke("alice", network.now);
    assert!(!holds(&network.relay, "secret-a"));
    assert!(holds(&network.relay, "secret-b"));
}

#[test]
fn equal_seeds_give_equal_packets() {
    let run = |seed| {
        let body = move || {
            let simulation = seam::enter(seed);
            let _scope = random::scope("clients");
            let mut network = Network::new();
            let (alice, bob) = (network.join("alice", "secret-a"), network.join("bob", "secret-b"));
            let (at_alice, at_bob) = (network.relayed(alice), network.relayed(bob));
            network.permit(alice, at_bob);
            network.permit(bob, at_alice);
            network.send(alice, at_bob, b"hello");
            network.run(Micros::from_secs(1_000));
            (network.sent, simulation.leave().1)
        };
        std::thread::Builder::new().spawn(body).unwrap().join().unwrap()
    };
    let (packets, draws) = run(1);
    assert_eq!(draws.strays, Vec::<String>::new());
    assert_eq!((packets.clone(), draws), run(1));
    assert_ne!(packets, run(2).0);
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20)) {
        let mut network = Network::new();
        let alice = network.join("alice", "secret-a");
        network.permit(alice, host(PEER));
        for (n, bytes) in packets.into_iter().enumerate() {
            let source = if n % 2 == 0 { host(1) } else { host(PEER) };
            network.deliver(Datagram::new(source, relay_address(), bytes));
        }
        network.settle();
    }

    /// Real messages with changed bytes come past the parser and deeper into the library.
    #[test]
    fn changed_messages_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), which in 0_usize..6) {
        let mut network = Network::new();
        let alice = network.join("alice", "secret-a");
        let mut seen = Vec::new();
        let now = instant(network.now);
        network.clients[alice].turn.create_permission(TransportType::Udp, host(PEER).ip(), now).unwrap();
        network.clients[alice].turn.bind_channel(TransportType::Udp, host(PEER), now).unwrap();
        network.clients[alice].turn.delete(now).unwrap();
        for step in 0..10 {
            let now = instant(network.now + Micros::from_millis(100 * step));
            network.clients[alice].turn.poll(now);
            seen.extend(network.clients[alice].turn.poll_transmit(now).map(|transmit| transmit.data.to_vec()));
        }
        if let Some(bytes) = seen.get_mut(which) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in seen {
            network.deliver(Datagram::new(host(1), relay_address(), bytes.clone()));
            network.deliver(Datagram::new(host(PEER), relay_address(), bytes));
        }
        network.settle();
    }
}
