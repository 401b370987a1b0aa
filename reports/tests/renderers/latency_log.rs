//! `latency.hlog` in the reader of another implementation: the crate's own interval log parser and deserializer.

use crate::sample::held;
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer,
        interval_log::{IntervalLogIterator, LogEntry},
    },
};
use reports::write;
use std::{collections::BTreeMap, fs, path::Path};

#[test]
fn every_stream_keeps_its_percentiles() {
    let sample = held();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hlog");
    write(&dir, &sample.run()).unwrap();
    let log = fs::read(dir.join("first-call-1/latency.hlog")).unwrap();
    assert!(log.starts_with(b"#[Histogram log format version 1.3]\n"));
    let merged = read(&log);
    assert_eq!(merged.len(), sample.judgement.histograms.len());
    for histogram in &sample.judgement.histograms {
        let read = &merged[&histogram.name];
        assert_eq!(read.len(), histogram.values.len() as u64);
        let mut values: Vec<u64> = histogram.values.iter().map(|(_, us)| *us).collect();
        values.sort_unstable();
        for percent in [50, 95, 99, 100] {
            let exact = values[(values.len() * percent).div_ceil(100) - 1];
            let found = read.value_at_quantile(percent as f64 / 100.0);
            assert!(read.equivalent(exact, found), "{} p{percent}: {exact} and {found}", histogram.name);
        }
    }
}

fn read(log: &[u8]) -> BTreeMap<String, Histogram<u64>> {
    let mut merged: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    let mut last = 0.0;
    for entry in IntervalLogIterator::new(log) {
        let LogEntry::Interval(interval) = entry.unwrap() else { continue };
        let start = interval.start_timestamp().as_secs_f64();
        assert!(start >= last, "intervals are ordered by time");
        last = start;
        let bytes = base64(interval.encoded_histogram());
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        let tag = interval.tag().unwrap().as_str().to_owned();
        match merged.get_mut(&tag) {
            Some(sum) => sum.add(histogram).unwrap(),
            None => drop(merged.insert(tag, histogram)),
        }
    }
    merged
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(u32::from(c - b'A')),
        b'a'..=b'z' => Some(u32::from(c - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(c - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u32> = text.bytes().filter_map(digit).collect();
    let mut bytes = Vec::new();
    for chunk in digits.chunks(4) {
        let bits = (0..4).fold(0, |bits, i| bits << 6 | chunk.get(i).copied().unwrap_or(0));
        bytes.extend(bits.to_be_bytes()[1..chunk.len()].iter());
    }
    bytes
}
