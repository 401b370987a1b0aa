//! Batches, the codecs alone, and the mutant matrix, on real scenarios that are short.

use campaign::{
    Batch, CrashReport, Fate, Judged, Progress, RunDigest, RunOptions, codecs_alone,
    matrix::{Trial, try_mutants},
    schedules::explore,
    vocabulary,
};
use kernel::{
    Mutant, Plan,
    plan::{MediaPlan, SchedulePlan, VideoCodec},
};
use scenarios::{Overrides, find, load};
use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering},
};
use world::{Reference, Trails};

const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

fn plan(pattern: &str, seed: u64) -> Plan {
    let files = find(pattern).unwrap();
    load(&files[0], &vocabulary(), &Overrides::default()).unwrap()[0].plan(seed)
}

/// A batch whose first run takes longest, so that with two jobs the later ones are over first.
fn long_before_short() -> Vec<Plan> {
    ["canary/link-hides-delay", "canary/stranger-rings"]
        .iter()
        .flat_map(|pattern| [2, 1].map(|seed| plan(pattern, seed)))
        .collect()
}

fn digests(plans: &[Plan], jobs: NonZeroUsize) -> Vec<RunDigest> {
    let batch = Batch { plans: plans.to_vec(), jobs, log: None, pictures: 0 };
    let progress = Progress::default();
    let mut digests = Vec::new();
    batch.run(&progress, |index, result| {
        assert_eq!(index, digests.len());
        let judged = result.unwrap();
        assert_eq!(judged.judgement.plan, plans[index]);
        digests.push(judged.digest());
    });
    assert_eq!(progress.done.load(Ordering::Relaxed), plans.len());
    assert_eq!(progress.simulated_us.load(Ordering::Relaxed), plans.iter().map(|plan| plan.duration.0).sum::<u64>());
    digests
}

#[test]
fn a_batch_gives_the_same_digests_in_the_order_of_its_plans_whatever_the_jobs() {
    let plans = long_before_short();
    let alone = digests(&plans, NonZeroUsize::MIN);
    assert_eq!(digests(&plans, TWO), alone);
    for (index, digest) in alone.iter().enumerate() {
        assert!(alone[..index].iter().all(|earlier| earlier.log != digest.log), "run {index} is the same as another");
    }
}

#[test]
fn a_batch_goes_on_after_a_run_that_could_not_be_made() {
    let good = plan("canary/stranger-rings", 1);
    let mut broken = good.clone();
    broken.participants.push(good.participants[0].clone());
    let batch = Batch { plans: vec![broken, good], jobs: TWO, log: None, pictures: 0 };
    let mut made = Vec::new();
    batch.run(&Progress::default(), |_, result| made.push(result.is_ok()));
    assert_eq!(made, [false, true]);
}

#[test]
fn the_codecs_alone_make_every_frame_of_a_run_again() {
    let plan = Plan { mutant: None, ..plan("canary/link-hides-delay", 1) };
    let judged = Judged::run(&plan, &RunOptions::default()).unwrap();
    let cost = codecs_alone(judged.log()).unwrap();
    assert_eq!(cost.different, 0);
    assert!(cost.encoded > 0 && cost.decoded > 0, "{cost:?}");
}

fn trial(pattern: &str, mutant: Mutant, invariant: &str) -> Trial {
    Trial { mutant, invariant: invariant.into(), plan: plan(pattern, 1) }
}

fn fate(pattern: &str, mutant: Mutant, invariant: &str) -> Fate {
    let row = try_mutants(&[trial(pattern, mutant, invariant)], TWO).remove(0).unwrap();
    assert_eq!((row.mutant, row.invariant.as_str()), (mutant, invariant));
    row.fate
}

#[test]
fn a_mutant_is_killed_by_the_invariant_that_is_named_for_it() {
    let Fate::Killed { checks, violations } = fate("canary/stranger-rings", Mutant::V20, "only_friends_ring") else {
        panic!("a stranger rings and nobody sees it");
    };
    assert!(0 < violations && violations <= checks);
}

#[test]
fn a_mutant_survives_where_its_attack_is_not_tried() {
    assert_eq!(fate("call/declined", Mutant::V20, "only_friends_ring"), Fate::Survived);
}

#[test]
fn a_mutant_that_another_invariant_kills_died_of_the_wrong_cause() {
    let failed = vec!["only_friends_ring".to_owned()];
    assert_eq!(fate("canary/stranger-rings", Mutant::V20, "every_call_ends"), Fate::WrongCause { failed });
}

#[test]
fn rows_of_the_matrix_come_in_the_order_of_the_trials() {
    let trials = [
        trial("canary/link-hides-delay", Mutant::V133, "legs_sum_to_glass_to_glass"),
        trial("call/declined", Mutant::V20, "only_friends_ring"),
        trial("canary/stranger-rings", Mutant::V20, "only_friends_ring"),
    ];
    let rows: Vec<_> = try_mutants(&trials, TWO).into_iter().map(Result::unwrap).collect();
    let scenarios: Vec<_> = rows.iter().map(|row| row.scenario.as_str()).collect();
    assert_eq!(scenarios, ["link-hides-delay", "declined", "stranger-rings"]);
    let killed: Vec<_> = rows.iter().map(|row| matches!(row.fate, Fate::Killed { .. })).collect();
    assert_eq!(killed, [true, false, true]);
}

#[test]
fn every_preset_has_a_cell_but_the_one_that_lets_nothing_through() {
    let file = &find("network/every-preset").unwrap()[0];
    let cells = load(file, &vocabulary(), &Overrides::default()).unwrap();
    let listed: BTreeSet<String> =
        cells.iter().map(|cell| cell.plan(1).participants[0].access.preset.clone()).collect();
    let mut presets: BTreeSet<String> = vocabulary().presets.into_keys().collect();
    assert!(presets.remove("loadero-loss-100"));
    assert_eq!((listed, cells.len()), (presets.clone(), presets.len()));
}

#[test]
fn no_crash_of_a_workload_loses_what_was_acknowledged_and_each_planted_bug_does() {
    let clean = CrashReport::of(1, 60, None).unwrap();
    assert!(clean.holds(), "{clean:?}");
    let sweep = clean.sweep;
    assert!(sweep.transactions >= 20 && sweep.crashes > 100 * sweep.transactions, "{sweep:?}");
    // The last acknowledgements are the present, and facts about calls are no part of the graph.
    assert!(clean.rollbacks_seen > 0 && clean.rollbacks_seen < sweep.snapshots, "{clean:?}");
    let early = CrashReport::of(1, 60, Some(Mutant::V117)).unwrap();
    assert!(early.lost > 0 && early.not_prefixes == 0 && early.unreadable == 0, "{early:?}");
    let halves = CrashReport::of(1, 60, Some(Mutant::V122)).unwrap();
    assert!(halves.not_prefixes > 0 && halves.lost == 0 && halves.unreadable == 0, "{halves:?}");
}

/// Bob answers by voice; whether his camera opens is up to the order of two queues.
#[test]
fn v05_is_found_by_another_order_and_not_by_that_of_the_queues() {
    let sound = plan("call/answered-by-voice", 1);
    let explored = explore(&Plan { mutant: Some(Mutant::V05), ..sound.clone() }, 8, 3, TWO).unwrap();
    assert_eq!(explored.as_queued, [""; 0], "the order in which things are queued hides it");
    let (_, failed) = explored.first.expect("an order shows it");
    assert_eq!(failed, ["nothing_before_accept"]);
    assert!(explored.failed < explored.tried && explored.choices > 0, "{} of {}", explored.failed, explored.tried);

    let explored = explore(&sound, 8, 3, TWO).unwrap();
    assert_eq!((explored.failed, explored.as_queued), (0, Vec::new()), "without the bug every order is sound");
    assert!(explored.different > 1 && explored.different < 8, "a run has few choices: {}", explored.different);
}

#[test]
fn an_order_is_a_function_of_its_number() {
    let order = |number| {
        let schedule = Some(SchedulePlan { depth: 3, number, steps: 100 });
        Plan { schedule, ..plan("call/answered-by-voice", 1) }
    };
    let found = digests(&[order(1), order(1), order(2)], TWO);
    assert_eq!(found[0], found[1]);
    assert_ne!(found[0].log, found[2].log);
}

/// Because of this an order whose choices were all made before need not be run.
#[test]
fn orders_that_choose_alike_are_the_same_run() {
    let sound = plan("friends/unfriended-mid-call", 1);
    let media = MediaPlan { video_codec: VideoCodec::Modelled, quality_every: 0, ..sound.media.clone() };
    let (mut trails, mut events) = (Trails::default(), Vec::new());
    let mut again = 0;
    for number in 0..24 {
        let schedule = SchedulePlan { depth: 3, number, steps: 7 };
        let plan = Plan { schedule: Some(schedule), media: media.clone(), ..sound.clone() };
        let foretold = trails.find(plan.seed, schedule);
        let outcome = world::run(&plan, Arc::new(Reference), &RunOptions::default()).unwrap();
        let run = outcome.log.records.into_iter().skip(1).map(|record| format!("{record:?}")).collect::<Vec<_>>();
        if trails.add(outcome.trail, events.len()) {
            assert_eq!(foretold, None);
            events.push(run);
        } else {
            again += 1;
            let known = trails.find(plan.seed, schedule).unwrap();
            assert!(foretold == Some(known) && events[known] == run, "order {number} is not run {known}");
        }
    }
    assert!(again > 0 && events.len() > 1, "{again} of 24 were known");
}
