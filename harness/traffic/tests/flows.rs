//! Flows over a plain path: what they send, and that they end.

use kernel::{
    BitRate, Datagram, Micros, Plan, SimTime,
    plan::{CongestionKind, TrafficEnd, TrafficKind, TrafficPlan, TrafficSide},
    random::SeedTree,
};
use std::collections::BTreeMap;
use traffic::End;

const DELAY: Micros = Micros::from_millis(20);
const START: SimTime = SimTime(Plan::TIMELINE_START.0 + 1_000_000);

fn flow(kind: TrafficKind, opener: TrafficSide) -> TrafficPlan {
    let end = |address: &str| TrafficEnd { host: "host".into(), address: address.parse().unwrap(), access: None };
    TrafficPlan {
        name: "flow".into(),
        kind,
        source: end("192.0.2.100:20032"),
        sink: end("192.0.2.101:20096"),
        opener,
        start: Micros::from_secs(1),
        end: Micros::from_secs(11),
    }
}

/// Packets with payload of the source by the time of sending, and how many packets the sink sent.
struct Run {
    from_source: Vec<(SimTime, usize)>,
    from_sink: Vec<(SimTime, usize)>,
    /// When the source first sent over each connection, by the ports of both ends.
    connections: BTreeMap<(u16, u16), SimTime>,
}

/// Runs a flow over a path that delays packets and changes nothing else.
fn run(plan: &TrafficPlan, seed: u64) -> Run {
    let seeds = SeedTree::root(seed);
    let mut ends = [TrafficSide::Source, TrafficSide::Sink]
        .map(|side| End::new(plan, side, &seeds.child(&format!("{side:?}")), Plan::TIMELINE_START, SimTime::ZERO));
    let mut flying: BTreeMap<(SimTime, u64), (usize, Datagram)> = BTreeMap::new();
    let mut run = [Vec::new(), Vec::new()];
    let mut connections = BTreeMap::new();
    let (mut now, mut sequence) = (SimTime::ZERO, 0);
    let limit = START + Micros::from_secs(40);
    loop {
        for (end, sent) in ends.iter_mut().zip(&mut run) {
            while let Some(datagram) = end.poll(now) {
                sent.push((now, datagram.bytes.len()));
                let to = usize::from(plan.sink.owns(datagram.destination));
                if to == 1 {
                    connections.entry((datagram.source.port(), datagram.destination.port())).or_insert(now);
                }
                assert!(plan.sink.owns(datagram.destination) || plan.source.owns(datagram.destination));
                flying.insert((now + DELAY, sequence), (to, datagram));
                sequence += 1;
            }
        }
        let wakes: Vec<SimTime> = ends.iter_mut().filter_map(|end| end.next_wake(now)).collect();
        let flight = flying.first_key_value().map(|((at, _), _)| *at);
        let Some(next) = wakes.into_iter().chain(flight).min().filter(|next| *next <= limit) else { break };
        assert!(next >= now);
        now = next;
        while let Some(entry) = flying.first_entry().filter(|entry| entry.key().0 <= now) {
            let (to, datagram) = entry.remove();
            ends[to].handle(&datagram, now);
        }
    }
    let [from_source, from_sink] = run;
    Run { from_source, from_sink, connections }
}

/// Bits on the wire of UDP between two times after the start, in milliseconds.
fn bits(sent: &[(SimTime, usize)], from_ms: u64, to_ms: u64) -> u64 {
    let within = START + Micros::from_millis(from_ms)..START + Micros::from_millis(to_ms);
    sent.iter().filter(|(at, _)| within.contains(at)).map(|(_, bytes)| (*bytes as u64 + 28) * 8).sum()
}

#[test]
fn a_constant_rate_is_exact_and_ends() {
    let kind = TrafficKind::Cbr { rate: BitRate(1_234_567) };
    let run = run(&flow(kind, TrafficSide::Source), 1);
    let all = bits(&run.from_source, 0, 10_000);
    assert!(all.abs_diff(12_345_670) <= 8_000, "{all}");
    let one = bits(&run.from_source, 3_000, 4_000);
    assert!(one.abs_diff(1_234_567) <= 8_000, "{one}");
    assert!(run.from_source.iter().all(|(at, _)| (START..=START + Micros::from_secs(10)).contains(at)));
    assert!(run.from_sink.is_empty(), "nobody has to ask");
}

#[test]
fn a_sink_that_nobody_can_reach_asks_first() {
    let kind = TrafficKind::Cbr { rate: BitRate(1_000_000) };
    let run = run(&flow(kind, TrafficSide::Sink), 1);
    assert_eq!(run.from_sink[0], (START, 1));
    assert_eq!(run.from_source[0].0, START + DELAY, "the answer comes with the request");
    let all = bits(&run.from_source, 0, 10_000);
    assert!(all.abs_diff(9_980_000) <= 8_000, "{all}");
    assert_eq!(
        run.from_sink.len(),
        2,
        "asked, and asked again while the first packet was on its way or to keep the NAT open"
    );
}

#[test]
fn pulses_are_silent_in_between() {
    let (on, off) = (Micros::from_millis(300), Micros::from_millis(700));
    let kind = TrafficKind::Pulses { rate: BitRate(2_000_000), on, off };
    let run = run(&flow(kind, TrafficSide::Source), 1);
    for second in 0..10 {
        let pulse = bits(&run.from_source, second * 1_000, second * 1_000 + 300);
        assert!(pulse.abs_diff(600_000) <= 8_000, "{pulse} in second {second}");
        assert_eq!(bits(&run.from_source, second * 1_000 + 300, second * 1_000 + 1_000), 0);
    }
}

#[test]
fn a_random_walk_is_its_seeds() {
    let walk = |seed| {
        let (least, most) = (BitRate(200_000), BitRate(2_000_000));
        let (step, every) = (BitRate(400_000), Micros::from_millis(500));
        let kind = TrafficKind::RandomWalk { least, most, step, every };
        run(&flow(kind, TrafficSide::Source), seed).from_source
    };
    assert_eq!(walk(1), walk(1));
    assert_ne!(walk(1), walk(2));
    let half_seconds: Vec<u64> = (0..20).map(|n| bits(&walk(1), n * 500, n * 500 + 500)).collect();
    assert!(half_seconds.iter().all(|bits| (90_000..=1_010_000).contains(bits)), "{half_seconds:?}");
    assert!(half_seconds.iter().max() > half_seconds.iter().min(), "{half_seconds:?}");
}

#[test]
fn a_long_flow_sends_from_start_to_end_whoever_opens() {
    for opener in [TrafficSide::Source, TrafficSide::Sink] {
        let kind = TrafficKind::LongTcp { congestion: CongestionKind::Cubic };
        let run = run(&flow(kind, opener), 1);
        let payload: usize = run.from_source.iter().map(|(_, bytes)| bytes.saturating_sub(20)).sum();
        // The path has no rate: the window and the round trip of 40 ms decide.
        assert!(payload > 40_000_000, "{opener:?}: {payload}");
        let last = run.from_source.last().unwrap().0;
        assert_eq!(last, START + Micros::from_secs(10), "{opener:?}: a reset ends it");
    }
}

#[test]
fn short_flows_transfer_rest_and_transfer_again() {
    for opener in [TrafficSide::Source, TrafficSide::Sink] {
        let kind = TrafficKind::ShortTcp {
            congestion: CongestionKind::Reno,
            strands: 10,
            start_on: 2,
            smallest: 30_000,
            largest: 50_000,
            idle: Micros::from_secs(2),
        };
        let run = run(&flow(kind, opener), 4);
        let payload: usize = run.from_source.iter().map(|(_, bytes)| bytes.saturating_sub(20)).sum();
        // Ten strands of about 2.2 s a round for 10 s: some 40 transfers of 40 kB.
        assert!((800_000..2_600_000).contains(&payload), "{opener:?}: {payload}");
        let at_once = run.connections.values().filter(|first| **first < START + Micros::from_millis(50)).count();
        assert_eq!(at_once, 2, "{opener:?}: two strands start at once");
        assert!(run.connections.len() > 10, "{opener:?}: all strands have their turn");
    }
}
