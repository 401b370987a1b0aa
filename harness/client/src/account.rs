//! The account of a device: sign-up, the connection to signaling with reconnection, and the roster of friends.

mod devices;
mod epochs;
mod passwords;
mod people;
mod rows;
mod saved;
mod sleep;
mod threads;

pub(crate) use devices::Wanted;
use kernel::{
    ActorName, CallId, Datagram, MessageId, Micros, SimTime, UserName,
    event::{PasswordPath, SecretKind},
    mutant,
    random::SeedTree,
};
use passwords::Recovery;
use protocol::{
    ClientChannel, ClientMessage, DeviceKeys, DeviceList, Epoch, PROTOCOL_VERSION, PushToken, RequestId, Route,
    RowEntry, ServerIdentityPublic, ServerMessage,
};
use rows::{Arrival, Rows};
pub(crate) use saved::SavedAccount;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// First wait before a new connection; it doubles.
const INITIAL_BACKOFF: Micros = Micros::from_millis(500);
/// The longest wait before a new connection.
const MAX_BACKOFF: Micros = Micros::from_secs(8);
/// How soon a sign-in is tried again that was refused because the account was not there, or so it may be.
const SIGN_IN_PAUSE: Micros = Micros::from_secs(1);
/// How often it is tried.
const MOST_SIGN_INS: u32 = 20;
/// Messages that wait for the sign-in; further ones are dropped.
const MAX_WAITING: usize = 64;
/// Requests whose answer is awaited.
const MAX_REQUESTS: usize = 256;
/// Friends; of more the server is not believed.
const MAX_FRIENDS: usize = 4_096;
/// Users whose lists of devices are kept.
const MAX_LISTS: usize = 4_096;
/// The name of the server in events.
const SIGNALING: &str = "signaling";

/// What an account is made from.
pub(crate) struct AccountConfig {
    pub(crate) device: ActorName,
    pub(crate) password: String,
    /// Public keys of the device with the user's name.
    pub(crate) keys: DeviceKeys,
    /// The list that the user's first device begins: with this one.
    pub(crate) list: DeviceList,
    /// The device's consent to being in its user's list.
    pub(crate) consent: Vec<u8>,
    /// From the addresses of the default route's interface to the server, the preferred first; none without an interface.
    pub(crate) routes: Vec<Route>,
    pub(crate) server_key: ServerIdentityPublic,
    /// Whether this device makes the account.
    pub(crate) makes_account: bool,
    /// What a push service knows the device by.
    pub(crate) push_token: Option<PushToken>,
    pub(crate) seeds: SeedTree,
}

/// What an account says to its client.
#[derive(Debug)]
pub(crate) enum AccountEvent {
    /// Signed in, again after each reconnection.
    SignedIn,
    /// Somebody asks to be friends.
    FriendRequest(UserName),
    /// A friendship began.
    FriendAdded(UserName),
    /// A friendship is over.
    FriendRemoved(UserName),
    /// The keys of a friend's devices are known.
    KeysKnown(UserName),
    /// The server gives no keys of this user.
    KeysRefused(UserName),
    /// Somebody signed in to the account with a new device.
    NewDevice(ActorName),
    /// Links of the own list are wanted, for devices that the user confirmed or removes.
    ChangesWanted,
    /// This device was logged out.
    LoggedOut,
    /// The server took a message, or did not.
    MessageAnswered(MessageId, bool),
    /// The server took a part of a message's picture, or did not.
    PartAnswered(MessageId, bool),
    /// A part of a message's picture came; none where the server gives none.
    PartCame(MessageId, Option<Vec<u8>>),
    /// The server has heard whom the user asks to be allowed to write.
    ThreadAsked(UserName),
    /// A message about a thread.
    Thread(Box<ServerMessage>),
    /// A message about a call.
    Call(Box<ServerMessage>),
}

/// Friends and what is known of their devices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    /// Each with how many friendships had begun before.
    friends: BTreeMap<UserName, u64>,
    friendships: u64,
    blocked: BTreeSet<UserName>,
    /// Who agreed to read what the user writes, without being a friend.
    open: BTreeSet<UserName>,
    /// The last list seen of each user's devices.
    lists: BTreeMap<UserName, DeviceList>,
}

impl Roster {
    /// A friendship began; one that goes on stays as old as it is.
    fn befriend(&mut self, user: &UserName) {
        if self.friends.len() < MAX_FRIENDS && !self.friends.contains_key(user) {
            self.friends.insert(user.clone(), self.friendships);
            self.friendships += 1;
        }
    }

    /// Those who were friends before somebody was.
    pub(crate) fn older_friends(&self, than: &UserName) -> impl Iterator<Item = &UserName> {
        let since = self.friends.get(than).copied().unwrap_or(u64::MAX);
        self.friends.iter().filter(move |(_, begun)| **begun < since).map(|(friend, _)| friend)
    }

    /// Whether somebody is a friend, as far as this device knows.
    pub(crate) fn is_friend(&self, user: &UserName) -> bool {
        self.friends.contains_key(user)
    }

    /// Whether somebody reads what the user writes, as far as this device knows.
    pub(crate) fn may_write(&self, user: &UserName) -> bool {
        self.is_friend(user) || self.open.contains(user)
    }

    /// Whether the user of this device blocked somebody.
    pub(crate) fn is_blocked(&self, user: &UserName) -> bool {
        self.blocked.contains(user)
    }

    /// The known devices of a user; empty when none is known.
    pub(crate) fn devices(&self, user: &UserName) -> Vec<DeviceKeys> {
        self.lists.get(user).map(|list| list.listed().values().cloned().collect()).unwrap_or_default()
    }

    /// A device of a user, if it is known.
    pub(crate) fn device(&self, user: &UserName, device: &ActorName) -> Option<&DeviceKeys> {
        self.lists.get(user)?.listed().get(device)
    }

    /// The hash of the last link of a user's list: it stands for all that is in it.
    pub(crate) fn head(&self, user: &UserName) -> Option<[u8; 32]> {
        self.lists.get(user)?.hashes().last().copied()
    }

    /// Remembers a list if it begins with the last one that was seen: no server can take a device back or put another
    /// in its place.
    fn learn(&mut self, user: &UserName, list: DeviceList) -> bool {
        let follows = self.lists.get(user).is_none_or(|seen| list.extends(seen));
        if follows && (self.lists.len() < MAX_LISTS || self.lists.contains_key(user)) {
            self.lists.insert(user.clone(), list);
        }
        follows
    }
}

#[derive(Debug)]
enum Request {
    SignIn,
    People,
    Keys(UserName),
    Devices,
    Message(MessageId),
    /// A part of the picture of a message, to the server.
    PutPart(MessageId),
    /// And from there.
    FetchPart(MessageId),
    Thread(UserName),
    /// The password that is asked for.
    Password(String),
    Code,
    /// A sign-in with a one-time code.
    Reset,
}

/// The account of a device.
pub(crate) struct Account {
    config: AccountConfig,
    channel: ClientChannel,
    connections: u32,
    failures: u32,
    greeted: bool,
    signed_in: bool,
    logged_out: bool,
    /// The app sleeps.
    suspended: bool,
    token: Option<String>,
    /// Whether it signed in once: the account is there.
    has_account: bool,
    /// A forgotten password on its way to a new one.
    recovery: Option<Recovery>,
    /// The newest state of the server's store that this device was told of.
    epoch: Option<Epoch>,
    next_request: u32,
    requests: BTreeMap<RequestId, Request>,
    waiting: VecDeque<ClientMessage>,
    reconnect_at: Option<SimTime>,
    /// When a sign-in that was refused is tried again, and how often it was.
    sign_in_at: Option<SimTime>,
    refused_sign_ins: u32,
    rows: Rows,
    /// Devices that signed in to the account, with their consent to being in the list.
    newcomers: BTreeMap<ActorName, (DeviceKeys, Vec<u8>)>,
    /// What the user wants of the list, until it says so.
    wanted: Vec<Wanted>,
    wake: Option<SimTime>,
    roster: Roster,
    events: VecDeque<AccountEvent>,
    sends: VecDeque<Datagram>,
}

impl Account {
    /// An account that begins to connect, and to sign up unless it was `saved` with a session.
    pub(crate) fn new(config: AccountConfig, saved: SavedAccount, now: SimTime) -> Account {
        passwords::hold(&config.device, SecretKind::Password, &config.password);
        if config.makes_account && !saved.has_account {
            passwords::choose(&config, PasswordPath::SignUp, &config.password);
        }
        let channel = connect(&config, 0, now);
        let mut account = Account {
            config,
            channel,
            connections: 1,
            failures: 0,
            greeted: false,
            signed_in: false,
            logged_out: false,
            suspended: false,
            token: None,
            has_account: false,
            recovery: None,
            epoch: None,
            next_request: 0,
            requests: BTreeMap::new(),
            waiting: VecDeque::new(),
            reconnect_at: None,
            sign_in_at: None,
            refused_sign_ins: 0,
            rows: Rows::default(),
            newcomers: BTreeMap::new(),
            wanted: Vec::new(),
            wake: None,
            roster: Roster::default(),
            events: VecDeque::new(),
            sends: VecDeque::new(),
        };
        account.restore(saved);
        account.drive(now);
        account
    }

    /// Whether what is sent now goes out at once.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.signed_in
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// A datagram reached the signaling socket.
    pub(crate) fn receive(&mut self, datagram: Datagram, now: SimTime) {
        self.channel.handle(datagram, now);
        self.drive(now);
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: SimTime) {
        self.channel.handle_timeout(now);
        self.drive(now);
    }

    /// When [`Account::handle_timeout`] is wanted.
    pub(crate) fn next_wake(&self) -> Option<SimTime> {
        self.wake
    }

    pub(crate) fn poll_event(&mut self) -> Option<AccountEvent> {
        self.events.pop_front()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Datagram> {
        self.sends.pop_front()
    }

    /// The routes are others: a connection migrates there (RFC 9000 section 9), one that cannot, or is not up yet, or waits to
    /// be tried again, begins anew at once.
    pub(crate) fn move_to(&mut self, routes: Vec<Route>, now: SimTime) {
        if routes == self.config.routes {
            return;
        }
        self.config.routes = routes;
        if !self.suspended && !self.config.routes.is_empty() && !self.channel.rebind(&self.config.routes, now) {
            self.signed_in = false;
            self.requests.clear();
            self.reconnect_at = Some(now);
        }
        self.drive(now);
    }

    /// Sends a message about a call, at once or after the sign-in.
    pub(crate) fn send(&mut self, message: ClientMessage, now: SimTime) {
        self.queue(message);
        self.drive(now);
    }

    /// A call that this device had a part in is over: its row should come.
    pub(crate) fn expect_row(&mut self, call: CallId, now: SimTime) {
        self.rows.expect(call, now);
        self.drive(now);
    }

    /// Asks for the keys of a user's devices.
    pub(crate) fn fetch_keys(&mut self, user: UserName, now: SimTime) {
        self.ask_keys(user);
        self.drive(now);
    }

    fn ask_keys(&mut self, user: UserName) {
        self.ask(Request::Keys(user.clone()), |request| ClientMessage::FetchKeys { request, user });
    }

    fn ask(&mut self, kind: Request, message: impl FnOnce(RequestId) -> ClientMessage) {
        let request = self.new_request(kind);
        self.queue(message(request));
    }

    fn queue(&mut self, message: ClientMessage) {
        if self.signed_in {
            // A connection that is backed up is about to be lost; the server ends the call then.
            let _ = self.channel.send(&message);
        } else if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(message);
        }
    }

    fn new_request(&mut self, kind: Request) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        if self.requests.len() < MAX_REQUESTS {
            self.requests.insert(request, kind);
        }
        request
    }

    /// Messages until there are none, then packets until there are none, then the next wake.
    fn drive(&mut self, now: SimTime) {
        if self.reconnect_at.is_some_and(|at| at <= now) {
            self.reconnect_at = None;
            self.channel = connect(&self.config, self.connections, now);
            self.connections += 1;
            self.greeted = false;
        }
        if self.sign_in_at.is_some_and(|at| at <= now) {
            self.sign_in_at = None;
            self.greeted = false;
        }
        if self.signed_in && self.rows.is_due(now) {
            self.queue(ClientMessage::FetchRows { after: self.rows.last() });
        }
        if self.channel.is_connected() && !self.greeted {
            self.greet();
        }
        while let Some(message) = self.channel.poll_message() {
            self.message(message, now);
        }
        self.sends.extend(std::iter::from_fn(|| self.channel.poll_transmit(now)));
        if self.channel.is_closed() && self.reconnect_at.is_none() && !self.logged_out && !self.suspended {
            self.lose(now);
        }
        let rows = self.rows.next_wake().filter(|_| self.signed_in);
        let wakes = [self.channel.next_wake(), self.reconnect_at, self.sign_in_at, rows];
        self.wake = kernel::time::earliest(wakes).filter(|_| !self.suspended);
    }

    fn greet(&mut self) {
        self.greeted = true;
        if self.recovery.is_some() {
            return self.recover();
        }
        let request = self.new_request(Request::SignIn);
        let version = PROTOCOL_VERSION;
        let hello = match &self.token {
            Some(token) => ClientMessage::Attach { request, version, token: token.clone(), rows: self.rows.last() },
            None => {
                let (password, keys) = (self.config.password.clone(), self.config.keys.clone());
                match self.config.makes_account && !self.has_account {
                    true => {
                        let first = Box::new(self.config.list.links()[0].clone());
                        ClientMessage::SignUp { request, version, password, keys, first }
                    }
                    false => {
                        let consent = self.config.consent.clone();
                        ClientMessage::SignIn { request, version, password, keys, consent }
                    }
                }
            }
        };
        let _ = self.channel.send(&hello);
    }

    fn lose(&mut self, now: SimTime) {
        self.signed_in = false;
        self.requests.clear();
        let backoff = Micros((INITIAL_BACKOFF.0 << self.failures.min(8)).min(MAX_BACKOFF.0));
        self.failures += 1;
        self.reconnect_at = Some(now + backoff);
    }

    fn message(&mut self, message: ServerMessage, now: SimTime) {
        match message {
            ServerMessage::SignedIn { request, token, epoch } => match self.goes_by(epoch.as_ref()) {
                true => self.signed_in(request, token),
                false => self.turn_away(now),
            },
            ServerMessage::LastSeen { request, .. } => {
                self.requests.remove(&request);
            }
            ServerMessage::Done { request, epoch } => {
                if epoch.is_some() {
                    self.goes_by(epoch.as_ref());
                }
                match self.requests.remove(&request) {
                    Some(Request::Password(new)) => self.config.password = new,
                    Some(Request::Message(message)) => {
                        self.events.push_back(AccountEvent::MessageAnswered(message, true));
                    }
                    Some(Request::PutPart(message)) => {
                        self.events.push_back(AccountEvent::PartAnswered(message, true));
                    }
                    Some(Request::Thread(user)) => self.events.push_back(AccountEvent::ThreadAsked(user)),
                    _ => {}
                }
            }
            ServerMessage::Refused { request } => self.refused(request, now),
            ServerMessage::Keys { request, links } => self.keys(request, links),
            ServerMessage::NewDevice { keys, consent } => self.new_device(keys, consent),
            ServerMessage::DevicesChanged { user } => self.ask_keys(user),
            ServerMessage::LoggedOut => self.log_out(),
            ServerMessage::FriendRequest { from } => self.events.push_back(AccountEvent::FriendRequest(from)),
            ServerMessage::FriendAdded { user } => {
                self.roster.befriend(&user);
                self.roster.open.remove(&user);
                self.roster.blocked.remove(&user);
                // Seen before any call: whoever swaps keys in a call's messages meets the ones that are known.
                self.ask_keys(user.clone());
                self.events.push_back(AccountEvent::FriendAdded(user));
            }
            ServerMessage::FriendRemoved { user } => {
                self.roster.friends.remove(&user);
                self.events.push_back(AccountEvent::FriendRemoved(user));
            }
            ServerMessage::Part { request, bytes } => {
                if let Some(Request::FetchPart(message)) = self.requests.remove(&request) {
                    self.events.push_back(AccountEvent::PartCame(message, Some(bytes)));
                }
            }
            ServerMessage::Row { previous, number, more, ref row, .. } => {
                let call = if let RowEntry::Call(row) = row { Some(row.call) } else { None };
                let arrival = self.rows.arrive(previous, number, call);
                if arrival == Arrival::Gap || arrival == Arrival::Next && more {
                    self.queue(ClientMessage::FetchRows { after: self.rows.last() });
                }
                if arrival == Arrival::Next {
                    self.events.push_back(AccountEvent::Thread(Box::new(message)));
                }
            }
            ServerMessage::ThreadOpened { ref user } => {
                if self.roster.open.len() < MAX_FRIENDS {
                    self.roster.open.insert(user.clone());
                }
                self.ask_keys(user.clone());
                self.events.push_back(AccountEvent::Thread(Box::new(message)));
            }
            ServerMessage::ThreadRequest { .. } | ServerMessage::Receipt { .. } | ServerMessage::Avatar { .. } => {
                self.events.push_back(AccountEvent::Thread(Box::new(message)));
            }
            about_a_call => self.events.push_back(AccountEvent::Call(Box::new(about_a_call))),
        }
    }

    fn signed_in(&mut self, request: RequestId, token: String) {
        match self.requests.remove(&request) {
            Some(Request::SignIn) => {}
            Some(Request::Reset) => self.recovered(),
            _ => return,
        }
        if !token.is_empty() {
            self.token = Some(token);
        }
        self.signed_in = true;
        self.has_account = true;
        self.failures = 0;
        self.events.push_back(AccountEvent::SignedIn);
        self.register_push();
        if mutant!(V102) && !self.config.makes_account {
            // The planted bug: the new device confirms itself.
            let own = (self.config.keys.clone(), self.config.consent.clone());
            self.newcomers.insert(own.0.device.clone(), own.clone());
            self.want(Wanted::Add(own.0.device));
        }
        std::mem::take(&mut self.waiting).into_iter().for_each(|message| self.queue(message));
    }

    fn refused(&mut self, request: RequestId, now: SimTime) {
        match self.requests.remove(&request) {
            Some(Request::Keys(user)) => self.events.push_back(AccountEvent::KeysRefused(user)),
            Some(Request::Message(message)) => self.events.push_back(AccountEvent::MessageAnswered(message, false)),
            Some(Request::PutPart(message)) => self.events.push_back(AccountEvent::PartAnswered(message, false)),
            Some(Request::FetchPart(message)) => self.events.push_back(AccountEvent::PartCame(message, None)),
            Some(Request::Thread(user)) => self.events.push_back(AccountEvent::ThreadAsked(user)),
            Some(Request::SignIn) if self.awaits_account() => {
                self.refused_sign_ins += 1;
                self.sign_in_at = Some(now + SIGN_IN_PAUSE);
            }
            // The session was revoked, or the name is taken: trying again changes nothing.
            Some(Request::SignIn) if self.token.is_some() => self.log_out(),
            Some(Request::SignIn) => self.logged_out = true,
            Some(Request::Reset) => self.give_up_recovery(),
            _ => {}
        }
    }

    /// Whether the account may not be there yet: another device of the user makes it at the same time.
    fn awaits_account(&self) -> bool {
        !self.config.makes_account && self.token.is_none() && self.refused_sign_ins < MOST_SIGN_INS
    }

    /// The planted bug V41: a key goes to the server, in a field that it reads.
    pub(crate) fn escrow(&mut self, key: &str, now: SimTime) {
        if mutant!(V41) {
            self.fetch_keys(UserName::from(key), now);
        }
    }
}

fn connect(config: &AccountConfig, connection: u32, now: SimTime) -> ClientChannel {
    let seeds = config.seeds.child(&format!("signaling-{connection}"));
    ClientChannel::new(&config.routes, config.server_key, seeds, connection, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roster_holds_a_bounded_number_of_friends() {
        let mut roster = Roster::default();
        (0..=MAX_FRIENDS).for_each(|n| roster.befriend(&format!("friend-{n}").as_str().into()));
        assert_eq!(roster.friends.len(), MAX_FRIENDS);
    }

    #[test]
    fn a_friend_is_as_old_as_the_friendship() {
        let mut roster = Roster::default();
        ["alice", "carol", "alice", "dave"].iter().for_each(|user| roster.befriend(&(*user).into()));
        let older = |roster: &Roster, than: &str| roster.older_friends(&than.into()).cloned().collect::<Vec<_>>();
        assert_eq!(older(&roster, "carol"), ["alice"]);
        assert_eq!(older(&roster, "eve").len(), 3, "a stranger is younger than all");
        roster.friends.remove(&UserName::from("alice"));
        roster.befriend(&"alice".into());
        assert_eq!(older(&roster, "alice"), ["carol", "dave"]);
    }
}
