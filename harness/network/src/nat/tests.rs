use super::*;
use proptest::prelude::*;

const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
const LIFETIME: Micros = NatPlan::LIFETIME;

fn nat(plan: NatPlan) -> Nat {
    Nat::new(plan, PUBLIC, &SeedTree::root(1))
}

fn inner(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 168, 1, 2 + (n / 4) as u8], 5_000 + n % 4))
}

/// Endpoints that share addresses and ports with one another, so that filters can be too lax in either.
fn outer(n: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1 + (n / 2) as u8], 7_000 + n % 2))
}

fn to(n: usize) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], n as u16))
}

#[test]
fn a_silent_mapping_expires_and_outbound_packets_refresh_it() {
    let mut nat = nat(NatPlan::PORT_RESTRICTED);
    let mut out = |at| nat.outbound(Transport::Udp, inner(0), outer(0), SimTime(at)).unwrap();
    let first = out(0);
    assert_eq!(out(LIFETIME.0 - 1), first);
    assert_eq!(out(2 * LIFETIME.0 - 2), first);
    assert_ne!(out(4 * LIFETIME.0), first, "ports are drawn from 64512: equal ones would be an accident of the seed");
    let refused = nat.inbound(Transport::Udp, first.port(), outer(0), SimTime(4 * LIFETIME.0)).unwrap_err();
    assert_eq!(refused.reason, DropReason::NatNoMapping);
}

#[test]
fn inbound_packets_refresh_only_where_the_plan_says_so() {
    for (refresh, lives) in [(Refresh::Outbound, false), (Refresh::Both, true)] {
        let mut nat = nat(NatPlan { refresh, ..NatPlan::PORT_RESTRICTED });
        let port = nat.outbound(Transport::Udp, inner(0), outer(0), SimTime(0)).unwrap().port();
        assert!(nat.inbound(Transport::Udp, port, outer(0), SimTime(LIFETIME.0 - 1)).is_ok());
        assert_eq!(nat.inbound(Transport::Udp, port, outer(0), SimTime(LIFETIME.0)).is_ok(), lives, "{refresh:?}");
    }
}

#[test]
fn a_mapping_of_tcp_is_another_and_lives_for_hours() {
    let mut nat = nat(NatPlan::FULL_CONE);
    let port = nat.outbound(Transport::Tcp, inner(0), outer(0), SimTime(0)).unwrap().port();
    let late = SimTime(TCP_MAPPING_LIFETIME.0 - 1);
    assert_eq!(nat.inbound(Transport::Tcp, port, outer(1), late), Ok(inner(0)));
    assert_eq!(nat.inbound(Transport::Udp, port, outer(1), SimTime(1)).unwrap_err().reason, DropReason::NatNoMapping);
}

#[test]
fn a_full_table_refuses_until_mappings_expire() {
    let mut nat = nat(NatPlan::SYMMETRIC);
    let mut out = |n, at| nat.outbound(Transport::Udp, inner(0), to(n), at);
    for n in 0..MAX_MAPPINGS {
        assert!(out(n, SimTime(0)).is_some());
    }
    assert_eq!(out(MAX_MAPPINGS, SimTime(1)), None);
    assert!(out(MAX_MAPPINGS, SimTime(0) + LIFETIME).is_some());
    assert_eq!((nat.udp.mappings.len(), nat.udp.ports.len()), (1, 1));
}

#[test]
fn permissions_are_bounded_and_the_oldest_goes() {
    let mut nat = nat(NatPlan::PORT_RESTRICTED);
    let ports =
        (0..=MAX_PERMISSIONS).map(|n| nat.outbound(Transport::Udp, inner(0), to(n), SimTime(n as u64)).unwrap());
    let port = ports.last().unwrap().port();
    let now = SimTime(1_000);
    assert_eq!(nat.inbound(Transport::Udp, port, to(0), now).unwrap_err().reason, DropReason::NatFiltered);
    assert_eq!(nat.inbound(Transport::Udp, port, to(1), now), Ok(inner(0)));
}

#[test]
fn ports_are_assigned_as_the_plan_says() {
    let assigned = |ports, parity| {
        let mut nat = nat(NatPlan { ports, parity, ..NatPlan::SYMMETRIC });
        [0, 1, 2].map(|n| nat.outbound(Transport::Udp, inner(1), outer(n), SimTime(0)).unwrap().port())
    };
    let [first, second, third] = assigned(PortAssignment::Preserve, false);
    assert_eq!(first, 5_001);
    assert!(second != first && third != first && second != third, "a port is never given twice");
    assert_eq!(assigned(PortAssignment::Sequential, false), [1_024, 1_025, 1_026]);
    assert_eq!(assigned(PortAssignment::Sequential, true), [1_025, 1_027, 1_029]);
    assert!(assigned(PortAssignment::Random, true).iter().all(|port| port % 2 == 1));
}

#[test]
fn one_address_stands_for_one_node_with_all_its_ports() {
    let mut nat = nat(NatPlan { ports: PortAssignment::OneToOne, ..NatPlan::FULL_CONE });
    assert!(nat.admit(inner(0).ip()));
    assert!(!nat.admit(inner(4).ip()), "there is no second node");
    assert_eq!(nat.inbound(Transport::Udp, 443, outer(0), SimTime(0)), Ok(SocketAddr::new(inner(0).ip(), 443)));
    for port in [80, 5_000] {
        let from = SocketAddr::new(inner(0).ip(), port);
        let public = nat.outbound(Transport::Udp, from, outer(0), SimTime(0)).unwrap();
        assert_eq!(public, SocketAddr::new(PUBLIC, port));
    }
    nat.plan.filtering = Dependence::AddressDependent;
    assert_eq!(nat.inbound(Transport::Udp, 9, outer(0), SimTime(0)).unwrap_err().reason, DropReason::NatFiltered);
    assert_eq!(nat.inbound(Transport::Udp, 80, outer(1), SimTime(0)).unwrap().port(), 80, "the address was spoken to");
}

#[test]
fn a_restart_forgets_and_a_renumbering_moves_every_mapping() {
    let mut nat = nat(NatPlan::PORT_RESTRICTED);
    let out = |nat: &mut Nat, n| nat.outbound(Transport::Udp, inner(n), outer(0), SimTime(1)).unwrap().port();
    let before = [out(&mut nat, 0), out(&mut nat, 1)];
    assert_eq!(nat.change(NatChange::Renumber, SimTime(1)), 2);
    for port in before {
        let refused = nat.inbound(Transport::Udp, port, outer(0), SimTime(1)).unwrap_err();
        assert_eq!(refused.reason, DropReason::NatNoMapping);
    }
    let moved = nat.udp.ports[&(inner(0), None)];
    assert_eq!(nat.inbound(Transport::Udp, moved, outer(0), SimTime(1)), Ok(inner(0)), "it remembers whom it let in");
    assert_eq!(out(&mut nat, 0), moved);
    assert_eq!(nat.change(NatChange::Forget, SimTime(1)), 2);
    assert_eq!(nat.inbound(Transport::Udp, moved, outer(0), SimTime(1)).unwrap_err().reason, DropReason::NatNoMapping);
    assert_eq!(nat.change(NatChange::Forget, SimTime(1)), 0);
}

/// The reference: what happened so far, replayed from the start for each question.
struct Model {
    plan: NatPlan,
    past: Vec<Past>,
}

#[derive(Clone, Copy)]
enum Past {
    Out { at: SimTime, transport: Transport, inner: SocketAddr, outer: SocketAddr, port: u16 },
    In { at: SimTime, transport: Transport, outer: SocketAddr, port: u16 },
}

/// One life of a mapping in the replay.
struct Life {
    transport: Transport,
    inner: SocketAddr,
    first: SocketAddr,
    port: u16,
    used: SimTime,
    spoken: Vec<(SocketAddr, SimTime)>,
}

impl Model {
    fn lives(&self, now: SimTime) -> Vec<Life> {
        let lifetime = |transport| if transport == Transport::Udp { self.plan.lifetime } else { TCP_MAPPING_LIFETIME };
        let is_live = |life: &Life, at: SimTime| at.since(life.used) < lifetime(life.transport);
        let mut lives: Vec<Life> = Vec::new();
        for past in &self.past {
            match *past {
                Past::Out { at, transport, inner, outer, port } => {
                    let same = |life: &&mut Life| {
                        let united = self.plan.mapping.unites(life.first, outer);
                        (life.transport, life.inner) == (transport, inner) && united && is_live(life, at)
                    };
                    match lives.iter_mut().find(same) {
                        Some(life) => {
                            life.used = at;
                            life.spoken.push((outer, at));
                        }
                        None => {
                            let spoken = vec![(outer, at)];
                            lives.push(Life { transport, inner, first: outer, port, used: at, spoken });
                        }
                    }
                }
                Past::In { at, transport, outer, port } if self.plan.refresh == Refresh::Both => {
                    let same = |life: &&mut Life| (life.transport, life.port) == (transport, port) && is_live(life, at);
                    if let Some(life) = lives.iter_mut().find(same) {
                        life.used = at;
                        if life.spoken.iter().any(|(known, _)| *known == outer) {
                            life.spoken.push((outer, at));
                        }
                    }
                }
                Past::In { .. } => {}
            }
        }
        lives.retain(|life| is_live(life, now));
        for life in &mut lives {
            let lifetime = lifetime(life.transport);
            life.spoken.retain(|(_, at)| now.since(*at) < lifetime);
        }
        lives
    }

    fn mapped(&self, transport: Transport, inner: SocketAddr, outer: SocketAddr, now: SimTime) -> Option<u16> {
        let same = |life: &Life| (life.transport, life.inner) == (transport, inner);
        let lives = self.lives(now);
        lives.iter().find(|life| same(life) && self.plan.mapping.unites(life.first, outer)).map(|life| life.port)
    }

    fn admitted(
        &self,
        transport: Transport,
        port: u16,
        outer: SocketAddr,
        now: SimTime,
    ) -> Result<SocketAddr, DropReason> {
        let lives = self.lives(now);
        let life = lives.iter().find(|life| (life.transport, life.port) == (transport, port));
        let life = life.ok_or(DropReason::NatNoMapping)?;
        let has_spoken = life.spoken.iter().any(|(spoken, _)| self.plan.filtering.unites(*spoken, outer));
        let open = self.plan.filtering == Dependence::EndpointIndependent;
        if open || has_spoken { Ok(life.inner) } else { Err(DropReason::NatFiltered) }
    }
}

fn plans() -> impl Strategy<Value = NatPlan> {
    let ports =
        prop_oneof![Just(PortAssignment::Preserve), Just(PortAssignment::Random), Just(PortAssignment::Sequential)];
    let refresh = prop_oneof![Just(Refresh::Outbound), Just(Refresh::Both)];
    (0..3_usize, 0..3_usize, ports, refresh, any::<bool>()).prop_map(|(mapping, filtering, ports, refresh, parity)| {
        let plan = NatPlan::new(Dependence::ALL[mapping], Dependence::ALL[filtering]);
        NatPlan { lifetime: Micros(40), ports, refresh, parity, ..plan }
    })
}

/// Goes out or comes in, by UDP or TCP, from which inner and to or from which outer endpoint, how long after the last.
type Step = (bool, bool, u16, u16, u64);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn all_nine_types_agree_with_the_model(
        plan in plans(),
        steps in prop::collection::vec((any::<bool>(), any::<bool>(), 0..8_u16, 0..6_u16, 0..25_u64), 1..80),
    ) {
        let mut nat = nat(plan.clone());
        let mut model = Model { plan: plan.clone(), past: Vec::new() };
        let mut now = SimTime(0);
        let steps: Vec<Step> = steps;
        for (goes_out, by_tcp, n, m, gap) in steps {
            now += Micros(gap);
            let transport = if by_tcp { Transport::Tcp } else { Transport::Udp };
            if goes_out {
                let public = nat.outbound(transport, inner(n), outer(m), now).unwrap();
                prop_assert_eq!(public.ip(), PUBLIC);
                let lives = model.lives(now);
                let is_taken = |port| lives.iter().any(|life| (life.transport, life.port) == (transport, port));
                match model.mapped(transport, inner(n), outer(m), now) {
                    Some(expected) => prop_assert_eq!(public.port(), expected),
                    None => {
                        prop_assert!(!is_taken(public.port()));
                        prop_assert!(!plan.parity || public.port() % 2 == inner(n).port() % 2);
                        let preserved = plan.ports == PortAssignment::Preserve && !is_taken(inner(n).port());
                        prop_assert!(!preserved || public.port() == inner(n).port());
                    }
                }
                let (inner, outer) = (inner(n), outer(m));
                model.past.push(Past::Out { at: now, transport, inner, outer, port: public.port() });
            } else {
                // Mostly ports that were given once; the last one never was.
                let given = model.past.iter().filter_map(|past| match past {
                    Past::Out { port, .. } => Some(*port),
                    Past::In { .. } => None,
                });
                let port = given.rev().nth(usize::from(n)).unwrap_or(80);
                let admitted = nat.inbound(transport, port, outer(m), now).map_err(|refusal| refusal.reason);
                prop_assert_eq!(admitted, model.admitted(transport, port, outer(m), now));
                if admitted.is_ok() {
                    model.past.push(Past::In { at: now, transport, outer: outer(m), port });
                }
            }
        }
    }
}
