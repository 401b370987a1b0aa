//! The client: joins account, machine and call. Inputs go to the part that they are for; then everything runs until
//! nothing has anything left to do at this instant.

mod effects;
mod handover;
mod hold;
mod insist;
mod links;
mod lock;
mod media;
mod messages;
mod misbehaviour;
mod offers;
mod permissions;
mod pictures;
mod reconnect;
mod repose;
mod restart;
mod takeover;
mod verification;
mod waiting;
mod writing;

use crate::{
    account::{Account, AccountConfig, AccountEvent, Wanted},
    call::{Call, Own},
    config::{ClientConfig, HOARD_PORTS, Hop, Input, MEDIA_PORT, Misbehaviour, Output, SIGNALING_PORTS},
    machine::{Event, Machine, ServerEvent, UserEvent},
    saved::Saved,
    threads::Threads,
    transport::TransportConfig,
};
use e2ee::DeviceIdentity;
use insist::Insistence;
use kernel::{
    ActorName, CallId, Datagram, Micros, SimTime, Track, UserName, event,
    event::{Act, AttackKind, CallStateName, Screen, SecretKind},
    mutant,
    plan::{DeviceClass, MediaPlan},
    random::{SeedTree, Stream},
};
use messages::Ring;
use protocol::{CallEnd, ClientMessage, DeviceKeys, DeviceList};
use repose::Repose;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
};

/// Rounds in which parts may answer each other within one instant, before the rest waits for the next microsecond.
const MAX_ROUNDS: usize = 1_000;

/// A device with its user's account: the virtual client.
pub struct Client {
    user: UserName,
    device: ActorName,
    index: u8,
    peers: Vec<(UserName, ActorName, u8)>,
    /// The addresses of the interfaces that are up, the preferred first.
    addresses: Vec<IpAddr>,
    signaling: Vec<SocketAddr>,
    class: DeviceClass,
    relay_only: bool,
    read_receipts: bool,
    photograph: Vec<u8>,
    place: [i32; 2],
    stun: Option<SocketAddr>,
    media: MediaPlan,
    seeds: SeedTree,
    misbehaviour: Vec<Misbehaviour>,
    null_srtp: bool,
    hop: Option<Box<dyn Hop>>,
    identity: DeviceIdentity,
    calls: Stream,
    sealing: Stream,
    message_sealing: Stream,
    picture_sealing: Stream,
    message_ids: Stream,
    threads: Threads,
    account: Account,
    insistence: Insistence,
    machine: Machine,
    call: Option<Call>,
    /// What a ring came with whose caller this device was calling.
    crossing: Option<Call>,
    /// What a ring came with that waits beside a call.
    waiting: Option<Call>,
    /// How often a call came here from another device of the user, or went on with another device of the peer.
    moves: u32,
    /// A ring of a device that is not in the last list that was seen of its user's.
    unknown: Option<Ring>,
    /// A call that is over and whose engine still has something to do: none unless a planted bug keeps it going.
    ended: Option<Call>,
    /// Attacks that the oracle was told of.
    announced: BTreeSet<AttackKind>,
    /// Third parties that were named as candidates.
    listed: usize,
    repose: Repose,
    is_locked: bool,
    /// The tracks that the operating system denies.
    denied: BTreeSet<Track>,
    /// Who was verified, with the last link of their list at that time.
    verified: BTreeMap<UserName, [u8; 32]>,
    outputs: VecDeque<Output>,
    unsettled: bool,
    now: SimTime,
}

impl Client {
    /// A client that begins to connect to signaling and to sign up.
    pub fn new(config: ClientConfig, now: SimTime) -> Client {
        let mut client = Client::begin(config, None, now);
        client.settle(now);
        client
    }

    fn begin(config: ClientConfig, kept: Option<Saved>, now: SimTime) -> Client {
        // Keys of the device are kept. Whatever else is drawn must differ each time that it starts.
        let identity = DeviceIdentity::generate(&mut config.seeds.stream("identity"));
        let seeds = match config.boots {
            0 => config.seeds,
            boots => config.seeds.child(&format!("boot-{boots}")),
        };
        let (signing, sealing) = identity.public();
        let secrets = if kept.is_none() { identity.secrets().to_vec() } else { Vec::new() };
        for value in secrets {
            let (holders, kind) = (vec![config.device.clone()], SecretKind::PrivateKey);
            event!(Secret { holders, kind, kid: None, value });
        }
        let saved = kept.unwrap_or_default();
        let addresses = handover::addresses(&config.interfaces);
        let keys = DeviceKeys { user: config.user.clone(), device: config.device.clone(), signing, sealing };
        let account = AccountConfig {
            device: config.device.clone(),
            password: config.password,
            list: DeviceList::begin(&keys, &identity),
            consent: keys.consent(&identity),
            keys,
            routes: handover::routes(&config.interfaces, &config.signaling),
            server_key: config.signaling_key,
            makes_account: config.makes_account,
            push_token: config.push_token,
            seeds,
        };
        Client {
            user: config.user,
            device: config.device,
            index: config.index,
            peers: config.peers,
            addresses,
            signaling: config.signaling,
            class: config.device_class,
            relay_only: config.relay_only,
            read_receipts: config.read_receipts,
            photograph: config.photograph,
            place: config.place,
            stun: config.stun,
            media: config.media,
            seeds,
            misbehaviour: config.misbehaviour,
            null_srtp: config.null_srtp,
            hop: config.hop,
            identity,
            calls: seeds.stream("calls"),
            sealing: seeds.stream("sealing"),
            message_sealing: seeds.stream("message sealing"),
            picture_sealing: seeds.stream("picture sealing"),
            message_ids: seeds.stream("messages"),
            account: Account::new(account, saved.account, now),
            insistence: Insistence::default(),
            machine: Machine::new().with_call_waiting(config.call_waiting),
            call: None,
            crossing: None,
            waiting: None,
            moves: 0,
            unknown: None,
            ended: None,
            announced: BTreeSet::new(),
            listed: 0,
            repose: Repose::default(),
            is_locked: saved.is_locked,
            denied: saved.denied,
            verified: saved.verified,
            threads: saved.threads,
            outputs: VecDeque::new(),
            unsettled: false,
            now,
        }
    }

    /// Takes an input at an instant; what follows from it waits in [`Client::poll`].
    pub fn handle(&mut self, input: Input, now: SimTime) {
        self.now = now;
        if self.sleeps_through(&input) {
            return;
        }
        match input {
            Input::Datagram(datagram) => self.receive(datagram, now),
            Input::Timeout => self.handle_timeout(now),
            Input::Act(act) => self.act(act, now),
            Input::Interfaces(up) => self.change_interfaces(&up, now),
            Input::Work(work) => self.work(work, now),
            Input::Mail(code) => self.account.read_mail(code, now),
            Input::Push => self.pushed(now),
        }
        self.settle(now);
        self.fall_asleep(now);
    }

    /// The next output; call until none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the client wants [`Input::Timeout`]: later than its last input, or never.
    pub fn next_wake(&self) -> Option<SimTime> {
        if self.is_asleep() {
            return None;
        }
        let soon = self.unsettled.then_some(self.now);
        let hop = self.hop.as_ref().filter(|_| self.call.is_some()).and_then(|hop| hop.next_wake());
        let calls = self.call.iter().chain(&self.ended).flat_map(|call| call.wakes.into_iter().flatten()).min();
        let (account, machine, insistence) =
            (self.account.next_wake(), self.machine.next_wake(), self.insistence.next_wake());
        let wakes = [soon, account, machine, insistence, self.next_repose(), hop, calls];
        kernel::time::earliest(wakes).map(|at| at.max(self.now + Micros(1)))
    }

    /// The state of the call machine.
    pub fn state(&self) -> CallStateName {
        self.machine.state()
    }

    fn receive(&mut self, datagram: Datagram, now: SimTime) {
        match datagram.destination.port() {
            port if SIGNALING_PORTS.contains(&port) => self.account.receive(datagram, now),
            port if port == MEDIA_PORT || HOARD_PORTS.contains(&port) => {
                if let Some(transport) = self.call.as_mut().and_then(|call| call.transport.as_mut()) {
                    transport.receive(datagram, now);
                }
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: SimTime) {
        let due = |wake: Option<SimTime>| wake.is_some_and(|at| at <= now);
        if due(self.account.next_wake()) {
            self.account.handle_timeout(now);
        }
        if due(self.machine.next_wake()) {
            self.step(Event::Timer, now);
        }
        if due(self.insistence.next_wake()) {
            self.insist(now);
        }
        for call in self.call.iter_mut().chain(&mut self.ended) {
            let [transport, engine] = call.wakes;
            if let Some(transport) = call.transport.as_mut().filter(|_| due(transport)) {
                transport.handle_timeout(now);
            }
            if let Some(engine) = call.engine.as_mut().filter(|_| due(engine)) {
                engine.set_unsent(call.transport.as_ref().map_or(0, |transport| transport.unsent_bytes()));
                engine.handle_timeout(now);
            }
        }
    }

    fn act(&mut self, act: Act, now: SimTime) {
        event!(UserAct { user: self.user.clone(), device: self.device.clone(), what: act.clone() });
        if !self.may(&act) {
            return;
        }
        self.come_to_the_front(&act, now);
        match act {
            Act::RequestFriend { user } => self.account.request_friend(user, now),
            Act::AcceptFriend { user } => self.account.answer_friend(user, true, now),
            Act::DeclineFriend { user } => self.account.answer_friend(user, false, now),
            Act::Unfriend { user } => self.account.unfriend(user, now),
            Act::Block { user } => self.account.block(user, now),
            Act::CancelRequest { user } => self.account.cancel_request(user, now),
            Act::Unblock { user } => self.account.unblock(user, now),
            Act::Follow { user } => self.account.follow(user, true, now),
            Act::Unfollow { user } => self.account.follow(user, false, now),
            Act::LookUp { user } => self.look_up(user, now),
            Act::AskLastSeen { user } => self.account.ask_last_seen(user, now),
            Act::Set { setting } => self.account.set(setting, now),
            Act::Call { user, video } => {
                let call = CallId(self.calls.bytes());
                self.step(Event::User(UserEvent::Call { call, peer: user, video }), now);
            }
            Act::Accept { video } => self.step(Event::User(UserEvent::Accept { video }), now),
            Act::Decline => self.step(Event::User(UserEvent::Decline), now),
            Act::Cancel => self.step(Event::User(UserEvent::Cancel), now),
            Act::HangUp => self.step(Event::User(UserEvent::HangUp), now),
            Act::CameraOff => self.step(Event::User(UserEvent::SwitchOff(Track::Video)), now),
            Act::CameraOn => self.step(Event::User(UserEvent::SwitchOn(Track::Video)), now),
            Act::Mute => self.step(Event::User(UserEvent::SwitchOff(Track::Audio)), now),
            Act::Unmute => self.step(Event::User(UserEvent::SwitchOn(Track::Audio)), now),
            Act::Hold => self.step(Event::User(UserEvent::Hold), now),
            Act::Resume => self.step(Event::User(UserEvent::Resume), now),
            Act::HandOver { device } => self.step(Event::User(UserEvent::HandOver { to: device }), now),
            Act::AcceptWaiting { video } => self.accept_waiting(video, now),
            Act::DeclineWaiting => self.step(Event::User(UserEvent::DeclineWaiting), now),
            Act::ConfirmDevice { device } => self.account.change_devices(Wanted::Add(device), now),
            Act::RemoveDevice { device } => self.account.change_devices(Wanted::Remove(device), now),
            Act::Write { user, text, attached } => self.write(user, text, attached, now),
            Act::SendAnyway { user } => self.send_anyway(&user, now),
            Act::Read { user } => self.read(&user, now),
            Act::AcceptMessages { user } => self.account.answer_thread(user, true, now),
            Act::DeclineMessages { user } => self.account.answer_thread(user, false, now),
            Act::SetAvatar => self.set_avatar(now),
            Act::ChangePassword { password } => self.account.change_password(password, now),
            Act::ResetPassword { password } => self.account.reset_password(password, now),
            Act::SignIn { password } => self.account.sign_in_again(password, now),
            Act::EndOtherSessions => self.account.end_other_sessions(now),
            Act::Sleep => self.put_away(now),
            Act::Lock => self.is_locked = true,
            Act::Unlock => self.unlock(),
            Act::OpenLink { link } => self.open_link(&link, now),
            Act::DenyAccess { track } => self.deny(track, now),
            Act::AllowAccess { track } => self.allow(track, now),
            Act::Verify { user } => self.verify(user),
        }
    }

    /// Runs the parts until none has anything left to do at this instant, then asks when they want to wake.
    fn settle(&mut self, now: SimTime) {
        self.unsettled = !self.run_parts(now);
        for call in self.call.iter_mut().chain(&mut self.ended) {
            let transport = call.transport.as_ref().and_then(|transport| transport.next_wake());
            call.wakes = [transport, call.engine.as_ref().and_then(|engine| engine.next_wake())];
        }
    }

    /// False when there is still something to do after very many rounds.
    fn run_parts(&mut self, now: SimTime) -> bool {
        for _ in 0..MAX_ROUNDS {
            let mut busy = false;
            while let Some(event) = self.account.poll_event() {
                busy = true;
                self.account_event(event, now);
            }
            busy |= self.pump_media(now);
            self.outputs.extend(std::iter::from_fn(|| self.account.poll_transmit()).map(Output::Transmit));
            if !busy {
                return true;
            }
        }
        false
    }

    fn account_event(&mut self, event: AccountEvent, now: SimTime) {
        match event {
            AccountEvent::SignedIn => {
                self.outputs.push_back(Output::SignedIn);
                self.resume(now);
                self.resume_threads(now);
            }
            AccountEvent::FriendRequest(user) => self.outputs.push_back(Output::FriendRequest(user)),
            AccountEvent::FriendAdded(user) => {
                self.threads.befriended(&user);
                self.outputs.push_back(Output::FriendAdded(user));
            }
            AccountEvent::FriendRemoved(user) => self.threads.forget_avatar(&user),
            AccountEvent::PartAnswered(message, taken) => self.part_answered(message, taken, now),
            AccountEvent::PartCame(message, part) => self.part_came(message, part.as_deref(), now),
            AccountEvent::KeysKnown(user) => {
                self.keys_known(&user, now);
                self.list_known(&user, now);
            }
            AccountEvent::KeysRefused(user) => {
                self.keys_refused(&user, now);
                self.list_refused(&user, now);
            }
            AccountEvent::MessageAnswered(message, taken) => self.message_answered(message, taken, now),
            AccountEvent::ThreadAsked(user) => self.thread_asked(&user),
            AccountEvent::Thread(message) => self.thread_message(*message, now),
            AccountEvent::NewDevice(device) => self.outputs.push_back(Output::NewDevice(device)),
            AccountEvent::ChangesWanted => {
                let own = Own { device: &self.device, identity: &self.identity };
                self.account.extend_list(own, now);
            }
            AccountEvent::LoggedOut => self.logged_out(now),
            AccountEvent::Call(message) => self.call_message(*message, now),
        }
    }

    /// The session was revoked: as a hang-up (call-machine.md), which the server has done already.
    fn logged_out(&mut self, now: SimTime) {
        if let Some(call) = self.machine.dialog().map(|dialog| dialog.call) {
            self.step(Event::Server(ServerEvent::Ended { call, reason: CallEnd::Unknown }), now);
        }
    }

    fn show(&mut self, screen: Screen) {
        event!(Ui { user: self.user.clone(), device: self.device.clone(), screen: screen.clone() });
        self.outputs.push_back(Output::Ui(screen));
    }

    fn tell_server(&mut self, message: ClientMessage, now: SimTime) {
        self.account.send(message, now);
    }

    fn misbehaves(&self, how: Misbehaviour) -> bool {
        self.misbehaviour.contains(&how)
    }

    fn transport_config(&self, call: CallId, peer: ActorName, video: bool) -> TransportConfig {
        TransportConfig {
            device: self.device.clone(),
            peer,
            call,
            locals: self.media_sockets(),
            // V71: the setting counts for nothing, and the default is every candidate.
            relay_only: self.relay_only && !mutant!(V71),
            misbehaviour: self.misbehaviour.clone(),
            null_srtp: self.null_srtp,
            video,
            media: self.media.clone(),
            seeds: self.seeds.child(&effects::seeds_of(call, self.moves)),
        }
    }
}
