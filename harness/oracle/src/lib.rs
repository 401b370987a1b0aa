//! Invariants, goals and metrics over the event log. The oracle never sees the actors: it reads records and bytes.

pub mod judgement;

pub use judgement::{Direction, Finding, Histogram, InvariantReport, InvariantVerdict, Judgement, Metric, ThresholdReport, Verdict, Violation};
