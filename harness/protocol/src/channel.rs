//! The channel between a device and signaling: QUIC with one bidirectional stream of messages, or the same stream in TLS over
//! TCP where no UDP passes. Sans-IO.
//!
//! After every `handle` and `handle_timeout` take messages until there are none, then packets until there are none,
//! then ask for the next wake: reading frees flow control, which can make packets, which can set timers. Hostile
//! bytes close the connection that they came on and no other.

mod client;

pub use client::{ClientChannel, Route, STREAM_PORTS};

use crate::{
    endpoint::{endpoint_config, server_config},
    link::{DONE, Link},
    message::{ClientMessage, ServerMessage},
    stream_link::{self, StreamLink},
    tls::ServerIdentity,
    wire::{canonical_bytes, framed, from_canonical_bytes},
};
use bytes::{Bytes, BytesMut};
use kernel::{
    packet::{Datagram, Transport},
    random::{self, SeedTree},
    time::SimTime,
};
use quinn_proto::{DatagramEvent, Endpoint, Incoming, Transmit};
use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

/// The most connections that a server holds at once; further ones are refused.
pub const MAX_CONNECTIONS: usize = 4_096;
/// Answers of a server to packets without connection that wait to be sent; further ones are not made.
const MAX_RESPONSES: usize = 256;
/// Space for one packet, in bytes.
const PACKET_BYTES: usize = 1_500;

/// A connection of a server: counted from 0, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Longer than [`crate::wire::MAX_MESSAGE_BYTES`].
    #[error("the message is too long")]
    TooLong,
    /// The connection is over, or a mebibyte waits for a peer that does not read.
    #[error("the connection is closed or backed up")]
    Unavailable,
}

/// What happened at a server's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// Somebody connected. Who it is, its first message must prove.
    Connected(ConnectionId),
    /// A message, and its canonical bytes.
    Message(ConnectionId, ClientMessage, Vec<u8>),
    /// The connection is over, for whatever reason. Reported once for each that was `Connected`.
    Closed(ConnectionId),
}

/// What carries a connection.
enum Wire {
    Quic(Box<Link>),
    /// And the own address that it came to.
    Stream(Box<StreamLink>, IpAddr),
}

/// The server's end: all its connections.
pub struct ServerChannel {
    /// Where it listens: the first is what it sends from when nothing says otherwise.
    local: SocketAddr,
    identity: ServerIdentity,
    endpoint: Endpoint,
    /// TCP, by own address.
    tcp: BTreeMap<IpAddr, tcp::Endpoint>,
    peers: BTreeMap<ConnectionId, Peer>,
    by_handle: BTreeMap<usize, ConnectionId>,
    next_id: u64,
    responses: VecDeque<Datagram>,
    now: SimTime,
}

struct Peer {
    link: Wire,
    announced: bool,
    closed: bool,
}

impl ServerChannel {
    /// A server at `locals`, one address or one of each version, with the same port. One that starts again has the same
    /// identity and another node of the seed tree: clients that the former one left behind notice with their next packet.
    ///
    /// # Panics
    /// Without an address.
    pub fn new(locals: &[SocketAddr], identity: ServerIdentity, seeds: SeedTree, now: SimTime) -> ServerChannel {
        let _scope = random::scope("quic");
        let config = endpoint_config(identity.reset_key(), &seeds);
        let endpoint = Endpoint::new(config, Some(server_config(&identity)), false, None);
        let tcp = |local: &SocketAddr| {
            let mut tcp = tcp::Endpoint::new(local.ip(), seeds.stream(&format!("tcp-{}", local.ip())), now);
            tcp.listen(local.port(), stream_link::SETTINGS).expect("the ports of a fresh endpoint are free");
            (local.ip(), tcp)
        };
        let tcp = locals.iter().map(tcp).collect();
        ServerChannel {
            local: *locals.first().expect("a server has an address"),
            identity,
            endpoint,
            tcp,
            peers: BTreeMap::new(),
            by_handle: BTreeMap::new(),
            next_id: 0,
            responses: VecDeque::new(),
            now,
        }
    }

    /// Takes in a packet for `local`.
    pub fn handle(&mut self, datagram: Datagram, now: SimTime) {
        let _scope = random::scope("quic");
        self.now = now;
        if datagram.transport == Transport::Tcp {
            return self.receive_segment(&datagram, now);
        }
        let mut response = Vec::new();
        match receive(&mut self.endpoint, &datagram, Some(datagram.destination.ip()), now, &mut response) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                let peer = self.by_handle.get(&handle.0).and_then(|id| self.peers.get_mut(id));
                if let Some(Peer { link: Wire::Quic(link), .. }) = peer {
                    link.receive(event, &mut self.endpoint);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.accept(incoming, now),
            Some(DatagramEvent::Response(transmit)) => self.respond(&transmit, &response),
            None => {}
        }
    }

    /// Lets timers that are due at `now` act.
    pub fn handle_timeout(&mut self, now: SimTime) {
        let _scope = random::scope("quic");
        self.now = now;
        for peer in self.peers.values_mut() {
            match &mut peer.link {
                Wire::Quic(link) => link.handle_timeout(now, &mut self.endpoint),
                Wire::Stream(link, at) => advance(link, self.tcp.get_mut(at), now),
            }
        }
    }

    /// When [`ServerChannel::handle_timeout`] is due.
    pub fn next_wake(&mut self) -> Option<SimTime> {
        let now = self.now;
        let tcp = self.tcp.values_mut().filter_map(|tcp| tcp.next_wake(now));
        self.peers.values_mut().filter_map(|peer| peer.link.next_wake()).chain(tcp).min()
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self, now: SimTime) -> Option<Datagram> {
        let _scope = random::scope("quic");
        if let Some(response) = self.responses.pop_front() {
            return Some(response);
        }
        let mut buffer = Vec::with_capacity(PACKET_BYTES);
        for peer in self.peers.values_mut() {
            match &mut peer.link {
                Wire::Quic(link) => {
                    if let Some(transmit) = link.poll_transmit(now, &mut self.endpoint, &mut buffer) {
                        return Some(outgoing(self.local, &transmit, &buffer));
                    }
                }
                Wire::Stream(link, at) => advance(link, self.tcp.get_mut(at), now),
            }
        }
        self.tcp.values_mut().find_map(|tcp| tcp.poll_transmit(now))
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`SendError`], also for a connection that is gone.
    pub fn send(&mut self, to: ConnectionId, message: &ServerMessage) -> Result<(), SendError> {
        let _scope = random::scope("quic");
        let peer = self.peers.get_mut(&to).ok_or(SendError::Unavailable)?;
        let framed = framed(&canonical_bytes(message)).map_err(|_| SendError::TooLong)?;
        if peer.link.write(framed) { Ok(()) } else { Err(SendError::Unavailable) }
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<ChannelEvent> {
        let _scope = random::scope("quic");
        let now = self.now;
        let event = self.peers.iter_mut().find_map(|(id, peer)| peer.poll_event(*id, now));
        if event.is_none() {
            self.forget_drained();
        }
        event
    }

    /// Where a connection comes from, as this side sees it; `None` once it is gone.
    pub fn peer_address(&self, id: ConnectionId) -> Option<SocketAddr> {
        match &self.peers.get(&id)?.link {
            Wire::Quic(link) => Some(link.remote_address()),
            Wire::Stream(link, at) => link.remote_address(self.tcp.get(at)?),
        }
    }

    /// Closes a connection. What is still queued for it is dropped; `Closed` is reported.
    pub fn close(&mut self, id: ConnectionId, now: SimTime) {
        let _scope = random::scope("quic");
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.link.close(now);
        }
    }

    fn receive_segment(&mut self, datagram: &Datagram, now: SimTime) {
        let at = datagram.destination.ip();
        let Some(tcp) = self.tcp.get_mut(&at) else { return };
        tcp.handle(datagram, now);
        while let Some(connection) = tcp.accept() {
            let link = Wire::Stream(Box::new(StreamLink::server(connection, &self.identity, now)), at);
            self.peers.insert(ConnectionId(self.next_id), Peer { link, announced: false, closed: false });
            self.next_id += 1;
        }
        for peer in self.peers.values_mut() {
            if let Wire::Stream(link, to) = &mut peer.link
                && *to == at
            {
                link.advance(tcp, now);
            }
        }
    }

    fn accept(&mut self, incoming: Incoming, now: SimTime) {
        let mut response = Vec::new();
        if self.peers.len() >= MAX_CONNECTIONS {
            let transmit = self.endpoint.refuse(incoming, &mut response);
            return self.respond(&transmit, &response);
        }
        match self.endpoint.accept(incoming, now.to_instant(), &mut response, None) {
            Ok((handle, connection)) => {
                let id = ConnectionId(self.next_id);
                self.next_id += 1;
                self.by_handle.insert(handle.0, id);
                let link = Wire::Quic(Box::new(Link::new(handle, connection)));
                self.peers.insert(id, Peer { link, announced: false, closed: false });
            }
            Err(refused) => {
                if let Some(transmit) = refused.response {
                    self.respond(&transmit, &response);
                }
            }
        }
    }

    fn respond(&mut self, transmit: &Transmit, bytes: &[u8]) {
        if self.responses.len() < MAX_RESPONSES {
            self.responses.push_back(outgoing(self.local, transmit, bytes));
        }
    }

    fn forget_drained(&mut self) {
        let (by_handle, tcp, now) = (&mut self.by_handle, &mut self.tcp, self.now);
        self.peers.retain(|id, peer| match &mut peer.link {
            Wire::Quic(link) => {
                let keep = !link.is_drained();
                // The endpoint may have given the handle to a newer connection by now.
                if !keep && by_handle.get(&link.handle().0) == Some(id) {
                    by_handle.remove(&link.handle().0);
                }
                keep
            }
            Wire::Stream(link, at) => {
                advance(link, tcp.get_mut(at), now);
                !link.is_lost()
            }
        });
    }
}

impl Wire {
    fn next_wake(&mut self) -> Option<SimTime> {
        match self {
            Wire::Quic(link) => link.next_wake(),
            Wire::Stream(link, _) => link.next_wake(),
        }
    }

    fn write(&mut self, framed: Bytes) -> bool {
        match self {
            Wire::Quic(link) => link.write(framed),
            Wire::Stream(link, _) => link.write(framed),
        }
    }

    fn read(&mut self, now: SimTime) -> Option<Bytes> {
        match self {
            Wire::Quic(link) => link.read(now),
            Wire::Stream(link, _) => link.read(),
        }
    }

    fn violated(&mut self, now: SimTime) {
        match self {
            Wire::Quic(link) => link.violated(now),
            Wire::Stream(link, _) => link.close(),
        }
    }

    fn close(&mut self, now: SimTime) {
        match self {
            Wire::Quic(link) => link.close(now, DONE),
            Wire::Stream(link, _) => link.close(),
        }
    }

    fn was_connected(&self) -> bool {
        match self {
            Wire::Quic(link) => link.was_connected(),
            Wire::Stream(link, _) => link.was_connected(),
        }
    }

    fn is_lost(&self) -> bool {
        match self {
            Wire::Quic(link) => link.is_lost(),
            Wire::Stream(link, _) => link.is_lost(),
        }
    }
}

impl Peer {
    fn poll_event(&mut self, id: ConnectionId, now: SimTime) -> Option<ChannelEvent> {
        if !self.link.was_connected() || self.closed {
            return None;
        }
        if !self.announced {
            self.announced = true;
            return Some(ChannelEvent::Connected(id));
        }
        if let Some(bytes) = self.link.read(now) {
            match from_canonical_bytes(&bytes) {
                Ok(message) => return Some(ChannelEvent::Message(id, message, bytes.to_vec())),
                Err(_) => self.link.violated(now),
            }
        }
        self.closed = self.link.is_lost();
        self.closed.then_some(ChannelEvent::Closed(id))
    }
}

fn receive(
    endpoint: &mut Endpoint,
    datagram: &Datagram,
    at: Option<IpAddr>,
    now: SimTime,
    response: &mut Vec<u8>,
) -> Option<DatagramEvent> {
    let bytes = BytesMut::from(&datagram.bytes[..]);
    endpoint.handle(now.to_instant(), datagram.source, at, None, bytes, response)
}

/// From where the connection is at home, which may be another own address than `local`.
fn outgoing(local: SocketAddr, transmit: &Transmit, bytes: &[u8]) -> Datagram {
    let source = SocketAddr::new(transmit.src_ip.unwrap_or(local.ip()), local.port());
    Datagram::new(source, transmit.destination, bytes[..transmit.size].to_vec())
}

fn advance(link: &mut StreamLink, tcp: Option<&mut tcp::Endpoint>, now: SimTime) {
    if let Some(tcp) = tcp {
        link.advance(tcp, now);
    }
}

#[cfg(test)]
mod tests;
