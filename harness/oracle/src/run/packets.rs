//! Packets joined with their fates and with the relayed copies that carry them on.

use super::events::{Events, Seen};
use kernel::{
    ActorName, PacketId,
    event::{PacketArrived, PacketDropped, PacketSent, RtpSent, WireProtocol},
};

/// What became of a packet.
#[derive(Clone, Copy, Default)]
pub(crate) struct Packet<'a> {
    pub(crate) sent: Option<Seen<'a, PacketSent>>,
    /// The first copy that reached a socket.
    pub(crate) arrived: Option<Seen<'a, PacketArrived>>,
    pub(crate) dropped: Option<Seen<'a, PacketDropped>>,
    /// The RTP packet inside, said by the device that sent it.
    pub(crate) rtp: Option<Seen<'a, RtpSent>>,
    /// The relay's copy.
    pub(crate) carried_on_by: Option<PacketId>,
}

/// All packets of a run by their id.
pub(crate) struct Packets<'a> {
    by_id: Vec<Packet<'a>>,
}

/// A relay chain of a call has two relays at most; a longer one is a broken log.
const MAX_CHAIN: usize = 8;

impl<'a> Packets<'a> {
    pub(crate) fn of(events: &Events<'a>) -> Packets<'a> {
        // Ids count up from 1, so they index a vector. A saved log may lie: an id far beyond the number of packets is
        // left out, and whatever refers to it is unmatched.
        let most = 4 * events.packets_sent.len() as u64 + 1_024;
        let last = events.packets_sent.iter().map(|sent| sent.packet.0).filter(|id| *id <= most).max().unwrap_or(0);
        let mut packets = Packets { by_id: vec![Packet::default(); last as usize + 1] };
        for sent in &events.packets_sent {
            if let Some(packet) = packets.slot(sent.packet) {
                packet.sent = packet.sent.or(Some(*sent));
            }
            if let Some(cause) = sent.cause.and_then(|cause| packets.slot(cause)) {
                cause.carried_on_by = cause.carried_on_by.or(Some(sent.packet));
            }
        }
        for arrived in &events.packets_arrived {
            if let Some(packet) = packets.slot(arrived.packet) {
                packet.arrived = packet.arrived.or(Some(*arrived));
            }
        }
        for dropped in events.packets_dropped.iter().filter(|dropped| !dropped.duplicate) {
            if let Some(packet) = packets.slot(dropped.packet) {
                packet.dropped = packet.dropped.or(Some(*dropped));
            }
        }
        for rtp in &events.rtp_sent {
            if let Some(packet) = packets.slot(rtp.packet) {
                packet.rtp = packet.rtp.or(Some(*rtp));
            }
        }
        packets
    }

    pub(crate) fn get(&self, id: PacketId) -> Option<&Packet<'a>> {
        self.by_id.get(usize::try_from(id.0).ok()?)
    }

    /// The packet as its first sender sent it and then each relayed copy, up to the one that arrived as `last`.
    pub(crate) fn chain_to(&self, last: PacketId) -> Vec<&Packet<'a>> {
        let mut chain = Vec::new();
        let mut next = Some(last);
        while let Some(packet) = next.and_then(|id| self.get(id))
            && chain.len() < MAX_CHAIN
        {
            chain.push(packet);
            next = packet.sent.and_then(|sent| sent.cause);
        }
        chain.reverse();
        chain
    }

    /// The last copy of a packet: its own, or what the last relay made of it.
    pub(crate) fn last_copy(&self, id: PacketId) -> Option<&Packet<'a>> {
        let mut packet = self.get(id)?;
        for _ in 0..MAX_CHAIN {
            match packet.carried_on_by.and_then(|next| self.get(next)) {
                Some(next) => packet = next,
                None => break,
            }
        }
        Some(packet)
    }

    /// Where and when a packet, or its relayed copy, reached `device`.
    pub(crate) fn arrival_at(&self, id: PacketId, device: &ActorName) -> Option<Seen<'a, PacketArrived>> {
        self.last_copy(id)?.arrived.filter(|arrived| arrived.to == *device)
    }

    fn slot(&mut self, id: PacketId) -> Option<&mut Packet<'a>> {
        self.by_id.get_mut(usize::try_from(id.0).ok()?)
    }
}

/// Whether a datagram carries RTP: by itself, or as channel data to or from a relay (RFC 7983 by the first byte inside).
pub(crate) fn carries_rtp(protocol: WireProtocol, bytes: &[u8]) -> bool {
    match protocol {
        WireProtocol::Rtp => true,
        // Behind channel number and length, four bytes (RFC 8656 section 12.4). RTCP has payload types 64 to 95 (RFC 5761).
        WireProtocol::TurnChannel => match bytes.get(4..6) {
            Some([first, second]) => (128..192).contains(first) && !(64..96).contains(&(second & 0x7f)),
            _ => false,
        },
        _ => false,
    }
}
