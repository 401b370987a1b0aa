//! What cross traffic got out of the links that it shared with the calls.

use super::Sheet;
use crate::run::Run;
use kernel::{
    Micros, SimTime,
    plan::{TrafficKind, TrafficPlan, TrafficSide},
};
use std::collections::BTreeMap;

const SECOND: Micros = Micros::from_secs(1);

pub(super) fn measure(run: &Run, sheet: &mut Sheet) {
    for flow in &run.plan.traffic {
        let name = format!("traffic/{}", flow.name);
        let delivered = samples(run, flow, TrafficSide::Sink);
        let total: u64 = delivered.values().sum();
        let (start, end) = (run.plan.timeline_start + flow.start, run.end.min(run.plan.timeline_start + flow.end));
        let Some(goodput) = rate(total, end.since(start.min(end))) else { continue };
        sheet.of(&name, "goodput_bps", goodput);
        sheet.distribution(&name, "goodput_1s_bps", by_second(&delivered, start, end));
        match flow.kind {
            TrafficKind::Cbr { .. } | TrafficKind::RandomWalk { .. } | TrafficKind::Pulses { .. } => {
                let sent: u64 = samples(run, flow, TrafficSide::Source).values().sum();
                if let Some(ppm) = (sent.saturating_sub(total) * 1_000_000).checked_div(sent) {
                    sheet.of(&name, "undelivered_ppm", ppm);
                }
            }
            TrafficKind::LongTcp { .. } => {}
            TrafficKind::ShortTcp { .. } => {
                let own = run.events.traffic_transferred.iter().filter(|seen| seen.flow == flow.name);
                let times: Vec<(SimTime, u64)> = own.map(|seen| (seen.at, seen.took.0)).collect();
                sheet.of(&name, "transfers", times.len() as u64);
                sheet.distribution(&name, "transfer_us", times);
            }
        }
    }
}

/// Bytes of each sample, by the time at which it was taken.
pub(super) fn samples(run: &Run, flow: &TrafficPlan, side: TrafficSide) -> BTreeMap<SimTime, u64> {
    let own = run.events.traffic_measured.iter().filter(|seen| seen.flow == flow.name && seen.side == side);
    own.map(|seen| (seen.at, seen.bytes)).collect()
}

/// The rate in each whole second; a sample counts where it ends.
fn by_second(samples: &BTreeMap<SimTime, u64>, start: SimTime, end: SimTime) -> Vec<(SimTime, u64)> {
    let mut seconds = Vec::new();
    let mut from = start;
    while from + SECOND <= end {
        let to = from + SECOND;
        let bytes: u64 = samples.range(from + Micros(1)..=to).map(|(_, bytes)| bytes).sum();
        seconds.push((to, bytes * 8));
        from = to;
    }
    seconds
}

fn rate(bytes: u64, time: Micros) -> Option<u64> {
    (u128::from(bytes) * 8_000_000).checked_div(u128::from(time.0)).and_then(|rate| u64::try_from(rate).ok())
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, address_of};
    use kernel::{
        BitRate, Micros,
        event::{Event, TrafficMeasured, TrafficTransferred, WireProtocol},
        plan::{CongestionKind, TrafficEnd, TrafficKind, TrafficPlan, TrafficSide},
    };

    fn flow(kind: TrafficKind) -> TrafficPlan {
        let end = |host: &str, address: &str| TrafficEnd {
            host: host.into(),
            address: address.parse().unwrap(),
            access: None,
        };
        TrafficPlan {
            name: "upload".into(),
            kind,
            source: end("alice-phone", "192.168.71.5:20032"),
            sink: end("upload-sink", "192.0.2.101:20096"),
            opener: TrafficSide::Source,
            start: Micros::ZERO,
            end: Micros::from_secs(2),
        }
    }

    /// Ten samples a side from the start of the timeline at 10 s: the source sends 25,000 bytes each 200 ms, and of all but
    /// the last the sink gets 20,000.
    fn story(kind: TrafficKind) -> Story {
        let mut story = Story::new();
        story.plan.traffic = vec![flow(kind)];
        for sample in 1..=10u64 {
            story.at(10_000 + 200 * sample);
            for (side, bytes) in
                [(TrafficSide::Source, 25_000), (TrafficSide::Sink, if sample == 10 { 0 } else { 20_000 })]
            {
                story.tell(Event::TrafficMeasured(TrafficMeasured { flow: "upload".into(), side, bytes }));
            }
        }
        story
    }

    fn value(judgement: &crate::Judgement, name: &str) -> Option<i64> {
        judgement.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    #[test]
    fn goodput_is_what_arrived_over_the_time_of_the_flow() {
        let mut story = story(TrafficKind::Cbr { rate: BitRate::from_mbps(1) });
        story.plan.duration = Micros::from_secs(3);
        let story = story.judge();
        assert_eq!(value(&story, "traffic/upload/goodput_bps"), Some(9 * 20_000 * 8 / 2));
        assert_eq!(value(&story, "traffic/upload/goodput_1s_bps_p5"), Some(4 * 20_000 * 8));
        assert_eq!(value(&story, "traffic/upload/undelivered_ppm"), Some(280_000));
        assert_eq!(value(&story, "goodput_bps"), Some(720_000));
    }

    #[test]
    fn transfers_are_counted_and_timed() {
        let kind = TrafficKind::ShortTcp {
            congestion: CongestionKind::Cubic,
            strands: 1,
            start_on: 1,
            smallest: 1,
            largest: 2,
            idle: Micros(1),
        };
        let mut story = story(kind);
        for took in [300, 100] {
            let took = Micros::from_millis(took);
            story.tell(Event::TrafficTransferred(TrafficTransferred { flow: "upload".into(), bytes: 1, took }));
        }
        let story = story.judge();
        assert_eq!(value(&story, "traffic/upload/transfers"), Some(2));
        assert_eq!(value(&story, "traffic/upload/transfer_us_max"), Some(300_000));
        assert_eq!(value(&story, "traffic/upload/undelivered_ppm"), None);
    }

    #[test]
    fn packets_of_traffic_are_nobodys_leak() {
        // Bob hides his addresses; a packet of his own host would show one to alice.
        let leak = |source: &str| {
            let mut story = Story::new();
            story.plan.participants[1].relay_only = true;
            story.plan.traffic = vec![TrafficPlan {
                source: TrafficEnd { address: "192.168.84.6:20032".parse().unwrap(), ..flow_end() },
                ..flow(TrafficKind::Cbr { rate: BitRate::from_mbps(1) })
            }];
            story.befriend().ringing();
            story.packet(
                ("bob-phone", "alice-phone"),
                (source.parse().unwrap(), address_of("alice-phone")),
                WireProtocol::Other,
                b"192.168.84.6",
            );
            story.report("relay_only_hides_addresses").violations
        };
        assert_eq!(leak("192.168.84.6:20040"), 0);
        assert_ne!(leak("192.168.84.6:5000"), 0);
    }

    fn flow_end() -> TrafficEnd {
        flow(TrafficKind::Cbr { rate: BitRate::from_mbps(1) }).source
    }
}
