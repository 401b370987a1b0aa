//! Events of packets, links and paths.

use crate::{
    log::BlobRef,
    names::{ActorName, LinkName},
    packet::{Ecn, PacketId, Transport},
    plan::{LinkPlan, NatChange},
    time::{BitRate, Micros},
};
use serde::{Deserialize, Serialize, Serializer};
use std::net::{IpAddr, SocketAddr};

/// What a datagram carries, by its first byte (RFC 7983) and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireProtocol {
    /// STUN and TURN methods (RFC 8489, RFC 8656).
    Stun,
    /// TURN channel data (RFC 8656).
    TurnChannel,
    /// DTLS records.
    Dtls,
    /// SRTP.
    Rtp,
    /// SRTCP.
    Rtcp,
    /// QUIC, which carries signaling.
    Quic,
    /// A TCP segment, whatever it carries.
    Tcp,
    /// Anything else.
    Other,
}

/// A packet was handed to the network by a socket (view `wire`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PacketSent {
    /// The packet.
    pub packet: PacketId,
    /// For a relayed packet: the packet that it carries on.
    pub cause: Option<PacketId>,
    /// Leg of a relayed packet: how long the relay held it.
    pub relay: Micros,
    /// Who sent it.
    pub from: ActorName,
    /// The socket's own address.
    #[serde(serialize_with = "as_text")]
    pub source: SocketAddr,
    /// Where to.
    #[serde(serialize_with = "as_text")]
    pub destination: SocketAddr,
    /// UDP or TCP.
    pub transport: Transport,
    /// Its ECN field.
    pub ecn: Ecn,
    /// What it carries.
    pub protocol: WireProtocol,
    /// The datagram or segment.
    pub bytes: BlobRef,
}

/// A packet passed the core of the network, after its sender's NAT.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PacketAtCore {
    /// The packet.
    pub packet: PacketId,
    /// Source as the world sees it.
    #[serde(serialize_with = "as_text")]
    pub source: SocketAddr,
    /// Destination as the world sees it.
    #[serde(serialize_with = "as_text")]
    pub destination: SocketAddr,
}

/// A packet reached a socket. The legs are what the links measured and add up to the time since it was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PacketArrived {
    /// The packet.
    pub packet: PacketId,
    /// Who received it.
    pub to: ActorName,
    /// Source address as the receiver sees it.
    #[serde(serialize_with = "as_text")]
    pub source: SocketAddr,
    /// The socket's own address.
    #[serde(serialize_with = "as_text")]
    pub destination: SocketAddr,
    /// Leg: in the queue of the first link.
    pub uplink_queue: Micros,
    /// Leg: being clocked out, on all links.
    pub serialization: Micros,
    /// Leg: propagation and jitter, on all links.
    pub propagation: Micros,
    /// Leg: in the queues of all later links.
    pub downlink_queue: Micros,
    /// Its ECN field as the network left it.
    pub ecn: Ecn,
    /// Whether this is a second copy made by the network.
    pub duplicate: bool,
}

/// Why a packet was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The link's queue was full.
    QueueFull,
    /// The link's queue management dropped it before the queue was full (RFC 7567).
    Aqm,
    /// The link's policer had no token for it.
    Policed,
    /// It is larger than the link's MTU.
    TooBig,
    /// The link lost it.
    Loss,
    /// The NAT has no mapping for it.
    NatNoMapping,
    /// The NAT's filter refuses the source.
    NatFiltered,
    /// The NAT sends nothing back inside that comes from inside (no hairpinning).
    NatNoHairpin,
    /// A firewall lets nothing of its kind pass.
    Firewall,
    /// Its source is no address of its sender (RFC 2827).
    SpoofedSource,
    /// No node has this address.
    NoRoute,
    /// Nobody listens on the port.
    PortClosed,
    /// The node is down.
    HostDown,
    /// The node's interface is down.
    InterfaceDown,
}

/// A packet was lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PacketDropped {
    /// The packet.
    pub packet: PacketId,
    /// Where: a link, or the name of the node whose NAT or socket refused it.
    pub place: String,
    /// Why.
    pub reason: DropReason,
    /// Whether it was a second copy made by the network.
    pub duplicate: bool,
}

/// What a link did to a packet that it delivers all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// One bit of its payload is another.
    BitFlipped,
    /// Its payload is shorter.
    Truncated,
}

/// A link damaged a packet. It travels on with these bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PacketDamaged {
    /// The packet.
    pub packet: PacketId,
    /// Where.
    pub link: LinkName,
    /// How.
    pub damage: Damage,
    /// Its payload from here on.
    pub bytes: BlobRef,
}

/// What a core link did in a span of 200 ms (RFC 8867 samples at this rate), told at its end. Spans begin at multiples
/// of 200 ms; one in which no packet came, left or was dropped is not told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkSampled {
    /// The link's direction: `bottleneck/up`.
    pub link: LinkName,
    /// The length of the span.
    pub span: Micros,
    /// Packets whose last bit left in it.
    pub packets: u64,
    /// Their bytes on the wire, with headers and overhead.
    pub bytes: u64,
    /// Packets dropped in it: queue, queue management, policer, MTU, loss.
    pub dropped: u64,
    /// Packets that queue management marked in it.
    pub marked: u64,
    /// The waits in the queue of the packets that left it, in all.
    pub waited: Micros,
    /// The longest of them.
    pub longest_wait: Micros,
    /// The most bytes that waited at an instant.
    pub most_queued: u64,
}

/// A link's parameters changed, or became known at the beginning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkChanged {
    /// The link.
    pub link: LinkName,
    /// What it does from now on.
    pub to: Box<LinkPlan>,
}

/// Something happened to a NAT.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NatChanged {
    /// Its outer address.
    pub nat: IpAddr,
    /// What.
    pub change: NatChange,
    /// How many live mappings it had.
    pub mappings: u32,
}

/// An interface of a device came up or went down, and the device was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InterfaceChanged {
    /// The device.
    pub device: ActorName,
    /// The interface, by its name in the plan.
    pub interface: ActorName,
    /// Whether it is up from now on.
    pub up: bool,
}

/// The kinds of ICE candidate (RFC 8445).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// An address of the device.
    Host,
    /// Its address outside a NAT, learnt from a STUN server.
    ServerReflexive,
    /// Its address outside a NAT, learnt from the peer.
    PeerReflexive,
    /// An address at a relay.
    Relayed,
}

/// A device learnt a candidate of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CandidateGathered {
    /// The device.
    pub device: ActorName,
    /// Its kind.
    pub kind: CandidateKind,
    /// The address.
    pub address: SocketAddr,
    /// Whether it was sent to the peer.
    pub offered: bool,
}

/// ICE moved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IceState {
    /// The device.
    pub device: ActorName,
    /// The W3C name of the state: `new`, `checking`, `connected`, `completed`, `disconnected`.
    pub state: String,
}

/// ICE uses another pair.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PairSelected {
    /// The device.
    pub device: ActorName,
    /// Own candidate.
    pub local: SocketAddr,
    /// The peer's candidate.
    pub remote: SocketAddr,
    /// Kind of the own candidate.
    pub local_kind: CandidateKind,
    /// Whether the media of this device goes through a relay, its own or the peer's.
    pub relayed: bool,
}

/// DTLS finished and the peer's certificate has the fingerprint that its signed body names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DtlsConnected {
    /// The device.
    pub device: ActorName,
}

/// Why a packet of an address that no check of ICE vouches for is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UncheckedReason {
    /// Too many wait already, or it is too long.
    NoRoom,
    /// No check of its address was answered while it waited.
    NotInTime,
    /// It is no DTLS: only that is worth waiting for.
    NotDtls,
}

/// A device dropped a packet from an address that no check of ICE vouches for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UncheckedDropped {
    /// The device.
    pub device: ActorName,
    /// The packet that brought it.
    pub packet: PacketId,
    /// Whose it claims to be.
    pub source: SocketAddr,
    /// Why it is not looked at.
    pub reason: UncheckedReason,
}

/// The sender's estimate of the path's rate changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BitrateEstimate {
    /// The device.
    pub device: ActorName,
    /// The estimate.
    pub rate: BitRate,
}

/// As `SocketAddr` serializes, only that an IPv4 address is not written by way of a formatter: each packet has six.
fn as_text<S: Serializer>(address: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
    let SocketAddr::V4(four) = address else { return address.serialize(serializer) };
    if !serializer.is_human_readable() {
        return address.serialize(serializer);
    }
    let mut text = [0; "255.255.255.255:65535".len()];
    let mut length = 0;
    let parts = four.ip().octets().map(u16::from).into_iter().chain([four.port()]);
    for (part, separator) in parts.zip(*b"...: ") {
        let digits = part.checked_ilog10().unwrap_or(0) as usize + 1;
        for (place, digit) in (0u32..).zip(text[length..length + digits].iter_mut().rev()) {
            *digit = b'0' + (part / 10u16.pow(place) % 10) as u8;
        }
        length += digits;
        if separator != b' ' {
            text[length] = separator;
            length += 1;
        }
    }
    serializer.serialize_str(std::str::from_utf8(&text[..length]).expect("digits and separators"))
}
