//! Identity of a datagram inside the simulation. It is not on the wire: it joins events that speak of one packet.

use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
};

use crate::time::Micros;

/// One datagram from the socket that sent it to the socket (or drop) where it ends. A relay's copy is a new packet
/// whose `cause` is the packet that it relays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PacketId(pub u64);

thread_local! { static NEXT: Cell<u64> = const { Cell::new(1) } }

impl PacketId {
    /// A fresh id on this simulation thread: 1, 2, 3, …
    pub fn next() -> PacketId {
        let id = NEXT.get();
        NEXT.set(id + 1);
        PacketId(id)
    }
}

pub(crate) fn reset() {
    NEXT.set(1);
}

/// What carries a packet's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// UDP (RFC 768): `bytes` is the payload.
    #[default]
    Udp,
    /// TCP (RFC 9293): `bytes` is the segment from its header on. The ports of the packet's addresses count, not those in
    /// the header: a NAT rewrites the former.
    Tcp,
}

/// The ECN field of a packet (RFC 3168 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ecn {
    /// The sender does not take part.
    #[default]
    NotEct,
    /// ECN-capable transport, code point 0.
    Ect0,
    /// ECN-capable transport, code point 1 (L4S, RFC 9331).
    Ect1,
    /// Congestion experienced: a queue on the way marked it.
    Ce,
}

/// An interface of a device that is up, as its operating system tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The device's own addresses there, the preferred first.
    pub addresses: Vec<IpAddr>,
}

/// A packet as it passes between an actor and the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its identity; a sender takes a fresh one with [`PacketId::next`].
    pub packet: PacketId,
    /// For a relayed packet: the packet that it carries on.
    pub cause: Option<PacketId>,
    /// How long a relay held it; zero for all other senders.
    pub relay: Micros,
    /// Towards the network the sending socket's own address; towards an actor the source as the receiver sees it.
    pub source: SocketAddr,
    /// Where to; towards an actor its socket's own address.
    pub destination: SocketAddr,
    /// UDP unless said otherwise.
    pub transport: Transport,
    /// As sent, or towards an actor as the network left it.
    pub ecn: Ecn,
    /// UDP payload or TCP segment.
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// A UDP datagram that starts here.
    pub fn new(source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) -> Datagram {
        Datagram {
            packet: PacketId::next(),
            cause: None,
            relay: Micros::ZERO,
            source,
            destination,
            transport: Transport::Udp,
            ecn: Ecn::NotEct,
            bytes,
        }
    }

    /// Its size as an IP packet: a header of 20 bytes (IPv4) or 40 (IPv6), UDP's 8, and `bytes`; a TCP segment brings its
    /// own header.
    pub fn ip_bytes(&self) -> u64 {
        let ip = if self.destination.is_ipv4() { 20 } else { 40 };
        let udp = if self.transport == Transport::Udp { 8 } else { 0 };
        ip + udp + self.bytes.len() as u64
    }
}
