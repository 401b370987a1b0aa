//! The key agreement of a call: one fresh X25519 share a side, bound to the transcript of offer and answer.

use hkdf::Hkdf;
use kernel::random::Stream;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// One side's share of a call. It is used up by [`CallShare::agree`] and erased with it.
pub struct CallShare(StaticSecret);

impl CallShare {
    /// A fresh share.
    pub fn generate(stream: &mut Stream) -> CallShare {
        CallShare(StaticSecret::from(*Zeroizing::new(stream.bytes::<32>())))
    }

    /// The public half, for the session description.
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    /// The secret that both sides of the call now share.
    ///
    /// # Errors
    /// [`AgreementError::WeakShare`] when the peer's share would force the secret to zero, whatever ours is.
    pub fn agree(self, peer_share: &[u8; 32], transcript: &Transcript) -> Result<CallSecret, AgreementError> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*peer_share));
        if !shared.was_contributory() {
            return Err(AgreementError::WeakShare);
        }
        let mut secret = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(&transcript.0), shared.as_bytes())
            .expand(b"callproof/1 call secret", &mut *secret)
            .expect("32 bytes are within HKDF's limit");
        Ok(CallSecret(secret))
    }
}

/// What both sides must agree about: the signed offer and the signed answer. A field that was swapped on the way
/// gives the two sides different secrets, and so different frame keys and safety numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transcript([u8; 32]);

impl Transcript {
    /// The transcript of an offer and its answer: the bytes of each as both sides hold them, best those that were
    /// signed ([`crate::EnvelopeHeader::signed_bytes`]).
    pub fn new(offer: &[u8], answer: &[u8]) -> Transcript {
        let mut hash = Sha256::new();
        hash.update(b"callproof/1 transcript");
        for part in [offer, answer] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Transcript(hash.finalize().into())
    }
}

/// The secret of one call, from which the frame keys and the safety number come. Erased when dropped.
pub struct CallSecret(Zeroizing<[u8; 32]>);

impl CallSecret {
    /// Key material of one purpose: HKDF-Expand with SHA-256 (RFC 5869).
    pub(crate) fn expand(&self, purpose: &[&[u8]], material: &mut [u8]) {
        Hkdf::<Sha256>::from_prk(&*self.0)
            .expect("32 bytes are a key of HKDF-SHA256")
            .expand_multi_info(purpose, material)
            .expect("the material is within HKDF's limit");
    }
}

/// No secret could be agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// The peer's share is a point of small order.
    #[error("the peer's share is of small order")]
    WeakShare,
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    fn shares() -> (CallShare, CallShare) {
        let tree = SeedTree::root(3);
        (CallShare::generate(&mut tree.stream("caller")), CallShare::generate(&mut tree.stream("callee")))
    }

    fn material(secret: &CallSecret) -> [u8; 16] {
        let mut material = [0; 16];
        secret.expand(&[b"test"], &mut material);
        material
    }

    #[test]
    fn both_sides_agree() {
        let (caller, callee) = shares();
        let (a, b) = (caller.public(), callee.public());
        let transcript = Transcript::new(b"offer", b"answer");
        let caller = caller.agree(&b, &transcript).unwrap();
        let callee = callee.agree(&a, &transcript).unwrap();
        assert_eq!(material(&caller), material(&callee));
    }

    #[test]
    fn another_transcript_is_another_secret() {
        let (caller, callee) = shares();
        let (a, b) = (caller.public(), callee.public());
        let caller = caller.agree(&b, &Transcript::new(b"offer", b"answer")).unwrap();
        let callee = callee.agree(&a, &Transcript::new(b"offera", b"nswer")).unwrap();
        assert_ne!(material(&caller), material(&callee));
    }

    #[test]
    fn a_share_of_small_order_is_refused() {
        let transcript = Transcript::new(b"", b"");
        let mut one = [0; 32];
        one[0] = 1;
        for weak in [[0; 32], one] {
            assert_eq!(shares().0.agree(&weak, &transcript).err(), Some(AgreementError::WeakShare));
        }
    }
}
