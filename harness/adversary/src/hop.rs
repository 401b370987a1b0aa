//! Whoever holds a hop sits between SRTP and SFrame: it sees frames as they are encrypted end to end, and can change
//! them or send them again. The real frame always goes on too, so that what fails is the attack and not the call.

mod chain;
mod replaying;
mod tampering;

pub use chain::HopChain;
pub use replaying::ReplayingHop;
pub use tampering::TamperingHop;

use kernel::Track;
use std::collections::BTreeMap;

/// Picks each n-th frame of each track.
#[derive(Debug)]
struct EachNth {
    every: u32,
    seen: BTreeMap<Track, u64>,
}

impl EachNth {
    /// Every how many frames; 0 never.
    fn new(every: u32) -> EachNth {
        EachNth { every, seen: BTreeMap::new() }
    }

    /// Counts a frame; its number from 1 when it is picked.
    fn pick(&mut self, track: Track) -> Option<u64> {
        let seen = self.seen.entry(track).or_default();
        *seen += 1;
        (self.every > 0 && seen.is_multiple_of(u64::from(self.every))).then_some(*seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_track_is_counted_by_itself_and_zero_picks_none() {
        let mut third = EachNth::new(3);
        let picked: Vec<Option<u64>> = (0..6).map(|_| third.pick(Track::Audio)).collect();
        assert_eq!(picked, [None, None, Some(3), None, None, Some(6)]);
        assert_eq!(third.pick(Track::Video), None);
        assert_eq!(EachNth::new(0).pick(Track::Video), None);
    }
}
