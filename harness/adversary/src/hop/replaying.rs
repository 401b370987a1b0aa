//! Sends frames again.

use super::EachNth;
use client::Hop;
use kernel::{ActorName, Micros, SimTime, Track, event::AttackKind};
use std::collections::VecDeque;

/// Most frames that wait to be sent again; while so many do, none is picked.
const MAX_HELD: usize = 1_024;

/// Sends each n-th frame of each track once more, a fixed time later.
#[derive(Debug)]
pub struct ReplayingHop {
    target: ActorName,
    each: EachNth,
    after: Micros,
    held: VecDeque<(SimTime, Track, u64, Vec<u8>)>,
}

impl ReplayingHop {
    /// In front of the device `target`: each `every`-th frame again, `after` later.
    pub fn new(target: ActorName, every: u32, after: Micros) -> ReplayingHop {
        ReplayingHop { target, each: EachNth::new(every), after, held: VecDeque::new() }
    }
}

impl Hop for ReplayingHop {
    fn incoming(&mut self, track: Track, frame: Vec<u8>, now: SimTime) -> Vec<Vec<u8>> {
        if let Some(number) = self.each.pick(track)
            && self.held.len() < MAX_HELD
        {
            self.held.push_back((now + self.after, track, number, frame.clone()));
        }
        vec![frame]
    }

    fn poll(&mut self, now: SimTime) -> Option<(Track, Vec<u8>)> {
        self.next_wake().filter(|at| *at <= now)?;
        let (_, track, number, frame) = self.held.pop_front()?;
        kernel::event!(Attack {
            kind: AttackKind::Replay,
            target: self.target.clone(),
            call: None,
            detail: format!("{track} frame {number} again after {}", self.after),
        });
        Some((track, frame))
    }

    fn next_wake(&self) -> Option<SimTime> {
        self.held.front().map(|(at, ..)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picked_frame_comes_again_at_its_time_and_once() {
        let mut hop = ReplayingHop::new("bob-phone".into(), 2, Micros(500));
        for n in 1..=3 {
            assert_eq!(hop.incoming(Track::Video, vec![n], SimTime(u64::from(n))), [vec![n]]);
        }
        assert_eq!(hop.next_wake(), Some(SimTime(502)));
        assert_eq!(hop.poll(SimTime(501)), None);
        assert_eq!(hop.poll(SimTime(502)), Some((Track::Video, vec![2])));
        assert_eq!((hop.poll(SimTime(900)), hop.next_wake()), (None, None));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut hop = ReplayingHop::new("bob-phone".into(), 1, Micros(500));
        (0..5_000).for_each(|n| drop(hop.incoming(Track::Audio, vec![0], SimTime(n))));
        assert_eq!(hop.held.len(), MAX_HELD);
    }
}
