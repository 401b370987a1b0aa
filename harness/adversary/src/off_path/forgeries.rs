//! Packets that whoever knows no secret can make.

use kernel::random::Stream;
use stun_proto::types::{
    attribute::{AttributeType, RawAttribute, Username},
    message::{
        BINDING, IntegrityAlgorithm, Message, MessageClass, MessageIntegrityCredentials, MessageType, MessageWriteVec,
        ShortTermCredentials, TransactionId,
    },
    prelude::{MessageWrite, MessageWriteExt},
};

/// Attributes of ICE (RFC 8445, section 16.1).
const PRIORITY: AttributeType = AttributeType::new(0x0024);
const USE_CANDIDATE: AttributeType = AttributeType::new(0x0025);

/// A complete DTLS 1.2 ClientHello (RFC 6347, RFC 5764) without cookie.
pub(super) fn client_hello(stream: &mut Stream) -> Vec<u8> {
    const EXTENSIONS: &[u8] = &[
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d, // supported_groups: x25519
        0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, // ec_point_formats: uncompressed
        0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03, // signature_algorithms: ecdsa_secp256r1_sha256
        0x00, 0x0e, 0x00, 0x05, 0x00, 0x02, 0x00, 0x07, 0x00, // use_srtp: AEAD_AES_128_GCM, no MKI
        0x00, 0x17, 0x00, 0x00, // extended_master_secret
        0xff, 0x01, 0x00, 0x01, 0x00, // renegotiation_info
    ];
    let mut body = vec![0xfe, 0xfd];
    body.extend(stream.bytes::<32>());
    // No session, no cookie, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression.
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body.extend((EXTENSIONS.len() as u16).to_be_bytes());
    body.extend(EXTENSIONS);
    let length = &(body.len() as u32).to_be_bytes()[1..];
    let handshake = [&[1][..], length, &[0, 0], &[0, 0, 0], length, &body].concat();
    let record = (handshake.len() as u16).to_be_bytes();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &record, &handshake].concat()
}

/// A binding request that asks to be used (USE-CANDIDATE), without MESSAGE-INTEGRITY or with one of a guessed password.
pub(super) fn unsigned_binding(guess: bool, stream: &mut Stream) -> Vec<u8> {
    let transaction = TransactionId::from(u128::from_be_bytes(stream.bytes()));
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    let mut request = Message::builder(kind, transaction, MessageWriteVec::new());
    let name = format!("{:04x}:{:04x}", stream.below(0x1_0000), stream.below(0x1_0000));
    let name = Username::new(&name).expect("nine letters are a user name");
    let mut added = vec![
        request.add_attribute(&name),
        request.add_attribute(&RawAttribute::new(PRIORITY, &[0x6e, 0xff, 0xff, 0xff])),
        request.add_attribute(&RawAttribute::new(USE_CANDIDATE, &[])),
    ];
    if guess {
        let password = kernel::names::to_hex(&stream.bytes::<11>());
        let guessed = MessageIntegrityCredentials::from(ShortTermCredentials::new(password));
        added.push(request.add_message_integrity(&guessed, IntegrityAlgorithm::Sha1));
    }
    added.push(request.add_fingerprint());
    assert!(added.iter().all(Result::is_ok), "each attribute is added once, in the order of the RFC");
    request.finish()
}

/// RTP (RFC 3550) of a guessed payload type and source, with noise for a payload.
pub(super) fn garbage_rtp(stream: &mut Stream) -> Vec<u8> {
    let [first, kind, ..] = stream.bytes::<2>();
    noise(0x80 | first & 0x3f, (kind & 0x80) | (96 + kind % 32), stream)
}

/// RTCP of any packet type from SR to payload-specific feedback, with noise for its contents.
pub(super) fn garbage_rtcp(stream: &mut Stream) -> Vec<u8> {
    let [first, kind, ..] = stream.bytes::<2>();
    noise(0x80 | first & 0x3f, 200 + kind % 7, stream)
}

/// ChannelData (RFC 8656 section 12.4) of the first channel that a client may have, with noise inside.
pub(super) fn channel_data(stream: &mut Stream) -> Vec<u8> {
    [&[0x40, 0x00, 0x00, 32][..], &stream.bytes::<32>()].concat()
}

fn noise(first: u8, second: u8, stream: &mut Stream) -> Vec<u8> {
    let mut bytes = vec![0; 12 + stream.below(120) as usize];
    stream.fill(&mut bytes);
    (bytes[0], bytes[1]) = (first, second);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;
    use stun_proto::types::attribute::Attribute;

    #[test]
    fn lengths_of_the_hello_fit_each_other() {
        let hello = client_hello(&mut SeedTree::root(1).stream("hello"));
        assert_eq!(usize::from(u16::from_be_bytes([hello[11], hello[12]])), hello.len() - 13);
        assert_eq!(hello[14..17], hello[22..25]);
        assert_eq!(usize::from(hello[16]), hello.len() - 25);
    }

    #[test]
    fn a_guessed_signature_is_a_wrong_one() {
        let mut stream = SeedTree::root(1).stream("binding");
        let key = MessageIntegrityCredentials::from(ShortTermCredentials::new("the right one".into()));
        for guess in [true, false] {
            let bytes = unsigned_binding(guess, &mut stream);
            let message = Message::from_bytes(&bytes).unwrap();
            assert!(message.validate_integrity(&key).is_err());
            assert!(message.iter_attributes().any(|(_, attribute)| attribute.get_type() == USE_CANDIDATE));
        }
    }

    #[test]
    fn garbage_is_taken_for_media() {
        let mut stream = SeedTree::root(1).stream("garbage");
        for _ in 0..1_000 {
            let (rtp, rtcp) = (garbage_rtp(&mut stream), garbage_rtcp(&mut stream));
            assert!((128..192).contains(&rtp[0]) && !(64..96).contains(&(rtp[1] & 0x7f)));
            assert!((128..192).contains(&rtcp[0]) && (192..224).contains(&rtcp[1]));
        }
    }
}
