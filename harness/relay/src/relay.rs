//! The relay: what it was granted, what it has allocated, what passes through it.

mod access;

use crate::{
    gate::{Claim, Packet, classify},
    quotas::{Meter, Quotas},
    special_use::{Prefix, is_special_use},
    streams::Streams,
};
use access::User;
use kernel::{
    mutant,
    names::ActorName,
    packet::{Datagram, PacketId, Transport},
    random::{self, SeedTree, Stream},
    time::{Micros, SimTime},
};
use protocol::ServerIdentity;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
};
use stun_proto::{
    Instant,
    agent::Transmit,
    types::{AddressFamily, TransportType, attribute::Userhash},
};
use turn_server_proto::{
    api::{SocketAllocateError, TurnServerApi, TurnServerPollRet},
    server::TurnServer,
};

const REALM: &str = "callproof";
/// Relayed addresses take ports from the dynamic range (RFC 8656 section 7.2).
const FIRST_PORT: u16 = 49_152;
/// The most packets that wait to be polled; further ones are dropped.
const MAX_OUTGOING: usize = 4_096;
/// How often a packet may go from one relayed address of this relay to another.
const MAX_HAIRPINS: usize = 4;
/// The most steps of the library for one input: it does one for each thing that is allocated or expires.
const MAX_STEPS: usize = 4_096;

/// How long a nonce is good for: RFC 8656 section 5 asks for a new one at least each hour.
const NONCE_LIFETIME: std::time::Duration = std::time::Duration::from_secs(600);
/// Addresses that a relay ever serves.
const MAX_KNOWN: usize = 65_536;

/// How a relay is deployed.
#[derive(Clone, Debug, Default)]
pub struct RelayConfig {
    /// The address of allocations of IPv6 (REQUESTED-ADDRESS-FAMILY); without one such requests get 440.
    pub address_v6: Option<IpAddr>,
    /// Blocks that count as the public Internet although IANA lists them as special: where the deployment's peers really
    /// are. Addresses that embed one of them stay refused.
    pub public: Vec<Prefix>,
    /// What one user, and all together, may take.
    pub quotas: Quotas,
    /// The key that it proves in TLS; without one it speaks TCP and UDP only.
    pub identity: Option<ServerIdentity>,
}

/// What a relay takes in.
#[derive(Clone, Debug)]
pub enum RelayInput {
    /// A packet for one of its ports.
    Datagram(Datagram),
    /// The time that [`Relay::next_wake`] named has come.
    Timeout,
}

/// A TURN relay. It sees addresses, sizes and times of what it relays, and ciphertext.
pub struct Relay {
    name: ActorName,
    address: SocketAddr,
    config: RelayConfig,
    turn: TurnServer,
    /// For clients that come by TCP or TLS: their relayed addresses are of UDP all the same.
    stream_turn: TurnServer,
    streams: Streams,
    /// Addresses that asked for something. The library keeps a nonce for each, for ever.
    known: BTreeSet<(bool, SocketAddr)>,
    /// Granted user names.
    users: BTreeMap<String, User>,
    /// By relayed address.
    allocations: BTreeMap<SocketAddr, Allocation>,
    /// The planted bug V79: who spoke last on the clients' port without being one of them.
    latched: Option<SocketAddr>,
    ports: Stream,
    replacements: Stream,
    outgoing: VecDeque<Datagram>,
    wake: Option<SimTime>,
}

#[derive(Clone, Debug, Serialize)]
struct Allocation {
    client: SocketAddr,
    /// How the client comes: in a stream or by datagrams.
    in_stream: bool,
    username: String,
    /// Peers with a permission, with the time when it ends.
    permissions: BTreeMap<IpAddr, SimTime>,
    /// Channels by number, with their peer and the time when they end.
    channels: BTreeMap<u16, (SocketAddr, SimTime)>,
    #[serde(skip)]
    meter: Meter,
}

impl Allocation {
    /// Whether it is of this client: in a stream or not, and from where.
    fn is_of(&self, client: (bool, SocketAddr)) -> bool {
        (self.in_stream, self.client) == client
    }
}

/// A message between the relay and somebody, whatever carries it.
struct Message {
    in_stream: bool,
    from: SocketAddr,
    to: SocketAddr,
    data: Vec<u8>,
}

impl Relay {
    /// A relay that listens at `address` and allocates on the same host.
    pub fn new(name: ActorName, address: SocketAddr, config: RelayConfig, seeds: SeedTree, now: SimTime) -> Relay {
        let _scope = random::scope("turn");
        let streams = Streams::new(address.ip(), address.port(), &config.identity, seeds.stream("tcp"), now);
        let library = |transport| {
            let mut library = TurnServer::new(transport, address, REALM.into());
            library.set_nonce_expiry_duration(NONCE_LIFETIME);
            library
        };
        Relay {
            name,
            address,
            config,
            turn: library(TransportType::Udp),
            stream_turn: library(TransportType::Tcp),
            known: BTreeSet::new(),
            streams,
            users: BTreeMap::new(),
            allocations: BTreeMap::new(),
            latched: None,
            ports: seeds.stream("ports"),
            replacements: seeds.stream("replacements"),
            outgoing: VecDeque::new(),
            wake: None,
        }
    }

    /// Takes in a packet, or lets what is due at `now` expire.
    pub fn handle(&mut self, input: RelayInput, now: SimTime) {
        let _scope = random::scope("turn");
        self.expire_users(now);
        match input {
            RelayInput::Datagram(datagram) if datagram.transport == Transport::Tcp => {
                self.receive_segment(&datagram, now)
            }
            RelayInput::Datagram(datagram) => self.receive(datagram, now),
            RelayInput::Timeout => self.advance(None, now),
        }
        self.send_segments(now);
    }

    /// The next packet to send. A relayed one names the packet that it carries on as its `cause`.
    pub fn poll(&mut self) -> Option<Datagram> {
        self.outgoing.pop_front()
    }

    /// When [`RelayInput::Timeout`] is due; `None` while nothing is allocated and no connection is open.
    pub fn next_wake(&mut self, now: SimTime) -> Option<SimTime> {
        let turn = self.wake.map(|wake| self.next_expiry().map_or(wake, |expiry| wake.min(expiry)));
        turn.into_iter().chain(self.streams.next_wake(now)).min()
    }

    /// Everything that the relay holds: postcard of its name, address, users with passwords, and allocations by relayed
    /// address.
    ///
    /// # Panics
    /// Never: all of it serializes.
    pub fn snapshot(&self) -> Vec<u8> {
        postcard::to_stdvec(&(&self.name, self.address, REALM, &self.users, &self.allocations))
            .expect("the relay's state serializes")
    }

    fn receive(&mut self, datagram: Datagram, now: SimTime) {
        let origin = datagram.packet;
        let message =
            Message { in_stream: false, from: datagram.source, to: datagram.destination, data: datagram.bytes };
        self.carry(message, origin, now);
    }

    /// A segment of TCP: the messages that are whole with it, and connections that are over.
    fn receive_segment(&mut self, datagram: &Datagram, now: SimTime) {
        for (client, data) in self.streams.receive(datagram, now) {
            let message = Message { in_stream: true, from: client, to: self.address, data };
            // What waited for a hole in the stream to be filled left with the segment that filled it.
            self.carry(message, datagram.packet, now);
        }
        for client in self.streams.take_closed() {
            // The allocation of a connection ends with it (RFC 8656 section 5).
            let end = Transmit::new(Vec::new(), TransportType::Tcp, client, self.address);
            self.stream_turn.recv(end, instant(now));
            self.close_lost_client(client, now);
        }
        self.advance(None, now);
    }

    fn carry(&mut self, message: Message, origin: PacketId, now: SimTime) {
        let mut next = self.pass(message, origin, now);
        for _ in 0..MAX_HAIRPINS {
            match next {
                // Both peers may be behind this relay: such a packet never leaves the host.
                Some((message, _)) if !message.in_stream && self.is_own(message.to.ip()) => {
                    next = self.pass(message, origin, now);
                }
                Some((message, cause)) => return self.deliver(message, cause, now),
                None => return,
            }
        }
    }

    /// What becomes of one message to one of the relay's ports; with what it carries on.
    fn pass(&mut self, message: Message, origin: PacketId, now: SimTime) -> Option<(Message, Option<PacketId>)> {
        let Message { in_stream, from, to, data } = message;
        let answer = |data| Some((Message { in_stream, from: to, to: from, data }, None));
        let mut user = None;
        let mut replaced = None;
        let mut library_in_stream = in_stream;
        if to == self.address {
            match classify(from, &data) {
                Packet::Binding(data) => return answer(data),
                Packet::Request(_) if !self.knows((in_stream, from)) => return None,
                Packet::Request(request) => match self.vet(&request, (in_stream, from), now) {
                    access::Vetted::Passes => user = self.user(&request.claim),
                    access::Vetted::Answered(data) => return answer(data),
                    access::Vetted::Anonymous(request) => replaced = Some(request),
                },
                Packet::Data(peer) if peer.is_none_or(|peer| !self.is_forbidden(peer)) => {
                    let passes = self.meter_client((in_stream, from), data.len(), now);
                    if mutant!(V79) && passes.is_none() {
                        self.latched = Some(from);
                    }
                    passes?;
                }
                Packet::Data(_) | Packet::Other => return None,
            }
        } else {
            library_in_stream = self.meter_peer(to, data.len(), now)?;
        }
        let transport = if in_stream { TransportType::Tcp } else { TransportType::Udp };
        let transmit = Transmit::new(replaced.unwrap_or(data), transport, from, to);
        let transmit = self.library(library_in_stream).recv(transmit, instant(now)).map(|transmit| transmit.build());
        self.advance(user, now);
        let transmit = transmit?;
        let is_relayed = to != self.address || transmit.from != self.address;
        let in_stream = transmit.transport == TransportType::Tcp;
        let mut message = Message { in_stream, from: transmit.from, to: transmit.to, data: transmit.data };
        if mutant!(V79) && message.from == self.address && is_relayed && !in_stream {
            message.to = self.latched.take().unwrap_or(message.to);
        }
        Some((message, is_relayed.then_some(origin)))
    }

    /// Whether requests from an address are looked at. The library forgets no nonce, so that whoever forges sources could
    /// fill its memory: beyond [`MAX_KNOWN`] addresses only those that are known are served.
    fn knows(&mut self, client: (bool, SocketAddr)) -> bool {
        self.known.contains(&client) || (self.known.len() < MAX_KNOWN && self.known.insert(client))
    }

    /// The library's server for clients in streams, or for those of datagrams.
    fn library(&mut self, in_stream: bool) -> &mut TurnServer {
        if in_stream { &mut self.stream_turn } else { &mut self.turn }
    }

    fn deliver(&mut self, message: Message, cause: Option<PacketId>, now: SimTime) {
        let Message { in_stream, from, to, data } = message;
        if in_stream {
            self.streams.send(to, &data, cause, now);
        } else {
            self.send(Datagram { cause, ..Datagram::new(from, to, data) });
        }
    }

    fn send_segments(&mut self, now: SimTime) {
        for datagram in self.streams.take_packets(now) {
            self.send(datagram);
        }
    }

    /// Carries out what the library asks for. `user` is who the message at hand claims to be from.
    fn advance(&mut self, user: Option<String>, now: SimTime) {
        let wakes = [false, true].map(|in_stream| self.advance_library(in_stream, user.as_deref(), now));
        let wake = wakes.into_iter().flatten().min();
        self.wake = wake.filter(|_| !self.allocations.is_empty());
    }

    fn advance_library(&mut self, in_stream: bool, user: Option<&str>, now: SimTime) -> Option<SimTime> {
        let mut wake = None;
        for _ in 0..MAX_STEPS {
            match self.library(in_stream).poll(instant(now)) {
                TurnServerPollRet::AllocateSocket {
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                } => {
                    let relayed = self.allocate((in_stream, client_addr), user, allocation_transport, family);
                    self.library(in_stream).allocated_socket(
                        transport,
                        listen_addr,
                        client_addr,
                        allocation_transport,
                        family,
                        relayed,
                        instant(now),
                    );
                }
                TurnServerPollRet::SocketClose { listen_addr, .. } => {
                    self.allocations.remove(&listen_addr);
                }
                TurnServerPollRet::WaitUntil(at) => {
                    // The library holds on to a thing until its end is past, so wake behind it: at the end itself
                    // nothing would happen, again and again.
                    wake = Some(SimTime(at.as_nanos().cast_unsigned().div_ceil(1_000)).max(now) + Micros(1));
                    break;
                }
                // TCP between relay and peer (RFC 6062) passes no gate.
                TurnServerPollRet::TcpConnect { .. } | TurnServerPollRet::TcpClose { .. } => {}
            }
        }
        while let Some(transmit) = self.library(in_stream).poll_transmit(instant(now)) {
            let message = Message { in_stream, from: transmit.from, to: transmit.to, data: transmit.data };
            self.deliver(message, None, now);
        }
        wake
    }

    /// Finds a relayed address for a client, or says why there is none.
    fn allocate(
        &mut self,
        (in_stream, client): (bool, SocketAddr),
        user: Option<&str>,
        transport: TransportType,
        family: AddressFamily,
    ) -> Result<SocketAddr, SocketAllocateError> {
        let own = [Some(self.address.ip()), self.config.address_v6].into_iter().flatten();
        let address = own.into_iter().find(|own| own.is_ipv4() == (family == AddressFamily::IPV4));
        let address = address
            .filter(|_| transport == TransportType::Udp)
            .ok_or(SocketAllocateError::AddressFamilyNotSupported)?;
        let username = user.ok_or(SocketAllocateError::InsufficientCapacity)?;
        if self.allocations.len() >= self.config.quotas.allocations {
            return Err(SocketAllocateError::InsufficientCapacity);
        }
        let span = u64::from(u16::MAX - FIRST_PORT) + 1;
        let start = self.ports.below(span);
        let relayed = (0..span)
            .map(|step| SocketAddr::new(address, FIRST_PORT + ((start + step) % span) as u16))
            .find(|relayed| !self.allocations.contains_key(relayed) && *relayed != self.address)
            .ok_or(SocketAllocateError::InsufficientCapacity)?;
        let (permissions, channels) = (BTreeMap::new(), BTreeMap::new());
        let username = username.into();
        let meter = Meter::default();
        let allocation = Allocation { client, in_stream, username, permissions, channels, meter };
        self.allocations.insert(relayed, allocation);
        Ok(relayed)
    }

    fn user(&self, claim: &Claim) -> Option<String> {
        match claim {
            Claim::Nobody => None,
            Claim::Name(name) => Some(name.clone()),
            Claim::Hash(hash) => self.users.keys().find(|name| Userhash::compute(name, REALM) == *hash).cloned(),
        }
    }

    /// Whether nobody may have this peer. V75: anybody may. V76: only the loopback block of IPv4 was thought of.
    fn is_forbidden(&self, peer: SocketAddr) -> bool {
        let is_public = || self.config.public.iter().any(|block| block.contains(peer.ip()));
        if mutant!(V75) {
            return false;
        }
        if mutant!(V76) {
            return Prefix::v4([127, 0, 0, 0], 8).contains(peer.ip());
        }
        // To itself a packet would come back as a client's.
        peer == self.address || is_special_use(peer.ip()) && !is_public()
    }

    /// Lets data of a client through when it is a client and below its bandwidth.
    fn meter_client(&mut self, client: (bool, SocketAddr), bytes: usize, now: SimTime) -> Option<()> {
        let limit = self.config.quotas.bandwidth;
        let users = &self.users;
        let mut own = self.allocations.values_mut().filter(|allocation| allocation.is_of(client));
        let allocation = own.find(|allocation| users.contains_key(&allocation.username))?;
        allocation.meter.pass(bytes, limit, now).then_some(())
    }

    /// Lets a packet to a relayed address through when there is one and it is below its bandwidth.
    /// Whether its client is in a stream.
    fn meter_peer(&mut self, relayed: SocketAddr, bytes: usize, now: SimTime) -> Option<bool> {
        let allocation = self.allocations.get_mut(&relayed)?;
        let is_granted = self.users.contains_key(&allocation.username);
        let in_stream = allocation.in_stream;
        (is_granted && allocation.meter.pass(bytes, self.config.quotas.bandwidth, now)).then_some(in_stream)
    }

    fn is_own(&self, address: IpAddr) -> bool {
        address == self.address.ip() || Some(address) == self.config.address_v6
    }

    fn send(&mut self, datagram: Datagram) {
        if self.outgoing.len() < MAX_OUTGOING {
            self.outgoing.push_back(datagram);
        }
    }
}

fn instant(at: SimTime) -> Instant {
    Instant::from_nanos((at.0 * 1_000).cast_signed())
}

#[cfg(test)]
mod tests;
