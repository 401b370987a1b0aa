//! The relay: what it was granted, what it has allocated, what passes through it.

use crate::gate::{Claim, Packet, classify};
use kernel::{
    names::{ActorName, to_hex},
    packet::{Datagram, PacketId},
    random::{self, SeedTree, Stream},
    time::{Micros, SimTime},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
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

/// The most allocations at once.
pub const MAX_ALLOCATIONS: usize = 1_024;
/// The most allocations of one user name at once: a device that changes networks leaves one behind each time.
pub const MAX_ALLOCATIONS_PER_USER: usize = 8;

const REALM: &str = "callproof";
/// Relayed addresses take ports from the dynamic range (RFC 8656 section 7.2).
const FIRST_PORT: u16 = 49_152;
/// The most packets that wait to be polled; further ones are dropped.
const MAX_OUTGOING: usize = 4_096;
/// How often a packet may go from one relayed address of this relay to another.
const MAX_HAIRPINS: usize = 4;
/// The most steps of the library for one input: it does one for each thing that is allocated or expires.
const MAX_STEPS: usize = 4 * MAX_ALLOCATIONS;

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
    turn: TurnServer,
    /// Granted user names with their passwords.
    users: BTreeMap<String, String>,
    /// By port.
    allocations: BTreeMap<u16, Allocation>,
    ports: Stream,
    replacements: Stream,
    outgoing: VecDeque<Datagram>,
    wake: Option<SimTime>,
}

#[derive(Clone, Debug, Serialize)]
struct Allocation {
    client: SocketAddr,
    username: String,
}

impl Relay {
    /// A relay that listens at `address` and allocates on the same host.
    pub fn new(name: ActorName, address: SocketAddr, seeds: SeedTree, _now: SimTime) -> Relay {
        let _scope = random::scope("turn");
        Relay {
            name,
            address,
            turn: TurnServer::new(TransportType::Udp, address, REALM.into()),
            users: BTreeMap::new(),
            allocations: BTreeMap::new(),
            ports: seeds.stream("ports"),
            replacements: seeds.stream("replacements"),
            outgoing: VecDeque::new(),
            wake: None,
        }
    }

    /// Lets a user in.
    pub fn grant(&mut self, username: &str, password: &str) {
        let _scope = random::scope("turn");
        self.users.insert(username.into(), password.into());
        self.turn.add_user(username.into(), password.into());
    }

    /// Shuts a user out: requests are refused from now on, and nothing more passes through what the user allocated.
    pub fn revoke(&mut self, username: &str) {
        let _scope = random::scope("turn");
        if self.users.remove(username).is_some() {
            // The library cannot forget a user. A password that nobody knows does the same.
            self.turn.add_user(username.into(), to_hex(&self.replacements.bytes::<32>()));
        }
    }

    /// Takes in a packet, or lets what is due at `now` expire.
    pub fn handle(&mut self, input: RelayInput, now: SimTime) {
        let _scope = random::scope("turn");
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
        self.wake
    }

    /// Everything that the relay holds: postcard of its name, address, users with passwords, and allocations by port.
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
                Some(datagram) if datagram.destination.ip() == self.address.ip() => {
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
        if destination == self.address {
            match classify(source, &bytes) {
                Packet::Binding(answer) => return Some(Datagram::new(destination, source, answer)),
                Packet::Request(claim) => user = self.user(&claim),
                Packet::Data if self.may_send(source) => {}
                Packet::Data | Packet::Other => return None,
            }
        } else if !self.allocations.get(&destination.port()).is_some_and(|owner| self.is_granted(owner)) {
            return None;
        }
        let transmit = Transmit::new(bytes, TransportType::Udp, source, destination);
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
                    let port = self.allocate(client_addr, user.as_deref(), allocation_transport, family);
                    self.turn.allocated_socket(
                        transport,
                        listen_addr,
                        client_addr,
                        allocation_transport,
                        family,
                        port.map(|port| SocketAddr::new(self.address.ip(), port)),
                        instant(now),
                    );
                }
                TurnServerPollRet::SocketClose { listen_addr, .. } => {
                    self.allocations.remove(&listen_addr.port());
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

    /// Finds a port for a client, or says why there is none.
    fn allocate(
        &mut self,
        client: SocketAddr,
        user: Option<&str>,
        transport: TransportType,
        family: AddressFamily,
    ) -> Result<u16, SocketAllocateError> {
        if (family == AddressFamily::IPV4) != self.address.is_ipv4() || transport != TransportType::Udp {
            return Err(SocketAllocateError::AddressFamilyNotSupported);
        }
        let username = user.ok_or(SocketAllocateError::InsufficientCapacity)?;
        let of_user = self.allocations.values().filter(|allocation| allocation.username == username).count();
        if self.allocations.len() >= MAX_ALLOCATIONS || of_user >= MAX_ALLOCATIONS_PER_USER {
            return Err(SocketAllocateError::InsufficientCapacity);
        }
        let span = u64::from(u16::MAX - FIRST_PORT) + 1;
        let start = self.ports.below(span);
        let port = (0..span)
            .map(|step| FIRST_PORT + ((start + step) % span) as u16)
            .find(|port| !self.allocations.contains_key(port) && *port != self.address.port())
            .ok_or(SocketAllocateError::InsufficientCapacity)?;
        self.allocations.insert(port, Allocation { client, username: username.into() });
        Ok(port)
    }

    fn user(&self, claim: &Claim) -> Option<String> {
        match claim {
            Claim::Nobody => None,
            Claim::Name(name) => Some(name.clone()),
            Claim::Hash(hash) => self.users.keys().find(|name| Userhash::compute(name, REALM) == *hash).cloned(),
        }
    }

    fn may_send(&self, client: SocketAddr) -> bool {
        self.allocations.values().any(|allocation| allocation.client == client && self.is_granted(allocation))
    }

    fn is_granted(&self, allocation: &Allocation) -> bool {
        self.users.contains_key(&allocation.username)
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
