//! What the oracle says about a run.

use kernel::{
    SimTime,
    plan::{Gap, Plan},
};
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
    /// The core links that calls with video go over, each direction by itself.
    pub courses: Vec<LinkCourse>,
}

/// The course of a direction of a core link while calls with video are on it: what is known in each span up to a time of
/// `at`. All lists are as long as that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCourse {
    /// The link's direction: `bottleneck/up`.
    pub link: String,
    /// Ends of the spans, each 200 ms after the other, or a multiple in a long run.
    pub at: Vec<SimTime>,
    /// What the link could carry; none where it is unlimited.
    pub capacity_bps: Vec<Option<u64>>,
    /// What left its queue, with all headers.
    pub carried_bps: Vec<u64>,
    /// The mean wait in its queue of the packets that left it; none without packets.
    pub queue_us_mean: Vec<Option<u64>>,
    /// The longest.
    pub queue_us_max: Vec<Option<u64>>,
    /// Packets that it dropped.
    pub dropped: Vec<u64>,
    /// Packets that its queue management marked.
    pub marked: Vec<u64>,
    /// The calls' directions, then cross traffic.
    pub flows: Vec<FlowCourse>,
}

/// The rate of a flow over a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCourse {
    /// `alice-phone>bob-phone`, or `traffic/upload`.
    pub name: String,
    /// Of a call what it sent with IP and UDP headers, of cross traffic the payload that it delivered: in the second
    /// before each time of the link's course.
    pub rate_bps: Vec<u64>,
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
    /// Whether the bounds hold, whatever gap is known.
    pub holds: bool,
    /// The known gap. Reports from before there were gaps have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<GapReport>,
}

/// What became of a known gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapReport {
    /// The gap as the plan has it.
    #[serde(flatten)]
    pub known: Gap,
    /// Whether the measured value is within it, and within the bounds for which it says nothing.
    pub within: bool,
}

/// What came out of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThresholdVerdict {
    /// Missed, and by more than a gap is known for.
    Failed,
    /// A gap is known for it that does not vary with the seed, but it holds: the plan is out of date, which fails the
    /// run.
    StaleGap,
    /// Missed by no more than is known. Does not fail the run, and is never counted as held.
    KnownGap,
    /// The bounds hold.
    Held,
}

impl ThresholdReport {
    /// What came out.
    pub fn verdict(&self) -> ThresholdVerdict {
        match (self.holds, &self.gap) {
            (true, Some(gap)) if !gap.known.varies => ThresholdVerdict::StaleGap,
            (true, _) => ThresholdVerdict::Held,
            (false, Some(gap)) if gap.within => ThresholdVerdict::KnownGap,
            (false, _) => ThresholdVerdict::Failed,
        }
    }
}

impl ThresholdVerdict {
    /// Whether a run of which everything is to hold fails by it.
    pub fn fails(self) -> bool {
        matches!(self, ThresholdVerdict::Failed | ThresholdVerdict::StaleGap)
    }
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
