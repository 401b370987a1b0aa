//! Seeded orders of whole runs.

use super::table;
use crate::{
    args::ExploreArgs,
    exit::{Exit, Failure},
    suite,
};
use campaign::schedules::{Explored, explore};
use kernel::{Mutant, Plan};

/// Runs each scenario under many orders. Without a planted bug all must hold; a planted one must be found.
pub(crate) fn run(args: &ExploreArgs) -> miette::Result<Exit> {
    let mutant: Option<Mutant> = args.mutant.as_deref().map(str::parse).transpose().map_err(usage)?;
    let overrides = suite::overrides(&args.set, None, Some(&args.codec))?;
    let mut table = table(["scenario", "mutant", "as queued", "schedules", "choices", "failed", "first", "seconds"]);
    let mut held = true;
    for chosen in suite::plans(suite::scenarios(&args.scenarios, &overrides)?, None, None) {
        let plan = Plan { mutant: mutant.or(chosen.plan.mutant), ..chosen.plan };
        let explored = explore(&plan, args.schedules, args.depth, args.jobs).map_err(Failure::Campaign)?;
        let as_queued = if explored.as_queued.is_empty() { "held".into() } else { explored.as_queued.join(", ") };
        held &= if plan.mutant.is_some() {
            explored.failed > 0
        } else {
            explored.failed == 0 && explored.as_queued.is_empty()
        };
        table.add_row([
            plan.scenario.clone(),
            plan.mutant.map_or(String::new(), |mutant| mutant.to_string()),
            as_queued,
            explored.tried.to_string(),
            explored.choices.to_string(),
            explored.failed.to_string(),
            first(&explored),
            format!("{:.1}", explored.wall.as_secs_f64()),
        ]);
    }
    anstream::println!("{table}");
    Ok(if held { Exit::Held } else { Exit::Broken })
}

fn first(explored: &Explored) -> String {
    explored.first.as_ref().map_or("-".into(), |(number, failed)| format!("{number}: {}", failed.join(", ")))
}

fn usage(error: kernel::mutant::UnknownMutant) -> Failure {
    Failure::Usage(error.to_string())
}
