//! What stands between a user and the others besides the friend graph: privacy settings, when the user was last there, and
//! how much came to the door lately.
//!
//! All of it lies beside the edges that lead to the user and is read with them: no access more, whatever it says. So a
//! refusal because of a setting or a rate takes as long as any other.

use super::Store;
use kernel::{
    event::Audience,
    names::{CallId, UserName},
    time::{Micros, SimTime},
};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, net::IpAddr};

/// The longest that anything is counted.
const HOUR: Micros = Micros::from_secs(3_600);
/// Most counters of lookups.
const MAX_COUNTERS: usize = 65_536;

/// One user's door.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Door {
    /// Who may call.
    pub(in super::super) callers: Audience,
    /// Who may know when the user was last there.
    pub(in super::super) last_seen: Audience,
    /// When a device of the user was last connected, once one has gone.
    pub(in super::super) seen: Option<SimTime>,
    /// When somebody who is not on the list of close friends rang, within the last hour.
    pub(in super::super) knocks: VecDeque<SimTime>,
}

/// Who or what lookups are counted for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in super::super) enum Counter {
    /// Whoever asks: the handles.
    Account(UserName),
    /// From where they ask: the handles, once for each account.
    Address(IpAddr),
    /// What is asked for: who asked.
    Handle(UserName),
}

impl Store {
    /// A user's door; the default one where nothing was ever set.
    pub(in super::super) fn door(&self, user: &UserName) -> Door {
        self.doors.get(user).cloned().unwrap_or_default()
    }

    /// A door that is about to change.
    pub(in super::super) fn door_mut(&mut self, user: &UserName) -> &mut Door {
        self.doors.entry(user.clone())
    }

    /// The rings of a caller at a callee within the last hour, oldest first.
    pub(in super::super) fn rings(
        &self,
        caller: &UserName,
        callee: &UserName,
        now: SimTime,
    ) -> VecDeque<(SimTime, CallId)> {
        let mut rings = self.rings.get(&(caller.clone(), callee.clone())).cloned().unwrap_or_default();
        rings.retain(|(at, _)| now.since(*at) < HOUR);
        rings
    }

    /// Counts a ring, for the pair and, where the caller is none of the close friends, for the callee.
    pub(in super::super) fn count_ring(
        &mut self,
        (caller, callee): (&UserName, &UserName),
        call: CallId,
        is_close: bool,
        now: SimTime,
    ) {
        let own = self.rings.range((caller.clone(), "".into())..).take_while(|((from, _), _)| from == caller);
        let stale = own.filter(|(_, rings)| rings.iter().all(|(at, _)| now.since(*at) >= HOUR));
        let stale: Vec<(UserName, UserName)> = stale.map(|(pair, _)| pair.clone()).collect();
        stale.iter().for_each(|pair| drop(self.rings.remove(pair)));
        let mut rings = self.rings(caller, callee, now);
        rings.push_back((now, call));
        self.rings.insert((caller.clone(), callee.clone()), rings);
        if !is_close {
            let knocks = &mut self.door_mut(callee).knocks;
            knocks.retain(|at| now.since(*at) < HOUR);
            knocks.push_back(now);
        }
    }

    /// The planted bug V113: what a caller rang is forgotten.
    pub(in super::super) fn forget_rings(&mut self, caller: &UserName, callee: &UserName) {
        self.rings.remove(&(caller.clone(), callee.clone()));
        self.door_mut(callee).knocks.clear();
    }

    /// What a counter counted within the last hour, oldest first.
    pub(in super::super) fn lookups(&self, counter: &Counter, now: SimTime) -> VecDeque<(SimTime, UserName)> {
        let mut lookups = self.lookups.get(counter).cloned().unwrap_or_default();
        lookups.retain(|(at, _)| now.since(*at) < HOUR);
        lookups
    }

    /// Whether there is a place for a counter; makes one if it can.
    pub(in super::super) fn has_counter(&mut self, counter: &Counter, now: SimTime) -> bool {
        if self.lookups.len() >= MAX_COUNTERS && !self.lookups.contains_key(counter) {
            self.lookups.retain(|_, lookups| lookups.iter().any(|(at, _)| now.since(*at) < HOUR));
        }
        self.lookups.len() < MAX_COUNTERS || self.lookups.contains_key(counter)
    }

    /// Counts a lookup.
    pub(in super::super) fn count_lookup(&mut self, counter: Counter, what: UserName, now: SimTime) {
        let mut lookups = self.lookups(&counter, now);
        lookups.push_back((now, what));
        self.lookups.insert(counter, lookups);
    }
}
