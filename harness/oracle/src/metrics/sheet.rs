//! Where measured values are collected, and how the plain names follow from the directions.

use super::{
    catalogue::{Across, METRICS, MetricFamily},
    percentile::statistic,
};
use crate::judgement::{Direction, Histogram, LinkCourse, Metric};
use kernel::SimTime;
use std::collections::BTreeMap;

/// Measured values.
#[derive(Default)]
pub(crate) struct Sheet {
    /// By metric name, per direction; an empty direction is the run.
    values: BTreeMap<String, Vec<(String, i64)>>,
    pub(crate) histograms: Vec<Histogram>,
    pub(crate) courses: Vec<LinkCourse>,
}

impl Sheet {
    /// A value that has no direction.
    pub(crate) fn once(&mut self, name: &str, value: u64) {
        self.of("", name, value);
    }

    /// A value of one direction.
    pub(crate) fn of(&mut self, way: &str, name: &str, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.values.entry(name.into()).or_default().push((way.into(), value));
    }

    /// The value of one direction that was measured before.
    pub(crate) fn value(&self, way: &str, name: &str) -> Option<u64> {
        let (_, value) = self.values.get(name)?.iter().find(|(of, _)| of == way)?;
        u64::try_from(*value).ok()
    }

    /// A distribution of one direction, with the statistics of its family. Values come in order of time.
    pub(crate) fn distribution(&mut self, way: &str, name: &str, values: Vec<(SimTime, u64)>) {
        let mut sorted: Vec<u64> = values.iter().map(|(_, value)| *value).collect();
        sorted.sort_unstable();
        let family = METRICS.iter().find(|family| family.name == name).expect("only catalogued metrics are measured");
        for name_of_statistic in family.statistics {
            if let Some(value) = statistic(&sorted, name_of_statistic) {
                self.of(way, &format!("{name}_{name_of_statistic}"), value);
            }
        }
        if !values.is_empty() && name.ends_with("_us") {
            self.histograms.push(Histogram { name: format!("{way}/{name}"), values });
        }
    }

    /// All metrics in the order of the catalogue: the plain name, then each direction.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        METRICS.iter().flat_map(|family| self.family(family)).collect()
    }

    fn family(&self, family: &MetricFamily) -> Vec<Metric> {
        let alone = family.statistics.is_empty().then(|| family.name.to_owned());
        let names = alone.into_iter().chain(family.statistics.iter().map(|name| format!("{}_{name}", family.name)));
        let mut metrics = Vec::new();
        for name in names {
            let Some(values) = self.values.get(&name) else { continue };
            let all = values.iter().map(|(_, value)| *value);
            let plain = match (family.across, family.direction) {
                (Across::Total, _) => Some(all.sum()),
                (_, Direction::Higher) => all.min(),
                (_, Direction::Lower | Direction::Neutral) => all.max(),
            };
            let direction = family.direction;
            metrics.extend(plain.map(|value| Metric { name: name.clone(), value, direction }));
            let directed = values.iter().filter(|(way, _)| !way.is_empty());
            metrics.extend(directed.map(|(way, value)| Metric {
                name: format!("{way}/{name}"),
                value: *value,
                direction,
            }));
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(sheet: &Sheet, name: &str) -> Option<i64> {
        sheet.metrics().into_iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    #[test]
    fn the_plain_name_is_the_worst_direction() {
        let mut sheet = Sheet::default();
        sheet.of("a>b", "freeze_count", 1);
        sheet.of("b>a", "freeze_count", 3);
        sheet.of("a>b", "harmonic_fps_milli", 30_000);
        sheet.of("b>a", "harmonic_fps_milli", 25_000);
        sheet.of("a>b", "video_frames_captured", 10);
        sheet.of("b>a", "video_frames_captured", 20);
        assert_eq!(value(&sheet, "freeze_count"), Some(3));
        assert_eq!(value(&sheet, "harmonic_fps_milli"), Some(25_000));
        assert_eq!(value(&sheet, "video_frames_captured"), Some(30));
        assert_eq!(value(&sheet, "a>b/freeze_count"), Some(1));
    }

    #[test]
    fn what_was_not_measured_is_absent() {
        let mut sheet = Sheet::default();
        sheet.distribution("a>b", "glass_to_glass_us", Vec::new());
        assert!(sheet.metrics().is_empty() && sheet.histograms.is_empty());
    }

    #[test]
    fn a_distribution_gives_its_statistics_and_its_values() {
        let mut sheet = Sheet::default();
        let values: Vec<(SimTime, u64)> = (1..=100).map(|n| (SimTime(n), 1_000 * n)).collect();
        sheet.distribution("a>b", "glass_to_glass_us", values.clone());
        assert_eq!(value(&sheet, "glass_to_glass_us_p95"), Some(95_000));
        assert_eq!(value(&sheet, "a>b/glass_to_glass_us_max"), Some(100_000));
        assert_eq!(sheet.histograms[0].name, "a>b/glass_to_glass_us");
        assert_eq!(sheet.histograms[0].values, values);
    }
}
