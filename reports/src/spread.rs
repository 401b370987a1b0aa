//! How the metrics of one scenario spread over its seeds: nearest-rank percentiles, and how many runs had no value.

use crate::{metric_name::human, run_report::RunReport};
use std::collections::BTreeMap;

/// A spread says something from this many seeds on.
const FEWEST: usize = 5;

/// The spread of one metric of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) scenario: String,
    pub(crate) metric: &'static str,
    /// The values in rising order.
    values: Vec<i64>,
    /// Runs in which it was not measured: a call that never connected has no set-up time.
    pub(crate) missing: usize,
}

impl Spread {
    /// The smallest value that at least `percent` of all values do not exceed.
    fn percentile(&self, percent: usize) -> Option<i64> {
        let rank = (self.values.len() * percent).div_ceil(100).max(1);
        self.values.get(rank - 1).copied()
    }

    /// Number of values, then least, p50, p95 and most, for people.
    pub(crate) fn cells(&self) -> [String; 5] {
        let shown = |value: Option<i64>| value.map_or("-".into(), |value| human(self.metric, value));
        [
            self.values.len().to_string(),
            shown(self.values.first().copied()),
            shown(self.percentile(50)),
            shown(self.percentile(95)),
            shown(self.values.last().copied()),
        ]
    }
}

/// The spreads of these metrics, for every scenario that ran with enough seeds and measured the metric at all.
pub(crate) fn spreads(runs: &[RunReport], metrics: &[&'static str]) -> Vec<Spread> {
    let mut by_scenario: BTreeMap<&str, Vec<&RunReport>> = BTreeMap::new();
    for run in runs {
        by_scenario.entry(&run.scenario).or_default().push(run);
    }
    by_scenario.retain(|_, runs| runs.len() >= FEWEST);
    let spread = |scenario: &str, runs: &[&RunReport], metric| {
        let measured = runs.iter().filter_map(|run| run.metrics.get(metric).map(|measured| measured.value));
        let mut values: Vec<i64> = measured.collect();
        values.sort_unstable();
        Spread { scenario: scenario.into(), metric, missing: runs.len() - values.len(), values }
    };
    let all = by_scenario
        .iter()
        .flat_map(|(scenario, runs)| metrics.iter().map(|metric| spread(scenario, runs, metric)).collect::<Vec<_>>());
    all.filter(|spread| !spread.values.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[i64]) -> Spread {
        Spread { scenario: "a".into(), metric: "setup_us", values: values.to_vec(), missing: 0 }
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!((spread(&hundred).percentile(50), spread(&hundred).percentile(95)), (Some(50), Some(95)));
        assert_eq!((spread(&[7, 9]).percentile(50), spread(&[7, 9]).percentile(95)), (Some(7), Some(9)));
        assert_eq!(spread(&[]).percentile(50), None);
    }

    #[test]
    fn a_spread_shows_its_ends() {
        let cells = spread(&[1_000, 2_000, 3_000_000]).cells();
        assert_eq!(cells, ["3", "1.00 ms", "2.00 ms", "3.000 s", "3.000 s"].map(str::to_owned));
    }
}
