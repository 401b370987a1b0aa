//! The server: the service behind its QUIC channel, with every message in the log of events.

use crate::{
    cluster::Cluster,
    config::ServerConfig,
    faults::{Held, MessageFaults},
    interceptor::Interceptor,
    naming::{call_of_client_message, call_of_server_message, kind_of_client_message, kind_of_server_message},
    service::{BrokenRow, Change, Commit, ServiceInput, ServiceOutput, TxId},
};
use kernel::{
    log, mutant,
    names::{ActorName, CallId, UserName},
    packet::Datagram,
    time::{Micros, SimTime},
};
use protocol::{
    ChannelEvent, ClientMessage, ConnectionId, Epoch, PushRequest, ServerChannel, ServerIdentity, ServerIdentityPublic,
    ServerMessage,
};
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

/// What happens to the server.
#[derive(Clone, Debug)]
pub enum Input {
    /// A packet for its address.
    Datagram(Datagram),
    /// [`Server::next_wake`] has come.
    Timeout,
    /// The store made a transaction durable.
    Committed(TxId),
}

/// What the server wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a packet.
    Transmit(Datagram),
    /// Make a transaction durable, and answer with [`Input::Committed`] when it is. At most one is open.
    Commit(Commit),
    /// Tell a relay of a credential, over its control channel.
    GrantRelay {
        /// Which relay.
        relay: ActorName,
        /// TURN user name.
        username: String,
        /// TURN password.
        password: String,
        /// How long it is good for.
        lifetime: Micros,
    },
    /// Send a one-time code to the mailbox of a user.
    Mail {
        /// Whose.
        user: UserName,
        /// The code: decimal digits.
        code: String,
    },
    /// Make a relay forget a credential and drop its allocation.
    RevokeRelay {
        /// Which relay.
        relay: ActorName,
        /// TURN user name.
        username: String,
    },
    /// Ask the push service to wake a device.
    Push(PushRequest),
}

/// The signaling server. Sans-IO: after each [`Server::handle`] drain [`Server::poll`], then ask [`Server::next_wake`].
pub struct Server {
    name: ActorName,
    identity: ServerIdentity,
    /// How far the store is.
    epoch: Epoch,
    channel: ServerChannel,
    service: Cluster,
    interceptor: Option<Box<dyn Interceptor>>,
    faults: MessageFaults,
    /// Who spoke last over a connection: names the receiver of an answer before sign-in.
    speakers: BTreeMap<ConnectionId, ActorName>,
    /// The planted bug V74: from where each device was last heard.
    origins: BTreeMap<ActorName, SocketAddr>,
    /// Where the packet at hand came from.
    source: Option<SocketAddr>,
    /// Connections that are closed soon: nothing that comes over them counts.
    closing: VecDeque<(SimTime, ConnectionId)>,
    outputs: VecDeque<Output>,
}

/// How long a connection is kept for the last message over it to arrive.
const LAST_WORD: Micros = Micros::from_millis(500);

impl Server {
    /// A server without accounts, listening.
    pub fn new(config: ServerConfig, now: SimTime) -> Server {
        let identity = config.identity();
        let locals: Vec<SocketAddr> = std::iter::once(config.address).chain(config.address_v6).collect();
        Server {
            name: config.name.clone(),
            identity: identity.clone(),
            epoch: config.epoch.clone(),
            service: Cluster::new(&config),
            channel: ServerChannel::new(&locals, identity, config.boot_seeds("channel"), now),
            interceptor: None,
            faults: MessageFaults::new(config.faults),
            speakers: BTreeMap::new(),
            origins: BTreeMap::new(),
            source: None,
            closing: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// A server that starts again with the rows of its durable store.
    ///
    /// # Errors
    /// When a row is none of the server's.
    pub fn restore(config: ServerConfig, rows: &[Change], now: SimTime) -> Result<Server, BrokenRow> {
        let service = Cluster::restore(&config, rows, now)?;
        Ok(Server { service, ..Server::new(config, now) })
    }

    /// The key that clients pin.
    pub fn identity_public(&self) -> ServerIdentityPublic {
        self.identity.public()
    }

    /// Makes the server malicious: from now on every message passes through the interceptor.
    pub fn set_interceptor(&mut self, interceptor: Box<dyn Interceptor>) {
        self.service.pass_before_accept(interceptor.passes_before_accept());
        self.interceptor = Some(interceptor);
    }

    /// Takes an input.
    pub fn handle(&mut self, input: Input, now: SimTime) {
        let source = match &input {
            Input::Datagram(datagram) => Some(datagram.source),
            _ => None,
        };
        match input {
            Input::Datagram(datagram) => self.channel.handle(datagram, now),
            Input::Timeout => {
                self.channel.handle_timeout(now);
                while let Some((_, connection)) = self.closing.pop_front_if(|(at, _)| *at <= now) {
                    self.channel.close(connection, now);
                }
                self.service.handle(ServiceInput::Timeout, now);
            }
            Input::Committed(tx) => {
                self.epoch.transactions += 1;
                self.service.handle(ServiceInput::Committed(tx), now);
            }
        }
        self.source = source;
        self.take_events(now);
        self.take_service_outputs(now);
        while let Some(held) = self.faults.due(now) {
            self.pass_on(held, now);
            self.take_service_outputs(now);
        }
        while let Some(datagram) = self.channel.poll_transmit(now) {
            self.outputs.push_back(Output::Transmit(datagram));
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the server wants [`Input::Timeout`].
    pub fn next_wake(&mut self) -> Option<SimTime> {
        let closing = self.closing.front().map(|(at, _)| *at);
        let parts = [self.channel.next_wake(), self.service.next_wake(), self.faults.next_wake(), closing];
        parts.into_iter().flatten().min()
    }

    /// Everything that the server holds, in postcard: the oracle's view `server`.
    pub fn snapshot(&self) -> Vec<u8> {
        self.service.snapshot()
    }

    fn take_events(&mut self, now: SimTime) {
        while let Some(event) = self.channel.poll_event() {
            match event {
                ChannelEvent::Connected(_) => {}
                ChannelEvent::Message(connection, message, bytes) => self.arrive(connection, message, bytes, now),
                ChannelEvent::Closed(connection) => {
                    self.speakers.remove(&connection);
                    self.service.handle(ServiceInput::Closed(connection), now);
                }
            }
        }
    }

    /// A message passes the faults on its way in.
    fn arrive(&mut self, connection: ConnectionId, message: ClientMessage, bytes: Vec<u8>, now: SimTime) {
        let kind = kind_of_client_message(&message);
        for held in self.faults.pass(kind, Held::In(connection, message, bytes), now) {
            self.pass_on(held, now);
        }
    }

    /// A message passed the faults.
    fn pass_on(&mut self, held: Held, now: SimTime) {
        match held {
            Held::In(connection, message, bytes) => self.receive(connection, message, &bytes, now),
            Held::Out(connection, to, message) => self.transmit(connection, &to, &message),
        }
    }

    fn receive(&mut self, connection: ConnectionId, message: ClientMessage, bytes: &[u8], now: SimTime) {
        let from = self.service.speaker(connection, &message);
        let call = call_of_client_message(&message);
        log_signal(&from, &self.name, kind_of_client_message(&message), call, bytes);
        let message = match &mut self.interceptor {
            Some(interceptor) => interceptor.incoming(&from, message),
            None => message,
        };
        if mutant!(V74) {
            self.origins.extend(self.source.map(|source| (from.clone(), source)));
        }
        self.speakers.insert(connection, from);
        if let Some(source) = self.source {
            self.service.handle(ServiceInput::Heard(connection, source.ip()), now);
        }
        self.service.handle(ServiceInput::Message(connection, message), now);
    }

    fn take_service_outputs(&mut self, now: SimTime) {
        while let Some(output) = self.service.poll() {
            let output = match output {
                ServiceOutput::Send { connection, device, message } => {
                    self.send(connection, device, message, now);
                    continue;
                }
                ServiceOutput::Commit(commit) => Output::Commit(commit),
                ServiceOutput::Close(connection) => {
                    self.closing.push_back((now + LAST_WORD, connection));
                    continue;
                }
                ServiceOutput::GrantRelay { relay, username, password, lifetime } => {
                    Output::GrantRelay { relay, username, password, lifetime }
                }
                ServiceOutput::RevokeRelay { relay, username } => Output::RevokeRelay { relay, username },
                ServiceOutput::Mail { user, code } => Output::Mail { user, code },
                ServiceOutput::Push(request) => Output::Push(request),
            };
            self.outputs.push_back(output);
        }
    }

    fn send(&mut self, connection: ConnectionId, device: Option<ActorName>, mut message: ServerMessage, now: SimTime) {
        // A stranger is not told how much happens here.
        match &mut message {
            ServerMessage::SignedIn { epoch, .. } | ServerMessage::Done { epoch, .. } if device.is_some() => {
                *epoch = Some(self.epoch.clone().sign(&self.identity));
            }
            ServerMessage::NotAttached { epoch, .. } => {
                let own = epoch.take().filter(|shown| shown.verify(self.identity.public()).is_some());
                *epoch = own.map(|_| self.epoch.clone().sign(&self.identity));
            }
            _ => {}
        }
        let speaker = || self.speakers.get(&connection).cloned();
        let Some(to) = device.or_else(speaker) else { return }; // The connection closed before it signed in.
        let message = match &mut self.interceptor {
            Some(interceptor) => interceptor.outgoing(&to, message),
            None => message,
        };
        let message = if mutant!(V74) { self.with_origin(&to, message) } else { message };
        let kind = kind_of_server_message(&message);
        for held in self.faults.pass(kind, Held::Out(connection, to, message), now) {
            self.pass_on(held, now);
        }
    }

    fn transmit(&mut self, connection: ConnectionId, to: &ActorName, message: &ServerMessage) {
        let call = call_of_server_message(message);
        log_signal(&self.name, to, kind_of_server_message(message), call, &protocol::wire::canonical_bytes(message));
        if let Err(error) = self.channel.send(connection, message) {
            let line = format!("{} for {to} was not sent: {error}", kind_of_server_message(message));
            kernel::event!(LogLine { actor: self.name.clone(), level: "warn".into(), line });
        }
    }
}

impl Server {
    /// The planted bug V74: whoever is told that a call was accepted is told from where.
    fn with_origin(&self, to: &ActorName, mut message: ServerMessage) -> ServerMessage {
        if let ServerMessage::Accepted { device, origin, .. } = &mut message
            && device != to
        {
            *origin = self.origins.get(device).copied();
        }
        message
    }
}

fn log_signal(from: &ActorName, to: &ActorName, message: &str, call: Option<CallId>, bytes: &[u8]) {
    let body = log::store(bytes);
    kernel::event!(Signal { from: from.clone(), to: to.clone(), message: message.into(), call, body });
}

#[cfg(test)]
mod tests;
