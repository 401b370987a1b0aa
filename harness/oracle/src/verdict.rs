//! The verdict: invariants, thresholds, what the plan exercises and what it expects, together.

use crate::{
    catalogue::{Evidence, INVARIANTS, Invariant, Pair},
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
    judge_with(log, None)
}

/// Judges a run as [`judge`] does, and compares it with the run of the same plan over the relay.
///
/// # Panics
/// When one of the logs holds no plan.
pub fn judge_pair(direct: &Log, relayed: &Log) -> Judgement {
    let run = Run::of(relayed);
    let (search, trial) = (views::search(&run), Trial::of(&run));
    let evidence = Evidence { run: &run, search: &search, trial: &trial, pair: None };
    judge_with(direct, Some(&metrics::measure(&evidence).metrics()))
}

fn judge_with(log: &Log, relayed: Option<&[Metric]>) -> Judgement {
    let run = Run::of(log);
    let search = views::search(&run);
    let trial = Trial::of(&run);
    let alone = Evidence { run: &run, search: &search, trial: &trial, pair: None };
    let sheet = metrics::measure(&alone);
    let measured = sheet.metrics();
    let evidence = Evidence { pair: relayed.map(|relayed| Pair { direct: &measured, relayed }), ..alone };
    let invariants: Vec<InvariantReport> =
        INVARIANTS.iter().map(|invariant| report(invariant, (invariant.checker)(&evidence))).collect();
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
                if invariant.checks == 0 {
                    "no check was made".into()
                } else {
                    format!("all {} checks held", invariant.checks)
                }
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
    let first = first
        .map_or(String::new(), |first| format!(": {} (first at {}, record {})", first.message, first.at, first.record));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;
    use kernel::{
        Micros,
        event::{self, Event},
    };
    use std::fmt::Write;

    fn call() -> Story {
        let mut story = Story::new();
        story.live();
        for number in 0..40 {
            story.frame("alice-phone", number).at(7_300 + 33 * u64::from(number));
            story.frame("bob-phone", number);
        }
        story.over(8_700);
        story
    }

    fn threshold(metric: &str, at_most: Option<i64>, at_least: Option<i64>) -> Threshold {
        Threshold { metric: metric.into(), at_most, at_least }
    }

    #[test]
    fn a_call_that_keeps_all_promises_passes() {
        let mut story = call();
        story.plan.exercises = vec!["only_friends_ring".into(), "legs_sum_to_glass_to_glass".into()];
        story.plan.thresholds = vec![threshold("glass_to_glass_us_p95", Some(20_000), None)];
        let judgement = story.judge();
        assert_eq!((judgement.verdict, judgement.reasons), (Verdict::Passed, Vec::new()));
    }

    #[test]
    fn what_is_listed_and_not_exercised_fails() {
        let mut story = call();
        story.plan.exercises = vec!["tampering_is_rejected".into(), "no_such_truth".into()];
        assert_eq!(
            story.judge().reasons,
            [
                "tampering_is_rejected (INT-1) was not exercised: no check was made.",
                "no_such_truth is not in the catalogue of invariants."
            ]
        );
    }

    #[test]
    fn a_threshold_that_is_missed_or_not_measured_fails() {
        let mut story = call();
        story.plan.thresholds = vec![
            threshold("glass_to_glass_us_p95", Some(17_919), None),
            threshold("alice-phone>bob-phone/glass_to_glass_us_p50", None, Some(17_921)),
            threshold("psnr_y_mdb_p5", None, Some(1)),
            threshold("freeze_count", Some(0), None),
        ];
        assert_eq!(
            story.judge().reasons,
            [
                "glass_to_glass_us_p95 is 17920, more than 17919.",
                "alice-phone>bob-phone/glass_to_glass_us_p50 is 17920, less than 17921.",
                "psnr_y_mdb_p5 was not measured, but has a threshold."
            ]
        );
    }

    /// A call in which one nonce is used twice, as a canary.
    fn canary(expected: &str) -> Story {
        let mut story = call();
        for _ in 0..2 {
            let (device, key) = ("bob-phone".into(), "k".into());
            story.tell(Event::KeyUsed(event::KeyUsed { device, key, kid: 0, counter: 0, seals: true }));
        }
        story.plan.expect = Expectation::Fails { invariant: expected.into() };
        story
    }

    #[test]
    fn a_canary_passes_when_exactly_its_invariant_fails() {
        let mut story = canary("no_nonce_twice");
        story.plan.thresholds = vec![threshold("glass_to_glass_us_p95", Some(1), None)];
        let judgement = story.judge();
        assert_eq!((judgement.verdict, judgement.reasons), (Verdict::Passed, Vec::new()));
        assert!(!judgement.thresholds[0].holds, "reported, but not judged");
    }

    #[test]
    fn a_canary_fails_when_another_invariant_does() {
        let reasons = canary("only_friends_ring").judge().reasons;
        assert_eq!(reasons.len(), 2);
        assert_eq!(reasons[0], "only_friends_ring (FG-1) was expected to fail, but all 2 checks held.");
        assert!(
            reasons[1].starts_with("no_nonce_twice (KH-1) failed in 1 of 82 checks: bob-phone seals"),
            "{}",
            reasons[1]
        );
    }

    #[test]
    fn a_canary_fails_when_nothing_does() {
        let mut story = call();
        story.plan.expect = Expectation::Fails { invariant: "tampering_is_rejected".into() };
        assert_eq!(
            story.judge().reasons,
            ["tampering_is_rejected (INT-1) was expected to fail, but no check was made."]
        );
    }

    #[test]
    fn a_small_call_is_judged_as_ever() {
        let mut story = call();
        story.plan.duration = Micros::from_secs(8);
        let judgement = story.judge();
        let mut text = format!("{:?} {:?}\n\n", judgement.verdict, judgement.reasons);
        for report in &judgement.invariants {
            writeln!(text, "{:<16} {:<38} {:>6} {:?}", report.id, report.name, report.checks, report.verdict).unwrap();
        }
        text.push('\n');
        // The directions are alike, and so are the legs' percentiles.
        for metric in judgement.metrics.iter().filter(|metric| !metric.name.contains('>')) {
            writeln!(text, "{:<55} {:>10} {:?}", metric.name, metric.value, metric.direction).unwrap();
        }
        text.push('\n');
        for finding in &judgement.findings {
            writeln!(text, "{} {} .. {} {}", finding.severity, finding.from, finding.until, finding.sentence).unwrap();
        }
        for histogram in judgement.histograms.iter().filter(|histogram| !histogram.name.contains("leg_")) {
            writeln!(text, "{} has {} values", histogram.name, histogram.values.len()).unwrap();
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    #[should_panic(expected = "a log begins with its plan")]
    fn a_log_without_a_plan_is_a_bug() {
        judge(&Log::default());
    }
}
