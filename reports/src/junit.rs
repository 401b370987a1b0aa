//! `junit.xml`: a suite per run; a case per invariant and threshold, and one for the verdict, since a run can also fail
//! because an expected failure did not come.

use crate::{run_report::RunReport, threshold};
use oracle::{InvariantReport, InvariantVerdict, ThresholdReport, ThresholdVerdict, Verdict};
use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

pub(crate) fn render(runs: &[RunReport]) -> Result<String, SerializeError> {
    let mut report = Report::new("callproof");
    report.add_test_suites(runs.iter().map(suite));
    report.to_string()
}

fn suite(run: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new(run.scenario.as_str());
    let properties = [
        ("seed", run.seed.as_str()),
        ("config_hash", &run.config_hash),
        ("commit", &run.commit),
        ("log_digest", &run.digests.log),
        ("reproduce", &run.reproduce),
    ];
    suite.add_properties(properties.map(|(name, value)| Property::new(name, value)));
    suite.add_test_case(verdict(run));
    suite.add_test_cases(run.invariants.iter().map(|report| invariant(run, report)));
    suite.add_test_cases(run.thresholds.iter().map(|report| bounded(run, report)));
    suite
}

fn verdict(run: &RunReport) -> TestCase {
    let status = match run.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed => failure("verdict", &run.reasons.join("; "), &run.reproduce),
    };
    case(run, "verdict", "comes_to_what_its_plan_expects", status)
}

fn invariant(run: &RunReport, report: &InvariantReport) -> TestCase {
    let name = format!("{} {}", report.id, report.name);
    let expected = run.expects_failure_of(&report.name);
    let status = match report.verdict {
        InvariantVerdict::Held => TestCaseStatus::success(),
        InvariantVerdict::Failed if expected => TestCaseStatus::success(),
        InvariantVerdict::Failed => failure("invariant", &first_violation(report), &run.reproduce),
        InvariantVerdict::NotExercised if run.exercises.contains(&report.name) => {
            failure("not exercised", "listed under `exercises`, but no check was made", &run.reproduce)
        }
        InvariantVerdict::NotExercised => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("NOT EXERCISED: no check was made");
            status
        }
    };
    let mut case = case(run, "invariant", &name, status);
    case.set_assertions(usize::try_from(report.checks).unwrap_or(usize::MAX));
    if expected && report.verdict == InvariantVerdict::Failed {
        case.set_system_out(format!("fails as its scenario expects: {}", first_violation(report)));
    }
    case
}

/// A known gap passes, and says so.
fn bounded(run: &RunReport, report: &ThresholdReport) -> TestCase {
    let sentence = threshold::sentence(report);
    let status = match report.verdict() {
        ThresholdVerdict::Held | ThresholdVerdict::KnownGap => TestCaseStatus::success(),
        ThresholdVerdict::StaleGap => failure("stale gap", &sentence, &run.reproduce),
        ThresholdVerdict::Failed => failure("threshold", &sentence, &run.reproduce),
    };
    let mut case = case(run, "threshold", &report.metric, status);
    if report.verdict() == ThresholdVerdict::KnownGap {
        case.set_system_out(sentence);
    }
    case
}

fn case(run: &RunReport, kind: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{}.{kind}", run.scenario));
    case
}

fn failure(kind: &str, message: &str, reproduce: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(kind).set_message(message).set_description(reproduce);
    status
}

fn first_violation(report: &InvariantReport) -> String {
    match &report.first_violation {
        Some(violation) => format!(
            "{} of {} checks failed; first at {} (record {}): {}",
            report.violations, report.checks, violation.at, violation.record, violation.message
        ),
        None => format!("{} of {} checks failed", report.violations, report.checks),
    }
}
