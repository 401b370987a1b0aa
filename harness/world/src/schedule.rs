//! Who comes first of those that are due at one instant: probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi,
//! Nagarakatte: "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
//!
//! Whoever can act has a random priority, and the highest acts. At `depth - 1` random steps the one that would act falls
//! behind everybody. A bug that needs `d` events in a certain order, among `n` actors in `k` steps, is then found with a
//! probability of at least 1 / (n k^(d-1)), whatever the order is.

use client::Work;
use kernel::{
    ActorName,
    plan::SchedulePlan,
    random::{SeedTree, Stream},
};
use std::collections::{BTreeMap, BTreeSet};

/// A queue whose first entry could be next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// A user does something with a device.
    Act(ActorName),
    /// Work that an actor queued. Different work has different queues, as an operating system gives no order between them.
    Work(ActorName, Work),
    /// Users read their mail.
    Mail,
    /// A store tells its node of a commit.
    Store(ActorName),
    /// A link or NAT changes.
    Network,
    /// Servers show what they hold.
    Snapshot,
    /// A datagram reaches an actor.
    Arrival(ActorName),
    /// The time has come that an actor waits for.
    Wake(ActorName),
    /// The push service wakes a device.
    Push(ActorName),
}

/// An order of events.
pub(crate) struct Schedule {
    stream: Stream,
    priorities: BTreeMap<Turn, u64>,
    /// Steps at which whose turn it is falls behind.
    changes: BTreeSet<u64>,
    /// How many fell behind.
    fallen: u64,
    choices: u64,
}

/// Priorities below it are of those that fell behind; the one that fell last has the lowest.
const FALLEN: u64 = 1 << 32;

impl Schedule {
    /// The order of a plan.
    pub(crate) fn new(plan: SchedulePlan, seeds: &SeedTree) -> Schedule {
        let mut stream = seeds.child("schedule").stream(&plan.number.to_string());
        let changes = (1..plan.depth).map(|_| stream.below(plan.steps)).collect();
        Schedule { stream, priorities: BTreeMap::new(), changes, fallen: 0, choices: 0 }
    }

    /// Steps so far in which there was a choice.
    pub(crate) fn choices(&self) -> u64 {
        self.choices
    }

    /// Whose turn it is; none when nobody can act.
    pub(crate) fn choose<'t>(&mut self, turns: &'t [Turn]) -> Option<&'t Turn> {
        for turn in turns {
            if !self.priorities.contains_key(turn) {
                let priority = FALLEN + (self.stream.next_u64() >> 32);
                self.priorities.insert(turn.clone(), priority);
            }
        }
        if turns.len() > 1 {
            if self.changes.contains(&self.choices) {
                let first = self.highest(turns)?;
                self.fallen += 1;
                self.priorities.insert(first.clone(), FALLEN - self.fallen);
            }
            self.choices += 1;
        }
        self.highest(turns)
    }

    fn highest<'t>(&self, turns: &'t [Turn]) -> Option<&'t Turn> {
        turns.iter().max_by_key(|turn| (self.priorities[*turn], std::cmp::Reverse(*turn)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(number: u64, depth: u32, steps: u64) -> Schedule {
        Schedule::new(SchedulePlan { depth, number, steps }, &SeedTree::root(1))
    }

    fn turns() -> Vec<Turn> {
        ["alice", "bob", "carol"].map(|name| Turn::Wake(name.into())).to_vec()
    }

    #[test]
    fn without_changes_one_order_of_priorities_lasts_and_all_orders_come_up() {
        let mut seen = BTreeSet::new();
        for number in 0..64 {
            let mut schedule = schedule(number, 1, 100);
            let mut rest = turns();
            let mut order = Vec::new();
            while let Some(turn) = schedule.choose(&rest).cloned() {
                rest.retain(|other| *other != turn);
                order.push(turn);
            }
            assert_eq!(schedule.choose(&turns()), order.first());
            seen.insert(order);
        }
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn a_change_lets_whose_turn_it_is_fall_behind_everybody() {
        let mut schedule = schedule(7, 2, 1);
        let turns = turns();
        let now = schedule.choose(&turns).cloned().unwrap();
        let fell = turns.iter().find(|turn| schedule.priorities[*turn] < FALLEN).cloned().unwrap();
        assert_ne!(now, fell, "it fell before it could act");
        assert_eq!((schedule.choices(), schedule.choose(&turns).cloned()), (1, Some(now)));
    }

    #[test]
    fn where_only_one_can_act_there_is_no_choice() {
        let mut schedule = schedule(1, 3, 100);
        let one = &turns()[..1];
        assert_eq!((schedule.choose(one), schedule.choose(&[]), schedule.choices()), (one.first(), None, 0));
    }
}
