//! The data of the charts: both directions of the call on one axis of simulated time. Rates are summed over buckets,
//! everything else is drawn from the events as they are. Times are whole milliseconds, rates kbit/s.

use super::links::LinkData;
use crate::{
    metric_name::human,
    run::Run,
    trace::{Packets, Passage},
};
use kernel::{
    ActorName, CallId, Log, SimTime, Track,
    event::{Act, CallStateName, Event, Fact, WireProtocol},
    plan::{LinkPlan, Plan},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Shortest bucket of a rate: shorter ones show single key frames.
const BUCKET_US: u64 = 250_000;
/// Most buckets of a chart.
const MAX_BUCKETS: u64 = 1_600;
/// Most points of a scatter; beyond them the worst of neighbours stays.
const MAX_POINTS: usize = 4_000;
/// More directions than these are left to `run.json`.
const MAX_LANES: usize = 12;
/// A pause: no new picture for this long (W3C webrtc-stats has no number of its own; libwebrtc's is 5 s).
const PAUSE_US: u64 = 5_000_000;

/// Everything that the charts draw.
#[derive(Serialize)]
struct Data {
    start: u64,
    end: u64,
    /// Where the eye should be first: from the call to the end.
    focus: u64,
    links: Vec<LinkData>,
    lanes: Vec<LaneData>,
    states: Vec<States>,
    percentiles: Vec<super::latency::Percentiles>,
}

/// One direction of the call.
pub(crate) struct Lane<'a> {
    pub(crate) from: &'a ActorName,
    pub(crate) to: &'a ActorName,
}

/// The head of a direction's charts.
pub(crate) struct LaneView {
    pub(crate) title: String,
    /// What the path can carry, in words: the chart leaves out what is far above use.
    pub(crate) capacity: String,
}

impl Lane<'_> {
    fn title(&self) -> String {
        format!("{} → {}", self.from, self.to)
    }
}

#[derive(Serialize)]
struct LaneData {
    title: String,
    from: String,
    to: String,
    /// End of each bucket.
    t: Vec<u64>,
    capacity: Vec<Option<u64>>,
    estimate: Vec<Option<u64>>,
    target: Vec<Option<u64>>,
    sent: Vec<u64>,
    received: Vec<u64>,
    picture: Points,
    sound: Points,
    /// From, until, what: what the viewer saw.
    screen: Vec<(u64, u64, &'static str)>,
    /// When packets of this direction were lost.
    lost: Vec<u64>,
}

/// Latencies in microseconds.
#[derive(Default, Serialize)]
struct Points {
    t: Vec<u64>,
    us: Vec<u64>,
}

/// The states of a device's call machine.
#[derive(Serialize)]
struct States {
    device: String,
    segments: Vec<(u64, u64, CallStateName)>,
}

/// The directions of the calls that were accepted; where none was, those in which media flowed all the same.
fn lanes<'a>(run: &'a Run<'_>) -> Vec<Lane<'a>> {
    let mut lanes: Vec<Lane<'a>> = Vec::new();
    let mut ends: BTreeMap<CallId, [&'a ActorName; 2]> = BTreeMap::new();
    for record in &run.log.records {
        let Event::Store(store) = &record.event else { continue };
        let [one, other] = match &store.fact {
            Fact::CallLive { call, caller_device, callee_device } => {
                ends.insert(*call, [caller_device, callee_device]);
                [caller_device, callee_device]
            }
            Fact::CallMoved { call, from, to } => {
                let Some(ends) = ends.get_mut(call) else { continue };
                ends.iter_mut().filter(|end| **end == from).for_each(|end| *end = to);
                *ends
            }
            _ => continue,
        };
        for (from, to) in [(one, other), (other, one)] {
            if !lanes.iter().any(|lane| (lane.from, lane.to) == (from, to)) {
                lanes.push(Lane { from, to });
            }
        }
    }
    if lanes.is_empty() {
        let (senders, shown) = media(run.log);
        let devices = || run.judgement.plan.participants.iter().map(|participant| &participant.device);
        let pairs = devices().flat_map(|from| devices().filter(move |to| *to != from).map(move |to| Lane { from, to }));
        lanes.extend(pairs.filter(|lane| senders.contains(lane.from) || shown.contains(&(lane.from, lane.to))));
    }
    lanes.truncate(MAX_LANES);
    lanes
}

/// Who sent media, and whose pictures were shown to whom.
fn media(log: &Log) -> (BTreeSet<&ActorName>, BTreeSet<(&ActorName, &ActorName)>) {
    let (mut senders, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for record in &log.records {
        match &record.event {
            Event::RtpSent(sent) => drop(senders.insert(&sent.device)),
            Event::Rendered(seen) => drop(shown.insert((&seen.sender, &seen.device))),
            _ => {}
        }
    }
    (senders, shown)
}

/// Whether any device was in a call, or called: otherwise there are no states to draw.
pub(crate) fn has_states(log: &Log) -> bool {
    let is_in_call = |event: &Event| matches!(event, Event::CallState(state) if state.to != CallStateName::Idle);
    log.records.iter().any(|record| is_in_call(&record.event))
}

/// The heads of the charts.
pub(crate) fn views(run: &Run<'_>) -> Vec<LaneView> {
    let capacity = |lane: &Lane<'_>| {
        if let Some(why) = untold(run, lane) {
            return why.into();
        }
        let steps = capacity(run, lane);
        let kbps = || steps.iter().filter_map(|(_, kbps)| *kbps);
        let words = |kbps: u64| human("capacity_bps", i64::try_from(kbps * 1_000).unwrap_or(i64::MAX));
        match (kbps().min(), kbps().max()) {
            (Some(least), Some(most)) if least == most => format!("capacity {}", words(most)),
            (Some(least), Some(most)) => format!("capacity {} to {}", words(least), words(most)),
            _ => "capacity unlimited".into(),
        }
    };
    lanes(run).iter().map(|lane| LaneView { title: lane.title(), capacity: capacity(lane) }).collect()
}

/// The data as JSON that is safe inside a `script` element.
pub(crate) fn data(run: &Run<'_>, packets: &Packets<'_>) -> String {
    let plan = &run.judgement.plan;
    let end = run.log.records.last().map_or(SimTime::ZERO, |record| record.at);
    let data = Data {
        start: 0,
        end: end.as_millis(),
        focus: focus(run.log),
        links: run.judgement.courses.iter().map(LinkData::of).collect(),
        lanes: lanes(run).iter().map(|lane| lane_data(run, packets, lane, end)).collect(),
        states: plan.participants.iter().map(|participant| states(run.log, &participant.device, end)).collect(),
        percentiles: super::latency::percentiles(&run.judgement.histograms),
    };
    serde_json::to_string(&data).expect("chart data serializes").replace('<', "\\u003c")
}

/// Just before the first call.
fn focus(log: &Log) -> u64 {
    let calls = |event: &Event| matches!(event, Event::UserAct(act) if matches!(act.what, Act::Call { .. }));
    let first = log.records.iter().find(|record| calls(&record.event)).map_or(0, |record| record.at.as_millis());
    first.saturating_sub(500)
}

fn lane_data(run: &Run<'_>, packets: &Packets<'_>, lane: &Lane<'_>, end: SimTime) -> LaneData {
    let bucket = BUCKET_US.max(end.0 / MAX_BUCKETS);
    let count = usize::try_from(end.0.div_ceil(bucket)).unwrap_or(0);
    let ends: Vec<u64> = (1..=count as u64).map(|i| i * bucket).collect();
    let media =
        |passage: &&Passage<'_>| passage.protocol != WireProtocol::Quic && packets.root(passage).from == lane.from;
    let mut sent = vec![0; count];
    let mut received = vec![0; count];
    let mut lost = Vec::new();
    for passage in packets.iter().filter(media) {
        if passage.from == lane.from {
            add(&mut sent, passage.sent_at, bucket, passage.wire_bytes());
        }
        for (at, _) in passage.arrivals.iter().filter(|(_, to)| *to == lane.to) {
            add(&mut received, *at, bucket, passage.wire_bytes());
        }
        lost.extend(passage.dropped.as_ref().map(|dropped| dropped.at.as_millis()));
    }
    lost.sort_unstable();
    lost.dedup();
    let rate = |bytes: Vec<u64>| bytes.into_iter().map(|bytes| bytes * 8_000 / bucket).collect();
    let scope = format!("{}>{}", lane.from, lane.to);
    LaneData {
        title: lane.title(),
        from: lane.from.to_string(),
        to: lane.to.to_string(),
        capacity: sampled(&capacity(run, lane), &ends),
        estimate: sampled(&estimate(run.log, lane.from), &ends),
        target: sampled(&target(run.log, lane.from), &ends),
        t: ends.into_iter().map(|end| end / 1_000).collect(),
        sent: rate(sent),
        received: rate(received),
        picture: points(run, &format!("{scope}/glass_to_glass_us")),
        sound: points(run, &format!("{scope}/mouth_to_ear_us")),
        screen: screen(run.log, lane),
        lost,
    }
}

fn add(buckets: &mut [u64], at: SimTime, bucket: u64, bytes: u64) {
    let last = buckets.len().saturating_sub(1);
    if let Some(sum) = buckets.get_mut(((at.0 / bucket) as usize).min(last)) {
        *sum += bytes;
    }
}

/// A value that holds from each time on, in kbit/s; none is unlimited or unknown.
type Steps = Vec<(SimTime, Option<u64>)>;

fn sampled(steps: &Steps, ends: &[u64]) -> Vec<Option<u64>> {
    let mut next = steps.iter().peekable();
    let mut value = None;
    let mut sample = |end: &u64| {
        while let Some((_, now)) = next.next_if(|(at, _)| at.0 < *end) {
            value = *now;
        }
        value
    };
    ends.iter().map(&mut sample).collect()
}

/// Why no capacity is told of a direction, where that is so.
fn untold(run: &Run<'_>, lane: &Lane<'_>) -> Option<&'static str> {
    let plan = &run.judgement.plan;
    let has_several =
        |device: &ActorName| plan.participant(device.as_str()).is_some_and(|one| !one.interfaces.is_empty());
    if has_several(lane.from) || has_several(lane.to) {
        return Some("capacity differs by interface");
    }
    let links = links(plan, lane);
    let changes = run.log.records.iter().filter_map(|record| match &record.event {
        Event::LinkChanged(changed) => Some(changed),
        _ => None,
    });
    let mut own = changes.filter(|changed| links.iter().any(|(name, _)| changed.link == *name.as_str()));
    let is_traced = links.iter().any(|(_, link)| link.trace.is_some()) || own.any(|changed| changed.to.trace.is_some());
    is_traced.then_some("capacity follows a trace")
}

/// The narrowest of the sender's uplink, the receiver's downlink and the core links in between; nothing where it is not
/// told.
fn capacity(run: &Run<'_>, lane: &Lane<'_>) -> Steps {
    if untold(run, lane).is_some() {
        return Vec::new();
    }
    let kbps = |link: &LinkPlan| link.rate.map(|rate| rate.0 / 1_000);
    let links = links(&run.judgement.plan, lane).into_iter();
    let mut links: Vec<(String, Option<u64>)> = links.map(|(name, link)| (name, kbps(link))).collect();
    let narrowest = |links: &[(String, Option<u64>)]| links.iter().filter_map(|(_, kbps)| *kbps).min();
    let mut steps = vec![(SimTime::ZERO, narrowest(&links))];
    for record in &run.log.records {
        let Event::LinkChanged(changed) = &record.event else { continue };
        if let Some((_, own)) = links.iter_mut().find(|(name, _)| changed.link == *name.as_str()) {
            *own = kbps(&changed.to);
            steps.push((record.at, narrowest(&links)));
        }
    }
    steps
}

/// The links of a direction, as they are at first.
fn links<'p>(plan: &'p Plan, lane: &Lane<'_>) -> Vec<(String, &'p LinkPlan)> {
    let mut links = Vec::new();
    let core = |via: &[String]| plan.core_links.iter().filter(|link| via.contains(&link.name)).collect::<Vec<_>>();
    if let Some(from) = plan.participant(lane.from.as_str()).map(|participant| &participant.access) {
        links.push((format!("{}/up", lane.from), &from.up));
        links.extend(core(&from.via).iter().map(|link| (format!("{}/up", link.name), &link.up)));
    }
    if let Some(to) = plan.participant(lane.to.as_str()).map(|participant| &participant.access) {
        links.push((format!("{}/down", lane.to), &to.down));
        links.extend(core(&to.via).iter().map(|link| (format!("{}/down", link.name), &link.down)));
    }
    links
}

fn estimate(log: &Log, device: &ActorName) -> Steps {
    let step = |record: &kernel::Record| match &record.event {
        Event::BitrateEstimate(estimate) if estimate.device == *device => {
            Some((record.at, Some(estimate.rate.0 / 1_000)))
        }
        _ => None,
    };
    log.records.iter().filter_map(step).collect()
}

fn target(log: &Log, device: &ActorName) -> Steps {
    let step = |record: &kernel::Record| match &record.event {
        Event::EncoderTarget(target) if target.device == *device && target.track == Track::Video => {
            Some((record.at, Some(target.rate.0 / 1_000)))
        }
        Event::CaptureSwitched(seen) if seen.device == *device && seen.track == Track::Video && !seen.on => {
            Some((record.at, None))
        }
        _ => None,
    };
    log.records.iter().filter_map(step).collect()
}

fn points(run: &Run<'_>, name: &str) -> Points {
    let Some(histogram) = run.judgement.histograms.iter().find(|histogram| histogram.name == name) else {
        return Points::default();
    };
    let stride = histogram.values.len().div_ceil(MAX_POINTS).max(1);
    let worst = |chunk: &[(SimTime, u64)]| chunk.iter().copied().max_by_key(|(_, us)| *us);
    let mut points = Points::default();
    for (at, us) in histogram.values.chunks(stride).filter_map(worst) {
        points.t.push(at.as_millis());
        points.us.push(us);
    }
    points
}

/// What the viewer saw: a picture that is smooth, frozen or paused, or that the peer's camera is off. Frozen is W3C
/// webrtc-stats' definition: a picture that stays for max(3 x mean of the last 30, mean + 150 ms). The oracle counts; this
/// only draws.
fn screen(log: &Log, lane: &Lane<'_>) -> Vec<(u64, u64, &'static str)> {
    let mut segments: Vec<(u64, u64, &'static str)> = Vec::new();
    let mut recent: Vec<u64> = Vec::new();
    let mut last: Option<(SimTime, bool)> = None;
    for (at, is_on) in log.records.iter().filter_map(|record| shown(record, lane)) {
        let Some((since, was_on)) = last.replace((at, is_on)) else { continue };
        let stayed = at.since(since).0;
        let what = match (was_on, is_on) {
            (true, true) => what_was_seen(stayed, &recent),
            (true, false) => "smooth",
            (false, _) => "off",
        };
        match segments.last_mut() {
            Some((_, until, last)) if *last == what && matches!(what, "smooth" | "off") => *until = at.as_millis(),
            _ => segments.push((since.as_millis(), at.as_millis(), what)),
        }
        match what {
            "off" => recent.clear(),
            _ => recent.push(stayed),
        }
        if recent.len() > 30 {
            recent.remove(0);
        }
    }
    segments
}

/// Whether a record shows another picture on the lane's screen, or takes it away.
fn shown(record: &kernel::Record, lane: &Lane<'_>) -> Option<(SimTime, bool)> {
    match &record.event {
        Event::Rendered(seen) if seen.device == *lane.to && seen.sender == *lane.from => Some((record.at, true)),
        Event::PeerSwitched(seen)
            if seen.device == *lane.to && seen.sender == *lane.from && seen.track == Track::Video && !seen.on =>
        {
            Some((record.at, false))
        }
        _ => None,
    }
}

fn what_was_seen(stayed: u64, recent: &[u64]) -> &'static str {
    let mean = recent.iter().sum::<u64>() / (recent.len() as u64).max(1);
    match stayed {
        PAUSE_US.. => "pause",
        _ if !recent.is_empty() && stayed >= (3 * mean).max(mean + 150_000) => "freeze",
        _ => "smooth",
    }
}

fn states(log: &Log, device: &ActorName, end: SimTime) -> States {
    let mut changes: BTreeMap<u64, (SimTime, CallStateName)> = BTreeMap::new();
    for record in &log.records {
        match &record.event {
            Event::CallState(state) if state.device == *device => changes.insert(record.index, (record.at, state.to)),
            _ => None,
        };
    }
    let changes: Vec<_> = changes.into_values().collect();
    let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let segments = changes.iter().zip(ends).map(|((from, state), until)| (from.as_millis(), until.as_millis(), *state));
    States {
        device: device.to_string(),
        segments: segments.filter(|(.., state)| *state != CallStateName::Idle).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_stays_three_means_and_150_ms_is_a_freeze() {
        let smooth = [33_333; 30];
        assert_eq!(what_was_seen(183_000, &smooth), "smooth");
        assert_eq!(what_was_seen(183_333, &smooth), "freeze");
        assert_eq!(what_was_seen(5_000_000, &smooth), "pause");
        assert_eq!(what_was_seen(400_000, &[]), "smooth");
    }

    #[test]
    fn a_step_holds_from_its_time_on() {
        let steps = vec![(SimTime(0), Some(1)), (SimTime(15), Some(2))];
        assert_eq!(sampled(&steps, &[10, 20, 30]), [Some(1), Some(2), Some(2)]);
    }
}
