//! The stage: the fabric, the actors and everything that is due, in time order to the microsecond.
//!
//! Devices and servers have a turmoil host each, which boots and halts them. Cross traffic has none: it takes its seats
//! here directly. It has no life cycle, and turmoil's cost grows with about the cube of its idle hosts.

use crate::{
    actor::{Actor, ActorInput, ActorOutput},
    people::{Intent, People, Sight},
    push::{Delivery, PushService},
    run::WorldError,
    schedule::{Schedule, Trail, Turn},
    stack::Left,
    store::{Found, StoreDriver},
};
use client::{Saved, Work};
use kernel::{
    ActorName, LinkName, Micros, SimTime, UserName, event,
    event::Act,
    packet::Datagram,
    plan::{LinkChange, NatStep, TRAFFIC_PORTS, TrafficEnd},
    random::{self, SeedTree},
    time,
};
use network::{Arrival, Fabric};
use signaling::Commit;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// More steps or arrivals than anybody needs at one instant: beyond it somebody acts without letting time pass.
const MAX_STEPS_AT_ONE_INSTANT: u32 = 100_000;
/// More wakes than anybody needs in a millisecond: one each 4 us.
const MAX_WAKES_A_MILLISECOND: u32 = 250;
/// So many milliseconds on end with more wakes than that are no burst.
const MAX_RESTLESS_MS: u32 = 100;

enum Todo {
    Act(ActorName, Act),
    /// Work that an actor queued.
    Work(ActorName, Work),
    /// The first transaction that is under way becomes durable.
    Durable(ActorName),
    /// A server crashes.
    Crash(ActorName),
    /// A user reads a one-time code.
    Mail(UserName, String),
    Link(LinkName, Box<LinkChange>),
    Nat(NatStep),
    Snapshot,
    /// The push service reaches a device, or does not.
    Push(ActorName),
}

/// How long a one-time code takes to its mailbox and to whoever reads it there: a documented constant, not a measurement.
const MAIL: Micros = Micros::from_secs(3);

/// How often an actor wakes. What wakes again at the same instant is not counted here.
#[derive(Default)]
struct Wakes {
    last: SimTime,
    in_this_millisecond: u32,
    /// Milliseconds before this one, on end, with more wakes than anybody needs.
    restless_ms: u32,
}

impl Wakes {
    /// Counts a wake, and says for how many milliseconds the actor has been restless.
    fn count(&mut self, now: SimTime) -> u32 {
        match now.as_millis() - self.last.as_millis() {
            0 => self.in_this_millisecond += u32::from(now > self.last),
            gap => {
                let was_restless = gap == 1 && self.in_this_millisecond > MAX_WAKES_A_MILLISECOND;
                self.restless_ms = if was_restless { self.restless_ms + 1 } else { 0 };
                self.in_this_millisecond = 1;
            }
        }
        self.last = now;
        self.restless_ms
    }
}

struct Seat {
    actor: Box<dyn Actor>,
    /// The node whose links carry its packets: its own, but for guests.
    host: ActorName,
    /// When the actor wants to wake, as it said when its outputs were last drained.
    wake: Option<SimTime>,
    wakes: Wakes,
}

/// A server is to crash so long after it hands a transaction with this kind of fact to its store.
struct Trap {
    node: ActorName,
    of: String,
    after: Micros,
}

pub(crate) struct Stage {
    fabric: Fabric,
    seats: BTreeMap<ActorName, Seat>,
    /// Each seat's wake by time, so that nobody is looked at who sleeps.
    wakes: BTreeSet<(SimTime, ActorName)>,
    people: People,
    /// Who sits behind some ports of a node instead of the node's own actor: by node and number of the block of ports.
    guests: BTreeMap<(ActorName, u16), ActorName>,
    todos: BTreeMap<(SimTime, u64), Todo>,
    sequence: u64,
    /// Where one is asked for, who comes first of those that are due at one instant.
    schedule: Option<Schedule>,
    /// Datagrams that arrive at this instant and whose turn has not come.
    arrived: BTreeMap<ActorName, VecDeque<Datagram>>,
    friendships: BTreeSet<(ActorName, UserName)>,
    /// The credentials that hold at each relay: user name, password, and until when.
    grants: BTreeMap<ActorName, BTreeMap<String, (String, SimTime)>>,
    push_service: PushService,
    stores: BTreeMap<ActorName, StoreDriver>,
    /// What devices keep whose apps crashed.
    saved: BTreeMap<ActorName, Saved>,
    /// How often each device's app was started again. It is no part of what the app keeps.
    boots: BTreeMap<ActorName, u32>,
    /// What a crash leaves on a disk is drawn below this node.
    disks: SeedTree,
    traps: Vec<Trap>,
    /// A server whose time has come: turmoil is to crash it at this instant.
    crashing: Option<ActorName>,
    error: Option<WorldError>,
}

impl Stage {
    pub(crate) fn new(
        fabric: Fabric,
        people: People,
        push_service: PushService,
        disks: SeedTree,
        schedule: Option<Schedule>,
    ) -> Stage {
        Stage {
            fabric,
            seats: BTreeMap::new(),
            wakes: BTreeSet::new(),
            people,
            guests: BTreeMap::new(),
            todos: BTreeMap::new(),
            sequence: 0,
            schedule,
            arrived: BTreeMap::new(),
            friendships: BTreeSet::new(),
            grants: BTreeMap::new(),
            push_service,
            stores: BTreeMap::new(),
            saved: BTreeMap::new(),
            boots: BTreeMap::new(),
            disks,
            traps: Vec::new(),
            crashing: None,
            error: None,
        }
    }

    /// An actor boots: from now on it receives.
    pub(crate) fn boot(&mut self, name: &ActorName, actor: Box<dyn Actor>) {
        self.fabric.set_up(name, true);
        self.seat(name, name, actor);
    }

    /// An end of cross traffic takes its ports at its host, for the whole run.
    pub(crate) fn seat_traffic(&mut self, name: &ActorName, end: &TrafficEnd, actor: Box<dyn Actor>) {
        self.guests.insert((end.host.clone(), end.address.port() / TRAFFIC_PORTS), name.clone());
        self.seat(name, &end.host, actor);
    }

    fn seat(&mut self, name: &ActorName, host: &ActorName, actor: Box<dyn Actor>) {
        self.seats.insert(name.clone(), Seat { actor, host: host.clone(), wake: None, wakes: Wakes::default() });
        self.drain(name);
        // A relay that starts again is told over the control channel what holds.
        let now = time::now();
        for (username, (password, until)) in self.grants.get(name).cloned().unwrap_or_default() {
            if until > now {
                self.tell(name, ActorInput::Grant { username, password, lifetime: until.since(now) });
            }
        }
    }

    /// An actor stops, with everything that it held in memory.
    pub(crate) fn halt(&mut self, name: &ActorName) {
        self.fabric.set_up(name, false);
        if let Some(seat) = self.seats.remove(name) {
            seat.wake.map(|at| self.wakes.remove(&(at, name.clone())));
            self.saved.extend(seat.actor.saved().map(|saved| (name.clone(), saved)));
        }
        self.todos.retain(|_, todo| !matches!(todo, Todo::Durable(node) | Todo::Work(node, _) if node == name));
        self.arrived.remove(name);
        if let Some(store) = self.stores.get_mut(name) {
            let now = time::now();
            let dice = self.disks.child(name.as_str()).child(&now.0.to_string());
            let transactions = store.crash(now, &mut dice.stream("survivors"));
            if !transactions.is_empty() {
                event!(StoreInterrupted { node: name.clone(), transactions });
            }
        }
    }

    /// A server is to crash so long after it hands a transaction with this kind of fact to its store.
    pub(crate) fn crash_in_commit(&mut self, node: &ActorName, of: &str, after: Micros) {
        self.traps.push(Trap { node: node.clone(), of: of.to_owned(), after });
    }

    /// The core between two nodes is cut, or mended.
    pub(crate) fn set_cut(&mut self, one: &ActorName, other: &ActorName, is_cut: bool) {
        self.fabric.set_cut(one, other, is_cut);
    }

    /// An interface of a device comes up or goes down, and the device's operating system tells it.
    pub(crate) fn set_interface(&mut self, interface: &ActorName, is_up: bool) {
        self.fabric.set_interface(interface, is_up);
        let device = self.fabric.owner(interface).clone();
        let interfaces = self.fabric.interfaces(&device);
        self.tell(&device, ActorInput::Interfaces(interfaces));
    }

    /// Somebody copies what the store of a server holds.
    pub(crate) fn copy_store(&mut self, name: &ActorName) {
        self.stores.entry(name.clone()).or_default().copy(time::now());
    }

    /// The last copy takes the place of the store of a server that stopped.
    pub(crate) fn restore_store(&mut self, name: &ActorName) {
        if let Some(copied) = self.stores.entry(name.clone()).or_default().put_back() {
            event!(StoreRestored { node: name.clone(), copied });
        }
    }

    /// What an app that crashed left on its device; none for one that starts for the first time.
    pub(crate) fn take_left(&mut self, name: &ActorName) -> Option<Left> {
        let saved = self.saved.remove(name)?;
        let boots = self.boots.entry(name.clone()).or_default();
        *boots += 1;
        Some(Left { boots: *boots, saved })
    }

    /// What a server that stopped left in its store; none for one that starts for the first time.
    pub(crate) fn mount(&mut self, name: &ActorName) -> Option<Found> {
        let mounted = self.stores.entry(name.clone()).or_default().mount();
        mounted.unwrap_or_else(|error| {
            self.error = Some(WorldError::Store(error.to_string()));
            None
        })
    }

    /// A user acts at an exact instant, not before now.
    pub(crate) fn intend(&mut self, Intent { at, device, act }: Intent) {
        self.push(at, Todo::Act(device, act));
    }

    /// A link changes at an exact instant.
    pub(crate) fn change_link_at(&mut self, at: SimTime, link: &LinkName, change: &LinkChange) {
        self.push(at, Todo::Link(link.clone(), Box::new(change.clone())));
    }

    /// Something happens to a NAT at an exact instant.
    pub(crate) fn change_nat_at(&mut self, at: SimTime, step: NatStep) {
        self.push(at, Todo::Nat(step));
    }

    /// Every server shows what it holds at an exact instant.
    pub(crate) fn snapshot_at(&mut self, at: SimTime) {
        self.push(at, Todo::Snapshot);
    }

    /// Steps so far in which there was a choice of who comes first; 0 without a schedule.
    pub(crate) fn choices(&self) -> (u64, Trail) {
        self.schedule.as_ref().map_or_else(Default::default, |schedule| (schedule.choices(), schedule.trail().clone()))
    }

    /// Whether a device was signed in, at least once.
    pub(crate) fn is_signed_in(&self, device: &ActorName) -> bool {
        self.people.is_signed_in(device)
    }

    /// Whether the user of a device was told that a friendship began.
    pub(crate) fn has_friend(&self, device: &ActorName, friend: &UserName) -> bool {
        self.friendships.contains(&(device.clone(), friend.clone()))
    }

    /// Runs everything up to and including `limit`, each thing at its own microsecond. Stops earlier where a server is to
    /// crash, and says which.
    pub(crate) fn run_until(&mut self, limit: SimTime) -> Result<Option<ActorName>, WorldError> {
        let mut steps = 0;
        while let Some(at) = self.next_event().filter(|at| *at <= limit) {
            steps = if at > time::now() { 0 } else { steps + 1 };
            if steps > MAX_STEPS_AT_ONE_INSTANT {
                return Err(WorldError::Stuck { at, who: self.due_actors(at) });
            }
            time::set_now(at.max(time::now()));
            match self.schedule.take() {
                None => self.step(),
                Some(mut schedule) => {
                    self.step_by(&mut schedule);
                    self.schedule = Some(schedule);
                }
            }
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            if let Some(node) = self.crashing.take() {
                return Ok(Some(node));
            }
        }
        time::set_now(limit.max(time::now()));
        Ok(None)
    }

    fn next_event(&self) -> Option<SimTime> {
        let todo = self.todos.first_key_value().map(|((at, _), _)| *at);
        let wake = self.wakes.first().map(|(at, _)| *at);
        time::earliest([todo, wake, self.fabric.next_event()])
    }

    /// Does what is due now: first what people, stores and links do, then arrivals, then timers.
    fn step(&mut self) {
        let now = time::now();
        while let Some(entry) = self.todos.first_entry().filter(|entry| entry.key().0 <= now) {
            let todo = entry.remove();
            self.carry_out(todo);
            if self.crashing.is_some() {
                return;
            }
        }
        let mut arrivals = 0;
        while let Some(arrival) = self.fabric.poll() {
            arrivals += 1;
            if arrivals > MAX_STEPS_AT_ONE_INSTANT {
                self.error = Some(WorldError::Stuck { at: now, who: arrival.to.to_string() });
                return;
            }
            let (to, datagram) = self.receiver(arrival);
            self.tell(&to, ActorInput::Datagram(datagram));
        }
        for name in self.due(now) {
            self.wake(&name, now);
        }
    }

    /// Does what is due now, one thing after the other, each time the one that the schedule lets go first. What is queued
    /// for one actor in one queue keeps its order.
    fn step_by(&mut self, schedule: &mut Schedule) {
        let now = time::now();
        for _ in 0..MAX_STEPS_AT_ONE_INSTANT {
            while let Some(arrival) = self.fabric.poll() {
                let (to, datagram) = self.receiver(arrival);
                self.arrived.entry(to).or_default().push_back(datagram);
            }
            let turns = self.turns(now);
            let Some(turn) = schedule.choose(&turns) else { return };
            self.take_turn(turn, now);
            if self.error.is_some() || self.crashing.is_some() {
                return;
            }
        }
        self.error = Some(WorldError::Stuck { at: now, who: "the schedule".into() });
    }

    /// Who could go next, each queue once.
    fn turns(&self, now: SimTime) -> Vec<Turn> {
        let due = self.todos.iter().take_while(|((at, _), _)| *at <= now);
        let todos = due.map(|(_, todo)| turn_of(todo));
        let arrivals = self.arrived.keys().cloned().map(Turn::Arrival);
        let mut turns: Vec<Turn> = todos.chain(arrivals).chain(self.due(now).into_iter().map(Turn::Wake)).collect();
        turns.sort_unstable();
        turns.dedup();
        turns
    }

    fn take_turn(&mut self, turn: &Turn, now: SimTime) {
        match turn {
            Turn::Arrival(name) => {
                let Some(queue) = self.arrived.get_mut(name) else { return };
                let datagram = queue.pop_front();
                if queue.is_empty() {
                    self.arrived.remove(name);
                }
                datagram.into_iter().for_each(|datagram| self.tell(name, ActorInput::Datagram(datagram)));
            }
            Turn::Wake(name) => self.wake(name, now),
            queued => {
                let key = self.todos.iter().find(|(_, todo)| turn_of(todo) == *queued).map(|(key, _)| *key);
                if let Some(todo) = key.and_then(|key| self.todos.remove(&key)) {
                    self.carry_out(todo);
                }
            }
        }
    }

    /// Who gets what arrived at a node: the node's own actor, or a guest behind the port.
    fn receiver(&self, Arrival { to, datagram }: Arrival) -> (ActorName, Datagram) {
        let guest = self.guests.get(&(to.clone(), datagram.destination.port() / TRAFFIC_PORTS)).cloned();
        (guest.unwrap_or(to), datagram)
    }

    /// Tells an actor that its time has come. One that wants to wake at every microsecond lets time pass, and hardly.
    fn wake(&mut self, name: &ActorName, now: SimTime) {
        if let Some(seat) = self.seats.get_mut(name)
            && seat.wakes.count(now) >= MAX_RESTLESS_MS
        {
            self.error = Some(WorldError::Restless { at: now, who: name.clone() });
        }
        self.tell(name, ActorInput::Timeout);
    }

    fn carry_out(&mut self, todo: Todo) {
        match todo {
            Todo::Act(device, act) => self.tell(&device, ActorInput::Act(act)),
            Todo::Work(name, work) => self.tell(&name, ActorInput::Work(work)),
            Todo::Durable(node) => {
                if let Some(tx) = self.stores.get_mut(&node).and_then(StoreDriver::settle) {
                    self.tell(&node, ActorInput::Committed(tx));
                }
            }
            Todo::Crash(node) => self.crashing = Some(node),
            Todo::Mail(user, code) => {
                // The mailbox is at hand wherever its owner is.
                for device in self.people.devices_of(&user) {
                    self.tell(&device, ActorInput::Mail(code.clone()));
                }
            }
            Todo::Link(link, change) => {
                if let Err(error) = self.fabric.change_link(&link, &change) {
                    self.error = Some(WorldError::Plan(error.to_string()));
                }
            }
            Todo::Nat(step) => {
                if let Err(error) = self.fabric.change_nat(&step.device, step.carrier, step.change) {
                    self.error = Some(WorldError::Plan(error.to_string()));
                }
            }
            Todo::Snapshot => self.snapshot(),
            Todo::Push(device) => self.deliver_push(&device),
        }
    }

    /// The push service wakes a device that has a network, and tries again where it has none.
    fn deliver_push(&mut self, device: &ActorName) {
        let is_reachable = !self.fabric.interfaces(device).is_empty();
        match self.push_service.deliver(device, is_reachable, time::now()) {
            Delivery::Wake => self.tell(device, ActorInput::Push),
            Delivery::Again(at) => self.push(at, Todo::Push(device.clone())),
            Delivery::Lost => {}
        }
    }

    fn snapshot(&self) {
        for (name, seat) in &self.seats {
            if let Some((what, bytes)) = seat.actor.snapshot() {
                event!(Snapshot { node: name.clone(), what: what.to_owned(), bytes: kernel::log::store(&bytes) });
            }
        }
    }

    /// Gives an actor an input and does what it wants. An actor that is down gets nothing.
    fn tell(&mut self, name: &ActorName, input: ActorInput) {
        let Some(seat) = self.seats.get_mut(name) else { return };
        let _wall = random::wall();
        random::act_as(name.as_str());
        seat.actor.handle(input, time::now());
        self.drain(name);
        random::act_as("world");
    }

    fn drain(&mut self, name: &ActorName) {
        let now = time::now();
        for _ in 0..MAX_STEPS_AT_ONE_INSTANT {
            let Some(seat) = self.seats.get_mut(name) else { return };
            random::act_as(name.as_str());
            let Some(output) = seat.actor.poll(now) else {
                let wake = seat.actor.next_wake();
                let before = std::mem::replace(&mut seat.wake, wake);
                if before != wake {
                    before.map(|at| self.wakes.remove(&(at, name.clone())));
                    wake.map(|at| self.wakes.insert((at, name.clone())));
                }
                return;
            };
            self.fulfil(name, output, now);
        }
        self.error = Some(WorldError::Stuck { at: now, who: name.to_string() });
    }

    /// Does what an actor wants.
    fn fulfil(&mut self, name: &ActorName, output: ActorOutput, now: SimTime) {
        match output {
            ActorOutput::Transmit(datagram) => {
                let Some(seat) = self.seats.get(name) else { return };
                self.fabric.send(&seat.host, datagram);
            }
            ActorOutput::Screen(screen) => self.show(name, &Sight::Screen(screen)),
            ActorOutput::FriendRequest(user) => self.show(name, &Sight::FriendRequest(user)),
            ActorOutput::NewDevice(device) => self.show(name, &Sight::NewDevice(device)),
            ActorOutput::FriendAdded(user) => {
                self.friendships.insert((name.clone(), user));
            }
            ActorOutput::SignedIn => {
                let intents = self.people.signed_in(name, now);
                intents.into_iter().for_each(|intent| self.intend(intent));
            }
            ActorOutput::Queue(work) => self.push(now, Todo::Work(name.clone(), work)),
            ActorOutput::Commit(commit) => self.commit(name, commit, now),
            // Mail goes out of band: no packet of the simulation carries it, and no part of the calling system but its issuer sees it.
            ActorOutput::Mail { user, code } => self.push(now + MAIL, Todo::Mail(user, code)),
            // Signaling and relays share an operator: the control channel between them is not simulated as packets.
            ActorOutput::GrantRelay { relay, username, password, lifetime } => {
                let until = now + lifetime;
                self.grants.entry(relay.clone()).or_default().insert(username.clone(), (password.clone(), until));
                self.tell(&relay, ActorInput::Grant { username, password, lifetime });
            }
            // Nor is that between a server, the push service and the operating systems of its devices.
            ActorOutput::Push(request) => {
                if let Some((device, at)) = self.push_service.ask(&request, now) {
                    self.push(at, Todo::Push(device));
                }
            }
            ActorOutput::RevokeRelay { relay, username } => {
                self.grants.entry(relay.clone()).or_default().remove(&username);
                self.tell(&relay, ActorInput::Revoke { username });
            }
        }
    }

    fn commit(&mut self, name: &ActorName, commit: Commit, now: SimTime) {
        let springs = |trap: &Trap| trap.node == *name && commit.facts.iter().any(|fact| fact.kind() == trap.of);
        if let Some(trap) = self.traps.iter().position(springs) {
            let after = self.traps.remove(trap).after;
            self.push(now + after, Todo::Crash(name.clone()));
        }
        match self.stores.entry(name.clone()).or_default().commit(commit, now) {
            Ok(durable) => self.push(durable, Todo::Durable(name.clone())),
            Err(error) => self.error = Some(WorldError::Store(error.to_string())),
        }
    }

    fn show(&mut self, device: &ActorName, sight: &Sight) {
        let intents = self.people.see(device, sight, time::now());
        intents.into_iter().for_each(|intent| self.intend(intent));
    }

    /// Who wants to be woken, in the order of their names.
    fn due(&self, now: SimTime) -> Vec<ActorName> {
        let mut due: Vec<ActorName> =
            self.wakes.iter().take_while(|(at, _)| *at <= now).map(|(_, name)| name.clone()).collect();
        due.sort_unstable();
        due
    }

    fn due_actors(&self, at: SimTime) -> String {
        self.due(at).iter().map(ActorName::as_str).collect::<Vec<_>>().join(", ")
    }

    fn push(&mut self, at: SimTime, todo: Todo) {
        self.todos.insert((at.max(time::now()), self.sequence), todo);
        self.sequence += 1;
    }
}

/// The queue that something waits in.
fn turn_of(todo: &Todo) -> Turn {
    match todo {
        Todo::Act(device, _) => Turn::Act(device.clone()),
        Todo::Mail(..) => Turn::Mail,
        Todo::Work(name, work) => Turn::Work(name.clone(), *work),
        Todo::Durable(node) | Todo::Crash(node) => Turn::Store(node.clone()),
        Todo::Link(..) | Todo::Nat(_) => Turn::Network,
        Todo::Snapshot => Turn::Snapshot,
        Todo::Push(device) => Turn::Push(device.clone()),
    }
}
