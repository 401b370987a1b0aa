//! Crashes of a store, judged: every write and sync of a workload, and each planted bug of durability with it.

use kernel::{Mutant, mutant};
use oracle::judge_recovery;
use world::{CrashSweep, CrashTrial, Survivor, WorldError, sweep_crashes};

/// What a sweep over every crash of a workload found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// What it went over.
    pub sweep: CrashSweep,
    /// Places of recovered graphs that acknowledged facts decide.
    pub checks: u64,
    /// Of those, the ones that said something else than was acknowledged.
    pub lost: u64,
    /// Crashes after which the friend graph was none that there ever was.
    pub not_prefixes: u64,
    /// Crashes after which the store could not be read.
    pub unreadable: u64,
    /// Old snapshots that, put back, miss something acknowledged: the comparison sees them.
    pub rollbacks_seen: u64,
    /// The first thing that is wrong, in a sentence.
    pub first: Option<String>,
}

impl CrashReport {
    /// Sweeps a workload of so many requests with at most one bug planted.
    ///
    /// # Errors
    /// When the workload cannot be recorded.
    pub fn of(seed: u64, requests: usize, planted: Option<Mutant>) -> Result<CrashReport, WorldError> {
        mutant::plant(planted.as_slice());
        let mut report = CrashReport::default();
        let swept = sweep_crashes(seed, requests, |trial| report.judge(trial));
        mutant::plant(&[]);
        report.sweep = swept.map_err(|error| WorldError::Store(error.to_string()))?;
        Ok(report)
    }

    /// Whether nothing was lost, halved or unreadable, and something was looked at.
    pub fn holds(&self) -> bool {
        self.checks > 0 && [self.lost, self.not_prefixes, self.unreadable] == [0; 3]
    }

    fn judge(&mut self, trial: &CrashTrial) {
        let recovered = match &trial.recovered {
            Ok(recovered) => recovered,
            Err(error) => {
                self.unreadable += 1;
                return self.note(trial, || format!("the store cannot be read: {error}"));
            }
        };
        let verdict = judge_recovery(trial.acknowledged, trial.under_way, recovered);
        if trial.survivor == Survivor::Snapshot {
            self.rollbacks_seen += u64::from(!verdict.lost.is_empty());
            return;
        }
        self.checks += verdict.checks;
        self.lost += verdict.lost.len() as u64;
        self.not_prefixes += u64::from(!verdict.is_prefix);
        if let Some(lost) = verdict.lost.first() {
            self.note(trial, || lost.clone());
        }
        if !verdict.is_prefix {
            self.note(trial, || "the friend graph is none that there ever was".into());
        }
    }

    fn note(&mut self, trial: &CrashTrial, sentence: impl FnOnce() -> String) {
        self.first.get_or_insert_with(|| format!("after operation {}: {}", trial.operations, sentence()));
    }
}
