//! Passwords: which are good enough, and that they are kept as Argon2id hashes only.

use crate::config::Argon2Cost;
use argon2::{Algorithm, Argon2, Params, Version};
use kernel::{names::UserName, seam};
use serde::Serialize;
use zxcvbn::Score;

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
    /// Hashes a password, or a one-time code, with a fresh salt.
    pub fn of(password: &str, salt: [u8; SALT_BYTES], cost: Argon2Cost) -> PasswordHash {
        let (memory_kib, passes, lanes) = cost.parameters();
        let hash = derive(password, &salt, memory_kib, passes, lanes);
        PasswordHash { memory_kib, passes, lanes, salt, hash }
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

/// The one rule for every path on which somebody gets a password: 8 characters, 256 bytes, and a score of 3 by zxcvbn ("safely
/// unguessable"), to which the user's own name is one of the words that are tried first.
///
/// # Errors
/// When the password is too short, too long or too easy to guess.
pub fn check_password(password: &str, user: &UserName) -> Result<(), PasswordRefused> {
    if password.chars().count() < MIN_CHARACTERS {
        return Err(PasswordRefused::TooShort);
    }
    if password.len() > MAX_BYTES {
        return Err(PasswordRefused::TooLong);
    }
    // It makes hash maps, and asks the clock which year it is.
    let score = seam::apart(|| zxcvbn::zxcvbn(password, &[user.as_str()]).score());
    if score < Score::Three { Err(PasswordRefused::TooEasy) } else { Ok(()) }
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
    /// One of the first 10^8 that somebody would try.
    #[error("the password is too easy to guess")]
    TooEasy,
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
        let hash = PasswordHash::of("correct horse", [7; 16], Argon2Cost::SIMULATION);
        assert!(hash.fits("correct horse"));
        assert!(!hash.fits("correct horsf"));
        assert!(!hash.fits(""));
    }

    #[test]
    fn the_salt_and_the_cost_change_the_hash() {
        let one = PasswordHash::of("correct horse", [7; 16], Argon2Cost::SIMULATION);
        let other = PasswordHash::of("correct horse", [8; 16], Argon2Cost::SIMULATION);
        let dear = PasswordHash::of("correct horse", [7; 16], Argon2Cost::FLOOR);
        assert_ne!(one.hash, other.hash);
        assert_ne!(one.hash, dear.hash);
        assert!(dear.fits("correct horse"));
    }

    #[test]
    fn short_endless_and_easy_passwords_are_refused() {
        let check = |password: &str| check_password(password, &"bob-builder".into());
        assert_eq!(check("q7#Rz_1"), Err(PasswordRefused::TooShort));
        assert_eq!(check(&"x7-Q".repeat(65)), Err(PasswordRefused::TooLong));
        for easy in
            ["password1", "qwertyuiop", "aaaaaaaaaaaaaaaa", "P4ssw0rd", "19.07.1998", "bob-builder", "Bob-Builder1"]
        {
            assert_eq!(check(easy), Err(PasswordRefused::TooEasy), "{easy}");
        }
        for good in ["correct horse battery", "kT9!rwPz7#", "gr\u{fc}ne Schildkr\u{f6}te im Regen"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check_password("bob-builder-3", &"alice".into()), Ok(()), "it is somebody else's name");
    }

    #[test]
    fn judging_a_password_leaves_no_trace_in_a_run() {
        let run = || {
            let simulation = seam::enter(9);
            check_password("correct horse battery", &"bob".into()).unwrap();
            let hash = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 1);
            (hash, simulation.leave().1)
        };
        let plain = || {
            let simulation = seam::enter(9);
            let hash = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 1);
            (hash, simulation.leave().1)
        };
        std::thread::scope(|scope| assert_eq!(scope.spawn(run).join().unwrap(), scope.spawn(plain).join().unwrap()));
    }
}
