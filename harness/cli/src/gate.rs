//! `gate`: thresholds and baselines of a suite, in one verdict.

use crate::{
    args::{GateArgs, Seeds, SuiteName},
    exit::{Exit, Failure},
    progress::Bar,
    suite::{self, Chosen},
};
use campaign::{Batch, Judged, Progress};
use oracle::Verdict;
use reports::{Baseline, Gate, Gated, Run};
use scenarios::Scenario;
use std::num::NonZeroUsize;

/// The family whose scenarios must fail: they prove the oracle, and have no quality to keep.
const CANARIES: &str = "canary";
/// Seeds of the nightly suite.
const NIGHTLY_SEEDS: u64 = 5;

/// Runs the suite and compares.
pub(crate) fn run(args: &GateArgs) -> miette::Result<Exit> {
    let overrides = suite::overrides(&args.set, None, args.codec.as_deref())?;
    let scenarios = of_suite(&args.scenarios, &overrides, args.suite)?;
    let seeds = match args.suite {
        SuiteName::Pr => None,
        SuiteName::Nightly => Some(Seeds((1..=NIGHTLY_SEEDS).collect())),
    };
    let chosen = suite::plans(scenarios, None, seeds.as_ref());
    let mut exit = Exit::Held;
    let mut gate = Gate { runs: Vec::new() };
    each_run(&chosen, args.jobs, |chosen, judged| {
        let facts = suite::facts(&chosen.scenario.path, judged, String::new());
        let run = Run { log: judged.log(), judgement: &judged.judgement, facts: &facts };
        let baseline = Baseline::load(&suite::baselines_folder(), chosen.scenario.name());
        let baseline = baseline.map_err(|error| Failure::Report(error.to_string()))?;
        if judged.judgement.verdict == Verdict::Failed {
            anstream::eprintln!("{}", reports::console(&run));
        }
        // Only the seed that was blessed has a baseline; the others are judged by their thresholds.
        let blessed = baseline.filter(|baseline| baseline.seed == chosen.plan.seed.to_string());
        if blessed.is_some() || chosen.scenario.seeds.as_slice().first() == Some(&chosen.plan.seed) {
            let comparison = blessed.map(|baseline| baseline.compare(&run));
            let (scenario, seed) = (chosen.scenario.name().to_owned(), chosen.plan.seed);
            gate.runs.push(Gated { scenario, seed, verdict: judged.judgement.verdict, comparison });
        } else if judged.judgement.verdict == Verdict::Failed {
            exit = exit.and(Exit::Broken);
        }
        Ok(())
    })?;
    anstream::println!("{}", gate.table());
    if gate.failed() {
        exit = exit.and(Exit::Broken);
    }
    if gate.regressed() {
        exit = exit.and(Exit::Regressed);
    }
    Ok(exit)
}

/// The named scenarios, or all of the suite that have a quality to keep.
pub(crate) fn of_suite(
    names: &[String],
    overrides: &scenarios::Overrides,
    suite: SuiteName,
) -> miette::Result<Vec<Scenario>> {
    let all = ["all".to_owned()];
    let patterns = if names.is_empty() { &all } else { names };
    let mut scenarios = match suite {
        SuiteName::Pr => suite::scenarios(patterns, overrides)?,
        SuiteName::Nightly => suite::scenarios_and_nights(patterns, overrides)?,
    };
    scenarios.retain(|scenario| scenario.family() != CANARIES);
    Ok(scenarios)
}

/// Runs and judges each plan with a progress bar; the first error ends the verb when all are through.
pub(crate) fn each_run(
    chosen: &[Chosen],
    jobs: NonZeroUsize,
    mut each: impl FnMut(&Chosen, &Judged) -> miette::Result<()>,
) -> miette::Result<()> {
    let plans = chosen.iter().map(|chosen| chosen.plan.clone()).collect();
    let batch = Batch { plans, jobs, log: None, pictures: 0 };
    let progress = Progress::default();
    let mut first_error = None;
    Bar::during(&progress, &batch.plans, |_| {
        batch.run(&progress, |index, result| {
            let done = result.map_err(|error| Failure::Campaign(error).into());
            if let Err(error) = done.and_then(|judged| each(&chosen[index], &judged)) {
                first_error.get_or_insert(error);
            }
        });
    });
    first_error.map_or(Ok(()), Err)
}
