//! `index.html`: one file for a person, everything inlined, no network. The templates lay out what the submodules
//! collect from log and judgement; askama escapes every text, and the JSON for the charts cannot end its element.

mod ladder;
mod latency;
mod links;
mod media;
mod metrics;
mod packets;
mod security;
mod timeline;
mod transport;

use crate::{
    baseline::Comparison,
    gate, ledger,
    metric_name::{bytes, human, instant, time},
    run::{Artefact, Outcome, Run},
    run_report::{RunReport, headlines},
    suite::{Suite, column_titles, columns},
    threshold,
    trace::Packets,
};
use askama::Template;
use kernel::plan::Expectation;
use oracle::{InvariantReport, InvariantVerdict};

const STYLE: &str = include_str!("../../templates/page.css");
const SCRIPT: &str = include_str!("../../templates/run.js");
const UPLOT_STYLE: &str = include_str!("../../vendor/uplot/uPlot.min.css");
const UPLOT_SCRIPT: &str = include_str!("../../vendor/uplot/uPlot.iife.min.js");

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage<'a> {
    style: &'static str,
    script: &'static str,
    uplot_style: &'static str,
    uplot_script: &'static str,
    report: &'a RunReport,
    facts: Vec<(&'static str, String)>,
    headlines: Vec<Headline>,
    expected: Option<&'a str>,
    findings: Vec<FindingView>,
    tally: String,
    invariants: Vec<InvariantView>,
    metrics: metrics::Metrics,
    comparison: Option<ComparisonView>,
    /// The core links with charts, by name.
    links: Vec<&'a str>,
    lanes: Vec<timeline::LaneView>,
    /// Whether any device was in a call.
    has_states: bool,
    data: String,
    ladder: String,
    transport: transport::Transport,
    latency: latency::Latency,
    pictures: Vec<media::PictureView>,
    pictures_kept: usize,
    packets: packets::PacketsView,
    security: security::Security,
    plan: String,
    artefacts: Vec<ArtefactView>,
}

#[derive(Template)]
#[template(path = "suite.html")]
struct SuitePage<'a> {
    style: &'static str,
    outcome: Outcome,
    sentence: String,
    columns: [&'static str; 5],
    runs: Vec<SuiteRow<'a>>,
    ledger: Vec<LedgerRow>,
}

/// A number at the top of the page.
struct Headline {
    title: String,
    statistic: String,
    value: String,
    /// Of its threshold, where it has one.
    class: &'static str,
}

struct FindingView {
    class: &'static str,
    word: &'static str,
    from: String,
    until: String,
    sentence: String,
}

struct InvariantView {
    class: &'static str,
    word: &'static str,
    id: String,
    name: String,
    truth: String,
    checks: String,
    violation: Option<String>,
}

struct ComparisonView {
    sentence: String,
    notes: Vec<String>,
    rows: Vec<ComparisonRow>,
}

struct ComparisonRow {
    class: &'static str,
    word: &'static str,
    metric: String,
    baseline: String,
    measured: String,
    difference: String,
}

struct ArtefactView {
    path: String,
    size: String,
    blake3: String,
}

/// A line of the ledger: scenario, metric, required, measured, standing.
struct LedgerRow {
    class: &'static str,
    cells: [String; 5],
}

struct SuiteRow<'a> {
    class: &'static str,
    report: &'a RunReport,
    link: String,
    invariants: String,
    checks: u64,
    metrics: Vec<String>,
    /// The invariant whose failure is what the scenario expects.
    expected: Option<&'a str>,
}

/// The page of a run; `artefacts` are the files beside it.
pub(crate) fn render(run: &Run<'_>, artefacts: &[Artefact]) -> Result<String, askama::Error> {
    let report = RunReport::new(run, artefacts);
    let packets = Packets::of(run.log);
    let tally = report.tally();
    let page = RunPage {
        style: STYLE,
        script: SCRIPT,
        uplot_style: UPLOT_STYLE,
        uplot_script: UPLOT_SCRIPT,
        report: &report,
        facts: facts(&report),
        headlines: headline_views(&report),
        expected: expected(&report),
        findings: findings(&report),
        tally: format!("{} held, {} failed, {} not exercised", tally.held, tally.failed, tally.not_exercised),
        invariants: report.invariants.iter().map(|invariant| invariant_view(&report, invariant)).collect(),
        metrics: metrics::collect(&report, run.facts.comparison.as_ref()),
        comparison: run.facts.comparison.as_ref().map(comparison_view),
        links: run.judgement.courses.iter().map(|course| course.link.as_str()).collect(),
        lanes: timeline::views(run),
        has_states: timeline::has_states(run.log),
        data: timeline::data(run, &packets),
        ladder: ladder::svg(run.log, &run.judgement.plan),
        transport: transport::collect(run.log, &packets, &run.judgement.plan),
        latency: latency::collect(&run.judgement.histograms),
        pictures: media::collect(run),
        pictures_kept: run.facts.pictures.len(),
        packets: packets::collect(&packets),
        security: security::collect(run.log),
        plan: serde_json::to_string_pretty(&run.judgement.plan).map_err(askama::Error::custom)?,
        artefacts: artefacts.iter().map(artefact_view).collect(),
    };
    page.render()
}

/// The page of a suite.
pub(crate) fn render_suite(suite: &Suite) -> Result<String, askama::Error> {
    let mut runs: Vec<&RunReport> = suite.runs.iter().collect();
    runs.sort_by(|a, b| (a.outcome, &a.scenario).cmp(&(b.outcome, &b.scenario)));
    let row = |report: &'_ RunReport| {
        let tally = report.tally();
        (format!("{}/index.html", report.folder()), format!("{} of {}", tally.held, tally.held + tally.failed))
    };
    let rows = runs.into_iter().map(|report| {
        let (link, invariants) = row(report);
        let class = outcome_class(report.outcome);
        SuiteRow {
            class,
            report,
            link,
            invariants,
            checks: report.checks(),
            metrics: columns(report),
            expected: expected(report),
        }
    });
    let page = SuitePage {
        style: STYLE,
        outcome: suite.outcome(),
        sentence: suite.sentence(),
        columns: column_titles(),
        runs: rows.collect(),
        ledger: ledger::entries(&suite.runs).iter().map(ledger_row).collect(),
    };
    page.render()
}

fn ledger_row(entry: &ledger::Entry<'_>) -> LedgerRow {
    LedgerRow { class: threshold::class(entry.verdict()), cells: entry.cells() }
}

impl RunPage<'_> {
    fn outcome_class(&self) -> &'static str {
        outcome_class(self.report.outcome)
    }
}

impl SuitePage<'_> {
    fn outcome_class(&self) -> &'static str {
        outcome_class(self.outcome)
    }
}

/// The invariant that must fail: a canary's, or a planted bug's.
fn expected(report: &RunReport) -> Option<&str> {
    match &report.expect {
        Expectation::Fails { invariant } => Some(invariant),
        Expectation::Holds => None,
    }
}

fn outcome_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "good",
        Outcome::Regressed => "warn",
        Outcome::Failed => "bad",
    }
}

fn facts(report: &RunReport) -> Vec<(&'static str, String)> {
    let span = |us: u64| time(i64::try_from(us).unwrap_or(i64::MAX));
    vec![
        ("seed", report.seed.clone()),
        ("simulated", span(report.simulated.0)),
        ("wall time", span(report.wall_ms.saturating_mul(1_000))),
        ("configuration", crate::console::short(&report.config_hash).into()),
        ("commit", report.commit.chars().take(24).collect()),
        ("log", crate::console::short(&report.digests.log).into()),
    ]
}

fn headline_views(report: &RunReport) -> Vec<Headline> {
    let view = |(name, value): (&str, i64)| {
        let statistic = crate::metric_name::MetricName::parse(name).statistic.unwrap_or("").into();
        let bounded = report.thresholds.iter().find(|threshold| threshold.metric == name);
        let class = bounded.map_or("", |report| threshold::class(report.verdict()));
        Headline { title: crate::metric_name::title(name), statistic, value: human(name, value), class }
    };
    headlines(&report.metrics).map(view).collect()
}

fn findings(report: &RunReport) -> Vec<FindingView> {
    let mut findings: Vec<_> = report.findings.iter().collect();
    findings.sort_by_key(|finding| finding.severity);
    let view = |finding: &oracle::Finding| {
        let (class, word) = [("bad", "broken promise"), ("warn", "poor quality"), ("note", "worth knowing")]
            [usize::from(finding.severity.min(2))];
        let (from, until) = (instant(finding.from), instant(finding.until));
        FindingView { class, word, from, until, sentence: finding.sentence.clone() }
    };
    findings.into_iter().map(view).collect()
}

fn invariant_view(report: &RunReport, invariant: &InvariantReport) -> InvariantView {
    let (class, word) = match invariant.verdict {
        InvariantVerdict::Held => ("good", "held"),
        InvariantVerdict::Failed if report.expects_failure_of(&invariant.name) => ("good", "failed as expected"),
        InvariantVerdict::Failed => ("bad", "failed"),
        InvariantVerdict::NotExercised if report.exercises.contains(&invariant.name) => ("bad", "NOT EXERCISED"),
        InvariantVerdict::NotExercised => ("idle", "NOT EXERCISED"),
    };
    let violation = invariant.first_violation.as_ref().map(|first| {
        format!(
            "{} of the checks failed; first at {} (record {}): {}",
            invariant.violations,
            instant(first.at),
            first.record,
            first.message
        )
    });
    InvariantView {
        class,
        word,
        id: invariant.id.clone(),
        name: invariant.name.clone(),
        truth: invariant.truth.clone(),
        checks: crate::metric_name::decimal(invariant.checks.min(i64::MAX as u64) as i64, 0, 0),
        violation,
    }
}

fn comparison_view(comparison: &Comparison) -> ComparisonView {
    let row = |row: &crate::Row| {
        let value = |value: Option<i64>| value.map_or("-".into(), |value| human(&row.metric, value));
        ComparisonRow {
            class: standing_class(row.standing),
            word: gate::word(row.standing),
            metric: row.metric.clone(),
            baseline: value(row.baseline),
            measured: value(row.measured),
            difference: gate::difference(row),
        }
    };
    let moved = comparison.rows.iter().filter(|row| row.standing != crate::Standing::Unchanged);
    ComparisonView { sentence: comparison.sentence(), notes: comparison.notes.clone(), rows: moved.map(row).collect() }
}

fn standing_class(standing: crate::Standing) -> &'static str {
    match standing {
        crate::Standing::Regressed | crate::Standing::Missing => "bad",
        crate::Standing::Improved => "good",
        _ => "idle",
    }
}

fn artefact_view(artefact: &Artefact) -> ArtefactView {
    ArtefactView {
        path: artefact.path.clone(),
        size: bytes(i64::try_from(artefact.bytes).unwrap_or(i64::MAX)),
        blake3: artefact.blake3.clone(),
    }
}
