//! First in, first out, and what finds no room is dropped.

use super::{Discipline, Limit, Parcel, Rejects};
use kernel::{SimTime, event::DropReason};
use std::collections::VecDeque;

/// A drop-tail queue, by itself or below a management.
#[derive(Default)]
pub(super) struct Fifo {
    parcels: VecDeque<Parcel>,
    bytes: u64,
}

impl Fifo {
    /// Takes a packet in, whatever the limit.
    pub(super) fn append(&mut self, parcel: Parcel) {
        self.bytes += parcel.bytes;
        self.parcels.push_back(parcel);
    }

    /// The packet that came first.
    pub(super) fn take(&mut self) -> Option<Parcel> {
        let parcel = self.parcels.pop_front()?;
        self.bytes -= parcel.bytes;
        Some(parcel)
    }
}

impl Discipline for Fifo {
    fn push(&mut self, parcel: Parcel, limit: &Limit, _: SimTime, rejects: &mut Rejects) {
        if limit.fits(self.bytes, self.parcels.len(), parcel.bytes) {
            self.append(parcel);
        } else {
            rejects.dropped.push((parcel, DropReason::QueueFull));
        }
    }

    fn pop(&mut self, _: SimTime, _: &mut Rejects) -> Option<Parcel> {
        self.take()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn len(&self) -> usize {
        self.parcels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::parcel, *};
    use kernel::packet::Ecn;

    #[test]
    fn bytes_and_packets_limit_it() {
        let mut fifo = Fifo::default();
        let mut push = |bytes, limit| {
            let mut rejects = Rejects::default();
            fifo.push(parcel(1, bytes, 0, Ecn::NotEct), &limit, SimTime(0), &mut rejects);
            rejects.dropped.is_empty()
        };
        let of = |bytes, packets| Limit { bytes, packets };
        assert!(push(1_000, of(1_000, 2)));
        assert!(!push(1, of(1_000, 2)));
        assert!(push(1_000, of(2_000, 2)));
        assert!(!push(1, of(9_000, 2)));
        assert_eq!((fifo.len(), fifo.bytes()), (2, 2_000));
        fifo.take();
        assert_eq!((fifo.len(), fifo.bytes()), (1, 1_000));
    }
}
