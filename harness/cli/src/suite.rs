//! From the words on the command line to scenarios, plans and the facts of their runs.

use crate::{
    args::{Seeds, SimulateArgs},
    exit::Failure,
};
use campaign::{Judged, LogFilter};
use kernel::Plan;
use reports::RunFacts;
use scenarios::{CellPattern, Overrides, Scenario};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A plan with the scenario that it came from.
pub(crate) struct Chosen {
    pub(crate) scenario: Scenario,
    pub(crate) plan: Plan,
}

/// Changes from the command line, checked for their form.
pub(crate) fn overrides(set: &[String], network: Option<&str>, codec: Option<&str>) -> miette::Result<Overrides> {
    let set = set.iter().map(|text| text.parse()).collect::<Result<_, scenarios::OverrideSyntax>>();
    let set = set.map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(Overrides { set, network: network.map(str::to_owned), codec: codec.map(str::to_owned) })
}

/// The scenarios that the patterns name, each once, in the order of the patterns. A pattern that names several files
/// leaves those of the suite `nightly` out.
pub(crate) fn scenarios(patterns: &[String], overrides: &Overrides) -> miette::Result<Vec<Scenario>> {
    select(patterns, overrides, false)
}

/// As [`scenarios`], with those of the night.
pub(crate) fn scenarios_and_nights(patterns: &[String], overrides: &Overrides) -> miette::Result<Vec<Scenario>> {
    select(patterns, overrides, true)
}

fn select(patterns: &[String], overrides: &Overrides, nights: bool) -> miette::Result<Vec<Scenario>> {
    let vocabulary = campaign::vocabulary();
    let mut loaded: Vec<Scenario> = Vec::new();
    let mut invalid = None;
    let mut known: BTreeMap<PathBuf, Vec<Scenario>> = BTreeMap::new();
    for text in patterns {
        let pattern = CellPattern::parse(text);
        let found = scenarios::find(pattern.files).map_err(|error| Failure::Usage(error.to_string()))?;
        let mut chosen = Vec::new();
        let by_name = found.len() == 1;
        for path in found {
            if !known.contains_key(&path) {
                match scenarios::load(&path, &vocabulary, overrides) {
                    Ok(all) => drop(known.insert(path.clone(), all)),
                    // Every broken file is shown; the last one ends the verb.
                    Err(error) => {
                        known.insert(path.clone(), Vec::new());
                        if let Some(earlier) = invalid.replace(miette::Report::new(error)) {
                            anstream::eprintln!("{earlier:?}");
                        }
                    }
                }
            }
            chosen.extend(known[&path].iter().filter(|scenario| pattern.admits(scenario.name())).cloned());
        }
        if chosen.is_empty() && invalid.is_none() {
            return Err(Failure::Usage(format!("no cell of {} is called `{text}`", pattern.files)).into());
        }
        if !by_name && !nights {
            leave_nights_out(&mut chosen);
        }
        chosen.retain(|scenario| loaded.iter().all(|earlier| earlier.name() != scenario.name()));
        loaded.extend(chosen);
    }
    invalid.map_or(Ok(loaded), Err)
}

fn leave_nights_out(scenarios: &mut Vec<Scenario>) {
    let before = scenarios.len();
    scenarios.retain(|scenario| scenario.suite == scenarios::Suite::Pr);
    let left_out = before - scenarios.len();
    if left_out > 0 {
        anstream::eprintln!("{left_out} scenarios of the suite `nightly` are left out; name them to run them");
    }
}

/// One plan for each scenario and seed.
pub(crate) fn plans(scenarios: Vec<Scenario>, seed: Option<u64>, seeds: Option<&Seeds>) -> Vec<Chosen> {
    let mut chosen = Vec::new();
    for scenario in scenarios {
        let own = || scenario.seeds.as_slice().to_vec();
        let seeds: Vec<u64> = seed.map_or_else(|| seeds.map_or_else(own, |seeds| seeds.0.clone()), |seed| vec![seed]);
        chosen.extend(seeds.iter().map(|seed| Chosen { plan: scenario.plan(*seed), scenario: scenario.clone() }));
    }
    chosen
}

/// A log filter from the command line.
pub(crate) fn log_filter(text: Option<&str>) -> miette::Result<Option<LogFilter>> {
    Ok(text.map(LogFilter::parse).transpose().map_err(Failure::Usage)?)
}

/// What is known about a run besides its log.
pub(crate) fn facts(scenario: &Path, judged: &Judged, reproduce: String) -> RunFacts {
    let plan = &judged.judgement.plan;
    RunFacts {
        scenario_path: relative(scenario),
        config_hash: config_hash(plan),
        commit: commit().to_owned(),
        environment: environment(),
        wall_ms: u64::try_from(judged.wall.as_millis()).unwrap_or(u64::MAX),
        simulated: plan.timeline_start + plan.duration,
        reproduce,
        draws: judged.outcome.draws.clone(),
        pictures: judged.outcome.pictures.clone(),
        ..RunFacts::default()
    }
}

/// The command that makes a run again.
pub(crate) fn reproduce(scenario: &Scenario, seed: u64, args: &SimulateArgs) -> String {
    // The brackets of a cell are the shell's too.
    let quote = if scenario.name().contains('[') { "'" } else { "" };
    let mut command = format!("cargo xtask simulate {quote}{}{quote} --seed {seed}", scenario.name());
    for change in &args.set {
        command += &format!(" --set '{}'", change.replace('\'', "'\\''"));
    }
    if let Some(network) = &args.network {
        command += &format!(" --network {network}");
    }
    if let Some(codec) = &args.codec {
        command += &format!(" --codec {codec}");
    }
    command
}

/// Folder of the runs' reports.
pub(crate) fn runs_folder() -> PathBuf {
    repository().join("reports").join("runs")
}

/// Folder of the committed baselines.
pub(crate) fn baselines_folder() -> PathBuf {
    repository().join("reports").join("baselines")
}

fn repository() -> PathBuf {
    scenarios::directory().parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A path as people write it: relative to the repository where it lies inside.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}

/// Hash of everything that a scenario decides, without the seed.
pub(crate) fn config_hash(plan: &Plan) -> String {
    let unseeded = Plan { seed: 0, ..plan.clone() };
    let text = serde_json::to_vec(&unseeded).expect("a plan serializes");
    blake3::hash(&text).to_hex()[..16].to_owned()
}

/// The fingerprint of this environment; empty where the codecs are missing, in which case no run was made either.
pub(crate) fn environment() -> BTreeMap<String, String> {
    campaign::environment().unwrap_or_default()
}

/// The commit that this is, `+changes` behind it when the tree is not clean; `unknown` outside git.
fn commit() -> &'static str {
    static COMMIT: OnceLock<String> = OnceLock::new();
    COMMIT.get_or_init(|| {
        let git = |args: &[&str]| {
            let output = Command::new("git").current_dir(repository()).args(args).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let Some(head) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".into() };
        let clean = git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty());
        if clean { head } else { head + "+changes" }
    })
}
