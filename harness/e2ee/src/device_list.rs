//! Which devices a user has: a list that only grows, each link of which is signed by a device that is in it already.
//!
//! The first device begins the list by itself. A new one gives its consent when it signs in, and is in the list once a
//! device of the list has signed for it; so a server that adds a device of its own shows a list that nobody takes.
//! A removed device signs for nothing any more. Each link holds the hash of the one before it (SHA-256), so that two
//! lists of which neither begins with the other show that somebody was lied to.

use crate::identity::{DeviceIdentity, verifies};
use kernel::{
    mutant,
    names::{ActorName, UserName},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The longest list: so often a user may add or remove a device.
pub const MAX_LINKS: usize = 256;
/// The most devices of a user at a time.
pub const MAX_LISTED: usize = 8;

const LINK: &[u8] = b"callproof/1 device list link";
const BEGINNING: &[u8] = b"callproof/1 device list begins";
const CONSENT: &[u8] = b"callproof/1 device joins";

/// The public keys of a device. What makes them trustworthy is the list that they are in, and the safety number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceKeys {
    /// The user.
    pub user: UserName,
    /// The device.
    pub device: ActorName,
    /// Ed25519 verifying key (RFC 8032).
    pub signing: [u8; 32],
    /// X25519 public key for sealed envelopes (HPKE, RFC 9180).
    pub sealing: [u8; 32],
}

impl DeviceKeys {
    /// What a device signs to show that it has these keys, and wants to be this user's.
    fn consent_bytes(&self) -> Vec<u8> {
        [CONSENT, &encoded(self)].concat()
    }

    /// The device's consent to being in its user's list.
    pub fn consent(&self, identity: &DeviceIdentity) -> Vec<u8> {
        identity.sign(&self.consent_bytes()).to_vec()
    }

    /// Whether a consent is this device's own.
    pub fn consents(&self, consent: &[u8]) -> bool {
        consent.try_into().is_ok_and(|signature| verifies(&self.signing, &self.consent_bytes(), signature))
    }
}

/// What a link changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceChange {
    /// A device comes into the list.
    Add {
        /// Its keys.
        keys: DeviceKeys,
        /// Its consent: an Ed25519 signature.
        consent: Vec<u8>,
    },
    /// A device is taken out.
    Remove {
        /// Which one.
        device: ActorName,
    },
}

/// A link of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLink {
    /// The hash of the link before it.
    pub previous: [u8; 32],
    /// What it changes.
    pub change: DeviceChange,
    /// The device that signs: one of the list, or the one that begins it.
    pub by: ActorName,
    /// Its Ed25519 signature.
    pub signature: Vec<u8>,
}

/// Why a link or a list is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It does not follow the link before it.
    #[error("the link does not follow the one before it")]
    NotNext,
    /// Who signs is not in the list.
    #[error("who signs is not in the list")]
    UnknownSigner,
    /// The signature, or the consent of the device, is wrong.
    #[error("a signature is wrong")]
    BadSignature,
    /// The device is in the list, is not, is somebody else's or is the last one.
    #[error("the change makes no sense")]
    BadChange,
    /// There are as many devices or links as may be.
    #[error("the list is full")]
    Full,
    /// A list has a first link.
    #[error("the list is empty")]
    Empty,
}

/// A list whose links were all checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceList {
    user: UserName,
    links: Vec<DeviceLink>,
    /// The hash of each link.
    hashes: Vec<[u8; 32]>,
    listed: BTreeMap<ActorName, DeviceKeys>,
}

impl DeviceList {
    /// The list that a user's first device begins.
    pub fn begin(keys: &DeviceKeys, identity: &DeviceIdentity) -> DeviceList {
        let mut list = DeviceList::empty(&keys.user);
        let change = DeviceChange::Add { keys: keys.clone(), consent: keys.consent(identity) };
        let link = list.sign(change, &keys.device, identity);
        let begun = list.push(link);
        debug_assert_eq!(begun, Ok(()), "the first device signs for itself");
        list
    }

    /// Checks a list from its first link on.
    ///
    /// # Errors
    /// The first [`ListError`] that is found.
    pub fn verify(user: &UserName, links: Vec<DeviceLink>) -> Result<DeviceList, ListError> {
        let mut list = DeviceList::empty(user);
        links.into_iter().try_for_each(|link| list.push(link))?;
        if list.links.is_empty() { Err(ListError::Empty) } else { Ok(list) }
    }

    /// A link for a change, signed by a device.
    pub fn sign(&self, change: DeviceChange, by: &ActorName, identity: &DeviceIdentity) -> DeviceLink {
        let previous = self.head();
        let signature = identity.sign(&self.signed_bytes(&previous, &change, by)).to_vec();
        DeviceLink { previous, change, by: by.clone(), signature }
    }

    /// Takes the next link.
    ///
    /// # Errors
    /// When it is not next, not signed by who may, or makes no sense.
    pub fn push(&mut self, link: DeviceLink) -> Result<(), ListError> {
        if link.previous != self.head() {
            return Err(ListError::NotNext);
        }
        if self.links.len() >= MAX_LINKS {
            return Err(ListError::Full);
        }
        let signer = self.signer(&link).ok_or(ListError::UnknownSigner)?;
        let signature = link.signature.as_slice().try_into().map_err(|_| ListError::BadSignature)?;
        if !verifies(&signer, &self.signed_bytes(&link.previous, &link.change, &link.by), signature) {
            return Err(ListError::BadSignature);
        }
        match &link.change {
            DeviceChange::Add { keys, .. } if keys.user != self.user || self.contains(&keys.device) => {
                return Err(ListError::BadChange);
            }
            DeviceChange::Add { .. } if self.listed.len() >= MAX_LISTED => return Err(ListError::Full),
            DeviceChange::Add { keys, consent } if !keys.consents(consent) => return Err(ListError::BadSignature),
            DeviceChange::Add { keys, .. } => drop(self.listed.insert(keys.device.clone(), keys.clone())),
            DeviceChange::Remove { device } if !self.contains(device) || self.listed.len() == 1 => {
                return Err(ListError::BadChange);
            }
            DeviceChange::Remove { device } => drop(self.listed.remove(device)),
        }
        self.hashes.push(Sha256::digest([LINK, &encoded(&link)].concat()).into());
        self.links.push(link);
        Ok(())
    }

    /// The key that must have signed a link: of a device of the list, or of the one that begins it.
    fn signer(&self, link: &DeviceLink) -> Option<[u8; 32]> {
        let own = match &link.change {
            DeviceChange::Add { keys, .. } if keys.device == link.by => Some(keys.signing),
            _ => None,
        };
        let begins = self.links.is_empty() || mutant!(V102);
        self.listed.get(&link.by).map(|keys| keys.signing).or(own.filter(|_| begins))
    }

    /// Whether this list begins with all of another one.
    pub fn extends(&self, seen: &DeviceList) -> bool {
        self.user == seen.user && self.hashes.starts_with(&seen.hashes)
    }

    /// Whether a device is in the list.
    pub fn contains(&self, device: &ActorName) -> bool {
        self.listed.contains_key(device)
    }

    /// The devices that are in the list, by name.
    pub fn listed(&self) -> &BTreeMap<ActorName, DeviceKeys> {
        &self.listed
    }

    /// All links, the first one first.
    pub fn links(&self) -> &[DeviceLink] {
        &self.links
    }

    /// The hash of each link.
    pub fn hashes(&self) -> &[[u8; 32]] {
        &self.hashes
    }

    fn empty(user: &UserName) -> DeviceList {
        DeviceList { user: user.clone(), links: Vec::new(), hashes: Vec::new(), listed: BTreeMap::new() }
    }

    fn head(&self) -> [u8; 32] {
        let beginning = || Sha256::digest([BEGINNING, self.user.as_str().as_bytes()].concat()).into();
        self.hashes.last().copied().unwrap_or_else(beginning)
    }

    fn signed_bytes(&self, previous: &[u8; 32], change: &DeviceChange, by: &ActorName) -> Vec<u8> {
        [LINK, &encoded(&(&self.user, self.links.len() as u32, previous, change, by))].concat()
    }
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("names and keys serialize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{mutant::Mutant, random::SeedTree};

    fn device(name: &str) -> (DeviceKeys, DeviceIdentity) {
        let identity = DeviceIdentity::generate(&mut SeedTree::root(3).stream(name));
        let (signing, sealing) = identity.public();
        (DeviceKeys { user: "bob".into(), device: name.into(), signing, sealing }, identity)
    }

    fn add(list: &DeviceList, new: &str, by: &str) -> DeviceLink {
        let ((keys, identity), (_, signer)) = (device(new), device(by));
        let consent = keys.consent(&identity);
        list.sign(DeviceChange::Add { keys, consent }, &by.into(), &signer)
    }

    fn remove(list: &DeviceList, gone: &str, by: &str) -> DeviceLink {
        list.sign(DeviceChange::Remove { device: gone.into() }, &by.into(), &device(by).1)
    }

    fn phone() -> DeviceList {
        let (keys, identity) = device("phone");
        DeviceList::begin(&keys, &identity)
    }

    fn phone_and_laptop() -> DeviceList {
        let mut list = phone();
        list.push(add(&list, "laptop", "phone")).unwrap();
        list
    }

    fn names(list: &DeviceList) -> Vec<&str> {
        list.listed().keys().map(ActorName::as_str).collect()
    }

    #[test]
    fn a_device_of_the_list_adds_and_removes_others() {
        let mut list = phone_and_laptop();
        list.push(add(&list, "tablet", "laptop")).unwrap();
        list.push(remove(&list, "phone", "laptop")).unwrap();
        assert_eq!(names(&list), ["laptop", "tablet"]);
        assert_eq!(DeviceList::verify(&"bob".into(), list.links().to_vec()), Ok(list));
    }

    #[test]
    fn nobody_adds_itself_unless_v102_is_planted() {
        let mut list = phone();
        let link = add(&list, "laptop", "laptop");
        assert_eq!(list.push(link.clone()), Err(ListError::UnknownSigner));
        mutant::plant(&[Mutant::V102]);
        let taken = list.push(link);
        mutant::plant(&[]);
        assert_eq!(taken, Ok(()));
    }

    #[test]
    fn a_removed_device_signs_for_nothing() {
        let mut list = phone_and_laptop();
        list.push(remove(&list, "laptop", "phone")).unwrap();
        assert_eq!(list.push(add(&list, "tablet", "laptop")), Err(ListError::UnknownSigner));
        assert_eq!(list.push(remove(&list, "phone", "phone")), Err(ListError::BadChange), "one must be left");
    }

    #[test]
    fn a_device_is_not_added_without_its_consent_or_for_another_user() {
        let mut list = phone();
        let ((mut keys, identity), (_, signer)) = (device("laptop"), device("phone"));
        let consent = device("tablet").0.consent(&identity);
        let link = list.sign(DeviceChange::Add { keys: keys.clone(), consent }, &"phone".into(), &signer);
        assert_eq!(list.push(link), Err(ListError::BadSignature));
        keys.user = "carol".into();
        let consent = keys.consent(&identity);
        let link = list.sign(DeviceChange::Add { keys, consent }, &"phone".into(), &signer);
        assert_eq!(list.push(link), Err(ListError::BadChange));
    }

    #[test]
    fn a_changed_or_moved_link_is_refused() {
        let list = phone_and_laptop();
        let verify = |links: Vec<DeviceLink>| DeviceList::verify(&"bob".into(), links).map(drop);
        let mut changed = list.links().to_vec();
        if let DeviceChange::Add { keys, .. } = &mut changed[1].change {
            keys.sealing[0] ^= 1;
        }
        assert_eq!(verify(changed), Err(ListError::BadSignature));
        assert_eq!(verify(list.links()[1..].to_vec()), Err(ListError::NotNext));
        assert_eq!(verify(Vec::new()), Err(ListError::Empty));
        assert_eq!(DeviceList::verify(&"eve".into(), list.links().to_vec()).map(drop), Err(ListError::NotNext));
    }

    #[test]
    fn a_list_extends_what_it_begins_with_and_no_fork() {
        let (old, new) = (phone(), phone_and_laptop());
        let mut fork = phone();
        fork.push(add(&fork, "tablet", "phone")).unwrap();
        assert!(new.extends(&old) && new.extends(&new) && !old.extends(&new));
        assert!(!fork.extends(&new) && !new.extends(&fork));
    }

    #[test]
    fn a_list_is_bounded() {
        let mut list = phone();
        for n in 1..MAX_LISTED {
            list.push(add(&list, &format!("device-{n}"), "phone")).unwrap();
        }
        assert_eq!(list.push(add(&list, "one-more", "phone")), Err(ListError::Full));
        while list.links.len() < MAX_LINKS {
            let link = if list.contains(&"device-1".into()) {
                remove(&list, "device-1", "phone")
            } else {
                add(&list, "device-1", "phone")
            };
            list.push(link).unwrap();
        }
        assert_eq!(list.push(remove(&list, "device-2", "phone")), Err(ListError::Full));
    }
}
