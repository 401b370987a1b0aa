//! Clients that come by TCP or TLS: their connections, and the messages in them.

use kernel::{Datagram, PacketId, SimTime, random::Stream};
use protocol::{RelayStream, ServerIdentity};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};
use tcp::{Connection, Endpoint, Settings, State};

/// The ports of TURN over TLS: its own (RFC 8656 section 2.1), and that of the Web, which firewalls let pass.
pub(crate) const TLS_PORTS: [u16; 2] = [5_349, 443];

/// The streams of a relay.
pub(crate) struct Streams {
    tcp: Endpoint,
    identity: Option<ServerIdentity>,
    /// By the client's address as the relay sees it. A second connection from the same one is refused.
    clients: BTreeMap<SocketAddr, Client>,
    packets: Vec<Datagram>,
    closed: Vec<SocketAddr>,
}

struct Client {
    connection: Connection,
    stream: RelayStream,
}

impl Streams {
    /// Listens on TURN's port for TCP, and with an identity on [`TLS_PORTS`] for TLS.
    pub(crate) fn new(
        address: IpAddr,
        port: u16,
        identity: &Option<ServerIdentity>,
        seed: Stream,
        now: SimTime,
    ) -> Streams {
        let mut tcp = Endpoint::new(address, seed, now);
        let tls = TLS_PORTS.into_iter().filter(|tls| identity.is_some() && *tls != port);
        for port in [port].into_iter().chain(tls) {
            tcp.listen(port, Settings::real_time()).expect("the ports of a fresh endpoint are free");
        }
        Streams { tcp, identity: identity.clone(), clients: BTreeMap::new(), packets: Vec::new(), closed: Vec::new() }
    }

    /// Takes a segment in; the messages that are whole with it, each with its client.
    pub(crate) fn receive(&mut self, datagram: &Datagram, now: SimTime) -> Vec<(SocketAddr, Vec<u8>)> {
        self.tcp.handle(datagram, now);
        while let Some(connection) = self.tcp.accept() {
            self.admit(connection);
        }
        let mut messages = Vec::new();
        let mut over = Vec::new();
        for (address, client) in &mut self.clients {
            let mut bytes = Vec::new();
            self.tcp.receive(client.connection, &mut bytes);
            let taken = client.stream.take_in(&bytes);
            let handshake = client.stream.take_outgoing();
            self.tcp.send(client.connection, &handshake);
            let is_over = matches!(self.tcp.state(client.connection), State::PeerClosed | State::Closed);
            match taken {
                Ok(taken) => messages.extend(taken.into_iter().map(|message| (*address, message))),
                Err(_) => over.push(*address),
            }
            if is_over {
                over.push(*address);
            }
        }
        for address in over {
            if let Some(client) = self.clients.remove(&address) {
                self.tcp.release(client.connection);
                self.closed.push(address);
            }
        }
        messages
    }

    /// Sends a message to a client, or drops it where its stream has no room, as a full queue would. The packet that
    /// carries it names its cause, when it left at once and alone.
    pub(crate) fn send(&mut self, to: SocketAddr, message: &[u8], cause: Option<PacketId>, now: SimTime) {
        let Some(client) = self.clients.get_mut(&to) else { return };
        if self.tcp.room(client.connection) < RelayStream::needs(message) || client.stream.put(message).is_err() {
            return;
        }
        let bytes = client.stream.take_outgoing();
        let before = self.packets.len();
        let carrier = self.tcp.send_message(client.connection, &bytes, now, &mut self.packets).flatten();
        for datagram in &mut self.packets[before..] {
            if carrier == Some(datagram.packet) {
                datagram.cause = cause;
            }
        }
    }

    /// Everything that TCP has to send now.
    pub(crate) fn take_packets(&mut self, now: SimTime) -> Vec<Datagram> {
        while let Some(datagram) = self.tcp.poll_transmit(now) {
            self.packets.push(datagram);
        }
        std::mem::take(&mut self.packets)
    }

    /// Clients whose connections are over since this was last asked.
    pub(crate) fn take_closed(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.closed)
    }

    pub(crate) fn next_wake(&mut self, now: SimTime) -> Option<SimTime> {
        self.tcp.next_wake(now)
    }

    fn admit(&mut self, connection: Connection) {
        let (Some(address), Some(port)) = (self.tcp.remote(connection), self.tcp.port(connection)) else { return };
        if self.clients.contains_key(&address) {
            return self.tcp.abort(connection);
        }
        let tls = self.identity.as_ref().filter(|_| TLS_PORTS.contains(&port));
        let stream = tls.map_or_else(RelayStream::plain, RelayStream::tls_server);
        self.clients.insert(address, Client { connection, stream });
    }
}
