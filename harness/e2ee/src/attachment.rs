//! A file that goes beside a message: sealed once, for everybody who gets its key inside a sealed message.
//!
//! AES-256-GCM under a key of its own that seals nothing else, so that the nonce can be zero. Zeros behind the file bring it to
//! a Padmé size ("Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", Nikitin and others, 2019): who
//! keeps it learns the logarithm of its size and a few bits more, and keeps at most 12 % more. Who opens it goes by the hash of the
//! ciphertext as well: this seal alone does not bind its key, and two keys can open one ciphertext.

use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};
use kernel::{mutant, names::to_hex, random::Stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The fewest bytes that a sealed file has: what is smaller looks alike.
pub const MIN_SEALED_BYTES: usize = 4_096;
const TAG_BYTES: usize = 16;
const NONCE: [u8; 12] = [0; 12];

/// What opens a sealed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentKey {
    key: [u8; 32],
    /// Length of the file, in bytes.
    size: u32,
    /// SHA-256 of what was made of it.
    hash: [u8; 32],
}

/// What was kept for a device is not what was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file cannot be opened")]
pub struct CannotOpen;

impl AttachmentKey {
    /// Seals a file under a fresh key.
    ///
    /// # Panics
    /// When the file has 4 GiB or more.
    pub fn seal(file: &[u8], stream: &mut Stream) -> (AttachmentKey, Vec<u8>) {
        let size = u32::try_from(file.len()).expect("files are small");
        let key: [u8; 32] = stream.bytes();
        let mut sealed = file.to_vec();
        sealed.resize(sealed_bytes(file.len()) - TAG_BYTES, 0);
        if mutant!(V171) {
            sealed.resize(sealed_bytes(file.len()), 0);
        } else {
            cipher(&key).encrypt_in_place(&NONCE.into(), b"", &mut sealed).expect("it is far below the cipher's limit");
        }
        let hash = Sha256::digest(&sealed).into();
        (AttachmentKey { key, size, hash }, sealed)
    }

    /// The key as the log publishes it, for the oracle's search: 64 hexadecimal digits.
    pub fn value(&self) -> String {
        to_hex(&self.key)
    }

    /// How many bytes the sealed file must have.
    pub fn sealed_bytes(&self) -> usize {
        sealed_bytes(self.size as usize)
    }

    /// Opens what was sealed.
    ///
    /// # Errors
    /// [`CannotOpen`] when a bit of it, or its length, is another.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let is_it = sealed.len() == self.sealed_bytes() && Sha256::digest(sealed)[..] == self.hash;
        if !is_it && !mutant!(V170) {
            return Err(CannotOpen);
        }
        let mut file = sealed.to_vec();
        if !mutant!(V171) {
            let opened = match mutant!(V170) {
                false => cipher(&self.key).decrypt_in_place(&NONCE.into(), b"", &mut file),
                // What the counter mode gives, whatever the tag says.
                true => cipher(&self.key).encrypt_in_place(&NONCE.into(), b"", &mut file),
            };
            opened.map_err(|_| CannotOpen)?;
        }
        file.truncate(self.size as usize);
        Ok(file)
    }
}

/// How many bytes a file of so many has when it is sealed: padding and tag with it.
pub fn sealed_bytes(size: usize) -> usize {
    padme((size + TAG_BYTES).max(MIN_SEALED_BYTES))
}

/// Padmé: of a length only its first few bits are kept, rounded up; as many as its exponent has.
fn padme(length: usize) -> usize {
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let rest = (1 << (exponent - kept)) - 1;
    (length + rest) & !rest
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Mutant, mutant::plant, random::SeedTree};
    use proptest::prelude::*;

    fn sealed(file: &[u8]) -> (AttachmentKey, Vec<u8>) {
        AttachmentKey::seal(file, &mut SeedTree::root(1).stream("attachments"))
    }

    #[test]
    fn a_file_opens_with_its_key_and_with_no_other() {
        let mut stream = SeedTree::root(1).stream("attachments");
        let (key, bytes) = AttachmentKey::seal(b"a picture", &mut stream);
        let (other, _) = AttachmentKey::seal(b"a picture", &mut stream);
        assert_eq!(key.open(&bytes).unwrap(), b"a picture");
        assert_eq!(other.open(&bytes), Err(CannotOpen));
        let mut wrong = key.clone();
        wrong.key[0] ^= 1;
        assert_eq!(wrong.open(&bytes), Err(CannotOpen), "the hash alone opens nothing");
    }

    #[test]
    fn every_changed_bit_and_length_is_noticed() {
        let (key, bytes) = sealed(b"a picture");
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(&changed), Err(CannotOpen));
        }
        assert_eq!(key.open(&bytes[1..]), Err(CannotOpen));
        assert_eq!(key.open(&[&bytes[..], &[0]].concat()), Err(CannotOpen));
        assert_eq!(key.open(&[]), Err(CannotOpen));
    }

    #[test]
    fn the_planted_bug_v170_shows_what_was_changed() {
        let (key, mut bytes) = sealed(b"a picture");
        plant(&[Mutant::V170]);
        let as_it_was = key.open(&bytes);
        bytes[0] ^= 1;
        let changed = key.open(&bytes);
        plant(&[]);
        assert_eq!(as_it_was.unwrap(), b"a picture");
        assert_eq!(changed.unwrap(), b"` picture");
    }

    #[test]
    fn the_planted_bug_v171_seals_nothing() {
        plant(&[Mutant::V171]);
        let (key, bytes) = sealed(b"a picture");
        let opened = key.open(&bytes);
        plant(&[]);
        assert!(bytes.starts_with(b"a picture") && bytes.len() == MIN_SEALED_BYTES);
        assert_eq!(opened.unwrap(), b"a picture");
        assert!(!sealed(b"a picture").1.windows(7).any(|part| part == b"picture"));
    }

    #[test]
    fn sizes_are_those_of_padme() {
        // As in the paper's definition: a length between two powers of two is rounded up to a multiple of what its kept bits leave.
        for (length, padded) in [(4_096, 4_096), (4_097, 4_352), (9_000, 9_216), (262_143, 262_144), (180_016, 180_224)]
        {
            assert_eq!(padme(length), padded, "{length}");
        }
        assert_eq!(sealed(b"").1.len(), MIN_SEALED_BYTES);
        assert_eq!(sealed(&[7; 4_080]).1.len(), MIN_SEALED_BYTES);
        assert_eq!(sealed(&[7; 4_081]).1.len(), 4_352);
    }

    proptest! {
        #[test]
        fn padding_is_little_and_loses_nothing(length in MIN_SEALED_BYTES..1 << 20) {
            let padded = padme(length);
            prop_assert!(padded >= length && (padded - length) * 100 <= length * 12);
            prop_assert_eq!(padme(padded), padded);
        }
    }
}
