//! Many orders of one plan: what is due at one instant takes place in another seeded order each time.

use crate::{
    batch::{Batch, Progress},
    judged::{CampaignError, Judged, wall_clock},
};
use kernel::{Log, Plan, event::Event, plan::SchedulePlan};
use oracle::InvariantVerdict;
use std::{collections::BTreeSet, num::NonZeroUsize, time::Duration};

/// Plans that are made ready at once: a plan with its traces is large.
const CHUNK: u64 = 64;

/// What came of a plan's orders.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Invariants that fail in the order in which things were queued.
    pub as_queued: Vec<String>,
    /// Orders that were tried besides.
    pub tried: u64,
    /// Steps at which several could act, of the first order.
    pub choices: u64,
    /// How many different logs came of the orders: those that only swap what does not show are one.
    pub different: usize,
    /// Orders in which an invariant failed.
    pub failed: u64,
    /// The first of them, and what failed.
    pub first: Option<(u64, Vec<String>)>,
    /// How long all of it took.
    pub wall: Duration,
}

/// Runs a plan as it is queued, once to count its choices, and in `schedules` orders of a depth.
///
/// # Errors
/// When a run could not be made.
pub fn explore(plan: &Plan, schedules: u64, depth: u32, jobs: NonZeroUsize) -> Result<Explored, CampaignError> {
    let started = wall_clock();
    let plan = |schedule| Plan { schedule, paired_with: None, ..plan.clone() };
    let order = |number, steps| plan(Some(SchedulePlan { depth, number, steps }));
    let counting = SchedulePlan { depth: 1, number: 0, steps: 1 };
    let as_queued = runs(vec![plan(None)], jobs)?.swap_remove(0).failed;
    let choices = runs(vec![plan(Some(counting))], jobs)?.swap_remove(0).choices;
    let (mut failed, mut first, mut logs) = (0, None, BTreeSet::new());
    for begin in (0..schedules).step_by(CHUNK as usize) {
        let numbers = begin..(begin + CHUNK).min(schedules);
        let plans = numbers.clone().map(|number| order(number, choices)).collect();
        for (number, result) in numbers.zip(runs(plans, jobs)?) {
            logs.insert(result.digest);
            if !result.failed.is_empty() {
                failed += 1;
                first.get_or_insert((number, result.failed));
            }
        }
    }
    let different = logs.len();
    Ok(Explored { as_queued, tried: schedules, choices, different, failed, first, wall: started.elapsed() })
}

/// What is kept of a run.
struct Ran {
    failed: Vec<String>,
    choices: u64,
    digest: [u8; 16],
}

fn runs(plans: Vec<Plan>, jobs: NonZeroUsize) -> Result<Vec<Ran>, CampaignError> {
    let batch = Batch { plans, jobs, log: None, pictures: 0 };
    let mut results = Vec::new();
    batch.run(&Progress::default(), |_, result| results.push(result.map(result_of)));
    results.into_iter().collect()
}

fn result_of(Judged { outcome, judgement, .. }: Judged) -> Ran {
    let reports = judgement.invariants.into_iter();
    let failed =
        reports.filter(|report| report.verdict == InvariantVerdict::Failed).map(|report| report.name).collect();
    let Log { records, blobs, .. } = outcome.log;
    // The plan names the order, and would make each log another.
    let events = records.into_iter().filter(|record| !matches!(record.event, Event::Plan(_))).collect();
    let digest = Log::restore(events, blobs).expect("the blobs are the log's own").digest;
    Ran { failed, choices: outcome.choices, digest }
}
