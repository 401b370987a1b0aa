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
