//! The verdict: invariants, thresholds, what the plan exercises and what it expects, together.

use crate::{
    catalogue::{Evidence, INVARIANTS, Invariant, Pair},
    checks::Checks,
    findings,
    judgement::{
        GapReport, InvariantReport, InvariantVerdict, Judgement, Metric, ThresholdReport, ThresholdVerdict, Verdict,
    },
    metrics,
    run::Run,
    trial::Trial,
    views,
};
use kernel::{
    Log,
    plan::{Expectation, Pairing, Plan, Threshold},
};

/// Judges a run by its log alone: every invariant, every metric, the plan's thresholds and expectation.
///
/// # Panics
/// When the log holds no plan: a log begins with it.
pub fn judge(log: &Log) -> Judgement {
    judge_with(log, None)
}

/// Judges a run as [`judge`] does, and compares it with the second run of the plan, whose pairing says what is different
/// there.
///
/// # Panics
/// When one of the logs holds no plan.
pub fn judge_pair(first: &Log, second: &Log) -> Judgement {
    let run = Run::of(second);
    let (search, trial) = (views::search(&run), Trial::of(&run));
    let evidence = Evidence { run: &run, search: &search, trial: &trial, pair: None };
    judge_with(first, Some(&metrics::measure(&evidence).metrics()))
}

fn judge_with(log: &Log, second: Option<&[Metric]>) -> Judgement {
    let run = Run::of(log);
    let search = views::search(&run);
    let trial = Trial::of(&run);
    let alone = Evidence { run: &run, search: &search, trial: &trial, pair: None };
    let mut sheet = metrics::measure(&alone);
    let with = |pairing| second.filter(|_| run.plan.paired_with == Some(pairing));
    if let Some(clean) = with(Pairing::CleanFeedback) {
        metrics::compare_with_clean_feedback(&run, clean, &mut sheet);
    }
    let measured = sheet.metrics();
    let pair = with(Pairing::Relay).map(|relayed| Pair { direct: &measured, relayed });
    let evidence = Evidence { pair, ..alone };
    let invariants: Vec<InvariantReport> =
        INVARIANTS.iter().map(|invariant| report(invariant, (invariant.checker)(&evidence))).collect();
    // A saved log holds one run of the two.
    let half = run.plan.paired_with.filter(|_| second.is_none());
    let judged = run.plan.thresholds.iter().filter(|threshold| !needs_both(half, &threshold.metric));
    let thresholds: Vec<ThresholdReport> = judged.map(|threshold| compare(threshold, &measured)).collect();
    let reasons = reasons(run.plan, &invariants, &thresholds, half);
    let findings = findings::find(&evidence, &invariants, &measured, half.is_some());
    Judgement {
        plan: run.plan.clone(),
        verdict: if reasons.is_empty() { Verdict::Passed } else { Verdict::Failed },
        reasons,
        invariants,
        thresholds,
        metrics: measured,
        findings,
        histograms: sheet.histograms,
        courses: sheet.courses,
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
    let within = |at_most: Option<i64>, at_least: Option<i64>| {
        value.is_some_and(|value| {
            at_most.is_none_or(|bound| value <= bound) && at_least.is_none_or(|bound| value >= bound)
        })
    };
    let gap = threshold.gap.as_ref().map(|gap| GapReport {
        known: gap.clone(),
        within: within(gap.at_most.or(threshold.at_most), gap.at_least.or(threshold.at_least)),
    });
    ThresholdReport {
        metric: threshold.metric.clone(),
        at_most: threshold.at_most,
        at_least: threshold.at_least,
        measured: value,
        holds: within(threshold.at_most, threshold.at_least),
        gap,
    }
}

/// Whether an invariant or metric compares the two runs of a pairing, of which only one is there.
fn needs_both(half: Option<Pairing>, name: &str) -> bool {
    match half {
        Some(Pairing::Relay) => name == "direct_is_not_slower_than_relayed",
        Some(Pairing::CleanFeedback) => metrics::compares_with_clean_feedback(name),
        None => false,
    }
}

/// Why the run is not what its plan expects, as sentences; of half a pair what needs both halves is not asked for.
fn reasons(
    plan: &Plan,
    invariants: &[InvariantReport],
    thresholds: &[ThresholdReport],
    half: Option<Pairing>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let expected = match &plan.expect {
        Expectation::Fails { invariant } if needs_both(half, invariant) => None,
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
            Some(invariant) if needs_both(half, &invariant.name) => {}
            Some(invariant) if invariant.checks == 0 && expected != Some(name) => {
                reasons.push(format!("{name} ({}) was not exercised: no check was made.", invariant.id));
            }
            Some(_) => {}
        }
    }
    // A run that is meant to break has no quality to speak of.
    if expected.is_none() {
        reasons.extend(thresholds.iter().filter_map(fault));
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

/// Why a threshold fails the run; nothing where it holds or its gap is known.
fn fault(threshold: &ThresholdReport) -> Option<String> {
    match threshold.verdict() {
        ThresholdVerdict::Held | ThresholdVerdict::KnownGap => None,
        ThresholdVerdict::StaleGap => {
            let (metric, value) = (&threshold.metric, threshold.measured.unwrap_or_default());
            Some(format!("{metric} is {value}, which now meets its criterion: remove the gap."))
        }
        ThresholdVerdict::Failed => Some(missed(threshold)),
    }
}

fn missed(threshold: &ThresholdReport) -> String {
    let metric = &threshold.metric;
    let Some(value) = threshold.measured else { return format!("{metric} was not measured, but has a threshold.") };
    let known = threshold.gap.as_ref().map(|gap| &gap.known);
    let beyond =
        |bound: Option<i64>| bound.map_or(String::new(), |bound| format!(" and beyond the known gap of {bound}"));
    match (threshold.at_most, threshold.at_least) {
        (Some(bound), _) if value > bound => {
            format!("{metric} is {value}, more than {bound}{}.", beyond(known.and_then(|known| known.at_most)))
        }
        (_, Some(bound)) => {
            format!("{metric} is {value}, less than {bound}{}.", beyond(known.and_then(|known| known.at_least)))
        }
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
        plan::Gap,
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
        Threshold { metric: metric.into(), at_most, at_least, gap: None }
    }

    /// A bound that 17 920 µs, as measured, meets or not, with a gap.
    fn gap(at_most: i64, gap: i64) -> Threshold {
        let gap = Gap { at_most: Some(gap), at_least: None, reason: "a reason".into(), varies: false };
        Threshold { gap: Some(gap), ..threshold("glass_to_glass_us_p95", Some(at_most), None) }
    }

    /// What comes out of one threshold: of it, and of the run.
    fn outcome(threshold: Threshold) -> (ThresholdVerdict, Verdict, Vec<String>) {
        let mut story = call();
        story.plan.thresholds = vec![threshold];
        let judgement = story.judge();
        (judgement.thresholds[0].verdict(), judgement.verdict, judgement.reasons)
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

    #[test]
    fn a_threshold_without_a_gap_is_held_or_failed() {
        let bound = |at_most| threshold("glass_to_glass_us_p95", Some(at_most), None);
        assert_eq!(outcome(bound(17_920)), (ThresholdVerdict::Held, Verdict::Passed, Vec::new()));
        let (verdict, run, _) = outcome(bound(17_919));
        assert_eq!((verdict, run), (ThresholdVerdict::Failed, Verdict::Failed));
    }

    #[test]
    fn what_is_missed_within_its_gap_does_not_fail_the_run_and_is_not_held() {
        assert_eq!(outcome(gap(17_919, 17_920)), (ThresholdVerdict::KnownGap, Verdict::Passed, Vec::new()));
    }

    #[test]
    fn what_is_missed_beyond_its_gap_fails() {
        let (verdict, run, reasons) = outcome(gap(17_000, 17_919));
        assert_eq!((verdict, run), (ThresholdVerdict::Failed, Verdict::Failed));
        let reason = "glass_to_glass_us_p95 is 17920, more than 17000 and beyond the known gap of 17919.";
        assert_eq!(reasons, [reason]);
    }

    #[test]
    fn a_gap_that_closed_is_to_be_removed() {
        let (verdict, run, reasons) = outcome(gap(17_920, 20_000));
        assert_eq!((verdict, run), (ThresholdVerdict::StaleGap, Verdict::Failed));
        assert_eq!(reasons, ["glass_to_glass_us_p95 is 17920, which now meets its criterion: remove the gap."]);
    }

    #[test]
    fn a_gap_that_varies_with_the_seed_is_not_stale_where_it_is_not_seen() {
        let varies = |at_most| {
            let threshold = gap(at_most, 18_000);
            Threshold { gap: threshold.gap.map(|gap| Gap { varies: true, ..gap }), ..threshold }
        };
        assert_eq!(outcome(varies(17_920)), (ThresholdVerdict::Held, Verdict::Passed, Vec::new()));
        assert_eq!(outcome(varies(17_919)), (ThresholdVerdict::KnownGap, Verdict::Passed, Vec::new()));
    }

    #[test]
    fn a_gap_on_one_side_leaves_the_other_bound_as_it_is() {
        let lower = Gap { at_most: None, at_least: Some(4_000), reason: "a reason".into(), varies: false };
        let both = Threshold { gap: Some(lower), ..threshold("glass_to_glass_us_p95", Some(17_000), Some(5_000)) };
        let (verdict, _, reasons) = outcome(both);
        assert_eq!(verdict, ThresholdVerdict::Failed);
        assert_eq!(reasons, ["glass_to_glass_us_p95 is 17920, more than 17000."]);
    }

    #[test]
    fn what_is_not_measured_fails_whatever_its_gap() {
        let lower = Gap { at_most: None, at_least: Some(0), reason: "a reason".into(), varies: false };
        let (verdict, _, reasons) =
            outcome(Threshold { gap: Some(lower), ..threshold("psnr_y_mdb_p5", None, Some(1)) });
        assert_eq!(verdict, ThresholdVerdict::Failed);
        assert_eq!(reasons, ["psnr_y_mdb_p5 was not measured, but has a threshold."]);
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
