//! The relay: what it was granted, what it has allocated, what passes through it.

mod access;

use crate::{
    gate::{Claim, Packet, classify},
    quotas::{Meter, Quotas},
    special_use::{Prefix, is_special_use},
};
use access::User;
use kernel::{
    mutant,
    names::ActorName,
    packet::{Datagram, PacketId},
    random::{self, SeedTree, Stream},
    time::{Micros, SimTime},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
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

/// How a relay is deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayConfig {
    /// The address of allocations of IPv6 (REQUESTED-ADDRESS-FAMILY); without one such requests get 440.
    pub address_v6: Option<IpAddr>,
    /// Blocks that count as the public Internet although IANA lists them as special: where the deployment's peers really
    /// are. Addresses that embed one of them stay refused.
    pub public: Vec<Prefix>,
    /// What one user, and all together, may take.
    pub quotas: Quotas,
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
    /// Granted user names.
    users: BTreeMap<String, User>,
    /// By relayed address.
    allocations: BTreeMap<SocketAddr, Allocation>,
    ports: Stream,
    replacements: Stream,
    outgoing: VecDeque<Datagram>,
    wake: Option<SimTime>,
}

#[derive(Clone, Debug, Serialize)]
struct Allocation {
    client: SocketAddr,
    username: String,
    /// Peers with a permission, with the time when it ends.
    permissions: BTreeMap<IpAddr, SimTime>,
    /// Channels by number, with their peer and the time when they end.
    channels: BTreeMap<u16, (SocketAddr, SimTime)>,
    #[serde(skip)]
    meter: Meter,
}

impl Relay {
    /// A relay that listens at `address` and allocates on the same host.
    pub fn new(name: ActorName, address: SocketAddr, config: RelayConfig, seeds: SeedTree) -> Relay {
        let _scope = random::scope("turn");
        Relay {
            name,
            address,
            config,
            turn: TurnServer::new(TransportType::Udp, address, REALM.into()),
            users: BTreeMap::new(),
            allocations: BTreeMap::new(),
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
            RelayInput::Datagram(datagram) => self.receive(datagram, now),
            RelayInput::Timeout => self.advance(None, now),
        }
    }

    /// The next packet to send. A relayed one names the packet that it carries on as its `cause`.
    pub fn poll(&mut self) -> Option<Datagram> {
        self.outgoing.pop_front()
    }

    /// When [`RelayInput::Timeout`] is due; `None` while nothing is allocated.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.wake.map(|wake| self.next_expiry().map_or(wake, |expiry| wake.min(expiry)))
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
        let mut next = self.pass(datagram, origin, now);
        for _ in 0..MAX_HAIRPINS {
            match next {
                // Both peers may be behind this relay: such a packet never leaves the host.
                Some(datagram) if self.is_own(datagram.destination.ip()) => {
                    next = self.pass(datagram, origin, now);
                }
                Some(datagram) => return self.send(datagram),
                None => return,
            }
        }
    }

    /// What becomes of one packet to one of the relay's ports.
    fn pass(&mut self, datagram: Datagram, origin: PacketId, now: SimTime) -> Option<Datagram> {
        let Datagram { source, destination, bytes, .. } = datagram;
        let mut user = None;
        let mut replaced = None;
        if destination == self.address {
            match classify(source, &bytes) {
                Packet::Binding(answer) => return Some(Datagram::new(destination, source, answer)),
                Packet::Request(request) => match self.vet(&request, source, now) {
                    access::Vetted::Passes => user = self.user(&request.claim),
                    access::Vetted::Answered(answer) => return Some(Datagram::new(destination, source, answer)),
                    access::Vetted::Anonymous(request) => replaced = Some(request),
                },
                Packet::Data(peer) if peer.is_none_or(|peer| !self.is_forbidden(peer)) => {
                    self.meter_client(source, bytes.len(), now)?;
                }
                Packet::Data(_) | Packet::Other => return None,
            }
        } else {
            self.meter_peer(destination, bytes.len(), now)?;
        }
        let transmit = Transmit::new(replaced.unwrap_or(bytes), TransportType::Udp, source, destination);
        let transmit = self.turn.recv(transmit, instant(now)).map(|transmit| transmit.build());
        self.advance(user, now);
        let transmit = transmit?;
        let is_relayed = destination != self.address || transmit.from != self.address;
        Some(Datagram {
            cause: is_relayed.then_some(origin),
            ..Datagram::new(transmit.from, transmit.to, transmit.data)
        })
    }

    /// Carries out what the library asks for. `user` is who the packet at hand claims to be from.
    fn advance(&mut self, user: Option<String>, now: SimTime) {
        for _ in 0..MAX_STEPS {
            match self.turn.poll(instant(now)) {
                TurnServerPollRet::AllocateSocket {
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                } => {
                    let relayed = self.allocate(client_addr, user.as_deref(), allocation_transport, family);
                    self.turn.allocated_socket(
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
                    let due = SimTime(at.as_nanos().cast_unsigned().div_ceil(1_000)).max(now) + Micros(1);
                    self.wake = (!self.allocations.is_empty()).then_some(due);
                    break;
                }
                // TURN over TCP passes no gate.
                TurnServerPollRet::TcpConnect { .. } | TurnServerPollRet::TcpClose { .. } => {}
            }
        }
        while let Some(transmit) = self.turn.poll_transmit(instant(now)) {
            self.send(Datagram::new(transmit.from, transmit.to, transmit.data));
        }
    }

    /// Finds a relayed address for a client, or says why there is none.
    fn allocate(
        &mut self,
        client: SocketAddr,
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
        let allocation = Allocation { client, username, permissions, channels, meter: Meter::default() };
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
    fn meter_client(&mut self, client: SocketAddr, bytes: usize, now: SimTime) -> Option<()> {
        let limit = self.config.quotas.bandwidth;
        let users = &self.users;
        let mut own = self.allocations.values_mut().filter(|allocation| allocation.client == client);
        let allocation = own.find(|allocation| users.contains_key(&allocation.username))?;
        allocation.meter.pass(bytes, limit, now).then_some(())
    }

    /// Lets a packet to a relayed address through when there is one and it is below its bandwidth.
    fn meter_peer(&mut self, relayed: SocketAddr, bytes: usize, now: SimTime) -> Option<()> {
        let allocation = self.allocations.get_mut(&relayed)?;
        let is_granted = self.users.contains_key(&allocation.username);
        (is_granted && allocation.meter.pass(bytes, self.config.quotas.bandwidth, now)).then_some(())
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
