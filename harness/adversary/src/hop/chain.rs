//! Several attackers on one hop.

use client::Hop;
use kernel::{SimTime, Track};

/// Hops one after the other: what one lets through or puts in, the next ones get.
pub struct HopChain(Vec<Box<dyn Hop>>);

impl HopChain {
    /// The first of `hops` is nearest to the sender.
    pub fn new(hops: Vec<Box<dyn Hop>>) -> HopChain {
        HopChain(hops)
    }
}

impl Hop for HopChain {
    fn incoming(&mut self, track: Track, frame: Vec<u8>, now: SimTime) -> Vec<Vec<u8>> {
        self.0.iter_mut().fold(vec![frame], |frames, hop| {
            frames.into_iter().flat_map(|frame| hop.incoming(track, frame, now)).collect()
        })
    }

    fn poll(&mut self, now: SimTime) -> Option<(Track, Vec<u8>)> {
        self.0.iter_mut().find_map(|hop| hop.poll(now))
    }

    fn next_wake(&self) -> Option<SimTime> {
        self.0.iter().filter_map(|hop| hop.next_wake()).min()
    }
}
