//! What the store says about people at a record: facts are in the order in which they became durable.

use super::{Run, Seen};
use kernel::{
    UserName,
    event::{Audience, Fact, Setting, Store},
};
use std::collections::{BTreeMap, BTreeSet};

/// Who is friends with whom.
pub(crate) struct Friendships {
    /// Per unordered pair, each change with its record.
    changes: BTreeMap<(UserName, UserName), Vec<(u64, Edge)>>,
}

enum Edge {
    Friends,
    Strangers,
    BlockedBy(UserName),
    UnblockedBy(UserName),
}

impl Friendships {
    pub(crate) fn of(run: &Run) -> Friendships {
        let mut changes: BTreeMap<_, Vec<(u64, Edge)>> = BTreeMap::new();
        for fact in &run.events.facts {
            let (one, other, edge) = match &fact.fact {
                Fact::Befriended { by, other } => (by, other, Edge::Friends),
                Fact::Unfriended { by, other } => (by, other, Edge::Strangers),
                Fact::Blocked { by, other } => (by, other, Edge::BlockedBy(by.clone())),
                Fact::Unblocked { by, other } => (by, other, Edge::UnblockedBy(by.clone())),
                _ => continue,
            };
            changes.entry(pair(one, other)).or_default().push((fact.index, edge));
        }
        Friendships { changes }
    }

    /// Whether both edges are accepted and neither blocks the other, just before a record. Following is none of it.
    pub(crate) fn may_ring(&self, one: &UserName, other: &UserName, index: u64) -> bool {
        let changes = self.changes.get(&pair(one, other)).map_or(&[][..], Vec::as_slice);
        let (mut friends, mut blockers) = (false, BTreeSet::new());
        for (_, edge) in changes.iter().take_while(|(at, _)| *at < index) {
            match edge {
                Edge::Friends => friends = true,
                Edge::Strangers => friends = false,
                Edge::BlockedBy(user) => {
                    friends = false;
                    blockers.insert(user);
                }
                Edge::UnblockedBy(user) => {
                    blockers.remove(user);
                }
            }
        }
        friends && blockers.is_empty()
    }
}

fn pair(one: &UserName, other: &UserName) -> (UserName, UserName) {
    if one <= other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}

/// What people chose of their privacy settings.
pub(crate) struct Settings<'a> {
    /// The facts that bear on them.
    facts: Vec<Seen<'a, Store>>,
}

impl<'a> Settings<'a> {
    pub(crate) fn of(run: &Run<'a>) -> Settings<'a> {
        let bears = |fact: &&Seen<'a, Store>| {
            matches!(fact.fact, Fact::SettingChanged { .. } | Fact::Unfriended { .. } | Fact::Blocked { .. })
        };
        Settings { facts: run.events.facts.iter().filter(bears).copied().collect() }
    }

    /// Whether a user ever chose something before a record.
    pub(crate) fn has_chosen(&self, user: &UserName, index: u64) -> bool {
        self.before(index).any(|fact| matches!(&fact.fact, Fact::SettingChanged { by, .. } if by == user))
    }

    /// Whether the callee's setting lets a friend call, just before a record.
    pub(crate) fn lets_call(&self, caller: &UserName, callee: &UserName, index: u64) -> bool {
        let whom = |setting: &Setting| match setting {
            Setting::Callers(whom) => Some(*whom),
            _ => None,
        };
        self.audience(callee, index, whom).lets(self.is_close(callee, caller, index))
    }

    /// Whether a user's setting lets a friend know when the user was last there, just before a record.
    pub(crate) fn lets_see(&self, asker: &UserName, user: &UserName, index: u64) -> bool {
        let whom = |setting: &Setting| match setting {
            Setting::LastSeen(whom) => Some(*whom),
            _ => None,
        };
        self.audience(user, index, whom).lets(self.is_close(user, asker, index))
    }

    /// Whether somebody is on a user's list of close friends, just before a record. Who is a friend no more is off it.
    pub(crate) fn is_close(&self, user: &UserName, other: &UserName, index: u64) -> bool {
        let mut is_close = false;
        for fact in self.before(index) {
            match &fact.fact {
                Fact::SettingChanged { by, setting: Setting::CloseFriend { user: named, listed } }
                    if by == user && named == other =>
                {
                    is_close = *listed;
                }
                Fact::Unfriended { by, other: of } | Fact::Blocked { by, other: of }
                    if pair(by, of) == pair(user, other) =>
                {
                    is_close = false;
                }
                _ => {}
            }
        }
        is_close
    }

    fn audience(&self, user: &UserName, index: u64, whom: impl Fn(&Setting) -> Option<Audience>) -> Audience {
        let chosen = self.before(index).filter_map(|fact| match &fact.fact {
            Fact::SettingChanged { by, setting } if by == user => whom(setting),
            _ => None,
        });
        chosen.last().unwrap_or_default()
    }

    fn before(&self, index: u64) -> impl Iterator<Item = &Seen<'a, Store>> {
        self.facts.iter().take_while(move |fact| fact.index < index)
    }
}
