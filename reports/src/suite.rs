//! Many runs in one table: for a terminal, for CI, for a person.

use crate::{
    console::{TABLE, style_of},
    grid, junit, ledger,
    metric_name::human,
    page,
    run::{Artefact, Files, Outcome, WriteError},
    run_report::RunReport,
    spread::spreads,
    summary::{cut, escape},
};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use std::{fmt::Write, path::Path};

/// Metrics of the tables, with the heads of their columns.
const COLUMNS: [(&str, &str); 5] = [
    ("setup_us", "setup"),
    ("glass_to_glass_us_p95", "glass to glass p95"),
    ("mouth_to_ear_us_p95", "mouth to ear p95"),
    ("freeze_count", "freezes"),
    ("psnr_y_mdb_p5", "psnr y p5"),
];

/// Their names alone.
const METRICS: [&str; 5] = [COLUMNS[0].0, COLUMNS[1].0, COLUMNS[2].0, COLUMNS[3].0, COLUMNS[4].0];

/// Heads of the columns of a spread.
const SPREAD_TITLES: [&str; 6] = ["runs", "least", "p50", "p95", "most", "without"];

/// Many runs.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// The runs in the order in which they are listed.
    pub runs: Vec<RunReport>,
}

impl Suite {
    /// How many runs came to this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.runs.iter().filter(|run| run.outcome == outcome).count()
    }

    /// The worst outcome; passed when there is no run.
    pub fn outcome(&self) -> Outcome {
        self.runs.iter().map(|run| run.outcome).min().unwrap_or(Outcome::Passed)
    }

    /// The table for a terminal, with ANSI styles on the verdicts, and below it the commands that reproduce what failed.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(TABLE).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
        table.set_header(["", "scenario", "seed", "invariants", "checks"].into_iter().chain(column_titles()));
        for run in &self.runs {
            table.add_row(self.cells(run));
        }
        for column in 2..5 + COLUMNS.len() {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = self.styled(table.trim_fmt());
        for grid in grid::grids(&self.runs) {
            writeln!(text, "\n{}", grid.text().trim_end()).expect("writing to a string succeeds");
        }
        text.push_str(&self.spread_table());
        text.push_str(&ledger::text(&self.runs));
        for run in self.runs.iter().filter(|run| run.outcome == Outcome::Failed) {
            writeln!(text, "{}", run.reproduce).expect("writing to a string succeeds");
        }
        text
    }

    /// The suite in a sentence.
    pub fn sentence(&self) -> String {
        let checks: u64 = self.runs.iter().map(RunReport::checks).sum();
        let gaps = match self.runs.iter().map(RunReport::known_gaps).sum::<usize>() {
            0 => String::new(),
            1 => "; 1 known gap".into(),
            gaps => format!("; {gaps} known gaps"),
        };
        format!(
            "{} runs: {} passed, {} failed, {} regressed; {checks} checks{gaps}",
            self.runs.len(),
            self.count(Outcome::Passed),
            self.count(Outcome::Failed),
            self.count(Outcome::Regressed),
        )
    }

    /// How the metrics spread over seeds; empty where no scenario ran with enough of them.
    fn spread_table(&self) -> String {
        let spreads = spreads(&self.runs, &METRICS);
        if spreads.is_empty() {
            return String::new();
        }
        let mut table = Table::new();
        table.load_style(TABLE).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
        table.set_header(["over seeds", ""].into_iter().chain(SPREAD_TITLES));
        for spread in spreads {
            let missing = spread.missing.to_string();
            table.add_row(
                [spread.scenario.clone(), spread.metric.to_owned()].into_iter().chain(spread.cells()).chain([missing]),
            );
        }
        for column in 2..2 + SPREAD_TITLES.len() {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        format!("\n{}\n", table.trim_fmt())
    }

    fn cells(&self, run: &RunReport) -> Vec<String> {
        let tally = run.tally();
        let mut cells = vec![
            run.outcome.word().to_owned(),
            run.scenario.clone(),
            run.seed.clone(),
            format!("{}/{}", tally.held, tally.held + tally.failed),
            run.checks().to_string(),
        ];
        cells.extend(columns(run));
        cells
    }

    /// The table library measures plain text, so colour is added to the finished lines.
    fn styled(&self, table: String) -> String {
        let mut text = String::with_capacity(table.len());
        for line in table.lines() {
            let outcomes = [Outcome::Failed, Outcome::Regressed, Outcome::Passed];
            match outcomes.iter().find(|outcome| line.trim_start().starts_with(outcome.word())) {
                Some(outcome) => {
                    let style = style_of(*outcome);
                    text.push_str(&line.replacen(outcome.word(), &format!("{style}{}{style:#}", outcome.word()), 1));
                }
                None => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

/// The metrics of a run in the order of the columns.
pub(crate) fn columns(run: &RunReport) -> Vec<String> {
    let value = |name: &str| run.metrics.get(name).map_or("-".into(), |measured| human(name, measured.value));
    COLUMNS.iter().map(|(name, _)| value(name)).collect()
}

/// Heads of the metric columns.
pub(crate) fn column_titles() -> [&'static str; 5] {
    COLUMNS.map(|(_, title)| title)
}

/// Writes `suite.json`, `junit.xml`, `summary.md` and `index.html` of a suite into `dir`, beside the folders of its
/// runs, to which the page links.
///
/// # Errors
/// When a file cannot be written.
pub fn write_suite(dir: &Path, suite: &Suite) -> Result<Vec<Artefact>, WriteError> {
    let mut files = Files::create(dir.to_path_buf())?;
    let json = serde_json_canonicalizer::to_vec(&suite.runs).map_err(|e| WriteError::render("suite.json", e))?;
    files.put("suite.json", &json)?;
    let junit = junit::render(&suite.runs).map_err(|error| WriteError::render("junit.xml", error))?;
    files.put("junit.xml", junit.as_bytes())?;
    files.put("summary.md", summary(suite).as_bytes())?;
    let page = page::render_suite(suite).map_err(|error| WriteError::render("index.html", error))?;
    files.put("index.html", page.as_bytes())?;
    Ok(files.written)
}

/// Worst first.
fn summary(suite: &Suite) -> String {
    let mut runs: Vec<&RunReport> = suite.runs.iter().collect();
    runs.sort_by(|a, b| (a.outcome, &a.scenario).cmp(&(b.outcome, &b.scenario)));
    let mut text = format!("# {}: {}\n\n", suite.outcome().word(), suite.sentence());
    text.push_str("| | scenario | seed | invariants | checks |");
    column_titles().iter().for_each(|column| text.push_str(&format!(" {column} |")));
    text.push_str("\n| --- | --- | ---: | ---: | ---: |");
    COLUMNS.iter().for_each(|_| text.push_str(" ---: |"));
    text.push('\n');
    for run in &runs {
        let cells = suite.cells(run).iter().map(|cell| format!(" {} |", escape(cell))).collect::<String>();
        text.push_str(&format!("|{cells}\n"));
    }
    grid::grids(&suite.runs).iter().for_each(|grid| text.push_str(&grid.markdown()));
    text.push_str(&spread_summary(suite));
    text.push_str(&ledger::markdown(&suite.runs));
    for run in runs.iter().filter(|run| run.outcome == Outcome::Failed) {
        text.push_str(&format!("\n## {} seed {}\n\n", escape(&run.scenario), run.seed));
        run.reasons.iter().for_each(|reason| text.push_str(&format!("- {}\n", escape(reason))));
        text.push_str(&format!("- again: `{}`\n", escape(&run.reproduce)));
    }
    cut(text)
}

fn spread_summary(suite: &Suite) -> String {
    let spreads = spreads(&suite.runs, &METRICS);
    if spreads.is_empty() {
        return String::new();
    }
    let mut text =
        format!("\n| over seeds | | {} |\n| --- | --- |{}\n", SPREAD_TITLES.join(" | "), " ---: |".repeat(6));
    for spread in spreads {
        let cells = spread.cells().join(" | ");
        text.push_str(&format!(
            "| {} | {} | {cells} | {} |\n",
            escape(&spread.scenario),
            spread.metric,
            spread.missing
        ));
    }
    text
}
