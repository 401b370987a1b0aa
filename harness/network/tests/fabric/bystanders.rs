//! Hosts of the adversary: one that may spoof, and one that only its gateway reaches.

use crate::driver::{PERFECT, Shot, drive, drops, endpoint, name, node, simulate};
use kernel::event::DropReason;

fn shot(at: u64, from: &'static str, source: &str, destination: &str) -> Shot {
    Shot { at, from, source: endpoint(source), destination: endpoint(destination), len: 50 }
}

#[test]
fn a_spoofer_sends_in_the_name_of_others_and_gets_no_answer() {
    let (arrivals, log) = simulate(1, |fabric| {
        for (name, address) in [("mallory", "192.0.2.66"), ("alice", "198.51.100.10"), ("bob", "198.51.100.11")] {
            fabric.add_node(node(name, address, PERFECT, PERFECT)).unwrap();
        }
        fabric.let_spoof(&name("mallory"));
        let shots = [
            shot(10, "mallory", "198.51.100.10:5000", "198.51.100.11:5000"),
            shot(20, "alice", "198.51.100.11:5000", "198.51.100.11:5000"),
        ];
        drive(fabric, &shots, |arrival| {
            (arrival.to == name("bob")).then(|| {
                let seen = &arrival.datagram;
                kernel::Datagram::new(seen.destination, seen.source, vec![1])
            })
        })
    });
    let to: Vec<_> = arrivals.iter().map(|(_, arrival)| (arrival.to.clone(), arrival.datagram.source)).collect();
    let spoofed = endpoint("198.51.100.10:5000");
    assert_eq!(to, [(name("bob"), spoofed), (name("alice"), endpoint("198.51.100.11:5000"))]);
    assert_eq!(drops(&log)[0].2, DropReason::SpoofedSource);
}

#[test]
fn an_internal_service_is_reached_from_its_gateway_only() {
    let (arrivals, log) = simulate(1, |fabric| {
        fabric.add_node(node("relay", "192.0.2.1", PERFECT, PERFECT)).unwrap();
        fabric.add_node(node("alice", "198.51.100.10", PERFECT, PERFECT)).unwrap();
        fabric.add_internal(node("internal", "10.66.0.5", PERFECT, PERFECT), &name("relay")).unwrap();
        let shots = [
            shot(10, "alice", "198.51.100.10:5000", "10.66.0.5:80"),
            shot(20, "relay", "192.0.2.1:50000", "10.66.0.5:80"),
            shot(30, "relay", "192.0.2.1:50000", "10.66.0.6:80"),
        ];
        drive(fabric, &shots, |_| None)
    });
    let [(_, arrival)] = &arrivals[..] else { panic!("one arrival: {arrivals:?}") };
    assert_eq!((&arrival.to, arrival.datagram.source), (&name("internal"), endpoint("192.0.2.1:50000")));
    assert!(drops(&log).iter().all(|(_, _, reason)| *reason == DropReason::NoRoute));
}
