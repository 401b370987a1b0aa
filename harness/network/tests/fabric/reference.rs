//! The fabric against an independent implementation: str0m-netem, a million packets each.

use crate::driver::{PERFECT, drive_until, endpoint, from_zero, node};
use kernel::{
    Datagram, SimTime,
    plan::{Jitter, LinkPlan, Loss},
    random::SeedTree,
    time::{Micros, set_now},
};
use network::Fabric;
use std::{collections::BTreeMap, time::Duration};
use str0m_netem::{GilbertElliot, Input, LossModel, Netem, NetemConfig, Output, Probability, RandomLoss};

const PACKETS: u64 = 1_000_000;
/// Beyond every jitter, so that no packet waits for another.
const INTERVAL_US: u64 = 100_000;
/// The largest Kolmogorov-Smirnov distance that counts as agreement.
const AGREEMENT: f64 = 0.02;

/// The delay of each packet in microseconds; none where it was lost.
type Fates = Vec<Option<u64>>;

/// Logs nothing, so that a million packets need no memory.
fn ours(link: &LinkPlan) -> Fates {
    from_zero(|| ours_from_zero(link))
}

fn ours_from_zero(link: &LinkPlan) -> Fates {
    let mut fabric = Fabric::new(SeedTree::root(77));
    fabric.add_node(node("a", "198.51.100.1", link.clone(), PERFECT)).unwrap();
    fabric.add_node(node("b", "198.51.100.2", PERFECT, PERFECT)).unwrap();
    let (source, destination) = (endpoint("198.51.100.1:1"), endpoint("198.51.100.2:1"));
    let mut fates = Vec::new();
    for number in 0..PACKETS {
        let mut arrivals = Vec::new();
        let at = SimTime(number * INTERVAL_US);
        set_now(at);
        fabric.send(&"a".into(), Datagram::new(source, destination, Vec::new()));
        drive_until(&mut fabric, SimTime::NEVER, &mut arrivals, |_| None);
        fates.push(arrivals.pop().map(|(arrived, _)| arrived.since(at).0));
    }
    fates
}

fn theirs(config: NetemConfig) -> Fates {
    let mut netem: Netem<Vec<u8>> = Netem::new(config.seed(7));
    let mut fates = Vec::new();
    for number in 0..PACKETS {
        let at = SimTime(number * INTERVAL_US).to_instant();
        netem.handle_input(Input::Packet(at, Vec::new()));
        let (mut arrived, mut now) = (None, at);
        while let Some(output) = netem.poll_output() {
            match output {
                Output::Timeout(due) => {
                    now = due;
                    netem.handle_input(Input::Timeout(due));
                }
                Output::Packet(_) => arrived = Some((now - at).as_micros() as u64),
            }
        }
        fates.push(arrived);
    }
    fates
}

/// The lengths of the runs of lost packets.
fn loss_runs(fates: &Fates) -> Vec<u64> {
    fates
        .chunk_by(|one, other| one.is_some() == other.is_some())
        .filter(|run| run[0].is_none())
        .map(|run| run.len() as u64)
        .collect()
}

fn delays(fates: &Fates) -> Vec<u64> {
    fates.iter().copied().flatten().collect()
}

/// The largest difference of two empirical distribution functions.
fn distance(one: &[u64], other: &[u64]) -> f64 {
    assert!(one.len() > 1_000 && other.len() > 1_000, "too few to compare: {} and {}", one.len(), other.len());
    let mut values: BTreeMap<u64, [u64; 2]> = BTreeMap::new();
    for (side, samples) in [one, other].into_iter().enumerate() {
        samples.iter().for_each(|sample| values.entry(*sample).or_default()[side] += 1);
    }
    let (mut below, mut most) = ([0; 2], 0.0_f64);
    for counts in values.values() {
        below = [below[0] + counts[0], below[1] + counts[1]];
        most = most.max((below[0] as f64 / one.len() as f64 - below[1] as f64 / other.len() as f64).abs());
    }
    most
}

fn agree(what: &str, one: &[u64], other: &[u64]) {
    let distance = distance(one, other);
    println!("{what}: Kolmogorov-Smirnov distance {distance:.5} over {} and {} samples", one.len(), other.len());
    assert!(distance <= AGREEMENT, "{what} differ by {distance}");
}

#[test]
fn delays_are_distributed_as_str0m_netem_has_them() {
    let latency = NetemConfig::new().latency(Duration::from_millis(40)).jitter(Duration::from_millis(10));
    let (propagation, max) = (Micros::from_millis(30), Micros::from_millis(20));
    let uniform = LinkPlan { propagation, jitter: Jitter::Uniform { max, reorders: true }, ..PERFECT };
    agree("uniform delays", &delays(&ours(&uniform)), &delays(&theirs(latency)));
    let jitter = Jitter::Correlated { max, correlation_ppm: 500_000, reorders: true };
    let correlated = LinkPlan { propagation, jitter, ..PERFECT };
    let config = latency.delay_correlation(Probability::new(0.5));
    agree("correlated delays", &delays(&ours(&correlated)), &delays(&theirs(config)));
}

#[test]
fn losses_come_in_runs_as_str0m_netem_has_them() {
    let bernoulli = LinkPlan { loss: Loss::Bernoulli { ppm: 100_000 }, ..PERFECT };
    let config = NetemConfig::new().loss(RandomLoss::new(Probability::new(0.1)));
    agree("runs of independent loss", &loss_runs(&ours(&bernoulli)), &loss_runs(&theirs(config)));
    let loss = Loss::GilbertElliott { p_ppm: 20_000, r_ppm: 250_000, good_loss_ppm: 0, bad_loss_ppm: 1_000_000 };
    let gilbert = LinkPlan { loss, ..PERFECT };
    let model = GilbertElliot::new().good_duration(50.0).bad_duration(4.0);
    let (ours, theirs) = (ours(&gilbert), theirs(NetemConfig::new().loss(LossModel::GilbertElliot(model))));
    agree("runs of Gilbert's loss", &loss_runs(&ours), &loss_runs(&theirs));
    let share = |fates: &Fates| fates.iter().filter(|fate| fate.is_none()).count() as f64 / PACKETS as f64;
    println!("Gilbert's loss: {:.4} and {:.4} of all packets", share(&ours), share(&theirs));
    assert!((share(&ours) / share(&theirs) - 1.0).abs() < 0.03);
}
