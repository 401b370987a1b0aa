use super::*;
use crate::{message::RequestId, wire::MAX_MESSAGE_BYTES};
use bytes::Bytes;
use kernel::{
    random::{Draws, Stream},
    seam, time,
    time::Micros,
};
use proptest::prelude::*;

const DELAY: Micros = Micros::from_millis(20);
/// An address of the server's that nothing reaches.
const BLACK_HOLE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 200)), 443);

fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

/// From a client to the server.
fn route(host: u8) -> Route {
    Route { local: address(host, 5443), server: address(1, 443) }
}

fn identity() -> ServerIdentity {
    ServerIdentity::generate(&mut SeedTree::root(99).stream("server"))
}

/// A server and its clients, joined by paths of 20 ms that lose packets.
struct Network {
    now: SimTime,
    server: ServerChannel,
    clients: Vec<ClientChannel>,
    /// The last bytes of their addresses.
    hosts: Vec<u8>,
    /// Whether only TCP passes.
    blocks_udp: bool,
    in_flight: BTreeMap<(SimTime, u64), Datagram>,
    sent: u64,
    loss_ppm: u32,
    losses: Stream,
    transcript: Vec<u8>,
    events: Vec<ChannelEvent>,
    received: Vec<Vec<ServerMessage>>,
}

impl Network {
    fn new(clients: u8, loss_ppm: u32, seeds: SeedTree) -> Network {
        let server_address = address(1, 443);
        let server = ServerChannel::new(&[server_address], identity(), seeds.child("server"), SimTime::ZERO);
        let client = |n: u8| {
            let seeds = seeds.child(&format!("client-{n}"));
            ClientChannel::new(&[route(10 + n)], identity().public(), seeds, 0, SimTime::ZERO)
        };
        Network {
            now: SimTime::ZERO,
            server,
            clients: (0..clients).map(client).collect(),
            hosts: (10..10 + clients).collect(),
            blocks_udp: false,
            in_flight: BTreeMap::new(),
            sent: 0,
            loss_ppm,
            losses: seeds.stream("losses"),
            transcript: Vec::new(),
            events: Vec::new(),
            received: vec![Vec::new(); clients.into()],
        }
    }

    /// Runs until `end`.
    fn run(&mut self, end: SimTime) {
        loop {
            self.drain();
            let wakes = self.clients.iter_mut().filter_map(ClientChannel::next_wake).chain(self.server.next_wake());
            let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = wakes.chain(arrival).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        if time::now() < self.now {
            time::set_now(self.now);
        }
        while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let datagram = entry.remove();
            match datagram.destination.ip() {
                ip if ip == address(1, 0).ip() => self.server.handle(datagram, self.now),
                ip => {
                    let place = self.hosts.iter().position(|host| address(*host, 0).ip() == ip);
                    if let Some(client) = place.and_then(|place| self.clients.get_mut(place)) {
                        client.handle(datagram, self.now);
                    }
                }
            }
        }
        self.server.handle_timeout(self.now);
        self.clients.iter_mut().for_each(|client| client.handle_timeout(self.now));
    }

    fn drain(&mut self) {
        self.events.extend(std::iter::from_fn(|| self.server.poll_event()));
        for (client, received) in self.clients.iter_mut().zip(&mut self.received) {
            received.extend(std::iter::from_fn(|| client.poll_message()));
        }
        let mut packets: Vec<Datagram> = std::iter::from_fn(|| self.server.poll_transmit(self.now)).collect();
        for client in &mut self.clients {
            packets.extend(std::iter::from_fn(|| client.poll_transmit(self.now)));
        }
        for packet in packets {
            self.transcript.extend(self.now.0.to_be_bytes());
            self.transcript.extend(&packet.bytes);
            self.sent += 1;
            let is_blocked = self.blocks_udp && packet.transport == Transport::Udp
                || [packet.source, packet.destination].contains(&BLACK_HOLE);
            if !is_blocked && !self.losses.chance_ppm(self.loss_ppm) {
                self.in_flight.insert((self.now + DELAY, self.sent), packet);
            }
        }
    }

    fn connection(&self, client: usize) -> ConnectionId {
        let ip = address(self.hosts[client], 0).ip();
        let id = self.server.peers.keys().find(|id| self.server.peer_address(**id).is_some_and(|at| at.ip() == ip));
        *id.expect("the client is connected")
    }

    fn messages(&self) -> Vec<&ClientMessage> {
        let messages = self.events.iter().filter_map(|event| match event {
            ChannelEvent::Message(_, message, _) => Some(message),
            _ => None,
        });
        messages.collect()
    }
}

fn secs(secs: u64) -> SimTime {
    SimTime::ZERO + Micros::from_secs(secs)
}

/// A message of roughly `bytes` bytes.
fn request(number: u32, bytes: usize) -> ClientMessage {
    ClientMessage::RequestFriend { request: RequestId(number), user: "x".repeat(bytes).into() }
}

fn answer(number: u32) -> ServerMessage {
    ServerMessage::SignedIn { request: RequestId(number), token: "t".repeat(number as usize % 3_000), epoch: None }
}

/// 100 messages each way through a network that loses one packet in five.
fn conversation(seed: u64) -> Network {
    let mut network = Network::new(1, 200_000, SeedTree::root(seed));
    for number in 0..100 {
        network.clients[0].send(&request(number, number as usize * 37 % 4_000)).unwrap();
    }
    network.run(secs(5));
    let id = network.connection(0);
    for number in 0..100 {
        network.server.send(id, &answer(number)).unwrap();
    }
    network.run(secs(60));
    network
}

#[test]
fn messages_arrive_once_and_in_order_through_heavy_loss() {
    let network = conversation(1);
    assert!(matches!(network.events[0], ChannelEvent::Connected(_)));
    let expected: Vec<ClientMessage> = (0..100).map(|number| request(number, number as usize * 37 % 4_000)).collect();
    assert!(network.messages().into_iter().eq(&expected));
    assert_eq!(network.received[0], (0..100).map(answer).collect::<Vec<_>>());
}

#[test]
fn equal_seeds_give_equal_packets_at_equal_times() {
    let run = |seed: u64, noise: usize| -> (Vec<u8>, Draws) {
        let body = move || {
            let simulation = seam::enter(seed);
            // What another run left on the heap must not matter.
            std::hint::black_box(vec![7_u8; noise]);
            let transcript = conversation(seed).transcript;
            (transcript, simulation.leave().1)
        };
        std::thread::Builder::new().spawn(body).unwrap().join().unwrap()
    };
    let (first, first_draws) = run(7, 0);
    let (second, second_draws) = run(7, 12_345);
    assert!(first == second, "the packets differ");
    assert_eq!(first_draws, second_draws);
    assert_eq!(first_draws.strays, Vec::<String>::new());
    assert!(first != run(8, 0).0);
}

#[test]
fn a_server_with_another_key_is_refused() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    let wrong = ServerIdentity::generate(&mut SeedTree::root(5).stream("other")).public();
    let seeds = SeedTree::root(2);
    network.clients[0] = ClientChannel::new(&[route(10)], wrong, seeds, 0, SimTime::ZERO);
    network.clients[0].send(&request(0, 10)).unwrap();
    network.run(secs(3));
    assert!(!network.clients[0].is_connected());
    assert!(network.clients[0].is_closed());
    assert_eq!(network.events, []);
}

#[test]
fn the_longest_message_arrives_and_a_longer_one_is_not_sent() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    let overhead = canonical_bytes(&request(0, 60_000)).len() - 60_000;
    let longest = request(0, MAX_MESSAGE_BYTES - overhead);
    assert_eq!(canonical_bytes(&longest).len(), MAX_MESSAGE_BYTES);
    network.clients[0].send(&longest).unwrap();
    let longer = request(0, MAX_MESSAGE_BYTES - overhead + 1);
    assert_eq!(network.clients[0].send(&longer), Err(SendError::TooLong));
    network.run(secs(3));
    assert_eq!(network.messages(), [&longest]);
    assert!(network.clients[0].is_connected());
}

#[test]
fn a_peer_that_does_not_read_backs_up_to_a_limit() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    let refused = (0..1_000).find(|number| network.clients[0].send(&request(*number, 60_000)).is_err());
    assert_eq!(refused, Some(17), "a mebibyte of messages of 60,000 bytes");
}

#[test]
fn hostile_bytes_close_their_own_connection_only() {
    let too_long = (MAX_MESSAGE_BYTES as u32 + 1).to_be_bytes().to_vec();
    let no_message = [&4_u32.to_be_bytes()[..], &[0xff; 4]].concat();
    let not_canonical = [&4_u32.to_be_bytes()[..], &canonical_bytes(&request(0, 0)), &[0]].concat();
    for hostile in [too_long, no_message, not_canonical] {
        let mut network = Network::new(2, 0, SeedTree::root(1));
        network.run(secs(1));
        let (bad, good) = (network.connection(0), network.connection(1));
        assert!(network.clients[0].write(Bytes::from(hostile)).is_ok());
        network.clients[1].send(&request(1, 10)).unwrap();
        network.run(secs(2));
        assert!(network.events.contains(&ChannelEvent::Closed(bad)));
        assert!(!network.events.contains(&ChannelEvent::Closed(good)));
        assert!(network.clients[0].is_closed());
        assert!(network.clients[1].is_connected());
        assert_eq!(network.messages(), [&request(1, 10)]);
    }
}

#[test]
fn a_message_that_is_not_the_servers_closes_the_client() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    network.clients[0].send(&request(0, 1)).unwrap();
    network.run(secs(1));
    let id = network.connection(0);
    let hostile = [&1_u32.to_be_bytes()[..], &[0xff]].concat();
    assert!(network.server.peers.get_mut(&id).unwrap().link.write(Bytes::from(hostile)));
    network.server.send(id, &answer(1)).unwrap();
    network.run(secs(2));
    assert!(network.clients[0].is_closed());
    assert_eq!(network.received[0], []);
}

#[test]
fn a_quiet_connection_stays_and_a_vanished_client_is_noticed() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    network.run(secs(60));
    let id = network.connection(0);
    assert!(network.clients[0].is_connected());
    network.clients.clear();
    // The last sign of life was a keep-alive of the 55th second or later.
    network.run(secs(69));
    assert!(!network.events.contains(&ChannelEvent::Closed(id)));
    network.run(secs(80));
    assert!(network.events.contains(&ChannelEvent::Closed(id)));
    assert!(network.server.peers.is_empty() && network.server.by_handle.is_empty());
}

#[test]
fn a_client_notices_a_server_that_started_again() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    network.run(secs(2));
    assert!(network.clients[0].is_connected());
    network.server = ServerChannel::new(&[address(1, 443)], identity(), SeedTree::root(3), network.now);
    network.clients[0].send(&request(1, 100)).unwrap();
    network.run(secs(3));
    assert!(network.clients[0].is_closed());
}

#[test]
fn a_client_with_another_address_goes_on_with_its_connection() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    network.run(secs(1));
    let id = network.connection(0);
    // What is under way when the address changes is lost.
    network.server.send(id, &answer(1)).unwrap();
    network.clients[0].send(&request(1, 2_000)).unwrap();
    network.drain();
    network.in_flight.clear();
    network.hosts[0] = 77;
    assert!(network.clients[0].rebind(&[route(77)], network.now));
    network.clients[0].send(&request(2, 10)).unwrap();
    network.run(secs(2));
    assert_eq!(network.server.peer_address(id), Some(address(77, 5443)));
    assert_eq!(network.messages(), [&request(1, 2_000), &request(2, 10)]);
    assert_eq!(network.received[0], [answer(1)]);
    assert!(network.clients[0].is_connected() && !network.events.contains(&ChannelEvent::Closed(id)));
}

#[test]
fn a_close_reaches_the_other_side() {
    let mut network = Network::new(2, 0, SeedTree::root(1));
    network.run(secs(1));
    let (first, second) = (network.connection(0), network.connection(1));
    network.clients[0].close(network.now);
    network.server.close(second, network.now);
    network.run(secs(2));
    for id in [first, second] {
        assert_eq!(network.events.iter().filter(|event| **event == ChannelEvent::Closed(id)).count(), 1);
        assert_eq!(network.server.send(id, &answer(1)), Err(SendError::Unavailable));
    }
    assert!(network.clients.iter().all(ClientChannel::is_closed));
    network.run(secs(20));
    assert!(network.server.peers.is_empty());
}

/// A network in which nothing but TCP passes, with messages under way.
fn over_tcp(loss_ppm: u32, messages: u32) -> Network {
    let mut network = Network::new(1, loss_ppm, SeedTree::root(1));
    network.blocks_udp = true;
    for number in 0..messages {
        network.clients[0].send(&request(number, number as usize * 37 % 4_000)).unwrap();
    }
    network
}

#[test]
fn where_no_udp_passes_messages_go_by_tls_over_tcp() {
    let mut network = over_tcp(0, 100);
    network.run(secs(1));
    assert!(!network.clients[0].is_connected());
    network.run(SimTime(1_200_000));
    assert!(network.clients[0].is_connected() && network.clients[0].is_stream());
    let id = network.connection(0);
    for number in 0..100 {
        network.server.send(id, &answer(number)).unwrap();
    }
    network.run(secs(60));
    let expected: Vec<ClientMessage> = (0..100).map(|number| request(number, number as usize * 37 % 4_000)).collect();
    assert!(network.messages().into_iter().eq(&expected));
    assert_eq!(network.received[0], (0..100).map(answer).collect::<Vec<_>>());
    assert!(network.clients[0].is_connected() && !network.events.contains(&ChannelEvent::Closed(id)));
    assert!(!network.clients[0].rebind(&[route(77)], network.now), "a TCP connection cannot move");
}

#[test]
fn an_address_that_swallows_everything_costs_a_quarter_of_a_second() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    let routes = [Route { server: BLACK_HOLE, ..route(10) }, route(10)];
    network.clients[0] = ClientChannel::new(&routes, identity().public(), SeedTree::root(2), 0, SimTime::ZERO);
    network.clients[0].send(&request(1, 10)).unwrap();
    network.run(SimTime(289_000));
    assert!(!network.clients[0].is_connected());
    network.run(SimTime(291_000));
    assert!(network.clients[0].is_connected(), "250 ms, and a round trip of 40 ms");
    network.run(secs(2));
    assert_eq!(network.messages(), [&request(1, 10)]);
}

#[test]
fn tls_over_tcp_survives_loss() {
    let mut network = over_tcp(50_000, 20);
    network.run(secs(60));
    assert_eq!(network.messages().len(), 20);
}

#[test]
fn tcp_is_not_tried_where_quic_is_up_in_time() {
    let mut network = Network::new(1, 0, SeedTree::root(1));
    network.run(secs(5));
    assert!(network.clients[0].is_connected() && !network.clients[0].is_stream());
    assert_eq!(network.server.peers.len(), 1);
}

#[test]
fn a_client_by_tcp_that_vanishes_or_closes_is_noticed() {
    for closes in [true, false] {
        let mut network = over_tcp(0, 1);
        network.run(secs(5));
        let id = network.connection(0);
        if closes {
            network.clients[0].close(network.now);
        } else {
            network.clients.clear();
        }
        network.run(secs(if closes { 6 } else { 40 }));
        assert!(network.events.contains(&ChannelEvent::Closed(id)), "{closes}");
        assert!(network.server.peers.is_empty());
    }
}

#[test]
fn hostile_bytes_close_a_connection_by_tcp() {
    let mut network = over_tcp(0, 1);
    network.run(secs(3));
    let id = network.connection(0);
    let too_long = (MAX_MESSAGE_BYTES as u32 + 1).to_be_bytes().to_vec();
    assert!(network.clients[0].write(Bytes::from(too_long)).is_ok());
    network.run(secs(5));
    assert!(network.events.contains(&ChannelEvent::Closed(id)) && network.clients[0].is_closed());
}

#[test]
fn a_server_with_another_key_is_refused_by_tcp_too() {
    let mut network = over_tcp(0, 0);
    let wrong = ServerIdentity::generate(&mut SeedTree::root(5).stream("other")).public();
    network.clients[0] = ClientChannel::new(&[route(10)], wrong, SeedTree::root(2), 0, SimTime::ZERO);
    network.run(secs(20));
    assert!(!network.clients[0].is_connected() && network.clients[0].is_closed());
    assert_eq!(network.events, []);
}

#[test]
fn who_connects_by_tcp_and_says_nothing_is_dropped() {
    let mut network = over_tcp(0, 0);
    network.clients.clear();
    let mut silent = tcp::Endpoint::new(address(10, 0).ip(), SeedTree::root(4).stream("tcp"), SimTime::ZERO);
    silent.connect(6_000, address(1, 443), stream_link::SETTINGS).unwrap();
    let mut peak = 0;
    for step in 0..400 {
        let now = SimTime(step * 50_000);
        network.run(now);
        while let Some(segment) = silent.poll_transmit(now) {
            network.server.handle(segment, now);
        }
        while let Some(segment) = network.server.poll_transmit(now) {
            silent.handle(&segment, now);
        }
        peak = peak.max(network.server.peers.len());
    }
    assert_eq!((peak, network.server.peers.len()), (1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn hostile_packets_never_panic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_400), 1..8)) {
        let mut network = Network::new(1, 0, SeedTree::root(1));
        network.run(secs(1));
        for bytes in packets {
            let source = address(66, 6);
            network.server.handle(Datagram::new(source, address(1, 443), bytes.clone()), network.now);
            network.clients[0].handle(Datagram::new(source, address(10, 5443), bytes), network.now);
        }
        network.clients[0].send(&request(5, 5)).unwrap();
        network.run(secs(3));
        prop_assert_eq!(network.messages(), [&request(5, 5)]);
    }

    /// A changed bit in a packet is noticed by QUIC: the message arrives as it was sent.
    #[test]
    fn changed_packets_change_no_message(seed in any::<u64>(), every in 2_u64..5) {
        let mut network = Network::new(1, 0, SeedTree::root(seed));
        network.run(secs(1));
        network.clients[0].send(&request(9, 9_000)).unwrap();
        for _ in 0..400 {
            network.drain();
            for ((_, number), packet) in &mut network.in_flight {
                let at = (number * 31) as usize % packet.bytes.len();
                if number % every == 0 && packet.bytes.len() > 1 {
                    packet.bytes[at] ^= 1 << (number % 8);
                }
            }
            let next = network.now + Micros::from_millis(25);
            network.now = next;
            network.step();
        }
        network.drain();
        prop_assert!(network.messages().iter().all(|message| **message == request(9, 9_000)));
    }
}
