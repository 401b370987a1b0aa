//! Identity of a datagram inside the simulation. It is not on the wire: it joins events that speak of one packet.

use serde::{Deserialize, Serialize};
use std::{cell::Cell, net::SocketAddr};

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

/// A datagram as it passes between an actor and the network.
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
    /// UDP payload.
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// A datagram that starts here.
    pub fn new(source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) -> Datagram {
        Datagram { packet: PacketId::next(), cause: None, relay: Micros::ZERO, source, destination, bytes }
    }
}
