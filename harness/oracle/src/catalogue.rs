//! The catalogue of invariants.

mod list;

pub use list::INVARIANTS;

use crate::{checks::Checks, judgement::Metric, run::Run, trial::Trial, views::Search};
use kernel::Mutant;

/// A truth about every run, with the checker that is named after it.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Id, as `FG-1`; several when one truth covers them, joined by `/`.
    pub id: &'static str,
    /// Name, as `only_friends_ring`: the same in logs, reports, scenarios.
    pub name: &'static str,
    /// The truth in a sentence.
    pub truth: &'static str,
    /// Whether it can be judged from outside alone: packets, signaling, screens, rendered pictures. Such an invariant
    /// will judge foreign stacks too.
    pub foreign: bool,
    /// The planted bugs that must make exactly this invariant fail.
    pub mutants: &'static [Mutant],
    pub(crate) checker: Checker,
}

/// The metrics of two runs of one plan: as it is, and with all media over the relay.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'e> {
    pub(crate) direct: &'e [Metric],
    pub(crate) relayed: &'e [Metric],
}

/// What the checkers read: the joined log, what was found in the views, and what opened a frame.
pub(crate) struct Evidence<'e, 'a> {
    pub(crate) run: &'e Run<'a>,
    pub(crate) search: &'e Search<'a>,
    pub(crate) trial: &'e Trial<'a>,
    /// Where the plan was run a second time over the relay.
    pub(crate) pair: Option<Pair<'e>>,
}

pub(crate) type Checker = fn(&Evidence) -> Checks;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_mutant_has_one_invariant_that_it_must_break() {
        let killers: Vec<Mutant> = INVARIANTS.iter().flat_map(|invariant| invariant.mutants).copied().collect();
        let different: BTreeSet<Mutant> = killers.iter().copied().collect();
        assert_eq!(killers.len(), different.len());
        assert_eq!(different, Mutant::ALL.iter().copied().collect());
    }

    #[test]
    fn names_and_ids_are_unique() {
        let names: BTreeSet<&str> = INVARIANTS.iter().map(|invariant| invariant.name).collect();
        let ids: BTreeSet<&str> = INVARIANTS.iter().flat_map(|invariant| invariant.id.split('/')).collect();
        assert_eq!(names.len(), INVARIANTS.len());
        assert_eq!(ids.len(), INVARIANTS.iter().map(|invariant| invariant.id.split('/').count()).sum::<usize>());
    }
}
