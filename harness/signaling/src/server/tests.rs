//! The server over its channel, with real clients' channels at the other end.

use super::*;
use crate::config::{Argon2Cost, RelayEndpoint, ServiceCosts};
use kernel::{
    event::{Event, Fact, SecretKind},
    log::Log,
    mutant::{self, Mutant},
    random::SeedTree,
    time::{self, Micros},
};
use protocol::{
    ClientChannel, DeviceIdentity, DeviceKeys, DeviceList, EnvelopeHeader, EnvelopeKind, PROTOCOL_VERSION, RequestId,
    Route, SealedEnvelope,
};
use std::net::SocketAddr;

const DELAY: Micros = Micros::from_millis(5);
const COMMIT: Micros = Micros::from_millis(1);

enum Pending {
    ToServer(Datagram),
    ToClient(Datagram),
    Durable(TxId),
}

struct Net {
    server: Server,
    clients: BTreeMap<SocketAddr, (ActorName, ClientChannel)>,
    flying: BTreeMap<(SimTime, u64), Pending>,
    inbox: Vec<(ActorName, ServerMessage)>,
    granted: usize,
    sequence: u64,
    now: SimTime,
}

impl Net {
    fn new() -> Net {
        let config = ServerConfig {
            name: "signaling".into(),
            address: address(1, 443),
            address_v6: None,
            relays: vec![RelayEndpoint { name: "relay".into(), address: address(2, 3478), tcp: None, tls: None }],
            password_cost: Argon2Cost::SIMULATION,
            costs: ServiceCosts::default(),
            boots: 0,
            epoch: protocol::Epoch::default(),
            cores: kernel::plan::Cores::default(),
            faults: Vec::new(),
            seeds: SeedTree::root(3),
        };
        Net {
            server: Server::new(config, SimTime::ZERO),
            clients: BTreeMap::new(),
            flying: BTreeMap::new(),
            inbox: Vec::new(),
            granted: 0,
            sequence: 0,
            now: SimTime::ZERO,
        }
    }

    /// A device connects, and says nothing yet.
    fn connect(&mut self, device: &ActorName, host: u8) {
        let local = address(host, 5443);
        let seeds = SeedTree::root(4).child(device.as_str());
        let channel = ClientChannel::new(
            &[Route { local, server: address(1, 443) }],
            self.server.identity_public(),
            seeds,
            0,
            self.now,
        );
        self.clients.insert(local, (device.clone(), channel));
    }

    fn join(&mut self, user: &str, host: u8) {
        let device = ActorName::from(format!("{user}-phone"));
        self.connect(&device, host);
        let seeds = SeedTree::root(4).child(device.as_str());
        let identity = DeviceIdentity::generate(&mut seeds.stream("identity"));
        let (signing, sealing) = identity.public();
        let keys = DeviceKeys { user: user.into(), device, signing, sealing };
        let first = Box::new(DeviceList::begin(&keys, &identity).links()[0].clone());
        let (request, password) = (RequestId(0), format!("the password of {user}"));
        self.say(host, ClientMessage::SignUp { request, version: PROTOCOL_VERSION, password, keys, first });
    }

    fn say(&mut self, host: u8, message: ClientMessage) {
        self.clients.get_mut(&address(host, 5443)).unwrap().1.send(&message).unwrap();
        self.run(Micros::from_secs(1));
    }

    fn epochs(&self, user: &str) -> Vec<protocol::Epoch> {
        let epoch = |message: &ServerMessage| match message {
            ServerMessage::SignedIn { epoch, .. } | ServerMessage::Done { epoch, .. } => epoch.clone(),
            _ => None,
        };
        let told = self.inbox.iter().filter(|(to, _)| *to == format!("{user}-phone").as_str());
        told.filter_map(|(_, message)| epoch(message)?.verify(self.server.identity_public()).cloned()).collect()
    }

    fn fly(&mut self, delay: Micros, pending: Pending) {
        self.sequence += 1;
        self.flying.insert((self.now + delay, self.sequence), pending);
    }

    fn run(&mut self, span: Micros) {
        let until = self.now + span;
        loop {
            self.drain();
            let first = self.flying.first_key_value().map(|((at, _), _)| *at);
            let clients = self.clients.values_mut().filter_map(|(_, channel)| channel.next_wake()).min();
            let next = [first, clients, self.server.next_wake()].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            time::set_now(self.now);
            if first.is_some_and(|first| first <= self.now) {
                match self.flying.pop_first().unwrap().1 {
                    Pending::ToServer(datagram) => self.server.handle(Input::Datagram(datagram), self.now),
                    Pending::Durable(tx) => self.server.handle(Input::Committed(tx), self.now),
                    Pending::ToClient(datagram) => {
                        if let Some((_, channel)) = self.clients.get_mut(&datagram.destination) {
                            channel.handle(datagram, self.now);
                        }
                    }
                }
            } else {
                self.server.handle(Input::Timeout, self.now);
                self.clients.values_mut().for_each(|(_, channel)| channel.handle_timeout(self.now));
            }
        }
        self.now = until;
        time::set_now(until);
    }

    fn drain(&mut self) {
        let mut outgoing = Vec::new();
        for (device, channel) in self.clients.values_mut() {
            while let Some(message) = channel.poll_message() {
                self.inbox.push((device.clone(), message));
            }
            while let Some(datagram) = channel.poll_transmit(self.now) {
                outgoing.push(datagram);
            }
        }
        outgoing.into_iter().for_each(|datagram| self.fly(DELAY, Pending::ToServer(datagram)));
        while let Some(output) = self.server.poll() {
            match output {
                Output::Transmit(datagram) => self.fly(DELAY, Pending::ToClient(datagram)),
                Output::Commit(commit) => self.fly(COMMIT, Pending::Durable(commit.tx)),
                Output::GrantRelay { .. } => self.granted += 1,
                Output::RevokeRelay { .. } => self.granted -= 1,
                Output::Mail { .. } => {}
                Output::Push(_) => panic!("nobody here has a token"),
            }
        }
    }
}

fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

fn envelope(kind: EnvelopeKind, from: &str, to: &str) -> SealedEnvelope {
    let header = EnvelopeHeader {
        version: PROTOCOL_VERSION,
        kind,
        subject: [9; 16],
        thread: "alice+bob".into(),
        from: from.into(),
        to: to.into(),
        sequence: 0,
    };
    SealedEnvelope { header, encapsulated: vec![3; 32], ciphertext: vec![4; 3_000] }
}

/// A call from sign-up to hang-up; what each device got, and the log.
fn a_call(planted: &'static [Mutant]) -> (Vec<(ActorName, ServerMessage)>, Log) {
    let run = move || {
        let simulation = kernel::seam::enter(5);
        mutant::plant(planted);
        let mut net = Net::new();
        net.join("alice", 10);
        net.join("bob", 11);
        let call = CallId([9; 16]);
        net.say(10, ClientMessage::RequestFriend { request: RequestId(1), user: "bob".into() });
        net.say(11, ClientMessage::AnswerFriend { request: RequestId(1), user: "alice".into(), accept: true });
        let offers = vec![envelope(EnvelopeKind::Offer, "alice-phone", "bob-phone")];
        net.say(10, ClientMessage::Invite { call, to: "bob".into(), video: true, offers });
        let answer = envelope(EnvelopeKind::Answer, "bob-phone", "alice-phone");
        net.say(11, ClientMessage::Accept { call, answer });
        assert_eq!(net.granted, 2);
        net.say(10, ClientMessage::HangUp { call });
        assert_eq!(net.granted, 0);
        let (inbox, snapshot) = (net.inbox, net.server.snapshot());
        assert!(!snapshot.is_empty());
        let (log, draws) = simulation.leave();
        assert!(draws.strays.is_empty(), "{:?}", draws.strays);
        (inbox, log)
    };
    std::thread::Builder::new().spawn(run).unwrap().join().unwrap()
}

#[test]
fn a_whole_call_passes_over_the_channel() {
    let (inbox, log) = a_call(&[]);
    let got = |device: &str| -> Vec<&str> {
        inbox.iter().filter(|(to, _)| to == device).map(|(_, message)| kind_of_server_message(message)).collect()
    };
    assert_eq!(got("alice-phone"), ["signed_in", "done", "friend_added", "accepted", "ended", "call_row"]);
    assert_eq!(
        got("bob-phone"),
        ["signed_in", "friend_request", "done", "friend_added", "ring", "accepted", "ended", "call_row"]
    );
    let signals: Vec<&str> = log
        .records
        .iter()
        .filter_map(|record| if let Event::Signal(signal) = &record.event { Some(&*signal.message) } else { None })
        .collect();
    assert_eq!(signals.len(), inbox.len() + 7, "every message in and out is in the log: {signals:?}");
}

#[test]
fn a_message_leaves_after_its_fact_is_durable() {
    let (_, log) = a_call(&[]);
    let position = |find: &dyn Fn(&Event) -> bool| log.records.iter().position(|record| find(&record.event)).unwrap();
    let fact =
        position(&|event| matches!(event, Event::Store(store) if matches!(store.fact, Fact::CallRinging { .. })));
    let ring = position(&|event| matches!(event, Event::Signal(signal) if signal.message == "ring"));
    assert!(fact < ring);
    let issued =
        position(&|event| matches!(event, Event::Store(s) if matches!(s.fact, Fact::RelayCredentialIssued { .. })));
    let accepted = position(&|event| matches!(event, Event::Signal(signal) if signal.message == "accepted"));
    assert!(ring < issued && issued < accepted);
}

#[test]
fn the_log_lines_hold_no_credential_unless_v130_is_planted() {
    let leaks = |planted| {
        let (_, log) = a_call(planted);
        let secrets: Vec<(SecretKind, String)> = log
            .records
            .iter()
            .filter_map(|r| {
                if let Event::Secret(secret) = &r.event { Some((secret.kind, secret.value.clone())) } else { None }
            })
            .collect();
        let lines: Vec<&str> = log
            .records
            .iter()
            .filter_map(|record| if let Event::LogLine(line) = &record.event { Some(&*line.line) } else { None })
            .collect();
        assert_eq!(secrets.len(), 4, "two tokens, two relay passwords");
        assert!(lines.len() >= 4);
        secrets.iter().filter(|(_, secret)| lines.iter().any(|line| line.contains(secret))).count()
    };
    assert_eq!(leaks(&[]), 0);
    assert_eq!(leaks(&[Mutant::V130]), 4);
}

#[test]
fn equal_seeds_give_equal_logs() {
    assert_eq!(a_call(&[]).1.digest, a_call(&[]).1.digest);
}

/// Whoever shows what this server signed once: nobody else learns from a refusal how much happens here.
#[test]
fn whose_session_is_refused_is_told_how_far_the_store_is_if_it_shows_the_server_s_word() {
    let mut net = Net::new();
    net.join("alice", 3);
    let signed = net.inbox.iter().find_map(|(_, message)| match message {
        ServerMessage::SignedIn { epoch, .. } => epoch.clone(),
        _ => None,
    });
    net.join("bob", 4);
    let forged =
        protocol::Epoch::default().sign(&protocol::ServerIdentity::generate(&mut SeedTree::root(9).stream("x")));
    let mut refused = |host: u8, token: &str, shown: &Option<protocol::SignedEpoch>| {
        let device = ActorName::from(format!("eve-{host}"));
        net.connect(&device, host);
        let (token, shown) = (token.to_owned(), shown.clone());
        net.say(
            host,
            ClientMessage::Attach { request: RequestId(0), version: PROTOCOL_VERSION, token, rows: 0, shown },
        );
        let told: Vec<_> =
            net.inbox.iter().filter(|(to, _)| *to == device).map(|(_, message)| message.clone()).collect();
        let [ServerMessage::NotAttached { epoch, .. }] = &told[..] else { panic!("{told:?}") };
        epoch.as_ref().map(|epoch| epoch.verify(net.server.identity_public()).unwrap().transactions)
    };
    assert_eq!((refused(5, "x", &None), refused(6, "x", &Some(forged))), (None, None));
    assert_eq!((refused(7, "x", &signed), refused(8, "", &signed)), (Some(2), Some(2)), "alike for all reasons");
}

#[test]
fn who_is_signed_in_is_told_how_far_the_store_is_and_nobody_else() {
    let mut net = Net::new();
    net.join("alice", 3);
    net.join("bob", 4);
    net.say(3, ClientMessage::RequestFriend { request: RequestId(1), user: "bob".into() });
    let far = |user: &str| net.epochs(user).iter().map(|epoch| epoch.transactions).collect::<Vec<_>>();
    assert_eq!((far("alice"), far("bob")), (vec![1, 3], vec![2]));
    // Whoever asks for a code is told the same whether or not there is the account: a number would tell of others.
    net.say(4, ClientMessage::RequestCode { request: RequestId(2), user: "nobody".into() });
    net.say(4, ClientMessage::RequestCode { request: RequestId(3), user: "alice".into() });
    assert_eq!(net.epochs("bob").len(), 3, "bob is signed in");
}
