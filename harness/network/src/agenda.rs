//! What is due when: a queue in time order, and in order of entry at the same microsecond.

use kernel::time::SimTime;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

/// Items by the time at which they are due. Items stay in their slot; only small keys move through the heap.
pub(crate) struct Agenda<T> {
    heap: BinaryHeap<Reverse<Due>>,
    slots: Vec<Option<T>>,
    vacant: Vec<usize>,
    entries: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: SimTime,
    entry: u64,
    slot: usize,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Agenda<T> {
        Agenda { heap: BinaryHeap::new(), slots: Vec::new(), vacant: Vec::new(), entries: 0 }
    }

    pub(crate) fn insert(&mut self, at: SimTime, item: T) {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(item);
        self.heap.push(Reverse(Due { at, entry: self.entries, slot }));
        self.entries += 1;
    }

    /// When the next item is due.
    pub(crate) fn next_due(&self) -> Option<SimTime> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    /// Takes the next item that is due at `now` or before, with its time.
    pub(crate) fn take_due(&mut self, now: SimTime) -> Option<(SimTime, T)> {
        let top = self.heap.peek_mut().filter(|top| top.0.at <= now)?;
        let Reverse(due) = PeekMut::pop(top);
        self.vacant.push(due.slot);
        let item = self.slots[due.slot].take().expect("a slot is filled while its key is in the heap");
        Some((due.at, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_time_order_and_at_one_time_in_order_of_entry() {
        let mut agenda = Agenda::new();
        for (at, item) in [(5, 'a'), (3, 'b'), (5, 'c'), (3, 'd'), (9, 'e')] {
            agenda.insert(SimTime(at), item);
        }
        assert_eq!(agenda.next_due(), Some(SimTime(3)));
        let taken: String = std::iter::from_fn(|| agenda.take_due(SimTime(5))).map(|(_, item)| item).collect();
        assert_eq!(taken, "bdac");
        assert_eq!(agenda.next_due(), Some(SimTime(9)));
    }

    #[test]
    fn slots_are_used_again() {
        let mut agenda = Agenda::new();
        for at in 0..100 {
            agenda.insert(SimTime(at), at);
            assert_eq!(agenda.take_due(SimTime(at)), Some((SimTime(at), at)));
        }
        assert_eq!(agenda.slots.len(), 1);
    }
}
