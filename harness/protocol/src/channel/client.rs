//! A device's end of the channel: ways to the server, of which the first that comes up is used.
//!
//! QUIC is tried first. Where it has no answer after a second, TLS over TCP is tried beside it, as browsers do for HTTP/3
//! (RFC 9114 section 3.1); the other addresses of the server follow each other after 250 ms (RFC 8305 section 5).

use super::{SendError, outgoing, receive};
use crate::{
    endpoint::{client_config, endpoint_config},
    link::{DONE, Link, MAX_BACKLOG_BYTES},
    message::{ClientMessage, ServerMessage},
    stream_link::{self, StreamLink},
    tls::ServerIdentityPublic,
    wire::{canonical_bytes, framed, from_canonical_bytes},
};
use bytes::Bytes;
use kernel::{
    packet::{Datagram, Transport},
    random::{self, SeedTree},
    time::{Micros, SimTime},
};
use quinn_proto::{DatagramEvent, Endpoint};
use std::{collections::VecDeque, net::SocketAddr};

/// How long the way before has to come up before the next address is tried beside it (RFC 8305 section 5).
const NEXT_ADDRESS: Micros = Micros::from_millis(250);
/// How long QUIC has before TCP is tried beside it: a lost first packet is sent again within that time.
const FALLBACK: Micros = Micros::from_secs(1);
/// The most routes that are tried.
const MAX_ROUTES: usize = 4;
/// Ports behind the socket's from which connections by TCP come: another one each time, so that the server's end of one
/// that is lost is not met again.
pub const STREAM_PORTS: u16 = 64;

/// A way that packets may take: the own socket, and where the server listens by UDP and by TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The own socket.
    pub local: SocketAddr,
    /// The server's.
    pub server: SocketAddr,
}

/// A device's end. It connects when it is made; after a loss make a new one, with another node of the seed tree.
pub struct ClientChannel {
    key: ServerIdentityPublic,
    seeds: SeedTree,
    number: u32,
    /// Ways that are not begun yet, and when they are.
    plan: VecDeque<(SimTime, Route, Transport)>,
    /// Ways that are tried; one alone once it came up.
    ways: Vec<Way>,
    is_chosen: bool,
    /// Framed messages that wait for a way.
    waiting: Vec<Bytes>,
    /// Last packets of ways that are given up.
    farewells: VecDeque<Datagram>,
    now: SimTime,
}

/// One attempt, or the connection that it became.
enum Way {
    Quic { route: Route, endpoint: Box<Endpoint>, link: Box<Link> },
    Stream { route: Route, tcp: Box<tcp::Endpoint>, link: Box<StreamLink> },
}

impl ClientChannel {
    /// Begins to connect over the first of `routes`, to a server that must prove `server_key`. `number` counts the
    /// connections of a device.
    ///
    /// # Panics
    /// When a server has no address or port.
    pub fn new(
        routes: &[Route],
        server_key: ServerIdentityPublic,
        seeds: SeedTree,
        number: u32,
        now: SimTime,
    ) -> ClientChannel {
        let numbered = || routes.iter().take(MAX_ROUTES).zip(0_u64..);
        let quic = numbered().map(|(route, n)| (now + Micros(NEXT_ADDRESS.0 * n), *route, Transport::Udp));
        let tcp = numbered().map(|(route, n)| (now + FALLBACK + Micros(NEXT_ADDRESS.0 * n), *route, Transport::Tcp));
        let mut channel = ClientChannel {
            key: server_key,
            seeds,
            number,
            plan: quic.chain(tcp).collect(),
            ways: Vec::new(),
            is_chosen: false,
            waiting: Vec::new(),
            farewells: VecDeque::new(),
            now,
        };
        channel.advance(now);
        channel
    }

    /// Takes in a packet for one of its sockets.
    pub fn handle(&mut self, datagram: Datagram, now: SimTime) {
        self.now = now;
        for way in self.ways.iter_mut().filter(|way| way.owns(&datagram)) {
            way.handle(&datagram, now);
        }
        self.advance(now);
    }

    /// Lets timers that are due at `now` act.
    pub fn handle_timeout(&mut self, now: SimTime) {
        self.now = now;
        self.ways.iter_mut().for_each(|way| way.handle_timeout(now));
        self.advance(now);
    }

    /// When [`ClientChannel::handle_timeout`] is due.
    pub fn next_wake(&mut self) -> Option<SimTime> {
        let now = self.now;
        let planned = self.plan.front().map(|(at, ..)| *at);
        self.ways.iter_mut().filter_map(|way| way.next_wake(now)).chain(planned).min()
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self, now: SimTime) -> Option<Datagram> {
        if let Some(farewell) = self.farewells.pop_front() {
            return Some(farewell);
        }
        self.ways.iter_mut().find_map(|way| way.poll_transmit(now))
    }

    /// Queues a message; it may be called before the connection is up.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&mut self, message: &ClientMessage) -> Result<(), SendError> {
        let framed = framed(&canonical_bytes(message)).map_err(|_| SendError::TooLong)?;
        self.write(framed)
    }

    pub(super) fn write(&mut self, framed: Bytes) -> Result<(), SendError> {
        let _scope = random::scope("quic");
        if !self.is_chosen {
            let waits: usize = self.waiting.iter().map(Bytes::len).sum();
            if self.is_closed() || waits + framed.len() > MAX_BACKLOG_BYTES {
                return Err(SendError::Unavailable);
            }
            self.waiting.push(framed);
            return Ok(());
        }
        let is_queued = self.ways.first_mut().is_some_and(|way| way.write(framed));
        if is_queued { Ok(()) } else { Err(SendError::Unavailable) }
    }

    /// The next message of the server.
    pub fn poll_message(&mut self) -> Option<ServerMessage> {
        let _scope = random::scope("quic");
        let way = self.ways.first_mut().filter(|_| self.is_chosen)?;
        let bytes = way.read(self.now)?;
        let message = from_canonical_bytes(&bytes).ok();
        if message.is_none() {
            way.violated(self.now);
        }
        message
    }

    /// Whether the server has proved its key and the connection still stands.
    pub fn is_connected(&self) -> bool {
        self.is_chosen && self.ways.first().is_some_and(|way| way.was_connected() && !way.is_lost())
    }

    /// Whether the connection is over: never came up, was lost, or was closed by either side.
    pub fn is_closed(&self) -> bool {
        (self.is_chosen || self.plan.is_empty()) && self.ways.iter().all(Way::is_lost)
    }

    /// Whether it goes by TCP: nothing came of QUIC.
    pub fn is_stream(&self) -> bool {
        self.is_chosen && matches!(self.ways.first(), Some(Way::Stream { .. }))
    }

    /// From now on it sends from another address of the device: the server checks the new path, and the connection goes on
    /// there with new connection ids (RFC 9000 section 9). False for one that cannot: by TCP, or to an address of another
    /// version, or not up yet.
    pub fn rebind(&mut self, local: SocketAddr, now: SimTime) -> bool {
        let _scope = random::scope("quic");
        self.now = now;
        if !self.is_connected() {
            return false;
        }
        match self.ways.first_mut() {
            Some(Way::Quic { route, endpoint, link }) if route.server.is_ipv4() == local.is_ipv4() => {
                route.local = local;
                link.migrate(endpoint);
                true
            }
            _ => false,
        }
    }

    /// Closes the connection. What is still queued is dropped; one more packet tells the server.
    pub fn close(&mut self, now: SimTime) {
        self.plan.clear();
        self.ways.iter_mut().for_each(|way| way.close(now));
    }

    /// Begins what is due, and chooses the first way that is up.
    fn advance(&mut self, now: SimTime) {
        if self.is_chosen {
            return;
        }
        if let Some(place) = self.ways.iter().position(|way| way.was_connected() && !way.is_lost()) {
            return self.choose(place, now);
        }
        // Who fails at once makes the next one start at once.
        while self.plan.front().is_some_and(|(at, ..)| *at <= now || self.ways.iter().all(Way::is_lost)) {
            let Some((_, route, transport)) = self.plan.pop_front() else { break };
            let way = self.begin(route, transport, now);
            self.ways.extend(way);
        }
    }

    fn choose(&mut self, place: usize, now: SimTime) {
        self.is_chosen = true;
        self.plan.clear();
        let chosen = self.ways.swap_remove(place);
        for mut other in std::mem::replace(&mut self.ways, vec![chosen]) {
            other.close(now);
            self.farewells.extend(std::iter::from_fn(|| other.poll_transmit(now)));
        }
        for framed in std::mem::take(&mut self.waiting) {
            // A backlog of one way holds what waited for it.
            let _ = self.write(framed);
        }
    }

    fn begin(&self, route: Route, transport: Transport, now: SimTime) -> Option<Way> {
        // The first way draws from the node itself, each other one from a child.
        let is_first = self.ways.is_empty();
        let name = format!("{transport:?}-{}", route.server);
        let seeds = if is_first { self.seeds } else { self.seeds.child(&name) };
        match transport {
            Transport::Udp => {
                let _scope = random::scope("quic");
                let config = endpoint_config(seeds.stream("reset-key").bytes(), &seeds);
                let mut endpoint = Endpoint::new(config, None, false, None);
                let (handle, connection) = endpoint
                    .connect(now.to_instant(), client_config(self.key, &seeds), route.server, "signaling")
                    .expect("the server's address is one to connect to");
                let link = Box::new(Link::new(handle, connection));
                Some(Way::Quic { route, endpoint: Box::new(endpoint), link })
            }
            Transport::Tcp => {
                let port = route.local.port() + 1 + (self.number % u32::from(STREAM_PORTS)) as u16;
                let route = Route { local: SocketAddr::new(route.local.ip(), port), ..route };
                let mut tcp = Box::new(tcp::Endpoint::new(route.local.ip(), seeds.stream("tcp"), now));
                let connection = tcp.connect(port, route.server, stream_link::SETTINGS).ok()?;
                Some(Way::Stream { route, tcp, link: Box::new(StreamLink::client(connection, self.key, now)) })
            }
        }
    }
}

impl Way {
    fn owns(&self, datagram: &Datagram) -> bool {
        let (route, transport) = match self {
            Way::Quic { route, .. } => (route, Transport::Udp),
            Way::Stream { route, .. } => (route, Transport::Tcp),
        };
        datagram.transport == transport && datagram.destination == route.local && datagram.source == route.server
    }

    fn handle(&mut self, datagram: &Datagram, now: SimTime) {
        match self {
            Way::Quic { endpoint, link, .. } => {
                let _scope = random::scope("quic");
                let mut response = Vec::new();
                let event = receive(endpoint, datagram, now, &mut response);
                if let Some(DatagramEvent::ConnectionEvent(handle, event)) = event
                    && handle == link.handle()
                {
                    link.receive(event, endpoint);
                }
            }
            Way::Stream { tcp, link, .. } => {
                tcp.handle(datagram, now);
                link.advance(tcp, now);
            }
        }
    }

    fn handle_timeout(&mut self, now: SimTime) {
        match self {
            Way::Quic { endpoint, link, .. } => {
                let _scope = random::scope("quic");
                link.handle_timeout(now, endpoint);
            }
            Way::Stream { tcp, link, .. } => link.advance(tcp, now),
        }
    }

    fn next_wake(&mut self, now: SimTime) -> Option<SimTime> {
        match self {
            Way::Quic { link, .. } => link.next_wake(),
            Way::Stream { tcp, link, .. } => tcp.next_wake(now).into_iter().chain(link.next_wake()).min(),
        }
    }

    fn poll_transmit(&mut self, now: SimTime) -> Option<Datagram> {
        match self {
            Way::Quic { route, endpoint, link } => {
                let _scope = random::scope("quic");
                let mut buffer = Vec::with_capacity(super::PACKET_BYTES);
                let transmit = link.poll_transmit(now, endpoint, &mut buffer)?;
                Some(outgoing(route.local, &transmit, &buffer))
            }
            Way::Stream { tcp, link, .. } => {
                link.advance(tcp, now);
                tcp.poll_transmit(now)
            }
        }
    }

    fn write(&mut self, framed: Bytes) -> bool {
        match self {
            Way::Quic { link, .. } => link.write(framed),
            Way::Stream { link, .. } => link.write(framed),
        }
    }

    fn read(&mut self, now: SimTime) -> Option<Bytes> {
        match self {
            Way::Quic { link, .. } => link.read(now),
            Way::Stream { link, .. } => link.read(),
        }
    }

    fn violated(&mut self, now: SimTime) {
        match self {
            Way::Quic { link, .. } => link.violated(now),
            Way::Stream { link, .. } => link.close(),
        }
    }

    fn close(&mut self, now: SimTime) {
        let _scope = random::scope("quic");
        match self {
            Way::Quic { link, .. } => link.close(now, DONE),
            Way::Stream { link, .. } => link.close(),
        }
    }

    fn was_connected(&self) -> bool {
        match self {
            Way::Quic { link, .. } => link.was_connected(),
            Way::Stream { link, .. } => link.was_connected(),
        }
    }

    fn is_lost(&self) -> bool {
        match self {
            Way::Quic { link, .. } => link.is_lost(),
            Way::Stream { link, .. } => link.is_lost(),
        }
    }
}
