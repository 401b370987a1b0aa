//! What the world writes into the log besides what actors say: the plan, what servers hold, and what they log.

use crate::{
    puppets::{Puppet, run},
    village::village,
};
use kernel::{Event, Micros, SimTime};

#[test]
fn the_plan_is_the_first_record() {
    let plan = village(Micros::from_millis(10));
    let log = run(&plan, Puppet::idle).unwrap().log;
    let Event::Plan(first) = &log.records[0].event else { panic!("{:?}", log.records[0]) };
    assert_eq!(**first, plan);
}

#[test]
fn servers_show_what_they_hold_every_two_seconds_of_the_timeline() {
    let outcome = run(&village(Micros::from_millis(4_500)), |name| match name {
        "signaling" => Puppet::idle(name).holding(b"accounts"),
        _ => Puppet::idle(name),
    });
    let log = outcome.unwrap().log;
    let shown = log.records.iter().filter_map(|record| match &record.event {
        Event::Snapshot(snapshot) => Some((record.at.0, snapshot.node.as_str(), log.bytes(snapshot.bytes))),
        _ => None,
    });
    let expected = [10_000_000, 12_000_000, 14_000_000].map(|at| (at, "signaling", b"accounts".as_slice()));
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn what_an_actor_logs_at_info_is_in_the_log_under_its_name_with_its_microsecond() {
    let outcome = run(&village(Micros::from_millis(10)), |name| match name {
        "bob-phone" => Puppet::idle(name).waking(SimTime(10_000_500)).doing(|_, _, _| {
            tracing::debug!("nobody keeps this");
            tracing::info!(answer = 42, "bob speaks");
        }),
        _ => Puppet::idle(name),
    });
    let log = outcome.unwrap().log;
    let mut spoken = log.records.iter().filter_map(|record| match &record.event {
        Event::LogLine(line) => Some((record.at.0, line.actor.as_str(), line.level.as_str(), line.line.clone())),
        _ => None,
    });
    let (at, actor, level, line) = spoken.next_back().expect("a line");
    assert_eq!((at, actor, level), (10_000_500, "bob-phone", "info"));
    assert!(line.contains("bob speaks") && line.contains("answer=42"), "{line}");
    assert!(
        !log.records.iter().any(|record| matches!(&record.event, Event::LogLine(line) if line.line.contains("nobody")))
    );
}
