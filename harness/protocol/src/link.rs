//! One QUIC connection with its one stream of messages: what client and server have in common.

use crate::wire::{Deframer, WireError};
use bytes::{Buf, Bytes};
use kernel::time::SimTime;
use quinn_proto::{
    Connection, ConnectionEvent, ConnectionHandle, Dir, Endpoint, Event, Side, StreamEvent, StreamId, Transmit, VarInt,
};
use std::{collections::VecDeque, net::SocketAddr};

/// What may wait for a slow peer, in bytes; beyond it [`Link::write`] refuses.
pub(crate) const MAX_BACKLOG_BYTES: usize = 1024 * 1024;
/// The most that is taken out of QUIC at once, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// The code with which a side closes when it is done.
pub(crate) const DONE: u8 = 0;
/// The code with which a side closes on bytes that are no message.
const PROTOCOL_VIOLATION: u8 = 1;

pub(crate) struct Link {
    handle: ConnectionHandle,
    connection: Connection,
    stream: Option<StreamId>,
    deframer: Deframer,
    backlog: VecDeque<Bytes>,
    backlog_bytes: usize,
    connected: bool,
    lost: bool,
}

impl Link {
    pub(crate) fn new(handle: ConnectionHandle, connection: Connection) -> Link {
        Link {
            handle,
            connection,
            stream: None,
            deframer: Deframer::default(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            connected: false,
            lost: false,
        }
    }

    pub(crate) fn handle(&self) -> ConnectionHandle {
        self.handle
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// Whether the handshake is complete, also after the connection was lost again.
    pub(crate) fn was_connected(&self) -> bool {
        self.connected
    }

    /// Whether the connection is over for either side.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether QUIC is through with the connection too, so that this can be dropped.
    pub(crate) fn is_drained(&self) -> bool {
        self.connection.is_drained()
    }

    pub(crate) fn receive(&mut self, event: ConnectionEvent, endpoint: &mut Endpoint) {
        self.connection.handle_event(event);
        self.advance(endpoint);
    }

    /// The own address changed: the peer is shown the new one at once.
    pub(crate) fn migrate(&mut self, endpoint: &mut Endpoint) {
        self.connection.local_address_changed();
        self.advance(endpoint);
    }

    pub(crate) fn handle_timeout(&mut self, now: SimTime, endpoint: &mut Endpoint) {
        self.connection.handle_timeout(now.to_instant());
        self.advance(endpoint);
    }

    pub(crate) fn next_wake(&mut self) -> Option<SimTime> {
        self.connection.poll_timeout().map(SimTime::from_instant)
    }

    /// The next packet, written to `buffer`.
    pub(crate) fn poll_transmit(
        &mut self,
        now: SimTime,
        endpoint: &mut Endpoint,
        buffer: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let transmit = self.connection.poll_transmit(now.to_instant(), 1, buffer);
        self.advance(endpoint);
        transmit
    }

    /// Queues a framed message; false when the connection is lost or the backlog full.
    pub(crate) fn write(&mut self, framed: Bytes) -> bool {
        if self.lost || self.backlog_bytes + framed.len() > MAX_BACKLOG_BYTES {
            return false;
        }
        self.backlog_bytes += framed.len();
        self.backlog.push_back(framed);
        self.flush();
        true
    }

    /// The next message that arrived. Whatever cannot be a message closes the connection.
    pub(crate) fn read(&mut self, now: SimTime) -> Option<Bytes> {
        match self.try_read() {
            Ok(message) => message,
            Err(Violation) => {
                self.close(now, PROTOCOL_VIOLATION);
                None
            }
        }
    }

    pub(crate) fn violated(&mut self, now: SimTime) {
        self.close(now, PROTOCOL_VIOLATION);
    }

    pub(crate) fn close(&mut self, now: SimTime, code: u8) {
        self.connection.close(now.to_instant(), VarInt::from(code), Bytes::new());
        self.lost = true;
        // Nothing more is read: after a violation the stream's bytes mean nothing.
        self.stream = None;
        self.deframer = Deframer::default();
        self.backlog.clear();
    }

    /// Carries events between the connection and its endpoint, and takes note of the others.
    fn advance(&mut self, endpoint: &mut Endpoint) {
        while let Some(event) = self.connection.poll_endpoint_events() {
            if let Some(answer) = endpoint.handle_event(self.handle, event) {
                self.connection.handle_event(answer);
            }
        }
        while let Some(event) = self.connection.poll() {
            match event {
                Event::Connected => {
                    self.connected = true;
                    if self.connection.side() == Side::Client {
                        self.stream = self.connection.streams().open(Dir::Bi);
                    }
                    self.flush();
                }
                Event::Stream(StreamEvent::Opened { dir: Dir::Bi }) if self.stream.is_none() => {
                    self.stream = self.connection.streams().accept(Dir::Bi);
                    self.flush();
                }
                Event::Stream(StreamEvent::Writable { .. }) => self.flush(),
                Event::ConnectionLost { .. } => self.lost = true,
                // Reading is by polling; ends of the stream show there.
                _ => {}
            }
        }
    }

    fn flush(&mut self) {
        let Some(stream) = self.stream else { return };
        while let Some(front) = self.backlog.front_mut() {
            // Blocked: the rest waits for `Writable`. A stream that the peer stopped shows as an end when it is read.
            let Ok(written) = self.connection.send_stream(stream).write(front) else { return };
            self.backlog_bytes -= written;
            front.advance(written);
            if front.is_empty() {
                self.backlog.pop_front();
            }
        }
    }

    fn try_read(&mut self) -> Result<Option<Bytes>, Violation> {
        loop {
            if let Some(message) = self.deframer.next_message()? {
                return Ok(Some(message));
            }
            let Some(stream) = self.stream else { return Ok(None) };
            let mut receive = self.connection.recv_stream(stream);
            let Ok(mut chunks) = receive.read(true) else { return Err(Violation) };
            let chunk = chunks.next(READ_BYTES);
            // Whether this freed window is seen by the next poll for packets.
            let _ = chunks.finalize().should_transmit();
            match chunk {
                Ok(Some(chunk)) => self.deframer.push(&chunk.bytes),
                Err(quinn_proto::ReadError::Blocked) => return Ok(None),
                // The stream lives as long as the connection: to end or reset it is a violation.
                Ok(None) | Err(quinn_proto::ReadError::Reset(_)) => return Err(Violation),
            }
        }
    }
}

/// The peer broke the rules of the stream.
struct Violation;

impl From<WireError> for Violation {
    fn from(_: WireError) -> Violation {
        Violation
    }
}
