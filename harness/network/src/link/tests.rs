use super::*;
use kernel::{
    BitRate, Datagram, Mutant,
    mutant::plant,
    plan::{Aqm, Loss, Policer, RateTrace, Reordering},
};
use std::sync::Arc;

fn link(plan: LinkPlan) -> Link {
    Link::new("a/up".into(), plan, None, &SeedTree::root(1))
}

/// 8 Mbit/s: a byte a microsecond.
fn at_8_mbps() -> LinkPlan {
    LinkPlan { rate: Some(BitRate::from_mbps(8)), ..LinkPlan::IDEAL }
}

/// A packet that is `len` bytes long on the wire without overhead, which its payload says.
fn flight(len: u64) -> Flight {
    let datagram =
        Datagram::new(([198, 51, 100, 1], 1).into(), ([198, 51, 100, 2], 1).into(), vec![0; len as usize - 28]);
    Flight::new(datagram, 0)
}

/// What became of a packet: when it leaves and its legs, or why it dropped.
type Told = Result<(u64, [u64; 3]), DropReason>;

fn told(fate: &Fate) -> Told {
    match fate {
        Fate::Leaves(at, flight) | Fate::Doubles(at, flight) => {
            let legs = &flight.legs;
            Ok((at.0, [legs.uplink_queue.0, legs.serialization.0, legs.propagation.0]))
        }
        Fate::Drops(_, reason) => Err(*reason),
    }
}

/// Sends packets of these times and lengths, in order, and lets the link work until it is idle.
fn play(link: &mut Link, packets: &[(u64, u64)]) -> Vec<Told> {
    let mut fates = Vec::new();
    for (at, len) in packets {
        run_until(link, *at, &mut fates);
        link.enter(SimTime(*at), flight(*len), &mut fates);
    }
    run_until(link, u64::MAX, &mut fates);
    fates.iter().map(told).collect()
}

fn run_until(link: &mut Link, limit: u64, fates: &mut Vec<Fate>) {
    while let Some(at) = link.wire.as_ref().map(|wire| wire.done.at).filter(|at| at.0 <= limit) {
        link.advance(at, fates);
    }
}

fn exits(told: &[Told]) -> Vec<u64> {
    told.iter().filter_map(|told| told.ok().map(|(at, _)| at)).collect()
}

#[test]
fn an_unlimited_link_without_propagation_adds_nothing() {
    let packets = [0, 0, 17, 17, 1_000_000].map(|at| (at, 65_535));
    assert_eq!(play(&mut link(LinkPlan::IDEAL), &packets), packets.map(|(at, _)| Ok((at, [0, 0, 0]))));
}

#[test]
fn the_remainder_of_a_microsecond_is_carried_and_an_idle_wire_forgets_it() {
    let mut link = link(LinkPlan { rate: Some(BitRate::from_mbps(3)), ..LinkPlan::IDEAL });
    // 1000 bytes at 3 Mbit/s are 2666 2/3 us: three of them are 8000 us, and not 8001.
    assert_eq!(exits(&play(&mut link, &[(0, 1_000); 6])), [2_667, 5_334, 8_000, 10_667, 13_334, 16_000]);
    // The wire is free in the middle of 20,667; who comes then starts a fresh count.
    let later = [(18_000, 1_000), (20_667, 1_000), (23_334, 1_000)];
    assert_eq!(exits(&play(&mut link, &later)), [20_667, 23_334, 26_001]);
}

#[test]
fn packets_of_less_than_a_microsecond_share_one() {
    let mut link = link(LinkPlan { rate: Some(BitRate(1_000_000_000_000)), ..LinkPlan::IDEAL });
    // 125,000 bytes a microsecond: 83 1/3 packets.
    let outs = exits(&play(&mut link, &[(0, 1_500); 250]));
    assert_eq!([1, 2, 3].map(|at| outs.iter().filter(|out| **out == at).count()), [83, 83, 84]);
}

#[test]
fn overhead_is_clocked_out_too() {
    let told = play(&mut link(LinkPlan { overhead: 38, ..at_8_mbps() }), &[(5, 1_000), (5_000, 28)]);
    assert_eq!(told, [Ok((1_043, [0, 1_038, 0])), Ok((5_066, [0, 66, 0]))]);
}

#[test]
fn the_packet_on_the_wire_is_not_in_the_queue() {
    let mut link = link(LinkPlan { queue_bytes: 1_000, ..at_8_mbps() });
    let packets = [(0, 1_000), (0, 1_000), (0, 1_000), (1_000, 1_000), (1_999, 28), (2_000, 1_000)];
    let full = Err(DropReason::QueueFull);
    let queue = |at, waited| Ok((at, [waited, 1_000, 0]));
    let expected = [full, queue(1_000, 0), full, queue(2_000, 1_000), queue(3_000, 1_000), queue(4_000, 1_000)];
    assert_eq!(play(&mut link, &packets), expected);
}

#[test]
fn a_queue_of_packets_counts_packets() {
    let mut link = link(LinkPlan { queue_packets: 2, ..at_8_mbps() });
    let told = play(&mut link, &[(0, 1_000), (0, 28), (0, 28), (0, 28)]);
    assert_eq!(told[0], Err(DropReason::QueueFull));
    assert_eq!(exits(&told), [1_000, 1_028, 1_056]);
}

#[test]
fn another_rate_moves_what_waits_and_the_rest_of_what_is_on_the_wire() {
    let mut link = link(at_8_mbps());
    let mut fates = Vec::new();
    for _ in 0..3 {
        link.enter(SimTime(0), flight(1_000), &mut fates);
    }
    // Half of the first packet is out; the other half and the next take four times as long, the last one nothing.
    link.change(SimTime(500), LinkPlan { rate: Some(BitRate::from_mbps(2)), ..at_8_mbps() }, None, &mut fates);
    run_until(&mut link, 6_500, &mut fates);
    link.change(SimTime(6_500), LinkPlan::IDEAL, None, &mut fates);
    let told: Vec<Told> = fates.iter().map(told).collect();
    assert_eq!(told, [Ok((2_500, [0, 2_500, 0])), Ok((6_500, [2_500, 4_000, 0])), Ok((6_500, [6_500, 0, 0]))]);
}

#[test]
fn a_trace_says_when_packets_leave() {
    let trace = Arc::new(RateTrace::parse("t", "2\n3\n3\n10\n").unwrap());
    let recording = Recording { trace, origin: SimTime(0) };
    let plan = LinkPlan { trace: Some("t".into()), ..LinkPlan::IDEAL };
    let mut link = Link::new("a/up".into(), plan, Some(&recording), &SeedTree::root(1));
    let packets = [(0, 500), (0, 500), (0, 501), (0, 1_500), (5_000, 28)];
    // Two fit the first opportunity and one byte of the third needs the second; the next takes it up.
    assert_eq!(exits(&play(&mut link, &packets)), [2_000, 2_000, 3_000, 3_000, 10_000]);
}

#[test]
fn a_lost_packet_has_used_its_time_on_the_wire() {
    let mut link = link(LinkPlan { loss: Loss::Bernoulli { ppm: 1_000_000 }, ..at_8_mbps() });
    let mut fates = Vec::new();
    link.enter(SimTime(0), flight(1_000), &mut fates);
    link.enter(SimTime(0), flight(1_000), &mut fates);
    link.change(SimTime(0), at_8_mbps(), None, &mut fates);
    link.enter(SimTime(0), flight(1_000), &mut fates);
    run_until(&mut link, 999, &mut fates);
    assert!(fates.is_empty());
    run_until(&mut link, 3_000, &mut fates);
    let told: Vec<Told> = fates.iter().map(told).collect();
    assert_eq!(told, [Err(DropReason::Loss), Err(DropReason::Loss), Ok((3_000, [2_000, 1_000, 0]))]);
}

#[test]
fn exactly_the_listed_packets_are_lost() {
    let told = play(&mut link(LinkPlan { lost_packets: vec![1, 3], ..LinkPlan::IDEAL }), &[(0, 28); 5]);
    assert_eq!(told.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false, true]);
}

#[test]
fn what_is_too_big_or_finds_no_token_drops_at_once() {
    let policer = Policer::TokenBucket { rate: BitRate::from_mbps(8), burst: 2_000 };
    let told = play(
        &mut link(LinkPlan { mtu: 1_200, policer, ..LinkPlan::IDEAL }),
        &[(0, 1_200), (0, 1_201), (0, 1_000), (200, 1_000)],
    );
    let nothing = [0, 0, 0];
    assert_eq!(told, [Ok((0, nothing)), Err(DropReason::TooBig), Err(DropReason::Policed), Ok((200, nothing))]);
}

#[test]
fn a_shorter_propagation_does_not_reorder_what_is_under_way() {
    let mut link = link(LinkPlan { propagation: Micros(10_000), ..LinkPlan::IDEAL });
    let mut fates = Vec::new();
    link.enter(SimTime(0), flight(28), &mut fates);
    link.change(SimTime(0), LinkPlan { propagation: Micros(1_000), ..LinkPlan::IDEAL }, None, &mut fates);
    link.enter(SimTime(1), flight(28), &mut fates);
    link.enter(SimTime(10_000), flight(28), &mut fates);
    let told: Vec<Told> = fates.iter().map(told).collect();
    assert_eq!(told, [Ok((10_000, [0, 0, 10_000])), Ok((10_000, [0, 0, 9_999])), Ok((11_000, [0, 0, 1_000]))]);
}

#[test]
fn jitter_reorders_only_where_it_may() {
    let (span, reorders) = (Micros(2_000), true);
    for (may_reorder, jitter) in [
        (false, Jitter::Uniform { max: span, reorders: false }),
        (true, Jitter::Uniform { max: span, reorders }),
        (false, Jitter::Normal { deviation: span, reorders: false }),
        (true, Jitter::Normal { deviation: span, reorders }),
        (false, Jitter::Pareto { mean: span, reorders: false }),
        (true, Jitter::Pareto { mean: span, reorders }),
        (false, Jitter::Correlated { max: span, correlation_ppm: 500_000, reorders: false }),
        (true, Jitter::Correlated { max: span, correlation_ppm: 500_000, reorders }),
        (false, Jitter::Spaced { deviation: span }),
    ] {
        let packets: Vec<_> = (0..200).map(|n| (n * 100, 28)).collect();
        let exits = exits(&play(&mut link(LinkPlan { jitter, ..LinkPlan::IDEAL }), &packets));
        assert_eq!(!exits.is_sorted(), may_reorder, "{jitter:?}");
    }
}

#[test]
fn spaced_jitter_keeps_a_serialization_between_packets() {
    let plan = LinkPlan { jitter: Jitter::Spaced { deviation: Micros(5_000) }, ..at_8_mbps() };
    let packets: Vec<_> = (0..1_000).map(|n| (n * 2_000, 1_000)).collect();
    let exits = exits(&play(&mut link(plan), &packets));
    assert!(exits.windows(2).all(|pair| pair[1] - pair[0] >= 1_000));
    assert!(exits.windows(2).any(|pair| pair[1] - pair[0] == 1_000), "some were pushed together");
}

#[test]
fn a_held_packet_is_overtaken_and_holds_up_nobody() {
    let reordering = Reordering { ppm: 1_000_000, hold: Micros(5_000) };
    let mut link = link(LinkPlan { reordering, ..LinkPlan::IDEAL });
    let mut fates = Vec::new();
    link.enter(SimTime(0), flight(28), &mut fates);
    link.change(SimTime(0), LinkPlan::IDEAL, None, &mut fates);
    link.enter(SimTime(10), flight(28), &mut fates);
    assert_eq!(exits(&fates.iter().map(told).collect::<Vec<_>>()), [5_000, 10]);
}

#[test]
fn a_copy_follows_its_packet_at_once() {
    let mut link = link(LinkPlan { duplication_ppm: 1_000_000, propagation: Micros(7), ..at_8_mbps() });
    let mut fates = Vec::new();
    link.enter(SimTime(0), flight(1_000), &mut fates);
    run_until(&mut link, 1_000, &mut fates);
    let [Fate::Leaves(first, original), Fate::Doubles(second, copy)] = &fates[..] else { panic!("not two") };
    assert_eq!((first, second), (&SimTime(1_007), &SimTime(1_007)));
    assert_eq!((original.is_copy, copy.is_copy, &original.datagram), (false, true, &copy.datagram));
}

#[test]
fn damage_shows_in_the_bytes() {
    let damaged = |plan| {
        let mut fates = Vec::new();
        link(plan).enter(SimTime(0), flight(128), &mut fates);
        let Some(Fate::Leaves(_, flight)) = fates.pop() else { panic!("dropped") };
        flight.datagram.bytes
    };
    let flipped = damaged(LinkPlan { corruption_ppm: 1_000_000, ..LinkPlan::IDEAL });
    assert_eq!((flipped.len(), flipped.iter().map(|byte| byte.count_ones()).sum::<u32>()), (100, 1));
    assert!(damaged(LinkPlan { truncation_ppm: 1_000_000, ..LinkPlan::IDEAL }).len() < 100);
}

#[test]
fn bleaching_clears_the_ecn_field_and_codel_marks_it() {
    let ecn_after = |plan: LinkPlan| {
        let (mut link, mut fates) = (link(plan), Vec::new());
        for n in 0..400 {
            let mut flight = flight(1_000);
            flight.datagram.ecn = Ecn::Ect0;
            run_until(&mut link, n * 800, &mut fates);
            link.enter(SimTime(n * 800), flight, &mut fates);
        }
        run_until(&mut link, u64::MAX, &mut fates);
        let ecn = |fate: &Fate| match fate {
            Fate::Leaves(_, flight) => flight.datagram.ecn,
            _ => panic!("dropped"),
        };
        fates.iter().map(ecn).collect::<Vec<_>>()
    };
    let codel = Aqm::Codel { target: Micros(5_000), interval: Micros(100_000), ecn: true };
    let marked = ecn_after(LinkPlan { aqm: codel, ..at_8_mbps() });
    assert!(marked.contains(&Ecn::Ce) && marked.contains(&Ecn::Ect0));
    let bleached = ecn_after(LinkPlan { aqm: codel, bleaches_ecn: true, ..at_8_mbps() });
    assert!(bleached.iter().all(|ecn| *ecn == Ecn::NotEct));
}

#[test]
fn another_management_keeps_what_waits_in_order() {
    let mut link = link(at_8_mbps());
    let mut fates = Vec::new();
    for len in 100..110 {
        link.enter(SimTime(0), flight(len), &mut fates);
    }
    for (at, aqm) in [(50, Aqm::FQ_CODEL), (60, Aqm::CODEL), (70, Aqm::DropTail)] {
        link.change(SimTime(at), LinkPlan { aqm, ..at_8_mbps() }, None, &mut fates);
    }
    run_until(&mut link, u64::MAX, &mut fates);
    let lengths: Vec<u64> = fates
        .iter()
        .map(|fate| match fate {
            Fate::Leaves(_, flight) => flight.datagram.ip_bytes(),
            _ => 0,
        })
        .collect();
    assert_eq!(lengths, (100..110).collect::<Vec<_>>());
}

#[test]
fn a_full_queue_does_not_shift_the_luck_of_later_packets() {
    let jitter = Jitter::Uniform { max: Micros(1_000), reorders: true };
    let narrow = LinkPlan { rate: Some(BitRate::from_kbps(80)), queue_bytes: 0, jitter, ..LinkPlan::IDEAL };
    let wide = LinkPlan { jitter, ..LinkPlan::IDEAL };
    let packets = [(0, 1_000), (1, 1_000), (1_000_000, 1_000)];
    let [narrow, wide] = [narrow, wide].map(|plan| play(&mut link(plan), &packets));
    assert_eq!(narrow[0], Err(DropReason::QueueFull));
    let propagation = |told: &Told| told.map(|(_, legs)| legs[2]);
    assert_eq!(propagation(&narrow[2]), propagation(&wide[2]));
}

#[test]
fn each_link_has_luck_of_its_own() {
    let plan = LinkPlan { loss: Loss::Bernoulli { ppm: 500_000 }, ..LinkPlan::IDEAL };
    let fates = |name: &str| {
        let mut link = Link::new(name.into(), plan.clone(), None, &SeedTree::root(1));
        play(&mut link, &[(0, 28); 64])
    };
    assert_eq!(fates("a/up"), fates("a/up"));
    assert_ne!(fates("a/up"), fates("a/down"));
    assert_ne!(fates("a/up"), fates("b/up"));
}

#[test]
fn v133_adds_seven_milliseconds_that_no_leg_reports() {
    plant(&[Mutant::V133]);
    let told = play(&mut link(LinkPlan::IDEAL), &[(0, 28)]);
    plant(&[]);
    assert_eq!(told, [Ok((7_000, [0, 0, 0]))]);
}
