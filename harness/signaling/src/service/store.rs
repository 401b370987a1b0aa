//! What the server holds. Every access is counted, so that simulated time can be charged for it.

use crate::{naming::call_of_server_message, password::PasswordHash};
use kernel::{
    mutant,
    names::{ActorName, CallId, ThreadId, UserName},
    time::{Micros, SimTime},
};
use protocol::{CallRowEntry, DeviceKeys, RelayGrant, SealedEnvelope, ServerMessage};
use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use super::{DISCONNECTED_CALLER_GRACE, DISCONNECTED_LIVE_GRACE, RING_TIME_OUT};

/// Most accounts.
pub(super) const MAX_ACCOUNTS: usize = 10_000;
/// Most relations (requests, friendships, blocks) of one account.
pub(super) const MAX_RELATIONS: u32 = 1_000;
/// Most rows that a thread keeps; older ones go.
const MAX_ROWS: usize = 1_000;
/// Most messages that wait for a device without a connection; older ones go.
const MAX_OUTBOX: usize = 256;
/// How many past call ids are remembered against reuse.
const MAX_USED_CALLS: usize = 65_536;

/// blake3 of a session token: the token itself is not kept.
pub(super) type TokenHash = [u8; 32];

/// Everything that the server holds.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Store {
    accounts: BTreeMap<UserName, Account>,
    owners: BTreeMap<ActorName, UserName>,
    sessions: BTreeMap<TokenHash, ActorName>,
    relations: BTreeMap<ThreadId, Relation>,
    threads: BTreeMap<ThreadId, Thread>,
    calls: BTreeMap<CallId, Call>,
    used: BTreeSet<CallId>,
    used_in_order: VecDeque<CallId>,
    outboxes: BTreeMap<ActorName, VecDeque<ServerMessage>>,
    #[serde(skip)]
    accesses: Cell<u64>,
}

/// Somebody's account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) password: PasswordHash,
    pub(super) devices: BTreeMap<ActorName, DeviceKeys>,
    /// How many other users this one has a relation with.
    pub(super) relations: u32,
    /// When wrong passwords were presented within the last hour.
    pub(super) failures: VecDeque<SimTime>,
}

/// What is between two users. Absent is the same as the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relation {
    /// Who waits for an answer.
    pub(super) requested_by: Option<UserName>,
    /// Both edges are accepted: there is no one-sided friendship.
    pub(super) friends: bool,
    /// Who of the two blocks the other.
    pub(super) blocked_by: BTreeSet<UserName>,
}

impl Relation {
    /// Whether one may call the other: friends, and no block either way.
    pub(super) fn allows_calls(&self) -> bool {
        self.friends && self.blocked_by.is_empty()
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Thread {
    rows: VecDeque<CallRowEntry>,
    active: Option<CallId>,
}

/// A call that rings or is live.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) thread: ThreadId,
    pub(super) caller: UserName,
    pub(super) caller_device: ActorName,
    pub(super) callee: UserName,
    pub(super) video: bool,
    pub(super) invited: SimTime,
    /// The offer for each device of the callee: these devices ring.
    pub(super) offers: BTreeMap<ActorName, SealedEnvelope>,
    /// Devices of the callee that are in another call.
    pub(super) busy: BTreeSet<ActorName>,
    /// Whether the caller was told that a device rings.
    pub(super) rings: bool,
    /// Ends without a connection, and since when.
    pub(super) gone: BTreeMap<ActorName, SimTime>,
    /// The server stopped while it rang: nobody can be sure of it any more.
    pub(super) forgotten: bool,
    pub(super) stage: Stage,
}

/// How far a call is.
#[expect(clippy::large_enum_variant, reason = "most calls of a server are live; a box each would save nothing")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Ringing,
    Live {
        callee_device: ActorName,
        since: SimTime,
        /// (relay, user name) of each credential that the call holds.
        credentials: Vec<(ActorName, String)>,
        /// What the caller was told with `Accepted`: it may have to be told again.
        answer: SealedEnvelope,
        /// The relays of caller and callee, likewise.
        relays: [Vec<RelayGrant>; 2],
    },
}

impl Call {
    /// The two ends of a live call.
    pub(super) fn ends(&self) -> Option<(&ActorName, &ActorName)> {
        match &self.stage {
            Stage::Ringing => None,
            Stage::Live { callee_device, .. } => Some((&self.caller_device, callee_device)),
        }
    }

    /// When the server ends the call by itself.
    pub(super) fn deadline(&self) -> SimTime {
        let gone = |device: &ActorName, grace: Micros| self.gone.get(device).map_or(SimTime::NEVER, |at| *at + grace);
        match &self.stage {
            Stage::Ringing if self.forgotten => SimTime::ZERO,
            Stage::Ringing => {
                let unanswered = if mutant!(V125) { SimTime::NEVER } else { self.invited + RING_TIME_OUT };
                unanswered.min(gone(&self.caller_device, DISCONNECTED_CALLER_GRACE))
            }
            Stage::Live { callee_device, .. } => {
                gone(&self.caller_device, DISCONNECTED_LIVE_GRACE).min(gone(callee_device, DISCONNECTED_LIVE_GRACE))
            }
        }
    }
}

impl Store {
    fn touch(&self) {
        self.accesses.set(self.accesses.get() + 1);
    }

    /// How many accesses there were since this was last asked.
    pub(super) fn take_accesses(&self) -> u64 {
        self.accesses.replace(0)
    }

    pub(super) fn account(&self, user: &UserName) -> Option<&Account> {
        self.touch();
        self.accounts.get(user)
    }

    pub(super) fn account_mut(&mut self, user: &UserName) -> Option<&mut Account> {
        self.touch();
        self.accounts.get_mut(user)
    }

    pub(super) fn is_full(&self) -> bool {
        self.accounts.len() >= MAX_ACCOUNTS
    }

    pub(super) fn insert_account(&mut self, user: UserName, account: Account) {
        self.touch();
        self.accounts.insert(user, account);
    }

    /// Adds a device to an account that exists.
    pub(super) fn insert_device(&mut self, keys: DeviceKeys) {
        self.touch();
        if let Some(account) = self.accounts.get_mut(&keys.user) {
            self.owners.insert(keys.device.clone(), keys.user.clone());
            account.devices.insert(keys.device.clone(), keys);
        }
    }

    /// Whose device it is. Not charged: a connection knows its device and user.
    pub(super) fn owner(&self, device: &ActorName) -> Option<&UserName> {
        self.owners.get(device)
    }

    /// The devices of a user, none for a user who does not exist.
    pub(super) fn devices(&self, user: &UserName) -> Vec<ActorName> {
        self.account(user).map(|account| account.devices.keys().cloned().collect()).unwrap_or_default()
    }

    /// Makes the token the only one of the device.
    pub(super) fn replace_session(&mut self, token: TokenHash, device: &ActorName) {
        self.touch();
        self.sessions.retain(|_, holder| holder != device);
        self.sessions.insert(token, device.clone());
    }

    pub(super) fn session(&self, token: &TokenHash) -> Option<ActorName> {
        self.touch();
        self.peek_session(token)
    }

    /// For naming the sender in the log of events: not the server's work, and not charged.
    pub(super) fn peek_session(&self, token: &TokenHash) -> Option<ActorName> {
        self.sessions.get(token).cloned()
    }

    pub(super) fn relation(&self, one: &UserName, other: &UserName) -> Relation {
        self.touch();
        self.relations.get(&ThreadId::between(one, other)).cloned().unwrap_or_default()
    }

    /// Changes what is between two users; false when either has too many relations.
    pub(super) fn set_relation(&mut self, one: &UserName, other: &UserName, relation: Relation) -> bool {
        self.touch();
        let thread = ThreadId::between(one, other);
        if !self.relations.contains_key(&thread) {
            let full =
                |user| self.accounts.get(user).is_none_or(|account: &Account| account.relations >= MAX_RELATIONS);
            if full(one) || full(other) {
                return false;
            }
            for user in [one, other] {
                if let Some(account) = self.accounts.get_mut(user) {
                    account.relations += 1;
                }
            }
        }
        self.relations.insert(thread, relation);
        true
    }

    /// Whether the call id was used before.
    pub(super) fn is_used(&self, call: CallId) -> bool {
        self.touch();
        self.used.contains(&call)
    }

    pub(super) fn call(&self, call: CallId) -> Option<&Call> {
        self.touch();
        self.calls.get(&call)
    }

    pub(super) fn call_mut(&mut self, call: CallId) -> Option<&mut Call> {
        self.touch();
        self.calls.get_mut(&call)
    }

    /// The call of a thread that rings or is live.
    pub(super) fn active_call(&self, thread: &ThreadId) -> Option<&Call> {
        self.touch();
        self.threads.get(thread).and_then(|thread| thread.active).and_then(|call| self.calls.get(&call))
    }

    /// Every call that rings or is live. Not charged: the timers' index.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    /// See [`Store::calls`].
    pub(super) fn calls_mut(&mut self) -> impl Iterator<Item = &mut Call> {
        self.calls.values_mut()
    }

    pub(super) fn insert_call(&mut self, call: Call) {
        self.touch();
        self.threads.entry(call.thread.clone()).or_default().active = Some(call.id);
        if self.used_in_order.len() >= MAX_USED_CALLS
            && let Some(oldest) = self.used_in_order.pop_front()
        {
            self.used.remove(&oldest);
        }
        self.used.insert(call.id);
        self.used_in_order.push_back(call.id);
        self.calls.insert(call.id, call);
    }

    /// Takes a call out of its thread.
    pub(super) fn remove_call(&mut self, call: CallId) -> Option<Call> {
        self.touch();
        let call = self.calls.remove(&call)?;
        if let Some(thread) = self.threads.get_mut(&call.thread) {
            thread.active = None;
        }
        // Nothing that waits about a dead call may still be delivered: an `Accepted` would come after its end.
        for outbox in self.outboxes.values_mut() {
            outbox.retain(|message| is_row(message) || call_of_server_message(message) != Some(call.id));
        }
        Some(call)
    }

    pub(super) fn insert_row(&mut self, row: CallRowEntry) {
        self.touch();
        let rows = &mut self.threads.entry(row.thread.clone()).or_default().rows;
        if rows.len() >= MAX_ROWS {
            rows.pop_front();
        }
        rows.push_back(row);
    }

    /// See [`super::Service::essence`].
    pub(super) fn essence(&self) -> Vec<u8> {
        let calls: Vec<_> = self
            .calls
            .values()
            .map(|call| {
                let Call { id, caller_device, invited, busy, rings, gone, forgotten, .. } = call;
                let rung: Vec<&ActorName> = call.offers.keys().collect();
                (id, caller_device, invited, rung, busy, rings, gone, forgotten, call.ends())
            })
            .collect();
        let active: Vec<_> = self.threads.values().map(|thread| thread.active).collect();
        postcard::to_allocvec(&(&self.relations, calls, active, &self.used, &self.outboxes))
            .expect("the store serializes into memory")
    }

    /// The rows of a thread, oldest first.
    #[cfg(test)]
    pub(super) fn rows(&self, thread: &ThreadId) -> Vec<CallRowEntry> {
        self.threads.get(thread).map(|thread| thread.rows.iter().cloned().collect()).unwrap_or_default()
    }

    /// Keeps a message for a device until it attaches.
    pub(super) fn keep(&mut self, device: &ActorName, message: ServerMessage) {
        let outbox = self.outboxes.entry(device.clone()).or_default();
        if outbox.len() >= MAX_OUTBOX {
            outbox.pop_front();
        }
        outbox.push_back(message);
    }

    /// What waits for a device.
    pub(super) fn take_outbox(&mut self, device: &ActorName) -> VecDeque<ServerMessage> {
        self.touch();
        self.outboxes.remove(device).unwrap_or_default()
    }
}

fn is_row(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::CallRow(_))
}
