//! `simulate`: verdicts, their exit codes, and what machines and people are told.

use crate::program::callproof;
use serde_json::Value;

#[test]
fn a_broken_threshold_fails_the_run_and_the_last_line_reproduces_it() {
    let change = "thresholds.setup_us.at_most=1ms";
    let ended = callproof(&["simulate", "stranger-cannot-ring", "--no-report", "--set", change]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("FAIL  stranger-cannot-ring  seed 1"), "{}", ended.stderr);
    assert_eq!(ended.last_line(), format!("cargo xtask simulate stranger-cannot-ring --seed 1 --set '{change}'"));
}

#[test]
fn a_failing_run_among_several_ends_with_its_reproduction_too() {
    let change = "thresholds.setup_us.at_most=1ms";
    let ended = callproof(&["simulate", "stranger-cannot-ring", "--seeds", "1..3", "--no-report", "--set", change]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.last_line().starts_with("cargo xtask simulate stranger-cannot-ring --seed "), "{}", ended.stderr);
}

#[test]
fn a_threshold_that_holds_changes_no_verdict() {
    let change = "thresholds.setup_us.at_most=5s";
    let ended = callproof(&["simulate", "stranger-cannot-ring", "--no-report", "--set", change]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_second_process_makes_the_same_bytes() {
    let ended = callproof(&["simulate", "declined", "--check-determinism", "--no-report"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let double = ended.stderr.lines().any(|line| line.starts_with("double   0 differences; digest "));
    assert!(double, "{}", ended.stderr);
}

#[test]
fn machines_get_one_line_of_json_for_each_run_and_nothing_else() {
    let ended = callproof(&["simulate", "declined", "--format", "json", "--no-report"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    let run: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(run["scenario"], "declined");
    assert_eq!(run["seed"], "1");
    assert_eq!(run["verdict"], "passed");
}

#[test]
fn every_seed_of_a_range_is_a_run() {
    let ended = callproof(&["simulate", "declined", "--seeds", "1..3", "--no-report"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let counted = ended.stderr.lines().any(|line| line.starts_with("2 runs: 2 passed, 0 failed"));
    assert!(counted, "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn what_actors_log_carries_simulated_time() {
    let ended = callproof(&["simulate", "declined", "--no-report", "--log", "debug"]);
    let lines = ended.stderr.lines().filter(|line| line.contains(" s alice-phone DEBUG "));
    let times: Vec<f64> = lines.map(|line| line.split_once(' ').unwrap().0.parse().unwrap()).collect();
    assert!(!times.is_empty() && times.is_sorted(), "{}", ended.stderr);
    assert!(times.iter().all(|seconds| (0.0..=18.0).contains(seconds)), "the story ends at 18 s: {times:?}");
}
