//! `FQ-CoDel` (RFC 8290): flows are hashed to queues, each under `CoDel`, which take turns; a flow that is new goes first.

use super::{Discipline, Limit, Parcel, Rejects, codel::Control, fifo::Fifo};
use kernel::{Micros, SimTime, event::DropReason};
use std::{collections::VecDeque, net::SocketAddr};

/// The queues and the two lists of those whose turn is to come.
pub(super) struct FqCodel {
    flows: Vec<FlowQueue>,
    new: VecDeque<usize>,
    old: VecDeque<usize>,
    quantum: i64,
    perturbation: u64,
    bytes: u64,
    packets: usize,
}

struct FlowQueue {
    queue: Fifo,
    control: Control,
    credit: i64,
    is_listed: bool,
}

impl FqCodel {
    pub(super) fn new(
        target: Micros,
        interval: Micros,
        flows: u32,
        quantum: u32,
        ecn: bool,
        perturbation: u64,
    ) -> FqCodel {
        let flow = || FlowQueue {
            queue: Fifo::default(),
            control: Control::new(target, interval, ecn),
            credit: 0,
            is_listed: false,
        };
        FqCodel {
            flows: (0..flows).map(|_| flow()).collect(),
            new: VecDeque::new(),
            old: VecDeque::new(),
            quantum: i64::from(quantum),
            perturbation,
            bytes: 0,
            packets: 0,
        }
    }

    /// The queue of a packet: its addresses, ports and protocol, mixed with a number of this link's own.
    fn queue_of(&self, parcel: &Parcel) -> usize {
        let datagram = &parcel.flight.datagram;
        let mut hash = self.perturbation ^ datagram.transport as u64;
        for endpoint in [datagram.source, datagram.destination] {
            let (low, high) = address(endpoint);
            for part in [low, high, u64::from(endpoint.port())] {
                hash = mixed(hash ^ part);
            }
        }
        ((u128::from(hash) * self.flows.len() as u128) >> 64) as usize
    }

    /// Makes room at the head of the queue that holds the most bytes (RFC 8290, section 4.1).
    fn drop_from_fattest(&mut self, rejects: &mut Rejects) {
        let fattest = self.flows.iter_mut().max_by_key(|flow| flow.queue.bytes());
        if let Some(parcel) = fattest.and_then(|flow| flow.queue.take()) {
            self.bytes -= parcel.bytes;
            self.packets -= 1;
            rejects.dropped.push((parcel, DropReason::QueueFull));
        }
    }

    /// The queue whose turn it is, and whether it is a new one.
    fn turn(&mut self) -> Option<(usize, bool)> {
        loop {
            let is_new = !self.new.is_empty();
            let list = if is_new { &mut self.new } else { &mut self.old };
            let flow = *list.front()?;
            if self.flows[flow].credit > 0 {
                return Some((flow, is_new));
            }
            self.flows[flow].credit += self.quantum;
            list.pop_front();
            self.old.push_back(flow);
        }
    }
}

impl Discipline for FqCodel {
    fn push(&mut self, parcel: Parcel, limit: &Limit, _: SimTime, rejects: &mut Rejects) {
        let (bytes, index) = (parcel.bytes, self.queue_of(&parcel));
        let flow = &mut self.flows[index];
        flow.queue.append(parcel);
        if !flow.is_listed {
            flow.is_listed = true;
            flow.credit = self.quantum;
            self.new.push_back(index);
        }
        self.bytes += bytes;
        self.packets += 1;
        while self.bytes > limit.bytes || self.packets > limit.packets as usize {
            self.drop_from_fattest(rejects);
        }
    }

    fn pop(&mut self, now: SimTime, rejects: &mut Rejects) -> Option<Parcel> {
        loop {
            let (index, is_new) = self.turn()?;
            let flow = &mut self.flows[index];
            let before = (flow.queue.bytes(), flow.queue.len());
            let parcel = flow.control.next(&mut flow.queue, now, rejects);
            self.bytes -= before.0 - flow.queue.bytes();
            self.packets -= before.1 - flow.queue.len();
            if let Some(parcel) = parcel {
                flow.credit -= parcel.bytes as i64;
                return Some(parcel);
            }
            // An empty new queue waits among the old ones for one turn, so that it cannot stay new for ever.
            if is_new {
                self.new.pop_front();
                self.old.push_back(index);
            } else {
                self.old.pop_front();
                flow.is_listed = false;
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn len(&self) -> usize {
        self.packets
    }
}

fn address(endpoint: SocketAddr) -> (u64, u64) {
    match endpoint {
        SocketAddr::V4(v4) => (u64::from(u32::from(*v4.ip())), 0),
        SocketAddr::V6(v6) => {
            let bits = u128::from(*v6.ip());
            (bits as u64, (bits >> 64) as u64)
        }
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, 2014).
fn mixed(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{NO_LIMIT, flow_of, parcel},
        *,
    };
    use kernel::packet::Ecn;

    fn queue() -> FqCodel {
        FqCodel::new(Micros::from_millis(5), Micros::from_millis(100), 1_024, 1_514, true, 7)
    }

    fn push(queue: &mut FqCodel, flow: u16, bytes: u64, limit: Limit) -> Rejects {
        let mut rejects = Rejects::default();
        queue.push(parcel(flow, bytes, 0, Ecn::NotEct), &limit, SimTime(0), &mut rejects);
        rejects
    }

    fn order(queue: &mut FqCodel) -> Vec<u16> {
        let mut rejects = Rejects::default();
        std::iter::from_fn(|| queue.pop(SimTime(1), &mut rejects)).map(|parcel| flow_of(&parcel)).collect()
    }

    #[test]
    fn flows_take_turns_by_bytes() {
        let mut queue = queue();
        for flow in [1, 1, 1, 1, 2, 2, 3, 3, 3, 3] {
            push(&mut queue, flow, if flow == 3 { 757 } else { 1_514 }, NO_LIMIT);
        }
        assert_eq!(order(&mut queue), [1, 2, 3, 3, 1, 2, 3, 3, 1, 1]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn a_sparse_flow_overtakes_a_standing_queue() {
        let mut queue = queue();
        for _ in 0..50 {
            push(&mut queue, 1, 1_514, NO_LIMIT);
        }
        let mut rejects = Rejects::default();
        for _ in 0..5 {
            queue.pop(SimTime(1), &mut rejects);
        }
        push(&mut queue, 2, 100, NO_LIMIT);
        assert_eq!(queue.pop(SimTime(1), &mut rejects).map(|parcel| flow_of(&parcel)), Some(2));
    }

    #[test]
    fn a_full_queue_drops_at_the_head_of_the_fattest_flow() {
        let mut queue = queue();
        let limit = Limit { bytes: 5_000, packets: 100 };
        for flow in [1, 1, 1, 2] {
            assert_eq!(push(&mut queue, flow, 1_200, limit).dropped.len(), 0);
        }
        let rejects = push(&mut queue, 2, 1_200, limit);
        let dropped: Vec<_> = rejects.dropped.iter().map(|(parcel, reason)| (flow_of(parcel), *reason)).collect();
        assert_eq!(dropped, [(1, DropReason::QueueFull)]);
        assert_eq!((queue.len(), queue.bytes()), (4, 4_800));
    }
}
