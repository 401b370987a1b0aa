//! What a datagram carries, as a passive observer would tell.

use kernel::{Datagram, event::WireProtocol, packet::Transport};

/// Ports of signaling: the server's and the devices'.
const QUIC_PORTS: [u16; 2] = [443, 5443];

/// The protocol of a packet: TCP as such; of UDP, QUIC when one of its ports is a signaling port, else by the first byte (RFC 7983), and
/// RTCP told from RTP by the packet type in the second byte (RFC 5761, section 4).
pub fn classify(datagram: &Datagram) -> WireProtocol {
    if datagram.transport == Transport::Tcp {
        return WireProtocol::Tcp;
    }
    if QUIC_PORTS.contains(&datagram.source.port()) || QUIC_PORTS.contains(&datagram.destination.port()) {
        return WireProtocol::Quic;
    }
    match datagram.bytes.first() {
        Some(0..=3) => WireProtocol::Stun,
        Some(20..=63) => WireProtocol::Dtls,
        Some(64..=79) => WireProtocol::TurnChannel,
        Some(128..=191) => match datagram.bytes.get(1) {
            Some(192..=223) => WireProtocol::Rtcp,
            Some(_) => WireProtocol::Rtp,
            None => WireProtocol::Other,
        },
        _ => WireProtocol::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol_of(bytes: &[u8], port: u16) -> WireProtocol {
        let source = "192.0.2.1:5000".parse().unwrap();
        classify(&Datagram::new(source, ([198, 51, 100, 1], port).into(), bytes.to_vec()))
    }

    #[test]
    fn the_first_byte_tells_the_protocol() {
        let cases: [(&[u8], WireProtocol); 12] = [
            (&[0, 1], WireProtocol::Stun),
            (&[3], WireProtocol::Stun),
            (&[4], WireProtocol::Other),
            (&[22, 254, 253], WireProtocol::Dtls),
            (&[63], WireProtocol::Dtls),
            (&[64, 0], WireProtocol::TurnChannel),
            (&[79, 255], WireProtocol::TurnChannel),
            (&[80], WireProtocol::Other),
            (&[0x80, 96], WireProtocol::Rtp),
            (&[0x80, 0x80 | 96], WireProtocol::Rtp),
            (&[0x80, 200], WireProtocol::Rtcp),
            (&[], WireProtocol::Other),
        ];
        for (bytes, expected) in cases {
            assert_eq!(protocol_of(bytes, 5000), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_signaling_port_is_quic_whatever_the_bytes() {
        assert_eq!(protocol_of(&[0x80, 96], 443), WireProtocol::Quic);
        assert_eq!(protocol_of(&[], 5443), WireProtocol::Quic);
    }
}
