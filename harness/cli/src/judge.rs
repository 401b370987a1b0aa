//! `judge`: the oracle again on a saved log, no simulation.

use crate::exit::{Exit, Failure};
use oracle::Verdict;
use reports::{Run, RunFacts};
use std::path::Path;

/// Judges the log of a run's folder, or of its events file, and prints the verdict.
pub(crate) fn run(events: &Path) -> miette::Result<Exit> {
    let log = reports::read_events(events).map_err(|error| Failure::Usage(error.to_string()))?;
    let judgement = oracle::judge(&log);
    let facts = RunFacts { reproduce: format!("cargo xtask judge {}", events.display()), ..RunFacts::default() };
    anstream::println!("{}", reports::console(&Run { log: &log, judgement: &judgement, facts: &facts }));
    Ok(if judgement.verdict == Verdict::Passed { Exit::Held } else { Exit::Broken })
}
