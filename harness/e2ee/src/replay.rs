//! The replay window of one track (RFC 9605 section 9.3): which counters were accepted.

/// How many counters, the newest included, the window remembers: older ones are refused.
pub(crate) const WINDOW: u64 = 128;

/// The newest accepted counter and a bit for each of the [`WINDOW`] counters up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplayWindow {
    newest: Option<u64>,
    /// Bit n stands for `newest - n`.
    seen: u128,
}

impl ReplayWindow {
    /// Records the counter of an authentic frame; false when it was recorded before or is older than the window.
    pub(crate) fn accept(&mut self, counter: u64) -> bool {
        let Some(newest) = self.newest else {
            *self = ReplayWindow { newest: Some(counter), seen: 1 };
            return true;
        };
        if counter > newest {
            let ahead = counter - newest;
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.newest = Some(counter);
            return true;
        }
        let behind = newest - counter;
        if behind >= WINDOW || self.seen >> behind & 1 == 1 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_window_ends_at_128() {
        let mut window = ReplayWindow::default();
        assert!(window.accept(1_000));
        assert!(window.accept(1_000 - WINDOW + 1));
        assert!(!window.accept(1_000 - WINDOW));
        assert!(window.accept(u64::MAX));
        assert!(!window.accept(1_000));
    }

    proptest! {
        /// The window against a plain set of what was accepted.
        #[test]
        fn a_counter_is_accepted_once_while_it_is_in_the_window(counters in prop::collection::vec(0u64..400, 1..400)) {
            let mut window = ReplayWindow::default();
            let mut accepted = BTreeSet::new();
            for counter in counters {
                let newest = accepted.last().copied().unwrap_or(counter);
                let expected = counter + WINDOW > newest && !accepted.contains(&counter);
                prop_assert_eq!(window.accept(counter), expected);
                if expected {
                    accepted.insert(counter);
                }
            }
        }
    }
}
