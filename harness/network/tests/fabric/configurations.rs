//! Random links: every element, its extremes, and what divides no microsecond.

use kernel::{
    plan::{Aqm, Jitter, LinkPlan, Loss, Policer, Reordering},
    time::{BitRate, Micros},
};
use proptest::{collection::vec, option, prelude::*};

fn jitters() -> impl Strategy<Value = Jitter> {
    let spans = || (0..20_000_u64, any::<bool>());
    prop_oneof![
        Just(Jitter::None),
        spans().prop_map(|(max, reorders)| Jitter::Uniform { max: Micros(max), reorders }),
        spans().prop_map(|(deviation, reorders)| Jitter::Normal { deviation: Micros(deviation), reorders }),
        spans().prop_map(|(mean, reorders)| Jitter::Pareto { mean: Micros(mean), reorders }),
        (spans(), ppm()).prop_map(|((max, reorders), correlation_ppm)| {
            Jitter::Correlated { max: Micros(max), correlation_ppm, reorders }
        }),
        (0..20_000_u64).prop_map(|deviation| Jitter::Spaced { deviation: Micros(deviation) }),
    ]
}

fn ppm() -> impl Strategy<Value = u32> {
    0..=1_000_000_u32
}

/// Mostly nothing, now and then often.
fn chances() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => 0..=500_000_u32]
}

fn losses() -> impl Strategy<Value = Loss> {
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

/// Rates that divide no microsecond, and the extremes.
pub(crate) fn rates() -> impl Strategy<Value = BitRate> {
    prop_oneof![1_000..2_000_000_u64, Just(1_000_000_000_000), Just(333_333_333)].prop_map(BitRate)
}

fn aqms() -> impl Strategy<Value = Aqm> {
    let spans = || (0..20_000_u64, 1..200_000_u64, any::<bool>());
    prop_oneof![
        3 => Just(Aqm::DropTail),
        1 => spans().prop_map(|(target, interval, ecn)| {
            Aqm::Codel { target: Micros(target), interval: Micros(interval), ecn }
        }),
        1 => (spans(), 1..64_u32, 1..3_000_u32).prop_map(|((target, interval, ecn), flows, quantum)| {
            Aqm::FqCodel { target: Micros(target), interval: Micros(interval), flows, quantum, ecn }
        }),
        1 => (1..5_000_u64, 1..5_000_u64, ppm(), 0..10_u32, any::<bool>()).prop_map(
            |(min, more, probability_ppm, weight_shift, ecn)| {
                Aqm::Red { min, max: min + more, probability_ppm, weight_shift, ecn }
            },
        ),
    ]
}

fn policers() -> impl Strategy<Value = Policer> {
    let bucket = (rates(), 1..20_000_u64).prop_map(|(rate, burst)| Policer::TokenBucket { rate, burst });
    prop_oneof![3 => Just(Policer::None), 1 => bucket]
}

/// What happens to the packets of a link one by one: reordering, second copies, flipped bits, lost ends.
fn accidents() -> impl Strategy<Value = (Reordering, [u32; 3])> {
    let reordering = (chances(), 0..20_000_u64).prop_map(|(ppm, hold)| Reordering { ppm, hold: Micros(hold) });
    (reordering, [chances(), chances(), chances()])
}

/// Any link.
pub(crate) fn links() -> impl Strategy<Value = LinkPlan> {
    let propagation = prop_oneof![Just(0), 1..50_000_u64].prop_map(Micros);
    let way_in = (0..50_u32, prop_oneof![3 => Just(LinkPlan::NO_MTU), 1 => 68..1_500_u32], policers());
    let queue = (option::of(rates()), 0..20_000_u64, prop_oneof![3 => Just(u32::MAX), 1 => 0..10_u32], aqms());
    let way_out = (propagation, jitters(), losses(), vec(0..100_u64, 0..4), accidents(), any::<bool>());
    (way_in, queue, way_out).prop_map(|((overhead, mtu, policer), queue, way_out)| {
        let (rate, queue_bytes, queue_packets, aqm) = queue;
        let (propagation, jitter, loss, mut lost_packets, (reordering, [doubles, flips, cuts]), bleaches_ecn) = way_out;
        lost_packets.sort_unstable();
        LinkPlan {
            rate,
            trace: None,
            overhead,
            mtu,
            policer,
            queue_bytes,
            queue_packets,
            aqm,
            bleaches_ecn,
            propagation,
            jitter,
            loss,
            lost_packets,
            reordering,
            duplication_ppm: doubles,
            corruption_ppm: flips,
            truncation_ppm: cuts,
        }
    })
}

/// The same link where nothing may overtake anything and every packet is told by its length.
pub(crate) fn in_order(link: LinkPlan) -> LinkPlan {
    let jitter = match link.jitter {
        Jitter::Uniform { max, .. } => Jitter::Uniform { max, reorders: false },
        Jitter::Normal { deviation, .. } => Jitter::Normal { deviation, reorders: false },
        Jitter::Pareto { mean, .. } => Jitter::Pareto { mean, reorders: false },
        Jitter::Correlated { max, correlation_ppm, .. } => Jitter::Correlated { max, correlation_ppm, reorders: false },
        jitter @ (Jitter::None | Jitter::Spaced { .. }) => jitter,
    };
    let aqm = if matches!(link.aqm, Aqm::FqCodel { .. }) { Aqm::DropTail } else { link.aqm };
    LinkPlan { jitter, aqm, reordering: LinkPlan::IDEAL.reordering, truncation_ppm: 0, ..link }
}
