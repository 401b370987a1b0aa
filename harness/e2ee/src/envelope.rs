//! A body sealed to one device (HPKE, RFC 9180) and signed by the sending device (Ed25519, RFC 8032).
//!
//! HPKE in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM; associated data is the canonical
//! header. Inside are the signature (64 bytes) over header and body, and the body. Sign, then seal: nobody but the
//! recipient learns who signed what, and the signature names the recipient, who so cannot pass it on as his own.

use crate::identity::{DeviceIdentity, verifies};
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::AesGcm128, kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use kernel::{
    mutant,
    names::{ActorName, ThreadId},
    random::Stream,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The version of the envelope format that this crate writes and opens.
pub const ENVELOPE_VERSION: u16 = 1;

/// The longest body in bytes: an envelope fits into one message of signaling.
pub const MAX_BODY_BYTES: usize = 32 * 1024;

const INFO: &[u8] = b"callproof/1 envelope";
const SIGNATURE_BYTES: usize = 64;
const TAG_BYTES: usize = 16;

/// What the body of an envelope is: bound, so that an answer is never taken for an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnvelopeKind {
    /// An offer.
    Offer,
    /// An answer.
    Answer,
    /// Any later message of the call.
    Peer,
    /// A direct message.
    Message,
}

/// The clear header: associated data of the seal, and signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeHeader {
    /// Protocol version.
    pub version: u16,
    /// What the body is.
    pub kind: EnvelopeKind,
    /// The id of the call or, by the kind, of the direct message.
    pub subject: [u8; 16],
    /// Its thread.
    pub thread: ThreadId,
    /// Sending device.
    pub from: ActorName,
    /// Receiving device.
    pub to: ActorName,
    /// Counts the sender's envelopes of this call, or of this message, from 0.
    pub sequence: u32,
}

/// A sealed and signed body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedEnvelope {
    /// The clear header.
    pub header: EnvelopeHeader,
    /// HPKE encapsulated key.
    pub encapsulated: Vec<u8>,
    /// HPKE ciphertext of signature and body.
    pub ciphertext: Vec<u8>,
}

impl EnvelopeHeader {
    /// The canonical bytes of the header: what the seal binds.
    ///
    /// # Panics
    /// Never: names and numbers always serialize.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a header serializes")
    }

    /// What the sending device signs: the header and the plaintext body, each with its length. Both sides of a call
    /// hold it, so it is also what the call's transcript is made of ([`crate::Transcript::new`]).
    pub fn signed_bytes(&self, body: &[u8]) -> Vec<u8> {
        let header = self.canonical_bytes();
        let length = |part: &[u8]| (part.len() as u64).to_be_bytes();
        [b"callproof/1 envelope signature", &length(&header)[..], &header, &length(body), body].concat()
    }

    /// Checks that an envelope is what the receiver waits for. Call it before [`open`].
    ///
    /// # Errors
    /// [`EnvelopeError::WrongHeader`] when any field differs.
    pub fn check(&self, expected: &EnvelopeHeader) -> Result<(), EnvelopeError> {
        if self == expected { Ok(()) } else { Err(EnvelopeError::WrongHeader) }
    }
}

/// Why an envelope could not be made, or is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The recipient's sealing key is no X25519 key that can be sealed to.
    #[error("the recipient's sealing key is invalid")]
    InvalidKey,
    /// The body or ciphertext is longer than [`MAX_BODY_BYTES`] allow.
    #[error("the body is too long")]
    TooLong,
    /// Sealed to another device, or changed on the way.
    #[error("the envelope cannot be opened")]
    CannotOpen,
    /// Not signed by the device that it names.
    #[error("the signature is wrong")]
    BadSignature,
    /// Another version, subject, sender, receiver, kind or sequence number than expected.
    #[error("the header is wrong")]
    WrongHeader,
}

/// Signs `body` with the sender's key and seals both to the recipient's device. The header is bound by either.
///
/// # Errors
/// [`EnvelopeError::TooLong`] and [`EnvelopeError::InvalidKey`].
pub fn seal(
    header: EnvelopeHeader,
    body: &[u8],
    sender: &DeviceIdentity,
    recipient_sealing: &[u8; 32],
    stream: &mut Stream,
) -> Result<SealedEnvelope, EnvelopeError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(EnvelopeError::TooLong);
    }
    let recipient =
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(recipient_sealing).map_err(|_| EnvelopeError::InvalidKey)?;
    let signed = Zeroizing::new([&sender.sign(&header.signed_bytes(body))[..], body].concat());
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<AesGcm128, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &recipient,
        INFO,
        &signed,
        &header.canonical_bytes(),
        stream,
    )
    .map_err(|_| EnvelopeError::InvalidKey)?;
    Ok(SealedEnvelope { header, encapsulated: encapsulated.to_bytes().to_vec(), ciphertext })
}

/// Opens an envelope that was sealed to `recipient` and gives the body that `sender_signing` signed.
///
/// # Errors
/// [`EnvelopeError::WrongHeader`] for another version than [`ENVELOPE_VERSION`], [`EnvelopeError::CannotOpen`] when the
/// seal does not fit the recipient and the header, [`EnvelopeError::BadSignature`] when the sender did not sign it.
pub fn open(
    envelope: &SealedEnvelope,
    recipient: &DeviceIdentity,
    sender_signing: &[u8; 32],
) -> Result<Vec<u8>, EnvelopeError> {
    let SealedEnvelope { header, encapsulated, ciphertext } = envelope;
    if header.version != ENVELOPE_VERSION {
        return Err(EnvelopeError::WrongHeader);
    }
    if ciphertext.len() > SIGNATURE_BYTES + MAX_BODY_BYTES + TAG_BYTES {
        return Err(EnvelopeError::TooLong);
    }
    let encapsulated =
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| EnvelopeError::CannotOpen)?;
    let signed = hpke::single_shot_open::<AesGcm128, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &recipient.sealing,
        &encapsulated,
        INFO,
        ciphertext,
        &header.canonical_bytes(),
    )
    .map_err(|_| EnvelopeError::CannotOpen)?;
    let (signature, body) = signed.split_first_chunk().ok_or(EnvelopeError::BadSignature)?;
    if !mutant!(V42) && !verifies(sender_signing, &header.signed_bytes(body), signature) {
        return Err(EnvelopeError::BadSignature);
    }
    Ok(body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Mutant, mutant::plant, random::SeedTree};

    fn device(name: &str) -> DeviceIdentity {
        DeviceIdentity::generate(&mut SeedTree::root(1).stream(name))
    }

    fn header() -> EnvelopeHeader {
        EnvelopeHeader {
            version: ENVELOPE_VERSION,
            kind: EnvelopeKind::Offer,
            subject: [7; 16],
            thread: "alice+bob".into(),
            from: "alice-phone".into(),
            to: "bob-laptop".into(),
            sequence: 0,
        }
    }

    fn sealed_by(sender: &str) -> SealedEnvelope {
        let mut stream = SeedTree::root(2).stream("seal");
        seal(header(), b"the offer", &device(sender), &device("bob").public().1, &mut stream).unwrap()
    }

    fn opened(envelope: &SealedEnvelope) -> Result<Vec<u8>, EnvelopeError> {
        open(envelope, &device("bob"), &device("alice").public().0)
    }

    #[test]
    fn what_was_sealed_opens_at_its_recipient_only() {
        let envelope = sealed_by("alice");
        assert_eq!(opened(&envelope).unwrap(), b"the offer");
        let elsewhere = open(&envelope, &device("carol"), &device("alice").public().0);
        assert_eq!(elsewhere, Err(EnvelopeError::CannotOpen));
    }

    #[test]
    fn the_body_cannot_be_read_from_outside() {
        let envelope = sealed_by("alice");
        assert!(!envelope.ciphertext.windows(5).any(|part| part == b"offer"));
        assert_eq!(envelope.ciphertext.len(), SIGNATURE_BYTES + b"the offer".len() + TAG_BYTES);
    }

    #[test]
    fn the_signature_of_another_device_is_refused() {
        assert_eq!(opened(&sealed_by("mallory")), Err(EnvelopeError::BadSignature));
    }

    #[test]
    fn the_planted_bug_v42_takes_any_signature() {
        plant(&[Mutant::V42]);
        let result = opened(&sealed_by("mallory"));
        plant(&[]);
        assert_eq!(result.unwrap(), b"the offer");
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let envelope = sealed_by("alice");
        for bit in 0..8 * envelope.ciphertext.len() {
            let mut changed = envelope.clone();
            changed.ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&changed), Err(EnvelopeError::CannotOpen));
        }
        for bit in 0..8 * envelope.encapsulated.len() {
            let mut changed = envelope.clone();
            changed.encapsulated[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&changed), Err(EnvelopeError::CannotOpen));
        }
    }

    #[test]
    fn every_header_field_is_bound() {
        let changes: [fn(&mut EnvelopeHeader); 6] = [
            |header| header.kind = EnvelopeKind::Answer,
            |header| header.subject[15] ^= 1,
            |header| header.thread = "alice+carol".into(),
            |header| header.from = "alice-laptop".into(),
            |header| header.to = "bob-phone".into(),
            |header| header.sequence = 1,
        ];
        for change in changes {
            let mut envelope = sealed_by("alice");
            change(&mut envelope.header);
            assert_eq!(opened(&envelope), Err(EnvelopeError::CannotOpen));
            assert_eq!(envelope.header.check(&header()), Err(EnvelopeError::WrongHeader));
        }
        assert_eq!(header().check(&header()), Ok(()));
        let mut envelope = sealed_by("alice");
        envelope.header.version = ENVELOPE_VERSION + 1;
        assert_eq!(opened(&envelope), Err(EnvelopeError::WrongHeader));
    }

    #[test]
    fn signed_bytes_tell_header_and_body_apart() {
        let mut longer = header();
        longer.sequence = 0x80;
        assert_ne!(header().signed_bytes(b"body"), header().signed_bytes(b"bod"));
        assert_ne!(longer.signed_bytes(b""), header().signed_bytes(b"\x01"));
    }

    #[test]
    fn limits_and_bad_keys_are_refused() {
        let mut stream = SeedTree::root(2).stream("seal");
        let too_long = vec![0; MAX_BODY_BYTES + 1];
        let recipient = device("bob").public().1;
        let result = seal(header(), &too_long, &device("alice"), &recipient, &mut stream);
        assert_eq!(result, Err(EnvelopeError::TooLong));
        let longest = seal(header(), &too_long[1..], &device("alice"), &recipient, &mut stream).unwrap();
        assert_eq!(opened(&longest).unwrap().len(), MAX_BODY_BYTES);
        let result = seal(header(), b"", &device("alice"), &[0; 32], &mut stream);
        assert_eq!(result, Err(EnvelopeError::InvalidKey));
        let mut envelope = sealed_by("alice");
        envelope.ciphertext = vec![0; MAX_BODY_BYTES + 200];
        assert_eq!(opened(&envelope), Err(EnvelopeError::TooLong));
        envelope.ciphertext.clear();
        assert_eq!(opened(&envelope), Err(EnvelopeError::CannotOpen));
        envelope.encapsulated.clear();
        assert_eq!(opened(&envelope), Err(EnvelopeError::CannotOpen));
    }
}
