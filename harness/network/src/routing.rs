//! Who is where: the core, the networks behind NATs and carriers, and the way of a packet through them.
//!
//! Networks form a tree. The core is its root; every other realm lies behind one NAT, its gateway, whose outer address
//! belongs to the realm around it. A packet climbs until somebody around holds its destination, then it descends.

use crate::{
    error::FabricError,
    fabric::NodePlan,
    firewall::Guard,
    nat::{Nat, Refusal},
};
use kernel::{
    Datagram,
    event::DropReason,
    plan::{Firewall, NatChange, NatPlan},
    random::SeedTree,
    time::SimTime,
};
use std::{collections::BTreeMap, net::IpAddr};

/// A node, by its place in the fabric's list.
pub(crate) type NodeIndex = usize;

/// A network, by its place in the list.
type RealmIndex = usize;

/// Where all public addresses are.
const CORE: RealmIndex = 0;

/// The address plan.
pub(crate) struct Routing {
    realms: Vec<Realm>,
    places: Vec<Place>,
}

/// A network in which addresses are unique.
#[derive(Default)]
struct Realm {
    holders: BTreeMap<IpAddr, Holder>,
    gateway: Option<Gateway>,
}

/// Who holds an address.
#[derive(Clone, Copy)]
enum Holder {
    Node(NodeIndex),
    /// The NAT in front of this realm.
    Gateway(RealmIndex),
}

/// The NAT of a realm, and where its outer address is.
struct Gateway {
    nat: Nat,
    outside: RealmIndex,
}

/// Where a node is.
struct Place {
    /// The realm of each of its addresses.
    realms: BTreeMap<IpAddr, RealmIndex>,
    guard: Guard,
    /// An address that its network does not forward.
    broken: Option<IpAddr>,
}

/// Where a packet goes after its sender's uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To a node that shares a network with the sender: of the same home by its private address, or by a public one back
    /// into it (RFC 4787, section 6), or of another home of the same carrier.
    Inside(NodeIndex),
    /// Over the core.
    Core,
}

impl Default for Routing {
    fn default() -> Routing {
        Routing { realms: vec![Realm::default()], places: Vec::new() }
    }
}

impl Routing {
    /// Gives the next node its place.
    pub(crate) fn admit(&mut self, plan: &NodePlan, seeds: &SeedTree) -> Result<(), FabricError> {
        let node = self.places.len();
        let realm = match &plan.nat {
            None if plan.public_address != plan.address || plan.carrier.is_some() => {
                return Err(FabricError::PublicAddressWithoutNat(plan.name.clone()));
            }
            None => CORE,
            Some(nat) => self.home(plan, nat, seeds)?,
        };
        self.check_free(realm, plan, plan.address)?;
        if let Some(gateway) = &mut self.realms[realm].gateway
            && !gateway.nat.admit(plan.address)
        {
            return Err(taken(plan, plan.public_address));
        }
        if let Some(ipv6) = &plan.ipv6 {
            self.check_free(CORE, plan, ipv6.address)?;
            self.realms[CORE].holders.insert(ipv6.address, Holder::Node(node));
        }
        self.realms[realm].holders.insert(plan.address, Holder::Node(node));
        let ipv6 = plan.ipv6.map(|ipv6| (ipv6.address, CORE));
        let realms = [(plan.address, realm)].into_iter().chain(ipv6).collect();
        let broken = plan.ipv6.filter(|ipv6| !ipv6.works).map(|ipv6| ipv6.address);
        self.places.push(Place { realms, guard: Guard::new(plan.firewall), broken });
        Ok(())
    }

    /// Gives the next node a place to send into the core from, at an address that nobody finds.
    pub(crate) fn admit_hidden(&mut self, address: IpAddr) {
        let (realms, guard) = (BTreeMap::from([(address, CORE)]), Guard::new(Firewall::Open));
        self.places.push(Place { realms, guard, broken: None });
    }

    /// Whether a node may send from an address.
    pub(crate) fn owns(&self, node: NodeIndex, address: IpAddr) -> bool {
        self.places[node].realms.contains_key(&address)
    }

    /// The addresses that a node may send from, the preferred first.
    pub(crate) fn addresses(&self, node: NodeIndex) -> Vec<IpAddr> {
        // Version 6 first (RFC 6724, section 2.1); the order of addresses puts it behind version 4.
        self.places[node].realms.keys().rev().copied().collect()
    }

    /// Decides the way of a packet that left its sender's uplink, and translates its source at every NAT that it passes
    /// upwards.
    pub(crate) fn leave(&mut self, node: NodeIndex, datagram: &mut Datagram, now: SimTime) -> Result<Way, Stop> {
        // A foreign source is a spoofer's, who stands in the core.
        let here = self.places[node].realms.get(&datagram.source.ip()).copied().unwrap_or(CORE);
        if here != CORE
            && let Some(Holder::Node(mate)) = self.realms[here].holders.get(&datagram.destination.ip())
        {
            return Ok(Way::Inside(*mate));
        }
        let stop = |reason| Stop { reason, node: Some(node) };
        if self.places[node].broken == Some(datagram.source.ip()) {
            return Err(stop(DropReason::NoRoute));
        }
        if !self.places[node].guard.lets_out(datagram, now) {
            return Err(stop(DropReason::Firewall));
        }
        let mut realm = here;
        while let Some(Gateway { nat, outside }) = &mut self.realms[realm].gateway {
            let outside = *outside;
            let comes_back = datagram.destination.ip() == nat.outer_address;
            if comes_back && !nat.plan.hairpin {
                return Err(stop(DropReason::NatNoHairpin));
            }
            let outer = nat.outbound(datagram.transport, datagram.source, datagram.destination, now);
            datagram.source = outer.ok_or_else(|| stop(DropReason::NatNoMapping))?;
            let is_inside = outside != CORE && self.realms[outside].holders.contains_key(&datagram.destination.ip());
            if comes_back || is_inside {
                return self.descend(outside, datagram, now).map(Way::Inside);
            }
            realm = outside;
        }
        Ok(Way::Core)
    }

    /// Finds the receiver of a packet in the core, and translates its destination at every NAT that it passes downwards.
    pub(crate) fn arrive(&mut self, datagram: &mut Datagram, now: SimTime) -> Result<NodeIndex, Stop> {
        self.descend(CORE, datagram, now)
    }

    /// Who holds a public address: the node, or the first behind the NAT.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<NodeIndex> {
        match *self.realms[CORE].holders.get(&address)? {
            Holder::Node(node) => Some(node),
            Holder::Gateway(inside) => self.first_in(inside),
        }
    }

    /// Something happens to the NAT of a node's home, or to the carrier's: its outer address, and how many live mappings
    /// it had. `None` where there is no such NAT.
    pub(crate) fn change_nat(
        &mut self,
        node: NodeIndex,
        carrier: bool,
        change: NatChange,
        now: SimTime,
    ) -> Option<(IpAddr, u32)> {
        let home = *self.places[node].realms.values().find(|realm| **realm != CORE)?;
        let realm = if carrier { self.realms[home].gateway.as_ref()?.outside } else { home };
        let nat = &mut self.realms[realm].gateway.as_mut()?.nat;
        Some((nat.outer_address, nat.change(change, now)))
    }

    fn descend(&mut self, from: RealmIndex, datagram: &mut Datagram, now: SimTime) -> Result<NodeIndex, Stop> {
        let mut realm = from;
        loop {
            let holder = self.realms[realm].holders.get(&datagram.destination.ip());
            match *holder.ok_or(Stop { reason: DropReason::NoRoute, node: None })? {
                Holder::Node(node) if self.places[node].broken == Some(datagram.destination.ip()) => {
                    return Err(Stop { reason: DropReason::NoRoute, node: Some(node) });
                }
                Holder::Node(node) if self.places[node].guard.lets_in(datagram, now) => return Ok(node),
                Holder::Node(node) => return Err(Stop { reason: DropReason::Firewall, node: Some(node) }),
                Holder::Gateway(inside) => {
                    self.translate_in(inside, datagram, now)?;
                    realm = inside;
                }
            }
        }
    }

    fn translate_in(&mut self, inside: RealmIndex, datagram: &mut Datagram, now: SimTime) -> Result<(), Stop> {
        let gateway = self.realms[inside].gateway.as_mut().expect("a realm with an outer address has a gateway");
        match gateway.nat.inbound(datagram.transport, datagram.destination.port(), datagram.source, now) {
            Ok(inner) => {
                datagram.destination = inner;
                Ok(())
            }
            Err(Refusal { reason, inner }) => {
                let meant = inner.and_then(|address| self.realms[inside].holders.get(&address)).copied();
                let meant = match meant {
                    Some(Holder::Node(node)) => Some(node),
                    Some(Holder::Gateway(home)) => self.first_in(home),
                    None => self.first_in(inside),
                };
                Err(Stop { reason, node: meant })
            }
        }
    }

    /// The first node in a realm or in one inside it.
    fn first_in(&self, realm: RealmIndex) -> Option<NodeIndex> {
        let is_within = |mut inner: RealmIndex| loop {
            match &self.realms[inner].gateway {
                _ if inner == realm => return true,
                Some(gateway) => inner = gateway.outside,
                None => return false,
            }
        };
        self.places.iter().position(|place| place.realms.values().any(|inner| is_within(*inner)))
    }

    /// The realm of a node's home, built where it is the first of it.
    fn home(&mut self, plan: &NodePlan, nat: &NatPlan, seeds: &SeedTree) -> Result<RealmIndex, FabricError> {
        if plan.address == plan.public_address {
            return Err(taken(plan, plan.address));
        }
        let Some(carrier) = &plan.carrier else { return self.behind(CORE, nat, plan.public_address, plan, seeds) };
        let outside = self.behind(CORE, &carrier.nat, plan.public_address, plan, seeds)?;
        self.behind(outside, nat, carrier.inner_address, plan, seeds)
    }

    /// The realm behind the NAT with this outer address.
    fn behind(
        &mut self,
        outside: RealmIndex,
        nat: &NatPlan,
        outer_address: IpAddr,
        plan: &NodePlan,
        seeds: &SeedTree,
    ) -> Result<RealmIndex, FabricError> {
        match self.realms[outside].holders.get(&outer_address) {
            Some(Holder::Node(_)) => Err(taken(plan, outer_address)),
            Some(Holder::Gateway(inside)) => {
                let known = &self.realms[*inside].gateway.as_ref().expect("it is the gateway's address").nat.plan;
                if known == nat {
                    return Ok(*inside);
                }
                Err(FabricError::MixedNat {
                    node: plan.name.clone(),
                    outer_address,
                    expected: known.to_string(),
                    found: nat.to_string(),
                })
            }
            None => {
                let seeds = if outside == CORE { *seeds } else { seeds.child(&plan.public_address.to_string()) };
                let nat = Nat::new(nat.clone(), outer_address, &seeds);
                if let Some(around) = &mut self.realms[outside].gateway
                    && !around.nat.admit(outer_address)
                {
                    return Err(taken(plan, outer_address));
                }
                let inside = self.realms.len();
                self.realms.push(Realm { holders: BTreeMap::new(), gateway: Some(Gateway { nat, outside }) });
                self.realms[outside].holders.insert(outer_address, Holder::Gateway(inside));
                Ok(inside)
            }
        }
    }

    fn check_free(&self, realm: RealmIndex, plan: &NodePlan, address: IpAddr) -> Result<(), FabricError> {
        if self.realms[realm].holders.contains_key(&address) { Err(taken(plan, address)) } else { Ok(()) }
    }
}

/// Why a packet goes no further, and at whose NAT or firewall: the node that it was meant for, or the first behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) reason: DropReason,
    pub(crate) node: Option<NodeIndex>,
}

fn taken(plan: &NodePlan, address: IpAddr) -> FabricError {
    FabricError::AddressTaken { node: plan.name.clone(), address }
}
