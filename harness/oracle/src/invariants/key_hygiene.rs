//! KH: how keys are used.

use crate::{catalogue::Evidence, checks::Checks};
use std::collections::BTreeMap;

/// KH-1.
pub(crate) fn no_nonce_twice(evidence: &Evidence) -> Checks {
    let mut checks = Checks::default();
    let mut used: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for sealing in evidence.run.events.keys_used.iter().filter(|used| used.seals) {
        let earlier = used.insert((&sealing.get().key, sealing.counter), sealing.index);
        checks.check(earlier.is_none(), sealing.at, sealing.index, || {
            let (device, key, counter) = (&sealing.device, &sealing.key, sealing.counter);
            let earlier = earlier.unwrap_or_default();
            format!("{device} seals under counter {counter} of key {key} again, first in record {earlier}")
        });
    }
    checks
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::event::{self, Event};

    fn sealing(device: &str, key: &str, counter: u64, seals: bool) -> Event {
        Event::KeyUsed(event::KeyUsed { device: device.into(), key: key.into(), kid: 0, counter, seals })
    }

    #[test]
    fn counters_of_different_keys_and_openings_do_not_clash() {
        let mut story = Story::new();
        story.tell(sealing("alice-phone", "a", 1, true)).tell(sealing("alice-phone", "b", 1, true));
        story.tell(sealing("bob-phone", "a", 1, false)).tell(sealing("alice-phone", "a", 2, true));
        assert_eq!(story.holds("no_nonce_twice"), 3);
    }

    #[test]
    fn a_counter_that_starts_again() {
        let mut story = Story::new();
        story.tell(sealing("alice-phone", "a", 1, true)).tell(sealing("alice-phone", "a", 2, true));
        story.tell(sealing("alice-phone", "a", 1, true));
        let sentence = story.fails_only("no_nonce_twice");
        assert_eq!(sentence, "alice-phone seals under counter 1 of key a again, first in record 1");
    }
}
