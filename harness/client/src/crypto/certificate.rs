//! The self-signed DTLS certificate of a call: ECDSA on P-256, made by hand as DER (X.690) so that every byte of it is a
//! function of the seed. The signature is deterministic (RFC 6979).

use kernel::random;
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use str0m_proto::crypto::dtls::DtlsCert;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;

/// `SEQUENCE { id-ecPublicKey, prime256v1 }` (RFC 5480).
const EC_P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07,
];
/// `SEQUENCE { ecdsa-with-SHA256 }` (RFC 5758).
const ECDSA_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// `id-at-commonName` (RFC 5280).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// `[0] { INTEGER 2 }`: version 3.
const VERSION_3: &[u8] = &[0xa0, 0x03, 0x02, 0x01, 0x02];
/// A name that says nothing about user or device.
const NAME: &[u8] = b"WebRTC";

/// A fresh certificate with its private key (PKCS #8), drawn from the ambient stream of the caller's scope.
pub(super) fn generate() -> DtlsCert {
    let (key, secret) = signing_key();
    let tbs = to_be_signed(&key);
    let signature: Signature = key.sign(&tbs);
    let certificate = element(SEQUENCE, &[&tbs, ECDSA_SHA256, &bit_string(signature.to_der().as_bytes())].concat());
    // PKCS #8 (RFC 5958) around an ECPrivateKey (RFC 5915) without its optional parts.
    let private_key =
        [&[SEQUENCE, 0x41, INTEGER, 1, 0], EC_P256, &[0x04, 0x27, SEQUENCE, 0x25, INTEGER, 1, 1, 0x04, 0x20], &secret]
            .concat();
    DtlsCert { certificate, private_key }
}

fn signing_key() -> (SigningKey, [u8; 32]) {
    loop {
        let mut secret = [0; 32];
        random::fill(&mut secret);
        // Only zero and numbers above the group order are refused: one in 2^32 draws.
        if let Ok(key) = SigningKey::from_slice(&secret) {
            return (key, secret);
        }
    }
}

fn to_be_signed(key: &SigningKey) -> Vec<u8> {
    let public =
        element(SEQUENCE, &[EC_P256, &bit_string(key.verifying_key().to_sec1_point(false).as_bytes())].concat());
    let common_name = element(SEQUENCE, &[element(OBJECT_ID, COMMON_NAME), element(UTF8_STRING, NAME)].concat());
    let name = element(SEQUENCE, &element(SET, &common_name));
    let validity =
        element(SEQUENCE, &[element(UTC_TIME, b"240101000000Z"), element(UTC_TIME, b"440101000000Z")].concat());
    let mut serial = [0; 8];
    random::fill(&mut serial);
    serial[0] = (serial[0] & 0x7f) | 1;
    element(SEQUENCE, &[VERSION_3, &element(INTEGER, &serial), ECDSA_SHA256, &name, &validity, &name, &public].concat())
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes].concat())
}

/// A DER element; bodies of more than 65,535 bytes do not occur.
fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut der = vec![tag];
    match length {
        0..=0x7f => der.push(length as u8),
        0x80..=0xff => der.extend([0x81, length as u8]),
        _ => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend_from_slice(body);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_encoded_in_their_shortest_form() {
        assert_eq!(element(INTEGER, &[5]), [2, 1, 5]);
        assert_eq!(element(INTEGER, &[0; 200])[..3], [2, 0x81, 200]);
        assert_eq!(element(INTEGER, &[0; 300])[..4], [2, 0x82, 1, 44]);
    }

    #[test]
    fn two_certificates_differ_and_hold_together() {
        let (one, other) = (generate(), generate());
        assert_ne!(one.certificate, other.certificate);
        assert_eq!(one.private_key.len(), 0x41 + 2);
        let length = usize::from(one.certificate[2]) << 8 | usize::from(one.certificate[3]);
        assert_eq!(one.certificate.len(), length + 4);
    }
}
