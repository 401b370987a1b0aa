//! The long-term keys of a device: it signs with Ed25519 (RFC 8032) and receives sealed envelopes with X25519.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hpke::{Deserializable, Kem, Serializable, kem::X25519HkdfSha256};
use kernel::{names::to_hex, random::Stream};
use zeroize::Zeroizing;

pub(crate) type SealingKey = <X25519HkdfSha256 as Kem>::PrivateKey;

/// The private keys of one device. It has no `Debug` and no `Clone`, so that they stay where they were made; both
/// keys are erased when it is dropped.
pub struct DeviceIdentity {
    signing: SigningKey,
    pub(crate) sealing: SealingKey,
    sealing_public: [u8; 32],
}

impl DeviceIdentity {
    /// Fresh keys from a seeded stream.
    ///
    /// # Panics
    /// Never: every 32 bytes are a valid X25519 scalar.
    pub fn generate(stream: &mut Stream) -> DeviceIdentity {
        let seed = Zeroizing::new(stream.bytes::<32>());
        let scalar = Zeroizing::new(stream.bytes::<32>());
        let sealing = SealingKey::from_bytes(&*scalar).expect("32 bytes are a scalar");
        let sealing_public = X25519HkdfSha256::sk_to_pk(&sealing).to_bytes().into();
        DeviceIdentity { signing: SigningKey::from_bytes(&seed), sealing, sealing_public }
    }

    /// The public keys: (Ed25519 verifying key, X25519 key for sealed envelopes).
    pub fn public(&self) -> ([u8; 32], [u8; 32]) {
        (self.signing.verifying_key().to_bytes(), self.sealing_public)
    }

    /// The Ed25519 signature of `message`. Deterministic.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }

    /// Both private keys in hexadecimal (signing seed, sealing scalar), for the `Secret` events of the log and
    /// nothing else: the oracle searches everything that leaves the device for them.
    pub fn secrets(&self) -> [String; 2] {
        [to_hex(self.signing.as_bytes()), to_hex(&self.sealing.to_bytes())]
    }
}

/// Whether `signature` is the key's own over `message`, by the strict rules: small-order keys and signatures that
/// other verifiers would judge differently are refused.
pub fn verifies(signing: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(signing)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    fn identity(seed: u64) -> DeviceIdentity {
        DeviceIdentity::generate(&mut SeedTree::root(seed).stream("identity"))
    }

    #[test]
    fn keys_are_a_function_of_the_seed() {
        assert_eq!(identity(1).public(), identity(1).public());
        assert_ne!(identity(1).public().0, identity(2).public().0);
        assert_ne!(identity(1).public().1, identity(2).public().1);
    }

    #[test]
    fn a_signature_fits_only_its_key_and_message() {
        let device = identity(1);
        let signature = device.sign(b"message");
        assert!(verifies(&device.public().0, b"message", &signature));
        assert!(!verifies(&device.public().0, b"massage", &signature));
        assert!(!verifies(&identity(2).public().0, b"message", &signature));
    }

    #[test]
    fn a_small_order_key_verifies_nothing() {
        // The identity point, under which the non-strict equation holds for this signature and any message.
        let mut key = [0; 32];
        key[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verifies(&key, b"anything", &signature));
    }
}
