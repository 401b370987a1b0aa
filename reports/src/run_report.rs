//! `run.json`: everything that machines want to know of a run, in canonical JSON (RFC 8785) of a versioned schema.

use crate::{
    file_error::FileError,
    metric_name::MetricName,
    run::{Artefact, Outcome, Run, folder},
};
use kernel::{SimTime, names::to_hex, plan::Expectation};
use oracle::{
    Direction, Finding, InvariantReport, InvariantVerdict, Judgement, Metric, ThresholdReport, ThresholdVerdict,
    Verdict,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// The schema that this build writes and reads.
const SCHEMA: &str = "callproof-run/1";

/// What `run.json` holds: a run without its log. Suites are made of these.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// Name and version of the schema.
    pub schema: String,
    /// Name of the scenario.
    pub scenario: String,
    /// The scenario in a sentence.
    pub title: String,
    /// Path of the scenario file.
    pub scenario_path: String,
    /// Hash of the resolved configuration without its seed.
    pub config_hash: String,
    /// The seed in decimal digits: a JSON number is exact up to 2^53 only.
    pub seed: String,
    /// The commit that was built.
    pub commit: String,
    /// The word on the verdict bar.
    pub outcome: Outcome,
    /// The oracle's verdict.
    pub verdict: Verdict,
    /// Why it failed.
    pub reasons: Vec<String>,
    /// What the plan expects.
    pub expect: Expectation,
    /// The planted bug.
    pub mutant: Option<String>,
    /// Invariants that must make at least one check.
    pub exercises: Vec<String>,
    /// Every invariant with its checks.
    pub invariants: Vec<InvariantReport>,
    /// Every threshold.
    pub thresholds: Vec<ThresholdReport>,
    /// Every metric by name: an integer in the unit of the name.
    pub metrics: BTreeMap<String, Measured>,
    /// What a person should know, worst first.
    pub findings: Vec<Finding>,
    /// What proves that two runs are the same.
    pub digests: Digests,
    /// The environment fingerprint.
    pub environment: BTreeMap<String, String>,
    /// Simulated time when the run ended, in microseconds.
    pub simulated: SimTime,
    /// Wall time in milliseconds; the one value that differs between two equal runs.
    pub wall_ms: u64,
    /// The command that runs it again.
    pub reproduce: String,
    /// The files written before this one.
    pub artefacts: Vec<Artefact>,
}

/// A metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The value, in the unit of the metric's name.
    pub value: i64,
    /// Which way it improves.
    pub direction: Direction,
}

/// The rolling digests of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// Of every record and every byte beside the log.
    pub log: String,
    /// Number of records.
    pub records: u64,
    /// Of every draw through libc.
    pub draws: String,
    /// Number of draws.
    pub draw_count: u64,
}

impl RunReport {
    /// The report of a run; `artefacts` are its files so far.
    pub fn new(run: &Run<'_>, artefacts: &[Artefact]) -> RunReport {
        let Run { log, judgement, facts } = run;
        let plan = &judgement.plan;
        RunReport {
            schema: SCHEMA.into(),
            scenario: plan.scenario.clone(),
            title: plan.title.clone(),
            scenario_path: facts.scenario_path.clone(),
            config_hash: facts.config_hash.clone(),
            seed: plan.seed.to_string(),
            commit: facts.commit.clone(),
            outcome: run.outcome(),
            verdict: judgement.verdict,
            reasons: judgement.reasons.clone(),
            expect: plan.expect.clone(),
            mutant: plan.mutant.map(|mutant| mutant.to_string()),
            exercises: plan.exercises.clone(),
            invariants: judgement.invariants.clone(),
            thresholds: judgement.thresholds.clone(),
            metrics: metrics(judgement),
            findings: judgement.findings.clone(),
            digests: Digests {
                log: to_hex(&log.digest),
                records: log.records.len() as u64,
                draws: to_hex(&facts.draws.digest),
                draw_count: facts.draws.count,
            },
            environment: facts.environment.clone(),
            simulated: facts.simulated,
            wall_ms: facts.wall_ms,
            reproduce: facts.reproduce.clone(),
            artefacts: artefacts.to_vec(),
        }
    }

    /// The report as canonical JSON.
    ///
    /// # Panics
    /// Never: every field serializes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(self).expect("a run report serializes")
    }

    /// Reads a `run.json`.
    ///
    /// # Errors
    /// When the file is missing, broken or of another version.
    pub fn read(path: &Path) -> Result<RunReport, FileError> {
        let bytes = fs::read(path).map_err(|error| FileError::File { path: path.to_path_buf(), error })?;
        let content = |message| FileError::Content { path: path.to_path_buf(), message };
        let report: RunReport = serde_json::from_slice(&bytes).map_err(|error| content(error.to_string()))?;
        if report.schema != SCHEMA {
            return Err(content(format!("the schema is `{}`; this build reads `{SCHEMA}`", report.schema)));
        }
        Ok(report)
    }

    /// Name of the run's folder.
    pub fn folder(&self) -> String {
        folder(&self.scenario, self.seed.parse().unwrap_or_default())
    }

    /// Whether an invariant's failure is what the plan expects: a canary or a planted bug.
    pub(crate) fn expects_failure_of(&self, invariant: &str) -> bool {
        matches!(&self.expect, Expectation::Fails { invariant: expected } if expected == invariant)
    }

    /// How many thresholds hold.
    pub(crate) fn held_thresholds(&self) -> usize {
        self.count(ThresholdVerdict::Held)
    }

    /// How many thresholds are missed by what is known.
    pub(crate) fn known_gaps(&self) -> usize {
        self.count(ThresholdVerdict::KnownGap)
    }

    fn count(&self, verdict: ThresholdVerdict) -> usize {
        self.thresholds.iter().filter(|threshold| threshold.verdict() == verdict).count()
    }

    /// Checks made by all invariants.
    pub(crate) fn checks(&self) -> u64 {
        self.invariants.iter().map(|invariant| invariant.checks).sum()
    }

    /// How many invariants held, failed and were not exercised.
    pub(crate) fn tally(&self) -> Tally {
        let count = |verdict| self.invariants.iter().filter(|invariant| invariant.verdict == verdict).count();
        Tally {
            held: count(InvariantVerdict::Held),
            failed: count(InvariantVerdict::Failed),
            not_exercised: count(InvariantVerdict::NotExercised),
        }
    }
}

/// How the invariants of a run came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) held: usize,
    pub(crate) failed: usize,
    pub(crate) not_exercised: usize,
}

fn metrics(judgement: &Judgement) -> BTreeMap<String, Measured> {
    let measured = |metric: &Metric| Measured { value: metric.value, direction: metric.direction };
    judgement.metrics.iter().map(|metric| (metric.name.clone(), measured(metric))).collect()
}

/// What a person looks for first, in this order, as bases of metric names with the statistic that is shown.
const HEADLINES: [(&str, Option<&str>); 10] = [
    ("setup_us", None),
    ("glass_to_glass_us", Some("p95")),
    ("mouth_to_ear_us", Some("p95")),
    ("freeze_count", None),
    ("freeze_total_us", None),
    ("harmonic_fps_milli", None),
    ("psnr_y_mdb", Some("p5")),
    ("ssim_y_ppm", Some("p5")),
    ("video_sent_bps", None),
    ("loss_ppm", None),
];

/// The headline metrics that a run measured.
pub(crate) fn headlines(metrics: &BTreeMap<String, Measured>) -> impl Iterator<Item = (&str, i64)> {
    HEADLINES.iter().filter_map(|(base, statistic)| {
        metrics.iter().find_map(|(name, measured)| {
            let parsed = MetricName::parse(name);
            (parsed == MetricName { scope: None, base, statistic: *statistic })
                .then_some((name.as_str(), measured.value))
        })
    })
}
