//! A workload of accounts, friendships, follows, blocks, settings, devices, sessions, passwords and calls, and what it asks
//! of a disk.

use super::{
    database::Tables,
    disk::{Disk, Image, Operation},
    household::{Household, Wish},
};
use kernel::{
    ActorName, CallId, Micros, SimTime, UserName,
    event::{Fact, Setting},
    names::ThreadId,
    random::{SeedTree, Stream},
};
use protocol::{
    ClientMessage, ConnectionId, EnvelopeHeader, EnvelopeKind, PROTOCOL_VERSION, RequestId, SealedEnvelope,
    ServerMessage,
};
use signaling::{Argon2Cost, Commit, ServerConfig, Service, ServiceCosts, ServiceInput, ServiceOutput, TxId};
use std::collections::BTreeMap;

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
        connections: BTreeMap::new(),
        awaited: None,
        is_done: false,
        recording: Recording { blank, ..Recording::default() },
    };
    let mut dice = SeedTree::root(seed).stream("workload");
    let mut households: Vec<Household> = USERS.iter().map(|user| Household::new(&UserName::from(*user))).collect();
    for household in &mut households {
        server.wish(household, Wish::SignUp, RequestId(0))?;
    }
    for number in 0..requests {
        let from = dice.below(USERS.len() as u64) as usize;
        match Wish::drawn(&mut dice) {
            Some(wish) => server.wish(&mut households[from], wish, RequestId(number as u32 + 1))?,
            None => server.ask(&device(from), message(from, number, &mut dice))?,
        }
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
    connections: BTreeMap<ActorName, ConnectionId>,
    /// Whether the last request was done.
    is_done: bool,
    /// A transaction of which nobody was told yet.
    awaited: Option<TxId>,
    recording: Recording,
}

impl Server {
    /// A household asks for what it wishes, where there is something to ask for, and learns whether it was done.
    fn wish(&mut self, household: &mut Household, wish: Wish, request: RequestId) -> Result<(), redb::Error> {
        if let Some((device, message)) = household.message(wish, request) {
            self.ask(&device, message)?;
            if self.is_done {
                household.done(wish);
            }
        }
        Ok(())
    }

    /// Lets the service finish a request.
    fn ask(&mut self, device: &ActorName, message: ClientMessage) -> Result<(), redb::Error> {
        let until = self.now + PATIENCE;
        self.is_done = false;
        if matches!(message, ClientMessage::SignUp { .. } | ClientMessage::SignIn { .. }) {
            self.sign_ins += 1;
            self.connections.insert(device.clone(), ConnectionId(self.sign_ins));
        }
        let connection = self.connections.get(device).copied().unwrap_or(ConnectionId(0));
        self.service.handle(ServiceInput::Message(connection, message), self.now);
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
                ServiceOutput::Send { message, .. } => {
                    self.is_done |= matches!(message, ServerMessage::Done { .. } | ServerMessage::SignedIn { .. });
                    if let Some(tx) = self.awaited.take() {
                        self.recording.marks.push((place, Mark::Acknowledged(tx)));
                    }
                }
                ServiceOutput::Close(_)
                | ServiceOutput::Mail { .. }
                | ServiceOutput::GrantRelay { .. }
                | ServiceOutput::RevokeRelay { .. }
                | ServiceOutput::Push(_) => {}
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

/// Any user asks for anything about any other; about calls, the pair's last ones.
fn message(from: usize, number: usize, dice: &mut Stream) -> ClientMessage {
    let other = (from + 1 + dice.below(USERS.len() as u64 - 1) as usize) % USERS.len();
    let request = RequestId(number as u32 + 1);
    let call = |number: usize| CallId((number as u128).to_be_bytes());
    let recent = call(number.saturating_sub(1 + dice.below(6) as usize));
    let user = user(other);
    match dice.below(47) {
        0..=12 => ClientMessage::RequestFriend { request, user },
        13..=18 => ClientMessage::AnswerFriend { request, user, accept: true },
        19..=20 => ClientMessage::AnswerFriend { request, user, accept: false },
        21..=26 => ClientMessage::Unfriend { request, user },
        27 => ClientMessage::Block { request, user },
        28..=33 => {
            let offers = vec![envelope(EnvelopeKind::Offer, call(number), from, other)];
            ClientMessage::Invite { call: call(number), to: user, video: false, offers }
        }
        34..=36 => ClientMessage::Accept { call: recent, answer: envelope(EnvelopeKind::Answer, recent, from, other) },
        37..=38 => ClientMessage::HangUp { call: recent },
        39..=40 => ClientMessage::Follow { request, user, follow: true },
        41 => ClientMessage::Follow { request, user, follow: false },
        42 => ClientMessage::CancelRequest { request, user },
        43..=44 => ClientMessage::Unblock { request, user },
        45 => ClientMessage::Set { request, setting: Setting::CloseFriend { user, listed: true } },
        _ => ClientMessage::LookUp { request, handle: user },
    }
}

fn envelope(kind: EnvelopeKind, call: CallId, from: usize, to: usize) -> SealedEnvelope {
    let header = EnvelopeHeader {
        version: PROTOCOL_VERSION,
        kind,
        subject: call.0,
        thread: ThreadId::between(&user(from), &user(to)),
        from: device(from),
        to: device(to),
        sequence: 0,
    };
    SealedEnvelope { header, encapsulated: vec![3; 32], ciphertext: vec![4; 100] }
}
