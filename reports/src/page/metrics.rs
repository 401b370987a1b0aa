//! The metrics table: distributions with their percentiles, then single values; the worst of all directions first.

use super::standing_class;
use crate::{
    baseline::{Comparison, Standing},
    gate,
    metric_name::{MetricName, human, title},
    run_report::RunReport,
    threshold::{self, bounds},
};
use oracle::METRICS;
use std::collections::BTreeMap;

/// Statistics that have a column.
const COLUMNS: [&str; 5] = ["p5", "p50", "p95", "p99", "max"];

/// All metrics.
pub(crate) struct Metrics {
    pub(crate) columns: &'static [&'static str],
    pub(crate) groups: Vec<Group>,
    pub(crate) thresholds: Vec<ThresholdRow>,
}

/// Metrics of one direction, or the worst of all.
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) open: bool,
    pub(crate) distributions: Vec<Row>,
    pub(crate) values: Vec<Row>,
}

/// A metric with its statistics.
pub(crate) struct Row {
    pub(crate) title: String,
    /// What is measured, from the oracle's catalogue.
    pub(crate) doc: String,
    pub(crate) cells: Vec<String>,
    pub(crate) bounds: Vec<Note>,
    pub(crate) baseline: Vec<Note>,
}

/// A remark on one statistic.
pub(crate) struct Note {
    pub(crate) class: &'static str,
    pub(crate) text: String,
}

/// A threshold.
pub(crate) struct ThresholdRow {
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
    pub(crate) metric: String,
    pub(crate) allowed: String,
    pub(crate) measured: String,
    /// The known gap.
    pub(crate) gap: Option<String>,
}

pub(crate) fn collect(report: &RunReport, comparison: Option<&Comparison>) -> Metrics {
    let mut scopes: BTreeMap<Option<&str>, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for name in report.metrics.keys() {
        let parsed = MetricName::parse(name);
        scopes.entry(parsed.scope).or_default().entry(parsed.base).or_default().push(name);
    }
    let groups = scopes.into_iter().map(|(scope, bases)| group(report, comparison, scope, bases));
    Metrics { columns: &COLUMNS, groups: groups.collect(), thresholds: thresholds(report) }
}

fn group(
    report: &RunReport,
    comparison: Option<&Comparison>,
    scope: Option<&str>,
    bases: BTreeMap<&str, Vec<&str>>,
) -> Group {
    let mut group = Group {
        title: scope.map_or("The whole run: of all directions the worst, of counts the sum".into(), |scope| {
            scope.replace('>', " → ")
        }),
        open: scope.is_none(),
        distributions: Vec::new(),
        values: Vec::new(),
    };
    let mut bases: Vec<_> = bases.into_iter().collect();
    bases.sort_by_key(|(base, _)| METRICS.iter().position(|family| family.name == *base).unwrap_or(usize::MAX));
    for (base, names) in bases {
        let spread = names.iter().any(|name| MetricName::parse(name).statistic.is_some_and(|s| COLUMNS.contains(&s)));
        let columns: &[&str] = if spread { &COLUMNS } else { &[""] };
        let row = row(report, comparison, base, &names, columns);
        if spread { &mut group.distributions } else { &mut group.values }.push(row);
    }
    group
}

fn row(report: &RunReport, comparison: Option<&Comparison>, base: &str, names: &[&str], columns: &[&str]) -> Row {
    let cell = |column: &&str| {
        let name = names.iter().find(|name| MetricName::parse(name).statistic.unwrap_or("") == *column);
        name.map_or(String::new(), |name| human(name, report.metrics[*name].value))
    };
    Row {
        title: title(base),
        doc: doc(base),
        cells: columns.iter().map(cell).collect(),
        bounds: names.iter().filter_map(|name| bound(report, name)).collect(),
        baseline: names.iter().filter_map(|name| moved(comparison?, name)).collect(),
    }
}

/// The name as in `run.json`, and what the catalogue says about it.
fn doc(base: &str) -> String {
    let family = METRICS.iter().find(|family| family.name == base);
    family.map_or(base.into(), |family| format!("{base}: {}", family.doc))
}

fn bound(report: &RunReport, name: &str) -> Option<Note> {
    let threshold = report.thresholds.iter().find(|threshold| threshold.metric == name)?;
    let text = [statistic(name), bounds(threshold)].concat();
    Some(Note { class: threshold::class(threshold.verdict()), text })
}

fn moved(comparison: &Comparison, name: &str) -> Option<Note> {
    let row = comparison.row(name).filter(|row| row.standing != Standing::Unchanged)?;
    Some(Note { class: standing_class(row.standing), text: [statistic(name), gate::difference(row)].concat() })
}

fn statistic(name: &str) -> String {
    MetricName::parse(name).statistic.map_or(String::new(), |statistic| format!("{statistic} "))
}

fn thresholds(report: &RunReport) -> Vec<ThresholdRow> {
    let row = |report: &oracle::ThresholdReport| ThresholdRow {
        class: threshold::class(report.verdict()),
        word: threshold::word(report.verdict()),
        metric: report.metric.clone(),
        allowed: bounds(report),
        measured: threshold::measured(report),
        gap: threshold::gap(report),
    };
    report.thresholds.iter().map(row).collect()
}
