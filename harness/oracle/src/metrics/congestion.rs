//! Congestion control over shared links, by the criteria of RFC 8868: use of the capacity, convergence after each change,
//! oscillation, fairness between flows, and the queue that they build.
//!
//! A flow is a direction of a call that sends video; its rate is that of its RTP packets with their IP and UDP headers,
//! sound and repairs included. Rates are sampled each 200 ms over the second before (RFC 8867 section 4).

use super::{Sheet, capacity::Capacity};
use crate::run::{Run, Way};
use kernel::{Micros, SimTime, Track};

/// How often rates are sampled.
const SAMPLE: Micros = Micros::from_millis(200);
/// Over how long before a sample its rate is taken.
const SMOOTHED: Micros = Micros::from_secs(1);
/// A flow has converged when it stays for so long ...
const STEADY: Micros = Micros::from_secs(2);
/// ... at no less than this share of what it could have ...
const LEAST_PERCENT: u64 = 70;
/// ... and no more than this.
const MOST_PERCENT: u64 = 110;
/// A swing that is larger than this share of the capacity is an oscillation.
const SWING_PERCENT: u64 = 25;
/// IP (version 4) and UDP headers, in bytes.
const HEADERS: u64 = 28;
/// Windows in which flows are compared (RFC 8868), with their metrics.
const WINDOWS: [(Micros, &str); 3] = [
    (Micros::from_secs(1), "fairness_1s_ppm"),
    (Micros::from_secs(5), "fairness_5s_ppm"),
    (Micros::from_secs(20), "fairness_20s_ppm"),
];

/// Measures the queues of every flow, and every direction of every core link that flows go over.
pub(super) fn measure(run: &Run, sheet: &mut Sheet) {
    let flows: Vec<Flow> = run.ways().into_iter().filter_map(|way| Flow::of(run, way, sheet)).collect();
    for link in &run.plan.core_links {
        for (name, plan) in [(format!("{}/up", link.name), &link.up), (format!("{}/down", link.name), &link.down)] {
            let over: Vec<&Flow> = flows.iter().filter(|flow| flow.links.contains(&name)).collect();
            measure_link(run, &name, &over, &Capacity::of(run, name.clone(), plan), sheet);
            measure_carried(run, &name, &over, &Capacity::whole(run, name.clone(), plan), sheet);
        }
    }
}

/// The time in which flows send; `None` where there is none.
fn duration(flows: &[&Flow]) -> Option<(SimTime, SimTime)> {
    let from = flows.iter().map(|flow| flow.first()).min()?;
    let to = flows.iter().map(|flow| flow.last()).max()?;
    (from < to).then_some((from, to))
}

/// How full a link was of whatever: calls, their feedback, cross traffic.
fn measure_carried(run: &Run, name: &str, flows: &[&Flow], capacity: &Capacity, sheet: &mut Sheet) {
    let Some((from, to)) = duration(flows) else { return };
    // Links are sampled at multiples of this: whole samples only.
    let (from, to) = (SimTime(from.0.next_multiple_of(SAMPLE.0)), SimTime(to.0 / SAMPLE.0 * SAMPLE.0));
    let Some(spans) = capacity.spans(from, to).filter(|_| from < to) else { return };
    let bits = bits_of(&spans);
    let samples = run.events.link_samples.iter().filter(|sample| sample.link.as_str() == name);
    let within = samples.filter(|sample| sample.at > from && sample.at <= to);
    let carried: u64 = within.map(|sample| sample.bytes * 8).sum();
    sheet.of(name, "link_carried_ppm", (u128::from(carried) * 1_000_000 / bits) as u64);
}

fn bits_of(spans: &[(SimTime, SimTime, u64)]) -> u128 {
    let microbits = |(begin, end, rate): &(SimTime, SimTime, u64)| u128::from(end.since(*begin).0) * u128::from(*rate);
    (spans.iter().map(microbits).sum::<u128>() / 1_000_000).max(1)
}

fn measure_link(run: &Run, name: &str, flows: &[&Flow], capacity: &Capacity, sheet: &mut Sheet) {
    let Some((from, to)) = duration(flows) else { return };
    let Some(spans) = capacity.spans(from, to) else { return };
    let bits = bits_of(&spans);
    let sent: u64 = flows.iter().map(|flow| flow.bytes_between(from, to) * 8).sum();
    sheet.of(name, "link_utilization_ppm", (u128::from(sent) * 1_000_000 / bits) as u64);
    let most = run.plan.media.video_max.0 + run.plan.media.audio_rate.0;
    let mut convergence = Vec::new();
    let mut oscillations = 0;
    // Where cross traffic leaves nothing there is nothing to converge to.
    for (begin, end, rate) in spans.into_iter().filter(|(_, _, rate)| *rate > 0) {
        let wanted = rate.min(most * flows.len() as u64);
        let samples = samples(flows, begin, end);
        let converged = converged_at(&samples, wanted);
        convergence.push((begin, converged.unwrap_or(end).since(begin).0));
        let steady: Vec<u64> =
            samples.iter().filter(|(at, _)| converged.is_some_and(|from| *at >= from)).map(|(_, rate)| *rate).collect();
        oscillations += swings(&steady, wanted * SWING_PERCENT / 100);
    }
    sheet.distribution(name, "convergence_us", convergence);
    sheet.of(name, "oscillations", oscillations);
    for (window, metric) in WINDOWS.iter().filter(|_| flows.len() > 1) {
        sheet.distribution(name, metric, fairness(flows, *window));
    }
}

/// The packets of one flow, in order, and the links that they go over.
struct Flow {
    links: Vec<String>,
    packets: Vec<(SimTime, u64)>,
}

impl Flow {
    /// The flow of a direction, whose queue delay is measured on the way; `None` where no video is sent.
    fn of(run: &Run, way: Way, sheet: &mut Sheet) -> Option<Flow> {
        let (sender, receiver) = (run.cast.name(way.sender), run.cast.name(way.receiver));
        let (mut packets, mut queued, mut has_video) = (Vec::new(), Vec::new(), false);
        for rtp in run.events.rtp_sent.iter().filter(|rtp| rtp.device == *sender) {
            if run.way_of(way.sender, rtp.index).is_some_and(|of| of != way) {
                continue;
            }
            let Some(sent) = run.packets.get(rtp.packet).and_then(|packet| packet.sent) else { continue };
            has_video |= rtp.track == Track::Video;
            packets.push((sent.at, u64::from(sent.bytes.len) + HEADERS));
            if let Some(arrived) = run.packets.arrival_at(rtp.packet, receiver) {
                queued.push((sent.at, (arrived.uplink_queue + arrived.downlink_queue).0));
            }
        }
        if !has_video {
            return None;
        }
        sheet.distribution(&run.way_name(way), "queue_delay_us", queued);
        let via = |device: usize| run.cast.participant(device).access.via.iter().map(ToString::to_string);
        let outwards = via(way.sender).map(|link| format!("{link}/up"));
        let inwards = via(way.receiver).map(|link| format!("{link}/down"));
        Some(Flow { links: outwards.chain(inwards).collect(), packets })
    }

    fn first(&self) -> SimTime {
        self.packets.first().map_or(SimTime::NEVER, |(at, _)| *at)
    }

    fn last(&self) -> SimTime {
        self.packets.last().map_or(SimTime::ZERO, |(at, _)| *at)
    }

    /// Bytes that were sent from `from` on and before `to`.
    fn bytes_between(&self, from: SimTime, to: SimTime) -> u64 {
        let index = |at| self.packets.partition_point(|(sent, _)| *sent < at);
        let (begin, end) = (index(from), index(to));
        self.packets.get(begin..end).unwrap_or_default().iter().map(|(_, bytes)| bytes).sum()
    }
}

/// The rate of all flows together, in bits per second, at each sample between two times.
fn samples(flows: &[&Flow], from: SimTime, to: SimTime) -> Vec<(SimTime, u64)> {
    let mut samples = Vec::new();
    let mut at = from + SMOOTHED;
    while at <= to {
        let begin = SimTime(at.0 - SMOOTHED.0);
        samples.push((at, flows.iter().map(|flow| flow.bytes_between(begin, at) * 8).sum()));
        at += SAMPLE;
    }
    samples
}

/// The first sample from which the rate stays near what is wanted for [`STEADY`].
fn converged_at(samples: &[(SimTime, u64)], wanted: u64) -> Option<SimTime> {
    let near = |rate: u64| (wanted * LEAST_PERCENT..=wanted * MOST_PERCENT).contains(&(rate * 100));
    let count = (STEADY.0 / SAMPLE.0) as usize;
    let steady = samples.windows(count).find(|window| window.iter().all(|(_, rate)| near(*rate)));
    steady.map(|window| window[0].0)
}

/// How often a series turns after having moved by at least `swing`.
fn swings(rates: &[u64], swing: u64) -> u64 {
    let Some(&first) = rates.first() else { return 0 };
    let (mut low, mut high, mut rising, mut turns) = (first, first, None, 0);
    for &rate in rates {
        (low, high) = (low.min(rate), high.max(rate));
        let turned = match rising {
            Some(true) => high - rate >= swing,
            Some(false) => rate - low >= swing,
            None => {
                rising = (high - low >= swing).then_some(rate == high);
                continue;
            }
        };
        if turned {
            turns += 1;
            rising = rising.map(|rising| !rising);
            (low, high) = (rate, rate);
        }
    }
    turns
}

/// In each window in which all flows send: the slowest flow's rate as a share of the fastest one's.
fn fairness(flows: &[&Flow], window: Micros) -> Vec<(SimTime, u64)> {
    let Some(mut from) = flows.iter().map(|flow| flow.first()).max() else { return Vec::new() };
    let Some(end) = flows.iter().map(|flow| flow.last()).min() else { return Vec::new() };
    let mut ratios = Vec::new();
    while from + window <= end {
        let sent = flows.iter().map(|flow| flow.bytes_between(from, from + window));
        let (least, most) = sent.fold((u64::MAX, 0), |(least, most), bytes| (least.min(bytes), most.max(bytes)));
        ratios.extend((least * 1_000_000).checked_div(most).map(|ratio| (from, ratio)));
        from += window;
    }
    ratios
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes each 10 ms.
    fn flow(from: u64, to: u64, bytes: impl Fn(u64) -> u64) -> Flow {
        let at = |n: u64| SimTime(n * 10_000);
        Flow { links: Vec::new(), packets: (from * 100..to * 100).map(|n| (at(n), bytes(n))).collect() }
    }

    #[test]
    fn rates_are_those_of_the_second_before() {
        let flow = flow(0, 10, |n| if n < 500 { 125 } else { 250 });
        let samples = samples(&[&flow], SimTime(0), SimTime(10_000_000));
        assert_eq!(samples[0], (SimTime(1_000_000), 100_000));
        assert_eq!(samples.last(), Some(&(SimTime(10_000_000), 200_000)));
    }

    #[test]
    fn a_flow_has_converged_when_it_stays_near_what_it_could_have() {
        // 100 kbit/s up to 4 s and 190 of 200 from then on.
        let flow = flow(0, 10, |n| if n < 400 { 125 } else { 238 });
        let samples = samples(&[&flow], SimTime(0), SimTime(10_000_000));
        assert_eq!(converged_at(&samples, 200_000), Some(SimTime(4_600_000)));
        assert_eq!(converged_at(&samples, 400_000), None);
        assert_eq!(converged_at(&samples, 100_000), Some(SimTime(1_000_000)));
    }

    #[test]
    fn only_large_swings_are_oscillations() {
        assert_eq!(swings(&[100, 110, 95, 105, 100], 25), 0);
        assert_eq!(swings(&[100, 140, 100, 140, 100], 25), 3);
        assert_eq!(swings(&[100, 80, 60, 80, 100], 25), 1);
        assert_eq!(swings(&[], 25), 0);
    }

    #[test]
    fn fairness_is_the_slowest_of_the_fastest_while_all_send() {
        let (fast, slow) = (flow(0, 10, |_| 200), flow(2, 8, |_| 50));
        let ratios = fairness(&[&fast, &slow], Micros::from_secs(1));
        assert_eq!(ratios.len(), 5);
        assert!(ratios.iter().all(|(_, ratio)| *ratio == 250_000));
        assert!(fairness(&[&fast, &slow], Micros::from_secs(20)).is_empty());
    }
}
