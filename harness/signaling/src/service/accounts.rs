//! Sign-up and sessions.

use super::{
    Service, redacted,
    store::{Account, Stage},
    transaction::{Effect, Transaction},
};
use crate::password::PasswordHash;
use kernel::{
    event::{Fact, SecretKind},
    mutant,
    names::{ActorName, to_hex},
    time::{Micros, SimTime},
};
use protocol::{ConnectionId, DeviceKeys, DeviceLink, DeviceList, PROTOCOL_VERSION, RequestId, ServerMessage};
use std::collections::{BTreeMap, VecDeque};

/// Most devices of a user: as many as an invite has offers for.
const MAX_DEVICES: usize = 8;
/// Longest name of a user or device, in bytes.
const MAX_NAME: usize = 32;
/// Wrong passwords per account and hour; beyond, every password is refused unseen.
const MAX_FAILURES: usize = 10;
const FAILURE_WINDOW: Micros = Micros::from_secs(3_600);

impl Service {
    /// Creates an account with its first device. The same device with the same keys and password is signed in again:
    /// its first answer may have been lost.
    pub(super) fn sign_up(
        &mut self,
        connection: ConnectionId,
        (request, version): (RequestId, u16),
        password: &str,
        (keys, first): (DeviceKeys, DeviceLink),
        work: &mut Transaction,
    ) {
        let fresh = self.device_of(connection).is_none();
        if !fresh || version < PROTOCOL_VERSION || !self.is_acceptable(&keys) {
            return work.refuse(connection, request);
        }
        let accepted = match self.store.account(&keys.user).map(|account| account.devices.get(&keys.device).cloned()) {
            None => self.create_account(password, &keys, first, work),
            Some(known) => known.as_ref() == Some(&keys) && self.password_fits(&keys, password, work),
        };
        if !accepted {
            return work.refuse(connection, request);
        }
        self.begin_session(connection, request, &keys, work);
    }

    /// Signs a device in with the password, one that the account does not have yet or one that comes again. An account
    /// that there is not takes as long as a wrong password.
    pub(super) fn sign_in(
        &mut self,
        connection: ConnectionId,
        (request, version): (RequestId, u16),
        password: &str,
        (keys, consent): (DeviceKeys, Vec<u8>),
        work: &mut Transaction,
    ) {
        let fresh = self.device_of(connection).is_none();
        if !fresh || version < PROTOCOL_VERSION || !self.is_acceptable(&keys) || !keys.consents(&consent) {
            return work.refuse(connection, request);
        }
        let devices = self.store.account(&keys.user).map(|account| account.devices.clone()).unwrap_or_default();
        let (known, is_full) = (devices.get(&keys.device), devices.len() >= MAX_DEVICES);
        let may_be = known.map_or(!is_full, |known| *known == keys);
        if !self.password_fits(&keys, password, work) || !may_be {
            return work.refuse(connection, request);
        }
        if known.is_none() {
            self.announce(&keys, consent, work);
            self.store.insert_device(keys.clone());
            work.facts.push(Fact::DeviceAdded { user: keys.user.clone(), device: keys.device.clone() });
            self.log("info", format!("{} has a new device, {}", keys.user, keys.device));
        }
        self.begin_session(connection, request, &keys, work);
        self.catch_up_rows(&keys.device, 0, work);
    }

    fn begin_session(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        keys: &DeviceKeys,
        work: &mut Transaction,
    ) {
        let token = self.issue_token(&keys.device);
        work.facts.push(Fact::SessionCreated { user: keys.user.clone(), device: keys.device.clone() });
        self.bind(connection, &keys.device);
        work.reply(connection, ServerMessage::SignedIn { request, token });
        self.catch_up(&keys.device, work);
    }

    /// Continues a session on a new connection.
    pub(super) fn attach(
        &mut self,
        connection: ConnectionId,
        (request, version): (RequestId, u16),
        token: &str,
        rows: u32,
        work: &mut Transaction,
    ) {
        let session = self.store.session(blake3::hash(token.as_bytes()).as_bytes());
        let fresh = self.device_of(connection).is_none();
        let Some(device) = session.filter(|_| fresh && version >= PROTOCOL_VERSION) else {
            return work.refuse(connection, request);
        };
        self.log("info", format!("{device} attached"));
        self.bind(connection, &device);
        work.reply(connection, ServerMessage::SignedIn { request, token: String::new() });
        self.catch_up(&device, work);
        self.catch_up_rows(&device, rows, work);
    }

    /// Tells a device the rows behind the last one that it has.
    fn catch_up_rows(&mut self, device: &ActorName, after: u32, work: &mut Transaction) {
        let Some(user) = self.store.owner(device).cloned() else { return };
        // V158: who was away is told of what follows only.
        if !self.is_confirmed(&user, device) || mutant!(V158) {
            return;
        }
        self.tell_rows(&user, device, after, work);
    }

    /// Tells a device that is back what it missed.
    fn catch_up(&mut self, device: &ActorName, work: &mut Transaction) {
        for message in self.store.take_outbox(device) {
            work.tell(device, message);
        }
        self.store.change_calls(
            |call| call.gone.contains_key(device),
            |call| {
                call.gone.remove(device);
            },
        );
        for call in self.store.calls() {
            let rings = call.stage == Stage::Ringing && call.offers.contains_key(device) && !call.busy.contains(device);
            if rings {
                work.effects.push(Effect::Ring { device: device.clone(), call: call.id });
            }
        }
    }

    fn is_acceptable(&self, keys: &DeviceKeys) -> bool {
        let is_server = keys.device == self.name || self.relays.iter().any(|relay| relay.name == keys.device);
        let is_taken = self.store.owner(&keys.device).is_some_and(|owner| *owner != keys.user);
        is_name(keys.user.as_str()) && is_name(keys.device.as_str()) && !is_server && !is_taken
    }

    fn create_account(&mut self, password: &str, keys: &DeviceKeys, first: DeviceLink, work: &mut Transaction) -> bool {
        let list = DeviceList::verify(&keys.user, vec![first]).ok();
        let Some(list) = list.filter(|list| list.listed().get(&keys.device) == Some(keys)) else { return false };
        if self.store.is_full() {
            return false;
        }
        work.hashes += 1;
        let Ok(password) = PasswordHash::create(password, self.salts.bytes(), self.password_cost) else { return false };
        let account = Account { password, devices: BTreeMap::new(), list, relations: 0, failures: VecDeque::new() };
        self.store.insert_account(keys.user.clone(), account);
        self.store.insert_device(keys.clone());
        work.facts.push(Fact::AccountCreated { user: keys.user.clone() });
        self.log("info", format!("account {} created", keys.user));
        true
    }

    /// Whether a password is the account's. The try counts before the hash is computed, whoever asks from wherever; beyond
    /// the limit no password is looked at. The answer takes the same time in every case.
    fn password_fits(&mut self, keys: &DeviceKeys, password: &str, work: &mut Transaction) -> bool {
        work.hashes += 1;
        let fits = match self.store.account_mut(&keys.user) {
            Some(account) => account.try_password(password, work.at),
            None => Some(false),
        };
        if let Some(fits) = fits {
            work.facts.push(Fact::PasswordTried { user: keys.user.clone(), fits });
        }
        fits == Some(true)
    }

    /// Draws a session token of 256 bits for a device and keeps its hash.
    fn issue_token(&mut self, device: &ActorName) -> String {
        let token = to_hex(&self.tokens.bytes::<32>());
        kernel::event!(Secret {
            holders: vec![device.clone(), self.name.clone()],
            kind: SecretKind::SessionToken,
            kid: None,
            value: token.clone(),
        });
        self.store.replace_session(*blake3::hash(token.as_bytes()).as_bytes(), device);
        self.log("debug", format!("session token {} for {device}", redacted(&token)));
        token
    }
}

impl Account {
    /// Tries a password; none when there were too many tries.
    fn try_password(&mut self, password: &str, now: SimTime) -> Option<bool> {
        while self.failures.front().is_some_and(|at: &SimTime| now.since(*at) >= FAILURE_WINDOW) {
            self.failures.pop_front();
        }
        if self.failures.len() >= MAX_FAILURES && !mutant!(V100) {
            return None;
        }
        self.failures.push_back(now);
        let fits = self.password.fits(password);
        if fits {
            self.failures.pop_back();
        }
        Some(fits)
    }
}

/// Whether the text may name a user or device: 1 to 32 of `a-z`, `0-9`, `.`, `_`, `-`.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
}
