//! The mutant matrix: every planted bug must be killed by the invariant that is named for it, and by nothing else.

use crate::{
    batch::{Batch, Progress},
    judged::{CampaignError, Judged},
};
use kernel::{Mutant, Plan};
use oracle::InvariantVerdict;
use std::num::NonZeroUsize;

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The named invariant failed, and no other; without the bug everything holds.
    Killed {
        /// Checks that the invariant made with the bug planted.
        checks: u64,
        /// How many of them failed.
        violations: u64,
    },
    /// Nothing failed: a hole in the harness.
    Survived,
    /// Something else failed, besides or instead.
    WrongCause {
        /// The invariants that failed.
        failed: Vec<String>,
    },
    /// The named invariant fails without the bug too, so that its failure proves nothing.
    FailsAnyway {
        /// The invariants that fail without the bug.
        failed: Vec<String>,
    },
}

/// A row of the matrix.
#[derive(Clone, Debug)]
pub struct MutantRow {
    /// The mutant.
    pub mutant: Mutant,
    /// The invariant that must kill it.
    pub invariant: String,
    /// The scenario in which it must.
    pub scenario: String,
    /// What became of it.
    pub fate: Fate,
}

/// A mutant to be tried.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The mutant.
    pub mutant: Mutant,
    /// The invariant that must kill it.
    pub invariant: String,
    /// The plan in which it must; its own `mutant` and `expect` do not count.
    pub plan: Plan,
}

/// Runs each plan with its bug planted and without; rows come in the order of the trials.
pub fn try_mutants(trials: &[Trial], jobs: NonZeroUsize) -> Vec<Result<MutantRow, CampaignError>> {
    let plans =
        trials.iter().flat_map(|trial| [Some(trial.mutant), None].map(|mutant| Plan { mutant, ..trial.plan.clone() }));
    let batch = Batch { plans: plans.collect(), jobs, log: None, pictures: 0 };
    let mut runs = Vec::new();
    batch.run(&Progress::default(), |index, result| {
        let invariant = &trials[index / 2].invariant;
        runs.push(result.map(|judged| Failed::of(&judged, invariant)));
    });
    let mut runs = runs.into_iter();
    let mut next = || runs.next().expect("every plan gives a result");
    trials.iter().map(|trial| Ok(row(trial, next()?, next()?))).collect()
}

fn row(trial: &Trial, with: Failed, without: Failed) -> MutantRow {
    let invariant = &trial.invariant;
    let fate = if !without.names.is_empty() {
        Fate::FailsAnyway { failed: without.names }
    } else if with.names.is_empty() {
        Fate::Survived
    } else if with.names == [invariant.as_str()] {
        Fate::Killed { checks: with.checks, violations: with.violations }
    } else {
        Fate::WrongCause { failed: with.names }
    };
    let scenario = trial.plan.scenario.clone();
    MutantRow { mutant: trial.mutant, invariant: invariant.clone(), scenario, fate }
}

struct Failed {
    names: Vec<String>,
    checks: u64,
    violations: u64,
}

impl Failed {
    fn of(judged: &Judged, invariant: &str) -> Failed {
        let reports = &judged.judgement.invariants;
        let named = reports.iter().find(|report| report.name == invariant);
        let failed = reports.iter().filter(|report| report.verdict == InvariantVerdict::Failed);
        Failed {
            names: failed.map(|report| report.name.clone()).collect(),
            checks: named.map_or(0, |report| report.checks),
            violations: named.map_or(0, |report| report.violations),
        }
    }
}
