//! Many orders of one plan: what is due at one instant takes place in another seeded order each time.

use crate::{
    batch::{Batch, Progress},
    judged::{CampaignError, Judged, wall_clock},
};
use kernel::{Plan, plan::SchedulePlan};
use oracle::InvariantVerdict;
use std::{num::NonZeroUsize, time::Duration};
use world::{Trail, Trails};

/// Orders that are looked at before any of them is run: few at first, as those that follow are known by them.
const CHUNK: u64 = 16;

/// What came of a plan's orders.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Invariants that fail in the order in which things were queued.
    pub as_queued: Vec<String>,
    /// Orders that were tried besides.
    pub tried: u64,
    /// Steps at which several could act, of the first order.
    pub choices: u64,
    /// How many of the orders differ: those that choose alike at every step are one, and are run once.
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
    let seed = plan.seed;
    let plan = |schedule| Plan { schedule, paired_with: None, ..plan.clone() };
    let counting = SchedulePlan { depth: 1, number: 0, steps: 1 };
    let as_queued = runs(vec![plan(None)], jobs)?.swap_remove(0).failed;
    let steps = runs(vec![plan(Some(counting))], jobs)?.swap_remove(0).choices;
    let order = |number| SchedulePlan { depth, number, steps };
    let (mut trails, mut came_to) = (Trails::default(), Vec::new());
    let (mut failed, mut first) = (0, None);
    for begin in (0..schedules).step_by(CHUNK as usize) {
        let numbers = begin..(begin + CHUNK).min(schedules);
        let unknown = numbers.clone().filter(|number| trails.find(seed, order(*number)).is_none());
        for ran in runs(unknown.map(|number| plan(Some(order(number)))).collect(), jobs)? {
            if trails.add(ran.trail, came_to.len()) {
                came_to.push(ran.failed);
            }
        }
        for number in numbers {
            let run = trails.find(seed, order(number)).expect("a run leaves the trail that its order leads along");
            if !came_to[run].is_empty() {
                failed += 1;
                first.get_or_insert_with(|| (number, came_to[run].clone()));
            }
        }
    }
    let (different, wall) = (came_to.len(), started.elapsed());
    Ok(Explored { as_queued, tried: schedules, choices: steps, different, failed, first, wall })
}

/// What is kept of a run.
struct Ran {
    failed: Vec<String>,
    choices: u64,
    trail: Trail,
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
    Ran { failed, choices: outcome.choices, trail: outcome.trail }
}
