//! `judge`: the verdict from a saved log is that of the run which left it.

use crate::program::callproof;

/// From the invariants to the end: what goes before tells wall times, and what comes behind names the report.
fn verdict(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| !line.starts_with("invariants"));
    lines.filter(|line| !line.trim().is_empty() && !line.starts_with("  report")).collect()
}

#[test]
fn a_saved_log_is_judged_as_its_run_was() {
    let simulated = callproof(&["simulate", "declined"]);
    assert_eq!(simulated.code, Some(0), "{}", simulated.stderr);
    assert_eq!(simulated.last_line().trim(), "report  reports/runs/declined-1/index.html");
    let judged = callproof(&["judge", "reports/runs/declined-1"]);
    assert_eq!(judged.code, Some(0), "{}", judged.stderr);
    assert!(verdict(&judged.stdout).len() > 10, "{}", judged.stdout);
    assert_eq!(verdict(&judged.stdout), verdict(&simulated.stderr));
}

#[test]
fn every_metric_of_a_call_comes_out_of_its_saved_log() {
    let simulated = callproof(&["simulate", "stranger-cannot-ring"]);
    assert_eq!(simulated.code, Some(0), "{}", simulated.stderr);
    let judged = callproof(&["judge", "reports/runs/stranger-cannot-ring-1"]);
    assert!(verdict(&judged.stdout).iter().any(|line| line.contains("glass to glass p95")), "{}", judged.stdout);
    assert_eq!(verdict(&judged.stdout), verdict(&simulated.stderr));
}

#[test]
fn a_log_that_is_not_there_is_wrong_usage() {
    let ended = callproof(&["judge", "reports/runs/no-such-run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("no-such-run"), "{}", ended.stderr);
}
