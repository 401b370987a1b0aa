//! The way of each packet, joined from the log's events.

use kernel::{
    ActorName, BlobRef, Log, PacketId, SimTime,
    event::{DropReason, Event, WireProtocol},
    packet::{Ecn, Transport},
};
use std::{collections::BTreeMap, net::SocketAddr};

/// Headers of IPv4, IPv6 and UDP: what a packet adds on a link to the payload of UDP or the segment of TCP.
const IPV4_HEADER_BYTES: u64 = 20;
const IPV6_HEADER_BYTES: u64 = 40;
const UDP_HEADER_BYTES: u64 = 8;
/// A relay's copy has one cause; longer chains are a loop.
const MAX_CAUSES: usize = 8;

/// A packet from its socket to where it ended.
pub(crate) struct Passage<'a> {
    pub(crate) packet: PacketId,
    pub(crate) sent_at: SimTime,
    pub(crate) from: &'a ActorName,
    pub(crate) cause: Option<PacketId>,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) ecn: Ecn,
    pub(crate) protocol: WireProtocol,
    pub(crate) bytes: BlobRef,
    /// When it passed the core, with the addresses that the world sees.
    pub(crate) core: Option<(SimTime, SocketAddr, SocketAddr)>,
    /// When and where it arrived; more than once when the network copied it.
    pub(crate) arrivals: Vec<(SimTime, &'a ActorName)>,
    pub(crate) dropped: Option<Dropped<'a>>,
}

/// Where and why a packet was lost.
pub(crate) struct Dropped<'a> {
    pub(crate) at: SimTime,
    pub(crate) place: &'a str,
    pub(crate) reason: DropReason,
}

impl Passage<'_> {
    /// Bytes on a link.
    pub(crate) fn wire_bytes(&self) -> u64 {
        let ip = if self.destination.is_ipv4() { IPV4_HEADER_BYTES } else { IPV6_HEADER_BYTES };
        let udp = if self.transport == Transport::Udp { UDP_HEADER_BYTES } else { 0 };
        u64::from(self.bytes.len) + ip + udp
    }
}

/// All packets of a log, by id, which is the order in which they were sent.
pub(crate) struct Packets<'a>(BTreeMap<PacketId, Passage<'a>>);

impl<'a> Packets<'a> {
    pub(crate) fn of(log: &'a Log) -> Packets<'a> {
        let mut packets = Packets(BTreeMap::new());
        for record in &log.records {
            packets.note(record.at, &record.event);
        }
        packets
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Passage<'a>> {
        self.0.values()
    }

    /// The packet that a packet carries on, where a relay sent it; otherwise itself.
    pub(crate) fn root<'p>(&'p self, passage: &'p Passage<'a>) -> &'p Passage<'a> {
        let mut root = passage;
        for _ in 0..MAX_CAUSES {
            match root.cause.and_then(|cause| self.0.get(&cause)) {
                Some(cause) => root = cause,
                None => break,
            }
        }
        root
    }

    fn note(&mut self, at: SimTime, event: &'a Event) {
        match event {
            Event::PacketSent(sent) => {
                self.0.insert(
                    sent.packet,
                    Passage {
                        packet: sent.packet,
                        sent_at: at,
                        from: &sent.from,
                        cause: sent.cause,
                        source: sent.source,
                        destination: sent.destination,
                        transport: sent.transport,
                        ecn: sent.ecn,
                        protocol: sent.protocol,
                        bytes: sent.bytes,
                        core: None,
                        arrivals: Vec::new(),
                        dropped: None,
                    },
                );
            }
            Event::PacketAtCore(core) => {
                if let Some(passage) = self.0.get_mut(&core.packet) {
                    passage.core = Some((at, core.source, core.destination));
                }
            }
            Event::PacketArrived(arrived) => {
                if let Some(passage) = self.0.get_mut(&arrived.packet) {
                    passage.arrivals.push((at, &arrived.to));
                }
            }
            Event::PacketDropped(dropped) if !dropped.duplicate => {
                if let Some(passage) = self.0.get_mut(&dropped.packet) {
                    passage.dropped = Some(Dropped { at, place: &dropped.place, reason: dropped.reason });
                }
            }
            _ => {}
        }
    }
}

/// A protocol's name for people.
pub(crate) fn protocol_name(protocol: WireProtocol) -> &'static str {
    match protocol {
        WireProtocol::Stun => "STUN",
        WireProtocol::TurnChannel => "TURN channel",
        WireProtocol::Dtls => "DTLS",
        WireProtocol::Rtp => "SRTP",
        WireProtocol::Rtcp => "SRTCP",
        WireProtocol::Quic => "QUIC",
        WireProtocol::Tcp => "TCP",
        WireProtocol::Other => "other",
    }
}

/// Why a packet was lost, for people.
pub(crate) fn reason_name(reason: DropReason) -> &'static str {
    match reason {
        DropReason::QueueFull => "queue full",
        DropReason::Aqm => "queue management",
        DropReason::Policed => "policed",
        DropReason::TooBig => "larger than the MTU",
        DropReason::Loss => "lost on the link",
        DropReason::NatNoMapping => "NAT has no mapping",
        DropReason::NatFiltered => "NAT filters the source",
        DropReason::NatNoHairpin => "NAT sends nothing back inside",
        DropReason::Firewall => "firewall",
        DropReason::SpoofedSource => "source is not the sender's",
        DropReason::NoRoute => "no route",
        DropReason::PortClosed => "port closed",
        DropReason::HostDown => "host down",
        DropReason::InterfaceDown => "interface down",
    }
}
