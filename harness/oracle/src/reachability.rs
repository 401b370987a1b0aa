//! Whether ICE can find a direct pair between two participants: what RFC 8445 does with host, server-reflexive and
//! peer-reflexive candidates, played through the NATs (RFC 4787) and firewalls of the plan.
//!
//! The model knows no time: checks are repeated until nobody learns anything new. It shares no code with the network that
//! it predicts.

use kernel::plan::{AccessPlan, Firewall, NatPlan, PortAssignment};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Port of the one socket that a participant has.
const PORT: u16 = 5_000;
/// A server in the core, nobody's address.
const STUN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(0, 0, 0, 1)), 3_478);
/// Endpoints of the peer that a side tries: more only arise where every check opens another mapping, which helps nobody.
const MAX_REMOTES: usize = 32;

/// Whether a direct pair validates between two addresses with their accesses.
pub(crate) fn direct_pair_validates(one: (IpAddr, &AccessPlan), other: (IpAddr, &AccessPlan)) -> bool {
    let passes = |access: &AccessPlan| {
        let lets_out = matches!(access.firewall, Firewall::Open | Firewall::Stateful);
        lets_out && access.ipv6.is_some_and(|ipv6| ipv6.works)
    };
    // Version 6 knows no NAT, and where both sides send first both firewalls let the answers in.
    if passes(one.1) && passes(other.1) {
        return true;
    }
    let mut world = World::of([one, other]);
    let mut remotes = [BTreeSet::new(), BTreeSet::new()];
    for (side, peer) in [(0, 1), (1, 0)] {
        remotes[peer].insert(world.sides[side].host);
        if let Some(Delivery::Stun { seen }) = world.send(side, STUN) {
            remotes[peer].insert(seen);
        }
    }
    // A check that is refused opens the way for the next of the other side: one quiet round is not the end.
    let mut quiet_rounds = 0;
    loop {
        let before = remotes.clone();
        for side in [0, 1] {
            for remote in before[side].clone() {
                if world.check(side, remote, &mut remotes) {
                    return true;
                }
            }
        }
        quiet_rounds = if remotes == before { quiet_rounds + 1 } else { 0 };
        if quiet_rounds == 2 || remotes.iter().any(|known| known.len() > MAX_REMOTES) {
            return false;
        }
    }
}

/// Two sides and the boxes between them.
struct World {
    sides: [Side; 2],
    boxes: Vec<NatBox>,
}

/// A participant: its socket, and the NATs in front, the nearest first.
struct Side {
    host: SocketAddr,
    chain: Vec<usize>,
    firewall: Firewall,
    /// Endpoints that went out through the firewall.
    spoken: BTreeSet<SocketAddr>,
}

struct NatBox {
    plan: NatPlan,
    outer: IpAddr,
    /// Where it is: behind which other box.
    behind: Option<usize>,
    /// By outer port: the inner endpoint, the outer one that opened it, and all that were spoken to.
    mappings: BTreeMap<u16, (SocketAddr, SocketAddr, BTreeSet<SocketAddr>)>,
}

/// Where a packet came out.
enum Delivery {
    Stun { seen: SocketAddr },
    Peer { seen: SocketAddr },
}

impl World {
    fn of(ends: [(IpAddr, &AccessPlan); 2]) -> World {
        let mut boxes: Vec<NatBox> = Vec::new();
        let mut find_or_add = |plan: &NatPlan, outer: IpAddr, behind: Option<usize>| {
            let known = boxes.iter().position(|known| (known.outer, known.behind) == (outer, behind));
            known.unwrap_or_else(|| {
                boxes.push(NatBox { plan: plan.clone(), outer, behind, mappings: BTreeMap::new() });
                boxes.len() - 1
            })
        };
        let sides = ends.map(|(address, access)| {
            let chain = match (&access.nat, &access.carrier) {
                (None, _) => Vec::new(),
                (Some(nat), None) => vec![find_or_add(nat, access.public_address, None)],
                (Some(nat), Some(carrier)) => {
                    let outer = find_or_add(&carrier.nat, access.public_address, None);
                    vec![find_or_add(nat, carrier.inner_address, Some(outer)), outer]
                }
            };
            let host = SocketAddr::new(address, PORT);
            Side { host, chain, firewall: access.firewall, spoken: BTreeSet::new() }
        });
        World { sides, boxes }
    }

    /// A connectivity check: whom it reaches learns a peer-reflexive candidate (RFC 8445, section 7.3.1.3), and it is valid
    /// when the answer comes back. That it comes from where the check went (section 7.2.5.2.1) the clients do not ask:
    /// between two NATs that map by port and filter nobody it never does, and media flows nevertheless.
    fn check(&mut self, side: usize, remote: SocketAddr, remotes: &mut [BTreeSet<SocketAddr>; 2]) -> bool {
        let peer = 1 - side;
        let Some(Delivery::Peer { seen }) = self.send(side, remote) else { return false };
        remotes[peer].insert(seen);
        matches!(self.send(peer, seen), Some(Delivery::Peer { .. }))
    }

    /// Sends from the socket of a side: up through its NATs until somebody around has the address, then down.
    fn send(&mut self, side: usize, to: SocketAddr) -> Option<Delivery> {
        let mut source = self.sides[side].host;
        let chain = self.sides[side].chain.clone();
        let mut realm = chain.first().copied();
        if realm.is_some() && self.address_in(1 - side, realm) == Some(to.ip()) {
            return self.descend(1 - side, realm, source, to, false);
        }
        if !self.sides[side].lets_out(to) {
            return None;
        }
        for index in chain {
            let nat = &mut self.boxes[index];
            if to.ip() == nat.outer && !nat.plan.hairpin {
                return None;
            }
            source = nat.outbound(source, to);
            realm = nat.behind;
            if realm.is_some() && self.address_in(1 - side, realm) == Some(to.ip()) {
                return self.descend(1 - side, realm, source, to, true);
            }
            if to.ip() == self.boxes[index].outer {
                return self.descend(1 - side, realm, source, to, true);
            }
        }
        if to == STUN {
            return Some(Delivery::Stun { seen: source });
        }
        self.descend(1 - side, realm, source, to, true)
    }

    /// The address by which a side is known in a realm: its own, or that of a NAT of its.
    fn address_in(&self, side: usize, realm: Option<usize>) -> Option<IpAddr> {
        let Side { host, chain, .. } = &self.sides[side];
        if chain.first().copied() == realm {
            return Some(host.ip());
        }
        chain.iter().find(|index| self.boxes[**index].behind == realm).map(|index| self.boxes[*index].outer)
    }

    fn descend(
        &mut self,
        side: usize,
        mut realm: Option<usize>,
        seen: SocketAddr,
        mut to: SocketAddr,
        from_outside: bool,
    ) -> Option<Delivery> {
        loop {
            if self.address_in(side, realm) != Some(to.ip()) {
                return None;
            }
            if self.sides[side].chain.first().copied() == realm {
                let passes = !from_outside || self.sides[side].lets_in(seen);
                return (to == self.sides[side].host && passes).then_some(Delivery::Peer { seen });
            }
            let index = *self.sides[side].chain.iter().find(|index| self.boxes[**index].behind == realm)?;
            to = self.boxes[index].inbound(to.port(), seen, self.sides[side].host.ip())?;
            realm = Some(index);
        }
    }
}

impl Side {
    fn lets_out(&mut self, to: SocketAddr) -> bool {
        let may = match self.firewall {
            Firewall::Open | Firewall::Stateful => true,
            // Neither STUN nor a peer's socket is on port 443.
            Firewall::Only443 | Firewall::UdpBlocked => false,
        };
        if may {
            self.spoken.insert(to);
        }
        may
    }

    fn lets_in(&self, from: SocketAddr) -> bool {
        self.firewall == Firewall::Open || self.spoken.contains(&from)
    }
}

impl NatBox {
    fn outbound(&mut self, inner: SocketAddr, to: SocketAddr) -> SocketAddr {
        let one_to_one = self.plan.ports == PortAssignment::OneToOne;
        let same = |(known, first, _): &(SocketAddr, SocketAddr, _)| {
            *known == inner && (one_to_one || self.plan.mapping.unites(*first, to))
        };
        let known = self.mappings.iter().find(|(_, mapping)| same(mapping)).map(|(port, _)| *port);
        // Which port it is does not matter as long as nobody can guess it.
        let fresh = if one_to_one { inner.port() } else { 10_000 + self.mappings.len() as u16 };
        let port = known.unwrap_or(fresh);
        self.mappings.entry(port).or_insert_with(|| (inner, to, BTreeSet::new())).2.insert(to);
        SocketAddr::new(self.outer, port)
    }

    fn inbound(&self, port: u16, from: SocketAddr, host: IpAddr) -> Option<SocketAddr> {
        use kernel::plan::Dependence::EndpointIndependent;
        let anybody = self.plan.filtering == EndpointIndependent;
        let Some((inner, _, spoken)) = self.mappings.get(&port) else {
            return (self.plan.ports == PortAssignment::OneToOne && anybody).then(|| SocketAddr::new(host, port));
        };
        (anybody || spoken.iter().any(|known| self.plan.filtering.unites(*known, from))).then_some(*inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;
    use kernel::plan::{CarrierPlan, Dependence, Participant};

    fn pair(change: impl FnOnce(&mut Participant, &mut Participant)) -> bool {
        let [mut one, mut other] = <[Participant; 2]>::try_from(Story::new().plan.participants).unwrap();
        change(&mut one, &mut other);
        let [one, other] = [&one, &other].map(|end| (end.address, &end.access));
        let open = direct_pair_validates(one, other);
        assert_eq!(open, direct_pair_validates(other, one), "it does not matter who calls");
        open
    }

    fn public(participant: &mut Participant) {
        participant.access.nat = None;
        participant.address = participant.access.public_address;
    }

    /// The nine types, mapping before filtering.
    fn types() -> Vec<(String, NatPlan)> {
        let mut types = Vec::new();
        for (m, mapping) in Dependence::ALL.into_iter().enumerate() {
            for (f, filtering) in Dependence::ALL.into_iter().enumerate() {
                let word = ["independent", "address", "port"];
                types.push((format!("{}/{}", word[m], word[f]), NatPlan::new(mapping, filtering)));
            }
        }
        types
    }

    #[test]
    fn which_of_all_pairs_of_nats_leave_a_direct_path() {
        let mut table = String::new();
        for (name, one) in types() {
            table += &format!("{name:<24}");
            for (_, other) in types() {
                let open = pair(|a, b| (a.access.nat, b.access.nat) = (Some(one.clone()), Some(other.clone())));
                table += if open { " +" } else { " -" };
            }
            table += "\n";
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_public_address_is_reached_from_behind_every_nat_unless_a_firewall_forbids() {
        for (name, nat) in types() {
            for (firewall, expected) in
                [(Firewall::Open, true), (Firewall::Only443, false), (Firewall::UdpBlocked, false)]
            {
                let open = pair(|a, b| {
                    a.access.nat = Some(nat.clone());
                    public(b);
                    b.access.firewall = firewall;
                });
                assert_eq!(open, expected, "{name} {firewall:?}");
            }
        }
        // A stateful firewall filters as a port-restricted NAT does.
        let stateful = |nat: &NatPlan| {
            pair(|a, b| {
                a.access.nat = Some(nat.clone());
                public(b);
                b.access.firewall = Firewall::Stateful;
            })
        };
        assert!(stateful(&NatPlan::PORT_RESTRICTED) && !stateful(&NatPlan::SYMMETRIC));
    }

    #[test]
    fn behind_one_nat_host_candidates_meet() {
        assert!(pair(|a, b| {
            a.access.nat = Some(NatPlan { hairpin: false, ..NatPlan::SYMMETRIC });
            b.access.nat = a.access.nat.clone();
            b.access.public_address = a.access.public_address;
        }));
    }

    #[test]
    fn two_homes_of_one_carrier_need_its_hairpin() {
        for hairpin in [true, false] {
            let open = pair(|a, b| {
                for (number, side) in [(1, &mut *a), (2, &mut *b)] {
                    let inner_address = IpAddr::from([100, 64, 0, number]);
                    let nat = NatPlan { hairpin, ..NatPlan::PORT_RESTRICTED };
                    side.access.carrier = Some(CarrierPlan { nat, inner_address });
                }
                b.access.public_address = a.access.public_address;
            });
            assert_eq!(open, hairpin);
        }
    }

    #[test]
    fn the_worse_of_two_nats_in_a_row_decides() {
        let behind = |carrier: NatPlan, peer: NatPlan| {
            pair(|a, b| {
                a.access.nat = Some(NatPlan::FULL_CONE);
                a.access.carrier = Some(CarrierPlan { nat: carrier, inner_address: IpAddr::from([100, 64, 0, 1]) });
                b.access.nat = Some(peer);
            })
        };
        assert!(behind(NatPlan::PORT_RESTRICTED, NatPlan::PORT_RESTRICTED));
        assert!(!behind(NatPlan::SYMMETRIC, NatPlan::PORT_RESTRICTED));
        assert!(behind(NatPlan::SYMMETRIC, NatPlan::FULL_CONE));
    }

    #[test]
    fn a_one_to_one_nat_is_no_obstacle_unless_it_filters() {
        let one_to_one = |filtering| NatPlan {
            ports: PortAssignment::OneToOne,
            ..NatPlan::new(Dependence::AddressAndPortDependent, filtering)
        };
        let with = |nat| pair(|a, b| (a.access.nat, b.access.nat) = (Some(nat), Some(NatPlan::SYMMETRIC)));
        assert!(with(one_to_one(Dependence::EndpointIndependent)));
        assert!(!with(one_to_one(Dependence::AddressAndPortDependent)));
    }
}
