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
    trail: Trail,
}

/// What a schedule was asked and said, in order. Of the steps at which only one can act it holds those at which somebody comes up
/// for the first time: that is when priorities are drawn.
#[derive(Clone, Debug, Default)]
pub struct Trail(Vec<(Vec<Turn>, Turn)>);

/// The trails of the runs of one plan, as the tree that they make. All else of a run follows from its plan, so that orders which
/// leave the same trail are the same run.
#[derive(Debug, Default)]
pub struct Trails {
    /// The first is the root.
    forks: Vec<Fork>,
}

/// A place on trails.
#[derive(Debug, Default)]
struct Fork {
    turns: Vec<Turn>,
    /// Where each choice leads.
    ways: BTreeMap<Turn, usize>,
    /// The run that ends here.
    run: Option<usize>,
}

impl Trails {
    /// Adds the trail of a run with its number. Gives false when it was there already.
    pub fn add(&mut self, trail: Trail, run: usize) -> bool {
        let mut at = self.fork(0);
        for (turns, chosen) in trail.0 {
            let next = self.forks.len();
            let fork = &mut self.forks[at];
            fork.turns = turns;
            at = *fork.ways.entry(chosen).or_insert(next);
            at = self.fork(at);
        }
        let is_new = self.forks[at].run.is_none();
        self.forks[at].run.get_or_insert(run);
        is_new
    }

    /// The number of the run that an order of the plan comes to; none when that is not known yet.
    pub fn find(&self, seed: u64, order: SchedulePlan) -> Option<usize> {
        let mut schedule = Schedule::new(order, &SeedTree::root(seed));
        let mut fork = self.forks.first()?;
        while fork.run.is_none() {
            fork = &self.forks[*fork.ways.get(schedule.choose(&fork.turns)?)?];
        }
        fork.run
    }

    /// A place that is made if it is the next.
    fn fork(&mut self, at: usize) -> usize {
        if at == self.forks.len() {
            self.forks.push(Fork::default());
        }
        at
    }
}

/// Priorities below it are of those that fell behind; the one that fell last has the lowest.
const FALLEN: u64 = 1 << 32;

impl Schedule {
    /// The order of a plan.
    pub(crate) fn new(plan: SchedulePlan, seeds: &SeedTree) -> Schedule {
        let mut stream = seeds.child("schedule").stream(&plan.number.to_string());
        let changes = (1..plan.depth).map(|_| stream.below(plan.steps)).collect();
        Schedule { stream, priorities: BTreeMap::new(), changes, fallen: 0, choices: 0, trail: Trail::default() }
    }

    /// Steps so far in which there was a choice.
    pub(crate) fn choices(&self) -> u64 {
        self.choices
    }

    /// What it was asked and said so far.
    pub(crate) fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Whose turn it is; none when nobody can act.
    pub(crate) fn choose<'t>(&mut self, turns: &'t [Turn]) -> Option<&'t Turn> {
        let mut tells = turns.len() > 1;
        for turn in turns {
            if !self.priorities.contains_key(turn) {
                let priority = FALLEN + (self.stream.next_u64() >> 32);
                self.priorities.insert(turn.clone(), priority);
                tells = true;
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
        let chosen = self.highest(turns)?;
        if tells {
            self.trail.0.push((turns.to_vec(), chosen.clone()));
        }
        Some(chosen)
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

    /// A run in which everybody acts once, and the first of all once more in the end.
    fn run(mut schedule: Schedule) -> (Vec<Turn>, Trail) {
        let mut rest = turns();
        let mut order = Vec::new();
        while let Some(turn) = schedule.choose(&rest).cloned() {
            rest.retain(|other| *other != turn);
            order.push(turn);
        }
        order.extend(schedule.choose(&order[..1]).cloned());
        (order, schedule.trail().clone())
    }

    #[test]
    fn orders_that_leave_the_same_trail_are_known_to_be_one_run() {
        let (mut trails, mut runs) = (Trails::default(), Vec::new());
        let order = |number| SchedulePlan { depth: 3, number, steps: 2 };
        assert_eq!(trails.find(1, order(0)), None);
        for number in 0..64 {
            let (came, trail) = run(Schedule::new(order(number), &SeedTree::root(1)));
            match trails.find(1, order(number)) {
                Some(known) => assert_eq!(runs[known], came),
                None => {
                    assert!(trails.add(trail.clone(), runs.len()), "an order that was unknown");
                    runs.push(came);
                }
            }
            assert!(!trails.add(trail, 1_000), "it is known now");
        }
        assert_eq!(runs.len(), 6, "three actors have six orders");
    }
}
