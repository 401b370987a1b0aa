//! Invariants, goals and metrics over the event log. The oracle never sees the actors: it reads records and bytes, so
//! that a verdict can be computed again from a saved log.

mod catalogue;
mod checks;
mod conformance;
mod findings;
mod invariants;
pub mod judgement;
mod metrics;
mod promises;
mod reachability;
mod recovery;
mod run;
mod scan;
mod sframe;
#[cfg(test)]
mod story;
mod stun;
mod trial;
mod verdict;
mod views;

pub use catalogue::{INVARIANTS, Invariant};
pub use conformance::{Census, Conformance, InvariantRow, PromiseRow, Standing};
pub use judgement::{
    Direction, Finding, FlowCourse, GapReport, Histogram, InvariantReport, InvariantVerdict, Judgement, LinkCourse,
    Metric, ThresholdReport, ThresholdVerdict, Verdict, Violation,
};
pub use metrics::{Across, METRICS, MetricFamily, metric_names};
pub use promises::{PROMISES, Promise};
pub use recovery::{RecoveryVerdict, judge_recovery};
pub use verdict::{judge, judge_pair};
