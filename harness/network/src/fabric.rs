//! The fabric: nodes, their links, and the packets between them.

use crate::{
    agenda::Agenda,
    classify::classify,
    error::FabricError,
    link::{Fate, Link, Passage, validate},
    routing::{HomeIndex, NodeIndex, Routing, Stop, Way},
};
use kernel::{
    ActorName, Datagram, LinkName, event,
    event::DropReason,
    log,
    plan::{LinkPlan, Loss, NatKind},
    random::SeedTree,
    time::{self, BitRate, Micros, SimTime},
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
    pub nat: NatKind,
    /// The NAT's outer address: nodes with the same one share a home. Without NAT the own address.
    pub public_address: IpAddr,
}

/// A packet that reached a socket now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Whose socket.
    pub to: ActorName,
    /// The packet; its source is as the receiver sees it, its destination is the socket's own address.
    pub datagram: Datagram,
}

/// What became of the packets so far: `sent = arrived + dropped + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to the fabric.
    pub sent: u64,
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
    names: BTreeMap<ActorName, NodeIndex>,
    links: BTreeMap<LinkName, (NodeIndex, Direction)>,
    routing: Routing,
    /// Nodes that are reached from one node only, by that node and their address.
    internal: BTreeMap<(NodeIndex, IpAddr), NodeIndex>,
    /// Nodes that may send from any address.
    spoofers: BTreeSet<NodeIndex>,
    agenda: Agenda<Flight>,
    counts: Counts,
}

impl Fabric {
    /// An empty network. Each link direction draws from the child of `seeds` that has its name.
    pub fn new(seeds: SeedTree) -> Fabric {
        Fabric {
            seeds,
            nodes: Vec::new(),
            names: BTreeMap::new(),
            links: BTreeMap::new(),
            routing: Routing::default(),
            internal: BTreeMap::new(),
            spoofers: BTreeSet::new(),
            agenda: Agenda::new(),
            counts: Counts::default(),
        }
    }

    /// Adds a node that is up, and logs its links as `LinkChanged`.
    ///
    /// # Errors
    /// When a name or address is taken, a link's parameter is out of range, or the node does not fit its home's NAT.
    pub fn add_node(&mut self, plan: NodePlan) -> Result<(), FabricError> {
        self.check(&plan)?;
        let home = self.routing.admit(self.nodes.len(), &plan, &self.seeds)?;
        self.attach(plan, home);
        Ok(())
    }

    /// Whether the name is free and the links are possible.
    fn check(&self, plan: &NodePlan) -> Result<(), FabricError> {
        if self.names.contains_key(&plan.name) {
            return Err(FabricError::NameTaken(plan.name.clone()));
        }
        for (direction, link) in [(Direction::Up, &plan.up), (Direction::Down, &plan.down)] {
            validate(link).map_err(|problem| FabricError::BadLink { link: direction.link_of(&plan.name), problem })?;
        }
        Ok(())
    }

    /// Gives a node its links.
    fn attach(&mut self, plan: NodePlan, home: Option<HomeIndex>) -> NodeIndex {
        let index = self.nodes.len();
        let (up, down) = (Direction::Up.link_of(&plan.name), Direction::Down.link_of(&plan.name));
        self.links.insert(up.clone(), (index, Direction::Up));
        self.links.insert(down.clone(), (index, Direction::Down));
        self.names.insert(plan.name.clone(), index);
        event!(LinkChanged { link: up.clone(), to: plan.up.clone() });
        event!(LinkChanged { link: down.clone(), to: plan.down.clone() });
        let up = Link::new(up, plan.up, &self.seeds);
        let down = Link::new(down, plan.down, &self.seeds);
        self.nodes.push(Node { name: plan.name, address: plan.address, home, is_up: true, up, down });
        index
    }

    /// Adds a node that only `gateway` reaches, past the core: a service in the network in which the gateway stands. What
    /// it sends goes over the core.
    ///
    /// # Errors
    /// When a name is taken or a link's parameter is out of range.
    ///
    /// # Panics
    /// When there is no such gateway: a bug of the driver.
    pub fn add_internal(&mut self, plan: NodePlan, gateway: &ActorName) -> Result<(), FabricError> {
        let gateway = self.index_of(gateway);
        self.check(&plan)?;
        let address = plan.address;
        let index = self.attach(plan, None);
        self.internal.insert((gateway, address), index);
        Ok(())
    }

    /// From now on the access network of this node lets any source address through, against RFC 2827: an attacker may
    /// spoof there.
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn let_spoof(&mut self, node: &ActorName) {
        let index = self.index_of(node);
        self.spoofers.insert(index);
    }

    /// Takes a node down or up again. A node that is down neither sends nor receives: its packets drop as `HostDown`.
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn set_up(&mut self, node: &ActorName, is_up: bool) {
        let index = self.index_of(node);
        self.nodes[index].is_up = is_up;
    }

    /// Changes a link from now on and logs it as `LinkChanged`; what is none stays. Packets that are under way keep
    /// the times that they were given when they entered the link.
    ///
    /// # Errors
    /// When there is no such link or a value is out of its range; then nothing changes.
    pub fn change_link(
        &mut self,
        link: &LinkName,
        rate: Option<BitRate>,
        propagation: Option<Micros>,
        loss: Option<Loss>,
    ) -> Result<(), FabricError> {
        let &(node, direction) = self.links.get(link).ok_or_else(|| FabricError::UnknownLink(link.clone()))?;
        let changed = self.nodes[node].link(direction);
        let bad_link = |problem| FabricError::BadLink { link: link.clone(), problem };
        changed.change(rate, propagation, loss).map_err(bad_link)?;
        event!(LinkChanged { link: link.clone(), to: changed.plan.clone() });
        Ok(())
    }

    /// Hands a packet to the network now. Its source is the sender's own address; another one drops as
    /// `SpoofedSource`, as in an access network that validates sources (RFC 2827).
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn send(&mut self, from: &ActorName, datagram: Datagram) {
        let now = time::now();
        let index = self.index_of(from);
        self.counts.sent += 1;
        log_sent(from, &datagram);
        let node = &self.nodes[index];
        if !node.is_up {
            return self.drop_at_node(&datagram, Some(index), DropReason::HostDown);
        }
        if datagram.source.ip() != node.address && !self.spoofers.contains(&index) {
            return self.drop_at_node(&datagram, Some(index), DropReason::SpoofedSource);
        }
        if self.agenda.len() >= MAX_IN_FLIGHT {
            return self.drop_on_link(&datagram, index, Direction::Up, DropReason::QueueFull);
        }
        let flight = Flight { datagram, node: index, stage: Stage::AtGate, legs: Legs::default() };
        self.enter(Direction::Up, flight, now);
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
        while let Some((at, flight)) = self.agenda.take_due(now) {
            assert!(at == now, "the fabric was due at {at} and is polled at {now}");
            if let Some(arrival) = self.advance(flight, now) {
                return Some(arrival);
            }
        }
        None
    }

    /// What became of the packets so far.
    pub fn counts(&self) -> Counts {
        Counts { in_flight: self.agenda.len() as u64, ..self.counts }
    }

    fn index_of(&self, node: &ActorName) -> NodeIndex {
        *self.names.get(node).unwrap_or_else(|| panic!("no node is called {node}"))
    }

    fn advance(&mut self, flight: Flight, now: SimTime) -> Option<Arrival> {
        match flight.stage {
            Stage::AtGate => self.pass_gate(flight, now),
            Stage::LostOn(direction) => self.drop_on_link(&flight.datagram, flight.node, direction, DropReason::Loss),
            Stage::AtSocket => return self.deliver(flight),
        }
        None
    }

    /// From the end of the uplink to the beginning of the receiver's downlink.
    fn pass_gate(&mut self, mut flight: Flight, now: SimTime) {
        let sender = flight.node;
        let datagram = &mut flight.datagram;
        if let Some(&inside) = self.internal.get(&(sender, datagram.destination.ip())) {
            flight.node = inside;
            return self.enter(Direction::Down, flight, now);
        }
        let way = match self.routing.leave(self.nodes[sender].home, datagram, now) {
            Ok(way) => way,
            Err(reason) => return self.drop_at_node(datagram, Some(sender), reason),
        };
        if way == Way::Core {
            event!(PacketAtCore {
                packet: datagram.packet,
                source: datagram.source,
                destination: datagram.destination,
            });
        }
        let receiver = match way {
            Way::SameLan(node) => Ok(node),
            Way::Hairpin | Way::Core => self.routing.arrive(datagram, now),
        };
        match receiver {
            Ok(node) => {
                flight.node = node;
                self.enter(Direction::Down, flight, now);
            }
            Err(Stop { reason, node }) => self.drop_at_node(&flight.datagram, node, reason),
        }
    }

    fn enter(&mut self, direction: Direction, mut flight: Flight, now: SimTime) {
        let link = self.nodes[flight.node].link(direction);
        match link.enter(now, flight.datagram.bytes.len()) {
            Fate::Passes(passage) => {
                flight.legs.add(direction, &passage);
                flight.stage = match direction {
                    Direction::Up => Stage::AtGate,
                    Direction::Down => Stage::AtSocket,
                };
                self.agenda.insert(passage.exit, flight);
            }
            Fate::Lost(at) => {
                flight.stage = Stage::LostOn(direction);
                self.agenda.insert(at, flight);
            }
            Fate::QueueFull => self.drop_on_link(&flight.datagram, flight.node, direction, DropReason::QueueFull),
        }
    }

    fn deliver(&mut self, flight: Flight) -> Option<Arrival> {
        let Flight { datagram, node: index, legs, .. } = flight;
        let node = &self.nodes[index];
        if !node.is_up {
            self.drop_at_node(&datagram, Some(index), DropReason::HostDown);
            return None;
        }
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
            duplicate: false,
        });
        Some(Arrival { to: node.name.clone(), datagram })
    }

    /// A packet ends at a node's NAT or socket, or, where there is no such node, in the core.
    fn drop_at_node(&mut self, datagram: &Datagram, node: Option<NodeIndex>, reason: DropReason) {
        let place = node.map_or("core", |index| self.nodes[index].name.as_str()).to_owned();
        self.log_dropped(datagram, place, reason);
    }

    fn drop_on_link(&mut self, datagram: &Datagram, node: NodeIndex, direction: Direction, reason: DropReason) {
        let place = self.nodes[node].link(direction).name.as_str().to_owned();
        self.log_dropped(datagram, place, reason);
    }

    fn log_dropped(&mut self, datagram: &Datagram, place: String, reason: DropReason) {
        self.counts.dropped += 1;
        event!(PacketDropped { packet: datagram.packet, place, reason });
    }
}

struct Node {
    name: ActorName,
    address: IpAddr,
    home: Option<HomeIndex>,
    is_up: bool,
    up: Link,
    down: Link,
}

impl Node {
    fn link(&mut self, direction: Direction) -> &mut Link {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Direction {
    fn link_of(self, node: &ActorName) -> LinkName {
        LinkName::from(format!("{node}/{}", self.as_str()))
    }

    fn as_str(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

/// A packet under way: at `node`, its sender's up to the gate and its receiver's from there.
struct Flight {
    datagram: Datagram,
    node: NodeIndex,
    stage: Stage,
    legs: Legs,
}

/// What is due for a packet.
#[derive(Clone, Copy)]
enum Stage {
    /// It leaves its uplink.
    AtGate,
    /// It leaves its downlink.
    AtSocket,
    /// Its loss on this link of its node.
    LostOn(Direction),
}

#[derive(Clone, Copy, Default)]
struct Legs {
    uplink_queue: Micros,
    serialization: Micros,
    propagation: Micros,
    downlink_queue: Micros,
}

impl Legs {
    fn add(&mut self, direction: Direction, passage: &Passage) {
        match direction {
            Direction::Up => self.uplink_queue += passage.queue,
            Direction::Down => self.downlink_queue += passage.queue,
        }
        self.serialization += passage.serialization;
        self.propagation += passage.propagation;
    }
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
