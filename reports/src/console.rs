//! The verdict on a terminal: short, worst last, so that it is what stands above the prompt. The text carries ANSI
//! styles; who prints it through `anstream` gives plain text to pipes and under `NO_COLOR`.

use crate::{
    metric_name::{MetricName, human, instant, time, title},
    run::{Outcome, Run},
    run_report::{RunReport, headlines},
    threshold,
};
use anstyle::{AnsiColor, Style};
use comfy_table::{LineStyle, TableStyle};
use oracle::{Finding, InvariantReport, InvariantVerdict, ThresholdVerdict};
use std::fmt::Write;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
const MINOR: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();
/// Findings beyond these are in the report.
const MAX_FINDINGS: usize = 6;

/// The verdict of a run for a terminal, with the page to open where its facts name one. The last line of a run that
/// failed or regressed is the command that reproduces it.
pub fn console(run: &Run<'_>) -> String {
    let report = RunReport::new(run, &[]);
    let mut text = String::new();
    headline(&mut text, &report);
    invariants(&mut text, &report);
    metrics(&mut text, &report);
    thresholds(&mut text, &report);
    findings(&mut text, &report.findings);
    reasons(&mut text, &report, run);
    if let Some(page) = &run.facts.page {
        line(&mut text, format_args!("  {MINOR}report{MINOR:#}  {}", page.display()));
    }
    if report.outcome != Outcome::Passed {
        line(&mut text, format_args!("{STRONG}{}{STRONG:#}", report.reproduce));
    }
    text
}

/// Tables have one line, under their head.
pub(crate) const TABLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The style of an outcome.
pub(crate) fn style_of(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Passed => GOOD.bold(),
        Outcome::Regressed => AnsiColor::Yellow.on_default().bold(),
        Outcome::Failed => BAD,
    }
}

fn headline(text: &mut String, report: &RunReport) {
    let style = style_of(report.outcome);
    let simulated = time(i64::try_from(report.simulated.0).unwrap_or(i64::MAX));
    let wall = time(i64::try_from(report.wall_ms.saturating_mul(1_000)).unwrap_or(i64::MAX));
    let word = report.outcome.word();
    line(text, format_args!("{style}{word}{style:#}  {STRONG}{}{STRONG:#}  seed {}", report.scenario, report.seed));
    line(text, format_args!("  {MINOR}{}{MINOR:#}", report.title));
    let times = match report.simulated.0 {
        // A saved log that is judged again: nothing was simulated.
        0 => String::new(),
        _ => format!("{simulated} simulated in {wall}, "),
    };
    line(text, format_args!("  {MINOR}{times}log {}{MINOR:#}", short(&report.digests.log)));
}

fn invariants(text: &mut String, report: &RunReport) {
    let tally = report.tally();
    let checks = report.checks();
    let (held, failed, idle) = (tally.held, tally.failed, tally.not_exercised);
    line(
        text,
        format_args!(
            "\n{STRONG}invariants{STRONG:#}  {held} held, {failed} failed, {idle} not exercised ({checks} checks)"
        ),
    );
    for invariant in &report.invariants {
        one_invariant(text, report, invariant);
    }
}

fn one_invariant(text: &mut String, report: &RunReport, invariant: &InvariantReport) {
    let InvariantReport { id, name, checks, violations, .. } = invariant;
    match invariant.verdict {
        InvariantVerdict::Held => {
            line(text, format_args!("  {GOOD}held{GOOD:#}    {id:<12} {name:<34} {checks:>8} checks"))
        }
        InvariantVerdict::Failed => {
            let note = if report.expects_failure_of(name) { ", as expected" } else { "" };
            line(
                text,
                format_args!("  {BAD}failed{BAD:#}  {id:<12} {name:<34} {violations:>8} of {checks} checks{note}"),
            );
            if let Some(first) = &invariant.first_violation {
                line(
                    text,
                    format_args!("          {} (record {}): {}", instant(first.at), first.record, first.message),
                );
            }
        }
        InvariantVerdict::NotExercised if report.exercises.contains(name) => {
            line(
                text,
                format_args!("  {BAD}idle{BAD:#}    {id:<12} {name:<34} NOT EXERCISED, but listed under `exercises`"),
            );
        }
        InvariantVerdict::NotExercised => {
            line(text, format_args!("  {MINOR}idle    {id:<12} {name:<34} NOT EXERCISED{MINOR:#}"));
        }
    }
}

fn metrics(text: &mut String, report: &RunReport) {
    let rows: Vec<_> = headlines(&report.metrics).collect();
    if rows.is_empty() {
        return;
    }
    line(text, format_args!("\n{STRONG}metrics{STRONG:#}  (the worst of all directions)"));
    for (name, value) in rows {
        let statistic = MetricName::parse(name).statistic.unwrap_or("");
        line(text, format_args!("  {:<24} {:>14}", format!("{} {statistic}", title(name)), human(name, value)));
    }
}

fn thresholds(text: &mut String, report: &RunReport) {
    if report.thresholds.is_empty() {
        return;
    }
    let gaps = match report.known_gaps() {
        0 => String::new(),
        gaps => format!("  {} held, {gaps} known to be missed", report.held_thresholds()),
    };
    line(text, format_args!("\n{STRONG}thresholds{STRONG:#}{gaps}"));
    for report in &report.thresholds {
        let (style, word) = match report.verdict() {
            ThresholdVerdict::Held => (GOOD, "held  "),
            ThresholdVerdict::KnownGap => (WARNING, "gap   "),
            ThresholdVerdict::StaleGap => (BAD, "stale "),
            ThresholdVerdict::Failed => (BAD, "failed"),
        };
        line(text, format_args!("  {style}{word}{style:#}  {}", threshold::sentence(report)));
    }
}

fn findings(text: &mut String, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    line(text, format_args!("\n{STRONG}findings{STRONG:#}"));
    for finding in findings.iter().take(MAX_FINDINGS) {
        let style = if finding.severity == 0 { BAD } else { Style::new() };
        line(text, format_args!("  {:>10}  {style}{}{style:#}", instant(finding.from), finding.sentence));
    }
    if let Some(more @ 1..) = findings.len().checked_sub(MAX_FINDINGS) {
        line(text, format_args!("  {MINOR}and {more} more in the report{MINOR:#}"));
    }
}

fn reasons(text: &mut String, report: &RunReport, run: &Run<'_>) {
    text.push('\n');
    for reason in &report.reasons {
        line(text, format_args!("  {BAD}because{BAD:#} {reason}"));
    }
    if let Some(comparison) = &run.facts.comparison {
        line(text, format_args!("  {MINOR}baseline{MINOR:#} {}", comparison.sentence()));
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a string succeeds");
}

/// The first digits of a digest: enough to compare by eye.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}
