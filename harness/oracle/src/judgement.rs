//! What the oracle says about a run.

use kernel::{SimTime, plan::Plan};
use serde::{Deserialize, Serialize};

/// The verdict on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It came to what its plan expects.
    Passed,
    /// It did not.
    Failed,
}

/// Everything that the oracle says about a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// The plan that was judged: the log's first record.
    pub plan: Plan,
    /// The verdict: invariants, thresholds, `exercises` and `expect` together.
    pub verdict: Verdict,
    /// Why it failed, as sentences; empty when it passed.
    pub reasons: Vec<String>,
    /// Every invariant of the catalogue, in its order.
    pub invariants: Vec<InvariantReport>,
    /// Every threshold of the plan.
    pub thresholds: Vec<ThresholdReport>,
    /// Every metric, by name.
    pub metrics: Vec<Metric>,
    /// What a person should know, worst first.
    pub findings: Vec<Finding>,
    /// Latency distributions.
    pub histograms: Vec<Histogram>,
}

/// What became of one invariant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvariantReport {
    /// Id, as `FG-1`; several when one truth covers them, joined by `/`.
    pub id: String,
    /// Name, as `only_friends_ring`.
    pub name: String,
    /// The truth in a sentence.
    pub truth: String,
    /// Checks made.
    pub checks: u64,
    /// What came out.
    pub verdict: InvariantVerdict,
    /// How many checks failed.
    pub violations: u64,
    /// The first failed check.
    pub first_violation: Option<Violation>,
}

/// What came out of the checks of an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvariantVerdict {
    /// All checks held.
    Held,
    /// A check failed.
    Failed,
    /// No check was made. Never green.
    NotExercised,
}

/// A check that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Violation {
    /// When.
    pub at: SimTime,
    /// Which record of the log shows it.
    pub record: u64,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
    /// Neither: it describes the run.
    Neutral,
}

/// A measured integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Name with its unit last and the statistic behind it: `glass_to_glass_us_p95`. A metric of one direction of the
    /// call carries it in front: `alice-phone>bob-phone/glass_to_glass_us_p95`. The plain name is the worst of all.
    pub name: String,
    /// The value, in the unit of the name.
    pub value: i64,
    /// Which way it improves.
    pub direction: Direction,
}

/// What became of a threshold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ThresholdReport {
    /// The metric's name.
    pub metric: String,
    /// Upper bound.
    pub at_most: Option<i64>,
    /// Lower bound.
    pub at_least: Option<i64>,
    /// The measured value; none when the metric was not measured, which fails the threshold.
    pub measured: Option<i64>,
    /// Whether it holds.
    pub holds: bool,
}

/// Something a person should know, with its evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// 0 is worst: 0 broken promise, 1 poor quality, 2 worth knowing.
    pub severity: u8,
    /// The sentence.
    pub sentence: String,
    /// From when.
    pub from: SimTime,
    /// Until when.
    pub until: SimTime,
}

/// A distribution of latencies in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Histogram {
    /// Name of the stream: `alice-phone>bob-phone/glass_to_glass_us`.
    pub name: String,
    /// The recorded values in the order of time, with the time of each.
    pub values: Vec<(SimTime, u64)>,
}
