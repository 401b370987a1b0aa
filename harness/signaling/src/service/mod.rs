//! The service behind the channel: which requests are worked on when, and what leaves when.

mod accounts;
mod attachments;
mod calls;
mod change;
mod codes;
mod devices;
mod dispatch;
mod friends;
mod handover;
mod limits;
mod passwords;
mod push;
mod replica;
mod settings;
mod store;
mod table;
mod threads;
mod transaction;
mod view;

#[cfg(test)]
mod account_table;
#[cfg(test)]
mod attachment_table;
#[cfg(test)]
mod call_table;
#[cfg(test)]
pub(crate) mod conversation;
#[cfg(test)]
mod handover_table;
#[cfg(test)]
mod model;
#[cfg(test)]
mod password_table;
#[cfg(test)]
mod push_table;
#[cfg(test)]
mod refusal_table;
#[cfg(test)]
mod thread_table;

pub use change::{BrokenRow, Change, Commit, RowId, TableName};
pub use view::ActiveCall;

use crate::{
    config::{Argon2Cost, RelayEndpoint, ServerConfig, ServiceCosts},
    naming::call_of_server_message,
};
use calls::GateCache;
use kernel::{
    mutant,
    names::{ActorName, CallId, UserName},
    random::Stream,
    time::{Micros, SimTime},
};
use protocol::{ClientMessage, ConnectionId, PushRequest, ServerMessage};
use push::Pushes;
use replica::Replica;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
};
use store::{Stage, Store};
use transaction::{Effect, Transaction};

/// How long a call rings (SM-8).
pub const RING_TIME_OUT: Micros = Micros::from_secs(60);
/// How long a call rings on without its caller's connection.
pub const DISCONNECTED_CALLER_GRACE: Micros = Micros::from_secs(10);
/// How long a live call lasts without the connection of one end.
pub const DISCONNECTED_LIVE_GRACE: Micros = Micros::from_secs(30);

/// Most requests of one connection that wait; more are dropped.
const MAX_WAITING_PER_CONNECTION: u32 = 64;

/// A transaction of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TxId(pub u64);

/// What happens to the service.
#[derive(Clone, Debug)]
pub enum ServiceInput {
    /// A message came over a connection.
    Message(ConnectionId, ClientMessage),
    /// From where a connection was last heard: it comes before the message.
    Heard(ConnectionId, IpAddr),
    /// A connection is gone.
    Closed(ConnectionId),
    /// [`Service::next_wake`] has come.
    Timeout,
    /// The store made a transaction durable.
    Committed(TxId),
    /// The store did not take a transaction: another core changed what it is made of.
    Conflict(TxId),
    /// Another core's transaction, by its place in the store's order.
    Replicated(u64, Vec<Change>),
}

/// What the service wants done, in this order.
#[expect(clippy::large_enum_variant, reason = "most outputs are messages; a box each would cost more than it saves")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceOutput {
    /// Send a message.
    Send {
        /// Over which connection.
        connection: ConnectionId,
        /// To which device; none before it signed in.
        device: Option<ActorName>,
        /// What.
        message: ServerMessage,
    },
    /// Make a transaction durable, and say when it is.
    Commit(Commit),
    /// Close a connection, after what was sent over it.
    Close(ConnectionId),
    /// Send a one-time code to the mailbox of a user.
    Mail {
        /// Whose.
        user: UserName,
        /// The code: decimal digits.
        code: String,
    },
    /// Tell a relay of a credential.
    GrantRelay {
        /// Which relay.
        relay: ActorName,
        /// TURN user name.
        username: String,
        /// TURN password.
        password: String,
        /// How long it is good for.
        lifetime: Micros,
    },
    /// Make a relay forget a credential and drop its allocation.
    RevokeRelay {
        /// Which relay.
        relay: ActorName,
        /// TURN user name.
        username: String,
    },
    /// Ask the push service to wake a device.
    Push(PushRequest),
}

/// Accounts, friends, threads and calls over abstract connections.
///
/// One request is worked on at a time, in the order of arrival. Its work takes simulated time (store accesses,
/// password hashes); then its facts are committed; what it says leaves when they are durable; then comes the next one.
/// So every read sees all earlier transactions, and nobody hears of a transaction that could still be lost.
#[derive(Clone)]
pub struct Service {
    name: ActorName,
    relays: Vec<RelayEndpoint>,
    password_cost: Argon2Cost,
    costs: ServiceCosts,
    tokens: Stream,
    salts: Stream,
    relay_credentials: Stream,
    codes: Stream,
    store: Store,
    passes_before_accept: bool,
    connections: BTreeMap<ConnectionId, Connection>,
    online: BTreeMap<ActorName, ConnectionId>,
    queue: VecDeque<Request>,
    expiring: BTreeSet<CallId>,
    /// Whether [`Request::Forget`] waits in the queue.
    forgetting: bool,
    /// Accepts by somebody whom nobody calls.
    attacks: u64,
    /// Which core this is, and of how many.
    core: (u8, u8),
    replica: Replica,
    gate_cache: GateCache,
    pushes: Pushes,
    phase: Phase,
    next_tx: u64,
    outputs: VecDeque<ServiceOutput>,
}

#[derive(Clone, Default)]
struct Connection {
    device: Option<ActorName>,
    /// From where it was last heard.
    address: Option<IpAddr>,
    waiting: u32,
}

#[derive(Clone)]
enum Request {
    Message(ConnectionId, ClientMessage),
    Closed(ConnectionId),
    /// A device lost its connection.
    Gone(ActorName),
    Expire(CallId),
    /// Pictures are due to go.
    Forget,
    /// A call that another core placed rings at devices of this one.
    Deliver(CallId),
    /// Another core left messages for a device of this one.
    Collect(ActorName),
}

#[derive(Clone)]
enum Phase {
    Idle,
    Working { until: SimTime, work: Transaction },
    Committing { tx: TxId, work: Transaction },
}

impl Service {
    /// A service without accounts.
    pub fn new(config: &ServerConfig) -> Service {
        let seeds = config.boot_seeds("service");
        Service {
            name: config.name.clone(),
            relays: config.relays.clone(),
            password_cost: config.password_cost,
            costs: config.costs,
            tokens: seeds.stream("tokens"),
            salts: seeds.stream("salts"),
            relay_credentials: seeds.stream("relay credentials"),
            codes: seeds.stream("codes"),
            store: Store::default(),
            passes_before_accept: false,
            connections: BTreeMap::new(),
            online: BTreeMap::new(),
            queue: VecDeque::new(),
            expiring: BTreeSet::new(),
            forgetting: false,
            attacks: 0,
            core: (0, 1),
            replica: Replica::default(),
            gate_cache: GateCache::default(),
            pushes: Pushes::default(),
            phase: Phase::Idle,
            next_tx: 1,
            outputs: VecDeque::new(),
        }
    }

    /// A service that starts again with the rows of its durable store. Calls that rang are
    /// over; live ones last if both ends attach again in time (call-machine.md, row "crash + restart").
    ///
    /// # Errors
    /// When a row is none of the service's.
    pub fn restore(config: &ServerConfig, rows: &[Change], now: SimTime) -> Result<Service, BrokenRow> {
        let mut service = Service { store: Store::restore(rows)?, ..Service::new(config) };
        service.store.change_calls(
            |_| true,
            |call| match call.ends().map(|(caller, callee)| [caller.clone(), callee.clone()]) {
                Some(ends) => call.gone = ends.map(|device| (device, now)).into(),
                None => call.forgotten = true,
            },
        );
        Ok(service)
    }

    /// Makes the service collude with callers: their peer messages pass to devices that only ring.
    pub(crate) fn pass_before_accept(&mut self, passes: bool) {
        self.passes_before_accept = passes;
    }

    /// Takes an input; afterwards [`Service::poll`] until it has nothing.
    pub fn handle(&mut self, input: ServiceInput, now: SimTime) {
        match input {
            ServiceInput::Message(connection, message) => self.enqueue(connection, message),
            ServiceInput::Heard(connection, address) => {
                self.connections.entry(connection).or_default().address = Some(address);
            }
            ServiceInput::Closed(connection) => {
                // From now on messages wait for the device. Requests that came before are still worked on.
                self.online.retain(|_, online| *online != connection);
                self.queue.push_back(Request::Closed(connection));
            }
            ServiceInput::Timeout => {}
            ServiceInput::Committed(tx) => self.committed(tx, now),
            ServiceInput::Conflict(tx) => self.conflict(tx, now),
            ServiceInput::Replicated(place, changes) => self.replicated(place, changes),
        }
        self.enqueue_expired(now);
        self.enqueue_forgetting(now);
        self.advance(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<ServiceOutput> {
        self.outputs.pop_front()
    }

    /// When the service wants [`ServiceInput::Timeout`].
    pub fn next_wake(&self) -> Option<SimTime> {
        let working = match &self.phase {
            Phase::Working { until, .. } => *until,
            Phase::Idle | Phase::Committing { .. } => SimTime::NEVER,
        };
        let deadlines = self.store.calls().filter(|call| !self.expiring.contains(&call.id)).map(store::Call::deadline);
        let forgetting = self.store.next_expiry().filter(|_| !self.forgetting).unwrap_or(SimTime::NEVER);
        Some(deadlines.fold(working.min(forgetting), SimTime::min)).filter(|wake| *wake != SimTime::NEVER)
    }

    fn enqueue(&mut self, connection: ConnectionId, message: ClientMessage) {
        let waiting = &mut self.connections.entry(connection).or_default().waiting;
        if *waiting >= MAX_WAITING_PER_CONNECTION {
            return self.log("warn", "a connection sends faster than it is served".into());
        }
        *waiting += 1;
        self.queue.push_back(Request::Message(connection, message));
    }

    fn enqueue_expired(&mut self, now: SimTime) {
        let due: Vec<CallId> = self.store.calls().filter(|call| call.deadline() <= now).map(|call| call.id).collect();
        for call in due {
            if self.expiring.insert(call) {
                self.queue.push_back(Request::Expire(call));
            }
        }
    }

    fn advance(&mut self, now: SimTime) {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Idle) {
                Phase::Idle => {
                    self.catch_up_with_others(now);
                    let Some(request) = self.queue.pop_front() else { return };
                    self.take_up(request, now);
                }
                Phase::Working { until, mut work } if until <= now => {
                    // Where there are several cores, what was only read must have been true too.
                    if work.facts.is_empty() && !work.always_commits && !self.is_one_of_several() {
                        self.release(work, now);
                    } else {
                        let commit = self.hand_in(&mut work);
                        let tx = commit.tx;
                        self.outputs.push_back(ServiceOutput::Commit(commit));
                        if mutant!(V117) {
                            self.release(work, now);
                        } else {
                            self.phase = Phase::Committing { tx, work };
                        }
                    }
                }
                waiting => {
                    self.phase = waiting;
                    return;
                }
            }
        }
    }

    fn take_up(&mut self, request: Request, now: SimTime) {
        if let Request::Message(connection, _) = &request
            && let Some(entry) = self.connections.get_mut(connection)
        {
            entry.waiting -= 1;
        }
        self.remember(&request);
        self.store.begin();
        let mut work = Transaction::new(now);
        self.run(request, &mut work);
        let until = now + self.charge(&work);
        self.phase = Phase::Working { until, work };
    }

    /// What the store is to make durable of the work.
    fn hand_in(&mut self, work: &mut Transaction) -> Commit {
        let tx = TxId(self.next_tx);
        self.next_tx += u64::from(self.core.1);
        let facts = work.facts.clone();
        if !self.is_one_of_several() {
            return Commit { tx, facts, changes: self.store.take_changes(), ..Commit::default() };
        }
        self.post(work);
        Commit { tx, facts, reads: self.store.reads(), changes: self.store.take_changes(), seen: self.replica.seen }
    }

    /// The simulated time that the work took.
    fn charge(&self, work: &Transaction) -> Micros {
        let costs = self.costs;
        Micros(self.store.take_accesses() * costs.store_access.0 + work.hashes * costs.password_hash.0)
    }

    fn committed(&mut self, tx: TxId, now: SimTime) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Committing { tx: awaited, work } if awaited == tx => self.release(work, now),
            other => self.phase = other,
        }
    }

    /// Facts are durable: says what follows from them.
    fn release(&mut self, work: Transaction, now: SimTime) {
        for fact in work.facts {
            kernel::event!(Store { node: self.name.clone(), fact });
        }
        for effect in work.effects {
            match effect {
                Effect::Reply(connection, message) => {
                    let device = self.device_of(connection);
                    self.outputs.push_back(ServiceOutput::Send { connection, device, message });
                }
                Effect::Tell(device, message) => self.tell(device, message, now),
                Effect::Ring { device, call } => self.ring(&device, call, now),
                Effect::LogOut(device) => self.disconnect(&device),
                Effect::Mail { user, code } => self.outputs.push_back(ServiceOutput::Mail { user, code }),
                Effect::Nudge(device) => self.nudge(&device, None, now),
                Effect::Grant { relay, username, password, lifetime } => {
                    self.outputs.push_back(ServiceOutput::GrantRelay { relay, username, password, lifetime });
                }
                Effect::Revoke { relay, username } => {
                    self.outputs.push_back(ServiceOutput::RevokeRelay { relay, username });
                }
            }
        }
        // What a ring is made of was read for the invite: the next request must not pay for it, or its time would tell
        // what the one before was.
        self.store.take_accesses();
    }

    /// The last that a device hears.
    fn disconnect(&mut self, device: &ActorName) {
        let Some(connection) = self.online.remove(device) else { return };
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.device = None;
        }
        let (device, message) = (Some(device.clone()), ServerMessage::LoggedOut);
        self.outputs.push_back(ServiceOutput::Send { connection, device, message });
        self.outputs.push_back(ServiceOutput::Close(connection));
    }

    fn tell(&mut self, device: ActorName, message: ServerMessage, now: SimTime) {
        match self.online.get(&device) {
            Some(&connection) => {
                self.outputs.push_back(ServiceOutput::Send { connection, device: Some(device), message });
            }
            None => {
                let about = call_of_server_message(&message);
                self.store.keep(&device, message, self.core);
                self.nudge(&device, about, now);
            }
        }
    }

    fn ring(&mut self, device: &ActorName, call: CallId, now: SimTime) {
        let Some(&connection) = self.online.get(device) else { return self.nudge(device, Some(call), now) };
        let ringing = self.store.call(call).filter(|found| found.stage == Stage::Ringing);
        let Some((caller, callee)) = ringing.map(|found| (found.caller.clone(), found.callee.clone())) else { return };
        // The gate again, at the delivery.
        if !self.may_ring(&caller, &callee, now) {
            return;
        }
        let Some(found) = self.store.call(call) else { return };
        let keys = self.store.account(&found.caller).and_then(|account| account.devices.get(&found.caller_device));
        let (Some(offer), Some(caller)) = (found.offers.get(device), keys) else { return };
        let mut message = ServerMessage::Ring {
            call,
            from: found.caller.clone(),
            caller: caller.clone(),
            video: found.video,
            age: now.since(found.invited),
            offer: offer.clone(),
            relays: Vec::new(),
        };
        if mutant!(V128)
            && let ServerMessage::Ring { relays, .. } = &mut message
        {
            *relays = self.issue_early(call, device, now);
        }
        self.outputs.push_back(ServiceOutput::Send { connection, device: Some(device.clone()), message });
    }

    fn device_of(&self, connection: ConnectionId) -> Option<ActorName> {
        self.connections.get(&connection).and_then(|connection| connection.device.clone())
    }

    /// From now on the connection speaks for the device, and no other connection does.
    fn bind(&mut self, connection: ConnectionId, device: &ActorName) {
        for other in self.connections.values_mut() {
            other.device.take_if(|bound| bound == device);
        }
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.device = Some(device.clone());
            self.online.insert(device.clone(), connection);
            self.is_awake(device);
        }
        if self.is_one_of_several() {
            self.store.set_home(device, self.core.0);
        }
    }

    fn log(&self, level: &str, line: String) {
        kernel::event!(LogLine { actor: self.name.clone(), level: level.into(), line });
    }
}

/// What a log line says instead of a secret.
fn redacted(secret: &str) -> &str {
    if !mutant!(V130) { "[redacted]" } else { secret }
}
