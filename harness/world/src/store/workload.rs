//! A workload of accounts, friendships, blocks, sessions and calls, and what it asks of a disk.

use super::{
    database::Tables,
    disk::{Disk, Image, Operation},
};
use kernel::{
    ActorName, CallId, Micros, SimTime, UserName,
    event::Fact,
    names::ThreadId,
    random::{SeedTree, Stream},
};
use protocol::{
    ClientMessage, ConnectionId, DeviceIdentity, DeviceKeys, DeviceList, EnvelopeHeader, EnvelopeKind,
    PROTOCOL_VERSION, RequestId, SealedEnvelope,
};
use signaling::{Argon2Cost, Commit, ServerConfig, Service, ServiceCosts, ServiceInput, ServiceOutput, TxId};

const USERS: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];
/// Beyond it no request waits for a timer of its own: a ring lasts a minute.
const PATIENCE: Micros = Micros::from_secs(1);

/// Everything that was asked of a disk, and between which operations transactions were handed over and acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    /// What was on the disk before.
    pub(crate) blank: Image,
    pub(crate) operations: Vec<Operation>,
    /// With the number of operations before it, in order.
    pub(crate) marks: Vec<(usize, Mark)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// The server handed a transaction to its store.
    Handed(TxId, Vec<Fact>),
    /// Somebody was told what follows from it.
    Acknowledged(TxId),
}

/// Lets users send so many requests one after the other, and records what becomes of them.
///
/// # Errors
/// When the disk refuses something.
pub(crate) fn record(seed: u64, requests: usize) -> Result<Recording, redb::Error> {
    let blank = Tables::blank()?;
    let mut server = Server {
        service: Service::new(&config(seed)),
        tables: Tables::open(Disk::holding(blank.clone()))?,
        now: SimTime::ZERO,
        sign_ins: 0,
        connections: [ConnectionId(0); USERS.len()],
        awaited: None,
        recording: Recording { blank, ..Recording::default() },
    };
    let mut dice = SeedTree::root(seed).stream("workload");
    for user in 0..USERS.len() {
        server.ask(user, sign_up(user))?;
    }
    for request in 0..requests {
        let (from, message) = message(request, &mut dice);
        server.ask(from, message)?;
    }
    Ok(server.recording)
}

/// The server that the workload is for; it starts again after each crash.
pub(crate) fn config(seed: u64) -> ServerConfig {
    ServerConfig {
        name: "signaling".into(),
        address: std::net::SocketAddr::from(([192, 0, 2, 1], 443)),
        address_v6: None,
        relays: Vec::new(),
        password_cost: Argon2Cost::SIMULATION,
        costs: ServiceCosts::default(),
        boots: 0,
        epoch: protocol::Epoch::default(),
        cores: kernel::plan::Cores::default(),
        faults: Vec::new(),
        seeds: SeedTree::root(seed),
    }
}

struct Server {
    service: Service,
    tables: Tables,
    now: SimTime,
    /// How often somebody signed in: each time over a connection of its own, which the device has from then on.
    sign_ins: u64,
    connections: [ConnectionId; USERS.len()],
    /// A transaction of which nobody was told yet.
    awaited: Option<TxId>,
    recording: Recording,
}

impl Server {
    /// Lets the service finish a request.
    fn ask(&mut self, user: usize, message: ClientMessage) -> Result<(), redb::Error> {
        let until = self.now + PATIENCE;
        if matches!(message, ClientMessage::SignUp { .. }) {
            self.sign_ins += 1;
            self.connections[user] = ConnectionId(self.sign_ins);
        }
        self.service.handle(ServiceInput::Message(self.connections[user], message), self.now);
        self.obey()?;
        while let Some(wake) = self.service.next_wake().filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            self.service.handle(ServiceInput::Timeout, self.now);
            self.obey()?;
        }
        self.now = until;
        Ok(())
    }

    fn obey(&mut self) -> Result<(), redb::Error> {
        while let Some(commit) = self.take_outputs() {
            let tx = commit.tx;
            self.recording.operations.extend(self.tables.commit(&commit.changes)?);
            self.service.handle(ServiceInput::Committed(tx), self.now);
        }
        Ok(())
    }

    /// What the service wants until it has nothing more to say; a transaction for the store among it.
    fn take_outputs(&mut self) -> Option<Commit> {
        let mut handed = None;
        while let Some(output) = self.service.poll() {
            let place = self.recording.operations.len();
            match output {
                ServiceOutput::Commit(commit) => {
                    self.recording.marks.push((place, Mark::Handed(commit.tx, commit.facts.clone())));
                    self.awaited = Some(commit.tx);
                    handed = Some(commit);
                }
                ServiceOutput::Send { .. } => {
                    if let Some(tx) = self.awaited.take() {
                        self.recording.marks.push((place, Mark::Acknowledged(tx)));
                    }
                }
                ServiceOutput::Close(_)
                | ServiceOutput::Mail { .. }
                | ServiceOutput::GrantRelay { .. }
                | ServiceOutput::RevokeRelay { .. } => {}
            }
        }
        handed
    }
}

fn user(number: usize) -> UserName {
    USERS[number].into()
}

fn device(number: usize) -> ActorName {
    format!("{}-phone", USERS[number]).into()
}

fn sign_up(number: usize) -> ClientMessage {
    let identity = DeviceIdentity::generate(&mut SeedTree::root(1).stream(USERS[number]));
    let (signing, sealing) = identity.public();
    let keys = DeviceKeys { user: user(number), device: device(number), signing, sealing };
    let first = Box::new(DeviceList::begin(&keys, &identity).links()[0].clone());
    let password = format!("the long password of {}", USERS[number]);
    ClientMessage::SignUp { request: RequestId(0), version: PROTOCOL_VERSION, password, keys, first }
}

/// Any user asks for anything about any other; about calls, the pair's last ones.
fn message(number: usize, dice: &mut Stream) -> (usize, ClientMessage) {
    let from = dice.below(USERS.len() as u64) as usize;
    let other = (from + 1 + dice.below(USERS.len() as u64 - 1) as usize) % USERS.len();
    let request = RequestId(number as u32 + 1);
    let call = |number: usize| CallId((number as u128).to_be_bytes());
    let recent = call(number.saturating_sub(1 + dice.below(6) as usize));
    let user = user(other);
    let message = match dice.below(40) {
        0..=12 => ClientMessage::RequestFriend { request, user },
        13..=18 => ClientMessage::AnswerFriend { request, user, accept: true },
        19..=20 => ClientMessage::AnswerFriend { request, user, accept: false },
        21..=26 => ClientMessage::Unfriend { request, user },
        27 => ClientMessage::Block { request, user },
        28 => sign_up(from),
        29..=34 => {
            let offers = vec![envelope(EnvelopeKind::Offer, call(number), from, other)];
            ClientMessage::Invite { call: call(number), to: user, video: false, offers }
        }
        35..=37 => ClientMessage::Accept { call: recent, answer: envelope(EnvelopeKind::Answer, recent, from, other) },
        _ => ClientMessage::HangUp { call: recent },
    };
    (from, message)
}

fn envelope(kind: EnvelopeKind, call: CallId, from: usize, to: usize) -> SealedEnvelope {
    let header = EnvelopeHeader {
        version: PROTOCOL_VERSION,
        kind,
        call,
        thread: ThreadId::between(&user(from), &user(to)),
        from: device(from),
        to: device(to),
        sequence: 0,
    };
    SealedEnvelope { header, encapsulated: vec![3; 32], ciphertext: vec![4; 100] }
}
