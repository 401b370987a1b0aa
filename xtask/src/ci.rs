//! `ci`: the lanes that CI runs, the same here as there. `ci all` runs every lane, also after one has failed, and the
//! tests last, so that the runner's summary ends the output.

use crate::{
    binary, cargo,
    exit::Exit,
    packages::{self, Consent},
    test, tidy,
};
use std::time::{Duration, Instant};

/// How a lane ended.
enum Outcome {
    /// It ran.
    Ended(Exit),
    /// It could not run here, and that is no failure.
    Skipped(&'static str),
}

struct Lane {
    name: &'static str,
    run: fn(Consent) -> Outcome,
}

/// The stories of consent, in a few orders each; a thousand are `explore --consent`, which takes an hour of a processor.
const ORDERS: &[&str] = &["--consent", "--schedules", "8"];

/// The lanes in the order of `ci all`: quick verdicts first, tests last.
const LANES: &[Lane] = &[
    Lane { name: "tidy", run: |_| Outcome::Ended(tidy::run()) },
    Lane { name: "fmt", run: |_| fmt() },
    Lane { name: "clippy", run: clippy },
    Lane { name: "deny", run: |_| deny() },
    Lane { name: "simulate", run: |consent| verb(consent, "simulate", &["all", "--check-determinism"]) },
    Lane { name: "mutants", run: |consent| verb(consent, "mutants", &[]) },
    Lane { name: "explore", run: |consent| verb(consent, "explore", &[]) },
    Lane { name: "orders", run: |consent| verb(consent, "explore", ORDERS) },
    Lane { name: "gate", run: |consent| verb(consent, "gate", &[]) },
    Lane { name: "test", run: |consent| Outcome::Ended(test::run(&[], consent)) },
];

/// Runs one lane or all.
pub(crate) fn run(words: &[String], consent: Consent) -> Exit {
    let names = || LANES.iter().map(|lane| lane.name).collect::<Vec<_>>().join(", ");
    match words {
        [all] if all == "all" => run_all(consent),
        [name] if LANES.iter().any(|lane| lane.name == name) => {
            let lane = LANES.iter().find(|lane| lane.name == name);
            lane.map_or(Exit::Usage, |lane| finish(lane, &(lane.run)(consent)))
        }
        _ => {
            eprintln!("usage: cargo xtask ci all, or one lane of {}", names());
            Exit::Usage
        }
    }
}

fn run_all(consent: Consent) -> Exit {
    let (last, first) = LANES.split_last().expect("there are lanes");
    let mut worst = Exit::Held;
    let mut table = Vec::new();
    for lane in first {
        let (exit, took) = run_lane(lane, consent);
        worst = worst.or_worse(exit);
        table.push(format!("{:<9} {:>6.1} s  exit {}", lane.name, took.as_secs_f32(), exit.code()));
    }
    eprintln!("\n===== lanes before the tests\n{}", table.join("\n"));
    worst.or_worse(run_lane(last, consent).0)
}

#[expect(clippy::disallowed_methods, reason = "wall time of a lane, for people; nothing is simulated here")]
fn run_lane(lane: &Lane, consent: Consent) -> (Exit, Duration) {
    eprintln!("\n===== {}", lane.name);
    let start = Instant::now();
    let exit = finish(lane, &(lane.run)(consent));
    (exit, start.elapsed())
}

fn finish(lane: &Lane, outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Ended(exit) => *exit,
        Outcome::Skipped(reason) => {
            eprintln!("SKIPPED {}: {reason}", lane.name);
            Exit::Held
        }
    }
}

fn fmt() -> Outcome {
    if !cargo::has("fmt") {
        return Outcome::Skipped("cargo fmt is not installed (rustup component add rustfmt)");
    }
    Outcome::Ended(cargo::run(cargo::command().args(["fmt", "--all", "--check"])))
}

fn clippy(consent: Consent) -> Outcome {
    if let Err(exit) = packages::ensure(consent) {
        return Outcome::Ended(exit);
    }
    if !cargo::has("clippy") {
        return Outcome::Skipped("cargo clippy is not installed (rustup component add clippy)");
    }
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    Outcome::Ended(cargo::run(cargo::command().args(arguments)))
}

/// Licences, duplicates and sources. Advisories need a download from a forge, which CI machines may not reach.
fn deny() -> Outcome {
    if !cargo::has("deny") {
        return Outcome::Skipped("cargo-deny is not installed (cargo install cargo-deny)");
    }
    let arguments = ["deny", "--config", ".deny.toml", "check", "bans", "licenses", "sources"];
    Outcome::Ended(cargo::run(cargo::command().args(arguments)))
}

fn verb(consent: Consent, verb: &str, words: &[&str]) -> Outcome {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    Outcome::Ended(binary::run(verb, &words, consent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_come_last_and_lanes_have_different_names() {
        let mut names: Vec<_> = LANES.iter().map(|lane| lane.name).collect();
        assert_eq!(names.last(), Some(&"test"));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LANES.len());
    }

    #[test]
    fn a_lane_that_does_not_exist_is_a_mistake_of_usage() {
        assert_eq!(run(&["nonesuch".into()], Consent::Forbidden), Exit::Usage);
        assert_eq!(run(&[], Consent::Forbidden), Exit::Usage);
    }
}
