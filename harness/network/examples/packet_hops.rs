//! What a packet costs per link that it passes: `cargo run -p callproof-network --example packet_hops`.
//!
//! Packets of 1200 bytes from one node to another over two access links and some core links, each at 1 Gbit/s with jitter,
//! loss and a drop-tail queue, sent in trains of eight. Processor time of the thread; once with the log and once without.

use kernel::{
    BitRate, Datagram, Micros, SimTime,
    plan::{Aqm, CoreLink, Jitter, LinkPlan, Loss},
    random::SeedTree,
    seam,
    time::set_now,
};
use network::{Fabric, NodePlan};
use std::time::Duration;

const TRAINS: u64 = 20_000;
const TRAIN: u64 = 8;

fn main() {
    println!("{:<34} {:>6} {:>14} {:>14}", "", "links", "ns/packet-hop", "with the log");
    for (name, aqm) in [("drop tail", Aqm::DropTail), ("CoDel", Aqm::CODEL), ("FQ-CoDel", Aqm::FQ_CODEL)] {
        for core_links in [0, 4] {
            let [bare, logged] = [false, true].map(|logs| on_a_thread(move || cost(core_links, aqm, logs)));
            println!("{:<34} {:>6} {bare:>14} {logged:>14}", name, core_links + 2);
        }
    }
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

fn thread_cpu_time() -> Duration {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `at` is a writable timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut at) };
    Duration::new(at.tv_sec as u64, at.tv_nsec as u32)
}
