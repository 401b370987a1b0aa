//! Congestion control over shared links, by the criteria of RFC 8868: use of the capacity, convergence after each change,
//! oscillation, fairness between flows, and the queue that they build.
//!
//! A flow is a direction of a call that sends video; its rate is that of its RTP packets with their IP and UDP headers,
//! sound and repairs included. Rates are sampled each 200 ms over the second before (RFC 8867 section 4).

use super::{Sheet, capacity::Capacity, course};
use crate::run::{Run, Way};
use kernel::{Micros, SimTime, Track, packet::Ecn};
use std::collections::BTreeSet;

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

/// The window in which flows of different priority are compared: the longest of RFC 8868, since a share is meant to hold
/// in the long run.
const PRIORITY_WINDOW: Micros = Micros::from_secs(20);

/// Measures the queues of every flow, and every direction of every core link that flows go over.
pub(super) fn measure(run: &Run, sheet: &mut Sheet) {
    let flows: Vec<Flow> = run.ways().into_iter().filter_map(|way| Flow::of(run, way, sheet)).collect();
    for link in &run.plan.core_links {
        for (name, plan) in [(format!("{}/up", link.name), &link.up), (format!("{}/down", link.name), &link.down)] {
            let over: Vec<&Flow> = flows.iter().filter(|flow| flow.links.contains(&name)).collect();
            let whole = Capacity::whole(run, name.clone(), plan);
            measure_link(run, &name, &over, &Capacity::of(run, name.clone(), plan), sheet);
            measure_carried(run, &name, &over, &whole, sheet);
            if plan.aqm.marks() && !over.is_empty() {
                measure_ecn(&name, &over, sheet);
            }
            if let Some((from, to)) = duration(&over).filter(|(from, to)| whole.spans(*from, *to).is_some()) {
                sheet.courses.push(course::of(run, &name, &over, &whole, (from, to)));
            }
        }
    }
}

/// How much of the media a queue that marks can mark.
fn measure_ecn(name: &str, flows: &[&Flow], sheet: &mut Sheet) {
    let (capable, sent) = flows
        .iter()
        .fold((0, 0), |(capable, sent), flow| (capable + flow.ecn_capable, sent + flow.packets.len() as u64));
    if let Some(share) = (capable * 1_000_000).checked_div(sent) {
        sheet.of(name, "ecn_capable_ppm", share);
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
    let spans = spans.into_iter().filter(|(_, _, rate)| *rate > 0).collect();
    for (begin, end, rate) in divided(spans, flows) {
        // Those that have not begun count: what the first could have, the others leave to it.
        let sending = flows.iter().filter(|flow| !flow.is_paused(begin)).count() as u64;
        if sending == 0 {
            continue;
        }
        let wanted = rate.min(most * sending);
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
        sheet.distribution(name, metric, fairness(flows, *window, |_| 1));
    }
    if flows.iter().any(|flow| flow.priority > 1) {
        sheet.distribution(name, "priority_share_ppm", fairness(flows, PRIORITY_WINDOW, |flow| flow.priority));
    }
    sheet.distribution(name, "fair_share_us", fair_shares(flows));
}

/// Spans of a constant rate, divided where a flow pauses or resumes.
fn divided(spans: Vec<(SimTime, SimTime, u64)>, flows: &[&Flow]) -> Vec<(SimTime, SimTime, u64)> {
    let mut edges: Vec<SimTime> =
        flows.iter().flat_map(|flow| &flow.pauses).flat_map(|(from, until)| [*from, *until]).collect();
    edges.sort_unstable();
    let mut divided = Vec::new();
    for (mut begin, end, rate) in spans {
        for edge in edges.iter().filter(|edge| **edge < end) {
            if begin < *edge {
                divided.push((begin, *edge, rate));
                begin = *edge;
            }
        }
        divided.push((begin, end, rate));
    }
    divided
}

/// The packets of one flow, in order, and the links that they go over.
pub(super) struct Flow {
    /// As its metrics are called: `alice-phone>bob-phone`.
    pub(super) name: String,
    links: Vec<String>,
    packets: Vec<(SimTime, u64)>,
    /// From when to when the user had everything switched off.
    pauses: Vec<(SimTime, SimTime)>,
    /// The sender's priority, from 1.
    priority: u64,
    /// How many of its packets were sent as ECN-capable.
    ecn_capable: u64,
}

impl Flow {
    /// The flow of a direction, whose queue delay is measured on the way; `None` where no video is sent.
    fn of(run: &Run, way: Way, sheet: &mut Sheet) -> Option<Flow> {
        let (sender, receiver) = (run.cast.name(way.sender), run.cast.name(way.receiver));
        let (mut packets, mut queued, mut has_video, mut ecn_capable) = (Vec::new(), Vec::new(), false, 0);
        for rtp in run.events.rtp_sent.of(sender) {
            if run.way_of(way.sender, rtp.index).is_some_and(|of| of != way) {
                continue;
            }
            let Some(sent) = run.packets.get(rtp.packet).and_then(|packet| packet.sent) else { continue };
            has_video |= rtp.track == Track::Video;
            ecn_capable += u64::from(sent.ecn != Ecn::NotEct);
            packets.push((sent.at, u64::from(sent.bytes.len) + HEADERS));
            if let Some(arrived) = run.packets.arrival_at(rtp.packet, receiver) {
                queued.push((sent.at, (arrived.uplink_queue + arrived.downlink_queue).0));
            }
        }
        if !has_video {
            return None;
        }
        let name = run.way_name(way);
        sheet.distribution(&name, "queue_delay_us", queued);
        let via = |device: usize| run.cast.participant(device).access.via.iter().map(ToString::to_string);
        let outwards = via(way.sender).map(|link| format!("{link}/up"));
        let inwards = via(way.receiver).map(|link| format!("{link}/down"));
        let links = outwards.chain(inwards).collect();
        let priority = u64::from(run.cast.participant(way.sender).priority);
        Some(Flow { name, links, packets, pauses: pauses(run, way), priority, ecn_capable })
    }

    fn is_paused(&self, at: SimTime) -> bool {
        self.pauses.iter().any(|(from, until)| (*from..*until).contains(&at))
    }

    /// Whether it sends from one time to another without a pause.
    fn sends(&self, from: SimTime, to: SimTime) -> bool {
        self.first() <= from && to <= self.last() && self.pause_in(from, to).is_none()
    }

    /// The first pause that overlaps a window.
    fn pause_in(&self, from: SimTime, to: SimTime) -> Option<(SimTime, SimTime)> {
        self.pauses.iter().copied().find(|(begin, end)| *begin < to && *end > from)
    }

    fn first(&self) -> SimTime {
        self.packets.first().map_or(SimTime::NEVER, |(at, _)| *at)
    }

    fn last(&self) -> SimTime {
        self.packets.last().map_or(SimTime::ZERO, |(at, _)| *at)
    }

    /// Bytes that were sent from `from` on and before `to`.
    pub(super) fn bytes_between(&self, from: SimTime, to: SimTime) -> u64 {
        let index = |at| self.packets.partition_point(|(sent, _)| *sent < at);
        let (begin, end) = (index(from), index(to));
        self.packets.get(begin..end).unwrap_or_default().iter().map(|(_, bytes)| bytes).sum()
    }
}

/// When neither camera nor microphone of a direction's sender was on, between times when one was.
fn pauses(run: &Run, way: Way) -> Vec<(SimTime, SimTime)> {
    let device = run.cast.name(way.sender);
    let switches = run.events.captures.of(device);
    let (mut on, mut since, mut pauses) = (BTreeSet::new(), None, Vec::new());
    for seen in switches.filter(|seen| run.way_of(way.sender, seen.index).is_none_or(|of| of == way)) {
        if seen.on {
            pauses.extend(since.take().map(|since| (since, seen.at)));
            on.insert(seen.track);
        } else if on.remove(&seen.track) && on.is_empty() {
            since = Some(seen.at);
        }
    }
    pauses
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

/// In each window in which all flows send: the slowest flow's rate over its weight as a share of the fastest one's.
fn fairness(flows: &[&Flow], window: Micros, weight: impl Fn(&Flow) -> u64) -> Vec<(SimTime, u64)> {
    let Some(mut from) = flows.iter().map(|flow| flow.first()).max() else { return Vec::new() };
    let Some(end) = flows.iter().map(|flow| flow.last()).min() else { return Vec::new() };
    let mut ratios = Vec::new();
    while from + window <= end {
        if let Some((_, resumed)) = flows.iter().find_map(|flow| flow.pause_in(from, from + window)) {
            from = resumed;
            continue;
        }
        let sent = flows.iter().map(|flow| flow.bytes_between(from, from + window) * 100 / weight(flow));
        let (least, most) = sent.fold((u64::MAX, 0), |(least, most), bytes| (least.min(bytes), most.max(bytes)));
        ratios.extend((least * 1_000_000).checked_div(most).map(|ratio| (from, ratio)));
        from += window;
    }
    ratios
}

/// For each time at which a flow starts or resumes while others send: how long until none of them has less than a third
/// of another's rate for [`STEADY`]. Where that never is, the time until the next flow starts, pauses, resumes or ends.
fn fair_shares(flows: &[&Flow]) -> Vec<(SimTime, u64)> {
    let starts = flows.iter().flat_map(|flow| flow.pauses.iter().map(|(_, until)| *until).chain([flow.first()]));
    let mut starts: Vec<SimTime> = starts.collect();
    let ends = flows.iter().flat_map(|flow| flow.pauses.iter().map(|(from, _)| *from).chain([flow.last()]));
    let mut turns: Vec<SimTime> = starts.iter().copied().chain(ends).collect();
    starts.sort_unstable();
    starts.dedup();
    turns.sort_unstable();
    let mut shares = Vec::new();
    for start in starts {
        let Some(end) = turns.iter().copied().find(|turn| *turn > start).filter(|end| start + SMOOTHED < *end) else {
            // Another one follows at once: the time counts from that.
            continue;
        };
        let sending: Vec<&Flow> = flows.iter().copied().filter(|flow| flow.sends(start, end)).collect();
        if sending.len() > 1 {
            shares.push((start, fair_from(&sending, start, end).unwrap_or(end).since(start).0));
        }
    }
    shares
}

/// The first sample from which on the flows share fairly for [`STEADY`].
fn fair_from(flows: &[&Flow], start: SimTime, end: SimTime) -> Option<SimTime> {
    let mut since = None;
    let mut at = start + SMOOTHED;
    while at <= end {
        let sent = flows.iter().map(|flow| flow.bytes_between(SimTime(at.0 - SMOOTHED.0), at));
        let (least, most) = sent.fold((u64::MAX, 0), |(least, most), bytes| (least.min(bytes), most.max(bytes)));
        since = (least * 3 >= most).then_some(since.unwrap_or(at));
        if let Some(since) = since.filter(|since| at.since(*since) >= STEADY) {
            return Some(since);
        }
        at += SAMPLE;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes each 10 ms.
    fn flow(from: u64, to: u64, bytes: impl Fn(u64) -> u64) -> Flow {
        let at = |n: u64| SimTime(n * 10_000);
        let packets = (from * 100..to * 100).map(|n| (at(n), bytes(n))).collect();
        Flow { name: String::new(), links: Vec::new(), packets, pauses: Vec::new(), priority: 1, ecn_capable: 0 }
    }

    /// 100 kbit/s for 40 s, with a pause from 10 to 20 s and half the rate in the 3 s after it.
    fn pausing() -> Flow {
        let rate = |n| match n {
            1_000..2_000 => 0,
            2_000..2_300 => 30,
            _ => 125,
        };
        Flow { pauses: vec![(SimTime(10_000_000), SimTime(20_000_000))], ..flow(0, 40, rate) }
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
        let ratios = fairness(&[&fast, &slow], Micros::from_secs(1), |_| 1);
        assert_eq!(ratios.len(), 5);
        assert!(ratios.iter().all(|(_, ratio)| *ratio == 250_000));
        assert!(fairness(&[&fast, &slow], Micros::from_secs(20), |_| 1).is_empty());
    }

    #[test]
    fn no_flow_is_unfair_to_one_that_pauses() {
        let (other, paused) = (flow(0, 40, |_| 125), pausing());
        let ratios = fairness(&[&other, &paused], Micros::from_secs(5), |_| 1);
        let expected = [(0, 1_000_000), (5, 1_000_000), (20, 544_000), (25, 1_000_000), (30, 1_000_000)];
        assert_eq!(ratios, expected.map(|(from, ratio)| (SimTime(from * 1_000_000), ratio)));
    }

    #[test]
    fn a_pause_divides_a_span_and_lowers_what_is_wanted() {
        let paused = pausing();
        let at = |s: u64| SimTime(s * 1_000_000);
        let spans = divided(vec![(at(0), at(15), 7), (at(15), at(40), 8)], &[&paused]);
        assert_eq!(spans, [(at(0), at(10), 7), (at(10), at(15), 7), (at(15), at(20), 8), (at(20), at(40), 8)]);
        assert!(!paused.is_paused(at(5)) && paused.is_paused(at(10)) && !paused.is_paused(at(20)));
    }

    #[test]
    fn a_fair_share_is_found_some_time_after_a_start_or_a_pause() {
        let (other, paused) = (flow(0, 40, |_| 125), pausing());
        // 30 of 125 bytes is less than a third; over the second before it is one from 23.2 s on.
        assert_eq!(fair_shares(&[&other, &paused]), [(SimTime(0), 1_000_000), (SimTime(20_000_000), 3_200_000)]);
        let late = flow(30, 35, |_| 40);
        assert_eq!(fair_shares(&[&other, &late]), [(SimTime(30_000_000), 4_990_000)]);
    }

    #[test]
    fn a_flow_of_priority_two_ought_to_have_twice_as_much() {
        let at = |bytes, priority| Flow { priority, ..flow(0, 40, move |_| bytes) };
        let share =
            |first: Flow, second: Flow| fairness(&[&first, &second], PRIORITY_WINDOW, |flow| flow.priority)[0].1;
        assert_eq!(share(at(200, 2), at(100, 1)), 1_000_000);
        assert_eq!(share(at(100, 2), at(100, 1)), 500_000);
        assert_eq!(share(at(400, 2), at(100, 1)), 500_000);
    }
}
