//! Latency: percentile curves, and where the time of a frame goes.

use crate::metric_name::{MetricName, time, title};
use oracle::Histogram;
use serde::Serialize;

/// Streams with a percentile curve.
const CURVES: [&str; 2] = ["glass_to_glass_us", "mouth_to_ear_us"];
/// Points of a curve: every half percent.
const STEPS: usize = 200;

/// A percentile curve.
#[derive(Serialize)]
pub(crate) struct Percentiles {
    name: String,
    /// Microseconds at 0 %, 0.5 %, …, 100 %.
    us: Vec<u64>,
}

/// Where the time of a frame goes, by direction.
pub(crate) struct Latency {
    pub(crate) directions: Vec<Waterfall>,
}

/// The mean legs of one direction.
pub(crate) struct Waterfall {
    pub(crate) title: String,
    pub(crate) total: String,
    pub(crate) legs: Vec<Leg>,
}

/// A leg with its share of the whole.
pub(crate) struct Leg {
    pub(crate) title: String,
    pub(crate) value: String,
    /// Left edge and width in thousandths of the longest row.
    pub(crate) left: u64,
    pub(crate) width: u64,
    /// It takes no time at all.
    pub(crate) nothing: bool,
    /// Colour, by the order of the legs.
    pub(crate) hue: usize,
}

pub(crate) fn percentiles(histograms: &[Histogram]) -> Vec<Percentiles> {
    let shown = histograms.iter().filter(|histogram| CURVES.contains(&MetricName::parse(&histogram.name).base));
    shown.filter(|histogram| !histogram.values.is_empty()).map(curve).collect()
}

fn curve(histogram: &Histogram) -> Percentiles {
    let mut values: Vec<u64> = histogram.values.iter().map(|(_, us)| *us).collect();
    values.sort_unstable();
    let last = values.len() - 1;
    let us = (0..=STEPS).map(|step| values[(last * step).div_ceil(STEPS)]).collect();
    let parsed = MetricName::parse(&histogram.name);
    let scope = parsed.scope.map_or(String::new(), |scope| format!(", {}", scope.replace('>', " → ")));
    Percentiles { name: format!("{}{scope}", title(parsed.base)), us }
}

/// Legs are the histograms `<direction>/leg_<name>_us`, in the order in which the oracle lists them: along the way.
pub(crate) fn collect(histograms: &[Histogram]) -> Latency {
    let mut directions: Vec<(&str, Vec<(&str, u64)>)> = Vec::new();
    for histogram in histograms.iter().filter(|histogram| !histogram.values.is_empty()) {
        let parsed = MetricName::parse(&histogram.name);
        let (Some(scope), Some(leg)) = (parsed.scope, parsed.base.strip_prefix("leg_")) else { continue };
        let mean = histogram.values.iter().map(|(_, us)| us).sum::<u64>() / histogram.values.len() as u64;
        match directions.iter_mut().find(|(name, _)| *name == scope) {
            Some((_, legs)) => legs.push((leg, mean)),
            None => directions.push((scope, vec![(leg, mean)])),
        }
    }
    let total = |legs: &[(&str, u64)]| legs.iter().map(|(_, us)| us).sum::<u64>();
    let longest = directions.iter().map(|(_, legs)| total(legs)).max().unwrap_or(0).max(1);
    let waterfall = |(scope, legs): &(&str, Vec<(&str, u64)>)| waterfall(scope, legs, total(legs), longest);
    Latency { directions: directions.iter().map(waterfall).collect() }
}

fn waterfall(scope: &str, legs: &[(&str, u64)], total: u64, longest: u64) -> Waterfall {
    let mut before = 0;
    let leg = |(hue, (name, us)): (usize, &(&str, u64))| {
        let left = before * 1_000 / longest;
        before += us;
        Leg {
            title: title(name),
            value: time(*us as i64),
            left,
            width: before * 1_000 / longest - left,
            nothing: *us == 0,
            hue,
        }
    };
    let legs = legs.iter().enumerate().map(leg).collect();
    Waterfall { title: scope.replace('>', " → "), total: time(total as i64), legs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SimTime;

    #[test]
    fn a_curve_runs_from_the_least_to_the_greatest() {
        let values = (1..=10).rev().map(|us| (SimTime(us), us)).collect();
        let curve = curve(&Histogram { name: "a>b/glass_to_glass_us".into(), values });
        assert_eq!((curve.us[0], curve.us[100], curve.us[STEPS]), (1, 6, 10));
        assert_eq!(curve.name, "glass to glass, a → b");
    }

    #[test]
    fn legs_stand_end_to_end() {
        let histogram = |name: &str, us| Histogram { name: name.into(), values: vec![(SimTime(0), us)] };
        let latency = collect(&[histogram("a>b/leg_capture_us", 250), histogram("a>b/leg_encode_us", 750)]);
        let legs = &latency.directions[0].legs;
        assert_eq!((legs[0].left, legs[0].width, legs[1].left, legs[1].width), (0, 250, 250, 750));
    }
}
