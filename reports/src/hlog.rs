//! `latency.hlog`: HdrHistogram interval log, format 1.3, one tag per stream, one interval per simulated second.
//! Values are microseconds with three significant digits; times are simulated seconds (base time 0).

use hdrhistogram::{
    Histogram as Hdr,
    serialization::{
        V2DeflateSerializer,
        interval_log::{IntervalLogWriterBuilder, Tag},
    },
};
use oracle::Histogram;
use std::{
    collections::BTreeMap,
    io,
    time::{Duration, SystemTime},
};

/// The interval of a line.
const INTERVAL: Duration = Duration::from_secs(1);
/// An hour: larger values count as this.
const MAX_US: u64 = 3_600_000_000;

pub(crate) fn render(histograms: &[Histogram]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[Callproof latencies in microseconds of simulated time; three significant digits]")
        .with_start_time(SystemTime::UNIX_EPOCH)
        .with_base_time(SystemTime::UNIX_EPOCH)
        .begin_log_with(&mut bytes, &mut serializer)?;
    for ((second, name), histogram) in intervals(histograms) {
        writer
            .write_histogram(&histogram, Duration::from_secs(second), INTERVAL, Tag::new(&name))
            .map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(bytes)
}

/// One histogram per second and stream, in the order that readers expect: by time.
fn intervals(histograms: &[Histogram]) -> BTreeMap<(u64, String), Hdr<u64>> {
    let mut intervals = BTreeMap::new();
    for histogram in histograms {
        let tag = tag(&histogram.name);
        for (at, value) in &histogram.values {
            intervals
                .entry((at.0 / 1_000_000, tag.clone()))
                .or_insert_with(|| Hdr::new_with_bounds(1, MAX_US, 3).expect("the bounds are valid"))
                .saturating_record(*value);
        }
    }
    intervals
}

/// A tag holds no comma, space or line end.
fn tag(name: &str) -> String {
    name.replace([',', ' ', '\r', '\n'], "_")
}
