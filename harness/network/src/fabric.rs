//! The fabric: nodes, their links, and the packets between them.

mod admission;
mod interfaces;

use crate::{
    agenda::Agenda,
    classify::classify,
    error::FabricError,
    flight::{Flight, Stage},
    link::{Fate, Link},
    pace::Recording,
    routing::{NodeIndex, Routing, Stop, Way},
};
use kernel::{
    ActorName, Datagram, LinkName, event,
    event::DropReason,
    log, mutant,
    plan::{CarrierPlan, Firewall, LinkChange, LinkPlan, NatChange, NatPlan},
    random::SeedTree,
    time::{self, Micros, SimTime},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// At most this many packets are in flight, in all links together: 2^16, about 100 MB at full size. A packet beyond is
/// dropped at its first link as `QueueFull`. A call of two has fewer than a hundred.
pub const MAX_IN_FLIGHT: usize = 65_536;

/// A node with its access to the core.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// Its name; the links are `name/up` and `name/down`.
    pub name: ActorName,
    /// Its own address: private and unique in its home behind a NAT, else public.
    pub address: IpAddr,
    /// From the node to its NAT, or to the core.
    pub up: LinkPlan,
    /// From the core or the NAT to the node.
    pub down: LinkPlan,
    /// The NAT in between. All nodes of a home have the same.
    pub nat: Option<NatPlan>,
    /// The outermost NAT's outer address: nodes with the same one share it. Without NAT the own address.
    pub public_address: IpAddr,
    /// The carrier's NAT behind the home's. All nodes with one public address have the same.
    pub carrier: Option<CarrierPlan>,
    /// What the node's network lets pass.
    pub firewall: Firewall,
    /// The core links between its NAT and the core, nearest first. All nodes with one public address have the same.
    pub via: Vec<String>,
}

impl NodePlan {
    /// A node with a public address: no NAT, no firewall, no core link on its way.
    pub fn public(name: ActorName, address: IpAddr, up: LinkPlan, down: LinkPlan) -> NodePlan {
        NodePlan {
            name,
            address,
            up,
            down,
            nat: None,
            public_address: address,
            carrier: None,
            firewall: Firewall::Open,
            via: Vec::new(),
        }
    }
}

/// A packet that reached a socket now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Whose socket.
    pub to: ActorName,
    /// The packet; its source is as the receiver sees it, its destination is the socket's own address.
    pub datagram: Datagram,
}

/// What became of the packets so far: `sent + doubled = arrived + dropped + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to the fabric.
    pub sent: u64,
    /// Second copies that links made.
    pub doubled: u64,
    /// Handed to a socket.
    pub arrived: u64,
    /// Dropped, each with a reason in the log.
    pub dropped: u64,
    /// On their way.
    pub in_flight: u64,
}

/// The packet network of a run. Time comes from `kernel::time`; the driver moves it to each [`next_event`] and polls:
///
/// ```
/// # use kernel::time::{SimTime, set_now};
/// # let mut fabric = network::Fabric::new(kernel::random::SeedTree::root(1));
/// # let limit = SimTime::NEVER;
/// while let Some(at) = fabric.next_event().filter(|at| *at <= limit) {
///     set_now(at);
///     while let Some(arrival) = fabric.poll() {
///         // Hand it to its actor, and what that answers back to `fabric.send`.
///         # let _ = arrival;
///     }
/// }
/// ```
///
/// [`next_event`]: Fabric::next_event
pub struct Fabric {
    seeds: SeedTree,
    nodes: Vec<Node>,
    /// Nodes by their first interface, and further interfaces by their own names.
    names: BTreeMap<ActorName, NodeIndex>,
    /// The further interfaces of nodes, by the first one.
    further: BTreeMap<NodeIndex, Vec<NodeIndex>>,
    links: Vec<Link>,
    link_names: BTreeMap<LinkName, LinkIndex>,
    core_links: BTreeMap<String, Ways>,
    traces: BTreeMap<String, Recording>,
    routing: Routing,
    /// Pairs of nodes between which the core carries nothing, the lower index first.
    cuts: BTreeSet<(NodeIndex, NodeIndex)>,
    /// Nodes that are reached from one node only, by that node and their address.
    internal: BTreeMap<(NodeIndex, IpAddr), NodeIndex>,
    /// Nodes that may send from any address.
    spoofers: BTreeSet<NodeIndex>,
    agenda: Agenda<Due>,
    /// Packets on their way between links, in the agenda.
    travelling: u64,
    /// What links told and is not yet carried out; empty between calls.
    fates: Vec<Fate>,
    counts: Counts,
}

impl Fabric {
    /// An empty network. Each link direction draws from the child of `seeds` that has its name.
    pub fn new(seeds: SeedTree) -> Fabric {
        Fabric {
            seeds,
            nodes: Vec::new(),
            names: BTreeMap::new(),
            further: BTreeMap::new(),
            links: Vec::new(),
            link_names: BTreeMap::new(),
            core_links: BTreeMap::new(),
            traces: BTreeMap::new(),
            routing: Routing::default(),
            cuts: BTreeSet::new(),
            internal: BTreeMap::new(),
            spoofers: BTreeSet::new(),
            agenda: Agenda::new(),
            travelling: 0,
            fates: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Takes a node down or up again. A node that is down neither sends nor receives: its packets drop as `HostDown`.
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn set_up(&mut self, node: &ActorName, is_up: bool) {
        for index in self.interfaces_of(self.index_of(node)) {
            self.nodes[index].is_up = is_up;
        }
    }

    /// Cuts the core between two nodes, or mends it. What one sends to the other drops as `NoRoute` while it is cut; a
    /// third node reaches both, and nodes of one home reach each other.
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn set_cut(&mut self, one: &ActorName, other: &ActorName, is_cut: bool) {
        let others = self.interfaces_of(self.index_of(other));
        for one in self.interfaces_of(self.index_of(one)) {
            for other in &others {
                let pair = pair(one, *other);
                if is_cut {
                    self.cuts.insert(pair);
                } else {
                    self.cuts.remove(&pair);
                }
            }
        }
    }

    /// Changes a link from now on and logs it as `LinkChanged`; what is none stays. What waits in its queue meets the new
    /// parameters, the packet on the wire goes on at the new rate, and packets beyond the wire keep their times.
    ///
    /// # Errors
    /// When there is no such link or trace, or a value is out of its range; then nothing changes.
    pub fn change_link(&mut self, link: &LinkName, change: &LinkChange) -> Result<(), FabricError> {
        let index = *self.link_names.get(link).ok_or_else(|| FabricError::UnknownLink(link.clone()))?;
        let plan = change.applied_to(&self.links[index].plan);
        self.check(link, &plan)?;
        event!(LinkChanged { link: link.clone(), to: Box::new(plan.clone()) });
        let recording = plan.trace.as_ref().map(|trace| &self.traces[trace]);
        self.links[index].change(time::now(), plan, recording, &mut self.fates);
        self.settle(index);
        Ok(())
    }

    /// Something happens now to the NAT of a node's home, or to its carrier's, and is logged as `NatChanged`.
    ///
    /// # Errors
    /// When there is no such NAT.
    pub fn change_nat(&mut self, node: &ActorName, carrier: bool, change: NatChange) -> Result<(), FabricError> {
        let no_nat = || FabricError::NoNat { node: node.clone(), carrier };
        let index = *self.names.get(node).ok_or_else(no_nat)?;
        let changed = self.routing.change_nat(index, carrier, change, time::now());
        let (nat, mappings) = changed.ok_or_else(no_nat)?;
        event!(NatChanged { nat, change, mappings });
        Ok(())
    }

    /// The largest IP packet that passes all links between a node and the core in both directions.
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn access_mtu(&self, node: &ActorName) -> u32 {
        let node = &self.nodes[self.index_of(node)];
        let ways = std::iter::once(&node.access).chain(&node.via);
        let links = ways.flat_map(|ways| [ways.up, ways.down]);
        links.map(|link| self.links[link].plan.mtu).min().unwrap_or(LinkPlan::NO_MTU)
    }

    /// The maximum segment size that a node's TCP announces towards an address (RFC 9293, section 3.7.1): its access's MTU
    /// without the headers of IP (20 bytes, or 40 of IPv6) and TCP (20).
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn mss(&self, node: &ActorName, towards: IpAddr) -> u32 {
        self.access_mtu(node).saturating_sub(if towards.is_ipv4() { 40 } else { 60 })
    }

    /// Hands a packet to the network now, over the interface that has its source address. A source that is no address of
    /// the sender drops as `SpoofedSource`, as in an access network that validates sources (RFC 2827).
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn send(&mut self, from: &ActorName, datagram: Datagram) {
        let now = time::now();
        let index = self.interface_for(self.index_of(from), datagram.source.ip());
        self.counts.sent += 1;
        log_sent(from, &datagram);
        let flight = Flight::new(datagram, index);
        let node = &self.nodes[index];
        if let Some(reason) = node.is_away() {
            return self.drop_at_node(&flight, Some(index), reason);
        }
        if !self.routing.owns(index, flight.datagram.source.ip()) && !self.spoofers.contains(&index) {
            return self.drop_at_node(&flight, Some(index), DropReason::SpoofedSource);
        }
        let up = node.access.up;
        if self.in_flight() >= MAX_IN_FLIGHT as u64 {
            return self.drop_on_link(&flight, up, DropReason::QueueFull);
        }
        self.enter(up, flight, now);
    }

    /// When the fabric next has something to do: the driver moves time there, never beyond, and polls.
    pub fn next_event(&self) -> Option<SimTime> {
        self.agenda.next_due()
    }

    /// Does what is due now; the packets that reach a socket come out one by one, until `None`.
    ///
    /// # Panics
    /// When the driver let an event's time pass: its time stamps would be wrong.
    pub fn poll(&mut self) -> Option<Arrival> {
        let now = time::now();
        while let Some((at, due)) = self.agenda.take_due(now) {
            assert!(at == now, "the fabric was due at {at} and is polled at {now}");
            match due {
                Due::Wire(link) => {
                    self.links[link].advance(now, &mut self.fates);
                    self.settle(link);
                }
                Due::Sample(link) => {
                    let link = &mut self.links[link];
                    let queued = link.queued();
                    if let Some(meter) = &mut link.meter {
                        meter.tell(&link.name, queued);
                    }
                }
                Due::Exit(flight) => {
                    self.travelling -= 1;
                    if let Some(arrival) = self.leave(flight, now) {
                        return Some(arrival);
                    }
                }
            }
        }
        None
    }

    /// What became of the packets so far.
    pub fn counts(&self) -> Counts {
        let on_links: usize = self.links.iter().map(Link::len).sum();
        Counts { in_flight: self.travelling + on_links as u64, ..self.counts }
    }

    /// As [`counts`](Fabric::counts) would say it, without asking every link.
    fn in_flight(&self) -> u64 {
        self.counts.sent + self.counts.doubled - self.counts.arrived - self.counts.dropped
    }

    fn index_of(&self, node: &ActorName) -> NodeIndex {
        *self.names.get(node).unwrap_or_else(|| panic!("no node is called {node}"))
    }

    /// A packet comes to a link.
    fn enter(&mut self, link: LinkIndex, flight: Flight, now: SimTime) {
        self.links[link].enter(now, flight, &mut self.fates);
        self.settle(link);
    }

    /// Carries out what a link told, and sees to it that it is asked again in time.
    fn settle(&mut self, index: LinkIndex) {
        let mut fates = std::mem::take(&mut self.fates);
        for fate in fates.drain(..) {
            match fate {
                Fate::Leaves(at, flight) => self.travel(at, flight),
                Fate::Doubles(at, copy) => {
                    if self.in_flight() < MAX_IN_FLIGHT as u64 {
                        self.counts.doubled += 1;
                        self.travel(at, copy);
                    }
                }
                Fate::Drops(flight, reason) => self.drop_on_link(&flight, index, reason),
            }
        }
        self.fates = fates;
        let now = time::now();
        let link = &mut self.links[index];
        if let Some(at) = link.newly_due() {
            self.agenda.insert(at, Due::Wire(index));
        }
        if let Some(at) = link.meter.as_mut().and_then(|meter| meter.begin(now)) {
            self.agenda.insert(at, Due::Sample(index));
        }
    }

    fn travel(&mut self, at: SimTime, flight: Flight) {
        self.travelling += 1;
        self.agenda.insert(at, Due::Exit(flight));
    }

    /// A packet is at the other end of the link of its stage.
    fn leave(&mut self, mut flight: Flight, now: SimTime) -> Option<Arrival> {
        match flight.stage {
            Stage::Up(node) => self.pass_gate(flight, node, now),
            Stage::Out(node, hop) => self.go_out(flight, node, hop + 1, now),
            Stage::In(node, hop) => match hop.checked_sub(1) {
                Some(next) => {
                    flight.stage = Stage::In(node, next);
                    self.enter(self.nodes[node].via[next].down, flight, now);
                }
                None => self.arrive(flight, now),
            },
            Stage::Core => self.arrive(flight, now),
            Stage::Down(node) => return self.deliver(flight, node),
        }
        None
    }

    /// From the end of the uplink through the sender's NAT.
    fn pass_gate(&mut self, mut flight: Flight, sender: NodeIndex, now: SimTime) {
        if !self.nodes[sender].has_network {
            return self.drop_at_node(&flight, Some(sender), DropReason::InterfaceDown);
        }
        if let Some(&inside) = self.internal.get(&(sender, flight.datagram.destination.ip())) {
            return self.go_down(flight, inside, now);
        }
        match self.routing.leave(sender, &mut flight.datagram, now) {
            Ok(Way::Inside(node)) => self.go_down(flight, node, now),
            Ok(Way::Core) => self.go_out(flight, sender, 0, now),
            Err(Stop { reason, node }) => self.drop_at_node(&flight, node, reason),
        }
    }

    /// Over the sender's n-th core link; beyond the last, over the core.
    fn go_out(&mut self, mut flight: Flight, sender: NodeIndex, hop: usize, now: SimTime) {
        if let Some(ways) = self.nodes[sender].via.get(hop) {
            flight.stage = Stage::Out(sender, hop);
            return self.enter(ways.up, flight, now);
        }
        let datagram = &flight.datagram;
        event!(PacketAtCore { packet: datagram.packet, source: datagram.source, destination: datagram.destination });
        let holder = self.routing.holder(datagram.destination.ip());
        match holder.and_then(|node| Some((node, self.nodes[node].via.len().checked_sub(1)?))) {
            Some((node, last)) => {
                flight.stage = Stage::In(node, last);
                self.enter(self.nodes[node].via[last].down, flight, now);
            }
            None if mutant!(V137)
                && holder.is_some_and(|node| self.nodes[node].is_home && self.nodes[sender].is_home) =>
            {
                flight.legs.propagation += WAY_ROUND;
                flight.stage = Stage::Core;
                self.travel(now + WAY_ROUND, flight);
            }
            None => self.arrive(flight, now),
        }
    }

    /// Through the receiver's NAT.
    fn arrive(&mut self, mut flight: Flight, now: SimTime) {
        match self.routing.arrive(&mut flight.datagram, now) {
            Ok(node) if self.cuts.contains(&pair(flight.sender, node)) => {
                self.drop_at_node(&flight, None, DropReason::NoRoute);
            }
            Ok(node) => self.go_down(flight, node, now),
            Err(Stop { reason, node }) => self.drop_at_node(&flight, node, reason),
        }
    }

    fn go_down(&mut self, mut flight: Flight, node: NodeIndex, now: SimTime) {
        flight.stage = Stage::Down(node);
        self.enter(self.nodes[node].access.down, flight, now);
    }

    fn deliver(&mut self, flight: Flight, index: NodeIndex) -> Option<Arrival> {
        let node = &self.nodes[index];
        if let Some(reason) = node.is_away() {
            self.drop_at_node(&flight, Some(index), reason);
            return None;
        }
        let Flight { datagram, legs, is_copy, .. } = flight;
        self.counts.arrived += 1;
        event!(PacketArrived {
            packet: datagram.packet,
            to: node.name.clone(),
            source: datagram.source,
            destination: datagram.destination,
            uplink_queue: legs.uplink_queue,
            serialization: legs.serialization,
            propagation: legs.propagation,
            downlink_queue: legs.downlink_queue,
            ecn: datagram.ecn,
            duplicate: is_copy,
        });
        Some(Arrival { to: node.name.clone(), datagram })
    }

    /// A packet ends at a node's NAT or socket, or, where there is no such node, in the core.
    fn drop_at_node(&mut self, flight: &Flight, node: Option<NodeIndex>, reason: DropReason) {
        let place = node.map_or("core", |index| self.nodes[index].interface.as_str()).to_owned();
        self.log_dropped(flight, place, reason);
    }

    fn drop_on_link(&mut self, flight: &Flight, link: LinkIndex, reason: DropReason) {
        let place = self.links[link].name.as_str().to_owned();
        self.log_dropped(flight, place, reason);
    }

    fn log_dropped(&mut self, flight: &Flight, place: String, reason: DropReason) {
        self.counts.dropped += 1;
        event!(PacketDropped { packet: flight.datagram.packet, place, reason, duplicate: flight.is_copy });
    }
}

/// A link direction, by its place in the fabric's list.
type LinkIndex = usize;

/// Both directions of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ways {
    up: LinkIndex,
    down: LinkIndex,
}

/// A node by one of its interfaces.
struct Node {
    /// The node's name.
    name: ActorName,
    /// The interface's: the node's own of its first one.
    interface: ActorName,
    /// Whether it is behind a NAT.
    is_home: bool,
    is_up: bool,
    /// Whether the interface is up.
    has_network: bool,
    access: Ways,
    via: Vec<Ways>,
}

/// How much longer the core takes from home to home in V137.
const WAY_ROUND: Micros = Micros::from_millis(40);

impl Node {
    /// Why nothing reaches it or leaves it.
    fn is_away(&self) -> Option<DropReason> {
        match (self.is_up, self.has_network) {
            (false, _) => Some(DropReason::HostDown),
            (_, false) => Some(DropReason::InterfaceDown),
            _ => None,
        }
    }
}

/// What is due.
enum Due {
    /// The packet on a link's wire may be out.
    Wire(LinkIndex),
    /// A core link tells what it did.
    Sample(LinkIndex),
    /// A packet is at the other end of its link.
    Exit(Flight),
}

/// A pair of nodes whatever their order.
fn pair(one: NodeIndex, other: NodeIndex) -> (NodeIndex, NodeIndex) {
    (one.min(other), one.max(other))
}

/// The names of the two directions of a link.
fn link_names(owner: &str) -> (LinkName, LinkName) {
    (LinkName::from(format!("{owner}/up")), LinkName::from(format!("{owner}/down")))
}

fn log_sent(from: &ActorName, datagram: &Datagram) {
    let bytes = log::store(&datagram.bytes);
    event!(PacketSent {
        packet: datagram.packet,
        cause: datagram.cause,
        relay: datagram.relay,
        from: from.clone(),
        source: datagram.source,
        destination: datagram.destination,
        transport: datagram.transport,
        ecn: datagram.ecn,
        protocol: classify(datagram),
        bytes,
    });
}
