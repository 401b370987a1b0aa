//! Every scenario file is a test: its first seed comes to what the file expects. Canaries must fail, as they say.

use campaign::{Judged, RunOptions, vocabulary};
use libtest_mimic::{Arguments, Failed, Trial};
use oracle::Verdict;
use scenarios::{Overrides, Scenario, Suite};
use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let files = scenarios::list().expect("the folder of the scenarios can be read");
    let trials = files.iter().flat_map(|file| trials(file));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// One for each scenario of a file; those of the night are run when they are asked for.
fn trials(file: &Path) -> Vec<Trial> {
    match scenarios::load(file, &vocabulary(), &Overrides::default()) {
        Ok(all) => all.into_iter().map(trial).collect(),
        Err(error) => {
            let message = format!("{:?}", miette::Report::new(error));
            vec![Trial::test(file.display().to_string(), move || Err(message.into()))]
        }
    }
}

/// `family/stem`, as on the command line.
fn trial(scenario: Scenario) -> Trial {
    let name = format!("{}/{}", scenario.family(), scenario.name());
    let nightly = scenario.suite == Suite::Nightly;
    Trial::test(name, move || comes_to_what_it_expects(&scenario)).with_ignored_flag(nightly)
}

fn comes_to_what_it_expects(scenario: &Scenario) -> Result<(), Failed> {
    let seed = *scenario.seeds.as_slice().first().ok_or("it has no seed")?;
    let judgement = Judged::run(&scenario.plan(seed), &RunOptions::default())?.judgement;
    match judgement.verdict {
        Verdict::Passed => Ok(()),
        Verdict::Failed => {
            let reasons = judgement.reasons.join("\n");
            Err(format!("{reasons}\ncargo xtask simulate '{}' --seed {seed}", scenario.name()).into())
        }
    }
}
