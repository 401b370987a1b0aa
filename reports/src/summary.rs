//! `summary.md`: what a pull request shows, worst first, at most 200 KB.

use crate::{
    console::short,
    gate,
    metric_name::{MetricName, human, instant},
    run::Run,
    run_report::{RunReport, headlines},
    threshold::{self, bounds},
};
use kernel::plan::Expectation;
use oracle::{InvariantReport, InvariantVerdict};
use std::fmt::Write;

/// Forges cut longer comments.
pub(crate) const MAX_BYTES: usize = 200_000;
/// Rows of a list beyond these are counted.
const MAX_ROWS: usize = 100;

pub(crate) fn render(run: &Run<'_>) -> String {
    let report = RunReport::new(run, &[]);
    let mut text = String::new();
    headline(&mut text, &report);
    section(&mut text, "Why it failed", report.reasons.iter().map(|reason| format!("- {}", escape(reason))));
    findings(&mut text, &report);
    invariants(&mut text, &report);
    thresholds(&mut text, &report);
    baseline(&mut text, run);
    metrics(&mut text, &report);
    origin(&mut text, &report);
    cut(text)
}

fn headline(text: &mut String, report: &RunReport) {
    let title = escape(&report.title);
    put(text, format_args!("# {}: {}, seed {}\n", report.outcome.word(), escape(&report.scenario), report.seed));
    put(text, format_args!("{title}\n"));
    if let Expectation::Fails { invariant } = &report.expect {
        put(text, format_args!("Expected to fail exactly `{}`.\n", escape(invariant)));
    }
}

fn findings(text: &mut String, report: &RunReport) {
    let mut findings: Vec<_> = report.findings.iter().collect();
    findings.sort_by_key(|finding| finding.severity);
    let row = |finding: &oracle::Finding| {
        let mark = ["**broken promise**", "poor quality", "note"][usize::from(finding.severity.min(2))];
        format!("- {mark} {} to {}: {}", instant(finding.from), instant(finding.until), escape(&finding.sentence))
    };
    section(text, "Findings", findings.into_iter().map(row));
}

fn invariants(text: &mut String, report: &RunReport) {
    let tally = report.tally();
    let heading = format!(
        "Invariants: {} held, {} failed, {} not exercised, {} checks",
        tally.held,
        tally.failed,
        tally.not_exercised,
        report.checks()
    );
    let mut invariants: Vec<_> = report.invariants.iter().collect();
    invariants.sort_by_key(|invariant| rank(invariant));
    let header = ["| verdict | id | name | checks | first violation |", "| --- | --- | --- | ---: | --- |"];
    let rows = invariants.into_iter().map(|invariant| invariant_row(report, invariant));
    section(text, &heading, header.into_iter().map(String::from).chain(rows));
}

fn rank(invariant: &InvariantReport) -> u8 {
    match invariant.verdict {
        InvariantVerdict::Failed => 0,
        InvariantVerdict::NotExercised => 1,
        InvariantVerdict::Held => 2,
    }
}

fn invariant_row(report: &RunReport, invariant: &InvariantReport) -> String {
    let verdict = match invariant.verdict {
        InvariantVerdict::Failed if report.expects_failure_of(&invariant.name) => "failed as expected",
        InvariantVerdict::Failed => "**failed**",
        InvariantVerdict::NotExercised => "NOT EXERCISED",
        InvariantVerdict::Held => "held",
    };
    let violation = invariant.first_violation.as_ref().map_or(String::new(), |violation| {
        format!("{} (record {}): {}", instant(violation.at), violation.record, escape(&violation.message))
    });
    format!(
        "| {verdict} | {} | `{}` | {} | {violation} |",
        escape(&invariant.id),
        escape(&invariant.name),
        invariant.checks
    )
}

fn thresholds(text: &mut String, report: &RunReport) {
    let mut thresholds: Vec<_> = report.thresholds.iter().collect();
    thresholds.sort_by_key(|threshold| threshold.verdict());
    let row = |report: &oracle::ThresholdReport| {
        let (word, sentence) = (threshold::word(report.verdict()), escape(&threshold::sentence(report)));
        if report.verdict().fails() { format!("- **{word}**: {sentence}") } else { format!("- {word}: {sentence}") }
    };
    section(text, "Thresholds", thresholds.into_iter().map(row));
}

fn baseline(text: &mut String, run: &Run<'_>) {
    let Some(comparison) = &run.facts.comparison else { return };
    let moved = comparison.rows.iter().filter(|row| row.standing != crate::Standing::Unchanged);
    let row = |row: &crate::Row| {
        let value = |value: Option<i64>| value.map_or("-".into(), |value| human(&row.metric, value));
        let (before, now) = (value(row.baseline), value(row.measured));
        format!(
            "| {} | `{}` | {before} | {now} | {} |",
            gate::word(row.standing),
            escape(&row.metric),
            gate::difference(row)
        )
    };
    let header = ["| | metric | baseline | measured | difference |", "| --- | --- | ---: | ---: | ---: |"];
    let rows = header.into_iter().map(String::from).chain(moved.map(row));
    section(text, &format!("Baseline: {}", comparison.sentence()), rows);
    section(text, "About this comparison", comparison.notes.iter().map(|note| format!("- {}", escape(note))));
}

fn metrics(text: &mut String, report: &RunReport) {
    let bound = |name: &str| report.thresholds.iter().find(|t| t.metric == name).map_or(String::new(), bounds);
    let row = |name: &str, value: i64| format!("| `{}` | {} | {} |", escape(name), human(name, value), bound(name));
    let header = ["| metric | value | allowed |", "| --- | ---: | --- |"].map(String::from);
    let top: Vec<&str> = headlines(&report.metrics).map(|(name, _)| name).collect();
    let rows = headlines(&report.metrics).map(|(name, value)| row(name, value));
    section(text, "Headline metrics", header.clone().into_iter().chain(rows));
    let worst = |name: &&String| MetricName::parse(name).scope.is_none() && !top.contains(&name.as_str());
    let others =
        report.metrics.iter().filter(|(name, _)| worst(name)).map(|(name, measured)| row(name, measured.value));
    section(text, "Other metrics, the worst of all directions", header.into_iter().chain(others));
}

fn origin(text: &mut String, report: &RunReport) {
    put(text, format_args!("## Origin\n"));
    put(
        text,
        format_args!("- scenario `{}`, configuration `{}`", escape(&report.scenario_path), short(&report.config_hash)),
    );
    put(text, format_args!("- commit `{}`", escape(&report.commit)));
    put(text, format_args!("- log `{}` ({} records)", short(&report.digests.log), report.digests.records));
    put(text, format_args!("- again: `{}`", escape(&report.reproduce)));
}

/// A heading and its lines; nothing when there are none besides a table's head.
fn section(text: &mut String, heading: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    let head = if lines.get(1).is_some_and(|line| line.starts_with("| ---")) { 2 } else { 0 };
    if lines.len() <= head {
        return;
    }
    put(text, format_args!("## {heading}\n"));
    for line in lines.iter().take(head + MAX_ROWS) {
        put(text, format_args!("{line}"));
    }
    if let Some(more @ 1..) = lines.len().checked_sub(head + MAX_ROWS) {
        put(text, format_args!("\n… and {more} more: see run.json"));
    }
    text.push('\n');
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string succeeds");
}

/// Names and sentences come from scenario files and peers: they must not become markup.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => escaped.push(' '),
            '|' | '`' | '*' | '[' | ']' | '<' | '>' | '\\' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Cuts at a line end below the limit.
pub(crate) fn cut(mut text: String) -> String {
    const NOTE: &str = "\n… cut here: see run.json\n";
    if text.len() > MAX_BYTES {
        let limit = text.floor_char_boundary(MAX_BYTES - NOTE.len());
        text.truncate(text[..limit].rfind('\n').unwrap_or(limit));
        text.push_str(NOTE);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_summary_is_cut_at_a_line_end() {
        let text = cut("zeile mit ü\n".repeat(100_000));
        assert!(text.len() <= MAX_BYTES);
        assert!(text.ends_with("see run.json\n"));
        assert_eq!(cut("short".into()), "short");
    }

    #[test]
    fn markup_in_names_is_escaped() {
        assert_eq!(escape("<img>|`x`\n"), "\\<img\\>\\|\\`x\\` ");
    }
}
