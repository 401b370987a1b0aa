//! The search.

use crate::{
    promise::{Counts, Promise, judge},
    state::{Broken, State},
    step::{Budget, Step},
};
use std::collections::{BTreeSet, VecDeque};

/// Where a search stops though there is more to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// States that are remembered, at 16 bytes and what a tree of them costs.
    pub states: usize,
    /// States that wait to be looked at, each with its machines, links and share of a server.
    pub frontier: usize,
}

impl Default for Limits {
    /// About 1 GB at most.
    fn default() -> Self {
        Limits { states: 6_000_000, frontier: 300_000 }
    }
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every state that the budget allows was judged, and all promises held.
    Complete,
    /// A promise was broken.
    Broken(Found),
    /// A limit was reached: what was judged held, and there is more.
    Stopped(&'static str),
}

/// A broken promise with the shortest history that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub promise: Promise,
    /// How, in a sentence.
    pub sentence: String,
    /// The events from the beginning, for people.
    pub history: Vec<String>,
}

/// What a search saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Events that were tried.
    pub transitions: u64,
    /// The most states that waited at once.
    pub widest: usize,
    /// How often each promise was judged.
    pub checks: Vec<(Promise, u64)>,
    /// How it ended.
    pub ending: Ending,
}

/// How a state came about: from which one, and by what.
type Origin = (u32, Step);

/// Looks at every state that a budget allows. `is_over` is asked now and then whether to stop.
pub fn search(budget: Budget, limits: Limits, mut is_over: impl FnMut() -> bool) -> Report {
    let first = State::new(budget);
    let mut known = BTreeSet::from([first.digest()]);
    let mut origins: Vec<Option<Origin>> = vec![None];
    let mut frontier = VecDeque::from([(0u32, first)]);
    let (mut transitions, mut widest, mut counts) = (0, 1, Counts::default());
    let mut ending = Ending::Complete;
    'search: while let Some((number, state)) = frontier.pop_front() {
        if number % 1_024 == 0 && is_over() {
            ending = Ending::Stopped("the time is up");
            break;
        }
        for step in state.steps() {
            transitions += 1;
            let mut next = state.clone();
            let broken = next.take(step).or_else(|| judge(&next, &mut counts));
            if let Some(broken) = broken {
                ending = Ending::Broken(found(broken, budget, &origins, (number, step)));
                break 'search;
            }
            if !known.insert(next.digest()) {
                continue;
            }
            let Ok(index) = u32::try_from(origins.len()) else {
                ending = Ending::Stopped("there are more states than can be numbered");
                break 'search;
            };
            origins.push(Some((number, step)));
            frontier.push_back((index, next));
            widest = widest.max(frontier.len());
        }
        if known.len() > limits.states {
            ending = Ending::Stopped("the limit of states is reached");
            break;
        }
        if frontier.len() > limits.frontier {
            ending = Ending::Stopped("the limit of waiting states is reached");
            break;
        }
    }
    let checks = Promise::ALL.into_iter().map(|promise| (promise, counts.0[promise as usize])).collect();
    Report { states: known.len(), transitions, widest, checks, ending }
}

/// Plays the history again, to tell what each message was.
fn found((promise, sentence): Broken, budget: Budget, origins: &[Option<Origin>], last: Origin) -> Found {
    let mut steps = vec![last.1];
    let mut at = last.0;
    while let Some((before, step)) = origins[at as usize] {
        steps.push(step);
        at = before;
    }
    let mut state = State::new(budget);
    let history = steps.into_iter().rev().map(|step| {
        let words = step.words(&state.carried(step));
        state.take(step);
        words
    });
    Found { promise, sentence, history: history.collect() }
}
