//! A driver for tests: devices that talk to a service whose store takes a fixed time.

use super::{Change, Commit, Service, ServiceInput, ServiceOutput, TableName};
use crate::config::{Argon2Cost, RelayEndpoint, ServerConfig, ServiceCosts};
use kernel::{
    event::Fact,
    names::{ActorName, CallId, ThreadId, UserName},
    random::SeedTree,
    time::{Micros, SimTime},
};
use protocol::{
    ClientMessage, ConnectionId, DeviceChange, DeviceIdentity, DeviceKeys, DeviceList, EnvelopeHeader, EnvelopeKind,
    PROTOCOL_VERSION, PushRequest, RequestId, SealedEnvelope, ServerMessage,
};
use std::collections::{BTreeMap, VecDeque};

/// How long the test's store takes to make a transaction durable.
pub(super) const COMMIT: Micros = Micros::from_millis(2);

/// A service with devices around it.
#[derive(Clone)]
pub(super) struct Conversation {
    pub(super) service: Service,
    pub(super) now: SimTime,
    /// What each device got, with the time.
    pub(super) inbox: BTreeMap<ActorName, VecDeque<(SimTime, ServerMessage)>>,
    /// Everything durable.
    pub(super) facts: Vec<Fact>,
    /// Credentials that relays hold now: (relay, user name).
    pub(super) granted: Vec<(ActorName, String)>,
    /// One-time codes that were sent, with whose they are.
    pub(super) mailed: Vec<(UserName, String)>,
    /// What the push service was asked for, with the time.
    pub(super) pushed: Vec<(SimTime, PushRequest)>,
    tokens: BTreeMap<ActorName, String>,
    /// The number of the last row that each device got.
    rows: BTreeMap<ActorName, u32>,
    connections: BTreeMap<ActorName, ConnectionId>,
    next_connection: u64,
    committing: Option<(SimTime, Commit)>,
    /// What the durable store holds: rows by table and key.
    durable: BTreeMap<(TableName, Vec<u8>), Vec<u8>>,
}

impl Conversation {
    /// Users with one device each: alice has `alice-phone`; bob has `bob-phone` and `bob-laptop`.
    pub(super) fn new(users: &[&str]) -> Conversation {
        let config = config();
        let mut conversation = Conversation {
            service: Service::new(&config),
            now: SimTime::ZERO,
            inbox: BTreeMap::new(),
            facts: Vec::new(),
            granted: Vec::new(),
            mailed: Vec::new(),
            pushed: Vec::new(),
            tokens: BTreeMap::new(),
            rows: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 1,
            committing: None,
            durable: BTreeMap::new(),
        };
        for user in users {
            conversation.sign_up(user);
        }
        conversation
    }

    fn sign_up(&mut self, user: &str) {
        let device = phone(user);
        self.connect(&device);
        self.say(&device, sign_up(user, &format!("the password of {user}")));
        let messages = self.take(&device);
        let Some(ServerMessage::SignedIn { token, .. }) = messages.first() else { panic!("{user}: {messages:?}") };
        self.tokens.insert(device, token.clone());
    }

    /// Gives a user a second device.
    pub(super) fn add_laptop(&mut self, user: &str) -> ActorName {
        let device = ActorName::from(format!("{user}-laptop"));
        self.connect(&device);
        self.say(&device, sign_in(user, &device, &format!("the password of {user}")));
        let messages = self.take(&device);
        let Some(ServerMessage::SignedIn { token, .. }) = messages.first() else { panic!("{device}: {messages:?}") };
        self.tokens.insert(device.clone(), token.clone());
        self.confirm(user, &device);
        device
    }

    /// A user's phone signs for a new device.
    pub(super) fn confirm(&mut self, user: &str, device: &ActorName) {
        let keys = keys(user, device.as_str());
        let consent = keys.consent(&identity(device.as_str()));
        self.extend_list(user, DeviceChange::Add { keys, consent });
    }

    /// A user's phone extends the list of devices.
    pub(super) fn extend_list(&mut self, user: &str, change: DeviceChange) {
        let list = self.service.store.account(&user.into()).unwrap().list.clone();
        let link = Box::new(list.sign(change, &phone(user), &identity(phone(user).as_str())));
        self.say(&phone(user), ClientMessage::ExtendDevices { request: RequestId(9), link });
        self.inbox.clear();
    }

    pub(super) fn connect(&mut self, device: &ActorName) -> ConnectionId {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.connections.insert(device.clone(), connection);
        connection
    }

    /// The phones of these users are heard from one address.
    pub(super) fn share_an_address(&mut self, users: &[&str]) {
        for user in users {
            let connection = self.connections[&phone(user)];
            self.input(ServiceInput::Heard(connection, [198, 51, 100, 7].into()));
        }
    }

    pub(super) fn attach(&mut self, device: &ActorName) {
        self.connect(device);
        let token = self.tokens[device].clone();
        let rows = self.rows.get(device).copied().unwrap_or_default();
        self.say(
            device,
            ClientMessage::Attach { request: RequestId(0), version: PROTOCOL_VERSION, token, rows, shown: None },
        );
    }

    /// The server stops and starts again with what its store kept; all connections are gone.
    pub(super) fn crash(&mut self) {
        let row = |((table, key), value): (&(TableName, Vec<u8>), &Vec<u8>)| Change {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        };
        let rows: Vec<Change> = self.durable.iter().map(row).collect();
        let config = ServerConfig { boots: 1, ..config() };
        self.service = Service::restore(&config, &rows, self.now).unwrap();
        self.connections.clear();
        self.committing = None;
        self.inbox.clear();
        self.settle();
    }

    pub(super) fn close(&mut self, device: &ActorName) {
        if let Some(connection) = self.connections.remove(device) {
            self.input(ServiceInput::Closed(connection));
            self.settle();
        }
    }

    /// Says something and lets the service finish it.
    pub(super) fn say(&mut self, device: &ActorName, message: ClientMessage) {
        self.send(device, message);
        self.settle();
    }

    /// Says something without waiting.
    pub(super) fn send(&mut self, device: &ActorName, message: ClientMessage) {
        let connection = self.connections[device];
        self.input(ServiceInput::Message(connection, message));
    }

    pub(super) fn befriend(&mut self, one: &str, other: &str) {
        self.say(&phone(one), ClientMessage::RequestFriend { request: RequestId(1), user: other.into() });
        let answer = ClientMessage::AnswerFriend { request: RequestId(2), user: one.into(), accept: true };
        self.say(&phone(other), answer);
        self.inbox.clear();
    }

    pub(super) fn take(&mut self, device: &ActorName) -> Vec<ServerMessage> {
        self.take_timed(device).into_iter().map(|(_, message)| message).collect()
    }

    pub(super) fn take_timed(&mut self, device: &ActorName) -> VecDeque<(SimTime, ServerMessage)> {
        self.inbox.remove(device).unwrap_or_default()
    }

    pub(super) fn input(&mut self, input: ServiceInput) {
        self.service.handle(input, self.now);
        self.drain();
    }

    /// Lets queued work and commits finish; timers of calls stay.
    pub(super) fn settle(&mut self) {
        let until = self.now + Micros::from_millis(100);
        while self.step(until) {}
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, span: Micros) {
        let until = self.now + span;
        while self.step(until) {}
        self.now = until;
    }

    fn step(&mut self, until: SimTime) -> bool {
        let wake = self.service.next_wake().unwrap_or(SimTime::NEVER);
        let durable = self.committing.as_ref().map_or(SimTime::NEVER, |(at, _)| *at);
        let at = wake.min(durable);
        if at > until {
            return false;
        }
        self.now = self.now.max(at);
        if durable <= wake {
            let (_, commit) = self.committing.take().unwrap();
            self.facts.extend(commit.facts);
            for Change { table, key, value } in commit.changes {
                match value {
                    Some(value) => drop(self.durable.insert((table, key), value)),
                    None => drop(self.durable.remove(&(table, key))),
                }
            }
            self.input(ServiceInput::Committed(commit.tx));
        } else {
            self.input(ServiceInput::Timeout);
        }
        true
    }

    fn drain(&mut self) {
        while let Some(output) = self.service.poll() {
            match output {
                ServiceOutput::Send { connection, device, message } => {
                    // Before sign-in the service does not know the device, but the test knows the connection.
                    let of = self.connections.iter().find(|(_, own)| **own == connection).map(|(device, _)| device);
                    if let Some(of) = of {
                        assert!(device.is_none_or(|device| device == *of), "told over the connection of {of}");
                        if let ServerMessage::Row { number, .. } = &message {
                            self.rows.insert(of.clone(), *number);
                        }
                        self.inbox.entry(of.clone()).or_default().push_back((self.now, message));
                    }
                }
                ServiceOutput::Commit(commit) => {
                    assert!(self.committing.is_none(), "transactions are serialized");
                    self.committing = Some((self.now + COMMIT, commit));
                }
                ServiceOutput::Mail { user, code } => self.mailed.push((user, code)),
                ServiceOutput::Close(connection) => self.connections.retain(|_, open| *open != connection),
                ServiceOutput::GrantRelay { relay, username, .. } => self.granted.push((relay, username)),
                ServiceOutput::Push(request) => self.pushed.push((self.now, request)),
                ServiceOutput::RevokeRelay { relay, username } => {
                    let before = self.granted.len();
                    self.granted.retain(|held| *held != (relay.clone(), username.clone()));
                    assert_eq!(self.granted.len() + 1, before, "exactly what was granted is revoked");
                }
            }
        }
    }
}

/// The server of the tests.
pub(crate) fn config() -> ServerConfig {
    ServerConfig {
        name: "signaling".into(),
        address: "198.51.100.1:443".parse().unwrap(),
        address_v6: None,
        relays: vec![RelayEndpoint {
            name: "relay".into(),
            address: "198.51.100.2:3478".parse().unwrap(),
            tcp: None,
            tls: None,
        }],
        password_cost: Argon2Cost::SIMULATION,
        costs: ServiceCosts::default(),
        boots: 0,
        epoch: protocol::Epoch::default(),
        cores: kernel::plan::Cores::default(),
        faults: Vec::new(),
        seeds: SeedTree::root(1),
    }
}

pub(crate) fn phone(user: &str) -> ActorName {
    ActorName::from(format!("{user}-phone"))
}

pub(super) fn keys(user: &str, device: &str) -> DeviceKeys {
    let (signing, sealing) = identity(device).public();
    DeviceKeys { user: user.into(), device: device.into(), signing, sealing }
}

pub(super) fn identity(device: &str) -> DeviceIdentity {
    DeviceIdentity::generate(&mut SeedTree::root(7).stream(device))
}

pub(crate) fn sign_up(user: &str, password: &str) -> ClientMessage {
    let keys = keys(user, phone(user).as_str());
    let first = Box::new(DeviceList::begin(&keys, &identity(keys.device.as_str())).links()[0].clone());
    ClientMessage::SignUp { request: RequestId(0), version: PROTOCOL_VERSION, password: password.into(), keys, first }
}

pub(crate) fn sign_in(user: &str, device: &ActorName, password: &str) -> ClientMessage {
    let keys = keys(user, device.as_str());
    let consent = keys.consent(&identity(device.as_str()));
    ClientMessage::SignIn { request: RequestId(0), version: PROTOCOL_VERSION, password: password.into(), keys, consent }
}

pub(crate) fn call_id(n: u8) -> CallId {
    CallId([n; 16])
}

pub(super) fn user_of(device: &ActorName) -> UserName {
    device.as_str().split('-').next().unwrap_or_default().into()
}

pub(super) fn envelope(kind: EnvelopeKind, call: CallId, from: &ActorName, to: &ActorName) -> SealedEnvelope {
    let thread = ThreadId::between(&user_of(from), &user_of(to));
    let header = EnvelopeHeader {
        version: PROTOCOL_VERSION,
        kind,
        subject: call.0,
        thread,
        from: from.clone(),
        to: to.clone(),
        sequence: 0,
    };
    SealedEnvelope { header, encapsulated: vec![3; 32], ciphertext: vec![4; 100] }
}

/// An invite from one user's phone, with an offer for each device.
pub(crate) fn invite(call: CallId, from: &ActorName, to: &[&ActorName]) -> ClientMessage {
    let offers = to.iter().map(|to| envelope(EnvelopeKind::Offer, call, from, to)).collect();
    ClientMessage::Invite { call, to: user_of(to[0]), video: true, offers }
}

pub(crate) fn accept(call: CallId, from: &ActorName, to: &ActorName) -> ClientMessage {
    ClientMessage::Accept { call, answer: envelope(EnvelopeKind::Answer, call, from, to) }
}

/// An accept by somebody other than the callee, in the thread of the call.
pub(super) fn accept_for(callee: &ActorName, call: CallId, from: &ActorName, caller: &ActorName) -> ClientMessage {
    let mut answer = envelope(EnvelopeKind::Answer, call, from, caller);
    answer.header.thread = ThreadId::between(&user_of(callee), &user_of(caller));
    ClientMessage::Accept { call, answer }
}
