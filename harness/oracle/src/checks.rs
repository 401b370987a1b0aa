//! Counting checks: an invariant that made none was not exercised, and is never green.

use crate::judgement::Violation;
use kernel::SimTime;

/// How many checks an invariant made, how many failed, and the earliest that did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    pub(crate) made: u64,
    pub(crate) violations: u64,
    pub(crate) first: Option<Violation>,
}

impl Checks {
    /// Makes a check at a record; the sentence is composed only when it fails.
    pub(crate) fn check(&mut self, holds: bool, at: SimTime, record: u64, sentence: impl FnOnce() -> String) {
        self.made += 1;
        if holds {
            return;
        }
        self.violations += 1;
        if self.first.as_ref().is_none_or(|first| record < first.record) {
            self.first = Some(Violation { at, record, message: sentence() });
        }
    }

    /// A check that failed.
    pub(crate) fn fail(&mut self, at: SimTime, record: u64, sentence: impl FnOnce() -> String) {
        self.check(false, at, record, sentence);
    }

    /// Checks that held.
    pub(crate) fn held(&mut self, count: u64) {
        self.made += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_violation_is_kept_whatever_the_order_of_checking() {
        let mut checks = Checks::default();
        checks.check(true, SimTime(1), 1, || unreachable!("a check that holds needs no sentence"));
        checks.fail(SimTime(9), 9, || "late".into());
        checks.fail(SimTime(5), 5, || "early".into());
        checks.fail(SimTime(7), 7, || "between".into());
        assert_eq!((checks.made, checks.violations), (4, 3));
        assert_eq!(checks.first.unwrap().message, "early");
    }
}
