//! The leg to a TURN relay (RFC 8656): allocation, permissions, channels.

use kernel::{Datagram, SimTime, random};
use protocol::RelayGrant;
use std::{
    collections::{BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
};
use turn_client_proto::{
    api::{TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    prelude::TurnClientApi,
    stun::{Instant, agent::Transmit},
    types::{TransportType, TurnCredentials},
    udp::TurnClientUdp,
};

/// Peers that get a permission and a channel: more than a call between two ever has candidates.
const MAX_PEERS: usize = 32;
/// Packets that wait for a permission; further ones are dropped, as the relay would.
const MAX_HELD: usize = 16;
/// Calls of `poll` in a row before the rest waits for the next wake.
const MAX_POLLS: usize = 16;

/// One allocation at one relay.
pub(super) struct RelayLeg {
    client: TurnClientUdp,
    local: SocketAddr,
    server: SocketAddr,
    relayed: Option<SocketAddr>,
    /// Peers to be let in: asked for as soon as the allocation exists.
    peers: BTreeSet<SocketAddr>,
    asked: BTreeSet<SocketAddr>,
    /// Peers that the relay refused: they are not asked for again.
    refused: BTreeSet<IpAddr>,
    /// Connectivity checks that came before the permission for their peer: a lost one costs a retransmission time-out.
    held: VecDeque<(SocketAddr, Vec<u8>)>,
    wake: Option<SimTime>,
}

impl RelayLeg {
    /// A leg that asks for an allocation.
    pub(super) fn new(local: SocketAddr, grant: &RelayGrant) -> RelayLeg {
        let _scope = random::scope("turn");
        let config = TurnConfig::new(TurnCredentials::new(&grant.username, &grant.password));
        RelayLeg {
            client: TurnClientUdp::allocate(local, grant.address, config),
            local,
            server: grant.address,
            relayed: None,
            peers: BTreeSet::new(),
            asked: BTreeSet::new(),
            refused: BTreeSet::new(),
            held: VecDeque::new(),
            wake: Some(SimTime::ZERO),
        }
    }

    /// The relay's own address.
    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    /// The relayed address, once allocated.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.relayed
    }

    /// Lets a peer's address send to the relayed one.
    pub(super) fn allow(&mut self, peer: SocketAddr) {
        if self.peers.len() < MAX_PEERS && !self.refused.contains(&peer.ip()) {
            self.peers.insert(peer);
        }
    }

    /// The socket that it speaks from.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Asks for a peer that no honest client has, and sends to it as soon as the relay permits.
    pub(super) fn probe(&mut self, peer: SocketAddr) {
        self.allow(peer);
        self.held.push_back((peer, b"GET / HTTP/1.0\r\n\r\n".to_vec()));
    }

    /// A datagram of the relay. Gives what a peer sent through it.
    pub(super) fn receive(&mut self, datagram: &Datagram, now: SimTime) -> Option<(SocketAddr, Vec<u8>)> {
        let _scope = random::scope("turn");
        let transmit =
            Transmit::new(datagram.bytes.as_slice(), TransportType::Udp, datagram.source, datagram.destination);
        match self.client.recv(transmit, instant(now)) {
            TurnRecvRet::PeerData(data) => Some((data.peer, data.data().to_vec())),
            _ => None,
        }
    }

    /// Wraps what goes to a peer through the relay; `None` while there is no permission for the peer. A connectivity check
    /// (RFC 8445) is held until there is.
    pub(super) fn wrap(&mut self, peer: SocketAddr, bytes: &[u8], now: SimTime) -> Option<Datagram> {
        let _scope = random::scope("turn");
        if !self.client.have_permission(TransportType::Udp, peer.ip()) {
            let is_check = matches!(bytes.first(), Some(0..=3));
            if is_check && self.peers.contains(&peer) && self.held.len() < MAX_HELD {
                self.held.push_back((peer, bytes.to_vec()));
            }
            return None;
        }
        let transmit = self.client.send_to(TransportType::Udp, peer, bytes, instant(now)).ok()??.build();
        Some(Datagram::new(self.local, self.server, transmit.data))
    }

    /// Drives the client: sends what is due. True when the allocation came into being just now.
    pub(super) fn drive(&mut self, now: SimTime, sends: &mut Vec<Datagram>) -> bool {
        let _scope = random::scope("turn");
        let mut allocated = false;
        for _ in 0..MAX_POLLS {
            if self.relayed.is_some() {
                self.ask(now);
            }
            self.wake = match self.client.poll(instant(now)) {
                TurnPollRet::WaitUntil(at) => sim_time(at),
                _ => None,
            };
            let mut idle = true;
            while let Some(transmit) = self.client.poll_transmit(instant(now)) {
                sends.push(Datagram::new(self.local, transmit.to, transmit.data.as_ref().to_vec()));
                idle = false;
            }
            while let Some(event) = self.client.poll_event() {
                idle = false;
                match event {
                    TurnEvent::AllocationCreated(_, address) if self.relayed.is_none() => {
                        self.relayed = Some(address);
                        allocated = true;
                    }
                    TurnEvent::PermissionCreated(..) => self.send_held(now, sends),
                    // A private address, say: the relay lets nobody reach it. What waits for it must not fill the queue.
                    TurnEvent::PermissionCreateFailed(_, refused) => self.forget(refused),
                    _ => {}
                }
            }
            if idle {
                break;
            }
        }
        allocated
    }

    /// Gives the allocation back.
    pub(super) fn release(&mut self, now: SimTime, sends: &mut Vec<Datagram>) {
        let _scope = random::scope("turn");
        if self.relayed.is_some() && self.client.delete(instant(now)).is_ok() {
            while let Some(transmit) = self.client.poll_transmit(instant(now)) {
                sends.push(Datagram::new(self.local, transmit.to, transmit.data.as_ref().to_vec()));
            }
        }
    }

    /// When the client wants to be driven.
    pub(super) fn next_wake(&self) -> Option<SimTime> {
        self.wake
    }

    /// Sends what waited for a permission; what has none yet goes on waiting.
    fn send_held(&mut self, now: SimTime, sends: &mut Vec<Datagram>) {
        for (peer, bytes) in std::mem::take(&mut self.held) {
            sends.extend(self.wrap(peer, &bytes, now));
        }
    }

    /// Gives a peer up that the relay refuses.
    fn forget(&mut self, refused: IpAddr) {
        self.held.retain(|(peer, _)| peer.ip() != refused);
        self.peers.retain(|peer| peer.ip() != refused);
        self.refused.insert(refused);
    }

    fn ask(&mut self, now: SimTime) {
        for peer in self.peers.difference(&self.asked.clone()) {
            // Both refuse only what exists already.
            let _ = self.client.create_permission(TransportType::Udp, peer.ip(), instant(now));
            let _ = self.client.bind_channel(TransportType::Udp, *peer, instant(now));
        }
        self.asked.clone_from(&self.peers);
    }
}

fn instant(at: SimTime) -> Instant {
    Instant::from_nanos(i64::try_from(at.0.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

/// Rounded up, so that a timer never fires before the library expects it.
fn sim_time(at: Instant) -> Option<SimTime> {
    u64::try_from(at.as_nanos()).ok().map(|nanos| SimTime(nanos.div_ceil(1_000)))
}
