//! The cells of a scenario matrix as a table: the path that media took, the time to set up, the latency.

use crate::{console::TABLE, metric_name::human, run::Outcome, run_report::RunReport, summary::escape};
use comfy_table::{ContentArrangement, Table};

/// The words for the values of the metric `path_kind`.
const PATHS: [&str; 5] = ["none", "host", "srflx", "prflx", "relay"];

/// The cells of one matrix with two axes.
pub(crate) struct Grid<'r> {
    /// The scenario file's stem.
    stem: &'r str,
    axes: [&'r str; 2],
    rows: Vec<&'r str>,
    columns: Vec<&'r str>,
    cells: Vec<(&'r str, &'r str, &'r RunReport)>,
}

/// A cell's scenario is called `stem[axis=value,axis=value]`.
fn cell(scenario: &str) -> Option<(&str, [(&str, &str); 2])> {
    let (stem, pairs) = scenario.strip_suffix(']')?.split_once('[')?;
    let (one, other) = pairs.split_once(',')?;
    let (one, other) = (one.split_once('=')?, other.split_once('=')?);
    (!other.1.contains(',')).then_some((stem, [one, other]))
}

/// Every matrix among the runs; of several seeds the first counts.
pub(crate) fn grids(runs: &[RunReport]) -> Vec<Grid<'_>> {
    let mut grids: Vec<Grid<'_>> = Vec::new();
    for run in runs {
        let Some((stem, [(row_axis, row), (column_axis, column)])) = cell(&run.scenario) else { continue };
        let known = grids.iter().position(|grid| grid.stem == stem && grid.axes == [row_axis, column_axis]);
        let index = known.unwrap_or_else(|| {
            let axes = [row_axis, column_axis];
            grids.push(Grid { stem, axes, rows: Vec::new(), columns: Vec::new(), cells: Vec::new() });
            grids.len() - 1
        });
        let grid = &mut grids[index];
        for (names, name) in [(&mut grid.rows, row), (&mut grid.columns, column)] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if grid.cell(row, column).is_none() {
            grid.cells.push((row, column, run));
        }
    }
    grids
}

impl Grid<'_> {
    fn cell(&self, row: &str, column: &str) -> Option<&RunReport> {
        self.cells.iter().find(|(r, c, _)| (*r, *c) == (row, column)).map(|(_, _, run)| *run)
    }

    fn head(&self) -> Vec<String> {
        let corner = format!("{} \\ {}", self.axes[0], self.axes[1]);
        std::iter::once(corner).chain(self.columns.iter().map(|name| (*name).to_owned())).collect()
    }

    fn row(&self, name: &str) -> Vec<Vec<String>> {
        let cells = self.columns.iter().map(|column| self.cell(name, column).map_or_else(Vec::new, lines));
        std::iter::once(vec![name.to_owned()]).chain(cells).collect()
    }

    /// For a terminal: path, set-up time and 95th percentile of the latency, one below the other.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(TABLE).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
        table.set_header(self.head());
        for name in &self.rows {
            table.add_row(self.row(name).into_iter().map(|lines| lines.join("\n")));
        }
        format!("{}: path, set-up, glass to glass p95\n{}\n", self.stem, table.trim_fmt())
    }

    /// For a page of Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("\n## {}: path, set-up, glass to glass p95\n\n|", escape(self.stem));
        self.head().iter().for_each(|cell| text.push_str(&format!(" {} |", escape(cell))));
        text.push_str("\n|");
        self.head().iter().for_each(|_| text.push_str(" --- |"));
        for name in &self.rows {
            text.push_str("\n|");
            for lines in self.row(name) {
                let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
                text.push_str(&format!(" {} |", lines.join("<br>")));
            }
        }
        text + "\n"
    }
}

fn lines(run: &RunReport) -> Vec<String> {
    let value = |name: &str| run.metrics.get(name).map(|measured| measured.value);
    let path = value("path_kind").and_then(|kind| PATHS.get(usize::try_from(kind).ok()?)).unwrap_or(&"-");
    let failed = if run.outcome == Outcome::Failed { "FAIL " } else { "" };
    let shown = |name: &str| value(name).map_or("-".into(), |value| human(name, value));
    vec![format!("{failed}{path}"), shown("setup_us"), shown("glass_to_glass_us_p95")]
}
