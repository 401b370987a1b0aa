//! DUR: what was acknowledged survives a crash, and nothing is half there.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    recovery::{Graph, RecoveryVerdict},
    run::Seen,
};
use kernel::event::{Fact, Recovered};

/// DUR-1.
pub(crate) fn acknowledged_changes_survive_a_crash(evidence: &Evidence) -> Checks {
    let mut checks = Checks::default();
    for (recovered, verdict) in recoveries(evidence) {
        checks.held(verdict.checks - verdict.lost.len() as u64);
        for lost in verdict.lost {
            checks.fail(recovered.at, recovered.index, || lost);
        }
    }
    checks
}

/// DUR-2.
pub(crate) fn recovered_graph_is_a_prefix(evidence: &Evidence) -> Checks {
    let mut checks = Checks::default();
    for (recovered, verdict) in recoveries(evidence) {
        checks.check(verdict.is_prefix, recovered.at, recovered.index, || {
            let node = &recovered.node;
            format!("{node} starts again with a friend graph that there never was: part of a transaction is missing")
        });
    }
    checks
}

/// Each time that a server started again, with how what it found compares with its history since the last time.
fn recoveries<'a>(evidence: &'a Evidence) -> Vec<(Seen<'a, Recovered>, RecoveryVerdict)> {
    let events = &evidence.run.events;
    let (mut graph, mut since) = (Graph::default(), 0);
    let mut verdicts = Vec::new();
    for recovered in &events.recovered {
        let meanwhile = |index: u64| (since..recovered.index).contains(&index);
        let facts = events.facts.iter().filter(|fact| fact.node == recovered.node && meanwhile(fact.index));
        let acknowledged: Vec<Fact> = facts.map(|fact| fact.fact.clone()).collect();
        let interrupted = events.interrupted.iter().filter(|one| one.node == recovered.node && meanwhile(one.index));
        let under_way: Vec<Vec<Fact>> = interrupted.flat_map(|one| one.transactions.clone()).collect();
        let found = Graph::of(recovered);
        // An old copy in the place of the store is no crash, and DUR-3's business.
        if !events.restored.iter().any(|restored| restored.node == recovered.node && meanwhile(restored.index)) {
            verdicts.push((*recovered, graph.judge(&acknowledged, &under_way, &found)));
        }
        (graph, since) = (found, recovered.index);
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::{
        SimTime,
        event::{Event, Fact, HeldEdge, Recovered, StoreInterrupted, StoreRestored},
    };

    const SURVIVE: &str = "acknowledged_changes_survive_a_crash";
    const PREFIX: &str = "recovered_graph_is_a_prefix";

    fn unfriended() -> Fact {
        Fact::Unfriended { by: "alice".into(), other: "bob".into() }
    }

    fn recovers(story: &mut Story, wants: [bool; 2]) {
        let edge = |from: &str, to: &str, wants| HeldEdge {
            from: from.into(),
            to: to.into(),
            wants,
            blocks: false,
            follows: false,
        };
        let edges = vec![edge("alice", "bob", wants[0]), edge("bob", "alice", wants[1])];
        story.tell(Event::Recovered(Recovered { node: "signaling".into(), edges, sessions: Vec::new() }));
    }

    fn interrupted(story: &mut Story) {
        let transactions = vec![vec![unfriended()]];
        story.tell(Event::StoreInterrupted(StoreInterrupted { node: "signaling".into(), transactions }));
    }

    #[test]
    fn a_friendship_is_still_there_after_the_crash() {
        let mut story = Story::new();
        recovers(story.befriend(), [true, true]);
        assert_eq!(story.holds(SURVIVE), 2);
    }

    #[test]
    fn an_acknowledged_unfriending_that_is_undone_is_found() {
        let mut story = Story::new();
        recovers(story.befriend().at(2_000).fact(unfriended()), [true, true]);
        let sentence =
            "alice says nothing of bob as was acknowledged, and that they want to be friends after the crash";
        assert_eq!(story.fails_only(SURVIVE), sentence);
    }

    #[test]
    fn a_copy_that_was_put_back_is_no_crash() {
        let mut story = Story::new();
        story.befriend().at(2_000).fact(unfriended());
        let (node, copied) = ("signaling".into(), SimTime(1_500_000));
        story.at(3_000).tell(Event::StoreRestored(StoreRestored { node, copied }));
        recovers(&mut story, [true, true]);
        recovers(story.at(4_000), [true, true]);
        assert_eq!((story.holds(PREFIX)), 1);
    }

    #[test]
    fn a_half_written_unfriending_is_found() {
        let mut story = Story::new();
        interrupted(story.befriend().at(2_000));
        recovers(&mut story, [true, false]);
        assert!(story.fails_only(PREFIX).contains("a friend graph that there never was"));
    }

    /// What was under way at the first crash and is there afterwards counts at the second.
    #[test]
    fn the_second_crash_is_judged_by_what_the_first_left() {
        let mut story = Story::new();
        interrupted(story.befriend().at(2_000));
        recovers(&mut story, [false, false]);
        recovers(story.at(4_000), [false, false]);
        assert_eq!(story.holds(PREFIX), 2);
        let mut story = Story::new();
        interrupted(story.befriend().at(2_000));
        recovers(&mut story, [false, false]);
        recovers(story.at(4_000), [true, true]);
        story.fails_only(PREFIX);
    }
}
