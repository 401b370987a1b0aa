//! Sign-up and sessions.

use super::{
    Service,
    codes::Codes,
    redacted,
    store::{Account, Stage},
    transaction::{Effect, Transaction},
};
use crate::password::{PasswordHash, check_password};
use kernel::{
    event::{Fact, PasswordPath, SecretKind},
    mutant,
    names::{ActorName, UserName, to_hex},
    time::{Micros, SimTime},
};
use protocol::{
    ConnectionId, DeviceKeys, DeviceLink, DeviceList, PROTOCOL_VERSION, RequestId, ServerMessage, SignedEpoch,
};
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
            Some(known) => known.as_ref() == Some(&keys) && self.password_fits(&keys.user, password, work),
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
        let may_be = self.may_have(&keys);
        if !self.password_fits(&keys.user, password, work) || !may_be {
            return work.refuse(connection, request);
        }
        self.let_in(connection, request, (keys, consent), work);
    }

    /// Whether the account may have this device: it has it, with these keys, or there is room for one more.
    pub(super) fn may_have(&self, keys: &DeviceKeys) -> bool {
        let devices = self.store.account(&keys.user).map(|account| account.devices.clone()).unwrap_or_default();
        devices.get(&keys.device).map_or(devices.len() < MAX_DEVICES, |known| known == keys)
    }

    /// Signs a device in whose user has proved to be who it is. One that the account does not have yet is announced.
    pub(super) fn let_in(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (keys, consent): (DeviceKeys, Vec<u8>),
        work: &mut Transaction,
    ) {
        if self.store.owner(&keys.device) != Some(&keys.user) {
            self.announce(&keys, consent, work);
            self.store.insert_device(keys.clone());
            work.facts.push(Fact::DeviceAdded { user: keys.user.clone(), device: keys.device.clone() });
            self.log("info", format!("{} has a new device, {}", keys.user, keys.device));
        }
        self.begin_session(connection, request, &keys, work);
        self.catch_up_rows(&keys.device, 0, work);
    }

    pub(super) fn begin_session(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        keys: &DeviceKeys,
        work: &mut Transaction,
    ) {
        let token = self.issue_token(&keys.device);
        work.facts.push(Fact::SessionCreated { user: keys.user.clone(), device: keys.device.clone() });
        self.bind(connection, &keys.device);
        work.reply(connection, ServerMessage::SignedIn { request, token, epoch: None });
        self.catch_up(&keys.device, work);
    }

    /// Continues a session on a new connection.
    pub(super) fn attach(
        &mut self,
        connection: ConnectionId,
        (request, version): (RequestId, u16),
        (token, shown): (&str, Option<SignedEpoch>),
        rows: u32,
        work: &mut Transaction,
    ) {
        let session = self.store.session(blake3::hash(token.as_bytes()).as_bytes());
        let fresh = self.device_of(connection).is_none();
        let Some(device) = session.filter(|_| fresh && version >= PROTOCOL_VERSION) else {
            return work.reply(connection, ServerMessage::NotAttached { request, epoch: shown });
        };
        self.log("info", format!("{device} attached"));
        self.bind(connection, &device);
        work.reply(connection, ServerMessage::SignedIn { request, token: String::new(), epoch: None });
        self.catch_up(&device, work);
        self.catch_up_rows(&device, rows, work);
    }

    /// Tells a device the rows behind the last one that it has.
    pub(super) fn catch_up_rows(&mut self, device: &ActorName, after: u32, work: &mut Transaction) {
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

    pub(super) fn is_acceptable(&self, keys: &DeviceKeys) -> bool {
        let is_server = keys.device == self.name || self.relays.iter().any(|relay| relay.name == keys.device);
        let is_taken = self.store.owner(&keys.device).is_some_and(|owner| *owner != keys.user);
        is_name(keys.user.as_str()) && is_name(keys.device.as_str()) && !is_server && !is_taken
    }

    fn create_account(&mut self, password: &str, keys: &DeviceKeys, first: DeviceLink, work: &mut Transaction) -> bool {
        let list = DeviceList::verify(&keys.user, vec![first]).ok();
        let Some(list) = list.filter(|list| list.listed().get(&keys.device) == Some(keys)) else { return false };
        if self.store.is_full() || check_password(password, &keys.user).is_err() {
            return false;
        }
        let password = self.hash(password, work);
        let account = Account {
            password,
            devices: BTreeMap::new(),
            list,
            relations: 0,
            failures: VecDeque::new(),
            codes: Codes::default(),
        };
        self.store.insert_account(keys.user.clone(), account);
        self.store.insert_device(keys.clone());
        let (user, how, by) = (keys.user.clone(), PasswordPath::SignUp, keys.device.clone());
        work.facts.extend([Fact::AccountCreated { user: user.clone() }, Fact::PasswordSet { user, how, by }]);
        self.log("info", format!("account {} created", keys.user));
        true
    }

    /// Whether a password is the account's. The try counts before the hash is computed, whoever asks from wherever; beyond
    /// the limit no password is looked at. The answer takes the same time in every case.
    pub(super) fn password_fits(&mut self, user: &UserName, password: &str, work: &mut Transaction) -> bool {
        (work.hashes, work.always_commits) = (work.hashes + 1, true);
        let fits = match self.store.account_mut(user) {
            Some(account) => account.try_password(password, work.at),
            None => Some(false),
        };
        if let Some(fits) = fits {
            work.facts.push(Fact::PasswordTried { user: user.clone(), fits });
        }
        fits == Some(true)
    }

    /// The hash of a new password or code.
    pub(super) fn hash(&mut self, secret: &str, work: &mut Transaction) -> PasswordHash {
        work.hashes += 1;
        PasswordHash::of(secret, self.salts.bytes(), self.password_cost)
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
