//! A pcapng writer (draft-ietf-opsawg-pcapng): section header, interfaces, names, enhanced packets with comments.
//! Little endian; timestamps are microseconds.

use kernel::packet::{Ecn, Transport};
use std::net::{IpAddr, SocketAddr};

/// Raw IPv4 or IPv6, told apart by the first nibble.
const LINKTYPE_RAW: u16 = 101;
const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const NAME_RESOLUTION: u32 = 4;
const ENHANCED_PACKET: u32 = 6;
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const NRB_RECORD_IPV4: u16 = 1;
const NRB_RECORD_IPV6: u16 = 2;
/// The largest UDP payload that IPv4 can carry.
const MAX_PAYLOAD: usize = 65_535 - 20 - 8;

/// A capture that is being written.
pub(crate) struct Capture {
    bytes: Vec<u8>,
    interfaces: u32,
}

impl Capture {
    /// Begins a section.
    pub(crate) fn new(application: &str, comment: &str) -> Capture {
        let mut capture = Capture { bytes: Vec::new(), interfaces: 0 };
        let mut body = Vec::new();
        body.extend(0x1A2B_3C4D_u32.to_le_bytes());
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // The section's length is not given: -1.
        body.extend((-1_i64).to_le_bytes());
        option(&mut body, OPT_COMMENT, comment.as_bytes());
        option(&mut body, SHB_USERAPPL, application.as_bytes());
        end_of_options(&mut body);
        capture.block(SECTION_HEADER, &body);
        capture
    }

    /// Adds an interface and returns its number.
    pub(crate) fn interface(&mut self, name: &str) -> u32 {
        let mut body = Vec::new();
        body.extend(LINKTYPE_RAW.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // No limit on a packet's length.
        body.extend(0_u32.to_le_bytes());
        option(&mut body, IF_NAME, name.as_bytes());
        option(&mut body, IF_TSRESOL, &[6]);
        end_of_options(&mut body);
        self.block(INTERFACE_DESCRIPTION, &body);
        self.interfaces += 1;
        self.interfaces - 1
    }

    /// Adds names of addresses.
    pub(crate) fn names<'n>(&mut self, names: impl Iterator<Item = (IpAddr, &'n str)>) {
        let mut body = Vec::new();
        for (address, name) in names {
            let (kind, mut value) = match address {
                IpAddr::V4(address) => (NRB_RECORD_IPV4, address.octets().to_vec()),
                IpAddr::V6(address) => (NRB_RECORD_IPV6, address.octets().to_vec()),
            };
            value.extend(name.bytes().filter(|byte| *byte != 0));
            value.push(0);
            option(&mut body, kind, &value);
        }
        // The end of records has the form of the end of options.
        end_of_options(&mut body);
        self.block(NAME_RESOLUTION, &body);
    }

    /// Adds a packet at a time in microseconds.
    pub(crate) fn packet(&mut self, interface: u32, at_us: u64, packet: &[u8], comment: Option<&str>) {
        let length = (packet.len() as u32).to_le_bytes();
        let mut body = Vec::with_capacity(packet.len() + 32);
        body.extend(interface.to_le_bytes());
        body.extend(((at_us >> 32) as u32).to_le_bytes());
        body.extend((at_us as u32).to_le_bytes());
        body.extend(length);
        body.extend(length);
        padded(&mut body, packet);
        if let Some(comment) = comment {
            option(&mut body, OPT_COMMENT, comment.as_bytes());
            end_of_options(&mut body);
        }
        self.block(ENHANCED_PACKET, &body);
    }

    /// The file.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = (body.len() as u32 + 12).to_le_bytes();
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
    }
}

/// What the IP header of a packet says besides its addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IpFields {
    /// IPv4's identification.
    pub(crate) id: u16,
    /// UDP, or TCP whose segment the payload is.
    pub(crate) transport: Transport,
    /// The ECN field.
    pub(crate) ecn: Ecn,
}

/// A packet with its IP header, as the core sees it. A longer payload than IP can carry is cut.
pub(crate) fn ip_packet(source: SocketAddr, destination: SocketAddr, fields: IpFields, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
    let (mut body, checksum_at) = match fields.transport {
        Transport::Udp => (udp(source, destination, payload), 6),
        Transport::Tcp => (tcp(source, destination, payload), 16),
    };
    let (mut packet, pseudo_header) = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4(from.octets(), to.octets(), fields, body.len() as u16),
        (from, to) => ipv6(octets(from), octets(to), fields, body.len() as u16),
    };
    let checksum = match checksum(&[&pseudo_header, &body]) {
        // Zero means "no checksum" (RFC 768).
        0 if fields.transport == Transport::Udp => 0xFFFF,
        sum => sum,
    };
    if let Some(place) = body.get_mut(checksum_at..checksum_at + 2) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
    packet.extend(body);
    packet
}

fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut udp = Vec::with_capacity(8 + payload.len());
    udp.extend(source.port().to_be_bytes());
    udp.extend(destination.port().to_be_bytes());
    udp.extend((8 + payload.len() as u16).to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(payload);
    udp
}

/// The segment with the ports of the packet's addresses, which a NAT may have changed, and no checksum yet.
fn tcp(source: SocketAddr, destination: SocketAddr, segment: &[u8]) -> Vec<u8> {
    let mut tcp = segment.to_vec();
    let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
    for (place, value) in [(0, &ports[..]), (16, &[0, 0])] {
        if let Some(place) = tcp.get_mut(place..place + value.len()) {
            place.copy_from_slice(value);
        }
    }
    tcp
}

impl IpFields {
    fn protocol(self) -> u8 {
        match self.transport {
            Transport::Udp => 17,
            Transport::Tcp => 6,
        }
    }

    /// The low bits of the traffic class (RFC 3168 section 5).
    fn ecn_bits(self) -> u8 {
        match self.ecn {
            Ecn::NotEct => 0,
            Ecn::Ect1 => 1,
            Ecn::Ect0 => 2,
            Ecn::Ce => 3,
        }
    }
}

fn ipv4(from: [u8; 4], to: [u8; 4], fields: IpFields, length: u16) -> (Vec<u8>, Vec<u8>) {
    let mut header = vec![0x45, fields.ecn_bits()];
    header.extend((20 + length).to_be_bytes());
    header.extend(fields.id.to_be_bytes());
    // Do not fragment; 64 hops; the checksum follows.
    header.extend([0x40, 0, 64, fields.protocol(), 0, 0]);
    header.extend(from);
    header.extend(to);
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let pseudo_header = [&from[..], &to, &[0, fields.protocol()], &length.to_be_bytes()].concat();
    (header, pseudo_header)
}

fn ipv6(from: [u8; 16], to: [u8; 16], fields: IpFields, length: u16) -> (Vec<u8>, Vec<u8>) {
    let mut header = vec![0x60, fields.ecn_bits() << 4, 0, 0];
    header.extend(length.to_be_bytes());
    header.extend([fields.protocol(), 64]);
    header.extend(from);
    header.extend(to);
    let pseudo_header = [&from[..], &to, &u32::from(length).to_be_bytes(), &[0, 0, 0, fields.protocol()]].concat();
    (header, pseudo_header)
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The Internet checksum (RFC 1071); every part but the last has an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
    let mut sum: u64 = parts.iter().flat_map(|part| part.chunks(2)).map(word).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    padded(body, value);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Blocks and options are aligned to 32 bits.
fn padded(body: &mut Vec<u8>, value: &[u8]) {
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // The example of RFC 1071, section 3: the sum is ddf2.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(checksum(&[&[0x01]]), !0x0100);
    }

    fn udp_packet(source: &str, destination: &str, payload: &[u8]) -> Vec<u8> {
        ip_packet(source.parse().unwrap(), destination.parse().unwrap(), IpFields::default(), payload)
    }

    #[test]
    fn a_tcp_segment_carries_the_ports_of_the_packet_and_verifies() {
        let mut segment = vec![0; 20];
        segment[12] = 0x50;
        let fields = IpFields { id: 1, transport: Transport::Tcp, ecn: Ecn::Ce };
        let packet = ip_packet("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:443".parse().unwrap(), fields, &segment);
        assert_eq!((packet[1], packet[9]), (3, 6));
        assert_eq!(packet[20..24], [0x13, 0x88, 0x01, 0xbb]);
        let pseudo_header = [&packet[12..20], &[0, 6, 0, 20]].concat();
        assert_eq!(checksum(&[&pseudo_header, &packet[20..]]), 0);
    }

    #[test]
    fn headers_carry_lengths_and_checksums_that_verify() {
        let packet = udp_packet("10.0.0.1:5000", "10.0.0.2:3478", b"odd");
        assert_eq!(packet.len(), 20 + 8 + 3);
        assert_eq!(u16::from_be_bytes([packet[2], packet[3]]), 31);
        assert_eq!(checksum(&[&packet[..20]]), 0);
        let pseudo_header = [&packet[12..20], &[0, 17, 0, 11]].concat();
        assert_eq!(checksum(&[&pseudo_header, &packet[20..]]), 0);
    }

    #[test]
    fn an_ipv6_datagram_verifies_too() {
        let packet = udp_packet("[2001:db8::1]:1", "[2001:db8::2]:2", b"even");
        let pseudo_header = [&packet[8..40], &[0, 0, 0, 12, 0, 0, 0, 17]].concat();
        assert_eq!(checksum(&[&pseudo_header, &packet[40..]]), 0);
    }

    #[test]
    fn a_payload_beyond_ip_is_cut() {
        let packet = udp_packet("10.0.0.1:1", "10.0.0.2:2", &vec![0; 70_000]);
        assert_eq!(packet.len(), 65_535);
    }
}
