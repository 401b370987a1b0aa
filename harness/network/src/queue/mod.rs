//! The queue of a link and its management.

mod codel;
mod fifo;
mod fq_codel;
mod red;

use crate::flight::Flight;
use fifo::Fifo;
use kernel::{
    Micros, SimTime,
    event::DropReason,
    packet::Ecn,
    plan::{Aqm, LinkPlan},
    random::SeedTree,
};

/// A packet that waits.
pub(crate) struct Parcel {
    pub(crate) flight: Flight,
    /// On the wire, with headers and overhead.
    pub(crate) bytes: u64,
    /// When it came.
    pub(crate) entered: SimTime,
    /// What the link decided about it when it came.
    pub(crate) luck: Luck,
}

/// What a link decided about a packet when it came, whatever becomes of it: so that what is dropped before shifts the
/// luck of nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Luck {
    pub(crate) is_lost: bool,
    pub(crate) jitter: Micros,
    pub(crate) hold: Micros,
    pub(crate) is_doubled: bool,
    /// The bit of the payload to flip, as a 64-bit fraction of its length.
    pub(crate) flip: Option<u64>,
    /// What is left of the payload, as a 64-bit fraction of its length.
    pub(crate) cut: Option<u64>,
}

/// What a queue gives back besides packets to send.
#[derive(Default)]
pub(crate) struct Rejects {
    /// Packets that it dropped, and why.
    pub(crate) dropped: Vec<(Parcel, DropReason)>,
    /// How many it marked.
    pub(crate) marked: u64,
}

/// How a queue is managed. Implementations draw nothing but what each packet draws.
pub(crate) trait Discipline {
    /// Takes a packet in, or drops it or another.
    fn push(&mut self, parcel: Parcel, limit: &Limit, now: SimTime, rejects: &mut Rejects);
    /// The packet to send next.
    fn pop(&mut self, now: SimTime, rejects: &mut Rejects) -> Option<Parcel>;
    /// Bytes that wait.
    fn bytes(&self) -> u64;
    /// Packets that wait.
    fn len(&self) -> usize;
}

/// What a queue may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) bytes: u64,
    pub(crate) packets: u32,
}

impl Limit {
    pub(crate) fn of(plan: &LinkPlan) -> Limit {
        Limit { bytes: plan.queue_bytes, packets: plan.queue_packets }
    }

    /// Whether so much more fits.
    fn fits(&self, bytes: u64, packets: usize, more: u64) -> bool {
        bytes.saturating_add(more) <= self.bytes && packets < self.packets as usize
    }
}

/// The queue that a plan asks for.
pub(crate) fn build(aqm: &Aqm, seeds: &SeedTree) -> Box<dyn Discipline> {
    match *aqm {
        Aqm::DropTail => Box::new(Fifo::default()),
        Aqm::Codel { target, interval, ecn } => Box::new(codel::Codel::new(target, interval, ecn)),
        Aqm::FqCodel { target, interval, flows, quantum, ecn } => {
            let perturbation = seeds.stream("flows").next_u64();
            Box::new(fq_codel::FqCodel::new(target, interval, flows, quantum, ecn, perturbation))
        }
        Aqm::Red { min, max, probability_ppm, weight_shift, ecn } => {
            Box::new(red::Red::new(red::Curve { min, max, probability_ppm, weight_shift, ecn }, seeds.stream("red")))
        }
    }
}

/// Marks a packet whose sender can tell (RFC 3168, section 5); false when it cannot be marked.
fn mark(parcel: &mut Parcel) -> bool {
    let ecn = &mut parcel.flight.datagram.ecn;
    let can = *ecn != Ecn::NotEct;
    if can {
        *ecn = Ecn::Ce;
    }
    can
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Datagram;

    /// A packet of a flow, which its source port tells.
    pub(super) fn parcel(flow: u16, bytes: u64, entered: u64, ecn: Ecn) -> Parcel {
        let source = ([198, 51, 100, 1], flow).into();
        let mut datagram = Datagram::new(source, ([198, 51, 100, 2], 9).into(), Vec::new());
        datagram.ecn = ecn;
        Parcel { flight: Flight::new(datagram, 0), bytes, entered: SimTime(entered), luck: Luck::default() }
    }

    pub(super) const NO_LIMIT: Limit = Limit { bytes: u64::MAX, packets: u32::MAX };

    pub(super) fn flow_of(parcel: &Parcel) -> u16 {
        parcel.flight.datagram.source.port()
    }

    #[test]
    fn only_a_capable_packet_is_marked() {
        assert!(!mark(&mut parcel(1, 1, 0, Ecn::NotEct)));
        for ecn in [Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
            let mut parcel = parcel(1, 1, 0, ecn);
            assert!(mark(&mut parcel));
            assert_eq!(parcel.flight.datagram.ecn, Ecn::Ce);
        }
    }
}
