//! The data of the charts of core links: as the oracle has it, in whole milliseconds and kbit/s.

use oracle::{FlowCourse, LinkCourse};
use serde::Serialize;

/// One direction of a core link.
#[derive(Serialize)]
pub(super) struct LinkData {
    t: Vec<u64>,
    capacity: Vec<Option<u64>>,
    carried: Vec<u64>,
    flows: Vec<FlowData>,
    /// Milliseconds with one decimal would be three bytes more a sample: tenths.
    queue_mean: Vec<Option<u64>>,
    queue_max: Vec<Option<u64>>,
    /// When packets were dropped, and when some were marked.
    dropped: Vec<u64>,
    marked: Vec<u64>,
}

#[derive(Serialize)]
struct FlowData {
    name: String,
    rate: Vec<u64>,
}

impl LinkData {
    pub(super) fn of(course: &LinkCourse) -> LinkData {
        let t: Vec<u64> = course.at.iter().map(|at| at.as_millis()).collect();
        let tenths = |waits: &[Option<u64>]| waits.iter().map(|us| us.map(|us| us / 100)).collect();
        let when = |counts: &[u64]| t.iter().zip(counts).filter(|(_, count)| **count > 0).map(|(t, _)| *t).collect();
        LinkData {
            capacity: course.capacity_bps.iter().map(|bps| bps.map(|bps| bps / 1_000)).collect(),
            carried: kbps(&course.carried_bps),
            flows: course.flows.iter().map(FlowData::of).collect(),
            queue_mean: tenths(&course.queue_us_mean),
            queue_max: tenths(&course.queue_us_max),
            dropped: when(&course.dropped),
            marked: when(&course.marked),
            t,
        }
    }
}

impl FlowData {
    fn of(flow: &FlowCourse) -> FlowData {
        FlowData { name: flow.name.clone(), rate: kbps(&flow.rate_bps) }
    }
}

fn kbps(rates: &[u64]) -> Vec<u64> {
    rates.iter().map(|bps| bps / 1_000).collect()
}
