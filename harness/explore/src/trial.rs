//! The budgets that are searched, and the bugs that must be found.

use crate::{promise::Promise, step::Budget};
use kernel::Mutant;

/// The budgets of a whole exploration, the smallest first: calls of alice, calls of bob, answers, cancels and hang-ups,
/// unfriending, handovers, attacks, hasty timers.
pub const BUDGETS: &[Budget] = &[
    Budget::new([1, 0, 1, 1, 1, 0, 1, 0]),
    Budget::new([1, 1, 1, 1, 1, 0, 0, 0]),
    Budget::new([1, 1, 1, 1, 1, 0, 1, 0]),
    Budget::new([1, 1, 1, 1, 1, 0, 0, 1]),
    Budget::new([1, 0, 2, 1, 1, 1, 0, 1]),
    Budget::new([0, 1, 3, 1, 1, 2, 0, 0]),
];

/// A bug planted in the shipping code, and the promise that it must break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelMutant {
    /// Which.
    pub mutant: Mutant,
    /// What must break first.
    pub promise: Promise,
    /// The budget in which it must.
    pub budget: Budget,
}

const SMALL: Budget = BUDGETS[0];
const NO_ATTACK: Budget = BUDGETS[1];
const FULL: Budget = BUDGETS[2];
const HANDOVER: Budget = BUDGETS[4];

const fn bug(mutant: Mutant, promise: Promise, budget: Budget) -> ModelMutant {
    ModelMutant { mutant, promise, budget }
}

/// The bugs of the call machine's model, each by the very `mutant!` that the canaries plant.
pub const MUTANTS: &[ModelMutant] = &[
    bug(Mutant::V02, Promise::NothingBeforeAccept, SMALL),
    bug(Mutant::V03, Promise::NothingBeforeAccept, SMALL),
    bug(Mutant::V10, Promise::ServerAndDevicesAgree, SMALL),
    bug(Mutant::V11, Promise::NothingBeforeAccept, SMALL),
    bug(Mutant::V13, Promise::OneCallOfTwo, NO_ATTACK),
    bug(Mutant::V14, Promise::OthersStopRinging, SMALL),
    bug(Mutant::V15, Promise::ServerAndDevicesAgree, SMALL),
    bug(Mutant::V20, Promise::OnlyFriendsRing, SMALL),
    bug(Mutant::V22, Promise::UnfriendingEndsTheCall, SMALL),
    bug(Mutant::V124, Promise::OnlyListedTransitions, FULL),
    bug(Mutant::V125, Promise::EveryCallEnds, SMALL),
    bug(Mutant::V150, Promise::ServerAndDevicesAgree, SMALL),
    bug(Mutant::V161, Promise::OneDeviceOfAUser, HANDOVER),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Ending, Limits, search};
    use kernel::mutant;

    #[test]
    fn the_smallest_budget_is_searched_to_its_end_and_every_promise_is_judged() {
        let report = search(SMALL, Limits::default(), || false);
        assert_eq!(report.ending, Ending::Complete);
        assert!(report.checks.iter().all(|(_, count)| *count > 0), "{:?}", report.checks);
    }

    #[test]
    fn a_search_sees_the_same_each_time() {
        let twice = [(); 2].map(|()| search(SMALL, Limits::default(), || false));
        assert_eq!(twice[0], twice[1]);
    }

    #[test]
    fn a_limit_that_is_reached_is_named() {
        let limits = |states, frontier| Limits { states, frontier };
        for (limits, is_over, named) in [
            (limits(100, 1_000_000), false, "the limit of states is reached"),
            (limits(1_000_000, 10), false, "the limit of waiting states is reached"),
            (limits(1_000_000, 1_000_000), true, "the time is up"),
        ] {
            assert_eq!(search(SMALL, limits, || is_over).ending, Ending::Stopped(named));
        }
    }

    #[test]
    fn each_planted_bug_is_found_by_its_promise() {
        for ModelMutant { mutant, promise, budget } in MUTANTS {
            mutant::plant(&[*mutant]);
            let report = search(*budget, Limits::default(), || false);
            mutant::plant(&[]);
            let Ending::Broken(found) = report.ending else { panic!("{mutant} survives: {report:?}") };
            assert_eq!(found.promise, *promise, "{mutant}: {}\n{}", found.sentence, found.history.join("\n"));
        }
    }
}
