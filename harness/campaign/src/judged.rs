//! One run with its judgement.

use kernel::{Log, Plan};
use oracle::Judgement;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use world::{Outcome, Reference, RunOptions, WorldError, thread_cpu_time};

/// A run and what the oracle says about it.
#[derive(Debug)]
pub struct Judged {
    /// What the run left.
    pub outcome: Outcome,
    /// What the oracle says.
    pub judgement: Judgement,
    /// Wall time of the simulation and the judgement.
    pub wall: Duration,
    /// Processor time of the judgement alone.
    pub judging: Duration,
}

/// Everything that must be equal when a run is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDigest {
    /// Of all events and bytes.
    pub log: String,
    /// Of all draws through libc.
    pub draws: String,
    /// Number of those draws.
    pub draw_count: u64,
    /// Of the judgement: verdicts, metrics, findings.
    pub judgement: String,
}

/// Why a campaign could not go on. Not a verdict on the system under test.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The run could not be made.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The second process of a double run failed.
    #[error("the second process of the double run failed: {0}")]
    SecondProcess(String),
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

impl Judged {
    /// Runs a plan with the reference stack and judges it; a paired plan a second time as its pairing says.
    ///
    /// # Errors
    /// When the run could not be made; a broken promise is not an error but a verdict.
    pub fn run(plan: &Plan, options: &RunOptions) -> Result<Judged, CampaignError> {
        let started = wall_clock();
        let outcome = world::run(plan, Arc::new(Reference), options)?;
        let second = match plan.paired_with {
            Some(with) => Some(world::run(&plan.paired(with), Arc::new(Reference), &RunOptions::default())?),
            None => None,
        };
        let before = thread_cpu_time();
        let judgement = match &second {
            Some(second) => oracle::judge_pair(&outcome.log, &second.log),
            None => oracle::judge(&outcome.log),
        };
        let judging = thread_cpu_time() - before;
        Ok(Judged { outcome, judgement, wall: started.elapsed(), judging })
    }

    /// What must be equal when the run is repeated.
    pub fn digest(&self) -> RunDigest {
        let judgement = serde_json::to_vec(&self.judgement).expect("a judgement serializes");
        RunDigest {
            log: kernel::names::to_hex(&self.outcome.log.digest),
            draws: kernel::names::to_hex(&self.outcome.draws.digest),
            draw_count: self.outcome.draws.count,
            judgement: blake3::hash(&judgement).to_hex().to_string(),
        }
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.outcome.log
    }
}

/// Wall time is reported, never judged.
#[expect(clippy::disallowed_methods, reason = "measures the harness, outside every simulation")]
pub(crate) fn wall_clock() -> std::time::Instant {
    std::time::Instant::now()
}
