//! DUR: what a server must find in its store after a crash. The same judgement for the log of a run and for a sweep over
//! every crash of a workload.

use kernel::{
    ActorName, UserName,
    event::{Fact, HeldEdge, HeldSession, Recovered},
};
use std::collections::{BTreeMap, BTreeSet};

/// The friend graph and the sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    edges: BTreeMap<(UserName, UserName), Says>,
    sessions: BTreeSet<(UserName, ActorName)>,
}

/// What one user says of another. An edge that says nothing is not in the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Says {
    wants: bool,
    blocks: bool,
    follows: bool,
}

/// A place of the graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Edge(UserName, UserName),
    Session(UserName, ActorName),
}

/// How a recovery compares with what was acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryVerdict {
    /// Places of the graph that acknowledged facts decide: each was looked at.
    pub checks: u64,
    /// What an acknowledged fact says and the store does not, a sentence each.
    pub lost: Vec<String>,
    /// Whether the store holds what some first part of the history says: of the acknowledged facts and, behind them, of those
    /// of the transactions that were under way.
    pub is_prefix: bool,
}

/// Judges what a server found that had nothing in its store before `acknowledged`.
pub fn judge_recovery(acknowledged: &[Fact], under_way: &[Vec<Fact>], recovered: &Recovered) -> RecoveryVerdict {
    Graph::default().judge(acknowledged, under_way, &Graph::of(recovered))
}

impl Graph {
    pub(crate) fn of(recovered: &Recovered) -> Graph {
        let edge = |HeldEdge { from, to, wants, blocks, follows }: &HeldEdge| {
            ((from.clone(), to.clone()), Says { wants: *wants, blocks: *blocks, follows: *follows })
        };
        let session = |HeldSession { user, device }: &HeldSession| (user.clone(), device.clone());
        let edges = recovered.edges.iter().map(edge).filter(|(_, says)| *says != Says::default());
        Graph { edges: edges.collect(), sessions: recovered.sessions.iter().map(session).collect() }
    }

    /// Judges what was found later, where the store held this before `acknowledged`.
    pub(crate) fn judge(&self, acknowledged: &[Fact], under_way: &[Vec<Fact>], found: &Graph) -> RecoveryVerdict {
        // What somebody was told of is not under way any more, whatever the store says.
        let told = |facts: &&Vec<Fact>| !facts.is_empty() && acknowledged.ends_with(facts);
        let under_way: Vec<&Fact> = match under_way.iter().position(|facts| told(&facts)) {
            Some(last_told) => under_way[last_told + 1..].iter().flatten().collect(),
            None => under_way.iter().flatten().collect(),
        };
        let (mut graph, mut is_prefix) = (self.clone(), self == found);
        let mut decided = BTreeSet::new();
        for fact in acknowledged {
            decided.extend(graph.take(fact));
            is_prefix |= graph == *found;
        }
        let mut later = graph.clone();
        for fact in under_way {
            for place in later.take(fact) {
                decided.remove(&place);
            }
            is_prefix |= later == *found;
        }
        let lost = decided.iter().filter(|place| !graph.agrees(found, place));
        RecoveryVerdict {
            checks: decided.len() as u64,
            lost: lost.map(|place| graph.sentence(found, place)).collect(),
            is_prefix,
        }
    }

    /// Takes a fact in, and gives the places that it decides.
    fn take(&mut self, fact: &Fact) -> Vec<Place> {
        match fact {
            Fact::FriendRequested { from, to } => vec![self.say(from, to, |says| says.wants = true)],
            Fact::FriendDeclined { by, other } => vec![self.say(other, by, |says| says.wants = false)],
            Fact::Befriended { by, other } => {
                self.say_both(by, other, |says| (says.wants, says.blocks) = (true, false))
            }
            Fact::Unfriended { by, other } => self.say_both(by, other, |says| says.wants = false),
            Fact::Blocked { by, other } => {
                self.say(by, other, |says| says.blocks = true);
                self.say_both(by, other, |says| (says.wants, says.follows) = (false, false))
            }
            Fact::RequestCancelled { by, other } => vec![self.say(by, other, |says| says.wants = false)],
            Fact::Unblocked { by, other } => vec![self.say(by, other, |says| says.blocks = false)],
            Fact::Followed { by, other } => vec![self.say(by, other, |says| says.follows = true)],
            Fact::Unfollowed { by, other } => vec![self.say(by, other, |says| says.follows = false)],
            Fact::SessionCreated { user, device } => {
                self.sessions.insert((user.clone(), device.clone()));
                vec![Place::Session(user.clone(), device.clone())]
            }
            Fact::DeviceRemoved { user, device, .. } | Fact::SessionRevoked { user, device, .. } => {
                self.sessions.remove(&(user.clone(), device.clone()));
                vec![Place::Session(user.clone(), device.clone())]
            }
            Fact::AccountCreated { .. }
            | Fact::DeviceAdded { .. }
            | Fact::DeviceConfirmed { .. }
            | Fact::PasswordSet { .. }
            | Fact::PasswordTried { .. }
            | Fact::CodeRequested { .. }
            | Fact::CodeTried { .. }
            | Fact::LookedUp { .. }
            | Fact::SettingChanged { .. }
            | Fact::CallRinging { .. }
            | Fact::CallLive { .. }
            | Fact::CallMoved { .. }
            | Fact::CallOver { .. }
            | Fact::RelayCredentialIssued { .. }
            | Fact::ThreadRequested { .. }
            | Fact::ThreadOpened { .. }
            | Fact::ThreadDeclined { .. }
            | Fact::MessageStored { .. }
            | Fact::MessageReceipt { .. }
            | Fact::AvatarSet { .. }
            | Fact::PictureUploaded { .. } => Vec::new(),
        }
    }

    fn say_both(&mut self, one: &UserName, other: &UserName, change: impl Fn(&mut Says)) -> Vec<Place> {
        vec![self.say(one, other, &change), self.say(other, one, &change)]
    }

    fn say(&mut self, from: &UserName, to: &UserName, change: impl Fn(&mut Says)) -> Place {
        let edge = (from.clone(), to.clone());
        let mut says = self.edges.remove(&edge).unwrap_or_default();
        change(&mut says);
        if says != Says::default() {
            self.edges.insert(edge, says);
        }
        Place::Edge(from.clone(), to.clone())
    }

    fn says(&self, from: &UserName, to: &UserName) -> Says {
        self.edges.get(&(from.clone(), to.clone())).copied().unwrap_or_default()
    }

    fn agrees(&self, found: &Graph, place: &Place) -> bool {
        match place {
            Place::Edge(from, to) => self.says(from, to) == found.says(from, to),
            Place::Session(user, device) => {
                let session = (user.clone(), device.clone());
                self.sessions.contains(&session) == found.sessions.contains(&session)
            }
        }
    }

    fn sentence(&self, found: &Graph, place: &Place) -> String {
        match place {
            Place::Edge(from, to) => {
                let (told, held) = (self.says(from, to), found.says(from, to));
                let words = |says: Says| match (says.wants, says.blocks, says.follows) {
                    (false, false, false) => "nothing",
                    (false, false, true) => "that they follow",
                    (true, false, _) => "that they want to be friends",
                    (false, true, _) => "that they block",
                    (true, true, _) => "that they want to be friends and block",
                };
                format!("{from} says {} of {to} as was acknowledged, and {} after the crash", words(told), words(held))
            }
            Place::Session(user, device) => {
                let (had, has) = match found.sessions.contains(&(user.clone(), device.clone())) {
                    true => ("no", "one"),
                    false => ("a", "none"),
                };
                format!("{device} of {user} had {had} session as was acknowledged, and has {has} after the crash")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn befriended() -> Fact {
        Fact::Befriended { by: "bob".into(), other: "alice".into() }
    }

    fn unfriended() -> Fact {
        Fact::Unfriended { by: "bob".into(), other: "alice".into() }
    }

    fn blocked() -> Fact {
        Fact::Blocked { by: "bob".into(), other: "alice".into() }
    }

    fn edge(from: &str, to: &str, wants: bool, blocks: bool) -> HeldEdge {
        HeldEdge { from: from.into(), to: to.into(), wants, blocks, follows: false }
    }

    fn held(edges: &[HeldEdge]) -> Recovered {
        Recovered { node: "signaling".into(), edges: edges.to_vec(), sessions: Vec::new() }
    }

    fn friends() -> Recovered {
        held(&[edge("alice", "bob", true, false), edge("bob", "alice", true, false)])
    }

    #[test]
    fn what_was_acknowledged_is_there() {
        let verdict = judge_recovery(&[befriended()], &[], &friends());
        assert_eq!(verdict, RecoveryVerdict { checks: 2, lost: Vec::new(), is_prefix: true });
        let verdict = judge_recovery(&[befriended(), blocked()], &[], &held(&[edge("bob", "alice", false, true)]));
        assert_eq!(verdict, RecoveryVerdict { checks: 2, lost: Vec::new(), is_prefix: true });
    }

    #[test]
    fn an_acknowledged_block_that_is_gone_is_lost_though_the_rest_is_a_first_part() {
        let verdict = judge_recovery(&[befriended(), blocked()], &[], &friends());
        assert!(verdict.is_prefix);
        assert_eq!(
            verdict.lost,
            [
                "alice says nothing of bob as was acknowledged, and that they want to be friends after the crash",
                "bob says that they block of alice as was acknowledged, and that they want to be friends after the crash",
            ]
        );
        // The store claims that it was still at work: somebody was told all the same.
        let verdict = judge_recovery(&[befriended(), blocked()], &[vec![blocked()]], &friends());
        assert_eq!((verdict.lost.len(), verdict.checks), (2, 2));
    }

    #[test]
    fn what_is_under_way_may_be_there_or_not() {
        for found in [friends(), held(&[])] {
            let verdict = judge_recovery(&[befriended()], &[vec![unfriended()]], &found);
            assert_eq!(verdict, RecoveryVerdict { checks: 0, lost: Vec::new(), is_prefix: true });
        }
    }

    #[test]
    fn half_of_what_is_under_way_is_no_first_part() {
        let half = held(&[edge("bob", "alice", true, false)]);
        let verdict = judge_recovery(&[befriended()], &[vec![unfriended()]], &half);
        assert_eq!(verdict, RecoveryVerdict { checks: 0, lost: Vec::new(), is_prefix: false });
    }

    #[test]
    fn a_session_that_is_gone_is_lost() {
        let signed_in = Fact::SessionCreated { user: "bob".into(), device: "bob-phone".into() };
        let verdict = judge_recovery(&[signed_in], &[], &held(&[]));
        assert_eq!(verdict.lost, ["bob-phone of bob had a session as was acknowledged, and has none after the crash"]);
    }
}
