//! Many runs at once: one simulation a thread, results in the order of the requests whatever finishes first.

use crate::judged::{CampaignError, Judged};
use kernel::Plan;
use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};
use world::{LogFilter, RunOptions};

/// Runs to make.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The plans, in the order in which results come.
    pub plans: Vec<Plan>,
    /// How many simulations at once.
    pub jobs: NonZeroUsize,
    /// What to print while they run; only sensible for a single run.
    pub log: Option<LogFilter>,
    /// How many pictures each keeps for its report.
    pub pictures: usize,
}

/// How far a batch is. Shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Runs that are over.
    pub done: AtomicUsize,
    /// Simulated microseconds of the runs that are over.
    pub simulated_us: AtomicU64,
    /// Simulated microseconds of the latest run that is under way.
    pub current_us: Arc<AtomicU64>,
}

impl Batch {
    /// Runs all. `each` gets every result as soon as all earlier ones were given; it may keep it or let it go.
    pub fn run(&self, progress: &Progress, mut each: impl FnMut(usize, Result<Judged, CampaignError>)) {
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::sync_channel(self.jobs.get());
        let sender = Mutex::new(sender);
        thread::scope(|scope| {
            for _ in 0..self.jobs.get().min(self.plans.len()) {
                let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let (next, sender) = (&next, sender);
                scope.spawn(move || {
                    while let Some((index, plan)) = take(next, &self.plans) {
                        let result = Judged::run(plan, &self.options(progress));
                        progress.done.fetch_add(1, Ordering::Relaxed);
                        progress.simulated_us.fetch_add(plan.duration.0, Ordering::Relaxed);
                        if sender.send((index, result)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut early = std::collections::BTreeMap::new();
            let mut due = 0;
            for (index, result) in receiver {
                early.insert(index, result);
                while let Some(result) = early.remove(&due) {
                    each(due, result);
                    due += 1;
                }
            }
        });
    }

    fn options(&self, progress: &Progress) -> RunOptions {
        RunOptions { log: self.log.clone(), pictures: self.pictures, progress: Some(progress.current_us.clone()) }
    }
}

fn take<'a>(next: &AtomicUsize, plans: &'a [Plan]) -> Option<(usize, &'a Plan)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    plans.get(index).map(|plan| (index, plan))
}
