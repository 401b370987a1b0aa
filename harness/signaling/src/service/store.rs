//! What the server holds. Every access is counted, so that simulated time can be charged for it.

pub(super) mod attachments;
mod doors;
mod edges;
mod threads;

pub(super) use attachments::{Put, Sealed};
pub(super) use doors::{Counter, Door};
pub(super) use edges::Relation;
pub(super) use threads::Stored;

use super::{
    DISCONNECTED_CALLER_GRACE, DISCONNECTED_LIVE_GRACE, RING_TIME_OUT,
    change::{BrokenRow, Change, RowId, TableName},
    codes::Codes,
    handover::Handover,
    table::{Rows, Table},
};
use crate::{naming::call_of_server_message, password::PasswordHash};
use attachments::{Attached, Shelf};
use edges::Edge;
use kernel::{
    mutant,
    names::{ActorName, AttachmentId, CallId, ThreadId, UserName},
    time::{Micros, SimTime},
};
use protocol::{
    DeviceChange, DeviceKeys, DeviceLink, DeviceList, PushToken, RelayGrant, SealedEnvelope, ServerMessage,
};
use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};
use threads::Mark;

/// Most accounts.
pub(super) const MAX_ACCOUNTS: usize = 10_000;
/// Most relations (requests, friendships, blocks, follows) of one account.
pub(super) const MAX_RELATIONS: u32 = 1_000;
/// Most messages that wait for a device without a connection; older ones go.
const MAX_OUTBOX: usize = 256;
/// How many past call ids are remembered against reuse.
const MAX_USED_CALLS: usize = 65_536;

/// blake3 of a session token: the token itself is not kept.
pub(super) type TokenHash = [u8; 32];

/// Everything that the server holds: tables, which the durable store holds too, and indexes that follow from them.
#[derive(Clone, Default, Serialize)]
pub(super) struct Store {
    accounts: Table<UserName, Account>,
    sessions: Table<TokenHash, ActorName>,
    edges: Table<(UserName, UserName), Edge>,
    threads: Table<ThreadId, Thread>,
    /// By user and number, from 1.
    rows: Table<(UserName, u32), Stored>,
    /// How far who reads a thread came.
    marks: Table<(ThreadId, UserName), Mark>,
    avatars: Table<UserName, Vec<u8>>,
    calls: Table<CallId, Call>,
    used: Table<u64, CallId>,
    outboxes: Table<(ActorName, u64), ServerMessage>,
    homes: Table<ActorName, u8>,
    doors: Table<UserName, Door>,
    /// When somebody rang somebody else within the last hour, by (caller, callee).
    rings: Table<(UserName, UserName), VecDeque<(SimTime, CallId)>>,
    /// Who looked what up within the last hour.
    lookups: Table<Counter, VecDeque<(SimTime, UserName)>>,
    /// Left out where there is none, so that what is held without a push service stays what it was.
    #[serde(skip_serializing_if = "Table::is_empty")]
    push_tokens: Table<ActorName, PushToken>,
    /// Left out likewise.
    #[serde(skip_serializing_if = "Table::is_empty")]
    attachments: Table<AttachmentId, Attached>,
    #[serde(skip_serializing_if = "Table::is_empty")]
    parts: Table<(AttachmentId, u16), Vec<u8>>,
    #[serde(skip_serializing_if = "Table::is_empty")]
    shelves: Table<UserName, Shelf>,
    /// Whose each device is.
    #[serde(skip)]
    owners: BTreeMap<ActorName, UserName>,
    /// The call ids of `used`.
    #[serde(skip)]
    used_ids: BTreeSet<CallId>,
    #[serde(skip)]
    accesses: Cell<u64>,
}

/// Somebody's account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) password: PasswordHash,
    /// Devices that signed in, also those that are not confirmed.
    pub(super) devices: BTreeMap<ActorName, DeviceKeys>,
    /// The devices that count.
    pub(super) list: DeviceList,
    /// How many other users this one has a relation with.
    pub(super) relations: u32,
    /// When wrong passwords were presented within the last hour.
    pub(super) failures: VecDeque<SimTime>,
    /// One-time codes.
    pub(super) codes: Codes,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Thread {
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
    /// How it goes from one device of a user to another, or last went.
    pub(super) handover: Option<Handover>,
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
    /// What the durable store holds.
    pub(super) fn restore(rows: &[Change]) -> Result<Store, BrokenRow> {
        let mut store = Store::default();
        store.take_over(rows)?;
        Ok(store)
    }

    /// Takes over rows of the durable store.
    pub(super) fn take_over(&mut self, rows: &[Change]) -> Result<(), BrokenRow> {
        for row in rows {
            self.table(row.table).apply(row).map_err(|because| BrokenRow { table: row.table, because })?;
        }
        if rows.iter().any(|row| matches!(row.table, TableName::Accounts | TableName::UsedCalls)) {
            self.index();
        }
        Ok(())
    }

    /// Makes the indexes again.
    fn index(&mut self) {
        let devices = |(user, account): (&UserName, &Account)| {
            account.devices.keys().map(|device| (device.clone(), user.clone())).collect::<Vec<_>>()
        };
        self.owners = self.accounts.iter().flat_map(devices).collect();
        self.used_ids = self.used.values().copied().collect();
    }

    /// A transaction begins: from now on what it looks up and changes is remembered.
    pub(super) fn begin(&mut self) {
        TableName::ALL.iter().for_each(|name| self.table(*name).begin());
    }

    /// What the transaction looked up.
    pub(super) fn reads(&mut self) -> Vec<RowId> {
        let mut reads = Vec::new();
        TableName::ALL.iter().for_each(|name| self.table(*name).read(*name, &mut reads));
        reads
    }

    /// Everything is as it was when the transaction began.
    pub(super) fn undo(&mut self) {
        TableName::ALL.iter().for_each(|name| self.table(*name).undo());
        self.index();
        self.take_accesses();
    }

    /// Every row that changed since this was last asked.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        TableName::ALL.iter().for_each(|name| self.table(*name).take_changes(*name, &mut changes));
        changes
    }

    fn table(&mut self, name: TableName) -> &mut dyn Rows {
        match name {
            TableName::Accounts => &mut self.accounts,
            TableName::Sessions => &mut self.sessions,
            TableName::Edges => &mut self.edges,
            TableName::Threads => &mut self.threads,
            TableName::Rows => &mut self.rows,
            TableName::Marks => &mut self.marks,
            TableName::Avatars => &mut self.avatars,
            TableName::Calls => &mut self.calls,
            TableName::UsedCalls => &mut self.used,
            TableName::Outboxes => &mut self.outboxes,
            TableName::Homes => &mut self.homes,
            TableName::Doors => &mut self.doors,
            TableName::Rings => &mut self.rings,
            TableName::Lookups => &mut self.lookups,
            TableName::PushTokens => &mut self.push_tokens,
            TableName::Attachments => &mut self.attachments,
            TableName::Parts => &mut self.parts,
            TableName::Shelves => &mut self.shelves,
        }
    }

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

    /// The confirmed devices of a user, none for a user who does not exist.
    pub(super) fn devices(&self, user: &UserName) -> Vec<ActorName> {
        self.account(user).map(|account| account.list.listed().keys().cloned().collect()).unwrap_or_default()
    }

    /// Whether a device is in its user's list. Not charged, as [`Store::owner`].
    pub(super) fn is_listed(&self, user: &UserName, device: &ActorName) -> bool {
        self.accounts.get(user).is_some_and(|account| account.list.contains(device))
    }

    /// Takes the next link of a user's list; false when it may not be. A device that is added signed in before.
    pub(super) fn extend_list(&mut self, user: &UserName, link: DeviceLink) -> bool {
        self.touch();
        let Some(account) = self.accounts.get_mut(user) else { return false };
        let signed_in = match &link.change {
            DeviceChange::Add { keys, .. } => account.devices.get(&keys.device) == Some(keys),
            DeviceChange::Remove { .. } => true,
        };
        signed_in && account.list.push(link).is_ok()
    }

    /// Forgets a device, its session and what waits for it.
    pub(super) fn remove_device(&mut self, user: &UserName, device: &ActorName) {
        self.touch();
        if let Some(account) = self.accounts.get_mut(user) {
            account.devices.remove(device);
        }
        self.owners.remove(device);
        self.sessions.retain(|_, holder| holder != device);
        self.outboxes.retain(|(waiting, _), _| waiting != device);
        self.push_tokens.remove(device);
    }

    /// The devices of a user that have a session, but for one.
    pub(super) fn other_sessions(&self, user: &UserName, but: &ActorName) -> Vec<ActorName> {
        self.touch();
        let own = |device: &&ActorName| *device != but && self.owners.get(*device) == Some(user);
        let mut devices: Vec<ActorName> = self.sessions.values().filter(own).cloned().collect();
        // The table's order is that of the tokens' hashes.
        devices.sort_unstable();
        devices
    }

    /// Ends the session of a device, which is woken no more. What waits for it stays: it may sign in again.
    pub(super) fn end_session(&mut self, device: &ActorName) {
        self.touch();
        self.push_tokens.remove(device);
        self.sessions.retain(|_, holder| holder != device);
    }

    /// Whether a device has a session. Not charged, as [`Store::owner`].
    pub(super) fn has_session(&self, device: &ActorName) -> bool {
        self.sessions.values().any(|holder| holder == device)
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

    /// Whether the call id was used before.
    pub(super) fn is_used(&self, call: CallId) -> bool {
        self.touch();
        self.used_ids.contains(&call)
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

    /// Changes every call that is of a kind. Not charged, as [`Store::calls`].
    pub(super) fn change_calls(&mut self, is_meant: impl Fn(&Call) -> bool, mut change: impl FnMut(&mut Call)) {
        let meant: Vec<CallId> = self.calls.values().filter(|call| is_meant(call)).map(|call| call.id).collect();
        for call in meant {
            self.calls.get_mut(&call).into_iter().for_each(&mut change);
        }
    }

    pub(super) fn insert_call(&mut self, call: Call) {
        self.touch();
        self.threads.entry(call.thread.clone()).active = Some(call.id);
        if self.used.len() >= MAX_USED_CALLS
            && let Some(id) = self.used.pop_first()
        {
            self.used_ids.remove(&id);
        }
        let next = self.used.last_key().map_or(0, |last| last + 1);
        self.used.insert(next, call.id);
        self.used_ids.insert(call.id);
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
        self.outboxes.retain(|_, message| call_of_server_message(message) != Some(call.id));
        Some(call)
    }

    /// See [`super::Service::essence`].
    pub(super) fn essence(&self) -> Vec<u8> {
        let calls: Vec<_> = self
            .calls
            .values()
            .map(|call| {
                let Call { id, caller_device, invited, busy, rings, gone, forgotten, handover, .. } = call;
                let rung: Vec<&ActorName> = call.offers.keys().collect();
                let handover = handover.as_ref().map(Handover::essence);
                (id, caller_device, invited, rung, busy, rings, gone, forgotten, handover, call.ends())
            })
            .collect();
        let active: Vec<_> = self.threads.values().map(|thread| thread.active).collect();
        postcard::to_allocvec(&(&self.edges, calls, active, &self.used_ids, &self.outboxes))
            .expect("the store serializes into memory")
    }

    /// Which core serves a device, where there are several. Not charged: the balancer's.
    pub(super) fn home(&self, device: &ActorName) -> Option<u8> {
        self.homes.get(device).copied()
    }

    /// No core serves a device that has gone.
    pub(super) fn clear_home(&mut self, device: &ActorName) {
        self.homes.remove(device);
    }

    pub(super) fn set_home(&mut self, device: &ActorName, core: u8) {
        self.homes.insert(device.clone(), core);
    }

    /// What the push service knows a device by, if it said so. Not charged: looked up once something was said to it.
    pub(super) fn push_token(&self, device: &ActorName) -> Option<PushToken> {
        self.push_tokens.get(device).copied()
    }

    pub(super) fn set_push_token(&mut self, device: &ActorName, token: PushToken) {
        self.touch();
        self.push_tokens.insert(device.clone(), token);
    }

    /// Keeps a message for a device until it attaches. Rows are kept already. Each core has places of its own: `core` of so
    /// many.
    pub(super) fn keep(&mut self, device: &ActorName, message: ServerMessage, (core, of): (u8, u8)) {
        if matches!(message, ServerMessage::Row { .. }) {
            return;
        }
        let waiting: Vec<u64> = self.waiting(device).collect();
        if waiting.len() >= MAX_OUTBOX {
            self.outboxes.remove(&(device.clone(), waiting[0]));
        }
        let free = waiting.last().map_or(0, |last| last + 1);
        let next = (free..).find(|place| place % u64::from(of) == u64::from(core)).unwrap_or(free);
        self.outboxes.insert((device.clone(), next), message);
    }

    fn waiting(&self, device: &ActorName) -> impl Iterator<Item = u64> {
        self.outboxes.range((device.clone(), 0)..=(device.clone(), u64::MAX)).map(|((_, order), _)| *order)
    }

    /// What waits for a device.
    pub(super) fn take_outbox(&mut self, device: &ActorName) -> Vec<ServerMessage> {
        self.touch();
        let waiting: Vec<u64> = self.waiting(device).collect();
        waiting.into_iter().filter_map(|order| self.outboxes.remove(&(device.clone(), order))).collect()
    }
}
