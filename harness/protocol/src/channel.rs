//! The channel between a device and signaling: QUIC with one bidirectional stream of messages. Sans-IO.
//!
//! After every `handle` and `handle_timeout` take messages until there are none, then packets until there are none,
//! then ask for the next wake: reading frees flow control, which can make packets, which can set timers. Hostile
//! bytes close the connection that they came on and no other.

use crate::{
    endpoint::{client_config, endpoint_config, server_config},
    link::{DONE, Link},
    message::{ClientMessage, ServerMessage},
    tls::{ServerIdentity, ServerIdentityPublic},
    wire::{canonical_bytes, framed, from_canonical_bytes},
};
use bytes::BytesMut;
use kernel::{
    packet::Datagram,
    random::{self, SeedTree},
    time::SimTime,
};
use quinn_proto::{DatagramEvent, Endpoint, Incoming, Transmit};
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
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

/// A device's end. It connects when it is made; after a loss make a new one, with another node of the seed tree.
pub struct ClientChannel {
    local: SocketAddr,
    endpoint: Endpoint,
    link: Link,
    now: SimTime,
}

impl ClientChannel {
    /// Begins to connect from `local` to the server at `server`, which must prove `server_key`.
    ///
    /// # Panics
    /// When `server` has no address or port.
    pub fn new(
        local: SocketAddr,
        server: SocketAddr,
        server_key: ServerIdentityPublic,
        seeds: SeedTree,
        now: SimTime,
    ) -> ClientChannel {
        let _scope = random::scope("quic");
        let config = endpoint_config(seeds.stream("reset-key").bytes(), &seeds);
        let mut endpoint = Endpoint::new(config, None, false, None);
        let (handle, connection) = endpoint
            .connect(now.to_instant(), client_config(server_key, &seeds), server, "signaling")
            .expect("the server's address is one to connect to");
        ClientChannel { local, endpoint, link: Link::new(handle, connection), now }
    }

    /// Takes in a packet for `local`.
    pub fn handle(&mut self, datagram: Datagram, now: SimTime) {
        let _scope = random::scope("quic");
        self.now = now;
        let mut response = Vec::new();
        let event = receive(&mut self.endpoint, &datagram, now, &mut response);
        if let Some(DatagramEvent::ConnectionEvent(handle, event)) = event
            && handle == self.link.handle()
        {
            self.link.receive(event, &mut self.endpoint);
        }
    }

    /// Lets timers that are due at `now` act.
    pub fn handle_timeout(&mut self, now: SimTime) {
        let _scope = random::scope("quic");
        self.now = now;
        self.link.handle_timeout(now, &mut self.endpoint);
    }

    /// When [`ClientChannel::handle_timeout`] is due.
    pub fn next_wake(&mut self) -> Option<SimTime> {
        self.link.next_wake()
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self, now: SimTime) -> Option<Datagram> {
        let _scope = random::scope("quic");
        let mut buffer = Vec::with_capacity(PACKET_BYTES);
        let transmit = self.link.poll_transmit(now, &mut self.endpoint, &mut buffer)?;
        Some(outgoing(self.local, &transmit, &buffer))
    }

    /// Queues a message; it may be called before the connection is up.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&mut self, message: &ClientMessage) -> Result<(), SendError> {
        let _scope = random::scope("quic");
        send(&mut self.link, &canonical_bytes(message))
    }

    /// The next message of the server.
    pub fn poll_message(&mut self) -> Option<ServerMessage> {
        let _scope = random::scope("quic");
        let bytes = self.link.read(self.now)?;
        let message = from_canonical_bytes(&bytes).ok();
        if message.is_none() {
            self.link.violated(self.now);
        }
        message
    }

    /// Whether the server has proved its key and the connection still stands.
    pub fn is_connected(&self) -> bool {
        self.link.was_connected() && !self.link.is_lost()
    }

    /// Whether the connection is over: never came up, was lost, or was closed by either side.
    pub fn is_closed(&self) -> bool {
        self.link.is_lost()
    }

    /// From now on it sends from another address of the device: the server checks the new path, and the connection goes on
    /// there with new connection ids (RFC 9000 section 9).
    pub fn rebind(&mut self, local: SocketAddr, now: SimTime) {
        let _scope = random::scope("quic");
        self.now = now;
        self.local = local;
        self.link.migrate(&mut self.endpoint);
    }

    /// Closes the connection. What is still queued is dropped; one more packet tells the server.
    pub fn close(&mut self, now: SimTime) {
        let _scope = random::scope("quic");
        self.link.close(now, DONE);
    }
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

/// The server's end: all its connections.
pub struct ServerChannel {
    local: SocketAddr,
    endpoint: Endpoint,
    peers: BTreeMap<ConnectionId, Peer>,
    by_handle: BTreeMap<usize, ConnectionId>,
    next_id: u64,
    responses: VecDeque<Datagram>,
    now: SimTime,
}

struct Peer {
    link: Link,
    announced: bool,
    closed: bool,
}

impl ServerChannel {
    /// A server at `local`. One that starts again has the same identity and another node of the seed tree: clients that
    /// the former one left behind notice with their next packet.
    pub fn new(local: SocketAddr, identity: ServerIdentity, seeds: SeedTree, now: SimTime) -> ServerChannel {
        let _scope = random::scope("quic");
        let config = endpoint_config(identity.reset_key(), &seeds);
        let endpoint = Endpoint::new(config, Some(server_config(&identity)), false, None);
        ServerChannel {
            local,
            endpoint,
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
        let mut response = Vec::new();
        match receive(&mut self.endpoint, &datagram, now, &mut response) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                let peer = self.by_handle.get(&handle.0).and_then(|id| self.peers.get_mut(id));
                if let Some(peer) = peer {
                    peer.link.receive(event, &mut self.endpoint);
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
            peer.link.handle_timeout(now, &mut self.endpoint);
        }
    }

    /// When [`ServerChannel::handle_timeout`] is due.
    pub fn next_wake(&mut self) -> Option<SimTime> {
        self.peers.values_mut().filter_map(|peer| peer.link.next_wake()).min()
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self, now: SimTime) -> Option<Datagram> {
        let _scope = random::scope("quic");
        if let Some(response) = self.responses.pop_front() {
            return Some(response);
        }
        let mut buffer = Vec::with_capacity(PACKET_BYTES);
        for peer in self.peers.values_mut() {
            if let Some(transmit) = peer.link.poll_transmit(now, &mut self.endpoint, &mut buffer) {
                return Some(outgoing(self.local, &transmit, &buffer));
            }
        }
        None
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`SendError`], also for a connection that is gone.
    pub fn send(&mut self, to: ConnectionId, message: &ServerMessage) -> Result<(), SendError> {
        let _scope = random::scope("quic");
        let peer = self.peers.get_mut(&to).ok_or(SendError::Unavailable)?;
        send(&mut peer.link, &canonical_bytes(message))
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
        self.peers.get(&id).map(|peer| peer.link.remote_address())
    }

    /// Closes a connection. What is still queued for it is dropped; `Closed` is reported.
    pub fn close(&mut self, id: ConnectionId, now: SimTime) {
        let _scope = random::scope("quic");
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.link.close(now, DONE);
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
                let link = Link::new(handle, connection);
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
        let by_handle = &mut self.by_handle;
        self.peers.retain(|id, peer| {
            let keep = !peer.link.is_drained();
            // The endpoint may have given the handle to a newer connection by now.
            if !keep && by_handle.get(&peer.link.handle().0) == Some(id) {
                by_handle.remove(&peer.link.handle().0);
            }
            keep
        });
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
    now: SimTime,
    response: &mut Vec<u8>,
) -> Option<DatagramEvent> {
    let bytes = BytesMut::from(&datagram.bytes[..]);
    endpoint.handle(now.to_instant(), datagram.source, None, None, bytes, response)
}

fn outgoing(local: SocketAddr, transmit: &Transmit, bytes: &[u8]) -> Datagram {
    Datagram::new(local, transmit.destination, bytes[..transmit.size].to_vec())
}

fn send(link: &mut Link, message: &[u8]) -> Result<(), SendError> {
    let framed = framed(message).map_err(|_| SendError::TooLong)?;
    if link.write(framed) { Ok(()) } else { Err(SendError::Unavailable) }
}

#[cfg(test)]
mod tests;
