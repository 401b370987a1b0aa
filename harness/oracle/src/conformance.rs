//! What many judged runs say together: which promises were tried, by what, and whether what tries them can fail.

use crate::{
    INVARIANTS, Invariant, InvariantVerdict, Judgement, PROMISES, Promise, ThresholdVerdict, Verdict,
    judgement::ThresholdReport,
};
use kernel::{Mutant, plan::Expectation};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What became of a promise or an invariant over all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Tried, and it held; what should break it did.
    Held,
    /// It held, but nothing shows that its check can fail, or a planted bug survived.
    Unproven,
    /// Nothing tried it. Never green.
    NotExercised,
    /// It failed in a run that must hold it.
    Broken,
}

/// An invariant over all runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvariantRow {
    /// Id, as `FG-1`.
    pub id: String,
    /// Name, as `only_friends_ring`.
    pub name: String,
    /// Checks in stories; what canaries check does not count.
    pub checks: u64,
    /// The stories that made checks.
    pub scenarios: BTreeSet<String>,
    /// Planted bugs and canaries that made exactly this invariant fail.
    pub killed: BTreeSet<String>,
    /// Planted bugs that should have, and did not.
    pub survived: BTreeSet<String>,
    /// What became of it.
    pub standing: Standing,
}

/// A promise over all runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PromiseRow {
    /// Id, as `R07`.
    pub id: String,
    /// The promise in a sentence.
    pub truth: String,
    /// The stories that tried it.
    pub scenarios: BTreeSet<String>,
    /// The invariants that prove it, by name.
    pub invariants: Vec<String>,
    /// Checks of those, and thresholds of its metrics.
    pub checks: u64,
    /// Planted bugs and canaries that its invariants kill.
    pub killed: BTreeSet<String>,
    /// What became of it.
    pub standing: Standing,
}

/// Every promise and invariant over all runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conformance {
    /// The promises.
    pub promises: Vec<PromiseRow>,
    /// The invariants.
    pub invariants: Vec<InvariantRow>,
}

/// What was seen of one invariant, or of the thresholds of one promise.
#[derive(Default)]
struct Tried {
    checks: u64,
    broken: bool,
    scenarios: BTreeSet<String>,
    killed: BTreeSet<String>,
}

/// Takes in judged runs, stories and canaries alike.
#[derive(Default)]
pub struct Census {
    invariants: BTreeMap<&'static str, Tried>,
    thresholds: BTreeMap<&'static str, Tried>,
}

impl Census {
    /// Takes in a run. One that must fail shows what can fail, and proves no promise.
    pub fn add(&mut self, judgement: &Judgement) {
        let plan = &judgement.plan;
        match &plan.expect {
            Expectation::Holds => self.add_story(judgement),
            Expectation::Fails { invariant } => {
                let known = INVARIANTS.iter().find(|known| known.name == invariant);
                if let Some(known) = known.filter(|_| judgement.verdict == Verdict::Passed) {
                    let killed = plan.mutant.map_or_else(|| plan.scenario.clone(), |mutant| mutant.to_string());
                    self.invariants.entry(known.name).or_default().killed.insert(killed);
                }
            }
        }
    }

    fn add_story(&mut self, judgement: &Judgement) {
        let scenario = &judgement.plan.scenario;
        for (known, report) in INVARIANTS.iter().zip(&judgement.invariants).filter(|(_, report)| report.checks > 0) {
            let tried = self.invariants.entry(known.name).or_default();
            tried.checks += report.checks;
            tried.broken |= report.verdict == InvariantVerdict::Failed;
            tried.scenarios.insert(scenario.clone());
        }
        for promise in PROMISES {
            for report in judgement.thresholds.iter().filter(|report| promise.metrics.contains(&metric(report))) {
                let tried = self.thresholds.entry(promise.id).or_default();
                // A known gap is no proof.
                let verdict = report.verdict();
                tried.checks += u64::from(verdict == ThresholdVerdict::Held);
                tried.broken |= verdict.fails();
                tried.scenarios.insert(scenario.clone());
            }
        }
    }

    /// What the runs say together.
    pub fn conformance(&self) -> Conformance {
        let invariants: Vec<InvariantRow> = INVARIANTS.iter().map(|invariant| self.invariant(invariant)).collect();
        let promises = PROMISES.iter().map(|promise| self.promise(promise, &invariants)).collect();
        Conformance { promises, invariants }
    }

    fn invariant(&self, invariant: &Invariant) -> InvariantRow {
        let nothing = Tried::default();
        let tried = self.invariants.get(invariant.name).unwrap_or(&nothing);
        let planted = invariant.mutants.iter().map(Mutant::to_string);
        let survived: BTreeSet<String> = planted.filter(|mutant| !tried.killed.contains(mutant)).collect();
        let standing = match tried {
            Tried { broken: true, .. } => Standing::Broken,
            Tried { checks: 0, .. } => Standing::NotExercised,
            Tried { killed, .. } if killed.is_empty() || !survived.is_empty() => Standing::Unproven,
            _ => Standing::Held,
        };
        InvariantRow {
            id: invariant.id.into(),
            name: invariant.name.into(),
            checks: tried.checks,
            scenarios: tried.scenarios.clone(),
            killed: tried.killed.clone(),
            survived,
            standing,
        }
    }

    fn promise(&self, promise: &Promise, invariants: &[InvariantRow]) -> PromiseRow {
        let proving: Vec<&InvariantRow> =
            invariants.iter().filter(|row| promise.invariants.contains(&row.name.as_str())).collect();
        let nothing = Tried::default();
        let thresholds = self.thresholds.get(promise.id).unwrap_or(&nothing);
        let measured = match thresholds {
            _ if promise.metrics.is_empty() => None,
            Tried { broken: true, .. } => Some(Standing::Broken),
            Tried { checks: 0, .. } => Some(Standing::NotExercised),
            _ => Some(Standing::Held),
        };
        let standings = proving.iter().map(|row| row.standing).chain(measured);
        let both = |of: &dyn Fn(&InvariantRow) -> BTreeSet<String>| proving.iter().flat_map(|row| of(row)).collect();
        let mut scenarios: BTreeSet<String> = both(&|row| row.scenarios.clone());
        scenarios.extend(thresholds.scenarios.iter().cloned());
        PromiseRow {
            id: promise.id.into(),
            truth: promise.truth.into(),
            scenarios,
            invariants: promise.invariants.iter().map(|name| (*name).to_owned()).collect(),
            checks: proving.iter().map(|row| row.checks).sum::<u64>() + thresholds.checks,
            killed: both(&|row| row.killed.clone()),
            standing: standings.max().unwrap_or(Standing::NotExercised),
        }
    }
}

/// A threshold's metric, without the direction in front.
fn metric(report: &ThresholdReport) -> &str {
    report.metric.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;
    use kernel::event::{self, Event};

    const NONCES: &str = "no_nonce_twice";

    fn sealed(story: &mut Story, counter: u64) {
        let (device, key) = ("alice-phone".into(), "a".into());
        story.tell(Event::KeyUsed(event::KeyUsed { device, key, kid: 0, counter, seals: true }));
    }

    /// A run in which frames are sealed under these counters, and nothing else happens.
    fn run(counters: &[u64], expect: Expectation, mutant: Option<Mutant>) -> Judgement {
        let mut story = Story::new();
        (story.plan.expect, story.plan.mutant) = (expect, mutant);
        counters.iter().for_each(|counter| sealed(&mut story, *counter));
        story.judge()
    }

    fn census(runs: &[Judgement]) -> Conformance {
        let mut census = Census::default();
        runs.iter().for_each(|run| census.add(run));
        census.conformance()
    }

    fn invariant(conformance: &Conformance) -> &InvariantRow {
        conformance.invariants.iter().find(|row| row.name == NONCES).unwrap()
    }

    fn promise<'c>(conformance: &'c Conformance, id: &str) -> &'c PromiseRow {
        conformance.promises.iter().find(|row| row.id == id).unwrap()
    }

    fn canary() -> Expectation {
        Expectation::Fails { invariant: NONCES.into() }
    }

    #[test]
    fn without_runs_nothing_is_exercised() {
        let conformance = census(&[]);
        assert!(conformance.promises.iter().all(|row| row.standing == Standing::NotExercised));
        assert!(conformance.invariants.iter().all(|row| row.standing == Standing::NotExercised));
    }

    #[test]
    fn an_invariant_that_nothing_can_break_is_unproven() {
        let story = run(&[1, 2], Expectation::Holds, None);
        let conformance = census(std::slice::from_ref(&story));
        let row = invariant(&conformance);
        assert_eq!((row.standing, row.checks, row.scenarios.len()), (Standing::Unproven, 2, 1));
        assert_eq!(row.survived, BTreeSet::from(["V48".to_owned()]));

        let conformance = census(&[story, run(&[1, 1], canary(), Some(Mutant::V48))]);
        let row = invariant(&conformance);
        assert_eq!((row.standing, row.checks), (Standing::Held, 2), "a canary's checks prove nothing");
        assert_eq!(row.killed, BTreeSet::from(["V48".to_owned()]));
    }

    #[test]
    fn a_planted_bug_that_survives_is_not_killed() {
        let runs = [run(&[1, 2], Expectation::Holds, None), run(&[1, 2], canary(), Some(Mutant::V48))];
        assert_eq!(invariant(&census(&runs)).standing, Standing::Unproven);
    }

    #[test]
    fn a_broken_invariant_breaks_its_promises() {
        let runs = [run(&[1, 1], Expectation::Holds, None), run(&[1, 1], canary(), Some(Mutant::V48))];
        let conformance = census(&runs);
        assert_eq!(invariant(&conformance).standing, Standing::Broken);
        let row = promise(&conformance, "R05");
        assert_eq!((row.standing, row.checks), (Standing::Broken, 2));
        assert_eq!(promise(&conformance, "R07").standing, Standing::NotExercised);
    }

    #[test]
    fn a_promise_stands_as_its_weakest_proof() {
        let runs = [run(&[1, 2], Expectation::Holds, None), run(&[1, 1], canary(), Some(Mutant::V48))];
        let conformance = census(&runs);
        let row = promise(&conformance, "R05");
        assert_eq!(row.standing, Standing::NotExercised, "its other invariants were not tried");
        assert_eq!(row.killed, BTreeSet::from(["V48".to_owned()]));
    }

    #[test]
    fn thresholds_count_where_they_are_held() {
        let mut judgement = run(&[1, 2], Expectation::Holds, None);
        let bound = |metric: &str, holds| ThresholdReport {
            metric: metric.into(),
            at_most: Some(1),
            at_least: None,
            measured: Some(1),
            holds,
            gap: None,
        };
        judgement.thresholds =
            vec![bound("alice-phone>bob-phone/glass_to_glass_us_p95", true), bound("setup_us", true)];
        let conformance = census(&[judgement.clone()]);
        assert_eq!((promise(&conformance, "R16").checks, promise(&conformance, "R02").checks), (1, 2));
        judgement.thresholds.push(bound("glass_to_glass_us_p95", false));
        assert_eq!(promise(&census(&[judgement]), "R16").standing, Standing::Broken);
    }
}
