//! Passwords are kept as Argon2id hashes only.

use crate::config::Argon2Cost;
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Serialize;

/// Shortest password in characters (NIST SP 800-63B-4).
const MIN_CHARACTERS: usize = 8;
/// Longest password in bytes: hashing is not a way to keep the server busy.
const MAX_BYTES: usize = 256;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// An Argon2id hash (RFC 9106) with its salt and cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PasswordHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT_BYTES],
    hash: [u8; HASH_BYTES],
}

impl PasswordHash {
    /// Hashes a new password with a fresh salt.
    ///
    /// # Errors
    /// When the password is too short or too long.
    pub fn create(password: &str, salt: [u8; SALT_BYTES], cost: Argon2Cost) -> Result<PasswordHash, PasswordRefused> {
        if password.chars().count() < MIN_CHARACTERS {
            return Err(PasswordRefused::TooShort);
        }
        if password.len() > MAX_BYTES {
            return Err(PasswordRefused::TooLong);
        }
        let (memory_kib, passes, lanes) = cost.parameters();
        let hash = derive(password, &salt, memory_kib, passes, lanes);
        Ok(PasswordHash { memory_kib, passes, lanes, salt, hash })
    }

    /// Whether this is the hash of `password`. The time does not depend on where the hashes differ.
    pub fn fits(&self, password: &str) -> bool {
        if password.len() > MAX_BYTES {
            return false;
        }
        let hash = derive(password, &self.salt, self.memory_kib, self.passes, self.lanes);
        hash.iter().zip(&self.hash).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

/// Why a new password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    /// Fewer than 8 characters.
    #[error("the password has fewer than {MIN_CHARACTERS} characters")]
    TooShort,
    /// More than 256 bytes.
    #[error("the password has more than {MAX_BYTES} bytes")]
    TooLong,
}

fn derive(password: &str, salt: &[u8], memory_kib: u32, passes: u32, lanes: u32) -> [u8; HASH_BYTES] {
    let parameters =
        Params::new(memory_kib, passes, lanes, Some(HASH_BYTES)).expect("an Argon2Cost is a valid set of parameters");
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(password.as_bytes(), salt, &mut hash)
        .expect("lengths of password, salt and hash are within Argon2's limits");
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_fits_its_hash() {
        let hash = PasswordHash::create("correct horse", [7; 16], Argon2Cost::SIMULATION).unwrap();
        assert!(hash.fits("correct horse"));
        assert!(!hash.fits("correct horsf"));
        assert!(!hash.fits(""));
    }

    #[test]
    fn the_salt_and_the_cost_change_the_hash() {
        let one = PasswordHash::create("correct horse", [7; 16], Argon2Cost::SIMULATION).unwrap();
        let other = PasswordHash::create("correct horse", [8; 16], Argon2Cost::SIMULATION).unwrap();
        let dear = PasswordHash::create("correct horse", [7; 16], Argon2Cost::FLOOR).unwrap();
        assert_ne!(one.hash, other.hash);
        assert_ne!(one.hash, dear.hash);
        assert!(dear.fits("correct horse"));
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        let create = |password: &str| PasswordHash::create(password, [0; 16], Argon2Cost::SIMULATION);
        assert_eq!(create("seven77"), Err(PasswordRefused::TooShort));
        assert_eq!(create(&"x".repeat(257)), Err(PasswordRefused::TooLong));
        assert!(create("eight888").is_ok());
    }
}
