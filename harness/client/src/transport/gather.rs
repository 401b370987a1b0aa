//! Candidates: what is gathered, what is offered, and the way of each packet past or through the relay.

use super::{
    Transport, TransportConfig, TransportOutput,
    limits::MAX_OWN_CANDIDATES,
    relays::{Change, Relays},
    restart::line_of,
    stun::BindingQuery,
    turn::{RelayLeg, Wrapped},
};
use crate::config::{HOARD_PORTS, Misbehaviour};
use kernel::{
    Datagram, SimTime, event,
    event::CandidateKind,
    mutant,
    packet::Transport as Carriage,
    random,
    random::{SeedTree, Stream},
};
use protocol::RelayGrant;
use std::net::SocketAddr;
use str0m::{Candidate, CandidateKind as RtcCandidateKind};

/// The gathering of a call, from `Accepted` to its end.
pub(super) struct Gathering {
    query: Option<BindingQuery>,
    relays: Relays,
    /// Allocations that nobody needs: of a client that hoards them.
    hoard: Vec<RelayLeg>,
    mapped: Option<SocketAddr>,
    /// A mapped address that was learnt and not yet made a candidate.
    learnt: Option<SocketAddr>,
    /// Where the transactions of STUN queries come from.
    stream: Stream,
}

/// What a datagram on the media socket turned out to be.
pub(super) enum Arrival {
    /// The answer of a STUN or TURN server.
    Consumed,
    /// From a peer, past any relay.
    Direct,
    /// From peers, through the own relay; of a stream all that this segment made whole.
    Peers { relayed: SocketAddr, packets: Vec<(SocketAddr, Vec<u8>)> },
}

impl Gathering {
    fn new(seeds: SeedTree, stream: Stream) -> Gathering {
        let (relays, hoard) = (Relays::new(seeds), Vec::new());
        Gathering { query: None, relays, hoard, mapped: None, learnt: None, stream }
    }

    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.relays.relayed()
    }

    pub(super) fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
    }

    pub(super) fn allow(&mut self, peer: SocketAddr) {
        self.relays.allow(peer);
    }

    pub(super) fn wrap(&mut self, peer: SocketAddr, bytes: &[u8], now: SimTime) -> Option<Wrapped> {
        self.relays.leg_mut()?.wrap(peer, bytes, now)
    }

    pub(super) fn receive(&mut self, datagram: &Datagram, now: SimTime) -> Arrival {
        if let Some(query) = &mut self.query
            && query.owns(datagram)
        {
            self.learnt = query.receive(datagram);
            return Arrival::Consumed;
        }
        if self.relays.answers(datagram, now) {
            return Arrival::Consumed;
        }
        if let Some(leg) = self.hoard.iter_mut().find(|leg| leg.local() == datagram.destination) {
            leg.receive(datagram, now);
            return Arrival::Consumed;
        }
        let Some(relay) = self.relays.leg_mut().filter(|relay| relay.owns(datagram)) else {
            // Nobody but a relay speaks TCP to the media socket.
            return if datagram.transport == Carriage::Udp { Arrival::Direct } else { Arrival::Consumed };
        };
        let packets = relay.receive(datagram, now);
        match relay.relayed().filter(|_| !packets.is_empty()) {
            Some(relayed) => Arrival::Peers { relayed, packets },
            None => Arrival::Consumed,
        }
    }

    pub(super) fn release(&mut self, now: SimTime, sends: &mut Vec<Datagram>) {
        if let Some(relay) = self.relays.leg_mut() {
            relay.release(now, sends);
        }
    }

    pub(super) fn next_wake(&self) -> Option<SimTime> {
        let query = self.query.as_ref().and_then(BindingQuery::next_wake);
        let hoard = self.hoard.iter().filter_map(RelayLeg::next_wake);
        query.into_iter().chain(self.relays.next_wake()).chain(hoard).min()
    }
}

/// Peers that no honest client has: each kind of special-use address of IPv4 that leads somewhere.
const INTERNAL_PEERS: [&str; 8] = [
    "127.0.0.1:22",
    "0.0.0.0:22",
    "10.66.0.5:80",
    "169.254.169.254:80",
    "172.16.0.1:80",
    "192.168.0.1:80",
    "100.64.0.1:80",
    "255.255.255.255:9",
];

impl Gathering {
    /// What a hostile client asks of its relay besides.
    fn misbehave(&mut self, config: &TransportConfig, grant: &RelayGrant, now: SimTime) {
        if config.misbehaviour.contains(&Misbehaviour::ProbeInternal)
            && let Some(relay) = self.relays.leg_mut()
        {
            INTERNAL_PEERS.iter().filter_map(|peer| peer.parse().ok()).for_each(|peer| relay.probe(peer));
        }
        if config.misbehaviour.contains(&Misbehaviour::HoardAllocations) {
            let local = |port| SocketAddr::new(config.local.ip(), port);
            let seeds = |port| config.seeds.child(&format!("hoard-{port}"));
            self.hoard = HOARD_PORTS.map(|port| RelayLeg::new(local(port), grant, seeds(port), now)).collect();
        }
    }
}

impl Transport {
    /// Begins to gather, offer and connect. A second call only adds relays where the first had none.
    pub fn gather(&mut self, relays: &[RelayGrant], stun: Option<SocketAddr>, now: SimTime) {
        let local = self.config.local;
        let first = self.gathering.is_none();
        let stream = || self.config.seeds.stream("stun");
        let mut gathering = self.gathering.take().unwrap_or_else(|| Gathering::new(self.config.seeds, stream()));
        let relay_preferred = mutant!(V132) && !relays.is_empty();
        let direct = first && !self.hides_addresses() && !relay_preferred;
        if direct {
            gathering.query = stun.map(|server| BindingQuery::new(local, server, &mut gathering.stream, now));
        }
        gathering.relays.take(relays, local, &mut gathering.stream, now);
        if first && let Some(grant) = relays.first() {
            gathering.misbehave(&self.config, grant, now);
        }
        self.remote_kinds.keys().for_each(|peer| gathering.relays.allow(*peer));
        self.gathering = Some(gathering);
        if direct && let Ok(host) = Candidate::host(local, "udp") {
            self.offer_candidate(host);
        }
        for line in std::mem::take(&mut self.early_candidates) {
            self.remote_candidates -= 1;
            self.add_remote_candidate(&line, now);
        }
        self.drive(now);
    }

    /// Whether no own address may show. V73: the setting filters nothing, and host candidates leak.
    pub(super) fn hides_addresses(&self) -> bool {
        self.config.relay_only && !mutant!(V73)
    }

    /// The path broke: looks whether the relay in use still lives.
    pub(super) fn look_after_relay(&mut self, now: SimTime) {
        let local = self.config.local;
        if let Some(gathering) = &mut self.gathering {
            gathering.relays.measure(local, &mut gathering.stream, now);
        }
    }

    pub(super) fn drive_gathering(&mut self, now: SimTime) {
        let local = self.config.local;
        let Some(gathering) = &mut self.gathering else { return };
        let mut sends = Vec::new();
        if let Some(query) = &mut gathering.query {
            sends.extend(query.poll_transmit(now));
        }
        for leg in &mut gathering.hoard {
            leg.drive(now, &mut sends);
        }
        let mut candidates = Vec::new();
        if let Some(mapped) = gathering.learnt.take() {
            gathering.mapped = Some(mapped);
            // Without a NAT the mapped address is the host candidate.
            if mapped != local {
                candidates.extend(Candidate::server_reflexive(mapped, local, "udp"));
            }
        }
        let changes = gathering.relays.drive(local, now, &mut sends);
        self.outputs.extend(sends.into_iter().map(TransportOutput::Transmit));
        for change in changes {
            match change {
                Change::Allocated(relayed) => candidates.extend(Candidate::relayed(relayed, local, "udp")),
                Change::Lost(relayed) => self.withdraw(|candidate| candidate.addr() == relayed),
            }
        }
        candidates.into_iter().for_each(|candidate| self.offer_candidate(candidate));
    }

    fn offer_candidate(&mut self, candidate: Candidate) {
        let (kind, address) = (kind_of(&candidate), candidate.addr());
        let room = self.own_candidates.len() < MAX_OWN_CANDIDATES;
        let taken = {
            let _scope = random::scope("str0m");
            room.then(|| self.rtc.add_local_candidate(candidate).cloned()).flatten()
        };
        let offered = taken.is_some();
        event!(CandidateGathered { device: self.config.device.clone(), kind, address, offered });
        if let Some(candidate) = taken {
            self.outputs.push_back(TransportOutput::Candidate(line_of(&candidate)));
            self.own_candidates.push(candidate);
        }
    }

    /// Takes back own candidates that exist no more, with their pairs.
    pub(super) fn withdraw(&mut self, gone: impl Fn(&Candidate) -> bool) {
        let _scope = random::scope("str0m");
        let own = std::mem::take(&mut self.own_candidates).into_iter();
        let (gone, kept): (Vec<Candidate>, Vec<Candidate>) = own.partition(|own| gone(own));
        self.own_candidates = kept;
        for candidate in gone {
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
    }

    /// The lines of the own candidates, for a restart.
    pub fn own_lines(&self) -> Vec<String> {
        self.own_candidates.iter().map(line_of).collect()
    }
}

/// The kind of a candidate.
pub(super) fn kind_of(candidate: &Candidate) -> CandidateKind {
    match candidate.kind() {
        RtcCandidateKind::Host => CandidateKind::Host,
        RtcCandidateKind::PeerReflexive => CandidateKind::PeerReflexive,
        RtcCandidateKind::ServerReflexive => CandidateKind::ServerReflexive,
        RtcCandidateKind::Relayed => CandidateKind::Relayed,
    }
}
