//! Links between points of the core: shared queues, chains, and what they tell.

use crate::driver::{PERFECT, Shot, behind_nat, drive, drops, endpoint, node, simulate};
use kernel::{
    BitRate, Event, Log, Micros, SimTime,
    event::{DropReason, LinkSampled},
    plan::{CoreLink, LinkChange, LinkPlan, NatPlan, Pace, RateTrace},
};
use network::{Fabric, NodePlan};

/// 8 Mbit/s, a byte a microsecond.
fn bottleneck() -> LinkPlan {
    LinkPlan { rate: Some(BitRate::from_mbps(8)), queue_bytes: 3_000, ..PERFECT }
}

fn core_link(name: &str, up: LinkPlan, down: LinkPlan) -> CoreLink {
    CoreLink { name: name.into(), up, down }
}

fn over(plan: NodePlan, via: &[&str]) -> NodePlan {
    NodePlan { via: via.iter().map(|name| name.to_string()).collect(), ..plan }
}

/// 1000 bytes with headers.
fn shot(at: u64, from: &'static str, source: &str, destination: &str) -> Shot {
    Shot { at, from, source: endpoint(source), destination: endpoint(destination), len: 972 }
}

fn samples(log: &Log) -> Vec<(SimTime, LinkSampled)> {
    let sampled = |event: &Event| match event {
        Event::LinkSampled(sample) => Some(sample.clone()),
        _ => None,
    };
    log.records.iter().filter_map(|record| Some((record.at, sampled(&record.event)?))).collect()
}

const A: &str = "198.51.100.1:1";
const B: &str = "198.51.100.2:1";
const C: &str = "198.51.100.3:1";

/// `a` and `b` share a bottleneck, `c` is beyond it.
fn shared(fabric: &mut Fabric) {
    fabric.add_core_link(core_link("bottleneck", bottleneck(), PERFECT)).unwrap();
    fabric.add_node(over(node("a", "198.51.100.1", PERFECT, PERFECT), &["bottleneck"])).unwrap();
    fabric.add_node(over(node("b", "198.51.100.2", PERFECT, PERFECT), &["bottleneck"])).unwrap();
    fabric.add_node(node("c", "198.51.100.3", PERFECT, PERFECT)).unwrap();
}

#[test]
fn two_senders_wait_in_one_queue() {
    let (arrivals, log) = simulate(1, |fabric| {
        shared(fabric);
        let shots =
            [shot(0, "a", A, C), shot(0, "b", B, C), shot(1, "a", A, C), shot(2, "b", B, C), shot(3, "a", A, C)];
        drive(fabric, &shots, |_| None)
    });
    let came: Vec<_> = arrivals.iter().map(|(at, arrival)| (at.0, arrival.datagram.source == endpoint(A))).collect();
    assert_eq!(came, [(1_000, true), (2_000, false), (3_000, true), (4_000, false)]);
    let dropped: Vec<_> = drops(&log).into_iter().map(|(_, place, reason)| (place, reason)).collect();
    assert_eq!(dropped, [("bottleneck/up".into(), DropReason::QueueFull)]);
}

#[test]
fn the_way_back_goes_over_the_other_direction() {
    let (arrivals, _) = simulate(1, |fabric| {
        shared(fabric);
        let slow = LinkChange { propagation: Some(Micros(77)), ..LinkChange::default() };
        fabric.change_link(&"bottleneck/down".into(), &slow).unwrap();
        drive(fabric, &[shot(0, "c", C, A), shot(0, "c", C, "198.51.100.3:2")], |_| None)
    });
    assert_eq!(arrivals.iter().map(|(at, _)| at.0).collect::<Vec<_>>(), [0, 77]);
}

#[test]
fn a_chain_of_three_is_passed_in_order_and_every_leg_counts() {
    let (arrivals, log) = simulate(1, |fabric| {
        for (name, kbps, ms) in [("ab", 1_000, 100), ("bc", 4_000, 40), ("cd", 750, 40)] {
            let up = LinkPlan { rate: Some(BitRate::from_kbps(kbps)), propagation: Micros::from_millis(ms), ..PERFECT };
            fabric.add_core_link(core_link(name, up, PERFECT)).unwrap();
        }
        fabric.add_node(over(node("a", "198.51.100.1", PERFECT, PERFECT), &["ab", "bc", "cd"])).unwrap();
        fabric.add_node(over(node("b", "198.51.100.2", PERFECT, PERFECT), &["cd"])).unwrap();
        fabric.add_node(node("c", "198.51.100.3", PERFECT, PERFECT)).unwrap();
        // b's packet is on the wire of c-d when a's comes, which has 2.667 ms of it to wait.
        drive(fabric, &[shot(0, "a", A, C), shot(142_000, "b", B, C)], |_| None)
    });
    // a: 8 + 100 + 2 + 40 ms to c-d at 150 ms; b's packet leaves that at 152.667 ms, then 10.667 ms each.
    let came: Vec<u64> = arrivals.iter().map(|(at, _)| at.0).collect();
    assert_eq!(came, [142_000 + 10_667 + 40_000, 152_667 + 10_667 + 40_000]);
    let Some(Event::PacketArrived(last)) =
        log.records.iter().rev().map(|record| &record.event).find(|event| matches!(event, Event::PacketArrived(_)))
    else {
        panic!("nothing arrived")
    };
    let legs = [last.uplink_queue, last.serialization, last.propagation, last.downlink_queue].map(|leg| leg.0);
    assert_eq!(legs, [0, 8_000 + 2_000 + 10_667, 180_000, 2_667]);
}

#[test]
fn a_home_shares_its_router_behind_its_nat() {
    let (arrivals, log) = simulate(1, |fabric| {
        fabric.add_core_link(core_link("router", bottleneck(), bottleneck())).unwrap();
        for (name, address) in [("a", "192.168.1.2"), ("b", "192.168.1.3")] {
            let plan = behind_nat(name, address, NatPlan::PORT_RESTRICTED, "203.0.113.1");
            fabric.add_node(over(plan, &["router"])).unwrap();
        }
        fabric.add_node(node("c", "198.51.100.3", PERFECT, PERFECT)).unwrap();
        let shots = [
            shot(0, "a", "192.168.1.2:1", C),
            shot(0, "b", "192.168.1.3:1", C),
            shot(9_000, "a", "192.168.1.2:1", "192.168.1.3:1"),
        ];
        drive(fabric, &shots, |arrival| {
            let incoming = &arrival.datagram;
            let answers = arrival.to == *"c";
            answers.then(|| kernel::Datagram::new(incoming.destination, incoming.source, vec![0; 972]))
        })
    });
    let came: Vec<_> = arrivals.iter().map(|(at, arrival)| (at.0, arrival.to.as_str())).collect();
    let expected = [(1_000, "c"), (2_000, "c"), (2_000, "a"), (3_000, "b"), (9_000, "b")];
    assert_eq!(came, expected, "the way within the home is not over the router");
    assert_eq!(drops(&log), []);
}

#[test]
fn a_core_link_tells_what_it_did_every_200_ms() {
    let ((), log) = simulate(1, |fabric| {
        shared(fabric);
        let shots: Vec<Shot> = (0..5).map(|_| shot(199_500, "a", A, C)).collect();
        drive(fabric, &shots, |_| None);
        drive(fabric, &[shot(1_000_000, "a", A, C)], |_| None);
    });
    let told: Vec<_> = samples(&log)
        .into_iter()
        .map(|(at, sample)| {
            assert_eq!((sample.link.as_str(), sample.span), ("bottleneck/up", Micros::from_millis(200)));
            let waits = (sample.waited.0, sample.longest_wait.0, sample.most_queued);
            (at.0, [sample.packets, sample.bytes, sample.dropped], waits)
        })
        .collect();
    // One on the wire, three wait, one finds no room. At 200 ms nothing has left; then three waits of 1, 2 and 3 ms.
    let expected = [
        (200_000, [0, 0, 1], (0, 0, 3_000)),
        (400_000, [4, 4_000, 0], (6_000, 3_000, 3_000)),
        (1_200_000, [1, 1_000, 0], (0, 0, 0)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_mss_is_what_the_narrowest_link_of_the_access_leaves() {
    let ((), _) = simulate(1, |fabric| {
        let pppoe = LinkPlan { mtu: 1_492, overhead: 8, ..PERFECT };
        fabric.add_core_link(core_link("dsl", pppoe.clone(), LinkPlan { mtu: 1_400, ..PERFECT })).unwrap();
        fabric.add_node(over(node("a", "198.51.100.1", pppoe, PERFECT), &["dsl"])).unwrap();
        fabric.add_node(node("c", "198.51.100.3", PERFECT, PERFECT)).unwrap();
        assert_eq!(fabric.access_mtu(&"a".into()), 1_400);
        assert_eq!(fabric.mss(&"a".into(), "198.51.100.3".parse().unwrap()), 1_360);
        assert_eq!(fabric.mss(&"a".into(), "2001:db8::1".parse().unwrap()), 1_340);
        assert_eq!(fabric.access_mtu(&"c".into()), LinkPlan::NO_MTU);
    });
}

#[test]
fn a_link_follows_a_trace_and_leaves_it_for_a_rate() {
    let (arrivals, _) = simulate(1, |fabric| {
        shared(fabric);
        fabric.add_trace(RateTrace::parse("slow", "10\n").unwrap(), SimTime(3_000));
        let change = |rate| LinkChange { rate: Some(rate), ..LinkChange::default() };
        fabric.change_link(&"bottleneck/up".into(), &change(Pace::Trace("slow".into()))).unwrap();
        let mut arrivals = drive(fabric, &[shot(0, "a", A, C), shot(0, "a", A, C)], |_| None);
        fabric.change_link(&"bottleneck/up".into(), &change(Pace::Rate(BitRate::from_mbps(8)))).unwrap();
        arrivals.extend(drive(fabric, &[shot(250_000, "a", A, C)], |_| None));
        arrivals
    });
    // An opportunity every 10 ms from 3 ms on: 1500 bytes carry one packet and half of the next.
    assert_eq!(arrivals.iter().map(|(at, _)| at.0).collect::<Vec<_>>(), [3_000, 13_000, 251_000]);
}
