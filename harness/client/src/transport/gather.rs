//! Candidates: what is gathered, what is offered, and the way of each packet past or through the relay.

use super::{
    Transport, TransportConfig, TransportOutput,
    limits::MAX_OWN_CANDIDATES,
    relays::{Change, Relays},
    restart::line_of,
    stun::BindingQuery,
    turn::{RelayLeg, Wrapped},
};
use crate::config::{HOARD_PORTS, MEDIA_PORT, Misbehaviour};
use kernel::{
    Datagram, SimTime, event,
    event::CandidateKind,
    mutant,
    packet::Transport as Carriage,
    random,
    random::{SeedTree, Stream},
};
use protocol::RelayGrant;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use str0m::{Candidate, CandidateKind as RtcCandidateKind};

/// The socket of a device without any interface.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), MEDIA_PORT);

/// The gathering of a call, from `Accepted` to its end.
pub(super) struct Gathering {
    /// Where STUN is asked; nowhere where no own address may show.
    stun: Option<SocketAddr>,
    queries: Vec<BindingQuery>,
    pub(super) relays: Relays,
    /// Where the relay is reached from: the preferred socket, or the last that was.
    pub(super) local: SocketAddr,
    /// Allocations that nobody needs: of a client that hoards them.
    hoard: Vec<RelayLeg>,
    /// What own sockets are mapped to.
    mapped: BTreeMap<SocketAddr, SocketAddr>,
    /// Own sockets with the mapped address that was learnt and is not yet made a candidate.
    learnt: Vec<(SocketAddr, SocketAddr)>,
    /// Where the transactions of STUN queries come from.
    stream: Stream,
}

/// The preferred socket that can reach an address.
pub(super) fn same_version(locals: &[SocketAddr], to: SocketAddr) -> Option<SocketAddr> {
    locals.iter().copied().find(|local| local.is_ipv4() == to.is_ipv4())
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
    fn new(local: SocketAddr, seeds: SeedTree, stream: Stream) -> Gathering {
        Gathering {
            stun: None,
            queries: Vec::new(),
            relays: Relays::new(seeds),
            local,
            hoard: Vec::new(),
            mapped: BTreeMap::new(),
            learnt: Vec::new(),
            stream,
        }
    }

    /// Asks what own sockets are mapped to.
    pub(super) fn query(&mut self, locals: &[SocketAddr], now: SimTime) {
        let Some(stun) = self.stun else { return };
        for local in locals.iter().filter(|local| local.is_ipv4() == stun.is_ipv4()) {
            self.queries.push(BindingQuery::new(*local, stun, &mut self.stream, now));
        }
    }

    /// Own sockets are gone, and what was learnt of them.
    pub(super) fn forget(&mut self, is_gone: impl Fn(SocketAddr) -> bool) {
        self.queries.retain(|query| !is_gone(query.local()));
        self.learnt.retain(|(local, _)| !is_gone(*local));
        self.mapped.retain(|local, _| !is_gone(*local));
    }

    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.relays.relayed()
    }

    /// What an own socket is mapped to, as far as it is known.
    pub(super) fn mapped(&self, local: SocketAddr) -> Option<SocketAddr> {
        self.mapped.get(&local).copied()
    }

    pub(super) fn allow(&mut self, peer: SocketAddr) {
        self.relays.allow(peer);
    }

    pub(super) fn wrap(&mut self, peer: SocketAddr, bytes: &[u8], now: SimTime) -> Option<Wrapped> {
        self.relays.leg_mut()?.wrap(peer, bytes, now)
    }

    pub(super) fn receive(&mut self, datagram: &Datagram, now: SimTime) -> Arrival {
        if let Some(query) = self.queries.iter_mut().find(|query| query.owns(datagram)) {
            self.learnt.extend(query.receive(datagram).map(|mapped| (query.local(), mapped)));
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
        let queries = self.queries.iter().filter_map(BindingQuery::next_wake);
        let hoard = self.hoard.iter().filter_map(RelayLeg::next_wake);
        queries.chain(self.relays.next_wake()).chain(hoard).min()
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
            let ip = self.local.ip();
            let local = |port| SocketAddr::new(ip, port);
            let seeds = |port| config.seeds.child(&format!("hoard-{port}"));
            self.hoard = HOARD_PORTS.map(|port| RelayLeg::new(local(port), grant, seeds(port), now)).collect();
        }
    }
}

impl Transport {
    /// Begins to gather, offer and connect. A second call only adds relays where the first had none.
    pub fn gather(&mut self, relays: &[RelayGrant], stun: Option<SocketAddr>, now: SimTime) {
        let locals = self.config.locals.clone();
        let first = self.gathering.is_none();
        let mut gathering = self.gathering.take().unwrap_or_else(|| {
            let relay = relays.first().map(|relay| relay.address).or(stun);
            let preferred = relay.and_then(|relay| same_version(&locals, relay)).or(locals.first().copied());
            let preferred = preferred.unwrap_or(NOWHERE);
            Gathering::new(preferred, self.config.seeds, self.config.seeds.stream("stun"))
        });
        let relay_preferred = mutant!(V132) && !relays.is_empty();
        let direct = first && !self.hides_addresses() && !relay_preferred;
        if direct {
            gathering.stun = stun;
            gathering.query(&locals, now);
        }
        gathering.relays.take(relays, gathering.local, &mut gathering.stream, now);
        if first && let Some(grant) = relays.first() {
            gathering.misbehave(&self.config, grant, now);
        }
        self.remote_kinds.keys().for_each(|peer| gathering.relays.allow(*peer));
        self.gathering = Some(gathering);
        if direct {
            self.offer_hosts(&locals);
        }
        for line in std::mem::take(&mut self.early_candidates) {
            self.remote_candidates -= 1;
            self.add_remote_candidate(&line, now);
        }
        self.drive(now);
    }

    /// Offers own sockets as they are.
    pub(super) fn offer_hosts(&mut self, locals: &[SocketAddr]) {
        let hosts = locals.iter().filter_map(|local| Candidate::host(*local, "udp").ok());
        hosts.for_each(|host| self.offer_candidate(host));
    }

    /// Whether no own address may show. V73: the setting filters nothing, and host candidates leak.
    pub(super) fn hides_addresses(&self) -> bool {
        self.config.relay_only && !mutant!(V73)
    }

    /// The path broke: looks whether the relay in use still lives.
    pub(super) fn look_after_relay(&mut self, now: SimTime) {
        if let Some(gathering) = &mut self.gathering {
            gathering.relays.measure(gathering.local, &mut gathering.stream, now);
        }
    }

    pub(super) fn drive_gathering(&mut self, now: SimTime) {
        let Some(gathering) = &mut self.gathering else { return };
        let local = gathering.local;
        let mut sends = Vec::new();
        for query in &mut gathering.queries {
            sends.extend(query.poll_transmit(now));
        }
        for leg in &mut gathering.hoard {
            leg.drive(now, &mut sends);
        }
        let mut candidates = Vec::new();
        for (local, mapped) in std::mem::take(&mut gathering.learnt) {
            gathering.mapped.insert(local, mapped);
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
