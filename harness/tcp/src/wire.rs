//! Between the fabric's packets and the IP packets that smoltcp speaks.

use kernel::{
    Datagram,
    packet::{Ecn, Transport},
};
use smoltcp::{
    phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium},
    time::Instant,
    wire::{IpProtocol, IpVersion, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr},
};
use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

/// The largest IP packet in bytes: Ethernet's.
pub const IP_MTU: usize = 1_500;
/// The most payload of a segment in bytes, over IPv4.
pub const MAX_PAYLOAD: usize = IP_MTU - 40;

/// Segments that wait to be taken; smoltcp sends no more until there is room again. About 6 MB.
const MAX_OUTGOING: usize = 4_096;
/// The fixed part of a TCP header.
const TCP_HEADER: usize = 20;
const HOP_LIMIT: u8 = 64;

/// The network card of an endpoint: packets in, packets out.
#[derive(Default)]
pub(crate) struct Wire {
    incoming: Option<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Wire {
    /// Puts a packet in front of smoltcp; false when it is no segment.
    pub(crate) fn take_in(&mut self, datagram: &Datagram) -> bool {
        self.incoming = ip_packet(datagram);
        self.incoming.is_some()
    }

    /// The next packet that smoltcp sent.
    pub(crate) fn pop(&mut self) -> Option<Datagram> {
        self.outgoing.pop_front().and_then(|packet| datagram(&packet))
    }
}

/// The IP packet of a datagram, with the segment's ports those of its addresses.
fn ip_packet(datagram: &Datagram) -> Option<Vec<u8>> {
    let Datagram { source, destination, transport, bytes, .. } = datagram;
    if *transport != Transport::Tcp || bytes.len() < TCP_HEADER || bytes.len() > IP_MTU {
        return None;
    }
    let mut packet = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let repr = Ipv4Repr {
                src_addr: from,
                dst_addr: to,
                next_header: IpProtocol::Tcp,
                payload_len: bytes.len(),
                hop_limit: HOP_LIMIT,
            };
            let mut packet = vec![0; repr.buffer_len()];
            repr.emit(&mut Ipv4Packet::new_unchecked(&mut packet), &ChecksumCapabilities::ignored());
            packet
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let repr = Ipv6Repr {
                src_addr: from,
                dst_addr: to,
                next_header: IpProtocol::Tcp,
                payload_len: bytes.len(),
                hop_limit: HOP_LIMIT,
            };
            let mut packet = vec![0; repr.buffer_len()];
            repr.emit(&mut Ipv6Packet::new_unchecked(&mut packet));
            packet
        }
        _ => return None,
    };
    let segment = packet.len();
    packet.extend_from_slice(bytes);
    packet[segment..segment + 2].copy_from_slice(&source.port().to_be_bytes());
    packet[segment + 2..segment + 4].copy_from_slice(&destination.port().to_be_bytes());
    Some(packet)
}

/// The datagram of an IP packet; `None` for what is no TCP.
fn datagram(packet: &[u8]) -> Option<Datagram> {
    let (source, destination, segment): (IpAddr, IpAddr, &[u8]) = match IpVersion::of_packet(packet).ok()? {
        IpVersion::Ipv4 => {
            let packet = Ipv4Packet::new_checked(packet).ok()?;
            (packet.next_header() == IpProtocol::Tcp).then_some(())?;
            (packet.src_addr().into(), packet.dst_addr().into(), packet.payload())
        }
        IpVersion::Ipv6 => {
            let packet = Ipv6Packet::new_checked(packet).ok()?;
            (packet.next_header() == IpProtocol::Tcp).then_some(())?;
            (packet.src_addr().into(), packet.dst_addr().into(), packet.payload())
        }
    };
    let (ports, _) = segment.split_first_chunk::<4>()?;
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    let (source, destination) = (SocketAddr::new(source, port(0)), SocketAddr::new(destination, port(2)));
    let datagram = Datagram::new(source, destination, segment.to_vec());
    Some(Datagram { transport: Transport::Tcp, ecn: Ecn::NotEct, ..datagram })
}

impl Device for Wire {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending<'_>)> {
        let packet = self.incoming.take()?;
        Some((Received(packet), Sending(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        (self.outgoing.len() < MAX_OUTGOING).then_some(Sending(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = IP_MTU;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}

pub(crate) struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

pub(crate) struct Sending<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut packet = vec![0; length];
        let result = write(&mut packet);
        self.0.push_back(packet);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(source: &str, destination: &str, length: usize) -> Datagram {
        let datagram = Datagram::new(source.parse().unwrap(), destination.parse().unwrap(), vec![0; length]);
        Datagram { transport: Transport::Tcp, ..datagram }
    }

    #[test]
    fn the_ports_of_the_addresses_count() {
        for (source, destination) in
            [("192.0.2.1:4000", "198.51.100.1:443"), ("[2001:db8::1]:4000", "[2001:db8::2]:443")]
        {
            let sent = segment(source, destination, 32);
            let back = datagram(&ip_packet(&sent).unwrap()).unwrap();
            assert_eq!((back.source, back.destination), (sent.source, sent.destination));
            assert_eq!(back.bytes[..4], [0x0f, 0xa0, 0x01, 0xbb]);
            assert_eq!(back.bytes[4..], sent.bytes[4..]);
        }
    }

    #[test]
    fn what_is_no_segment_is_refused() {
        let whole = segment("192.0.2.1:1", "192.0.2.2:2", 20);
        assert!(ip_packet(&whole).is_some());
        assert!(ip_packet(&Datagram { transport: Transport::Udp, ..whole.clone() }).is_none());
        assert!(ip_packet(&segment("192.0.2.1:1", "192.0.2.2:2", 19)).is_none());
        assert!(ip_packet(&segment("192.0.2.1:1", "192.0.2.2:2", 1_501)).is_none());
        assert!(ip_packet(&segment("192.0.2.1:1", "[2001:db8::2]:2", 20)).is_none());
        assert!(datagram(&[0x45; 3]).is_none());
    }
}
