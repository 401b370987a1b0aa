//! A threshold in words. The verdict is the oracle's.

use crate::metric_name::human;
use oracle::{ThresholdReport, ThresholdVerdict};

/// The word for what came out.
pub(crate) fn word(verdict: ThresholdVerdict) -> &'static str {
    match verdict {
        ThresholdVerdict::Failed => "failed",
        ThresholdVerdict::StaleGap => "stale gap",
        ThresholdVerdict::KnownGap => "known gap",
        ThresholdVerdict::Held => "held",
    }
}

/// The class of its colour on a page.
pub(crate) fn class(verdict: ThresholdVerdict) -> &'static str {
    match verdict {
        ThresholdVerdict::Failed | ThresholdVerdict::StaleGap => "bad",
        ThresholdVerdict::KnownGap => "warn",
        ThresholdVerdict::Held => "good",
    }
}

/// A threshold with its bound, what was measured, and the gap where that counts.
pub(crate) fn sentence(report: &ThresholdReport) -> String {
    let gap = gap(report).map_or(String::new(), |gap| format!("; {gap}"));
    format!("{} is {}, allowed {}{gap}", report.metric, measured(report), bounds(report))
}

/// What was measured.
pub(crate) fn measured(report: &ThresholdReport) -> String {
    report.measured.map_or("not measured".into(), |value| human(&report.metric, value))
}

/// The bounds of a threshold: `at most 250.0 ms`.
pub(crate) fn bounds(report: &ThresholdReport) -> String {
    sides(&report.metric, report.at_most, report.at_least)
}

/// What is to be said of the gap; nothing where there is none or it is not seen.
pub(crate) fn gap(report: &ThresholdReport) -> Option<String> {
    let known = &report.gap.as_ref()?.known;
    let within = sides(&report.metric, known.at_most, known.at_least);
    match report.verdict() {
        ThresholdVerdict::Held => None,
        ThresholdVerdict::KnownGap => Some(format!("known gap: {} ({within})", known.reason)),
        ThresholdVerdict::StaleGap => Some(format!("it now meets its criterion: remove the gap ({within})")),
        ThresholdVerdict::Failed => Some(format!("beyond the known gap: {} ({within})", known.reason)),
    }
}

fn sides(metric: &str, at_most: Option<i64>, at_least: Option<i64>) -> String {
    let at_most = at_most.map(|bound| format!("at most {}", human(metric, bound)));
    let at_least = at_least.map(|bound| format!("at least {}", human(metric, bound)));
    [at_least, at_most].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
