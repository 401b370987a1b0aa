//! Media that comes before its time.
//!
//! str0m drops media that comes before DTLS is complete, and takes the first packet of video that it sees for the first
//! that there is: what left before it is refused when it comes later. On a path that reorders, both cost the first key
//! frame and with it the first picture. So media waits for DTLS, and the first packets of video for those that left before
//! them, as the numbers of transport-wide congestion control tell: they count all packets of a sender, from 0.

use super::{Transport, rtp::RtpHeader};
use kernel::{Micros, SimTime};
use std::{collections::BTreeSet, net::SocketAddr};

/// Packets that wait at most.
const MAX_WAITING: usize = 128;
/// How long the first packets of video wait for one that may be lost.
const PATIENCE: Micros = Micros::from_millis(200);
/// How long media waits for DTLS: longer than a flight that is lost once.
const DTLS_PATIENCE: Micros = Micros::from_secs(2);

/// Which stream a packet is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Sound,
    Video,
    /// Repairs of video, and what fills probes: copies of packets that left before.
    Repair,
}

/// A packet of media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) kind: Kind,
    /// Its number among all packets of the sender.
    pub(super) number: Option<u16>,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) bytes: Vec<u8>,
    pub(super) came: SimTime,
}

/// The media that waits.
#[derive(Debug, Default)]
pub(super) struct Early {
    waiting: Vec<Packet>,
    /// Numbers that came, until video has begun.
    seen: BTreeSet<u16>,
    has_begun: bool,
}

impl Early {
    /// Whether there is nothing more to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.has_begun && self.waiting.is_empty()
    }

    /// A packet comes. What may go on is given by [`Early::due`].
    pub(super) fn wait(&mut self, packet: Packet) {
        self.seen.extend(packet.number);
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push(packet);
        }
    }

    /// Takes out what may go on now, in the order in which it left.
    pub(super) fn due(&mut self, is_connected: bool, now: SimTime) -> Vec<Packet> {
        if !is_connected {
            self.waiting.retain(|packet| now.since(packet.came) < DTLS_PATIENCE);
            return Vec::new();
        }
        self.waiting.sort_by_key(|packet| (packet.kind == Kind::Repair, packet.number, packet.came));
        self.has_begun |= self.may_begin(now);
        let (due, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|packet| self.has_begun || packet.kind == Kind::Sound);
        self.waiting = waiting;
        if self.has_begun {
            self.seen.clear();
        }
        due
    }

    /// Whether nothing that left before the first packet of video is still under way, or none is waited for any longer.
    fn may_begin(&self, now: SimTime) -> bool {
        let video = || self.waiting.iter().filter(|packet| packet.kind != Kind::Sound);
        let first = video().find(|packet| packet.kind == Kind::Video);
        let is_next = first.is_some_and(|first| match first.number {
            Some(number) => self.seen.range(..number).count() == usize::from(number),
            None => true,
        });
        is_next || video().any(|packet| now.since(packet.came) >= PATIENCE)
    }

    /// When [`Early::due`] is to be asked again.
    pub(super) fn next_wake(&self, is_connected: bool) -> Option<SimTime> {
        let patience = if is_connected { PATIENCE } else { DTLS_PATIENCE };
        self.waiting.iter().map(|packet| packet.came + patience).min()
    }
}

/// The number of transport-wide congestion control in an RTP packet, whose extension has this id (RFC 8285, one byte).
fn transport_number(bytes: &[u8], id: u8) -> Option<u16> {
    let sources = usize::from(bytes.first()? & 0x0f) * 4;
    let extension = bytes.get(12 + sources..).filter(|_| bytes[0] & 0x10 != 0)?;
    let [0xbe, 0xde, high, low, rest @ ..] = extension else { return None };
    let mut elements = rest.get(..usize::from(u16::from_be_bytes([*high, *low])) * 4)?;
    while let [head, tail @ ..] = elements {
        let length = if *head == 0 { 0 } else { usize::from(head & 0x0f) + 1 };
        let value = tail.get(..length)?;
        if *head >> 4 == id && length == 2 {
            return Some(u16::from_be_bytes([value[0], value[1]]));
        }
        elements = &tail[length..];
    }
    None
}

impl Transport {
    /// Whether a packet is media that must wait; then it does.
    pub(super) fn comes_early(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
        now: SimTime,
    ) -> bool {
        if self.early.is_over() {
            return false;
        }
        let Some(kind) = RtpHeader::parse(bytes).and_then(|header| self.types.kind(&header)) else { return false };
        let id = self.transport_number_id();
        let number = id.and_then(|id| transport_number(bytes, id));
        self.early.wait(Packet { kind, number, source, destination, bytes: bytes.to_vec(), came: now });
        true
    }

    /// Hands on the media whose time has come.
    pub(super) fn take_in_early(&mut self, now: SimTime) {
        for packet in self.early.due(self.connected, now) {
            self.take_in(packet.source, packet.destination, &packet.bytes, packet.came, now);
        }
    }

    /// The id that the peer's description gives the numbers of transport-wide congestion control.
    fn transport_number_id(&self) -> Option<u8> {
        let line = self.restarts.peer_sdp.lines().find(|line| line.contains("transport-wide-cc-extensions"))?;
        line.strip_prefix("a=extmap:")?.split([' ', '/']).next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: Kind, number: u16, came: u64) -> Packet {
        let address = SocketAddr::from(([192, 0, 2, 1], 5_000));
        let number = Some(number);
        Packet { kind, number, source: address, destination: address, bytes: vec![], came: SimTime(came) }
    }

    fn numbers(early: &mut Early, now: u64) -> Vec<u16> {
        early.due(true, SimTime(now)).into_iter().filter_map(|packet| packet.number).collect()
    }

    #[test]
    fn in_order_nothing_waits() {
        let mut early = Early::default();
        early.wait(packet(Kind::Sound, 0, 1));
        assert_eq!(numbers(&mut early, 1), [0]);
        early.wait(packet(Kind::Video, 1, 2));
        assert_eq!(numbers(&mut early, 2), [1]);
        assert!(early.is_over());
    }

    #[test]
    fn the_first_packets_of_video_wait_for_those_before_them_and_copies_come_last() {
        let mut early = Early::default();
        for (kind, number) in [(Kind::Repair, 3), (Kind::Video, 2), (Kind::Sound, 0)] {
            early.wait(packet(kind, number, 1));
        }
        assert_eq!(numbers(&mut early, 1), [0], "sound does not wait");
        early.wait(packet(Kind::Video, 1, 2));
        assert_eq!(numbers(&mut early, 2), [1, 2, 3]);
        assert!(early.is_over());
    }

    #[test]
    fn a_lost_packet_is_waited_for_only_so_long() {
        let mut early = Early::default();
        early.wait(packet(Kind::Video, 1, 5));
        assert!(numbers(&mut early, 5).is_empty());
        let due = early.next_wake(true).unwrap();
        assert_eq!(due, SimTime(5) + PATIENCE);
        assert_eq!(numbers(&mut early, due.0), [1]);
    }

    #[test]
    fn media_waits_for_dtls_within_bounds() {
        let mut early = Early::default();
        (0..MAX_WAITING as u16 + 1).for_each(|number| early.wait(packet(Kind::Sound, number, 1)));
        assert_eq!(early.due(false, SimTime(1)), []);
        assert_eq!(numbers(&mut early, 2).len(), MAX_WAITING);
        early.wait(packet(Kind::Sound, 200, 1));
        assert_eq!(early.due(false, SimTime(1) + DTLS_PATIENCE), []);
        assert!(numbers(&mut early, 3_000_000).is_empty());
    }

    #[test]
    fn the_number_is_read_from_any_place_among_the_extensions() {
        let rtp = |extension: &[u8]| [&[0x90, 96][..], &[0; 10], &[0xbe, 0xde, 0, 2], extension].concat();
        assert_eq!(transport_number(&rtp(&[0x10, 0xaa, 0x31, 0x12, 0x34, 0, 0, 0]), 3), Some(0x1234));
        assert_eq!(transport_number(&rtp(&[0, 0, 0x31, 0x12, 0x34, 0, 0, 0]), 3), Some(0x1234));
        assert_eq!(transport_number(&rtp(&[0x31, 0x12, 0x34, 0, 0, 0, 0, 0]), 4), None);
        assert_eq!(transport_number(&[0x80; 12], 3), None);
        assert_eq!(transport_number(&rtp(&[0x3f, 0, 0, 0, 0, 0, 0, 0]), 3), None, "longer than the extensions");
    }
}
