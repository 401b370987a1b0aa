//! Who takes part: alice with one device, bob with two.

use e2ee::{DeviceChange, DeviceIdentity, DeviceKeys, DeviceList};
use kernel::{ActorName, CallId, ThreadId, UserName, random::SeedTree};
use protocol::{
    ClientMessage, ConnectionId, EnvelopeHeader, EnvelopeKind, PROTOCOL_VERSION, RequestId, SealedEnvelope,
};
use signaling::{Argon2Cost, ServerConfig, ServiceCosts};

/// How many devices there are.
pub(crate) const DEVICES: usize = 3;
/// Alice's, who may be malicious.
pub(crate) const ALICE: usize = 0;
/// The device of bob from which he calls and unfriends.
pub(crate) const BOB: usize = 1;
/// Bob's other one.
pub(crate) const LAPTOP: usize = 2;

const PASSWORD: &str = "correct horse battery staple";

const NAMES: [(&str, &str); DEVICES] = [("alice", "alice-phone"), ("bob", "bob-phone"), ("bob", "bob-laptop")];

/// A device by its number.
pub(crate) fn name(device: usize) -> ActorName {
    NAMES[device].1.into()
}

/// Whose it is.
pub(crate) fn user(device: usize) -> UserName {
    NAMES[device].0.into()
}

/// The other user.
pub(crate) fn peer(device: usize) -> UserName {
    user(if device == ALICE { BOB } else { ALICE })
}

/// The devices of the other user.
pub(crate) fn peers(device: usize) -> impl Iterator<Item = usize> {
    (0..DEVICES).filter(move |other| NAMES[*other].0 != NAMES[device].0)
}

/// Another device of the same user.
pub(crate) fn own_other(device: usize) -> Option<usize> {
    (0..DEVICES).find(|other| *other != device && NAMES[*other].0 == NAMES[device].0)
}

/// The device of a name.
pub(crate) fn number(name: &ActorName) -> Option<usize> {
    NAMES.iter().position(|(_, device)| *device == name.as_str())
}

/// The connection of a device, which lasts.
pub(crate) fn connection(device: usize) -> ConnectionId {
    ConnectionId(device as u64 + 1)
}

/// The device of a connection.
pub(crate) fn device_of(connection: ConnectionId) -> Option<usize> {
    (0..DEVICES).find(|device| self::connection(*device) == connection)
}

/// The id of a call: who calls, and for the how-many-th time. It does not depend on who came first, so that fewer states
/// differ.
pub(crate) fn call(device: usize, nth: u8) -> CallId {
    CallId([device as u8 * 16 + nth; 16])
}

/// A call as people read it.
pub(crate) fn call_name(call: CallId) -> String {
    let [code, ..] = call.0;
    format!("{}'s call {}", user(usize::from(code / 16)), code % 16)
}

/// The server: without relays, and no work of it takes time.
pub(crate) fn server() -> ServerConfig {
    let nothing = kernel::Micros::ZERO;
    ServerConfig {
        name: "signaling".into(),
        address: "198.51.100.1:443".parse().expect("an address"),
        address_v6: None,
        relays: Vec::new(),
        password_cost: Argon2Cost::SIMULATION,
        costs: ServiceCosts { store_access: nothing, password_hash: nothing },
        cores: kernel::plan::Cores::default(),
        boots: 0,
        epoch: protocol::Epoch::default(),
        faults: Vec::new(),
        seeds: SeedTree::root(1),
    }
}

fn identity(device: usize) -> DeviceIdentity {
    DeviceIdentity::generate(&mut SeedTree::root(1).stream(NAMES[device].1))
}

/// The keys of a device. No call is sealed with them here: who carries its messages cannot open them anyway.
fn keys(device: usize) -> DeviceKeys {
    let (signing, sealing) = identity(device).public();
    DeviceKeys { user: user(device), device: name(device), signing, sealing }
}

fn list(device: usize) -> DeviceList {
    DeviceList::begin(&keys(device), &identity(device))
}

/// What makes an account.
pub(crate) fn sign_up(device: usize) -> ClientMessage {
    let (request, version, password) = (RequestId(1), PROTOCOL_VERSION, PASSWORD.into());
    let first = Box::new(list(device).links()[0].clone());
    ClientMessage::SignUp { request, version, password, keys: keys(device), first }
}

/// What brings a device to an account.
pub(crate) fn sign_in(device: usize) -> ClientMessage {
    let (request, version, password) = (RequestId(1), PROTOCOL_VERSION, PASSWORD.into());
    let (keys, consent) = (keys(device), keys(device).consent(&identity(device)));
    ClientMessage::SignIn { request, version, password, keys, consent }
}

/// The first device's word for another one of its user.
pub(crate) fn confirm(device: usize, by: usize) -> ClientMessage {
    let (keys, consent) = (keys(device), keys(device).consent(&identity(device)));
    let link = list(by).sign(DeviceChange::Add { keys, consent }, &name(by), &identity(by));
    ClientMessage::ExtendDevices { request: RequestId(1), link: Box::new(link) }
}

/// An envelope with an honest header.
pub(crate) fn envelope(kind: EnvelopeKind, call: CallId, from: usize, to: &ActorName) -> SealedEnvelope {
    let thread = ThreadId::between(&user(ALICE), &user(BOB));
    let (version, sequence) = (PROTOCOL_VERSION, 0);
    let header = EnvelopeHeader { version, kind, subject: call.0, thread, from: name(from), to: to.clone(), sequence };
    SealedEnvelope { header, encapsulated: Vec::new(), ciphertext: Vec::new() }
}
