//! A service that is one of several cores over one store. Each has a replica of the tables, which follows the store with a
//! delay, and the store takes a transaction only if nothing that it looked up has changed since. What a core says to a
//! device of another core goes through the device's outbox, which the other core has a replica of too.

use super::{
    Change, Phase, Request, Service, TableName, TxId,
    store::Stage,
    transaction::{Effect, Transaction},
};
use kernel::{
    names::{ActorName, CallId, UserName},
    time::SimTime,
};
use std::collections::VecDeque;

/// What a core knows of the others.
#[derive(Clone, Default)]
pub(super) struct Replica {
    /// The place of the last transaction of another core that is in the tables.
    pub(super) seen: u64,
    /// Transactions of other cores that wait until the one at work here is over.
    waiting: VecDeque<(u64, Vec<Change>)>,
    /// The request at work, in case that the store does not take it.
    at_work: Option<Request>,
    /// Whether it came over a connection that nobody had signed in on.
    came_unbound: bool,
}

impl Service {
    /// Makes the service one of several cores.
    pub(crate) fn join(&mut self, number: u8, of: u8) {
        self.core = (number, of);
        self.next_tx = 1 + u64::from(number);
    }

    pub(super) fn is_one_of_several(&self) -> bool {
        self.core.1 > 1
    }

    /// The place of the oldest transaction of another core that the service might still be surprised by.
    pub(crate) fn seen(&self) -> u64 {
        self.replica.seen
    }

    /// Whether the device is connected to another core.
    pub(super) fn is_elsewhere(&self, device: &ActorName) -> bool {
        self.is_one_of_several() && self.store.home(device).is_some_and(|home| home != self.core.0)
    }

    pub(super) fn remember(&mut self, request: &Request) {
        if self.is_one_of_several() {
            self.replica.came_unbound =
                matches!(request, Request::Message(connection, _) if self.device_of(*connection).is_none());
            self.replica.at_work = match request {
                Request::Closed(connection) => self.device_of(*connection).map(Request::Gone),
                request => Some(request.clone()),
            };
        }
    }

    /// Puts what is for devices that are not connected here into their outboxes.
    pub(super) fn post(&mut self, work: &mut Transaction) {
        for effect in std::mem::take(&mut work.effects) {
            match effect {
                Effect::Tell(device, message) if !self.online.contains_key(&device) => {
                    self.store.keep(&device, message, self.core);
                    work.effects.push(Effect::Nudge(device));
                }
                effect => work.effects.push(effect),
            }
        }
    }

    /// The store did not take the transaction: everything again, with what it knows now.
    pub(super) fn conflict(&mut self, tx: TxId, now: SimTime) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Committing { tx: awaited, .. } if awaited == tx => {}
            other => {
                self.phase = other;
                return;
            }
        }
        self.store.undo();
        let again = self.replica.at_work.take();
        if let Some(Request::Message(connection, _)) = &again
            && self.replica.came_unbound
        {
            // Whatever signed in on it did not.
            self.online.retain(|_, online| online != connection);
            self.connections.entry(*connection).or_default().device = None;
        }
        self.catch_up_with_others(now);
        let Some(again) = again else { return };
        if let Request::Message(connection, _) = &again {
            self.connections.entry(*connection).or_default().waiting += 1;
        }
        self.take_up(again, now);
    }

    /// Another core's transaction is durable.
    pub(super) fn replicated(&mut self, place: u64, changes: Vec<Change>) {
        self.replica.waiting.push_back((place, changes));
    }

    /// Takes over what other cores did. Not while a request is at work: it began with the tables as they are.
    pub(super) fn catch_up_with_others(&mut self, now: SimTime) {
        while let Some((place, changes)) = self.replica.waiting.pop_front() {
            self.store.take_over(&changes).expect("cores of one server write the same rows");
            self.replica.seen = place;
            for change in &changes {
                self.notice(change, now);
            }
        }
    }

    /// What a change of another core means for the devices that are connected here.
    fn notice(&mut self, change: &Change, now: SimTime) {
        let is_there = change.value.is_some();
        match change.table {
            TableName::Outboxes if is_there => {
                let Ok((device, _)) = postcard::from_bytes::<(ActorName, u64)>(&change.key) else { return };
                let is_known = |request: &Request| matches!(request, Request::Collect(known) if *known == device);
                if !self.online.contains_key(&device) {
                    self.nudge(&device, None, now);
                } else if !self.queue.iter().any(is_known) {
                    self.queue.push_back(Request::Collect(device));
                }
            }
            TableName::Calls if is_there => {
                let Ok(call) = postcard::from_bytes::<CallId>(&change.key) else { return };
                if !self.ringing_here(call).is_empty() {
                    self.queue.push_back(Request::Deliver(call));
                }
                self.nudge_rung(call, now);
            }
            TableName::Rows if is_there => {
                let Ok((user, number)) = postcard::from_bytes::<(UserName, u32)>(&change.key) else { return };
                let Some(row) = self.store.row(&user, number).cloned() else { return };
                let mut devices = self.store.devices(&user);
                devices.retain(|device| self.online.contains_key(device));
                for device in devices {
                    let told = row.told(number, number.saturating_sub(1), &device, false);
                    self.tell(device, told, now);
                }
            }
            TableName::Sessions if !is_there => {
                // Which device's it was the row does not say any more.
                let is_out = |device: &&ActorName| !self.store.has_session(device);
                let out: Vec<ActorName> = self.online.keys().filter(is_out).cloned().collect();
                out.iter().for_each(|device| self.disconnect(device));
            }
            TableName::Homes if is_there => {
                let Ok(device) = postcard::from_bytes::<ActorName>(&change.key) else { return };
                if let Some(connection) = self.online.remove(&device)
                    && let Some(entry) = self.connections.get_mut(&connection)
                {
                    entry.device = None;
                }
            }
            _ => {}
        }
        // Others' work is not charged here.
        self.store.take_accesses();
        self.enqueue_expired(now);
    }

    /// The devices of a ringing call that are connected here and have not been told of anything else.
    fn ringing_here(&self, call: CallId) -> Vec<ActorName> {
        let found = self.store.call(call).filter(|found| found.stage == Stage::Ringing && !found.rings);
        let offered = found.into_iter().flat_map(|found| found.offers.keys().filter(|one| !found.busy.contains(*one)));
        offered.filter(|device| self.online.contains_key(*device)).cloned().collect()
    }

    /// Another core left messages for a device that is connected here. Those about a call are gone where it is over.
    pub(super) fn collect(&mut self, device: &ActorName, work: &mut Transaction) {
        for message in self.store.take_outbox(device) {
            work.tell(device, message);
        }
    }

    /// A call that another core placed rings here, if the store still says so when it takes this transaction.
    pub(super) fn deliver(&mut self, call: CallId, work: &mut Transaction) {
        let devices = self.ringing_here(call);
        let Some(parties) = self.store.call(call).map(|found| (found.caller.clone(), found.callee.clone())) else {
            return;
        };
        if self.may_ring(&parties.0, &parties.1, work.at) {
            work.effects.extend(devices.into_iter().map(|device| Effect::Ring { device, call }));
        }
    }
}
