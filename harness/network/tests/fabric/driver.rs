//! A driver as the world has one: moves time to the fabric's events and to the sends, and lets nodes answer.

use kernel::{
    ActorName, Datagram, Event, Log, PacketId,
    event::DropReason,
    plan::{LinkPlan, NatPlan},
    random::SeedTree,
    seam,
    time::{SimTime, set_now},
};
use network::{Arrival, Fabric, NodePlan};
use std::net::SocketAddr;

/// Adds nothing to the time of a packet.
pub(crate) const PERFECT: LinkPlan = LinkPlan::IDEAL;

/// What a test hands to the network.
#[derive(Clone, Debug)]
pub(crate) struct Shot {
    pub(crate) at: u64,
    pub(crate) from: &'static str,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) len: usize,
}

/// Runs `body` as a simulation on a thread of its own.
pub(crate) fn simulate<T: Send>(seed: u64, body: impl FnOnce(&mut Fabric) -> T + Send) -> (T, Log) {
    from_zero(move || {
        let simulation = seam::enter(seed);
        let value = body(&mut Fabric::new(SeedTree::root(seed).child("network")));
        (value, simulation.leave().0)
    })
}

/// Runs `body` on a thread of its own, where simulated time begins at zero. Nothing is logged.
pub(crate) fn from_zero<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .spawn_scoped(scope, body)
            .unwrap()
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Sends the shots (in order of time) and drives the network until it is empty. Each arrival may be answered.
pub(crate) fn drive(
    fabric: &mut Fabric,
    shots: &[Shot],
    mut answer: impl FnMut(&Arrival) -> Option<Datagram>,
) -> Vec<(SimTime, Arrival)> {
    let mut arrivals = Vec::new();
    for shot in shots {
        drive_until(fabric, SimTime(shot.at), &mut arrivals, &mut answer);
        set_now(SimTime(shot.at));
        fabric.send(&shot.from.into(), Datagram::new(shot.source, shot.destination, vec![0; shot.len]));
    }
    drive_until(fabric, SimTime::NEVER, &mut arrivals, &mut answer);
    arrivals
}

pub(crate) fn drive_until(
    fabric: &mut Fabric,
    limit: SimTime,
    arrivals: &mut Vec<(SimTime, Arrival)>,
    mut answer: impl FnMut(&Arrival) -> Option<Datagram>,
) {
    while let Some(at) = fabric.next_event().filter(|at| *at <= limit) {
        set_now(at);
        while let Some(arrival) = fabric.poll() {
            if let Some(datagram) = answer(&arrival) {
                fabric.send(&arrival.to, datagram);
            }
            arrivals.push((at, arrival));
        }
    }
}

pub(crate) fn node(name: &str, address: &str, up: LinkPlan, down: LinkPlan) -> NodePlan {
    NodePlan::public(name.into(), address.parse().unwrap(), up, down)
}

pub(crate) fn behind_nat(name: &str, address: &str, nat: NatPlan, public_address: &str) -> NodePlan {
    NodePlan {
        nat: Some(nat),
        public_address: public_address.parse().unwrap(),
        ..node(name, address, PERFECT, PERFECT)
    }
}

pub(crate) fn endpoint(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Every drop of the log: packet, place, reason.
pub(crate) fn drops(log: &Log) -> Vec<(PacketId, String, DropReason)> {
    let dropped = |event: &Event| match event {
        Event::PacketDropped(drop) => Some((drop.packet, drop.place.clone(), drop.reason)),
        _ => None,
    };
    log.records.iter().filter_map(|record| dropped(&record.event)).collect()
}

/// The packets that passed the core, with source and destination as seen there.
pub(crate) fn at_core(log: &Log) -> Vec<(SocketAddr, SocketAddr)> {
    let passed = |event: &Event| match event {
        Event::PacketAtCore(packet) => Some((packet.source, packet.destination)),
        _ => None,
    };
    log.records.iter().filter_map(|record| passed(&record.event)).collect()
}

pub(crate) fn name(text: &str) -> ActorName {
    text.into()
}
