//! Texts that people and machines read.

use crate::sample::{Sample, broken, held};
use reports::{Outcome, RunReport, Suite, console, write, write_suite};
use std::{fs, path::Path};

/// Without styles, and without the log's digest, which is the kernel's business.
fn plain(text: &str) -> String {
    undigested(&anstream::adapter::strip_str(text).to_string())
}

fn undigested(text: &str) -> String {
    let digest = kernel::names::to_hex(&held().log.digest);
    text.replace(&digest, "[digest]").replace(&digest[..16], "[digest]")
}

/// Writes a run and returns one of its files.
fn written(sample: &Sample, dir: &str, file: &str) -> String {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(dir);
    write(&dir, &sample.run()).unwrap();
    fs::read_to_string(dir.join(sample.run().folder()).join(file)).unwrap()
}

#[test]
fn the_console_says_what_held() {
    let mut sample = held();
    sample.facts.page = Some("reports/runs/first-call-1/index.html".into());
    insta::assert_snapshot!(plain(&console(&sample.run())));
}

#[test]
fn the_last_line_of_a_failed_run_reproduces_it() {
    let text = plain(&console(&broken().run()));
    assert_eq!(text.lines().last(), Some("cargo xtask simulate first-call --seed 1"));
    insta::assert_snapshot!(text);
}

#[test]
fn the_summary_is_worst_first() {
    insta::assert_snapshot!(undigested(&written(&broken(), "summary", "summary.md")));
}

#[test]
fn run_json_keeps_its_shape() {
    let mut json: serde_json::Value = serde_json::from_str(&written(&held(), "run-json", "run.json")).unwrap();
    // Compressed sizes and hashes are those of a library's version.
    json["artefacts"] = json["artefacts"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
    json["digests"]["log"] = "[digest]".into();
    insta::assert_json_snapshot!(json);
}

#[test]
fn run_json_reads_back_what_was_written() {
    let sample = broken();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run-json-back");
    write(&dir, &sample.run()).unwrap();
    let report = RunReport::read(&dir.join("first-call-1/run.json")).unwrap();
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(report.to_json(), fs::read(dir.join("first-call-1/run.json")).unwrap());
}

#[test]
fn equal_runs_give_equal_files() {
    let dirs = ["equal-a", "equal-b"].map(|dir| Path::new(env!("CARGO_TARGET_TMPDIR")).join(dir));
    let [a, b] = dirs.map(|dir| write(&dir, &held().run()).unwrap());
    assert_eq!(a, b);
    assert_eq!(a.len(), 9);
}

#[test]
fn junit_counts_failures_and_skips() {
    let xml = written(&broken(), "junit", "junit.xml");
    assert!(xml.contains(r#"<testsuite name="first-call" tests="10" skipped="1" errors="0" failures="3""#), "{xml}");
    assert!(xml.contains(r#"<property name="seed" value="1"/>"#));
    assert!(xml.contains("<skipped message=\"NOT EXERCISED"));
    assert!(xml.contains("&lt;script&gt;"), "{xml}");
    insta::assert_snapshot!(undigested(&xml));
}

#[test]
fn a_suite_lists_every_run_and_reproduces_the_failed_one() {
    let mut failed = broken();
    failed.judgement.plan.seed = 2;
    failed.facts.reproduce = "cargo xtask simulate first-call --seed 2".into();
    let runs = [held(), failed].map(|sample| RunReport::new(&sample.run(), &[]));
    let suite = Suite { runs: runs.into() };
    assert_eq!(suite.outcome(), Outcome::Failed);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suite");
    write_suite(&dir, &suite).unwrap();
    let page = fs::read_to_string(dir.join("index.html")).unwrap();
    assert!(page.contains(r#"<a href="first-call-2/index.html">"#));
    assert!(fs::read_to_string(dir.join("summary.md")).unwrap().starts_with("# FAIL: 2 runs: 1 passed, 1 failed"));
    insta::assert_snapshot!(plain(&suite.table()));
}

#[test]
fn the_cells_of_a_matrix_are_a_table() {
    let cell = |sample: &Sample, scenario: &str, path: i64| {
        let mut report = RunReport::new(&sample.run(), &[]);
        report.scenario = scenario.into();
        let mut measured = report.metrics["setup_us"];
        measured.value = path;
        report.metrics.insert("path_kind".into(), measured);
        report
    };
    let runs = vec![
        cell(&held(), "nat[alice=none,bob=none]", 1),
        cell(&held(), "nat[alice=none,bob=symmetric]", 3),
        cell(&broken(), "nat[alice=symmetric,bob=none]", 4),
        cell(&held(), "first-call", 2),
    ];
    let suite = Suite { runs };
    let table = plain(&suite.table());
    let (_, grid) = table.split_once("nat: path").expect("there is a table of the matrix");
    insta::assert_snapshot!(grid);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix-suite");
    write_suite(&dir, &suite).unwrap();
    let summary = fs::read_to_string(dir.join("summary.md")).unwrap();
    let row = summary.lines().find(|line| line.starts_with("| symmetric |")).expect("a row for each value");
    assert!(row.starts_with("| symmetric | FAIL relay<br>"), "{row}");
}
