//! Every scenario file is a test: its first seed comes to what the file expects. Canaries must fail, as they say.

use campaign::{Judged, RunOptions, vocabulary};
use libtest_mimic::{Arguments, Failed, Trial};
use oracle::Verdict;
use scenarios::Overrides;
use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let files = scenarios::list().expect("the folder of the scenarios can be read");
    let trials = files.into_iter().map(|file| Trial::test(name(&file), move || comes_to_what_it_expects(&file)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// `family/stem`, as on the command line.
fn name(file: &Path) -> String {
    let family = file.parent().and_then(Path::file_name).unwrap_or_default();
    format!("{}/{}", family.to_string_lossy(), file.file_stem().unwrap_or_default().to_string_lossy())
}

fn comes_to_what_it_expects(file: &Path) -> Result<(), Failed> {
    let scenario = scenarios::load(file, &vocabulary(), &Overrides::default())
        .map_err(|error| format!("{:?}", miette::Report::new(error)))?;
    let seed = *scenario.seeds.as_slice().first().ok_or("it has no seed")?;
    let judgement = Judged::run(&scenario.plan(seed), &RunOptions::default())?.judgement;
    match judgement.verdict {
        Verdict::Passed => Ok(()),
        Verdict::Failed => {
            let reasons = judgement.reasons.join("\n");
            Err(format!("{reasons}\ncargo xtask simulate {} --seed {seed}", scenario.name()).into())
        }
    }
}
