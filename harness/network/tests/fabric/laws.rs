//! The laws that hold for every network and every traffic.

use crate::{
    configurations::{in_order, links, rates},
    driver::{PERFECT, Shot, behind_nat, drive, drive_until, endpoint, node, simulate},
};
use kernel::{
    Event, Log, Mutant, PacketId,
    mutant::plant,
    packet::Ecn,
    plan::{CoreLink, LinkChange, LinkPlan, NatPlan, Pace, RateTrace},
    time::{BitRate, Micros, SimTime, set_now},
};
use network::{Arrival, Fabric};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Bytes of IPv4 and UDP header.
const HEADERS: u64 = 28;
/// How many configurations each law meets.
const CASES: u32 = 10_000;

/// Who sends in these worlds: its name, its socket, and whom it addresses.
const SENDERS: [(&str, &str, [&str; 3]); 4] = [
    ("alice", "192.168.1.2:5000", ["192.168.1.3:5000", "198.51.100.1:1", "203.0.113.1:1024"]),
    ("mate", "192.168.1.3:5000", ["192.168.1.2:5000", "198.51.100.1:1", "10.9.9.9:9"]),
    ("server", "198.51.100.1:1", ["203.0.113.1:5000", "198.51.100.2:1", "192.168.1.2:5000"]),
    ("peer", "198.51.100.2:1", ["198.51.100.1:1", "198.51.100.1:2", "198.51.100.3:1"]),
];

fn shots() -> impl Strategy<Value = Vec<Shot>> {
    let shot = (0..200_000_u64, 0..SENDERS.len(), 0..3_usize, 0..1_472_usize).prop_map(|(at, sender, target, len)| {
        let (from, source, targets) = SENDERS[sender];
        Shot { at, from, source: endpoint(source), destination: endpoint(targets[target]), len }
    });
    prop::collection::vec(shot, 0..40).prop_map(|mut shots| {
        shots.sort_by_key(|shot| shot.at);
        shots
    })
}

/// The world of [`SENDERS`]: a home of two, a server that answers once, a peer.
fn build(fabric: &mut Fabric, access: &[LinkPlan]) {
    let mut plans = [
        behind_nat("alice", "192.168.1.2", NatPlan::PORT_RESTRICTED, "203.0.113.1"),
        behind_nat("mate", "192.168.1.3", NatPlan::PORT_RESTRICTED, "203.0.113.1"),
        node("server", "198.51.100.1", PERFECT, PERFECT),
        node("peer", "198.51.100.2", PERFECT, PERFECT),
    ];
    for (plan, access) in plans.iter_mut().zip(access.chunks(2)) {
        (plan.up, plan.down) = (access[0].clone(), access[1].clone());
    }
    // The home has a router and a hop behind it, when there are links for them; the peer is behind the hop too.
    if let Some([router_up, router_down, hop_up, hop_down]) = access.get(8..12) {
        let link = |name: &str, up: &LinkPlan, down: &LinkPlan| CoreLink {
            name: name.into(),
            up: up.clone(),
            down: down.clone(),
        };
        fabric.add_core_link(link("router", router_up, router_down)).unwrap();
        fabric.add_core_link(link("hop", hop_up, hop_down)).unwrap();
        for (plan, via) in plans.iter_mut().zip([&["router", "hop"][..], &["router", "hop"], &[], &["hop"]]) {
            plan.via = via.iter().map(|name| name.to_string()).collect();
        }
    }
    for plan in plans {
        fabric.add_node(plan).unwrap();
    }
}

fn answer(arrival: &Arrival) -> Option<kernel::Datagram> {
    let incoming = &arrival.datagram;
    (incoming.destination == endpoint("198.51.100.1:1"))
        .then(|| kernel::Datagram::new(incoming.destination, incoming.source, incoming.bytes.clone()))
}

/// Flight time against the sum of the legs, for every arrival.
fn flights_and_legs(log: &Log) -> Vec<(Micros, Micros)> {
    let mut sent: BTreeMap<PacketId, SimTime> = BTreeMap::new();
    let mut flights = Vec::new();
    for record in &log.records {
        match &record.event {
            Event::PacketSent(packet) => drop(sent.insert(packet.packet, record.at)),
            Event::PacketArrived(packet) => {
                let legs = packet.uplink_queue + packet.serialization + packet.propagation + packet.downlink_queue;
                flights.push((record.at - sent[&packet.packet], legs));
            }
            _ => {}
        }
    }
    flights
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn every_packet_and_copy_arrives_once_or_drops_with_a_reason(
        seed: u64, access in prop::collection::vec(links(), 12), shots in shots(), stop in 0..300_000_u64,
    ) {
        let ((midway, end), log) = simulate(seed, |fabric| {
            build(fabric, &access);
            let (early, late): (Vec<Shot>, Vec<Shot>) = shots.iter().cloned().partition(|shot| shot.at <= stop);
            for shot in &early {
                drive_until(fabric, SimTime(shot.at), &mut Vec::new(), answer);
                set_now(SimTime(shot.at));
                fabric.send(&shot.from.into(), kernel::Datagram::new(shot.source, shot.destination, vec![0; shot.len]));
            }
            let midway = fabric.counts();
            drive(fabric, &late, answer);
            (midway, fabric.counts())
        });
        prop_assert_eq!(midway.sent + midway.doubled, midway.arrived + midway.dropped + midway.in_flight);
        prop_assert_eq!((end.sent + end.doubled, end.in_flight), (end.arrived + end.dropped, 0));
        let mut fates: BTreeMap<PacketId, u32> = BTreeMap::new();
        let mut copies = 0;
        for record in &log.records {
            match &record.event {
                Event::PacketSent(packet) => prop_assert_eq!(fates.insert(packet.packet, 0), None),
                Event::PacketArrived(packet) if packet.duplicate => copies += 1,
                Event::PacketDropped(packet) if packet.duplicate => copies += 1,
                Event::PacketArrived(packet) => *fates.get_mut(&packet.packet).unwrap() += 1,
                Event::PacketDropped(packet) => *fates.get_mut(&packet.packet).unwrap() += 1,
                _ => {}
            }
        }
        prop_assert!(fates.values().all(|count| *count == 1));
        prop_assert_eq!((fates.len() as u64, copies), (end.sent, end.doubled));
    }

    #[test]
    fn legs_sum_to_the_flight_time(seed: u64, access in prop::collection::vec(links(), 12), shots in shots()) {
        let (_, log) = simulate(seed, |fabric| {
            build(fabric, &access);
            drive(fabric, &shots, answer);
        });
        for (flight, legs) in flights_and_legs(&log) {
            prop_assert_eq!(flight, legs);
        }
    }

    #[test]
    fn no_window_passes_more_than_the_rate_and_one_packet(
        link in links(),
        rate in rates(),
        shots in prop::collection::vec((0..50_000_u64, 0..1_472_usize), 1..40),
        changes in prop::collection::vec((0..50_000_u64, rates()), 0..4),
    ) {
        // Nothing happens after the wire: what arrives left it at that instant.
        let up = LinkPlan { rate: Some(rate), propagation: Micros::ZERO, jitter: PERFECT.jitter, ..in_order(link) };
        let (overhead, up) = (u64::from(up.overhead), LinkPlan { duplication_ppm: 0, ..up });
        let changes = changes.into_iter().map(|(at, rate)| (at, Some(rate), None)).collect();
        let (outs, changes) = one_way(1, up, shots, changes);
        for first in 0..outs.len() {
            let mut bits = 0;
            for (out, len) in &outs[first + 1..] {
                bits += (*len as u64 + HEADERS + overhead) * 8;
                // The first packet of a window may have begun before it; the clock rounds by less than a microsecond.
                let most = carried(rate, &changes, outs[first].0.0.saturating_sub(1), out.0).div_ceil(1_000_000) + 1_550 * 8;
                prop_assert!(u128::from(bits) <= most, "{bits} bits from {} to {out}, at most {most}", outs[first].0);
            }
        }
    }

    #[test]
    fn a_fifo_link_never_reorders(
        seed: u64,
        link in links(),
        shots in prop::collection::vec((0..50_000_u64, 0..1_472_usize), 1..40),
        changes in prop::collection::vec((0..50_000_u64, prop::option::of(rates()), prop::option::of(0..50_000_u64)), 0..6),
    ) {
        let mut shots = shots;
        // Lengths are unique, so that they tell the packets apart.
        shots.sort_unstable_by_key(|(_, len)| *len);
        shots.dedup_by_key(|(_, len)| *len);
        let (outs, _) = one_way(seed, in_order(link), shots.clone(), changes);
        shots.sort_by_key(|(at, _)| *at);
        let place = |len: usize| shots.iter().position(|(_, candidate)| *candidate == len).unwrap();
        prop_assert!(outs.is_sorted_by_key(|(_, len)| place(*len)));
        prop_assert!(outs.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn a_trace_bounds_every_window_too(
        opportunities in prop::collection::vec(1..60_u64, 1..30),
        origin in 0..100_000_u64,
        shots in prop::collection::vec((0..100_000_u64, 0..1_472_usize), 1..30),
    ) {
        let mut opportunities = opportunities;
        opportunities.sort_unstable();
        let text: String = opportunities.iter().map(|ms| format!("{ms}\n")).collect();
        let trace = RateTrace::parse("t", &text).unwrap();
        let up = LinkPlan { trace: Some("t".into()), ..PERFECT };
        let outs = simulate(1, |fabric| {
            fabric.add_trace(trace.clone(), SimTime(origin));
            send_one_way(fabric, up, shots, Vec::new())
        }).0.0;
        for first in 0..outs.len() {
            let mut bits = 0;
            for (out, len) in &outs[first + 1..] {
                bits += (*len as u64 + HEADERS) * 8;
                let most = trace.capacity(SimTime(origin), SimTime(outs[first].0.0.saturating_sub(1)), *out) + 1_500 * 8;
                prop_assert!(bits <= most, "{bits} bits from {} to {out}", outs[first].0);
            }
        }
    }

    #[test]
    fn other_links_do_not_change_the_luck_of_a_packet(
        seed: u64, access in prop::collection::vec(links(), 8), shots in shots(),
    ) {
        // The peer speaks to the server only; the home speaks within itself. They share no link.
        let mine = |shot: &Shot| shot.from == "peer";
        let others = |shot: &Shot| shot.from == "alice" && shot.destination == endpoint("192.168.1.3:5000");
        let fates = |shots: Vec<Shot>| {
            let (arrivals, _) = simulate(seed, |fabric| {
                build(fabric, &access);
                drive(fabric, &shots, |_| None)
            });
            let mine = arrivals.into_iter().filter(|(_, arrival)| arrival.to == "server");
            mine.map(|(at, arrival)| (at, arrival.datagram.bytes.len(), arrival.datagram.destination)).collect::<Vec<_>>()
        };
        let alone = fates(shots.iter().filter(|shot| mine(shot)).cloned().collect());
        let together = fates(shots.iter().filter(|shot| mine(shot) || others(shot)).cloned().collect());
        prop_assert_eq!(alone, together);
    }

    #[test]
    fn the_same_seed_gives_the_same_log(seed: u64, access in prop::collection::vec(links(), 8), shots in shots()) {
        let digest = || simulate(seed, |fabric| {
            build(fabric, &access);
            drive(fabric, &shots, answer);
        }).1.digest;
        prop_assert_eq!(digest(), digest());
    }
}

/// A change of the link under test: when, its rate, its propagation in microseconds.
type Change = (u64, Option<BitRate>, Option<u64>);

/// Millionths of bits at a rate that changes, between two instants.
fn carried(first: BitRate, changes: &[Change], from: u64, to: u64) -> u128 {
    let begins = std::iter::once((0, first)).chain(changes.iter().filter_map(|(at, rate, _)| Some((*at, (*rate)?))));
    let ends = changes.iter().filter(|(_, rate, _)| rate.is_some()).map(|(at, ..)| *at).chain([u64::MAX]);
    let spans = begins
        .zip(ends)
        .map(|((begin, rate), end)| u128::from(end.min(to).saturating_sub(begin.max(from))) * u128::from(rate.0));
    spans.sum()
}

/// What came out, when and of which length; and the changes that were made, in order of time.
type Outs = (Vec<(SimTime, usize)>, Vec<Change>);

/// Sends packets of these times and lengths over one link; when and in which order they come out.
fn one_way(seed: u64, up: LinkPlan, shots: Vec<(u64, usize)>, changes: Vec<Change>) -> Outs {
    simulate(seed, |fabric| send_one_way(fabric, up, shots, changes)).0
}

fn send_one_way(fabric: &mut Fabric, up: LinkPlan, mut shots: Vec<(u64, usize)>, mut changes: Vec<Change>) -> Outs {
    shots.sort_by_key(|(at, _)| *at);
    changes.sort_by_key(|(at, ..)| *at);
    changes.retain(|(at, ..)| shots.last().is_some_and(|(last, _)| at <= last));
    fabric.add_node(node("a", "198.51.100.1", up, PERFECT)).unwrap();
    fabric.add_node(node("b", "198.51.100.2", PERFECT, PERFECT)).unwrap();
    let (source, destination) = (endpoint("198.51.100.1:1"), endpoint("198.51.100.2:1"));
    let mut arrivals = Vec::new();
    let mut coming = changes.iter().peekable();
    for (at, len) in &shots {
        while let Some((when, rate, propagation)) = coming.next_if(|(when, ..)| when <= at) {
            drive_until(fabric, SimTime(*when), &mut arrivals, |_| None);
            set_now(SimTime(*when));
            let (rate, propagation) = (rate.map(Pace::Rate), propagation.map(Micros));
            let change = LinkChange { rate, propagation, ..LinkChange::default() };
            fabric.change_link(&"a/up".into(), &change).unwrap();
        }
        drive_until(fabric, SimTime(*at), &mut arrivals, |_| None);
        set_now(SimTime(*at));
        let mut datagram = kernel::Datagram::new(source, destination, vec![0; *len]);
        datagram.ecn = if len % 2 == 0 { Ecn::Ect0 } else { Ecn::NotEct };
        fabric.send(&"a".into(), datagram);
    }
    drive_until(fabric, SimTime::NEVER, &mut arrivals, |_| None);
    (arrivals.into_iter().map(|(at, arrival)| (at, arrival.datagram.bytes.len())).collect(), changes)
}

#[test]
fn v133_breaks_the_sum_of_the_legs_by_seven_milliseconds_a_link() {
    let shot = Shot {
        at: 0,
        from: "peer",
        source: endpoint("198.51.100.2:1"),
        destination: endpoint("198.51.100.1:2"),
        len: 100,
    };
    let (_, log) = simulate(1, |fabric| {
        plant(&[Mutant::V133]);
        build(fabric, &vec![PERFECT; 8]);
        drive(fabric, &[shot], |_| None);
    });
    assert_eq!(flights_and_legs(&log), [(Micros(14_000), Micros::ZERO)]);
}
