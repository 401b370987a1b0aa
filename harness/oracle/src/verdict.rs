//! The verdict: invariants, thresholds, what the plan exercises and what it expects, together.

use crate::{
    catalogue::{Evidence, INVARIANTS, Invariant},
    checks::Checks,
    findings,
    judgement::{InvariantReport, InvariantVerdict, Judgement, Metric, ThresholdReport, Verdict},
    metrics,
    run::Run,
    trial::Trial,
    views,
};
use kernel::{
    Log,
    plan::{Expectation, Plan, Threshold},
};

/// Judges a run by its log alone: every invariant, every metric, the plan's thresholds and expectation.
///
/// # Panics
/// When the log holds no plan: a log begins with it.
pub fn judge(log: &Log) -> Judgement {
    let run = Run::of(log);
    let search = views::search(&run);
    let trial = Trial::of(&run);
    let evidence = Evidence { run: &run, search: &search, trial: &trial };
    let invariants: Vec<InvariantReport> =
        INVARIANTS.iter().map(|invariant| report(invariant, (invariant.checker)(&evidence))).collect();
    let sheet = metrics::measure(&evidence);
    let measured = sheet.metrics();
    let thresholds: Vec<ThresholdReport> =
        run.plan.thresholds.iter().map(|threshold| compare(threshold, &measured)).collect();
    let reasons = reasons(run.plan, &invariants, &thresholds);
    let findings = findings::find(&run, &invariants, &measured);
    Judgement {
        plan: run.plan.clone(),
        verdict: if reasons.is_empty() { Verdict::Passed } else { Verdict::Failed },
        reasons,
        invariants,
        thresholds,
        metrics: measured,
        findings,
        histograms: sheet.histograms,
    }
}

fn report(invariant: &Invariant, checks: Checks) -> InvariantReport {
    let verdict = match (checks.made, checks.violations) {
        (0, _) => InvariantVerdict::NotExercised,
        (_, 0) => InvariantVerdict::Held,
        _ => InvariantVerdict::Failed,
    };
    InvariantReport {
        id: invariant.id.into(),
        name: invariant.name.into(),
        truth: invariant.truth.into(),
        checks: checks.made,
        verdict,
        violations: checks.violations,
        first_violation: checks.first,
    }
}

fn compare(threshold: &Threshold, measured: &[Metric]) -> ThresholdReport {
    let value = measured.iter().find(|metric| metric.name == threshold.metric).map(|metric| metric.value);
    let holds = value.is_some_and(|value| {
        threshold.at_most.is_none_or(|bound| value <= bound) && threshold.at_least.is_none_or(|bound| value >= bound)
    });
    ThresholdReport {
        metric: threshold.metric.clone(),
        at_most: threshold.at_most,
        at_least: threshold.at_least,
        measured: value,
        holds,
    }
}

/// Why the run is not what its plan expects, as sentences.
fn reasons(plan: &Plan, invariants: &[InvariantReport], thresholds: &[ThresholdReport]) -> Vec<String> {
    let mut reasons = Vec::new();
    let expected = match &plan.expect {
        Expectation::Holds => None,
        Expectation::Fails { invariant } => Some(invariant.as_str()),
    };
    for invariant in invariants {
        match (invariant.verdict == InvariantVerdict::Failed, expected == Some(invariant.name.as_str())) {
            (true, false) => reasons.push(broken(invariant)),
            (false, true) => reasons.push(format!(
                "{} ({}) was expected to fail, but {}.",
                invariant.name,
                invariant.id,
                if invariant.checks == 0 { "no check was made".into() } else { format!("all {} checks held", invariant.checks) }
            )),
            _ => {}
        }
    }
    for name in plan.exercises.iter().map(String::as_str).chain(expected) {
        match invariants.iter().find(|invariant| invariant.name == name) {
            None => reasons.push(format!("{name} is not in the catalogue of invariants.")),
            Some(invariant) if invariant.checks == 0 && expected != Some(name) => {
                reasons.push(format!("{name} ({}) was not exercised: no check was made.", invariant.id));
            }
            Some(_) => {}
        }
    }
    // A run that is meant to break has no quality to speak of.
    if expected.is_none() {
        reasons.extend(thresholds.iter().filter(|threshold| !threshold.holds).map(missed));
    }
    reasons
}

fn broken(invariant: &InvariantReport) -> String {
    let (name, id, violations, checks) = (&invariant.name, &invariant.id, invariant.violations, invariant.checks);
    let first = invariant.first_violation.as_ref();
    let first = first.map_or(String::new(), |first| {
        format!(": {} (first at {}, record {})", first.message, first.at, first.record)
    });
    format!("{name} ({id}) failed in {violations} of {checks} checks{first}.")
}

fn missed(threshold: &ThresholdReport) -> String {
    let metric = &threshold.metric;
    let Some(value) = threshold.measured else { return format!("{metric} was not measured, but has a threshold.") };
    match (threshold.at_most, threshold.at_least) {
        (Some(bound), _) if value > bound => format!("{metric} is {value}, more than {bound}."),
        (_, Some(bound)) => format!("{metric} is {value}, less than {bound}."),
        _ => format!("{metric} is {value}, out of bounds."),
    }
}
