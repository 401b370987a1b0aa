//! Two clients, a scripted signaling server and a pipe of constant delay between them, on a simulation thread.

use client::{Client, ClientConfig, Input, MEDIA_PORT, Misbehaviour, Output, Saved};
use kernel::{
    ActorName, BitRate, CallId, Datagram, Log, Micros, Mutant, SimTime,
    event::{Act, CallStateName, Screen},
    mutant,
    packet::Interface,
    plan::{DeviceClass, MediaPlan, VideoCodec},
    random::{self, SeedTree},
    seam, time,
};
use protocol::{
    CallEnd, ChannelEvent, ClientMessage, ConnectionId, DeviceKeys, DeviceLink, ServerChannel, ServerIdentity,
    ServerIdentityPublic, ServerMessage,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// One way from any node to any other.
pub(crate) const DELAY: Micros = Micros::from_millis(10);
const NAMES: [(&str, &str); 2] = [("alice", "alice-phone"), ("bob", "bob-phone")];

/// What differs between stories.
#[derive(Clone, Default)]
pub(crate) struct Story {
    /// What the caller does against the protocol.
    pub(crate) misbehaviour: Vec<Misbehaviour>,
    /// Planted bugs.
    pub(crate) mutants: Vec<Mutant>,
    /// The callee hides its addresses.
    pub(crate) callee_hides: bool,
    /// The server swaps the offer's signature by giving the callee other keys of the caller.
    pub(crate) spoils_offers: bool,
}

/// The whole house.
pub(crate) struct House {
    pub(crate) now: SimTime,
    story: Story,
    /// What all is drawn from, and the server's key.
    origin: (SeedTree, ServerIdentityPublic),
    pub(crate) clients: [Client; 2],
    pub(crate) screens: [Vec<Screen>; 2],
    server: Server,
    in_flight: BTreeMap<(SimTime, u64), Datagram>,
    sent: u64,
    /// Whether the pipe loses what goes to the media sockets.
    pub(crate) media_cut: bool,
    /// Datagrams that left a device's media socket: (when, which device).
    pub(crate) media_sent: Vec<(SimTime, usize)>,
    /// The last bytes of the addresses that each device has.
    hosts: [Vec<u8>; 2],
    /// How often each device signed in.
    pub(crate) sign_ins: [u32; 2],
}

struct Server {
    channel: ServerChannel,
    connections: BTreeMap<ConnectionId, usize>,
    devices: [Option<(ConnectionId, DeviceKeys)>; 2],
    lists: [Vec<DeviceLink>; 2],
    spoils_offers: bool,
    loses_peer_messages: bool,
    /// When each call was placed.
    invited: BTreeMap<CallId, SimTime>,
    withholds_keys: bool,
    /// The key that each offer was sealed with, as its receiver derives it.
    encapsulated: Vec<Vec<u8>>,
    /// Keys that were asked for meanwhile, and by whom.
    withheld: Vec<(usize, ServerMessage)>,
}

/// Tells a story on a simulation thread of its own.
pub(crate) fn tell<T: Send + 'static>(
    seed: u64,
    story: Story,
    body: impl FnOnce(&mut House) -> T + Send + 'static,
) -> (T, Log) {
    media::initialize().unwrap();
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(move || {
        let simulation = seam::enter(seed);
        fastrand::seed(seed);
        mutant::plant(&story.mutants);
        let mut house = House::new(seed, &story);
        let value = body(&mut house);
        drop(house);
        let (log, draws) = simulation.leave();
        assert_eq!(draws.strays, Vec::<String>::new());
        (value, log)
    });
    thread.unwrap().join().unwrap()
}

fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

fn media_plan() -> MediaPlan {
    MediaPlan {
        width: 320,
        height: 180,
        fps: 30,
        video_codec: VideoCodec::Vp8,
        video_max: BitRate::from_kbps(600),
        video_min: BitRate::from_kbps(100),
        video_start: BitRate::from_kbps(400),
        audio_rate: BitRate::from_kbps(32),
        quality_every: 0,
    }
}

/// What a device is made from. From here on it is the one that draws.
fn config(who: usize, story: &Story, (seeds, key): (SeedTree, ServerIdentityPublic)) -> ClientConfig {
    random::act_as(NAMES[who].1);
    let peer = 1 - who;
    ClientConfig {
        user: NAMES[who].0.into(),
        device: NAMES[who].1.into(),
        index: who as u8,
        peers: vec![(NAMES[peer].0.into(), NAMES[peer].1.into(), peer as u8)],
        interfaces: vec![Interface { addresses: vec![address(2 + who as u8, 0).ip()] }],
        device_class: DeviceClass::Flagship,
        relay_only: who == 1 && story.callee_hides,
        read_receipts: true,
        call_waiting: false,
        photograph: Vec::new(),
        place: [0, 0],
        password: format!("a long password of {}", NAMES[who].0),
        makes_account: true,
        signaling: vec![address(1, 443)],
        signaling_key: key,
        stun: None,
        media: media_plan(),
        seeds: seeds.child(NAMES[who].1),
        push_token: None,
        misbehaviour: if who == 0 { story.misbehaviour.clone() } else { Vec::new() },
        null_srtp: false,
        hop: None,
        boots: 0,
    }
}

impl House {
    fn new(seed: u64, story: &Story) -> House {
        let seeds = SeedTree::root(seed);
        let identity = ServerIdentity::generate(&mut seeds.stream("server-identity"));
        let key = identity.public();
        random::act_as("signaling");
        let channel = ServerChannel::new(&[address(1, 443)], identity, seeds.child("server"), SimTime::ZERO);
        let server = Server {
            channel,
            connections: BTreeMap::new(),
            devices: [None, None],
            lists: [Vec::new(), Vec::new()],
            spoils_offers: story.spoils_offers,
            loses_peer_messages: false,
            invited: BTreeMap::new(),
            withholds_keys: false,
            encapsulated: Vec::new(),
            withheld: Vec::new(),
        };
        let clients = [0, 1].map(|who| Client::new(config(who, story, (seeds, key)), SimTime::ZERO));
        let mut house = House {
            now: SimTime::ZERO,
            story: story.clone(),
            origin: (seeds, key),
            clients,
            screens: [Vec::new(), Vec::new()],
            server,
            in_flight: BTreeMap::new(),
            sent: 0,
            media_cut: false,
            media_sent: Vec::new(),
            hosts: [vec![2], vec![3]],
            sign_ins: [0; 2],
        };
        house.drain();
        house
    }

    /// A device's app starts again, for the so-manieth time, with what it kept.
    pub(crate) fn restart(&mut self, who: usize, boots: u32, kept: Saved) {
        let config = ClientConfig { boots, ..config(who, &self.story, self.origin) };
        self.clients[who] = Client::restarted(config, kept, self.now);
        self.drain();
    }

    /// What the offers so far were sealed with.
    pub(crate) fn encapsulated(&self) -> Vec<Vec<u8>> {
        self.server.encapsulated.clone()
    }

    /// A user acts now.
    pub(crate) fn act(&mut self, who: usize, act: Act) {
        random::act_as(NAMES[who].1);
        self.clients[who].handle(Input::Act(act), self.now);
        self.drain();
    }

    /// The interfaces of a device are those with these addresses from now on: what it sends from others is lost.
    pub(crate) fn move_to(&mut self, who: usize, hosts: &[u8]) {
        random::act_as(NAMES[who].1);
        self.hosts[who] = hosts.to_vec();
        let up = hosts.iter().map(|host| Interface { addresses: vec![address(*host, 0).ip()] }).collect();
        self.clients[who].handle(Input::Interfaces(up), self.now);
        self.drain();
    }

    pub(crate) fn call(&mut self, video: bool) {
        self.act(0, Act::Call { user: "bob".into(), video });
    }

    /// A push reaches a device.
    pub(crate) fn push(&mut self, who: usize) {
        random::act_as(NAMES[who].1);
        self.clients[who].handle(Input::Push, self.now);
        self.drain();
    }

    /// Whether a device has no timer: its app sleeps.
    pub(crate) fn is_still(&self, who: usize) -> bool {
        self.clients[who].next_wake().is_none()
    }

    /// The server drops a device's connection.
    pub(crate) fn cut(&mut self, who: usize) {
        let (connection, _) = self.server.devices[who].clone().unwrap();
        self.server.channel.close(connection, self.now);
        self.drain();
    }

    /// From now on the server waits with keys that are asked for, or gives what it kept.
    pub(crate) fn withhold_keys(&mut self, withholds: bool) {
        self.server.withholds_keys = withholds;
        if !withholds {
            for (who, keys) in std::mem::take(&mut self.server.withheld) {
                self.server.tell(who, keys);
            }
            self.drain();
        }
    }

    /// From now on the server loses what one device says to the other, or passes it again.
    pub(crate) fn lose_peer_messages(&mut self, lost: bool) {
        self.server.loses_peer_messages = lost;
    }

    pub(crate) fn states(&self) -> [CallStateName; 2] {
        [self.clients[0].state(), self.clients[1].state()]
    }

    /// The call on the newest screen of a device that shows one.
    pub(crate) fn safety_number(&self, who: usize) -> Option<String> {
        self.screens[who].iter().rev().find_map(|screen| match screen {
            Screen::Live { safety_number, .. } => Some(safety_number.clone()),
            _ => None,
        })
    }

    /// Runs for a while.
    pub(crate) fn run(&mut self, span: Micros) {
        let end = self.now + span;
        loop {
            let wakes = self.clients.iter().filter_map(Client::next_wake).chain(self.server.channel.next_wake());
            let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = wakes.chain(arrival).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            time::set_now(self.now);
            self.step();
        }
        self.now = end;
        time::set_now(end);
    }

    fn step(&mut self) {
        while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let datagram = entry.remove();
            self.deliver(datagram);
            self.drain();
        }
        for (client, (_, device)) in self.clients.iter_mut().zip(NAMES) {
            if client.next_wake().is_some_and(|at| at <= self.now) {
                random::act_as(device);
                client.handle(Input::Timeout, self.now);
                assert!(client.next_wake().is_none_or(|at| at > self.now), "a client asks for the past");
            }
        }
        random::act_as("signaling");
        self.server.channel.handle_timeout(self.now);
        self.drain();
    }

    fn deliver(&mut self, datagram: Datagram) {
        match datagram.destination.ip() {
            ip if ip == address(1, 0).ip() => {
                random::act_as("signaling");
                self.server.channel.handle(datagram, self.now);
            }
            ip => {
                if let Some(who) = self.owner(ip) {
                    self.hand_to(who, datagram);
                }
            }
        }
    }

    /// The device that has an address now.
    fn owner(&self, ip: IpAddr) -> Option<usize> {
        (0..2).find(|who| self.hosts[*who].iter().any(|host| address(*host, 0).ip() == ip))
    }

    fn hand_to(&mut self, who: usize, datagram: Datagram) {
        random::act_as(NAMES[who].1);
        self.clients[who].handle(Input::Datagram(datagram), self.now);
    }

    fn drain(&mut self) {
        random::act_as("signaling");
        self.server.serve();
        while let Some(datagram) = self.server.channel.poll_transmit(self.now) {
            self.send(datagram);
        }
        for who in 0..2 {
            while let Some(output) = self.clients[who].poll() {
                match output {
                    Output::Transmit(datagram) => {
                        if datagram.source.port() == MEDIA_PORT {
                            self.media_sent.push((self.now, who));
                        }
                        self.send(datagram);
                    }
                    Output::Ui(screen) => self.screens[who].push(screen),
                    Output::SignedIn => self.sign_ins[who] += 1,
                    Output::Queue(work) => self.clients[who].handle(Input::Work(work), self.now),
                    Output::FriendRequest(_) | Output::FriendAdded(_) | Output::NewDevice(_) => {}
                }
            }
        }
    }

    fn send(&mut self, datagram: Datagram) {
        let is_server = datagram.source.ip() == address(1, 0).ip();
        let is_lost = self.media_cut && datagram.destination.port() == MEDIA_PORT;
        if is_lost || !is_server && self.owner(datagram.source.ip()).is_none() {
            return;
        }
        self.sent += 1;
        self.in_flight.insert((self.now + DELAY, self.sent), datagram);
    }
}

impl Server {
    /// Answers as the reference server would, without its gates.
    fn serve(&mut self) {
        while let Some(event) = self.channel.poll_event() {
            if let ChannelEvent::Message(connection, message, _) = event {
                self.message(connection, message);
            }
        }
    }

    fn message(&mut self, connection: ConnectionId, message: ClientMessage) {
        if let ClientMessage::SignUp { request, keys, first, .. } = message {
            let who = NAMES.iter().position(|(user, _)| keys.user == *user).unwrap();
            self.connections.insert(connection, who);
            self.devices[who] = Some((connection, keys));
            self.lists[who] = vec![*first];
            return self.tell(who, ServerMessage::SignedIn { request, token: format!("token of {who}"), epoch: None });
        }
        if let ClientMessage::Attach { request, token, .. } = message {
            let who = (0..2).find(|who| token == format!("token of {who}")).unwrap();
            self.connections.insert(connection, who);
            self.devices[who].as_mut().unwrap().0 = connection;
            return self.tell(who, ServerMessage::SignedIn { request, token: String::new(), epoch: None });
        }
        let from = self.connections[&connection];
        let peer = 1 - from;
        match message {
            ClientMessage::FetchKeys { request, user } => {
                let whose = NAMES.iter().position(|(name, _)| user == *name).unwrap();
                let keys = ServerMessage::Keys { request, links: self.lists[whose].clone() };
                // Who calls needs the callee's before there is a ring.
                if self.withholds_keys && from == 1 {
                    self.withheld.push((from, keys));
                } else {
                    self.tell(from, keys);
                }
            }
            ClientMessage::Invite { call, video, mut offers, .. } => {
                let caller = self.devices[from].clone().unwrap().1;
                let (from, mut offer) = (caller.user.clone(), offers.pop().unwrap());
                self.encapsulated.push(offer.encapsulated.clone());
                if self.spoils_offers {
                    offer.ciphertext[0] ^= 1;
                }
                let age = time::now().since(*self.invited.entry(call).or_insert(time::now()));
                self.tell(peer, ServerMessage::Ring { call, from, caller, video, age, offer, relays: vec![] });
            }
            ClientMessage::Ringing { call } => self.tell(peer, ServerMessage::Ringing { call }),
            ClientMessage::Accept { call, answer } => {
                let device: ActorName = NAMES[from].1.into();
                let accepted = |answer| ServerMessage::Accepted {
                    call,
                    device: device.clone(),
                    answer,
                    relays: vec![],
                    origin: None,
                };
                self.tell(peer, accepted(Some(answer)));
                self.tell(from, accepted(None));
            }
            ClientMessage::Decline { call } => self.end(call, CallEnd::Declined),
            ClientMessage::Cancel { call } => self.end(call, CallEnd::Cancelled),
            ClientMessage::HangUp { call } => self.end(call, CallEnd::HungUp),
            ClientMessage::ToPeer { .. } if self.loses_peer_messages => {}
            ClientMessage::ToPeer { call, body } => self.tell(peer, ServerMessage::FromPeer { call, body }),
            _ => {}
        }
    }

    fn end(&mut self, call: CallId, reason: CallEnd) {
        (0..2).for_each(|who| self.tell(who, ServerMessage::Ended { call, reason }));
    }

    fn tell(&mut self, who: usize, message: ServerMessage) {
        let (connection, _) = self.devices[who].clone().unwrap();
        self.channel.send(connection, &message).unwrap();
    }
}
