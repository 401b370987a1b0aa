//! What users want of each other: the friend graph.

use super::{Account, MAX_RELATIONS, Store};
use kernel::{
    event::{HeldEdge, HeldSession},
    names::{ActorName, UserName},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What one user wants of another. Absent is the same as the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Edge {
    /// To be friends: a request, or one side of a friendship.
    wants: bool,
    /// To be left alone.
    blocks: bool,
    /// To see what they publish.
    follows: bool,
    /// To have them among the close friends.
    close: bool,
}

/// What is between two users: their two edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Relation {
    /// Who waits for an answer.
    pub(in super::super) requested_by: Option<UserName>,
    /// Both edges are accepted: there is no one-sided friendship.
    pub(in super::super) friends: bool,
    /// Who of the two blocks the other.
    pub(in super::super) blocked_by: BTreeSet<UserName>,
    /// Who of the two follows the other. It gives no right to anything of a friend.
    pub(in super::super) followed_by: BTreeSet<UserName>,
    /// Who of the two has the other among the close friends.
    pub(in super::super) close_to: BTreeSet<UserName>,
}

impl Relation {
    /// Whether the two may have what is for friends: friends, and no block either way.
    pub(in super::super) fn is_friendship(&self) -> bool {
        self.friends && self.blocked_by.is_empty()
    }

    /// Whether a user of the two knows of the relation, and so that the other one exists. A block by the other is not
    /// shown.
    pub(in super::super) fn is_known_to(&self, user: &UserName) -> bool {
        let asked = self.friends || self.requested_by.is_some();
        asked || self.followed_by.contains(user) || self.blocked_by.contains(user)
    }
}

impl Store {
    /// Edges that say something, and sessions: what a crash must not lose or halve.
    pub(in super::super) fn held(&self) -> (Vec<HeldEdge>, Vec<HeldSession>) {
        let says = self.edges.iter().filter(|(_, edge)| edge.wants || edge.blocks || edge.follows);
        let edges = says.map(|((from, to), edge)| HeldEdge {
            from: from.clone(),
            to: to.clone(),
            wants: edge.wants,
            blocks: edge.blocks,
            follows: edge.follows,
        });
        let session =
            |device: &ActorName| Some(HeldSession { user: self.owner(device)?.clone(), device: device.clone() });
        let mut sessions: Vec<HeldSession> = self.sessions.values().filter_map(session).collect();
        // The table's order is that of the tokens' hashes.
        sessions.sort();
        (edges.collect(), sessions)
    }

    /// The friends of a user.
    pub(in super::super) fn friends(&self, user: &UserName) -> Vec<UserName> {
        self.touch();
        let own = self.edges.range((user.clone(), "".into())..).take_while(|((from, _), _)| from == user);
        let others: Vec<UserName> = own.map(|((_, to), _)| to.clone()).collect();
        others.into_iter().filter(|other| self.relation(user, other).friends).collect()
    }

    /// Both edges of a pair lie side by side: one access.
    pub(in super::super) fn relation(&self, one: &UserName, other: &UserName) -> Relation {
        self.touch();
        let edge =
            |from: &UserName, to: &UserName| self.edges.get(&(from.clone(), to.clone())).copied().unwrap_or_default();
        let (there, back) = (edge(one, other), edge(other, one));
        let of = |user: &UserName, says: bool| says.then(|| user.clone());
        let who = |says: fn(&Edge) -> bool| of(one, says(&there)).into_iter().chain(of(other, says(&back))).collect();
        Relation {
            requested_by: of(one, there.wants && !back.wants).or(of(other, back.wants && !there.wants)),
            friends: there.wants && back.wants,
            blocked_by: who(|edge| edge.blocks),
            followed_by: who(|edge| edge.follows),
            close_to: who(|edge| edge.close),
        }
    }

    /// Changes what is between two users; false when either has too many relations.
    pub(in super::super) fn set_relation(&mut self, one: &UserName, other: &UserName, relation: &Relation) -> bool {
        self.touch();
        let pair = [(one.clone(), other.clone()), (other.clone(), one.clone())];
        if !self.edges.contains_key(&pair[0]) {
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
        for (from, to) in pair {
            let edge = Edge {
                wants: relation.friends || relation.requested_by.as_ref() == Some(&from),
                blocks: relation.blocked_by.contains(&from),
                follows: relation.followed_by.contains(&from),
                close: relation.close_to.contains(&from),
            };
            self.edges.insert((from, to), edge);
        }
        true
    }
}
