//! The TCP of one host address: connections, listening ports, and what is due when.

use crate::wire::{Wire, payload_bytes};
use kernel::{Datagram, Micros, PacketId, SimTime, random::Stream};
use smoltcp::{
    iface::{Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet},
    socket::tcp::{self, CongestionControl, Socket, SocketBuffer},
    time::{Duration, Instant},
    wire::{HardwareAddress, IpAddress, IpCidr, IpEndpoint, IpListenEndpoint},
};
use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

/// The most connections of an endpoint at once, those that end included. A handshake beyond is refused.
pub const MAX_CONNECTIONS: usize = 256;

/// A connection whose peer has been silent this long while it owes an answer is over, unless its settings say otherwise.
const SILENCE: Micros = Micros::from_secs(60);
/// When smoltcp wants to be polled at once although it was: what it waits for comes later or with a packet.
const NOT_AT_ONCE: Micros = Micros::from_millis(1);

/// Congestion control of a sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Congestion {
    /// CUBIC (RFC 9438), what servers and phones use.
    #[default]
    Cubic,
    /// Reno (RFC 5681).
    Reno,
}

/// How a connection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Congestion control of what this end sends.
    pub congestion: Congestion,
    /// What waits to be sent or acknowledged, in bytes.
    pub send_buffer: usize,
    /// The receive window in bytes, at most 1 GiB.
    pub receive_buffer: usize,
    /// Whether small pieces wait for an acknowledgement so that they go together (RFC 896): not for real-time data.
    pub gathers: bool,
    /// How long a peer that owes an answer may be silent before the connection is over.
    pub silence: Micros,
    /// After how long without a segment the peer is asked whether it is still there (RFC 9293 section 3.8.4); never.
    pub keep_alive: Option<Micros>,
}

impl Settings {
    /// For a bulk transfer: buffers for 2 Mbit/s over a path of a second, and gathering.
    pub const fn bulk(congestion: Congestion) -> Settings {
        Settings {
            congestion,
            send_buffer: 512 << 10,
            receive_buffer: 512 << 10,
            gathers: true,
            silence: SILENCE,
            keep_alive: None,
        }
    }

    /// For messages that must not wait: small buffers, so that they do not queue where nobody can drop them.
    pub const fn real_time() -> Settings {
        Settings {
            congestion: Congestion::Cubic,
            send_buffer: 64 << 10,
            receive_buffer: 128 << 10,
            gathers: false,
            silence: SILENCE,
            keep_alive: None,
        }
    }
}

/// A connection of an [`Endpoint`]. Never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection(u64);

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The handshake is under way.
    Opening,
    /// Both ends may send.
    Open,
    /// The peer has sent all that it will; this end may go on.
    PeerClosed,
    /// This end closed, and what is left goes on being delivered.
    Closing,
    /// It is over.
    Closed,
}

/// What an endpoint refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TcpError {
    /// There are [`MAX_CONNECTIONS`] already.
    #[error("too many connections")]
    TooMany,
    /// The remote address is none that can be connected to, or of another family.
    #[error("{0} cannot be connected to")]
    Unaddressable(SocketAddr),
    /// Port 0, or one that another connection to the same address or another listener has.
    #[error("port {0} is not free")]
    PortTaken(u16),
}

/// The TCP of one host address. Drive it like any actor: [`handle`](Endpoint::handle) each packet, take
/// [`poll_transmit`](Endpoint::poll_transmit) until none, and come again at [`next_wake`](Endpoint::next_wake).
pub struct Endpoint {
    address: IpAddr,
    interface: Interface,
    wire: Wire,
    sockets: SocketSet<'static>,
    connections: BTreeMap<Connection, Slot>,
    /// Listening ports, each with the socket that waits for the next connection.
    listeners: BTreeMap<u16, (Settings, SocketHandle)>,
    accepted: VecDeque<Connection>,
    next: u64,
}

struct Slot {
    socket: SocketHandle,
    /// The owner wants no more of it: it goes when it is closed.
    released: bool,
}

impl Endpoint {
    /// The TCP of an address. Initial sequence numbers come from `seed`.
    pub fn new(address: IpAddr, mut seed: Stream, now: SimTime) -> Endpoint {
        let mut wire = Wire::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed.next_u64();
        let mut interface = Interface::new(config, &mut wire, instant(now));
        let ip = IpAddress::from(address);
        let width = if address.is_ipv4() { 32 } else { 128 };
        interface.update_ip_addrs(|own| own.push(IpCidr::new(ip, width)).expect("the first address has room"));
        Endpoint {
            address,
            interface,
            wire,
            sockets: SocketSet::new(Vec::new()),
            connections: BTreeMap::new(),
            listeners: BTreeMap::new(),
            accepted: VecDeque::new(),
            next: 0,
        }
    }

    /// Lets others connect to a port.
    ///
    /// # Errors
    /// When the port is 0 or somebody listens there already.
    pub fn listen(&mut self, port: u16, settings: Settings) -> Result<(), TcpError> {
        if port == 0 || self.listeners.contains_key(&port) {
            return Err(TcpError::PortTaken(port));
        }
        let socket = self.listening_socket(port, settings);
        self.listeners.insert(port, (settings, socket));
        Ok(())
    }

    /// Begins a handshake from an own port.
    ///
    /// # Errors
    /// When there are too many connections, one of them has the same two addresses, or nobody can connect to that address.
    pub fn connect(&mut self, port: u16, remote: SocketAddr, settings: Settings) -> Result<Connection, TcpError> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return Err(TcpError::TooMany);
        }
        if remote.is_ipv4() != self.address.is_ipv4() {
            return Err(TcpError::Unaddressable(remote));
        }
        let is_same = |slot: &Slot| {
            let socket = self.sockets.get::<Socket<'_>>(slot.socket);
            let port_of = |local: IpEndpoint| local.port;
            socket.local_endpoint().map(port_of) == Some(port) && socket.remote_endpoint() == Some(remote.into())
        };
        if port == 0 || self.connections.values().any(is_same) {
            return Err(TcpError::PortTaken(port));
        }
        let mut socket = socket(settings);
        let local = IpEndpoint::new(self.address.into(), port);
        socket
            .connect(self.interface.context(), IpEndpoint::from(remote), local)
            .map_err(|_| TcpError::Unaddressable(remote))?;
        let socket = self.sockets.add(socket);
        Ok(self.admit(socket))
    }

    /// A connection that somebody else opened.
    pub fn accept(&mut self) -> Option<Connection> {
        self.accepted.pop_front()
    }

    /// Takes a packet in. What is no segment for this address is dropped; one for no connection is answered with a reset.
    pub fn handle(&mut self, datagram: &Datagram, now: SimTime) {
        if datagram.destination.ip() != self.address || !self.wire.take_in(datagram) {
            return;
        }
        let taken = self.interface.poll_ingress_single(instant(now), &mut self.wire, &mut self.sockets);
        if taken != PollIngressSingleResult::None {
            self.replace_taken_listeners();
        }
    }

    /// The next packet to send at `now`; call until none.
    pub fn poll_transmit(&mut self, now: SimTime) -> Option<Datagram> {
        if let Some(datagram) = self.wire.pop() {
            return Some(datagram);
        }
        self.interface.poll(instant(now), &mut self.wire, &mut self.sockets);
        self.reap();
        self.wire.pop()
    }

    /// When to call [`poll_transmit`](Endpoint::poll_transmit) again, however silent the network is.
    pub fn next_wake(&mut self, now: SimTime) -> Option<SimTime> {
        let due = self.interface.poll_at(instant(now), &self.sockets)?;
        let due = SimTime(u64::try_from(due.total_micros()).unwrap_or(0));
        Some(if due > now { due } else { now + NOT_AT_ONCE })
    }

    /// Queues bytes; how many found room. None do while the handshake is under way or after the own end closed.
    pub fn send(&mut self, connection: Connection, bytes: &[u8]) -> usize {
        self.socket(connection).and_then(|socket| socket.send_slice(bytes).ok()).unwrap_or(0)
    }

    /// Queues a message whole, or not at all when there is no room, and sends what may be sent at `now`: appended to
    /// `packets`. Some: it is queued, and inside is the packet that carries exactly this message when one left at once.
    pub fn send_message(
        &mut self,
        connection: Connection,
        message: &[u8],
        now: SimTime,
        packets: &mut Vec<Datagram>,
    ) -> Option<Option<PacketId>> {
        while let Some(datagram) = self.poll_transmit(now) {
            packets.push(datagram);
        }
        if self.room(connection) < message.len() {
            return None;
        }
        self.send(connection, message);
        let mut carriers = Vec::new();
        while let Some(datagram) = self.poll_transmit(now) {
            let payload = payload_bytes(&datagram);
            carriers.extend((payload > 0).then_some((datagram.packet, payload)));
            packets.push(datagram);
        }
        match carriers[..] {
            [(packet, payload)] if payload == message.len() => Some(Some(packet)),
            _ => Some(None),
        }
    }

    /// Room for bytes that can be queued now.
    pub fn room(&mut self, connection: Connection) -> usize {
        let room = |socket: &mut Socket<'_>| socket.send_capacity() - socket.send_queue();
        self.socket(connection).filter(|socket| socket.may_send()).map_or(0, room)
    }

    /// Bytes that were queued and not yet acknowledged.
    pub fn unacknowledged(&mut self, connection: Connection) -> usize {
        self.socket(connection).map_or(0, |socket| socket.send_queue())
    }

    /// Appends what arrived in order to `into`; how much that was.
    pub fn receive(&mut self, connection: Connection, into: &mut Vec<u8>) -> usize {
        let before = into.len();
        if let Some(socket) = self.socket(connection) {
            while socket.can_recv() {
                let taken = socket.recv(|bytes| {
                    into.extend_from_slice(bytes);
                    (bytes.len(), bytes.len())
                });
                if !taken.is_ok_and(|taken| taken > 0) {
                    break;
                }
            }
        }
        into.len() - before
    }

    /// Where a connection stands; one that was released and is gone is closed.
    pub fn state(&self, connection: Connection) -> State {
        let Some(slot) = self.connections.get(&connection) else { return State::Closed };
        match self.sockets.get::<Socket<'_>>(slot.socket).state() {
            tcp::State::Listen | tcp::State::SynSent | tcp::State::SynReceived => State::Opening,
            tcp::State::Established => State::Open,
            tcp::State::CloseWait => State::PeerClosed,
            tcp::State::FinWait1 | tcp::State::FinWait2 | tcp::State::Closing | tcp::State::LastAck => State::Closing,
            tcp::State::Closed | tcp::State::TimeWait => State::Closed,
        }
    }

    /// The other end as this one sees it; `None` when the connection is gone.
    pub fn remote(&self, connection: Connection) -> Option<SocketAddr> {
        let slot = self.connections.get(&connection)?;
        self.sockets.get::<Socket<'_>>(slot.socket).remote_endpoint().map(SocketAddr::from)
    }

    /// The own port of a connection; `None` when it is gone.
    pub fn port(&self, connection: Connection) -> Option<u16> {
        let slot = self.connections.get(&connection)?;
        self.sockets.get::<Socket<'_>>(slot.socket).local_endpoint().map(|local| local.port)
    }

    /// This end sends no more: what is queued is still delivered, then a FIN.
    pub fn close(&mut self, connection: Connection) {
        if let Some(socket) = self.socket(connection) {
            socket.close();
        }
    }

    /// Closes and forgets a connection: it goes when it has ended, and what still arrives is thrown away.
    pub fn release(&mut self, connection: Connection) {
        self.close(connection);
        if let Some(slot) = self.connections.get_mut(&connection) {
            slot.released = true;
        }
    }

    /// Ends a connection with a reset and forgets it.
    pub fn abort(&mut self, connection: Connection) {
        if let Some(socket) = self.socket(connection) {
            socket.abort();
        }
        self.release(connection);
    }

    fn socket(&mut self, connection: Connection) -> Option<&mut Socket<'static>> {
        let slot = self.connections.get(&connection)?;
        Some(self.sockets.get_mut::<Socket<'static>>(slot.socket))
    }

    fn admit(&mut self, socket: SocketHandle) -> Connection {
        let connection = Connection(self.next);
        self.next += 1;
        self.connections.insert(connection, Slot { socket, released: false });
        connection
    }

    fn listening_socket(&mut self, port: u16, settings: Settings) -> SocketHandle {
        let mut socket = socket(settings);
        let local = IpListenEndpoint { addr: Some(self.address.into()), port };
        socket.listen(local).expect("a fresh socket listens");
        self.sockets.add(socket)
    }

    /// A socket that listened and was connected to is a connection; another one listens in its place.
    fn replace_taken_listeners(&mut self) {
        let taken = |sockets: &SocketSet<'_>, socket| !sockets.get::<Socket<'_>>(socket).is_listening();
        let ports: Vec<u16> = self
            .listeners
            .iter()
            .filter(|(_, (_, socket))| taken(&self.sockets, *socket))
            .map(|(port, _)| *port)
            .collect();
        for port in ports {
            let (settings, socket) = self.listeners[&port];
            let next = self.listening_socket(port, settings);
            self.listeners.insert(port, (settings, next));
            if self.connections.len() < MAX_CONNECTIONS {
                let connection = self.admit(socket);
                self.accepted.push_back(connection);
            } else {
                self.sockets.get_mut::<Socket<'_>>(socket).abort();
                self.sockets.remove(socket);
            }
        }
    }

    fn reap(&mut self) {
        for slot in self.connections.values().filter(|slot| slot.released) {
            let socket = self.sockets.get_mut::<Socket<'_>>(slot.socket);
            while socket.can_recv() && socket.recv(|bytes| (bytes.len(), ())).is_ok() {}
        }
        let sockets = &mut self.sockets;
        self.connections.retain(|_, slot| {
            // A reset waits in a closed socket that still knows its peer.
            let socket = sockets.get::<Socket<'_>>(slot.socket);
            let is_over = socket.state() == tcp::State::Closed && socket.remote_endpoint().is_none();
            let goes = slot.released && is_over;
            if goes {
                sockets.remove(slot.socket);
            }
            !goes
        });
    }
}

fn socket(settings: Settings) -> Socket<'static> {
    let buffer = |bytes: usize| SocketBuffer::new(vec![0; bytes]);
    let mut socket = Socket::new(buffer(settings.receive_buffer), buffer(settings.send_buffer));
    socket.set_congestion_control(match settings.congestion {
        Congestion::Cubic => CongestionControl::Cubic,
        Congestion::Reno => CongestionControl::Reno,
    });
    socket.set_nagle_enabled(settings.gathers);
    socket.set_timeout(Some(Duration::from_micros(settings.silence.0)));
    socket.set_keep_alive(settings.keep_alive.map(|span| Duration::from_micros(span.0)));
    socket
}

fn instant(at: SimTime) -> Instant {
    Instant::from_micros(i64::try_from(at.0).unwrap_or(i64::MAX))
}
