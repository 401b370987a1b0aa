//! `bless`: the measured values become the baselines, with a reason.

use crate::{
    args::{BlessArgs, Expectations, SuiteName},
    exit::{Exit, Failure},
    gate, suite,
};
use oracle::Verdict;
use reports::Run;
use scenarios::Overrides;

/// Runs the first seed of each scenario and writes its baseline; prints what changed. A run that fails is not blessed.
pub(crate) fn run(args: &BlessArgs) -> miette::Result<Exit> {
    let Expectations::Baselines = args.what;
    let scenarios = gate::of_suite(&args.scenarios, &Overrides::default(), SuiteName::Pr)?;
    let mut chosen = suite::plans(scenarios, None, None);
    chosen.retain(|chosen| chosen.scenario.seeds.as_slice().first() == Some(&chosen.plan.seed));
    let mut exit = Exit::Held;
    gate::each_run(&chosen, args.jobs, |chosen, judged| {
        let facts = suite::facts(&chosen.scenario.path, judged, String::new());
        let run = Run { log: judged.log(), judgement: &judged.judgement, facts: &facts };
        if judged.judgement.verdict == Verdict::Failed {
            anstream::eprintln!("{}\n{} fails: not blessed", reports::console(&run), chosen.scenario.name());
            exit = exit.and(Exit::Broken);
            return Ok(());
        }
        let changed = reports::bless(&suite::baselines_folder(), &run, &args.reason);
        let changed = changed.map_err(|error| Failure::Usage(error.to_string()))?;
        anstream::println!("{}", changed.table(chosen.scenario.name()));
        Ok(())
    })?;
    Ok(exit)
}
