//! The ledger: what scenarios require against what was measured, with the known gaps and their reasons. The standing is
//! the oracle's; several seeds of a scenario share a row.

use crate::{
    console::TABLE,
    metric_name::human,
    run_report::RunReport,
    summary::escape,
    threshold::{bounds, word},
};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use oracle::{ThresholdReport, ThresholdVerdict};
use std::path::Path;

/// Scenarios in this folder are held against RFC 8867: the ledger has all that it requires of them.
const FOLDER: &str = "rfc8867";
/// Heads of the columns.
pub(crate) const TITLES: [&str; 5] = ["required against measured", "metric", "required", "measured", "standing"];

/// A threshold of a scenario over all its runs.
pub(crate) struct Entry<'r> {
    scenario: &'r str,
    reports: Vec<&'r ThresholdReport>,
}

/// Every threshold of the scenarios that have a known gap or come from the RFC, in the order of the runs.
pub(crate) fn entries(runs: &[RunReport]) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for run in runs.iter().filter(|run| belongs(run)) {
        for report in &run.thresholds {
            let same = |entry: &&mut Entry<'_>| entry.scenario == run.scenario && entry.metric() == report.metric;
            match entries.iter_mut().find(same) {
                Some(entry) => entry.reports.push(report),
                None => entries.push(Entry { scenario: &run.scenario, reports: vec![report] }),
            }
        }
    }
    entries
}

fn belongs(run: &RunReport) -> bool {
    let folder = Path::new(&run.scenario_path).parent().and_then(Path::file_name);
    folder.is_some_and(|folder| folder == FOLDER) || run.thresholds.iter().any(|report| report.gap.is_some())
}

impl Entry<'_> {
    fn metric(&self) -> &str {
        &self.reports[0].metric
    }

    /// The worst verdict of the runs.
    pub(crate) fn verdict(&self) -> ThresholdVerdict {
        self.reports.iter().map(|report| report.verdict()).min().unwrap_or(ThresholdVerdict::Failed)
    }

    /// Scenario, metric, required, measured, standing.
    pub(crate) fn cells(&self) -> [String; 5] {
        [self.scenario.into(), self.metric().into(), bounds(self.reports[0]), self.measured(), self.standing()]
    }

    /// The value, or the least and the most of several runs.
    fn measured(&self) -> String {
        let shown = |value: i64| human(self.metric(), value);
        let values = self.reports.iter().filter_map(|report| report.measured);
        match (values.clone().min(), values.max()) {
            (Some(least), Some(most)) if least == most => shown(least),
            (Some(least), Some(most)) => format!("{} to {}", shown(least), shown(most)),
            _ => "not measured".into(),
        }
    }

    /// The worst verdict, of how many runs where they differ, and the reason of a gap.
    fn standing(&self) -> String {
        let verdict = self.verdict();
        let count = self.reports.iter().filter(|report| report.verdict() == verdict).count();
        let mut text = word(verdict).to_owned();
        if count < self.reports.len() {
            text += &format!(" in {count} of {}", self.reports.len());
        }
        let gap = self.reports[0].gap.as_ref().filter(|_| verdict != ThresholdVerdict::Held);
        text + &gap.map_or(String::new(), |gap| format!(": {}", gap.known.reason))
    }
}

/// For a terminal; empty where there is nothing to tell.
pub(crate) fn text(runs: &[RunReport]) -> String {
    let entries = entries(runs);
    if entries.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(TABLE).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table.set_header(TITLES);
    for entry in &entries {
        table.add_row(entry.cells());
    }
    for column in [2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("\n{}\n", table.trim_fmt())
}

/// For a page of Markdown, the worst first.
pub(crate) fn markdown(runs: &[RunReport]) -> String {
    let mut entries = entries(runs);
    if entries.is_empty() {
        return String::new();
    }
    entries.sort_by_key(Entry::verdict);
    let [_, others @ ..] = TITLES;
    let mut text = format!("\n## Required against measured\n\n| scenario | {} |", others.join(" | "));
    text.push_str("\n| --- | --- | ---: | ---: | --- |\n");
    for entry in &entries {
        let cells = entry.cells().map(|cell| escape(&cell)).join(" | ");
        text.push_str(&format!("| {cells} |\n"));
    }
    text
}
