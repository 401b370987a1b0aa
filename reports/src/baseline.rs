//! Committed expectations: `reports/baselines/<scenario>.json` holds the integers of one run. [`compare`] says what
//! became better or worse, [`bless`] is the only way that a baseline changes.

use crate::{file_error::FileError, run::Run, tolerance::tolerance};
use oracle::{Direction, Judgement, Metric};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

const SCHEMA: &str = "callproof-baseline/1";

/// The committed numbers of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Name and version of the schema.
    pub schema: String,
    /// Name of the scenario.
    pub scenario: String,
    /// The seed of the run that was blessed, in decimal digits.
    pub seed: String,
    /// Hash of its configuration. A changed one is shown, not excused.
    pub config_hash: String,
    /// The environment in which it ran.
    pub environment: BTreeMap<String, String>,
    /// The committed integers by metric.
    pub metrics: BTreeMap<String, Committed>,
    /// Every blessing, oldest first.
    pub history: Vec<Change>,
}

/// A committed integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// The value, in the unit of the metric's name.
    pub value: i64,
    /// Which way it improves.
    pub direction: Direction,
}

/// A blessing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Why the numbers may change, in a person's words.
    pub reason: String,
    /// The commit that was measured.
    pub commit: String,
    /// How many metrics became better.
    pub improved: u64,
    /// How many became worse.
    pub regressed: u64,
    /// How many came or went.
    pub added_or_removed: u64,
}

/// Why a baseline could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Its file could not be read or written, or holds no baseline of this version.
    #[error(transparent)]
    File(#[from] FileError),
    /// A blessing without a reason.
    #[error("a baseline changes only for a reason: say it with `--reason`")]
    NoReason,
}

/// What became of a metric against its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Worse, beyond the tolerance where there is one.
    Regressed,
    /// In the baseline, but not measured: counts as a regression.
    Missing,
    /// Better.
    Improved,
    /// Another value of a metric that has no better or worse.
    Changed,
    /// Measured, but not in the baseline.
    New,
    /// Equal, or worse within the tolerance.
    Unchanged,
}

/// A metric and its baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The metric.
    pub metric: String,
    /// What is committed.
    pub baseline: Option<i64>,
    /// What was measured.
    pub measured: Option<i64>,
    /// Which way it improves.
    pub direction: Direction,
    /// How far it may worsen; zero in the same environment.
    pub tolerance: i64,
    /// What became of it.
    pub standing: Standing,
}

/// A run against its baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Every metric of either, worst standing first, then by name.
    pub rows: Vec<Row>,
    /// Whether any worsening counts.
    pub exact: bool,
    /// What a reader must know: another environment, seed or configuration.
    pub notes: Vec<String>,
}

impl Row {
    /// Measured minus baseline, where both are there.
    pub fn delta(&self) -> Option<i64> {
        Some(self.measured?.saturating_sub(self.baseline?))
    }

    /// The difference in thousandths of the baseline; none without one or when it is zero.
    pub fn permille(&self) -> Option<i64> {
        let baseline = i128::from(self.baseline.filter(|value| *value != 0)?);
        i64::try_from(i128::from(self.delta()?) * 1_000 / baseline.abs()).ok()
    }
}

impl Comparison {
    /// Whether something became worse or went missing: exit code 4.
    pub fn regressed(&self) -> bool {
        self.count(Standing::Regressed) + self.count(Standing::Missing) > 0
    }

    /// How many metrics stand so.
    pub fn count(&self, standing: Standing) -> usize {
        self.rows.iter().filter(|row| row.standing == standing).count()
    }

    /// The row of a metric.
    pub fn row(&self, metric: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.metric == metric)
    }

    /// The comparison in a sentence.
    pub fn sentence(&self) -> String {
        let words = [
            (Standing::Regressed, "regressed"),
            (Standing::Missing, "missing"),
            (Standing::Improved, "improved"),
            (Standing::Changed, "changed"),
            (Standing::New, "new"),
            (Standing::Unchanged, "unchanged"),
        ];
        let counted = words.map(|(standing, word)| (self.count(standing), word));
        let parts: Vec<String> =
            counted.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        let how = if self.exact { "exact" } else { "with tolerances" };
        format!("{} ({how})", if parts.is_empty() { "no metrics".into() } else { parts.join(", ") })
    }
}

impl Baseline {
    /// Where the baseline of a scenario lies: `<dir>/<scenario>.json`.
    pub fn path(dir: &Path, scenario: &str) -> PathBuf {
        dir.join(format!("{scenario}.json"))
    }

    /// Reads the baseline of a scenario; none when it has none yet.
    ///
    /// # Errors
    /// When the file cannot be read or is not a baseline of this version.
    pub fn load(dir: &Path, scenario: &str) -> Result<Option<Baseline>, FileError> {
        let path = Baseline::path(dir, scenario);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| FileError::File { path: path.clone(), error })?,
        };
        let content = |message| FileError::Content { path: path.clone(), message };
        let baseline: Baseline = serde_json::from_slice(&bytes).map_err(|error| content(error.to_string()))?;
        if baseline.schema != SCHEMA {
            return Err(content(format!("the schema is `{}`; this build reads `{SCHEMA}`", baseline.schema)));
        }
        Ok(Some(baseline))
    }

    /// Compares a run with this baseline: exactly in the same environment, otherwise with tolerances.
    pub fn compare(&self, run: &Run<'_>) -> Comparison {
        let same_environment = self.environment == run.facts.environment;
        let mut comparison = compare(run.judgement, self, same_environment);
        if !same_environment {
            comparison.notes.push(self.environment_note(&run.facts.environment));
        }
        if self.config_hash != run.facts.config_hash {
            comparison.notes.push("the scenario's configuration changed since the baseline".into());
        }
        comparison
    }

    fn environment_note(&self, now: &BTreeMap<String, String>) -> String {
        let keys: BTreeSet<&String> = self.environment.keys().chain(now.keys()).collect();
        let differing = keys.into_iter().filter(|key| self.environment.get(*key) != now.get(*key));
        let names: Vec<&str> = differing.map(String::as_str).collect();
        format!("another environment than the baseline's ({}): tolerances apply", names.join(", "))
    }
}

/// Compares a judgement with a baseline. With an equal environment fingerprint (and seed) any worsening is a regression;
/// otherwise each metric has a tolerance.
pub fn compare(judgement: &Judgement, baseline: &Baseline, fingerprint_equal: bool) -> Comparison {
    let same_seed = baseline.seed == judgement.plan.seed.to_string();
    let exact = fingerprint_equal && same_seed;
    let measured: BTreeMap<&str, &Metric> = judgement.metrics.iter().map(|m| (m.name.as_str(), m)).collect();
    let names: BTreeSet<&str> = measured.keys().copied().chain(baseline.metrics.keys().map(String::as_str)).collect();
    let row = |name| row(name, baseline.metrics.get(name), measured.get(name).copied(), exact);
    let mut rows: Vec<Row> = names.into_iter().map(row).collect();
    rows.sort_by(|a, b| (a.standing, &a.metric).cmp(&(b.standing, &b.metric)));
    let mut notes = Vec::new();
    if !same_seed {
        notes.push(format!("the baseline is of seed {}, the run of seed {}", baseline.seed, judgement.plan.seed));
    }
    Comparison { rows, exact, notes }
}

/// Makes a run the baseline of its scenario and writes the file. Returns what changed, compared exactly; against no
/// baseline every metric is new.
///
/// # Errors
/// When the reason is empty, or the old file cannot be read, or the new one cannot be written.
pub fn bless(dir: &Path, run: &Run<'_>, reason: &str) -> Result<Comparison, BaselineError> {
    if reason.trim().is_empty() {
        return Err(BaselineError::NoReason);
    }
    let plan = &run.judgement.plan;
    let old = Baseline::load(dir, &plan.scenario)?;
    let mut new = Baseline {
        schema: SCHEMA.into(),
        scenario: plan.scenario.clone(),
        seed: plan.seed.to_string(),
        config_hash: run.facts.config_hash.clone(),
        environment: run.facts.environment.clone(),
        metrics: run.judgement.metrics.iter().map(committed).collect(),
        history: old.as_ref().map(|old| old.history.clone()).unwrap_or_default(),
    };
    let empty = Baseline { metrics: BTreeMap::new(), ..new.clone() };
    let diff = compare(run.judgement, &Baseline { seed: new.seed.clone(), ..old.unwrap_or(empty) }, true);
    let count = |standing| diff.count(standing) as u64;
    new.history.push(Change {
        reason: reason.trim().into(),
        commit: run.facts.commit.clone(),
        improved: count(Standing::Improved),
        regressed: count(Standing::Regressed),
        added_or_removed: count(Standing::New) + count(Standing::Missing),
    });
    write(&Baseline::path(dir, &plan.scenario), &new)?;
    Ok(diff)
}

fn committed(metric: &Metric) -> (String, Committed) {
    (metric.name.clone(), Committed { value: metric.value, direction: metric.direction })
}

fn write(path: &Path, baseline: &Baseline) -> Result<(), FileError> {
    // One value a line, sorted by name: the diff of a blessing is what a reviewer reads.
    let mut json = serde_json::to_string_pretty(baseline).expect("a baseline serializes");
    json.push('\n');
    let file = |error| FileError::File { path: path.to_path_buf(), error };
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(file)?;
    fs::write(path, json).map_err(file)
}

fn row(name: &str, baseline: Option<&Committed>, measured: Option<&Metric>, exact: bool) -> Row {
    // The committed direction counts: what is better does not change without a blessing.
    let direction = baseline.map(|b| b.direction).or(measured.map(|m| m.direction)).unwrap_or(Direction::Neutral);
    let (baseline, measured) = (baseline.map(|b| b.value), measured.map(|m| m.value));
    let tolerance = if exact { 0 } else { baseline.map_or(0, |value| tolerance(name, value)) };
    let standing = standing(baseline, measured, direction, tolerance);
    Row { metric: name.into(), baseline, measured, direction, tolerance, standing }
}

fn standing(baseline: Option<i64>, measured: Option<i64>, direction: Direction, tolerance: i64) -> Standing {
    let (Some(baseline), Some(measured)) = (baseline, measured) else {
        return if measured.is_some() { Standing::New } else { Standing::Missing };
    };
    let worsening = match direction {
        Direction::Lower => measured.saturating_sub(baseline),
        Direction::Higher => baseline.saturating_sub(measured),
        Direction::Neutral if measured == baseline => return Standing::Unchanged,
        Direction::Neutral => return Standing::Changed,
    };
    if worsening > tolerance {
        Standing::Regressed
    } else if worsening < -tolerance {
        Standing::Improved
    } else {
        Standing::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_compared_any_worsening_is_a_regression() {
        assert_eq!(standing(Some(100), Some(101), Direction::Lower, 0), Standing::Regressed);
        assert_eq!(standing(Some(100), Some(99), Direction::Lower, 0), Standing::Improved);
        assert_eq!(standing(Some(100), Some(99), Direction::Higher, 0), Standing::Regressed);
        assert_eq!(standing(Some(100), Some(100), Direction::Higher, 0), Standing::Unchanged);
        assert_eq!(standing(Some(100), Some(99), Direction::Neutral, 0), Standing::Changed);
    }

    #[test]
    fn within_the_tolerance_nothing_changed() {
        assert_eq!(standing(Some(100), Some(105), Direction::Lower, 5), Standing::Unchanged);
        assert_eq!(standing(Some(100), Some(106), Direction::Lower, 5), Standing::Regressed);
        assert_eq!(standing(Some(100), Some(95), Direction::Lower, 5), Standing::Unchanged);
        assert_eq!(standing(Some(100), Some(94), Direction::Lower, 5), Standing::Improved);
    }

    #[test]
    fn a_metric_that_is_no_longer_measured_is_missing() {
        assert_eq!(standing(Some(1), None, Direction::Lower, 0), Standing::Missing);
        assert_eq!(standing(None, Some(1), Direction::Lower, 0), Standing::New);
    }
}
