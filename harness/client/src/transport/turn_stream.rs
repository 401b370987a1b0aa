//! A way to a relay by TCP or TLS (RFC 8656 section 3.1).

use kernel::{Datagram, PacketId, SimTime, random::SeedTree};
use protocol::{RelayStream, ServerIdentityPublic};
use std::net::SocketAddr;
use tcp::{Connection, Endpoint, Settings, State};

/// A connection to a relay, from its handshake on.
pub(super) struct StreamCarrier {
    tcp: Endpoint,
    connection: Connection,
    /// None until TCP is open: TLS begins then.
    stream: Option<RelayStream>,
    tls: Option<ServerIdentityPublic>,
    broken: bool,
}

impl StreamCarrier {
    /// Begins a handshake from the port that is the media socket's in UDP; with a key by TLS. `None` when nobody can
    /// connect to the address.
    pub(super) fn connect(
        local: SocketAddr,
        relay: SocketAddr,
        key: Option<[u8; 32]>,
        seeds: &SeedTree,
        now: SimTime,
    ) -> Option<StreamCarrier> {
        let mut tcp = Endpoint::new(local.ip(), seeds.stream("tcp"), now);
        let connection = tcp.connect(local.port(), relay, Settings::real_time()).ok()?;
        Some(StreamCarrier { tcp, connection, stream: None, tls: key.map(ServerIdentityPublic), broken: false })
    }

    /// Whether messages can pass.
    pub(super) fn is_ready(&self) -> bool {
        self.stream.as_ref().is_some_and(RelayStream::is_ready) && !self.is_broken()
    }

    /// Whether nothing will come of it, or nothing more.
    pub(super) fn is_broken(&self) -> bool {
        self.broken || matches!(self.tcp.state(self.connection), State::Closed | State::PeerClosed)
    }

    /// Takes a segment in; the messages that are whole with it.
    pub(super) fn receive(&mut self, datagram: &Datagram, now: SimTime) -> Vec<Vec<u8>> {
        self.tcp.handle(datagram, now);
        if self.stream.is_none() && self.tcp.state(self.connection) == State::Open {
            self.stream = Some(self.tls.map_or_else(RelayStream::plain, RelayStream::tls_client));
        }
        let Some(stream) = &mut self.stream else { return Vec::new() };
        let mut bytes = Vec::new();
        self.tcp.receive(self.connection, &mut bytes);
        let messages = stream.take_in(&bytes);
        let handshake = stream.take_outgoing();
        self.tcp.send(self.connection, &handshake);
        messages.unwrap_or_else(|_| {
            self.broken = true;
            self.tcp.close(self.connection);
            Vec::new()
        })
    }

    /// Sends a message; `None` where the stream has no room for it: it is dropped, as by a full queue. Otherwise the packet
    /// that carries it, when one left at once and carries nothing else.
    pub(super) fn send(
        &mut self,
        message: &[u8],
        now: SimTime,
        packets: &mut Vec<Datagram>,
    ) -> Option<Option<PacketId>> {
        let stream = self.stream.as_mut().filter(|stream| stream.is_ready())?;
        if self.tcp.room(self.connection) < RelayStream::needs(message) {
            return None;
        }
        stream.put(message).ok()?;
        let bytes = stream.take_outgoing();
        self.tcp.send_message(self.connection, &bytes, now, packets)
    }

    /// Sends what TCP has to send now.
    pub(super) fn flush(&mut self, now: SimTime, packets: &mut Vec<Datagram>) {
        while let Some(datagram) = self.tcp.poll_transmit(now) {
            packets.push(datagram);
        }
    }

    /// Ends the connection behind what is queued.
    pub(super) fn close(&mut self, now: SimTime, packets: &mut Vec<Datagram>) {
        self.tcp.close(self.connection);
        self.flush(now, packets);
    }

    pub(super) fn next_wake(&mut self, now: SimTime) -> Option<SimTime> {
        self.tcp.next_wake(now)
    }
}
