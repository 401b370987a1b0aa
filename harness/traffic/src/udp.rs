//! UDP flows: a source that follows a pattern, and a sink that counts.

use crate::{end::Part, pattern::Pattern};
use kernel::{Datagram, Micros, SimTime};
use std::net::SocketAddr;

/// Bytes of a packet on the wire, of which 28 are headers of IP and UDP.
const PACKET: u64 = 1_000;
const PAYLOAD: usize = PACKET as usize - 28;
/// First bytes that belong to no protocol of a call (RFC 7983 assigns 0 to 191).
const DATA: u8 = 0xfe;
const REQUEST: u8 = 0xff;
/// How often a sink asks until it gets something.
const ASK_EVERY: Micros = Micros::from_millis(200);
/// How often it asks from then on, so that a NAT keeps its mapping.
const REMIND_EVERY: Micros = Micros::from_secs(10);

pub(crate) struct UdpSource {
    pattern: Pattern,
    own: SocketAddr,
    /// Where to; the sink's first request says so when nobody can reach it unasked.
    peer: Option<SocketAddr>,
    /// When the next packet is due: whole microseconds and `rest / rate` of one, so that no rounding accumulates.
    next: SimTime,
    rest: u64,
    sent: u64,
}

impl UdpSource {
    pub(crate) fn new(pattern: Pattern, own: SocketAddr, peer: Option<SocketAddr>) -> UdpSource {
        UdpSource { pattern, own, peer, next: SimTime::NEVER, rest: 0, sent: 0 }
    }
}

impl Part for UdpSource {
    fn begin(&mut self, now: SimTime) {
        self.next = now;
    }

    fn handle(&mut self, datagram: &Datagram, now: SimTime) {
        if datagram.bytes == [REQUEST] {
            // What was due before anybody asked is not made up for.
            if self.peer.is_none() {
                self.next = self.next.max(now);
            }
            self.peer = Some(datagram.source);
        }
    }

    fn poll(&mut self, now: SimTime) -> Option<Datagram> {
        let peer = self.peer?;
        if self.next > now {
            return None;
        }
        match self.pattern.at(now) {
            Ok(rate) => {
                let work = PACKET * 8_000_000 + self.rest;
                self.next += Micros(work / rate.0);
                self.rest = work % rate.0;
            }
            Err(until) => {
                (self.next, self.rest) = (until, 0);
                return None;
            }
        }
        self.sent += PAYLOAD as u64;
        let mut bytes = vec![0; PAYLOAD];
        bytes[0] = DATA;
        Some(Datagram::new(self.own, peer, bytes))
    }

    fn next_wake(&mut self, _: SimTime) -> Option<SimTime> {
        self.peer.map(|_| self.next)
    }

    fn moved(&mut self) -> u64 {
        self.sent
    }

    fn stop(&mut self, _: SimTime) {
        self.next = SimTime::NEVER;
    }
}

pub(crate) struct UdpSink {
    own: SocketAddr,
    /// Whom to ask when nobody can reach this end unasked.
    asks: Option<SocketAddr>,
    next: SimTime,
    received: u64,
}

impl UdpSink {
    pub(crate) fn new(own: SocketAddr, asks: Option<SocketAddr>) -> UdpSink {
        UdpSink { own, asks, next: SimTime::NEVER, received: 0 }
    }
}

impl Part for UdpSink {
    fn begin(&mut self, now: SimTime) {
        self.next = now;
    }

    fn handle(&mut self, datagram: &Datagram, _: SimTime) {
        if datagram.bytes.first() == Some(&DATA) {
            self.received += datagram.bytes.len() as u64;
        }
    }

    fn poll(&mut self, now: SimTime) -> Option<Datagram> {
        let source = self.asks.filter(|_| self.next <= now)?;
        self.next = now + if self.received == 0 { ASK_EVERY } else { REMIND_EVERY };
        Some(Datagram::new(self.own, source, vec![REQUEST]))
    }

    fn next_wake(&mut self, _: SimTime) -> Option<SimTime> {
        self.asks.map(|_| self.next)
    }

    fn moved(&mut self) -> u64 {
        self.received
    }

    fn stop(&mut self, _: SimTime) {
        self.next = SimTime::NEVER;
    }
}
