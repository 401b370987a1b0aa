//! The laws that hold for every network and every traffic.

use crate::driver::{PERFECT, Shot, behind_nat, drive, drive_until, endpoint, node, simulate};
use kernel::{
    Event, Log, Mutant, PacketId,
    mutant::plant,
    plan::{Jitter, LinkPlan, Loss, NatPlan},
    time::{BitRate, Micros, SimTime, set_now},
};
use network::{Arrival, Fabric, OVERHEAD_BYTES};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn jitters() -> impl Strategy<Value = Jitter> {
    let spans = (0..20_000_u64, any::<bool>());
    prop_oneof![
        Just(Jitter::None),
        spans.clone().prop_map(|(max, reorders)| Jitter::Uniform { max: Micros(max), reorders }),
        spans.prop_map(|(deviation, reorders)| Jitter::Normal { deviation: Micros(deviation), reorders }),
    ]
}

fn losses() -> impl Strategy<Value = Loss> {
    let ppm = || 0..=1_000_000_u32;
    prop_oneof![
        Just(Loss::None),
        ppm().prop_map(|ppm| Loss::Bernoulli { ppm: ppm / 4 }),
        (ppm(), ppm(), ppm(), ppm()).prop_map(|(p_ppm, r_ppm, good_loss_ppm, bad_loss_ppm)| Loss::GilbertElliott {
            p_ppm,
            r_ppm,
            good_loss_ppm: good_loss_ppm / 10,
            bad_loss_ppm,
        }),
    ]
}

fn rates() -> impl Strategy<Value = BitRate> {
    // Rates that divide no microsecond, and the extremes.
    prop_oneof![1_000..2_000_000_u64, Just(1_000_000_000_000), Just(333_333_333)].prop_map(BitRate)
}

fn links() -> impl Strategy<Value = LinkPlan> {
    let propagation = prop_oneof![Just(0), 1..50_000_u64].prop_map(Micros);
    (prop::option::of(rates()), 0..20_000_u64, propagation, jitters(), losses()).prop_map(
        |(rate, queue_bytes, propagation, jitter, loss)| LinkPlan { rate, queue_bytes, propagation, jitter, loss },
    )
}

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
    prop::collection::vec(shot, 0..120).prop_map(|mut shots| {
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
    #[test]
    fn every_packet_arrives_once_or_drops_with_a_reason(
        seed: u64, access in prop::collection::vec(links(), 8), shots in shots(), stop in 0..300_000_u64,
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
        prop_assert_eq!(midway.sent, midway.arrived + midway.dropped + midway.in_flight);
        prop_assert_eq!((end.sent, end.in_flight), (end.arrived + end.dropped, 0));
        let mut fates: BTreeMap<PacketId, u32> = BTreeMap::new();
        for record in &log.records {
            match &record.event {
                Event::PacketSent(packet) => prop_assert_eq!(fates.insert(packet.packet, 0), None),
                Event::PacketArrived(packet) => *fates.get_mut(&packet.packet).unwrap() += 1,
                Event::PacketDropped(packet) => *fates.get_mut(&packet.packet).unwrap() += 1,
                _ => {}
            }
        }
        prop_assert!(fates.values().all(|count| *count == 1));
        prop_assert_eq!(fates.len() as u64, end.sent);
    }

    #[test]
    fn legs_sum_to_the_flight_time(seed: u64, access in prop::collection::vec(links(), 8), shots in shots()) {
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
        rate in rates(), queue_bytes in 0..40_000_u64, shots in prop::collection::vec((0..50_000_u64, 0..1_472_usize), 1..60),
    ) {
        let mut shots = shots;
        shots.sort_unstable();
        let up = LinkPlan { rate: Some(rate), queue_bytes, ..PERFECT };
        let outs = one_way(1, up, &shots, &[]);
        for first in 0..outs.len() {
            let mut bits = 0;
            for (out, len) in &outs[first + 1..] {
                bits += (*len as u64 + OVERHEAD_BYTES) * 8;
                let window = out.since(outs[first].0).0;
                // The first packet of a window may have begun before it; the clock rounds by less than a microsecond.
                let most = (u128::from(rate.0) * u128::from(window + 1)).div_ceil(1_000_000) + 1_500 * 8;
                prop_assert!(u128::from(bits) <= most, "{bits} bits in {window} us at {rate:?}");
            }
        }
    }

    #[test]
    fn a_fifo_link_never_reorders(
        seed: u64,
        link in links(),
        shots in prop::collection::vec((0..50_000_u64, 0..1_472_usize), 1..60),
        changes in prop::collection::vec((0..50_000_u64, prop::option::of(rates()), prop::option::of(0..50_000_u64)), 0..6),
    ) {
        let (mut shots, mut changes) = (shots, changes);
        shots.sort_by_key(|(at, _)| *at);
        changes.sort_by_key(|(at, ..)| *at);
        let jitter = match link.jitter {
            Jitter::None => Jitter::None,
            Jitter::Uniform { max, .. } => Jitter::Uniform { max, reorders: false },
            Jitter::Normal { deviation, .. } => Jitter::Normal { deviation, reorders: false },
        };
        let outs = one_way(seed, LinkPlan { jitter, ..link }, &shots, &changes);
        // Lengths are told apart by the order of sending: what arrives is a subsequence of what was sent.
        let mut sent = shots.iter().map(|(_, len)| *len);
        prop_assert!(outs.iter().all(|(_, len)| sent.any(|candidate| candidate == *len)));
        prop_assert!(outs.is_sorted_by_key(|(at, _)| *at));
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

/// Sends packets of these times and lengths over one link; when and in which order they come out.
fn one_way(seed: u64, up: LinkPlan, shots: &[(u64, usize)], changes: &[Change]) -> Vec<(SimTime, usize)> {
    let (arrivals, _) = simulate(seed, |fabric| {
        fabric.add_node(node("a", "198.51.100.1", up, PERFECT)).unwrap();
        fabric.add_node(node("b", "198.51.100.2", PERFECT, PERFECT)).unwrap();
        let (source, destination) = (endpoint("198.51.100.1:1"), endpoint("198.51.100.2:1"));
        let mut arrivals = Vec::new();
        let mut changes = changes.iter().peekable();
        for (at, len) in shots {
            while let Some((when, rate, propagation)) = changes.next_if(|(when, ..)| when <= at) {
                drive_until(fabric, SimTime(*when), &mut arrivals, |_| None);
                set_now(SimTime(*when));
                fabric.change_link(&"a/up".into(), *rate, propagation.map(Micros), None).unwrap();
            }
            drive_until(fabric, SimTime(*at), &mut arrivals, |_| None);
            set_now(SimTime(*at));
            fabric.send(&"a".into(), kernel::Datagram::new(source, destination, vec![0; *len]));
        }
        drive_until(fabric, SimTime::NEVER, &mut arrivals, |_| None);
        arrivals
    });
    arrivals.into_iter().map(|(at, arrival)| (at, arrival.datagram.bytes.len())).collect()
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
