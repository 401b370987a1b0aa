//! `simulate`: run, judge, write reports, say what came out.

use crate::{
    args::{Format, SimulateArgs},
    exit::{Exit, Failure},
    progress::Bar,
    suite::{self, Chosen},
};
use campaign::{Batch, CampaignError, Judged, Progress, determinism};
use kernel::Plan;
use oracle::Verdict;
use reports::{Run, RunReport, Suite};
use std::{
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

/// Pictures that a run keeps for its page: one a second and participant.
const PICTURES: usize = 60;

/// Runs what the arguments name.
pub(crate) fn run(args: &SimulateArgs) -> miette::Result<Exit> {
    let overrides = suite::overrides(&args.set, args.network.as_deref(), args.codec.as_deref())?;
    let chosen = suite::plans(suite::scenarios(&args.scenarios, &overrides)?, args.seed, args.seeds.as_ref());
    let batch = Batch {
        plans: chosen.iter().map(|chosen| chosen.plan.clone()).collect(),
        jobs: args.jobs,
        log: suite::log_filter(args.log.as_deref())?,
        pictures: if args.no_report { 0 } else { PICTURES },
    };
    let mut teller =
        Teller { args, chosen: &chosen, exit: Exit::Held, reports: Vec::new(), differences: 0, error: None };
    let progress = Progress::default();
    Bar::during(&progress, &batch.plans, |bar| batch.run(&progress, |index, result| teller.take(index, result, bar)));
    if let Some(error) = teller.error {
        return Err(error);
    }
    teller.close()?;
    Ok(teller.exit)
}

/// What the second process of a double run does.
pub(crate) fn rerun(records: Option<&Path>) -> miette::Result<Exit> {
    let mut text = String::new();
    let failed = |path: &str, error| Failure::Files { path: path.into(), error };
    std::io::stdin().read_to_string(&mut text).map_err(|error| failed("standard input", error))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("the plan: {error}")))?;
    let report = determinism::rerun(&plan, records).map_err(Failure::Campaign)?;
    println!("{}", serde_json::to_string(&report).expect("a report serializes"));
    Ok(Exit::Held)
}

/// Takes results as they come and tells people and machines.
struct Teller<'a> {
    args: &'a SimulateArgs,
    chosen: &'a [Chosen],
    exit: Exit,
    reports: Vec<RunReport>,
    differences: usize,
    error: Option<miette::Report>,
}

impl Teller<'_> {
    fn take(&mut self, index: usize, result: Result<Judged, CampaignError>, bar: &Bar<'_>) {
        let told = match result {
            Ok(judged) => self.tell(&self.chosen[index], &judged, bar),
            Err(error) => {
                let Chosen { scenario, plan } = &self.chosen[index];
                self.exit = self.exit.and(Exit::of_campaign(&error));
                bar.say(&format!("ERROR {} seed {}: {error}", scenario.name(), plan.seed));
                Ok(())
            }
        };
        if let Err(error) = told {
            self.error.get_or_insert(error);
        }
    }

    fn tell(&mut self, chosen: &Chosen, judged: &Judged, bar: &Bar<'_>) -> miette::Result<()> {
        let args = self.args;
        let reproduce = suite::reproduce(&chosen.scenario, chosen.plan.seed, args);
        let mut facts = suite::facts(&chosen.scenario.path, judged, reproduce);
        let run = Run { log: judged.log(), judgement: &judged.judgement, facts: &facts };
        if judged.judgement.verdict == Verdict::Failed {
            self.exit = self.exit.and(Exit::Broken);
        }
        let artefacts = if args.no_report {
            Vec::new()
        } else {
            reports::write(&suite::runs_folder(), &run).map_err(|error| Failure::Report(error.to_string()))?
        };
        let report = RunReport::new(&run, &artefacts);
        let page = suite::runs_folder().join(run.folder()).join("index.html");
        if !args.no_report {
            facts.page = Some(suite::relative(&page).into());
        }
        if args.check_determinism {
            self.double(judged, bar)?;
        }
        match args.format {
            Format::Json => bar.print(&String::from_utf8_lossy(&report.to_json()).replace('\n', "")),
            Format::Human if self.chosen.len() == 1 => {
                let run = Run { log: judged.log(), judgement: &judged.judgement, facts: &facts };
                bar.say(reports::console(&run).trim_end());
            }
            Format::Human => bar.say(&line(judged)),
        }
        if args.open && self.chosen.len() == 1 {
            open(&page);
        }
        self.reports.push(report);
        Ok(())
    }

    fn double(&mut self, judged: &Judged, bar: &Bar<'_>) -> miette::Result<()> {
        let plan = &judged.judgement.plan;
        let scratch = Scratch::create(&format!("{}-{}", plan.scenario, plan.seed))?;
        let Some(divergence) = determinism::check(judged, &scratch.0).map_err(Failure::Campaign)? else {
            if self.chosen.len() == 1 {
                bar.say(&format!("double   0 differences; digest {}", &judged.digest().log[..16]));
            }
            return Ok(());
        };
        self.differences += 1;
        self.exit = self.exit.and(Exit::Nondeterministic);
        bar.say(&format!("DIFFERS  {} seed {}: {}", plan.scenario, plan.seed, divergence.sentence()));
        if let Some((first, second)) = divergence.record {
            let shown = |line: Option<String>| line.unwrap_or_else(|| "(the run ends here)".into());
            bar.say(&format!("  first  {}\n  second {}", shown(first), shown(second)));
        }
        Ok(())
    }

    /// The table of many runs, and its files.
    fn close(&self) -> miette::Result<()> {
        if self.reports.len() < 2 && self.chosen.len() < 2 {
            return Ok(());
        }
        let suite = Suite { runs: self.reports.clone() };
        if self.args.check_determinism {
            anstream::eprintln!("double runs: {} runs, {} differences", self.reports.len(), self.differences);
        }
        if !self.args.no_report {
            let folder = suite::runs_folder();
            reports::write_suite(&folder, &suite).map_err(|error| Failure::Report(error.to_string()))?;
            anstream::eprintln!("report   {}", suite::relative(&folder.join("index.html")));
        }
        if self.args.format == Format::Human {
            // The table ends with the commands that reproduce what failed: they are the last thing to be read.
            anstream::eprintln!("{}\n{}", suite.sentence(), suite.table().trim_end());
        }
        Ok(())
    }
}

fn line(judged: &Judged) -> String {
    let plan = &judged.judgement.plan;
    let word = if judged.judgement.verdict == Verdict::Passed { "PASS" } else { "FAIL" };
    let speed = plan.duration.to_duration().as_secs_f64() / judged.wall.as_secs_f64().max(1e-9);
    let reasons = judged.judgement.reasons.join("; ");
    format!("{word}  {:<44} seed {:<6} {speed:5.1} x real time  {reasons}", plan.scenario, plan.seed)
}

/// Opening a page is a courtesy: where no browser starts, the path was printed.
fn open(page: &Path) {
    let _ = Command::new("xdg-open").arg(page).spawn();
}

/// A folder for the second process, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn create(name: &str) -> miette::Result<Scratch> {
        let folder = suite::runs_folder().join(format!(".double-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|error| Failure::Files { path: folder.display().to_string(), error })?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
