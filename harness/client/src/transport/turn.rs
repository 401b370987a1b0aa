//! The leg to a TURN relay (RFC 8656): allocation, permissions, channels; by UDP, and where that is not answered by TCP,
//! then by TLS.

use super::turn_stream::StreamCarrier;
use kernel::{
    Datagram, Micros, PacketId, SimTime,
    packet::Transport,
    random::{self, SeedTree},
};
use protocol::RelayGrant;
use std::{
    collections::{BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
};
use turn_client_proto::{
    api::{TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    client::TurnClient,
    prelude::TurnClientApi,
    stun::{Instant, agent::Transmit},
    tcp::TurnClientTcp,
    types::{TransportType, TurnCredentials},
    udp::TurnClientUdp,
};

/// Peers that get a permission and a channel: more than a call between two ever has candidates.
const MAX_PEERS: usize = 32;
/// Packets that wait for a permission; further ones are dropped, as the relay would.
const MAX_HELD: usize = 16;
/// Calls of `poll` in a row before the rest waits for the next wake.
const MAX_POLLS: usize = 16;

/// How long a way to the relay has for its first answer, before the next is tried. The slowest access that a call is
/// possible over answers within a second and a half.
const PATIENCE: Micros = Micros::from_millis(1_500);

/// What goes to a peer through the relay.
pub(super) struct Wrapped {
    pub(super) packets: Vec<Datagram>,
    /// The packet that carries it, when one left at once and carries nothing else.
    pub(super) carrier: Option<PacketId>,
}

enum Carrier {
    Udp,
    Stream(Box<StreamCarrier>),
}

/// What came of driving a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing new.
    Goes,
    /// The allocation came into being just now.
    Allocated,
    /// The relay gives no allocation, or takes back the one that it gave: its quota, its capacity, the credential.
    Refused,
}

/// One allocation at one relay.
pub(super) struct RelayLeg {
    client: TurnClient,
    carrier: Carrier,
    grant: RelayGrant,
    seeds: SeedTree,
    /// Ways to the relay that were begun: UDP, TCP, TLS.
    ways: u8,
    /// When the next way is tried, unless the relay answers on this one before.
    give_up: Option<SimTime>,
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
    /// When the client wants to be driven: at once after whatever may have given it something to do.
    wake: Option<SimTime>,
}

impl RelayLeg {
    /// A leg that asks for an allocation.
    pub(super) fn new(local: SocketAddr, grant: &RelayGrant, seeds: SeedTree, now: SimTime) -> RelayLeg {
        let _scope = random::scope("turn");
        RelayLeg {
            client: TurnClientUdp::allocate(local, grant.address, config(grant)).into(),
            carrier: Carrier::Udp,
            grant: grant.clone(),
            seeds,
            ways: 1,
            give_up: Some(now + PATIENCE),
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

    /// Begins with the next way to the relay, if there is one.
    fn try_next_way(&mut self, now: SimTime) {
        self.give_up = None;
        while self.ways < 3 {
            self.ways += 1;
            let way = match self.ways {
                2 => self.grant.tcp.map(|address| (address, None)),
                _ => self.grant.tls.map(|tls| (tls.address, Some(tls.key))),
            };
            let Some((address, key)) = way else { continue };
            let seeds = self.seeds.child("relay-stream").child(&self.ways.to_string());
            let Some(stream) = StreamCarrier::connect(self.local, address, key, &seeds, now) else { continue };
            self.client = TurnClientTcp::allocate(self.local, address, config(&self.grant)).into();
            (self.carrier, self.server) = (Carrier::Stream(Box::new(stream)), address);
            self.give_up = Some(now + PATIENCE);
            return;
        }
    }

    /// What the server granted.
    pub(super) fn grant(&self) -> &RelayGrant {
        &self.grant
    }

    /// Where the relay speaks UDP, which names it.
    pub(super) fn server(&self) -> SocketAddr {
        self.grant.address
    }

    /// Whether a datagram is of the relay, or of a way to it.
    pub(super) fn owns(&self, datagram: &Datagram) -> bool {
        match datagram.transport {
            Transport::Udp => datagram.source == self.grant.address,
            Transport::Tcp => true,
        }
    }

    /// The relayed address, once allocated.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.relayed
    }

    /// Lets a peer's address send to the relayed one.
    pub(super) fn allow(&mut self, peer: SocketAddr) {
        if self.peers.len() < MAX_PEERS && !self.refused.contains(&peer.ip()) {
            self.peers.insert(peer);
            self.wake = Some(SimTime::ZERO);
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

    /// A datagram of the relay. Gives what peers sent through it: of a stream all that this segment made whole.
    pub(super) fn receive(&mut self, datagram: &Datagram, now: SimTime) -> Vec<(SocketAddr, Vec<u8>)> {
        let _scope = random::scope("turn");
        self.wake = Some(SimTime::ZERO);
        let messages = match (&mut self.carrier, datagram.transport) {
            (Carrier::Udp, Transport::Udp) => vec![datagram.bytes.clone()],
            (Carrier::Stream(stream), Transport::Tcp) => stream.receive(datagram, now),
            // An answer on a way that was given up, or of somebody else.
            _ => return Vec::new(),
        };
        let transport = self.client.transport();
        let mut data = Vec::new();
        for message in messages {
            self.give_up = None;
            let transmit = Transmit::new(message.as_slice(), transport, self.server, self.local);
            if let TurnRecvRet::PeerData(peer) = self.client.recv(transmit, instant(now)) {
                data.push((peer.peer, peer.data().to_vec()));
            }
        }
        data
    }

    /// Wraps what goes to a peer through the relay; `None` while there is no permission for the peer, or no room in the
    /// stream. A connectivity check (RFC 8445) is held until there is.
    pub(super) fn wrap(&mut self, peer: SocketAddr, bytes: &[u8], now: SimTime) -> Option<Wrapped> {
        let _scope = random::scope("turn");
        if !self.client.have_permission(TransportType::Udp, peer.ip()) {
            let is_check = matches!(bytes.first(), Some(0..=3));
            if is_check && self.peers.contains(&peer) && self.held.len() < MAX_HELD {
                self.held.push_back((peer, bytes.to_vec()));
            }
            return None;
        }
        let transmit = self.client.send_to(TransportType::Udp, peer, bytes, instant(now)).ok()??.build();
        self.post(&transmit.data, now)
    }

    /// Hands a message to whatever carries it.
    fn post(&mut self, message: &[u8], now: SimTime) -> Option<Wrapped> {
        match &mut self.carrier {
            Carrier::Udp => {
                let datagram = Datagram::new(self.local, self.server, message.to_vec());
                Some(Wrapped { carrier: Some(datagram.packet), packets: vec![datagram] })
            }
            Carrier::Stream(stream) => {
                let mut packets = Vec::new();
                let carrier = stream.send(message, now, &mut packets)?;
                // TCP repeats it if nobody acknowledges it, and only who is driven can.
                self.wake = self.wake.into_iter().chain(stream.next_wake(now)).min();
                Some(Wrapped { packets, carrier })
            }
        }
    }

    /// Drives the client: sends what is due.
    pub(super) fn drive(&mut self, now: SimTime, sends: &mut Vec<Datagram>) -> Progress {
        if self.wake.is_none_or(|at| at > now) {
            return Progress::Goes;
        }
        let _scope = random::scope("turn");
        let is_broken = matches!(&self.carrier, Carrier::Stream(stream) if stream.is_broken());
        if self.relayed.is_none() && (is_broken || self.give_up.is_some_and(|at| at <= now)) {
            self.try_next_way(now);
        }
        let progress = self.drive_client(now, sends);
        if let Carrier::Stream(stream) = &mut self.carrier {
            stream.flush(now, sends);
            self.wake = self.wake.into_iter().chain(stream.next_wake(now)).min();
        }
        self.wake = self.wake.into_iter().chain(self.give_up).min();
        progress
    }

    fn drive_client(&mut self, now: SimTime, sends: &mut Vec<Datagram>) -> Progress {
        if matches!(&self.carrier, Carrier::Stream(stream) if !stream.is_ready()) {
            // Not before the handshakes are over: the client would wait for answers.
            self.wake = None;
            return Progress::Goes;
        }
        let mut progress = Progress::Goes;
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
                sends.extend(self.post(transmit.data.as_ref(), now).into_iter().flat_map(|wrapped| wrapped.packets));
                idle = false;
            }
            while let Some(event) = self.client.poll_event() {
                idle = false;
                match event {
                    TurnEvent::AllocationCreated(_, address) if self.relayed.is_none() => {
                        self.relayed = Some(address);
                        progress = Progress::Allocated;
                    }
                    TurnEvent::AllocationCreateFailed(_) => progress = Progress::Refused,
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
        let is_gone = self.relayed.is_some() && self.client.relayed_addresses().next().is_none();
        if is_gone { Progress::Refused } else { progress }
    }

    /// Gives the allocation back.
    pub(super) fn release(&mut self, now: SimTime, sends: &mut Vec<Datagram>) {
        let _scope = random::scope("turn");
        if self.relayed.is_some() && self.client.delete(instant(now)).is_ok() {
            while let Some(transmit) = self.client.poll_transmit(instant(now)) {
                sends.extend(self.post(transmit.data.as_ref(), now).into_iter().flat_map(|wrapped| wrapped.packets));
            }
        }
        if let Carrier::Stream(stream) = &mut self.carrier {
            stream.close(now, sends);
        }
    }

    /// When the client wants to be driven.
    pub(super) fn next_wake(&self) -> Option<SimTime> {
        self.wake
    }

    /// Sends what waited for a permission; what has none yet goes on waiting.
    fn send_held(&mut self, now: SimTime, sends: &mut Vec<Datagram>) {
        for (peer, bytes) in std::mem::take(&mut self.held) {
            sends.extend(self.wrap(peer, &bytes, now).into_iter().flat_map(|wrapped| wrapped.packets));
        }
    }

    /// Gives a peer up that the relay refuses.
    fn forget(&mut self, refused: IpAddr) {
        self.held.retain(|(peer, _)| peer.ip() != refused);
        self.peers.retain(|peer| peer.ip() != refused);
        self.refused.insert(refused);
    }

    fn ask(&mut self, now: SimTime) {
        if self.asked == self.peers {
            return;
        }
        for peer in self.peers.difference(&self.asked) {
            // Both refuse only what exists already.
            let _ = self.client.create_permission(TransportType::Udp, peer.ip(), instant(now));
            let _ = self.client.bind_channel(TransportType::Udp, *peer, instant(now));
        }
        self.asked.clone_from(&self.peers);
    }
}

fn config(grant: &RelayGrant) -> TurnConfig {
    TurnConfig::new(TurnCredentials::new(&grant.username, &grant.password))
}

fn instant(at: SimTime) -> Instant {
    Instant::from_nanos(i64::try_from(at.0.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

/// Rounded up, so that a timer never fires before the library expects it.
fn sim_time(at: Instant) -> Option<SimTime> {
    u64::try_from(at.as_nanos()).ok().map(|nanos| SimTime(nanos.div_ceil(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tcp::Settings;

    /// A leg whose TCP connection is open, and whose first request was acknowledged; the relay never answers it.
    fn open_stream() -> (RelayLeg, SimTime) {
        let [local, relay] = [([192, 0, 2, 1], 40_000), ([192, 0, 2, 2], 3_478)].map(SocketAddr::from);
        let grant = RelayGrant {
            address: relay,
            username: "user".into(),
            password: "secret".into(),
            lifetime: Micros::from_secs(600),
            tcp: Some(relay),
            tls: None,
        };
        let mut now = SimTime::ZERO;
        let mut server = tcp::Endpoint::new(relay.ip(), SeedTree::root(1).stream("relay"), now);
        server.listen(relay.port(), Settings::real_time()).unwrap();
        let mut leg = RelayLeg::new(local, &grant, SeedTree::root(1), now);
        leg.try_next_way(now);
        leg.give_up = None;
        for _ in 0..20 {
            let mut sends = Vec::new();
            leg.drive(now, &mut sends);
            now += Micros::from_millis(50);
            sends.iter().for_each(|segment| server.handle(segment, now));
            while let Some(segment) = server.poll_transmit(now) {
                leg.receive(&segment, now);
            }
        }
        (leg, now)
    }

    #[test]
    fn what_was_sent_in_a_stream_is_repeated_when_nothing_acknowledges_it() {
        let (mut leg, mut now) = open_stream();
        let sent = leg.post(&[0; 20], now).expect("the stream is open").packets;
        assert_eq!(sent.len(), 1);
        // It is lost. Nobody calls but when the leg wants to be driven.
        let mut again = Vec::new();
        for _ in 0..10 {
            if again.is_empty() {
                now = leg.next_wake().expect("a segment is under way").max(now + Micros(1));
                leg.drive(now, &mut again);
            }
        }
        assert!(!again.is_empty() && now < SimTime(5_000_000), "{now}: {} segments", again.len());
    }
}
