//! Who is where: public nodes, homes behind a NAT, and the way between two of them.

use crate::{
    error::FabricError,
    fabric::NodePlan,
    nat::{Nat, Refusal},
};
use kernel::{Datagram, event::DropReason, plan::NatKind, random::SeedTree, time::SimTime};
use std::{collections::BTreeMap, net::IpAddr};

/// A node, by its place in the fabric's list.
pub(crate) type NodeIndex = usize;

/// The address plan.
#[derive(Default)]
pub(crate) struct Routing {
    core: BTreeMap<IpAddr, Holder>,
    homes: Vec<Home>,
}

/// Who holds a public address.
#[derive(Clone, Copy)]
enum Holder {
    Node(NodeIndex),
    Home(HomeIndex),
}

/// A home, by its place in the list.
pub(crate) type HomeIndex = usize;

/// Nodes with private addresses behind one NAT.
struct Home {
    nat: Nat,
    public_address: IpAddr,
    inside: BTreeMap<IpAddr, NodeIndex>,
}

/// Where a packet goes after its sender's uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To a node of the same home, by its private address: no NAT on the way.
    SameLan(NodeIndex),
    /// Back into the same home, by its public address (RFC 4787, section 6).
    Hairpin,
    /// Over the core.
    Core,
}

impl Routing {
    /// Gives a node its place; the answer is its home when it is behind a NAT.
    pub(crate) fn admit(
        &mut self,
        node: NodeIndex,
        plan: &NodePlan,
        seeds: &SeedTree,
    ) -> Result<Option<HomeIndex>, FabricError> {
        let taken = |address| FabricError::AddressTaken { node: plan.name.clone(), address };
        if plan.nat == NatKind::None {
            if plan.public_address != plan.address {
                return Err(FabricError::PublicAddressWithoutNat(plan.name.clone()));
            }
            if self.core.contains_key(&plan.address) {
                return Err(taken(plan.address));
            }
            self.core.insert(plan.address, Holder::Node(node));
            return Ok(None);
        }
        if plan.address == plan.public_address {
            return Err(taken(plan.address));
        }
        let index = match self.core.get(&plan.public_address) {
            Some(Holder::Node(_)) => return Err(taken(plan.public_address)),
            Some(Holder::Home(index)) => *index,
            None => self.build_home(plan, seeds),
        };
        let home = &mut self.homes[index];
        if home.nat.kind != plan.nat {
            return Err(FabricError::MixedNat {
                node: plan.name.clone(),
                public_address: plan.public_address,
                expected: home.nat.kind,
                found: plan.nat,
            });
        }
        if home.inside.contains_key(&plan.address) {
            return Err(taken(plan.address));
        }
        home.inside.insert(plan.address, node);
        Ok(Some(index))
    }

    /// Decides the way of a packet that left its sender's uplink and translates its source where a NAT is on it.
    pub(crate) fn leave(
        &mut self,
        from: Option<HomeIndex>,
        datagram: &mut Datagram,
        now: SimTime,
    ) -> Result<Way, DropReason> {
        let Some(index) = from else { return Ok(Way::Core) };
        let home = &mut self.homes[index];
        if let Some(node) = home.inside.get(&datagram.destination.ip()) {
            return Ok(Way::SameLan(*node));
        }
        let public = home.nat.outbound(datagram.source, datagram.destination, now);
        datagram.source = public.ok_or(DropReason::NatNoMapping)?;
        Ok(if datagram.destination.ip() == home.public_address { Way::Hairpin } else { Way::Core })
    }

    /// Finds the receiver of a packet by its public destination and translates that where a NAT is on the way.
    pub(crate) fn arrive(&self, datagram: &mut Datagram, now: SimTime) -> Result<NodeIndex, Stop> {
        let holder = self.core.get(&datagram.destination.ip());
        let index = match *holder.ok_or(Stop { reason: DropReason::NoRoute, node: None })? {
            Holder::Node(node) => return Ok(node),
            Holder::Home(index) => index,
        };
        let home = &self.homes[index];
        match home.nat.inbound(datagram.destination.port(), datagram.source, now) {
            Ok(inner) => {
                datagram.destination = inner;
                Ok(home.inside[&inner.ip()])
            }
            Err(Refusal { reason, inner }) => {
                let meant = inner.and_then(|address| home.inside.get(&address));
                Err(Stop { reason, node: meant.or_else(|| home.inside.values().next()).copied() })
            }
        }
    }

    /// Who holds a public address: the node, or the first of the home.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<NodeIndex> {
        match *self.core.get(&address)? {
            Holder::Node(node) => Some(node),
            Holder::Home(index) => self.homes[index].inside.values().next().copied(),
        }
    }

    fn build_home(&mut self, plan: &NodePlan, seeds: &SeedTree) -> HomeIndex {
        let stream = seeds.child("nat").stream(&plan.public_address.to_string());
        let nat = Nat::new(plan.nat, plan.public_address, stream);
        self.homes.push(Home { nat, public_address: plan.public_address, inside: BTreeMap::new() });
        let index = self.homes.len() - 1;
        self.core.insert(plan.public_address, Holder::Home(index));
        index
    }
}

/// Why a packet goes no further, and at whose NAT: the node that it was meant for, or the first of the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) reason: DropReason,
    pub(crate) node: Option<NodeIndex>,
}
