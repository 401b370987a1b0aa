//! Known gaps, in every file: passed, told, and never counted as held.

use crate::sample::{Sample, broken, held};
use kernel::plan::Gap;
use oracle::{GapReport, ThresholdReport, ThresholdVerdict};
use reports::{RunReport, Suite, console, write, write_suite};
use std::{fs, path::Path};

/// A call that misses a threshold by no more than is known.
fn gapped() -> Sample {
    let mut sample = held();
    let threshold = &mut sample.judgement.thresholds[1];
    (threshold.measured, threshold.holds) = (Some(29_100), false);
    let reason = "the encoder starts at <150 kbit/s>".into();
    let known = Gap { at_most: None, at_least: Some(29_000), reason, varies: false };
    threshold.gap = Some(GapReport { known, within: true });
    sample
}

/// The same after the gap has closed.
fn closed() -> Sample {
    let mut sample = gapped();
    let threshold = &mut sample.judgement.thresholds[1];
    (threshold.measured, threshold.holds) = (Some(36_512), true);
    sample
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Writes a run and returns one of its files.
fn written(sample: &Sample, dir: &str, file: &str) -> String {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(dir);
    write(&dir, &sample.run()).unwrap();
    fs::read_to_string(dir.join(sample.run().folder()).join(file)).unwrap()
}

#[test]
fn the_console_counts_a_known_gap_apart_from_what_held() {
    let text = plain(&console(&gapped().run()));
    assert!(text.contains("thresholds  1 held, 1 known to be missed"), "{text}");
    let line = "gap     psnr_y_mdb_p5 is 29.10 dB, allowed at least 30.00 dB; known gap: the encoder starts at <150 \
                kbit/s> (at least 29.00 dB)";
    assert!(text.contains(line), "{text}");
}

#[test]
fn the_console_wants_a_closed_gap_removed() {
    let text = plain(&console(&closed().run()));
    assert!(text.contains("stale   psnr_y_mdb_p5 is 36.51 dB"), "{text}");
    assert!(text.contains("it now meets its criterion: remove the gap"), "{text}");
}

#[test]
fn the_summary_names_gap_and_reason() {
    let text = written(&gapped(), "gap-summary", "summary.md");
    let line = text.lines().find(|line| line.starts_with("- known gap:")).expect("the gap has a line");
    assert!(line.contains(r"known gap: the encoder starts at \<150 kbit/s\>"), "{line}");
}

#[test]
fn the_page_marks_a_known_gap_and_escapes_its_reason() {
    let page = written(&gapped(), "gap-page", "index.html");
    assert!(page.contains(r#"<span class="chip warn">known gap</span>"#));
    assert!(page.contains("known gap: the encoder starts at &#60;150 kbit/s&#62;"));
    assert!(!page.contains("<150 kbit/s>"));
}

#[test]
fn a_known_gap_is_a_passed_case_that_says_so_and_a_closed_one_a_failed_case() {
    let xml = written(&gapped(), "gap-junit", "junit.xml");
    assert!(xml.contains(r#"failures="0""#), "{xml}");
    assert!(xml.contains("known gap: the encoder starts at &lt;150 kbit/s&gt;"), "{xml}");
    let xml = written(&closed(), "stale-junit", "junit.xml");
    assert!(xml.contains(r#"type="stale gap""#), "{xml}");
}

#[test]
fn run_json_carries_the_gap_and_reads_it_back() {
    written(&gapped(), "gap-json", "run.json");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gap-json/first-call-1/run.json");
    let report = RunReport::read(&dir).unwrap();
    assert_eq!(report.thresholds[1].verdict(), ThresholdVerdict::KnownGap);
    assert_eq!(report.thresholds[1].gap, gapped().judgement.thresholds[1].gap);
}

#[test]
fn a_report_from_before_there_were_gaps_is_read() {
    let text = r#"{"metric":"freeze_count","at_most":0,"at_least":null,"measured":0,"holds":true}"#;
    let report: ThresholdReport = serde_json::from_str(text).unwrap();
    assert_eq!(report.verdict(), ThresholdVerdict::Held);
    assert_eq!(serde_json::to_string(&report).unwrap(), text);
}

#[test]
fn a_suite_ends_with_what_was_required_against_what_was_measured() {
    let report = |sample: Sample, scenario: &str, path: &str, seed: &str| {
        let mut report = RunReport::new(&sample.run(), &[]);
        (report.scenario, report.scenario_path, report.seed) = (scenario.into(), path.into(), seed.into());
        report
    };
    let varying = |mut sample: Sample| {
        sample.judgement.thresholds[1].gap.as_mut().unwrap().known.varies = true;
        sample
    };
    let runs = vec![
        report(varying(gapped()), "with-a-gap", "scenarios/call/with-a-gap.toml", "1"),
        report(varying(closed()), "with-a-gap", "scenarios/call/with-a-gap.toml", "2"),
        report(broken(), "of-the-rfc", "scenarios/rfc8867/of-the-rfc.toml", "1"),
        report(held(), "another", "scenarios/call/another.toml", "1"),
    ];
    let suite = Suite { runs };
    assert!(suite.sentence().ends_with("; 1 known gap"), "{}", suite.sentence());
    let table = plain(&suite.table());
    let (_, ledger) = table.split_once("required against measured").expect("there is a ledger");
    insta::assert_snapshot!(ledger);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ledger");
    write_suite(&dir, &suite).unwrap();
    let summary = fs::read_to_string(dir.join("summary.md")).unwrap();
    let (_, ledger) = summary.split_once("## Required against measured").expect("there is a ledger");
    assert!(ledger.lines().nth(4).is_some_and(|row| row.starts_with("| of-the-rfc |")), "worst first: {ledger}");
    let page = fs::read_to_string(dir.join("index.html")).unwrap();
    assert!(page.contains("known gap in 1 of 2: the encoder starts at &#60;150 kbit/s&#62;"));
}
