//! The stack under test. The reference stack is ours; a foreign one implements the same trait.

use crate::{
    actor::{Actor, ActorInput, ActorOutput},
    push,
    store::Found,
};
use adversary::Armed;
use client::{Client, ClientConfig, Saved};
use kernel::{
    ActorName, Plan, SimTime,
    event::Act,
    packet::Interface,
    plan::{AccessPlan, Participant, ServerPlan},
    random::SeedTree,
};
use protocol::{RelayTls, ServerIdentity};
use relay::{Prefix, Quotas, Relay, RelayConfig, RelayInput};
use signaling::{Argon2Cost, RelayEndpoint, Server, ServerConfig, ServiceCosts};
use std::net::SocketAddr;

/// Where signaling listens (QUIC, and TLS over TCP).
const SIGNALING_PORT: u16 = 443;
/// Where relays listen (TURN and STUN over UDP, TURN over TCP).
pub(crate) const RELAY_PORT: u16 = 3_478;
/// Where they speak TURN over TLS: the port that firewalls let pass.
const RELAY_TLS_PORT: u16 = 443;

/// What an app that crashed left on its device.
#[derive(Clone, Debug)]
pub struct Left {
    /// How often it was started before. The device counts it, not the app.
    pub boots: u32,
    /// What the app kept.
    pub saved: Saved,
}

/// Builds the actors of a run.
pub trait Stack: Send + Sync {
    /// The device of a participant.
    fn device(&self, plan: &Plan, device: &ActorName, now: SimTime) -> Box<dyn Actor>;

    /// The device of a participant whose app crashed and starts again, with what it kept. One that keeps nothing begins anew.
    fn device_restarted(&self, plan: &Plan, device: &ActorName, _left: Left, now: SimTime) -> Box<dyn Actor> {
        self.device(plan, device, now)
    }

    /// Signaling, or a relay, that stopped and starts again: for the `boots`-th time, with what its store made durable. A
    /// server without a store begins anew.
    fn restarted(&self, plan: &Plan, name: &ActorName, _found: &Found, now: SimTime) -> Box<dyn Actor> {
        self.server(plan, name, now)
    }

    /// Signaling, or a relay.
    fn server(&self, plan: &Plan, name: &ActorName, now: SimTime) -> Box<dyn Actor>;
}

/// The complete reference implementation of the calling system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Stack for Reference {
    fn device(&self, plan: &Plan, device: &ActorName, now: SimTime) -> Box<dyn Actor> {
        let signs_in = plan.participant(device.as_str()).and_then(|one| one.signs_in);
        match signs_in.map(|after| plan.timeline_start + after) {
            Some(at) if at > now => {
                Box::new(Latecomer { plan: plan.clone(), device: device.clone(), at, client: None })
            }
            _ => Box::new(Device(Client::new(client_config(plan, device), now))),
        }
    }

    fn device_restarted(&self, plan: &Plan, device: &ActorName, left: Left, now: SimTime) -> Box<dyn Actor> {
        let config = ClientConfig { boots: left.boots, ..client_config(plan, device) };
        Box::new(Device(Client::restarted(config, left.saved, now)))
    }

    fn restarted(&self, plan: &Plan, name: &ActorName, found: &Found, now: SimTime) -> Box<dyn Actor> {
        if plan.signaling.name != *name {
            return self.server(plan, name, now);
        }
        let config = ServerConfig { boots: found.boots, epoch: found.epoch.clone(), ..server_config(plan) };
        let server = Server::restore(config, &found.rows, now).expect("a store reads what it wrote");
        Box::new(signaling(server, plan))
    }

    fn server(&self, plan: &Plan, name: &ActorName, now: SimTime) -> Box<dyn Actor> {
        if plan.signaling.name == *name {
            return Box::new(signaling(Server::new(server_config(plan), now), plan));
        }
        let relay = plan.relays.iter().find(|relay| relay.name == *name).expect("world asks for servers of the plan");
        let address = SocketAddr::new(relay.address, RELAY_PORT);
        Box::new(RelayServer(Relay::new(name.clone(), address, relay_config(plan, name), seeds(plan, name), now)))
    }
}

/// The server with whoever owns it.
fn signaling(mut server: Server, plan: &Plan) -> Signaling {
    if let Some(interceptor) = armed(plan).interceptor {
        server.set_interceptor(interceptor);
    }
    Signaling(server)
}

/// The simulation's public Internet is made of the blocks that IANA keeps for documentation (RFC 5737, RFC 3849), so that
/// no address of a run is somebody's: for its relays they are public. Homes stay private, and refused.
fn relay_config(plan: &Plan, name: &ActorName) -> RelayConfig {
    let public = vec![
        Prefix::v4([192, 0, 2, 0], 24),
        Prefix::v4([198, 51, 100, 0], 24),
        Prefix::v4([203, 0, 113, 0], 24),
        Prefix::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ];
    let identity = Some(relay_identity(plan, name));
    RelayConfig { address_v6: None, public, quotas: Quotas::default(), identity }
}

/// What a relay proves in TLS: a function of its seeds, so that grants can name its key.
fn relay_identity(plan: &Plan, name: &ActorName) -> ServerIdentity {
    ServerIdentity::generate(&mut seeds(plan, name).stream("identity"))
}

fn seeds(plan: &Plan, name: &ActorName) -> SeedTree {
    SeedTree::root(plan.seed).child("actor").child(name.as_str())
}

fn armed(plan: &Plan) -> Armed {
    adversary::arm(&plan.adversary, SeedTree::root(plan.seed).child("adversary"))
}

fn server_config(plan: &Plan) -> ServerConfig {
    let ServerPlan { name, address, address_v6, .. } = &plan.signaling;
    let relay = |relay: &ServerPlan| RelayEndpoint {
        name: relay.name.clone(),
        address: SocketAddr::new(relay.address, RELAY_PORT),
        tcp: Some(SocketAddr::new(relay.address, RELAY_PORT)),
        tls: Some(RelayTls {
            address: SocketAddr::new(relay.address, RELAY_TLS_PORT),
            key: relay_identity(plan, &relay.name).public().0,
        }),
    };
    ServerConfig {
        name: name.clone(),
        address: SocketAddr::new(*address, SIGNALING_PORT),
        address_v6: address_v6.map(|address| SocketAddr::new(address, SIGNALING_PORT)),
        relays: plan.relays.iter().map(relay).collect(),
        password_cost: Argon2Cost::SIMULATION,
        costs: ServiceCosts::default(),
        boots: 0,
        epoch: protocol::Epoch::default(),
        cores: plan.cores,
        faults: plan.trouble.signaling.clone(),
        seeds: seeds(plan, name),
    }
}

/// Where signaling is, and the key that everybody knows of it.
pub(crate) fn public_signaling(plan: &Plan) -> (SocketAddr, protocol::ServerIdentityPublic) {
    let config = server_config(plan);
    (config.address, config.identity().public())
}

fn client_config(plan: &Plan, device: &ActorName) -> ClientConfig {
    let numbered = || plan.participants.iter().zip(0u8..);
    let (me, index) =
        numbered().find(|(participant, _)| participant.device == *device).expect("world asks for devices of the plan");
    let peers = numbered().filter(|(peer, _)| peer.device != *device);
    let seeds = seeds(plan, device);
    // Who calls first is the hostile one where the plan has a hostile caller; who is called sits behind the hop.
    let armed = armed(plan);
    let begins = |act: &Act| matches!(act, Act::Call { .. } | Act::Write { .. });
    let calls = plan.timeline.iter().any(|step| plan.takes(device, step) && begins(&step.act));
    let first = plan.devices_of(me.user.as_str()).next().unwrap_or(device);
    ClientConfig {
        user: me.user.clone(),
        device: device.clone(),
        index,
        peers: peers.map(|(peer, index)| (peer.user.clone(), peer.device.clone(), index)).collect(),
        interfaces: interfaces(me),
        device_class: me.device_class,
        relay_only: me.relay_only,
        read_receipts: me.read_receipts,
        call_waiting: me.call_waiting,
        photograph: match me.photograph_bytes {
            None => fixtures::photograph().map(<[u8]>::to_vec),
            Some(bytes) => fixtures::photograph_of(bytes as usize),
        }
        .expect("the photograph is compiled in"),
        place: place(&self::seeds(plan, device)),
        // One of the user, not of the device.
        password: password(&self::seeds(plan, first)),
        makes_account: first == device,
        signaling: plan.signaling.addresses().map(|address| SocketAddr::new(address, SIGNALING_PORT)).collect(),
        signaling_key: server_config(plan).identity().public(),
        stun: plan.relays.first().map(|relay| SocketAddr::new(relay.address, RELAY_PORT)),
        media: plan.media.clone(),
        seeds,
        misbehaviour: if calls { armed.misbehaviour } else { Vec::new() },
        null_srtp: armed.null_srtp,
        hop: if calls { None } else { armed.hop.at(device, plan.media.video_codec) },
        push_token: plan.has_push_service().then(|| push::token(plan.seed, device)),
        boots: 0,
    }
}

/// The interfaces that are up from the beginning.
fn interfaces(participant: &Participant) -> Vec<Interface> {
    let starts_up = |name: &ActorName| participant.interfaces.iter().all(|one| one.name != *name || !one.starts_down);
    let up = participant.interfaces().filter(|(name, ..)| starts_up(name));
    // Version 6 first (RFC 6724, section 2.1): whether it works no device knows.
    let both = |(_, address, access): (_, _, &AccessPlan)| {
        access.ipv6.map(|ipv6| ipv6.address).into_iter().chain([address]).collect()
    };
    up.map(|interface| Interface { addresses: both(interface) }).collect()
}

/// Somewhere on land or sea, as its receiver of satellites says.
fn place(seeds: &SeedTree) -> [i32; 2] {
    let mut stream = seeds.stream("place");
    [90, 180].map(|degrees| stream.below(2 * degrees * 10_000) as i32 - degrees as i32 * 10_000)
}

/// A password as a careful person has one: 20 random characters.
fn password(seeds: &SeedTree) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRSTUVWXYZ23456789-_.!";
    let mut stream = seeds.stream("password");
    (0..20).map(|_| char::from(LETTERS[stream.below(LETTERS.len() as u64) as usize])).collect()
}

struct Device(Client);

impl Actor for Device {
    fn handle(&mut self, input: ActorInput, now: SimTime) {
        match input {
            ActorInput::Datagram(datagram) => self.0.handle(client::Input::Datagram(datagram), now),
            ActorInput::Timeout => self.0.handle(client::Input::Timeout, now),
            ActorInput::Act(act) => self.0.handle(client::Input::Act(act), now),
            ActorInput::Interfaces(up) => self.0.handle(client::Input::Interfaces(up), now),
            ActorInput::Work(work) => self.0.handle(client::Input::Work(work), now),
            ActorInput::Mail(code) => self.0.handle(client::Input::Mail(code), now),
            ActorInput::Push => self.0.handle(client::Input::Push, now),
            ActorInput::Committed(_) | ActorInput::Grant { .. } | ActorInput::Revoke { .. } => {
                unreachable!("a device has no store and is no relay")
            }
        }
    }

    fn poll(&mut self, _now: SimTime) -> Option<ActorOutput> {
        Some(match self.0.poll()? {
            client::Output::Transmit(datagram) => ActorOutput::Transmit(datagram),
            client::Output::Ui(screen) => ActorOutput::Screen(screen),
            client::Output::FriendRequest(user) => ActorOutput::FriendRequest(user),
            client::Output::FriendAdded(user) => ActorOutput::FriendAdded(user),
            client::Output::NewDevice(device) => ActorOutput::NewDevice(device),
            client::Output::SignedIn => ActorOutput::SignedIn,
            client::Output::Queue(work) => ActorOutput::Queue(work),
        })
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        self.0.next_wake()
    }

    fn saved(&self) -> Option<Saved> {
        Some(self.0.saved())
    }
}

/// A device that nobody has switched on before its time.
struct Latecomer {
    plan: Plan,
    device: ActorName,
    at: SimTime,
    client: Option<Device>,
}

impl Actor for Latecomer {
    fn handle(&mut self, input: ActorInput, now: SimTime) {
        match &mut self.client {
            Some(client) => client.handle(input, now),
            None if now >= self.at => {
                self.client = Some(Device(Client::new(client_config(&self.plan, &self.device), now)));
            }
            None => {}
        }
    }

    fn poll(&mut self, now: SimTime) -> Option<ActorOutput> {
        self.client.as_mut()?.poll(now)
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        match &mut self.client {
            Some(client) => client.next_wake(),
            None => Some(self.at),
        }
    }

    fn saved(&self) -> Option<Saved> {
        self.client.as_ref()?.saved()
    }
}

struct Signaling(Server);

impl Actor for Signaling {
    fn handle(&mut self, input: ActorInput, now: SimTime) {
        match input {
            ActorInput::Datagram(datagram) => self.0.handle(signaling::Input::Datagram(datagram), now),
            ActorInput::Timeout => self.0.handle(signaling::Input::Timeout, now),
            ActorInput::Committed(tx) => self.0.handle(signaling::Input::Committed(tx), now),
            ActorInput::Act(_)
            | ActorInput::Interfaces(_)
            | ActorInput::Work(_)
            | ActorInput::Mail(_)
            | ActorInput::Push
            | ActorInput::Grant { .. }
            | ActorInput::Revoke { .. } => {
                unreachable!("signaling has no user, one network, and is no relay")
            }
        }
    }

    fn poll(&mut self, _now: SimTime) -> Option<ActorOutput> {
        Some(match self.0.poll()? {
            signaling::Output::Transmit(datagram) => ActorOutput::Transmit(datagram),
            signaling::Output::Commit(commit) => ActorOutput::Commit(commit),
            signaling::Output::GrantRelay { relay, username, password, lifetime } => {
                ActorOutput::GrantRelay { relay, username, password, lifetime }
            }
            signaling::Output::RevokeRelay { relay, username } => ActorOutput::RevokeRelay { relay, username },
            signaling::Output::Mail { user, code } => ActorOutput::Mail { user, code },
            signaling::Output::Push(request) => ActorOutput::Push(request),
        })
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        self.0.next_wake()
    }

    fn snapshot(&self) -> Option<(&'static str, Vec<u8>)> {
        Some(("store", self.0.snapshot()))
    }
}

struct RelayServer(Relay);

impl Actor for RelayServer {
    fn handle(&mut self, input: ActorInput, now: SimTime) {
        match input {
            ActorInput::Datagram(datagram) => self.0.handle(RelayInput::Datagram(datagram), now),
            ActorInput::Timeout => self.0.handle(RelayInput::Timeout, now),
            ActorInput::Grant { username, password, lifetime } => self.0.grant(&username, &password, lifetime, now),
            ActorInput::Revoke { username } => self.0.revoke(&username, now),
            ActorInput::Act(_)
            | ActorInput::Interfaces(_)
            | ActorInput::Work(_)
            | ActorInput::Mail(_)
            | ActorInput::Push
            | ActorInput::Committed(_) => {
                unreachable!("a relay has no user, one network and no store")
            }
        }
    }

    fn poll(&mut self, _now: SimTime) -> Option<ActorOutput> {
        self.0.poll().map(ActorOutput::Transmit)
    }

    fn next_wake(&mut self) -> Option<SimTime> {
        self.0.next_wake(kernel::time::now())
    }

    fn snapshot(&self) -> Option<(&'static str, Vec<u8>)> {
        Some(("relay", self.0.snapshot()))
    }
}
