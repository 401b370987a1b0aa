//! The command line.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::{num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

/// Simulates and judges end-to-end encrypted calls.
///
/// Exit codes: 0 all held; 1 an invariant or threshold failed; 2 usage or an invalid scenario; 3 the environment lacks
/// something; 4 worse than the baseline only; 5 nondeterminism; 6 the harness itself failed; 101 panic.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Simulate scenarios, judge them and write their reports.
    Simulate(SimulateArgs),
    /// List what there is: scenarios, presets, invariants, mutants, metrics.
    List {
        /// What to list; everything when left out.
        what: Option<Catalogue>,
    },
    /// Show a scenario as it is resolved: everyone, every link, every step.
    Show {
        /// Stem, glob or path.
        scenario: String,
    },
    /// Simulate a suite, judge it and compare with the committed baselines: what CI calls.
    Gate(GateArgs),
    /// Accept the measured values as the new baselines; the only way in which they change.
    Bless(BlessArgs),
    /// Plant each known bug and prove that the invariant named for it catches it, and only that.
    Mutants(MutantArgs),
    /// Explore orders of events: every one between the cores of devices and server, or with scenarios seeded ones of runs.
    Explore(ExploreArgs),
    /// Run every story and canary, and say of each promise what tried it and what shows that it can fail.
    Conformance(ConformanceArgs),
    /// Crash a server's store at every write and sync of a workload, and see that nothing acknowledged is lost.
    Crashes(CrashesArgs),
    /// Judge a saved event log again, without simulating.
    Judge {
        /// The `events.jsonl.zst` of a run, or its folder.
        events: PathBuf,
    },
    /// Write the JSON schema of scenario files.
    Schema {
        /// Only say whether the committed one is current.
        #[arg(long)]
        check: bool,
    },
    /// Measure what a run costs, as ratios taken in one run.
    Bench(BenchArgs),
    /// Print the fingerprint of this environment: package versions and codec self-tests.
    #[command(hide = true)]
    Fingerprint,
    /// The second process of a double run: the plan on standard input, digests on standard output.
    #[command(hide = true, name = campaign::determinism::RERUN_VERB)]
    RerunForComparison {
        /// Where to write the records.
        records: Option<PathBuf>,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SimulateArgs {
    /// Which: a file stem, a glob such as `canary/*`, `all`, or the path of a TOML file.
    #[arg(required = true)]
    pub(crate) scenarios: Vec<String>,
    /// One seed instead of the file's.
    #[arg(long, conflicts_with = "seeds")]
    pub(crate) seed: Option<u64>,
    /// Many seeds: `A..B` (B excluded), or a number N for 1..N+1.
    #[arg(long)]
    pub(crate) seeds: Option<Seeds>,
    /// How many simulations at once.
    #[arg(long, default_value_t = default_jobs())]
    pub(crate) jobs: NonZeroUsize,
    /// Change a value of the scenario: `--set duration=5s`, `--set participant.alice.network.up.propagation=35ms`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Put every participant behind this network preset.
    #[arg(long, value_name = "PRESET")]
    pub(crate) network: Option<String>,
    /// Send with this video codec; `modelled` is RFC 8593's traffic without pictures or sound, and the fastest.
    #[arg(long, value_name = "vp8|modelled")]
    pub(crate) codec: Option<String>,
    /// Run everything again in a second process and compare every byte.
    #[arg(long)]
    pub(crate) check_determinism: bool,
    /// Print what actors log, with simulated time: a tracing filter such as `info` or `str0m=debug`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// What standard output carries.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Open the report in a browser.
    #[arg(long)]
    pub(crate) open: bool,
    /// Write no report files.
    #[arg(long)]
    pub(crate) no_report: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GateArgs {
    /// Which scenarios.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) suite: SuiteName,
    /// How many simulations at once.
    #[arg(long, default_value_t = default_jobs())]
    pub(crate) jobs: NonZeroUsize,
    /// Only these scenarios of the suite.
    pub(crate) scenarios: Vec<String>,
    /// Send with this video codec, `vp8` or `modelled`, whatever the scenario says.
    #[arg(long, value_name = "vp8|modelled")]
    pub(crate) codec: Option<String>,
    /// Change a value of every scenario, to see the gate at work.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BlessArgs {
    /// What to accept.
    #[arg(value_enum, default_value_t)]
    pub(crate) what: Expectations,
    /// Why the change is right; kept in the baseline file.
    #[arg(long)]
    pub(crate) reason: String,
    /// Only these scenarios.
    #[arg(long = "only", value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<String>,
    /// How many simulations at once.
    #[arg(long, default_value_t = default_jobs())]
    pub(crate) jobs: NonZeroUsize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MutantArgs {
    /// Only these mutants: `V20`.
    pub(crate) mutants: Vec<String>,
    /// How many simulations at once.
    #[arg(long, default_value_t = default_jobs())]
    pub(crate) jobs: NonZeroUsize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExploreArgs {
    /// Scenarios whose runs are explored; none explores the cores.
    pub(crate) scenarios: Vec<String>,
    /// Besides them the scenarios of consent: stories about people that exercise an invariant of the promises R03 and R07.
    #[arg(long)]
    pub(crate) consent: bool,
    /// The longest that the search over the cores takes: `10m`, `90s`. What it does not reach is named, and fails.
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub(crate) budget: Span,
    /// With scenarios: how many orders of each.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) schedules: u64,
    /// With scenarios: how many events have to come in a certain order for the bug that is sought.
    #[arg(long, value_name = "N", default_value_t = kernel::plan::SchedulePlan::DEPTH, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) depth: u32,
    /// With scenarios: plant this bug, which must be found: `V05`.
    #[arg(long)]
    pub(crate) mutant: Option<String>,
    /// With scenarios: how many simulations at once.
    #[arg(long, default_value_t = default_jobs())]
    pub(crate) jobs: NonZeroUsize,
    /// With scenarios: the video codec; orders of events are those of the traffic, whatever is in it.
    #[arg(long, default_value = "modelled", value_parser = ["vp8", "modelled"])]
    pub(crate) codec: String,
    /// With scenarios: change a value of each, such as `duration=8s`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConformanceArgs {
    /// Only these promises decide: `R01 R07`. All are shown.
    pub(crate) promises: Vec<String>,
    /// How many simulations at once.
    #[arg(long, default_value_t = default_jobs())]
    pub(crate) jobs: NonZeroUsize,
    /// What standard output carries.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CrashesArgs {
    /// Of which the workload is drawn.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many requests the workload has, besides six sign-ups.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=2_000))]
    pub(crate) requests: u16,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchArgs {
    /// Which scenario; when left out `first-call`, or with the modelled codec calls of which there are more and more.
    pub(crate) scenario: Option<String>,
    /// Send with this video codec; `modelled` leaves the simulator alone.
    #[arg(long, value_name = "vp8|modelled")]
    pub(crate) codec: Option<String>,
    /// With the modelled codec and no scenario: so many calls at once, each compared with the first number. A scenario has
    /// up to 64 participants, which is 32 calls.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [1, 5, 12, 25], value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) calls: Vec<u8>,
    /// How often; of real codecs the median counts, of the modelled one the least.
    #[arg(long, default_value_t = NonZeroUsize::new(3).expect("not zero"))]
    pub(crate) rounds: NonZeroUsize,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Catalogue {
    /// Scenario files with their titles.
    Scenarios,
    /// Network presets with their numbers and sources.
    Presets,
    /// Invariants with their truths.
    Invariants,
    /// Planted bugs with the invariants that must kill them.
    Mutants,
    /// Metrics with their definitions.
    Metrics,
}

/// What `bless` accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expectations {
    /// The committed metrics of each scenario.
    #[default]
    Baselines,
}

/// What standard output carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// The run.json of each run, one a line; of `conformance` one object.
    Json,
}

/// Suites of scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SuiteName {
    /// Every scenario with its own seeds.
    #[default]
    Pr,
    /// Every scenario with five seeds.
    Nightly,
}

/// A time on the wall: seconds or minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Span, String> {
        let in_seconds = |number: &str, seconds: u64| number.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds));
        let seconds = match text.split_at_checked(text.len().saturating_sub(1)) {
            Some((number, "s")) => in_seconds(number, 1),
            Some((number, "m")) => in_seconds(number, 60),
            _ => None,
        };
        let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
        seconds
            .map(|seconds| Span(Duration::from_secs(seconds)))
            .ok_or(format!("`{text}` is no time such as 90s or 10m"))
    }
}

/// A range of seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) Vec<u64>);

/// More seeds than anybody waits for.
const MAX_SEEDS: u64 = 1_000_000;

impl FromStr for Seeds {
    type Err = String;
    fn from_str(text: &str) -> Result<Seeds, String> {
        let number = |part: &str| part.trim().parse::<u64>().map_err(|_| format!("`{part}` is no whole number"));
        let (from, to) = match text.split_once("..") {
            Some((from, to)) => (number(from)?, number(to)?),
            None => (1, number(text)?.saturating_add(1)),
        };
        if from >= to {
            return Err(format!("`{text}` holds no seed: write A..B with A below B"));
        }
        if to - from > MAX_SEEDS {
            return Err(format!("`{text}` holds more than {MAX_SEEDS} seeds"));
        }
        Ok(Seeds((from..to).collect()))
    }
}

fn default_jobs() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_span_is_seconds_or_minutes() {
        assert_eq!("90s".parse(), Ok(Span(Duration::from_secs(90))));
        assert_eq!("10m".parse(), Ok(Span(Duration::from_secs(600))));
        for nonsense in ["", "10", "0s", "1h", "-1s", "99999999m", "ä"] {
            assert!(nonsense.parse::<Span>().is_err(), "{nonsense}");
        }
    }

    #[test]
    fn seeds_are_a_range_or_a_number() {
        assert_eq!("3..6".parse(), Ok(Seeds(vec![3, 4, 5])));
        assert_eq!("2".parse(), Ok(Seeds(vec![1, 2])));
        assert!("5..5".parse::<Seeds>().is_err());
        assert!("1..x".parse::<Seeds>().is_err());
        assert!("0..99999999".parse::<Seeds>().is_err());
    }
}
