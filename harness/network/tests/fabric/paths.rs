//! The ways of packets: through NATs, within a home, to nobody.

use crate::driver::{PERFECT, Shot, at_core, behind_nat, drive, drops, endpoint, name, node, simulate};
use kernel::{
    Datagram, Event,
    event::DropReason,
    plan::{CarrierPlan, CoreLink, Firewall, Ipv6Plan, LinkChange, LinkPlan, NatChange, NatPlan, Pace},
    time::{Micros, SimTime},
};
use network::{Arrival, Fabric, FabricError, LinkProblem, NodePlan};
use std::net::SocketAddr;

const HOME: &str = "203.0.113.1";
const OTHER_HOME: &str = "203.0.113.2";
const STUN: &str = "198.51.100.10:3478";

/// Two homes and a public server. `alice` and `mate` share a home; `bob` has the private address of `mate` in his.
fn two_homes(fabric: &mut Fabric, nat: &NatPlan) {
    fabric.add_node(behind_nat("alice", "192.168.1.2", nat.clone(), HOME)).unwrap();
    fabric.add_node(behind_nat("mate", "192.168.1.3", nat.clone(), HOME)).unwrap();
    fabric.add_node(behind_nat("bob", "192.168.1.3", nat.clone(), OTHER_HOME)).unwrap();
    fabric.add_node(node("stun", "198.51.100.10", PERFECT, PERFECT)).unwrap();
    fabric.add_node(node("other", "198.51.100.11", PERFECT, PERFECT)).unwrap();
}

fn shot(at: u64, from: &'static str, source: &str, destination: SocketAddr) -> Shot {
    Shot { at, from, source: endpoint(source), destination, len: 100 }
}

/// Sends one packet now and gives back who received it.
fn fire(fabric: &mut Fabric, from: &'static str, source: &str, destination: SocketAddr) -> Option<Arrival> {
    let at = kernel::time::now().0;
    drive(fabric, &[shot(at, from, source, destination)], |_| None).pop().map(|(_, arrival)| arrival)
}

/// The public endpoint of a socket, as the STUN server sees it.
fn reflexive(fabric: &mut Fabric, from: &'static str, source: &str) -> SocketAddr {
    let arrival = fire(fabric, from, source, endpoint(STUN)).unwrap();
    assert_eq!(arrival.to, name("stun"));
    arrival.datagram.source
}

#[test]
fn an_answer_comes_back_through_the_nat_and_nobody_sees_the_private_address() {
    for nat in [NatPlan::FULL_CONE, NatPlan::PORT_RESTRICTED, NatPlan::SYMMETRIC] {
        let (arrival, log) = simulate(1, |fabric| {
            two_homes(fabric, &nat);
            let public = reflexive(fabric, "alice", "192.168.1.2:5000");
            assert_eq!(public.ip().to_string(), HOME);
            fire(fabric, "stun", STUN, public).unwrap()
        });
        assert_eq!(arrival.to, name("alice"));
        assert_eq!(
            (arrival.datagram.source, arrival.datagram.destination),
            (endpoint(STUN), endpoint("192.168.1.2:5000"))
        );
        assert!(at_core(&log).iter().all(|(source, destination)| {
            [source, destination].iter().all(|endpoint| !endpoint.ip().to_string().starts_with("192.168."))
        }));
    }
}

#[test]
fn the_kind_of_nat_decides_which_strangers_come_in() {
    // For each kind: whether another server may use the mapping that was opened towards the first.
    for (nat, comes_in) in [(NatPlan::FULL_CONE, true), (NatPlan::PORT_RESTRICTED, false), (NatPlan::SYMMETRIC, false)]
    {
        let (arrival, log) = simulate(1, |fabric| {
            two_homes(fabric, &nat);
            let public = reflexive(fabric, "alice", "192.168.1.2:5000");
            fire(fabric, "other", "198.51.100.11:3478", public)
        });
        assert_eq!(arrival.is_some(), comes_in, "{nat:?}");
        if !comes_in {
            let [(_, place, reason)] = &drops(&log)[..] else { panic!("one drop") };
            assert_eq!((place.as_str(), *reason), ("alice", DropReason::NatFiltered));
        }
    }
}

#[test]
fn hole_punching_works_through_port_restricted_and_not_through_symmetric_nats() {
    for (nat, connects) in [(NatPlan::FULL_CONE, true), (NatPlan::PORT_RESTRICTED, true), (NatPlan::SYMMETRIC, false)] {
        let ((), _) = simulate(1, |fabric| {
            two_homes(fabric, &nat);
            let alice = reflexive(fabric, "alice", "192.168.1.2:5000");
            let bob = reflexive(fabric, "bob", "192.168.1.3:5000");
            fire(fabric, "alice", "192.168.1.2:5000", bob);
            let punched = fire(fabric, "bob", "192.168.1.3:5000", alice);
            assert_eq!(punched.is_some_and(|arrival| arrival.to == name("alice")), connects, "{nat:?}");
        });
    }
}

#[test]
fn a_closed_nat_drops_what_nobody_asked_for() {
    let ((), log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::FULL_CONE);
        assert_eq!(fire(fabric, "stun", STUN, endpoint("203.0.113.1:5000")), None);
    });
    assert_eq!(drops(&log)[0].2, DropReason::NatNoMapping);
}

#[test]
fn the_same_lan_is_reached_by_private_address_and_not_over_the_core() {
    let (arrival, log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::SYMMETRIC);
        fire(fabric, "alice", "192.168.1.2:5000", endpoint("192.168.1.3:6000")).unwrap()
    });
    assert_eq!(arrival.to, name("mate"), "bob has this private address too, in another home");
    assert_eq!(arrival.datagram.source, endpoint("192.168.1.2:5000"), "no NAT on the way");
    assert_eq!(at_core(&log), []);
}

#[test]
fn a_private_address_of_another_home_is_no_route() {
    let ((), log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::FULL_CONE);
        assert_eq!(fire(fabric, "bob", "192.168.1.3:5000", endpoint("192.168.1.2:5000")), None);
        assert_eq!(fire(fabric, "stun", STUN, endpoint("192.168.1.2:5000")), None);
    });
    let reasons: Vec<_> = drops(&log).into_iter().map(|(_, place, reason)| (place, reason)).collect();
    assert_eq!(reasons, [("core".into(), DropReason::NoRoute), ("core".into(), DropReason::NoRoute)]);
}

#[test]
fn a_home_hairpins_between_its_nodes() {
    let (arrival, log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::PORT_RESTRICTED);
        let alice = reflexive(fabric, "alice", "192.168.1.2:5000");
        let mate = reflexive(fabric, "mate", "192.168.1.3:5000");
        assert_eq!(fire(fabric, "alice", "192.168.1.2:5000", mate), None, "mate has not spoken to alice yet");
        let arrival = fire(fabric, "mate", "192.168.1.3:5000", alice).unwrap();
        assert_eq!(
            arrival.datagram.source, mate,
            "the source of a hairpinned packet is the public one (RFC 4787, REQ-9)"
        );
        arrival
    });
    assert_eq!(arrival.to, name("alice"));
    assert_eq!(at_core(&log).len(), 2, "only the two packets to the STUN server");
}

#[test]
fn a_zero_link_adds_zero_microseconds() {
    let (arrivals, log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::PORT_RESTRICTED);
        drive(fabric, &[shot(1_234_567, "alice", "192.168.1.2:5000", endpoint(STUN))], |_| None)
    });
    assert_eq!(arrivals[0].0, SimTime(1_234_567));
    let Event::PacketArrived(arrived) = &log.records.last().unwrap().event else { panic!("arrived last") };
    assert_eq!((arrived.serialization, arrived.propagation), (Micros::ZERO, Micros::ZERO));
}

#[test]
fn a_node_that_is_down_neither_sends_nor_receives() {
    let ((), log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::FULL_CONE);
        fabric.set_up(&name("stun"), false);
        assert_eq!(fire(fabric, "stun", STUN, endpoint("198.51.100.11:1")), None);
        assert_eq!(fire(fabric, "other", "198.51.100.11:1", endpoint(STUN)), None);
        fabric.set_up(&name("stun"), true);
        assert!(fire(fabric, "other", "198.51.100.11:1", endpoint(STUN)).is_some());
    });
    let dropped: Vec<_> = drops(&log).into_iter().map(|(_, place, reason)| (place, reason)).collect();
    assert_eq!(dropped, [("stun".into(), DropReason::HostDown), ("stun".into(), DropReason::HostDown)]);
}

#[test]
fn a_packet_takes_the_interface_of_its_source_and_none_that_is_down() {
    let ((), log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::PORT_RESTRICTED);
        let lte = behind_nat("alice.lte", "192.168.9.2", NatPlan::PORT_RESTRICTED, "203.0.113.9");
        fabric.add_interface(&name("alice"), lte).unwrap();
        let addresses = |fabric: &Fabric| {
            let up = fabric.interfaces(&name("alice")).into_iter();
            up.map(|interface| interface.addresses[0].to_string()).collect::<Vec<_>>()
        };
        assert_eq!(addresses(fabric), ["192.168.1.2", "192.168.9.2"]);
        let (home, lte) = ("192.168.1.2:5000", "192.168.9.2:5000");
        assert_eq!(reflexive(fabric, "alice", home).ip().to_string(), HOME);
        let mapped = reflexive(fabric, "alice", lte);
        assert_eq!(mapped.ip().to_string(), "203.0.113.9");
        let back = fire(fabric, "stun", STUN, mapped).unwrap();
        assert_eq!((back.to, back.datagram.destination), (name("alice"), endpoint(lte)));

        fabric.set_interface(&name("alice.lte"), false);
        assert_eq!(addresses(fabric), ["192.168.1.2"]);
        assert_eq!(fire(fabric, "alice", lte, endpoint(STUN)), None);
        assert_eq!(fire(fabric, "stun", STUN, mapped), None);
        assert!(fire(fabric, "alice", home, endpoint(STUN)).is_some());
        fabric.set_interface(&name("alice.lte"), true);
        assert!(fire(fabric, "alice", lte, endpoint(STUN)).is_some());
    });
    let dropped: Vec<_> = drops(&log).into_iter().map(|(_, place, reason)| (place, reason)).collect();
    let down = ("alice.lte".to_owned(), DropReason::InterfaceDown);
    assert_eq!(dropped, [down.clone(), down]);
}

#[test]
fn version_6_goes_past_the_nat_and_vanishes_where_it_is_broken() {
    let ipv6 = |address: &str, works| Some(Ipv6Plan { address: address.parse().unwrap(), works });
    let ((), log) = simulate(1, |fabric| {
        let nat = || NatPlan::PORT_RESTRICTED;
        let alice = behind_nat("alice", "192.168.1.2", nat(), HOME);
        fabric.add_node(NodePlan { ipv6: ipv6("2001:db8:1::2", true), ..alice }).unwrap();
        let bob = behind_nat("bob", "192.168.1.3", nat(), OTHER_HOME);
        fabric.add_node(NodePlan { ipv6: ipv6("2001:db8:2::2", false), ..bob }).unwrap();
        let stun = node("stun", "198.51.100.10", PERFECT, PERFECT);
        fabric.add_node(NodePlan { ipv6: ipv6("2001:db8::1", true), ..stun }).unwrap();
        let preferred = fabric.interfaces(&name("alice"))[0].addresses[0];
        assert_eq!(preferred.to_string(), "2001:db8:1::2", "version 6 comes first");

        let (alice, bob, stun) = ("[2001:db8:1::2]:1", "[2001:db8:2::2]:1", endpoint("[2001:db8::1]:1"));
        let seen = fire(fabric, "alice", alice, stun).unwrap().datagram.source;
        assert_eq!(seen, endpoint(alice));
        assert_eq!(fire(fabric, "stun", "[2001:db8::1]:1", endpoint(alice)).unwrap().to, name("alice"));
        assert_eq!(fire(fabric, "bob", bob, stun), None);
        assert_eq!(fire(fabric, "stun", "[2001:db8::1]:1", endpoint(bob)), None);
        assert!(fire(fabric, "bob", "192.168.1.3:1", endpoint(STUN)).is_some());
    });
    assert!(drops(&log).iter().all(|(_, place, reason)| (place.as_str(), *reason) == ("bob", DropReason::NoRoute)));
    assert_eq!(drops(&log).len(), 2);
}

#[test]
fn what_is_under_way_on_an_interface_that_goes_down_is_lost() {
    let slow = LinkPlan { propagation: Micros::from_millis(10), ..PERFECT };
    let (arrivals, log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::PORT_RESTRICTED);
        let lte = node("alice.lte", "198.51.100.20", slow.clone(), slow.clone());
        fabric.add_interface(&name("alice"), lte).unwrap();
        fabric.send(&name("alice"), Datagram::new(endpoint("198.51.100.20:1"), endpoint(STUN), vec![0; 9]));
        fabric.send(&name("stun"), Datagram::new(endpoint(STUN), endpoint("198.51.100.20:1"), vec![0; 9]));
        fabric.set_interface(&name("alice.lte"), false);
        drive(fabric, &[], |_| None)
    });
    assert!(arrivals.is_empty());
    assert!(drops(&log).iter().all(|(_, _, reason)| *reason == DropReason::InterfaceDown));
    assert_eq!(drops(&log).len(), 2);
}

#[test]
fn a_foreign_source_address_goes_nowhere() {
    let ((), log) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::FULL_CONE);
        assert_eq!(fire(fabric, "other", "198.51.100.10:1", endpoint(STUN)), None);
    });
    assert_eq!(drops(&log)[0].2, DropReason::SpoofedSource);
}

#[test]
fn identity_cause_and_hold_time_pass_through() {
    let ((arrivals, sent), _) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::FULL_CONE);
        let mut datagram = kernel::Datagram::new(endpoint(STUN), endpoint("198.51.100.11:9"), vec![7; 3]);
        datagram.cause = Some(kernel::PacketId(42));
        datagram.relay = Micros(17);
        fabric.send(&name("stun"), datagram.clone());
        (drive(fabric, &[], |_| None), datagram)
    });
    assert_eq!(arrivals[0].1.datagram, sent);
}

#[test]
fn a_link_changes_at_its_time_and_spares_what_is_under_way() {
    let slow = LinkPlan { propagation: Micros(10_000), ..PERFECT };
    let (times, log) = simulate(1, |fabric| {
        fabric.add_node(node("a", "198.51.100.1", slow.clone(), PERFECT)).unwrap();
        fabric.add_node(node("b", "198.51.100.2", PERFECT, PERFECT)).unwrap();
        let (source, destination) = ("198.51.100.1:1", endpoint("198.51.100.2:1"));
        fabric.send(&name("a"), kernel::Datagram::new(endpoint(source), destination, vec![0]));
        let longer = LinkChange { propagation: Some(Micros(30_000)), ..LinkChange::default() };
        fabric.change_link(&"a/up".into(), &longer).unwrap();
        let arrivals = drive(fabric, &[shot(0, "a", source, destination)], |_| None);
        arrivals.into_iter().map(|(at, _)| at).collect::<Vec<_>>()
    });
    assert_eq!(times, [SimTime(10_000), SimTime(30_000)]);
    let changes = log.records.iter().filter_map(|record| match &record.event {
        Event::LinkChanged(changed) => Some((changed.link.as_str(), changed.to.propagation.0)),
        _ => None,
    });
    let expected = [("a/up", 10_000), ("a/down", 0), ("b/up", 0), ("b/down", 0), ("a/up", 30_000)];
    assert_eq!(changes.collect::<Vec<_>>(), expected);
}

#[test]
fn wrong_topologies_are_refused() {
    let ((), _) = simulate(1, |fabric| {
        two_homes(fabric, &NatPlan::SYMMETRIC);
        let mut refused = |plan| fabric.add_node(plan).unwrap_err();
        assert_eq!(
            refused(behind_nat("alice", "192.168.1.9", NatPlan::SYMMETRIC, HOME)),
            FabricError::NameTaken("alice".into())
        );
        let taken = |address: &str| FabricError::AddressTaken { node: "new".into(), address: address.parse().unwrap() };
        assert_eq!(refused(behind_nat("new", "192.168.1.3", NatPlan::SYMMETRIC, HOME)), taken("192.168.1.3"));
        assert_eq!(refused(node("new", HOME, PERFECT, PERFECT)), taken(HOME));
        assert_eq!(
            refused(behind_nat("new", "192.168.1.9", NatPlan::SYMMETRIC, "198.51.100.10")),
            taken("198.51.100.10")
        );
        assert!(matches!(
            refused(behind_nat("new", "192.168.1.9", NatPlan::FULL_CONE, HOME)),
            FabricError::MixedNat { .. }
        ));
        let without_nat = NodePlan { nat: None, ..behind_nat("new", "192.168.1.9", NatPlan::SYMMETRIC, HOME) };
        assert_eq!(refused(without_nat), FabricError::PublicAddressWithoutNat("new".into()));
        let stalled = LinkPlan { rate: Some(kernel::BitRate(0)), ..PERFECT };
        let problem = FabricError::BadLink { link: "new/down".into(), problem: LinkProblem::RateZero };
        assert_eq!(refused(node("new", "198.51.100.99", PERFECT, stalled)), problem);
        let nothing = LinkChange::default();
        assert_eq!(fabric.change_link(&"x/up".into(), &nothing), Err(FabricError::UnknownLink("x/up".into())));
        let via = NodePlan { via: vec!["wan".into()], ..behind_nat("new", "192.168.1.9", NatPlan::SYMMETRIC, HOME) };
        let unknown = FabricError::UnknownVia { node: "new".into(), link: "wan".into() };
        assert_eq!(fabric.add_node(via.clone()), Err(unknown));
        let wan = CoreLink { name: "wan".into(), up: PERFECT, down: PERFECT };
        fabric.add_core_link(wan.clone()).unwrap();
        assert_eq!(fabric.add_core_link(wan), Err(FabricError::LinkNameTaken("wan/up".into())));
        let public_address = HOME.parse().unwrap();
        assert_eq!(fabric.add_node(via), Err(FabricError::MixedVia { node: "new".into(), public_address }));
        let traced = LinkChange { rate: Some(Pace::Trace("t".into())), ..LinkChange::default() };
        let unknown = FabricError::UnknownTrace { link: "wan/up".into(), trace: "t".into() };
        assert_eq!(fabric.change_link(&"wan/up".into(), &traced), Err(unknown));
    });
}

/// Two homes behind one carrier's NAT, one elsewhere, and a public server.
fn carrier_with_two_homes(fabric: &mut Fabric, carrier: &NatPlan) {
    let home = |name, address, inner: &str| NodePlan {
        carrier: Some(CarrierPlan { nat: carrier.clone(), inner_address: inner.parse().unwrap() }),
        ..behind_nat(name, address, NatPlan::FULL_CONE, HOME)
    };
    fabric.add_node(home("alice", "192.168.1.2", "100.64.0.1")).unwrap();
    fabric.add_node(home("bob", "192.168.1.2", "100.64.0.2")).unwrap();
    fabric.add_node(behind_nat("carol", "192.168.1.2", NatPlan::FULL_CONE, OTHER_HOME)).unwrap();
    fabric.add_node(node("stun", "198.51.100.10", PERFECT, PERFECT)).unwrap();
}

#[test]
fn a_packet_passes_two_nats_each_way_and_the_outer_one_filters() {
    let ((), log) = simulate(1, |fabric| {
        carrier_with_two_homes(fabric, &NatPlan::PORT_RESTRICTED);
        let public = reflexive(fabric, "alice", "192.168.1.2:5000");
        assert_eq!(public.ip().to_string(), HOME);
        let back = fire(fabric, "stun", STUN, public).unwrap();
        assert_eq!((back.to.as_str(), back.datagram.destination), ("alice", endpoint("192.168.1.2:5000")));
        let carol = reflexive(fabric, "carol", "192.168.1.2:5000");
        assert_eq!(fire(fabric, "carol", "192.168.1.2:5000", public), None, "the carrier's NAT does not know her");
        assert!(fire(fabric, "alice", "192.168.1.2:5000", carol).is_some());
        assert!(fire(fabric, "carol", "192.168.1.2:5000", public).is_some());
    });
    let [(_, place, reason)] = &drops(&log)[..] else { panic!("one drop") };
    assert_eq!((place.as_str(), *reason), ("alice", DropReason::NatFiltered));
}

#[test]
fn two_homes_of_a_carrier_meet_by_hairpin_or_not_at_all() {
    for hairpin in [true, false] {
        let ((), log) = simulate(1, |fabric| {
            carrier_with_two_homes(fabric, &NatPlan { hairpin, ..NatPlan::FULL_CONE });
            let (alice, bob) =
                (reflexive(fabric, "alice", "192.168.1.2:5000"), reflexive(fabric, "bob", "192.168.1.2:5000"));
            assert_eq!(alice.ip(), bob.ip());
            let arrival = fire(fabric, "alice", "192.168.1.2:5000", bob);
            assert_eq!(
                arrival.map(|arrival| (arrival.to, arrival.datagram.source)),
                hairpin.then(|| (name("bob"), alice))
            );
        });
        assert_eq!(at_core(&log).len(), 2, "only the two packets to the STUN server");
        let refusals: Vec<DropReason> = drops(&log).into_iter().map(|(_, _, reason)| reason).collect();
        assert_eq!(refusals, if hairpin { vec![] } else { vec![DropReason::NatNoHairpin] });
    }
}

#[test]
fn a_firewall_lets_answers_in_and_nothing_else_and_does_not_stand_between_mates() {
    let ((), log) = simulate(1, |fabric| {
        let strict = |name, address, nat, firewall| NodePlan { firewall, ..behind_nat(name, address, nat, HOME) };
        fabric.add_node(strict("alice", "192.168.1.2", NatPlan::FULL_CONE, Firewall::Only443)).unwrap();
        fabric.add_node(strict("mate", "192.168.1.3", NatPlan::FULL_CONE, Firewall::Only443)).unwrap();
        let open = NodePlan { firewall: Firewall::Stateful, ..node("open", "198.51.100.9", PERFECT, PERFECT) };
        fabric.add_node(open).unwrap();
        fabric.add_node(node("stun", "198.51.100.10", PERFECT, PERFECT)).unwrap();
        assert_eq!(fire(fabric, "alice", "192.168.1.2:5000", endpoint(STUN)), None);
        let asked = fire(fabric, "alice", "192.168.1.2:5000", endpoint("198.51.100.10:443")).unwrap();
        assert!(fire(fabric, "stun", "198.51.100.10:443", asked.datagram.source).is_some());
        assert_eq!(fire(fabric, "stun", STUN, asked.datagram.source), None, "the NAT would let it in");
        assert!(fire(fabric, "alice", "192.168.1.2:5000", endpoint("192.168.1.3:5000")).is_some());
        assert_eq!(fire(fabric, "stun", STUN, endpoint("198.51.100.9:5000")), None);
        assert!(fire(fabric, "open", "198.51.100.9:5000", endpoint(STUN)).is_some());
        assert!(fire(fabric, "stun", STUN, endpoint("198.51.100.9:5000")).is_some());
    });
    let refusals: Vec<_> = drops(&log).into_iter().map(|(_, place, reason)| (place, reason)).collect();
    let expected = ["alice", "alice", "open"].map(|place| (place.to_owned(), DropReason::Firewall));
    assert_eq!(refusals, expected);
}

#[test]
fn a_nat_that_restarts_lets_nothing_in_until_somebody_speaks_again() {
    let ((), log) = simulate(1, |fabric| {
        carrier_with_two_homes(fabric, &NatPlan::FULL_CONE);
        let public = reflexive(fabric, "alice", "192.168.1.2:5000");
        assert!(fire(fabric, "stun", STUN, public).is_some());
        fabric.change_nat(&name("alice"), true, NatChange::Forget).unwrap();
        assert_eq!(fire(fabric, "stun", STUN, public), None);
        assert_ne!(reflexive(fabric, "alice", "192.168.1.2:5000"), public);
        let nowhere = |node: &str, carrier| FabricError::NoNat { node: name(node), carrier };
        let mut change = |node: &str, carrier| fabric.change_nat(&name(node), carrier, NatChange::Renumber);
        assert_eq!(change("stun", false), Err(nowhere("stun", false)));
        assert_eq!(change("carol", true), Err(nowhere("carol", true)));
        assert_eq!(change("carol", false), Ok(()));
    });
    let changes = log.records.iter().filter_map(|record| match &record.event {
        Event::NatChanged(changed) => Some((changed.nat.to_string(), changed.mappings)),
        _ => None,
    });
    assert_eq!(changes.collect::<Vec<_>>(), [(HOME.to_owned(), 1), (OTHER_HOME.to_owned(), 0)]);
}
