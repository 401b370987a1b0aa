//! Servers that stop and start again, and paths that are cut.

use crate::{
    puppets::{Puppet, lines, notes, run},
    village::{ALICE, BOB, server, village},
};
use kernel::{
    Event, Micros, Plan, SimTime,
    event::DropReason,
    trouble::{Fault, FaultKind, Trouble},
};
use std::net::SocketAddr;

/// When Alice sends, in microseconds after the beginning of the timeline.
const PINGS: [u64; 3] = [5_500, 15_500, 25_500];

fn plan(faults: [FaultKind; 2]) -> Plan {
    let [first, second] = faults;
    let faults = vec![Fault { at: Micros(10_000), kind: first }, Fault { at: Micros(20_000), kind: second }];
    let trouble = Trouble { faults, ..Trouble::default() };
    Plan { relays: vec![server("relay", 2)], trouble, ..village(Micros::from_millis(100)) }
}

fn pinging(to: SocketAddr) -> Puppet {
    let at = |ping: usize| PINGS.get(ping).map(|after| Plan::TIMELINE_START + Micros(*after));
    let mut sent = 0;
    let first = at(0).unwrap_or(SimTime::NEVER);
    Puppet::idle("alice-phone").waking(first).doing(move |_, _, alice| {
        alice.send(ALICE, to, b"ping");
        sent += 1;
        alice.wake = at(sent);
    })
}

fn dropped(outcome: &world::Outcome) -> Vec<(u64, DropReason)> {
    let dropped = outcome.log.records.iter().filter_map(|record| match &record.event {
        Event::PacketDropped(dropped) => Some((record.at.0, dropped.reason)),
        _ => None,
    });
    dropped.collect()
}

#[test]
fn a_cut_between_two_nodes_lets_nothing_pass_until_it_is_mended() {
    let between = ("bob-phone".into(), "alice-phone".into());
    let (cut, mend) = (FaultKind::Cut { between: between.clone() }, FaultKind::Mend { between });
    let outcome = run(&plan([cut, mend]), |name| match name {
        "alice-phone" => pinging(BOB),
        "bob-phone" => Puppet::idle(name).doing(|_, _, bob| bob.note("ping")),
        _ => Puppet::idle(name),
    });
    let outcome = outcome.unwrap();
    assert_eq!(notes(&outcome.log), lines(&[(10_005_500, "ping"), (10_025_500, "ping")]));
    assert_eq!(dropped(&outcome), [(10_015_500, DropReason::NoRoute)]);
}

#[test]
fn a_server_that_crashed_gets_nothing_until_it_starts_again_without_its_memory() {
    let node = || "relay".into();
    let outcome = run(&plan([FaultKind::Crash { node: node() }, FaultKind::Restart { node: node() }]), |name| {
        let relay = SocketAddr::new(server("relay", 2).address, 5_000);
        let mut heard = 0;
        match name {
            "alice-phone" => pinging(relay),
            "relay" => Puppet::idle(name).doing(move |_, _, relay| {
                heard += 1;
                relay.note(format!("ping {heard}"));
            }),
            _ => Puppet::idle(name),
        }
    });
    let outcome = outcome.unwrap();
    assert_eq!(notes(&outcome.log), lines(&[(10_005_500, "ping 1"), (10_025_500, "ping 1")]));
    assert_eq!(dropped(&outcome), [(10_015_500, DropReason::HostDown)]);
}

#[test]
fn starts_of_an_app_are_counted_whatever_is_on_its_disk() {
    let node = || "bob-phone".into();
    let fault = |ms: u64, kind| Fault { at: Micros::from_millis(ms), kind };
    let faults = vec![
        fault(10, FaultKind::Crash { node: node() }),
        fault(20, FaultKind::Restart { node: node() }),
        fault(30, FaultKind::Crash { node: node() }),
        fault(40, FaultKind::Restart { node: node() }),
    ];
    let trouble = Trouble { faults, ..Trouble::default() };
    let outcome = run(&Plan { trouble, ..village(Micros::from_millis(100)) }, Puppet::idle).unwrap();
    assert_eq!(notes(&outcome.log), lines(&[(10_020_000, "starts again: 1"), (10_040_000, "starts again: 2")]));
}
