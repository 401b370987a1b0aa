//! The number that two people read to each other: equal only when nobody sits between them.

use crate::agreement::CallSecret;

/// Decimal digits of a safety number: about 100 bits.
pub const SAFETY_NUMBER_DIGITS: usize = 30;

/// Digits from each 64 bits of key material; the bias is below 2^-46.
const GROUP_DIGITS: usize = 5;

/// The safety number of a call: 30 digits over the call's secret (and so its transcript) and the Ed25519 keys of both
/// devices. The order of the keys does not matter, so that both sides compute the same.
pub fn safety_number(secret: &CallSecret, one: &[u8; 32], other: &[u8; 32]) -> String {
    let mut material = [0; SAFETY_NUMBER_DIGITS / GROUP_DIGITS * 8];
    secret.expand(&[b"callproof/1 safety number", one.min(other), one.max(other)], &mut material);
    let (groups, _) = material.as_chunks::<8>();
    groups.iter().map(|group| format!("{:05}", u64::from_be_bytes(*group) % 100_000)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::{CallShare, Transcript};
    use kernel::random::SeedTree;

    fn secret(answer: &[u8]) -> CallSecret {
        let tree = SeedTree::root(5);
        let peer = CallShare::generate(&mut tree.stream("callee")).public();
        CallShare::generate(&mut tree.stream("caller")).agree(&peer, &Transcript::new(b"offer", answer)).unwrap()
    }

    #[test]
    fn a_safety_number_has_thirty_digits_in_either_order() {
        let number = safety_number(&secret(b"answer"), &[1; 32], &[2; 32]);
        assert_eq!(number.len(), SAFETY_NUMBER_DIGITS);
        assert!(number.bytes().all(|digit| digit.is_ascii_digit()));
        assert_eq!(number, safety_number(&secret(b"answer"), &[2; 32], &[1; 32]));
    }

    #[test]
    fn another_key_or_transcript_is_another_number() {
        let number = safety_number(&secret(b"answer"), &[1; 32], &[2; 32]);
        assert_ne!(number, safety_number(&secret(b"answer"), &[1; 32], &[3; 32]));
        assert_ne!(number, safety_number(&secret(b"another"), &[1; 32], &[2; 32]));
    }
}
