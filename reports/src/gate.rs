//! The gate's table: what regressed and what improved, over all scenarios.

use crate::{
    baseline::{Comparison, Row, Standing},
    console::TABLE,
    metric_name::{MetricName, human},
};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use oracle::Verdict;
use std::fmt::Write;

/// Rows of one scenario beyond these are counted, not shown: `run.json` and the page hold them all.
const MAX_ROWS: usize = 24;

/// A run at the gate.
#[derive(Clone, Debug)]
pub struct Gated {
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The oracle's verdict.
    pub verdict: Verdict,
    /// The comparison; none when the scenario has no baseline.
    pub comparison: Option<Comparison>,
}

/// All runs at the gate.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// The runs.
    pub runs: Vec<Gated>,
}

impl Gate {
    /// Whether a run failed: exit code 1.
    pub fn failed(&self) -> bool {
        self.runs.iter().any(|run| run.verdict == Verdict::Failed)
    }

    /// Whether a run is worse than its baseline, or has none: exit code 4 unless a run failed.
    pub fn regressed(&self) -> bool {
        self.runs.iter().any(|run| run.comparison.as_ref().is_none_or(Comparison::regressed))
    }

    /// The table and what to do, as plain text.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let moved: Vec<&Gated> =
            self.runs.iter().filter(|run| run.comparison.as_ref().is_some_and(has_moved)).collect();
        if !moved.is_empty() {
            writeln!(text, "{}", differences(&moved).trim_fmt()).expect("writing to a string succeeds");
        }
        for run in &self.runs {
            writeln!(text, "{}", sentence(run)).expect("writing to a string succeeds");
        }
        if self.regressed() {
            text.push_str("accept with: cargo xtask bless baselines --reason \"…\"\n");
        }
        text
    }
}

/// The rows of a comparison that moved, as a table of its own: what `bless` prints.
pub(crate) fn rows_table(scenario: &str, comparison: &Comparison) -> Table {
    let mut table = table();
    add_rows(&mut table, scenario, comparison);
    table
}

impl Comparison {
    /// What moved, as plain text: a table and the sentence. What `bless` prints.
    pub fn table(&self, scenario: &str) -> String {
        if !has_moved(self) {
            return format!("{scenario}: {}\n", self.sentence());
        }
        format!("{}\n{scenario}: {}\n", rows_table(scenario, self).trim_fmt(), self.sentence())
    }
}

fn differences(moved: &[&Gated]) -> Table {
    let mut table = table();
    for run in moved {
        if let Some(comparison) = &run.comparison {
            add_rows(&mut table, &format!("{} seed {}", run.scenario, run.seed), comparison);
        }
    }
    table
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(TABLE).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table.set_header(["", "scenario", "metric", "baseline", "measured", "difference", "allowed"]);
    for column in 3..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The worst of all directions first; the rows of each direction only while there is room.
fn add_rows(table: &mut Table, scenario: &str, comparison: &Comparison) {
    let mut moved: Vec<&Row> = comparison.rows.iter().filter(|row| row.standing != Standing::Unchanged).collect();
    moved.sort_by_key(|row| (row.standing, MetricName::parse(&row.metric).scope));
    for row in moved.iter().take(MAX_ROWS) {
        table.add_row(cells(scenario, row));
    }
    if let Some(more @ 1..) = moved.len().checked_sub(MAX_ROWS) {
        table.add_row(["", scenario, &format!("and {more} more")]);
    }
}

fn cells(scenario: &str, row: &Row) -> [String; 7] {
    let value = |value: Option<i64>| value.map_or("-".into(), |value| human(&row.metric, value));
    [
        word(row.standing).into(),
        scenario.into(),
        row.metric.clone(),
        value(row.baseline),
        value(row.measured),
        difference(row),
        if row.tolerance == 0 { "exact".into() } else { human(&row.metric, row.tolerance) },
    ]
}

/// `+20.1 ms (+12.3 %)`.
pub(crate) fn difference(row: &Row) -> String {
    let Some(delta) = row.delta() else { return "-".into() };
    let sign = if delta > 0 { "+" } else { "" };
    match row.permille() {
        Some(permille) => {
            format!("{sign}{} ({sign}{} %)", human(&row.metric, delta), crate::metric_name::decimal(permille, 1, 1))
        }
        None => format!("{sign}{}", human(&row.metric, delta)),
    }
}

pub(crate) fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Regressed => "regressed",
        Standing::Missing => "missing",
        Standing::Improved => "improved",
        Standing::Changed => "changed",
        Standing::New => "new",
        Standing::Unchanged => "unchanged",
    }
}

fn has_moved(comparison: &Comparison) -> bool {
    comparison.rows.iter().any(|row| row.standing != Standing::Unchanged)
}

fn sentence(run: &Gated) -> String {
    let verdict = match run.verdict {
        Verdict::Passed => "held",
        Verdict::Failed => "FAILED",
    };
    let baseline = match &run.comparison {
        Some(comparison) => {
            let notes: String = comparison.notes.iter().map(|note| format!("; {note}")).collect();
            format!("{}{notes}", comparison.sentence())
        }
        None => "no baseline yet".into(),
    };
    format!("{} seed {}: {verdict}; {baseline}", run.scenario, run.seed)
}
