//! One connection of signaling in TLS over TCP: for networks that let no UDP pass. The messages are framed as on QUIC's stream.

use crate::{
    endpoint::{IDLE_TIMEOUT, KEEP_ALIVE},
    link::MAX_BACKLOG_BYTES,
    secure_stream::SecureStream,
    tls::{self, ServerIdentity, ServerIdentityPublic},
    wire::Deframer,
};
use bytes::Bytes;
use kernel::time::SimTime;
use std::{collections::VecDeque, net::SocketAddr};
use tcp::{Connection, Endpoint, Settings, State};

/// A connection behaves as QUIC's does: it is kept alive, and lost after as long a silence.
pub(crate) const SETTINGS: Settings =
    Settings { keep_alive: Some(KEEP_ALIVE), silence: IDLE_TIMEOUT, ..Settings::real_time() };

pub(crate) struct StreamLink {
    connection: Connection,
    /// Of a client, until TCP is open: TLS begins then.
    key: Option<ServerIdentityPublic>,
    tls: Option<SecureStream>,
    deframer: Deframer,
    /// Framed messages that wait for the handshake, or for room in TCP.
    backlog: VecDeque<Bytes>,
    backlog_bytes: usize,
    /// Bytes of TLS that TCP had no room for.
    unsent: Vec<u8>,
    /// Until when the handshake must be over: who connects and says nothing takes a place.
    deadline: SimTime,
    connected: bool,
    lost: bool,
}

impl StreamLink {
    /// A client's end, which must meet this key.
    pub(crate) fn client(connection: Connection, key: ServerIdentityPublic, now: SimTime) -> StreamLink {
        StreamLink { key: Some(key), ..StreamLink::new(connection, None, now) }
    }

    /// A server's end of a connection that it accepted.
    pub(crate) fn server(connection: Connection, identity: &ServerIdentity, now: SimTime) -> StreamLink {
        StreamLink::new(connection, Some(SecureStream::server(tls::stream_server_config(identity))), now)
    }

    fn new(connection: Connection, tls: Option<SecureStream>, now: SimTime) -> StreamLink {
        StreamLink {
            connection,
            key: None,
            tls,
            deframer: Deframer::default(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            unsent: Vec::new(),
            deadline: now + IDLE_TIMEOUT,
            connected: false,
            lost: false,
        }
    }

    /// Whether the handshake is complete, also after the connection was lost again.
    pub(crate) fn was_connected(&self) -> bool {
        self.connected
    }

    /// Whether the connection is over for either side.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Where it comes from; `None` once it is gone.
    pub(crate) fn remote_address(&self, tcp: &Endpoint) -> Option<SocketAddr> {
        tcp.remote(self.connection)
    }

    /// Moves bytes both ways: what came in, and what there is room for on the way out.
    pub(crate) fn advance(&mut self, tcp: &mut Endpoint, now: SimTime) {
        self.lost |= !self.connected && now >= self.deadline;
        if self.lost {
            // What TCP held back so far is given up with it.
            return tcp.release(self.connection);
        }
        let state = tcp.state(self.connection);
        if let Some(key) = self.key.take_if(|_| state == State::Open) {
            self.tls = Some(SecureStream::client(tls::stream_client_config(key)));
        }
        if let Some(tls) = &mut self.tls {
            let mut bytes = Vec::new();
            tcp.receive(self.connection, &mut bytes);
            let taken = tls.take_in(&bytes);
            self.deframer.push(&std::mem::take(&mut tls.incoming));
            self.connected |= taken.is_ok() && tls.is_ready();
            self.lost |= taken.is_err();
        }
        self.flush(tcp);
        if matches!(state, State::PeerClosed | State::Closed) {
            self.lost = true;
        }
    }

    fn flush(&mut self, tcp: &mut Endpoint) {
        let Some(tls) = &mut self.tls else { return };
        loop {
            self.unsent.append(&mut tls.take_outgoing());
            let sent = tcp.send(self.connection, &self.unsent);
            self.unsent.drain(..sent);
            if !self.unsent.is_empty() || !self.connected {
                return;
            }
            let Some(message) = self.backlog.pop_front() else { return };
            self.backlog_bytes -= message.len();
            self.lost |= tls.put(&message).is_err();
        }
    }

    /// When it wants to be moved whatever TCP wants.
    pub(crate) fn next_wake(&self) -> Option<SimTime> {
        (!self.connected && !self.lost).then_some(self.deadline)
    }

    /// Queues a framed message; false when the connection is lost or the backlog full.
    pub(crate) fn write(&mut self, framed: Bytes) -> bool {
        if self.lost || self.backlog_bytes + framed.len() > MAX_BACKLOG_BYTES {
            return false;
        }
        self.backlog_bytes += framed.len();
        self.backlog.push_back(framed);
        true
    }

    /// The next message that arrived. Whatever cannot be a message closes the connection.
    pub(crate) fn read(&mut self) -> Option<Bytes> {
        let message = self.deframer.next_message();
        if message.is_err() {
            self.close();
        }
        message.unwrap_or_default()
    }

    /// Ends the connection. What is still queued is dropped.
    pub(crate) fn close(&mut self) {
        self.lost = true;
        self.deframer = Deframer::default();
        self.backlog.clear();
    }
}
