//! The relays of a call: which is the nearest, and what happens when it dies.
//!
//! With one relay there is nothing to choose. Of several each gets a STUN binding at the same instant; the first answer is
//! the lowest round trip, and its relay gets the allocation. When a path breaks all are asked again: a relay that does not
//! answer soon after another one did is taken for dead, and the call moves to the one that answered. From a relay that
//! refuses an allocation, or takes it back, it moves to the next nearest.

use super::{
    limits::MAX_REMOTE_CANDIDATES,
    stun::BindingQuery,
    turn::{Progress, RelayLeg},
};
use kernel::{
    Datagram, Micros, SimTime,
    random::{SeedTree, Stream},
};
use protocol::RelayGrant;
use std::net::SocketAddr;

/// Relays that are looked at; further ones of the server's list are not.
const MAX_RELAYS: usize = 8;
/// How much later than the first answer the answer of the relay in use may come.
const GRACE: Micros = Micros::from_millis(100);

/// How long the first answer is waited for. Where UDP is blocked none comes, and the first relay has other ways.
const PATIENCE: Micros = Micros::from_millis(1_500);

/// How far a relay is that did not answer: farther than all that did, in the order of the server's list.
const UNMEASURED: Micros = Micros(u64::MAX);

/// The relays of a call.
pub(super) struct Relays {
    /// Where the streams of legs over TCP draw from.
    seeds: SeedTree,
    /// The nearest first, once they are measured.
    grants: Vec<RelayGrant>,
    /// Relays that refused since they were measured last.
    refused: Vec<SocketAddr>,
    probes: Vec<Probe>,
    leg: Option<RelayLeg>,
    /// When it is decided which relay to use: once a relay other than the one in use answered, or none did.
    decide_at: Option<SimTime>,
    peers: Vec<SocketAddr>,
}

/// A measurement of the way to a relay.
struct Probe {
    query: BindingQuery,
    sent: SimTime,
    round_trip: Option<Micros>,
}

/// What became of the relay in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It gave this address.
    Allocated(SocketAddr),
    /// This address is no more.
    Lost(SocketAddr),
}

impl Relays {
    /// None yet.
    pub(super) fn new(seeds: SeedTree) -> Relays {
        Relays {
            seeds,
            grants: Vec::new(),
            refused: Vec::new(),
            probes: Vec::new(),
            leg: None,
            decide_at: None,
            peers: Vec::new(),
        }
    }

    /// Takes the server's list, the first time that there is one.
    pub(super) fn take(&mut self, grants: &[RelayGrant], local: SocketAddr, stream: &mut Stream, now: SimTime) {
        if !self.grants.is_empty() {
            return;
        }
        self.grants = grants.iter().take(MAX_RELAYS).cloned().collect();
        match self.grants.as_slice() {
            [] => {}
            [only] => self.leg = Some(RelayLeg::new(local, only, self.seeds, now)),
            _ => self.measure(local, stream, now),
        }
    }

    /// Asks all relays anew: the path broke. One alone cannot be left.
    pub(super) fn measure(&mut self, local: SocketAddr, stream: &mut Stream, now: SimTime) {
        if self.grants.len() > 1 {
            let probe = |grant: &RelayGrant| {
                let query = BindingQuery::new(local, grant.address, stream, now);
                Probe { query, sent: now, round_trip: None }
            };
            self.probes = self.grants.iter().map(probe).collect();
            self.refused.clear();
            self.decide_at = self.leg.is_none().then(|| now + PATIENCE);
        }
    }

    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.leg.as_ref()?.relayed()
    }

    pub(super) fn leg_mut(&mut self) -> Option<&mut RelayLeg> {
        self.leg.as_mut()
    }

    /// The socket that the relay is reached from is gone: the same relay gets another leg, from another socket.
    pub(super) fn move_to(&mut self, local: SocketAddr, now: SimTime) {
        if let Some(grant) = self.leg.as_ref().map(|leg| leg.grant().clone()) {
            self.leg = Some(self.leg_to(local, &grant, now));
        }
    }

    /// The socket from which the relay in use is reached.
    pub(super) fn leg_local(&self) -> Option<SocketAddr> {
        self.leg.as_ref().map(RelayLeg::local)
    }

    /// Lets a peer's address send to whatever relay is in use.
    pub(super) fn allow(&mut self, peer: SocketAddr) {
        if !self.peers.contains(&peer) && self.peers.len() < MAX_REMOTE_CANDIDATES {
            self.peers.push(peer);
        }
        if let Some(leg) = &mut self.leg {
            leg.allow(peer);
        }
    }

    /// Whether the datagram answers a measurement; then it is taken.
    pub(super) fn answers(&mut self, datagram: &Datagram, now: SimTime) -> bool {
        let Some(probe) = self.probes.iter_mut().find(|probe| probe.query.owns(datagram)) else { return false };
        if probe.query.receive(datagram).is_some() {
            probe.round_trip = Some(now.since(probe.sent));
            let in_use = self.leg.as_ref().map(RelayLeg::server);
            if in_use == Some(datagram.source) {
                // It lives: there is nothing to decide.
                self.probes.clear();
                self.decide_at = None;
            } else if in_use.is_none() {
                self.decide_at = Some(now);
            } else if self.decide_at.is_none() {
                self.decide_at = Some(now + GRACE);
            }
        }
        true
    }

    /// Sends what is due and decides what is to be decided.
    pub(super) fn drive(&mut self, local: SocketAddr, now: SimTime, sends: &mut Vec<Datagram>) -> Vec<Change> {
        let mut changes = Vec::new();
        for probe in &mut self.probes {
            if let Some(request) = probe.query.poll_transmit(now) {
                sends.push(request);
            }
        }
        if self.decide_at.is_some_and(|at| at <= now) {
            changes.extend(self.choose(local, now));
        }
        // Each relay may refuse at once.
        for _ in 0..=self.grants.len() {
            match self.leg.as_mut().map(|leg| (leg.drive(now, sends), leg.relayed())) {
                Some((Progress::Allocated, relayed)) => changes.extend(relayed.map(Change::Allocated)),
                Some((Progress::Refused, relayed)) => {
                    changes.extend(relayed.map(Change::Lost));
                    self.move_on(local, now);
                    continue;
                }
                Some((Progress::Goes, _)) | None => {}
            }
            break;
        }
        changes
    }

    pub(super) fn next_wake(&self) -> Option<SimTime> {
        let probes = self.probes.iter().filter_map(|probe| probe.query.next_wake());
        probes.chain(self.decide_at).chain(self.leg.as_ref().and_then(RelayLeg::next_wake)).min()
    }

    /// Moves to the relay with the lowest round trip among those that answered, to the first where none did.
    fn choose(&mut self, local: SocketAddr, now: SimTime) -> Option<Change> {
        self.decide_at = None;
        let mut measured: Vec<(Micros, RelayGrant)> = std::mem::take(&mut self.probes)
            .iter()
            .map(|probe| probe.round_trip.unwrap_or(UNMEASURED))
            .zip(std::mem::take(&mut self.grants))
            .collect();
        measured.sort_by_key(|(round_trip, _)| *round_trip);
        self.grants = measured.into_iter().map(|(_, grant)| grant).collect();
        let lost = self.relayed();
        self.leg = Some(self.leg_to(local, self.grants.first()?, now));
        lost.map(Change::Lost)
    }

    /// From a relay that refuses to the nearest that has not, if there is one.
    fn move_on(&mut self, local: SocketAddr, now: SimTime) {
        self.refused.extend(self.leg.take().map(|leg| leg.server()));
        let next = self.grants.iter().find(|grant| !self.refused.contains(&grant.address));
        self.leg = next.map(|grant| self.leg_to(local, grant, now));
    }

    fn leg_to(&self, local: SocketAddr, grant: &RelayGrant, now: SimTime) -> RelayLeg {
        let mut leg = RelayLeg::new(local, grant, self.seeds, now);
        self.peers.iter().for_each(|peer| leg.allow(*peer));
        leg
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;
    use stun_proto::types::{
        attribute::{ErrorCode, XorMappedAddress},
        message::{Message, MessageWriteVec},
        prelude::*,
    };

    fn local() -> SocketAddr {
        "10.0.0.1:5000".parse().unwrap()
    }

    fn grants(count: u8) -> Vec<RelayGrant> {
        let grant = |n: u8| RelayGrant {
            address: SocketAddr::from(([192, 0, 2, n], 3478)),
            username: format!("user-{n}"),
            password: "secret".into(),
            lifetime: Micros::from_secs(600),
            tcp: None,
            tls: None,
        };
        (1..=count).map(grant).collect()
    }

    fn answer(request: &Datagram) -> Datagram {
        let message = Message::from_bytes(&request.bytes).unwrap();
        let mut answer = Message::builder_success(&message, MessageWriteVec::new());
        answer.add_attribute(&XorMappedAddress::new(local(), message.transaction_id())).unwrap();
        Datagram::new(request.destination, request.source, answer.finish())
    }

    /// Drives once and gives the bindings that left, by relay.
    fn bindings(relays: &mut Relays, now: SimTime) -> Vec<Datagram> {
        let mut sends = Vec::new();
        relays.drive(local(), now, &mut sends);
        sends.retain(|sent| {
            Message::from_bytes(&sent.bytes)
                .is_ok_and(|message| message.method() == stun_proto::types::message::BINDING)
        });
        sends
    }

    fn measured() -> (Relays, Stream) {
        let mut stream = SeedTree::root(1).stream("relays");
        let mut relays = Relays::new(SeedTree::root(1));
        relays.take(&grants(2), local(), &mut stream, SimTime(0));
        let queries = bindings(&mut relays, SimTime(0));
        assert_eq!(queries.len(), 2);
        assert!(relays.answers(&answer(&queries[1]), SimTime(30_000)));
        bindings(&mut relays, SimTime(30_000));
        (relays, stream)
    }

    fn in_use(relays: &Relays) -> Option<SocketAddr> {
        relays.leg.as_ref().map(RelayLeg::server)
    }

    #[expect(clippy::disallowed_methods, reason = "the seam wants a thread that no other test has used")]
    fn in_simulation(body: impl FnOnce() + Send + 'static) {
        let run = move || {
            let simulation = kernel::seam::enter(1);
            kernel::random::act_as("device");
            body();
            simulation.leave();
        };
        std::thread::spawn(run).join().unwrap();
    }

    #[test]
    fn the_relay_that_answers_first_is_used() {
        in_simulation(|| assert_eq!(in_use(&measured().0), Some(grants(2)[1].address)));
    }

    #[test]
    fn the_first_relay_is_tried_when_none_answers() {
        in_simulation(|| {
            let mut relays = Relays::new(SeedTree::root(1));
            relays.take(&grants(2), local(), &mut SeedTree::root(1).stream("relays"), SimTime(0));
            bindings(&mut relays, SimTime(0));
            assert_eq!((in_use(&relays), relays.next_wake().map(|at| at.0 <= PATIENCE.0)), (None, Some(true)));
            bindings(&mut relays, SimTime(0) + PATIENCE);
            assert_eq!(in_use(&relays), Some(grants(2)[0].address));
        });
    }

    #[test]
    fn one_relay_is_used_unmeasured() {
        in_simulation(|| {
            let mut relays = Relays::new(SeedTree::root(1));
            relays.take(&grants(1), local(), &mut SeedTree::root(1).stream("relays"), SimTime(0));
            assert_eq!(in_use(&relays), Some(grants(1)[0].address));
        });
    }

    #[test]
    fn a_relay_that_is_silent_while_another_answers_is_left() {
        in_simulation(|| {
            let (mut relays, mut stream) = measured();
            relays.measure(local(), &mut stream, SimTime(1_000_000));
            let queries = bindings(&mut relays, SimTime(1_000_000));
            let other = queries.iter().find(|query| query.destination == grants(2)[0].address).unwrap();
            relays.answers(&answer(other), SimTime(1_050_000));
            bindings(&mut relays, SimTime(1_050_000));
            assert_eq!(in_use(&relays), Some(grants(2)[1].address), "the grace is not over");
            bindings(&mut relays, SimTime(1_050_000) + GRACE);
            assert_eq!(in_use(&relays), Some(grants(2)[0].address));
        });
    }

    /// Refuses a request for an allocation. Gives what changes by it, and what is asked of the next relay.
    fn refuse(relays: &mut Relays, request: &Datagram, now: SimTime) -> (Vec<Change>, Option<Datagram>) {
        let message = Message::from_bytes(&request.bytes).unwrap();
        let mut refusal = Message::builder_error(&message, MessageWriteVec::new());
        let code = ErrorCode::builder(ErrorCode::INSUFFICIENT_CAPACITY).build().unwrap();
        refusal.add_attribute(&code).unwrap();
        let refusal = Datagram::new(request.destination, request.source, refusal.finish());
        relays.leg_mut().unwrap().receive(&refusal, now);
        let mut sends = Vec::new();
        let changes = relays.drive(local(), now, &mut sends);
        (changes, sends.pop())
    }

    #[test]
    fn from_a_relay_that_refuses_the_call_moves_to_the_next() {
        in_simulation(|| {
            let mut stream = SeedTree::root(1).stream("relays");
            let mut relays = Relays::new(SeedTree::root(1));
            relays.take(&grants(3), local(), &mut stream, SimTime(0));
            let queries = bindings(&mut relays, SimTime(0));
            assert!(relays.answers(&answer(&queries[1]), SimTime(30_000)));
            let (now, mut sends) = (SimTime(30_000), Vec::new());
            relays.drive(local(), now, &mut sends);
            for nearest in [1, 0, 2] {
                let request = sends.pop().expect("an allocation is asked for");
                assert_eq!(request.destination, grants(3)[nearest].address);
                let (changes, next) = refuse(&mut relays, &request, now);
                assert_eq!(changes, [], "nothing was allocated, so nothing is lost");
                sends.extend(next);
            }
            assert_eq!(in_use(&relays), None, "all have refused");
            assert!(bindings(&mut relays, SimTime(60_000)).is_empty());
            relays.measure(local(), &mut stream, SimTime(1_000_000));
            assert_eq!(bindings(&mut relays, SimTime(1_000_000)).len(), 3, "they may have room again");
        });
    }

    #[test]
    fn a_relay_that_answers_is_kept() {
        in_simulation(|| {
            let (mut relays, mut stream) = measured();
            relays.measure(local(), &mut stream, SimTime(1_000_000));
            let queries = bindings(&mut relays, SimTime(1_000_000));
            relays.answers(&answer(&queries[0]), SimTime(1_050_000));
            relays.answers(&answer(&queries[1]), SimTime(1_100_000));
            bindings(&mut relays, SimTime(2_000_000));
            assert_eq!(in_use(&relays), Some(grants(2)[1].address));
        });
    }
}
