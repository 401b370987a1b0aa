//! What a packet costs for each link that it passes, without anybody who sends and receives.
//!
//! Packets of 1200 bytes from one node to another over two access links and some core links, each at 1 Gbit/s with jitter
//! and loss, sent in trains of eight.

use crate::machine::thread_cpu_time;
use kernel::{
    BitRate, Datagram, Micros, SimTime,
    plan::{Aqm, CoreLink, Jitter, LinkPlan, Loss},
    random::SeedTree,
    seam,
    time::set_now,
};
use network::{Fabric, NodePlan};

const TRAINS: u64 = 10_000;
const TRAIN: u64 = 8;
/// Core links between the two, besides their access links.
const CORE_LINKS: [usize; 2] = [0, 4];

/// Processor time of a packet on a link, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct HopCost {
    /// How the links manage their queues.
    pub queue: &'static str,
    /// Links that each packet passes.
    pub links: usize,
    /// Without a log.
    pub bare_ns: u64,
    /// With the log and its digest, as in a run.
    pub logged_ns: u64,
}

/// Measures each kind of queue on a short and a long way.
pub fn packet_hops() -> Vec<HopCost> {
    let queues = [("drop tail", Aqm::DropTail), ("CoDel", Aqm::CODEL), ("FQ-CoDel", Aqm::FQ_CODEL)];
    let ways = queues.iter().flat_map(|queue| CORE_LINKS.map(|core_links| (queue, core_links)));
    ways.map(|((queue, aqm), core_links)| {
        let [bare_ns, logged_ns] = [false, true].map(|logs| on_a_thread(|| cost(core_links, *aqm, logs)));
        HopCost { queue, links: core_links + 2, bare_ns, logged_ns }
    })
    .collect()
}

/// Nanoseconds per packet and link.
fn cost(core_links: usize, aqm: Aqm, logs: bool) -> u64 {
    let simulation = logs.then(|| seam::enter(1));
    let mut fabric = network_of(core_links, aqm);
    let before = thread_cpu_time();
    let arrived = run(&mut fabric);
    let spent = thread_cpu_time() - before;
    drop(simulation.map(seam::Simulation::leave));
    assert!(arrived > TRAINS * TRAIN * 9 / 10, "only {arrived} packets arrived");
    spent.as_nanos() as u64 / (TRAINS * TRAIN * (core_links as u64 + 2))
}

fn run(fabric: &mut Fabric) -> u64 {
    let (from, source) = ("a".into(), "198.51.100.1:1".parse().expect("an address"));
    let destination = "198.51.100.2:1".parse().expect("an address");
    for train in 0..TRAINS {
        drain(fabric, SimTime(train * 1_000));
        set_now(SimTime(train * 1_000));
        for _ in 0..TRAIN {
            fabric.send(&from, Datagram::new(source, destination, vec![0; 1_172]));
        }
    }
    drain(fabric, SimTime::NEVER);
    fabric.counts().arrived
}

fn drain(fabric: &mut Fabric, limit: SimTime) {
    while let Some(at) = fabric.next_event().filter(|at| *at <= limit) {
        set_now(at);
        while fabric.poll().is_some() {}
    }
}

fn network_of(core_links: usize, aqm: Aqm) -> Fabric {
    let link = LinkPlan {
        rate: Some(BitRate::from_mbps(1_000)),
        propagation: Micros::from_millis(10),
        jitter: Jitter::Uniform { max: Micros::from_millis(1), reorders: false },
        loss: Loss::GilbertElliott { p_ppm: 1_000, r_ppm: 500_000, good_loss_ppm: 0, bad_loss_ppm: 1_000_000 },
        aqm,
        ..LinkPlan::IDEAL
    };
    let mut fabric = Fabric::new(SeedTree::root(1));
    let via: Vec<String> = (0..core_links).map(|number| format!("hop-{number}")).collect();
    for name in via.iter().cloned() {
        fabric.add_core_link(CoreLink { name, up: link.clone(), down: link.clone() }).expect("the link is valid");
    }
    for (name, address, via) in [("a", [198, 51, 100, 1], via), ("b", [198, 51, 100, 2], Vec::new())] {
        let plan = NodePlan { via, ..NodePlan::public(name.into(), address.into(), link.clone(), link.clone()) };
        fabric.add_node(plan).expect("the node is valid");
    }
    fabric
}

/// Simulated time begins at zero on each thread.
fn on_a_thread(body: impl FnOnce() -> u64 + Send) -> u64 {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, body).expect("a thread starts");
        thread.join().expect("the measurement ends")
    })
}
