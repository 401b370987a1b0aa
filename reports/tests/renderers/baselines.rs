//! Baselines: compare, gate, bless.

use crate::sample::{Sample, held};
use oracle::Verdict;
use reports::{Baseline, BaselineError, FileError, Gate, Gated, Outcome, Standing, bless, compare};
use std::{fs, path::PathBuf};

fn fresh(dir: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(dir);
    let _ = fs::remove_dir_all(&dir);
    dir
}

fn blessed(dir: &str) -> (Baseline, Sample, PathBuf) {
    let dir = fresh(dir);
    let sample = held();
    bless(&dir, &sample.run(), "the first numbers").unwrap();
    (Baseline::load(&dir, "first-call").unwrap().unwrap(), sample, dir)
}

fn set(sample: &mut Sample, name: &str, value: i64) {
    sample.judgement.metrics.iter_mut().find(|metric| metric.name == name).unwrap().value = value;
}

#[test]
fn an_equal_run_meets_its_baseline() {
    let (baseline, mut sample, _) = blessed("baseline-equal");
    let comparison = baseline.compare(&sample.run());
    assert!(comparison.exact && !comparison.regressed() && comparison.notes.is_empty());
    assert_eq!(comparison.count(Standing::Unchanged), comparison.rows.len());
    sample.facts.comparison = Some(comparison);
    assert_eq!(sample.run().outcome(), Outcome::Passed);
}

#[test]
fn in_the_same_environment_one_microsecond_is_a_regression() {
    let (baseline, mut sample, _) = blessed("baseline-exact");
    set(&mut sample, "setup_us", 2_031_401);
    set(&mut sample, "freeze_count", 0);
    let comparison = baseline.compare(&sample.run());
    assert!(comparison.regressed());
    assert_eq!(comparison.rows[0].metric, "setup_us");
    assert_eq!(comparison.rows[0].delta(), Some(1));
    assert_eq!(comparison.row("freeze_count").unwrap().standing, Standing::Improved);
    sample.facts.comparison = Some(comparison);
    assert_eq!(sample.run().outcome(), Outcome::Regressed);
}

#[test]
fn in_another_environment_a_tolerance_applies_and_is_named() {
    let (baseline, mut sample, _) = blessed("baseline-tolerance");
    sample.facts.environment.insert("opus".into(), "1.4".into());
    set(&mut sample, "setup_us", 2_100_000);
    let comparison = baseline.compare(&sample.run());
    assert!(!comparison.exact && !comparison.regressed());
    assert_eq!(comparison.notes, ["another environment than the baseline's (opus): tolerances apply"]);
    set(&mut sample, "setup_us", 2_300_000);
    assert!(baseline.compare(&sample.run()).regressed());
}

#[test]
fn another_seed_is_never_compared_exactly() {
    let (baseline, mut sample, _) = blessed("baseline-seed");
    sample.judgement.plan.seed = 9;
    assert!(!compare(&sample.judgement, &baseline, true).exact);
}

#[test]
fn a_metric_that_vanishes_is_a_regression_and_a_new_one_is_not() {
    let (baseline, mut sample, _) = blessed("baseline-missing");
    sample.judgement.metrics[0].name = "renamed_us".into();
    let comparison = baseline.compare(&sample.run());
    assert_eq!(comparison.row("setup_us").unwrap().standing, Standing::Missing);
    assert_eq!(comparison.row("renamed_us").unwrap().standing, Standing::New);
    assert!(comparison.regressed());
}

#[test]
fn a_changed_configuration_is_shown_not_excused() {
    let (baseline, mut sample, _) = blessed("baseline-config");
    sample.facts.config_hash = "other".into();
    set(&mut sample, "setup_us", 3_000_000);
    let comparison = baseline.compare(&sample.run());
    assert!(comparison.exact && comparison.regressed());
    assert_eq!(comparison.notes, ["the scenario's configuration changed since the baseline"]);
}

#[test]
fn a_blessing_needs_a_reason_and_leaves_it_in_the_history() {
    let (_, mut sample, dir) = blessed("baseline-bless");
    assert!(matches!(bless(&dir, &sample.run(), " "), Err(BaselineError::NoReason)));
    set(&mut sample, "setup_us", 2_500_000);
    let diff = bless(&dir, &sample.run(), "the relay moved").unwrap();
    assert_eq!((diff.count(Standing::Regressed), diff.count(Standing::New)), (1, 0));
    let baseline = Baseline::load(&dir, "first-call").unwrap().unwrap();
    assert_eq!(baseline.metrics["setup_us"].value, 2_500_000);
    let reasons: Vec<&str> = baseline.history.iter().map(|change| change.reason.as_str()).collect();
    assert_eq!(reasons, ["the first numbers", "the relay moved"]);
    assert_eq!(baseline.history[1].regressed, 1);
    assert!(!baseline.compare(&sample.run()).regressed());
}

#[test]
fn a_broken_baseline_is_an_error_and_a_missing_one_is_none() {
    let dir = fresh("baseline-broken");
    assert!(Baseline::load(&dir, "first-call").unwrap().is_none());
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("first-call.json"), "{}").unwrap();
    assert!(matches!(Baseline::load(&dir, "first-call"), Err(FileError::Content { .. })));
}

#[test]
fn the_gate_prints_what_moved() {
    let (baseline, mut sample, _) = blessed("baseline-gate");
    for name in ["glass_to_glass_us_p50", "glass_to_glass_us_p95", "alice-phone>bob-laptop/glass_to_glass_us_p50"] {
        let metric = sample.judgement.metrics.iter_mut().find(|metric| metric.name == name).unwrap();
        metric.value += 20_000;
    }
    set(&mut sample, "freeze_count", 0);
    let gated =
        |scenario: &str, comparison| Gated { scenario: scenario.into(), seed: 1, verdict: Verdict::Passed, comparison };
    let gate = Gate { runs: vec![gated("first-call", Some(baseline.compare(&sample.run()))), gated("declined", None)] };
    assert!(gate.regressed() && !gate.failed());
    insta::assert_snapshot!(gate.table());
}
