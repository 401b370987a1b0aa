//! Somebody who guesses a password or a one-time code over many connections at once, each from another port: each looks new to a limit that
//! goes by source.

use kernel::{ActorName, CallId, Datagram, Micros, SimTime, UserName, event, event::AttackKind, random::SeedTree};
use protocol::{
    ClientChannel, ClientMessage, DeviceIdentity, DeviceKeys, PROTOCOL_VERSION, RequestId, Route, STREAM_PORTS,
    ServerIdentityPublic,
};
use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

/// How many connections guess, one guess each.
const CONNECTIONS: u16 = 40;
/// The first port; each connection has those behind its own for TCP.
const FIRST_PORT: u16 = 20_000;
/// How long after the beginning of the timeline all guess at once.
const GUESSING: Micros = Micros::from_secs(2);

/// How long before the guesses codes are asked for.
const ASKING: Micros = Micros::from_millis(500);

/// What is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guessed {
    /// The password.
    Password,
    /// A code that was sent to somebody else's mailbox. Each connection asks for one first.
    Code,
}

/// The guesser. Sans-IO.
pub struct Guesser {
    victim: UserName,
    what: Guessed,
    asked: bool,
    seeds: SeedTree,
    connect_at: SimTime,
    guess_at: SimTime,
    route: (IpAddr, SocketAddr, ServerIdentityPublic),
    channels: Vec<ClientChannel>,
    guessed: bool,
    outgoing: VecDeque<Datagram>,
}

impl Guesser {
    /// Guesses a secret of `victim` at `server`, whose key everybody knows, from `own`.
    pub fn new(
        (victim, what): (UserName, Guessed),
        own: IpAddr,
        (server, key): (SocketAddr, ServerIdentityPublic),
        seeds: SeedTree,
        start: SimTime,
    ) -> Guesser {
        Guesser {
            victim,
            what,
            asked: what == Guessed::Password,
            seeds,
            connect_at: start,
            guess_at: start + GUESSING,
            route: (own, server, key),
            channels: Vec::new(),
            guessed: false,
            outgoing: VecDeque::new(),
        }
    }

    /// A datagram came.
    pub fn receive(&mut self, datagram: Datagram, now: SimTime) {
        let number = datagram.destination.port().checked_sub(FIRST_PORT).map(|port| port / (STREAM_PORTS + 1));
        if let Some(channel) = number.and_then(|number| self.channels.get_mut(usize::from(number))) {
            channel.handle(datagram, now);
        }
        self.drive(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: SimTime) {
        if now >= self.connect_at && self.channels.is_empty() {
            self.channels = (0..CONNECTIONS).map(|number| self.connect(number, now)).collect();
        }
        for channel in &mut self.channels {
            if channel.next_wake().is_some_and(|at| at <= now) {
                channel.handle_timeout(now);
            }
        }
        if now + ASKING >= self.guess_at && !std::mem::replace(&mut self.asked, true) {
            self.ask();
        }
        if now >= self.guess_at && !std::mem::replace(&mut self.guessed, true) {
            self.guess();
        }
        self.drive(now);
    }

    /// What it sends; call until none.
    pub fn poll(&mut self) -> Option<Datagram> {
        self.outgoing.pop_front()
    }

    /// When [`Guesser::handle_timeout`] is wanted.
    pub fn next_wake(&mut self) -> Option<SimTime> {
        let connects = Some(self.connect_at).filter(|_| self.channels.is_empty());
        let asks = Some(SimTime(self.guess_at.0 - ASKING.0)).filter(|_| !self.asked);
        let guesses = Some(self.guess_at).filter(|_| !self.guessed);
        self.channels.iter_mut().filter_map(ClientChannel::next_wake).chain(connects).chain(asks).chain(guesses).min()
    }

    fn connect(&self, number: u16, now: SimTime) -> ClientChannel {
        let (own, server, key) = self.route;
        let local = SocketAddr::new(own, FIRST_PORT + number * (STREAM_PORTS + 1));
        let seeds = self.seeds.child(&format!("guesser {number}"));
        ClientChannel::new(&[Route { local, server }], key, seeds, 0, now)
    }

    /// Asks for a code over each connection: the last one that is sent is the one that is good.
    fn ask(&mut self) {
        for channel in &mut self.channels {
            let (request, user) = (RequestId(0), self.victim.clone());
            let _ = channel.send(&ClientMessage::RequestCode { request, user });
        }
    }

    /// One guess over each connection, all at this instant.
    fn guess(&mut self) {
        for (channel, number) in self.channels.iter_mut().zip(0..) {
            let device = ActorName::from(format!("guesser-{number}"));
            let seeds = self.seeds.child(device.as_str());
            let identity = DeviceIdentity::generate(&mut seeds.stream("identity"));
            let (signing, sealing) = identity.public();
            let keys = DeviceKeys { user: self.victim.clone(), device: device.clone(), signing, sealing };
            let (request, version, consent) = (RequestId(1), PROTOCOL_VERSION, keys.consent(&identity));
            let (kind, detail, message) = match self.what {
                Guessed::Password => {
                    let password = format!("{}-{number}", self.victim);
                    let message = ClientMessage::SignIn { request, version, password, keys, consent };
                    (AttackKind::GuessPassword, "a guessed password", message)
                }
                Guessed::Code => {
                    let code = format!("{:08}", seeds.stream("code").below(100_000_000));
                    let password = "mine is the account now".to_owned();
                    let message = ClientMessage::ResetPassword { request, version, code, password, keys, consent };
                    (AttackKind::GuessCode, "a guessed one-time code", message)
                }
            };
            event!(Attack { kind, target: device, call: None::<CallId>, detail: detail.to_owned() });
            // A connection that is not up yet guesses nothing.
            let _ = channel.send(&message);
        }
    }

    fn drive(&mut self, now: SimTime) {
        for channel in &mut self.channels {
            while channel.poll_message().is_some() {}
            self.outgoing.extend(std::iter::from_fn(|| channel.poll_transmit(now)));
        }
    }
}
