//! A host off the path: it may send in anybody's name, sees only what is sent to itself, and knows no secret. Addresses
//! it has guessed: those of hosts without NAT and the port that every client uses.

mod forgeries;

use forgeries::{channel_data, client_hello, garbage_rtcp, garbage_rtp, unsigned_binding};
use kernel::{
    Datagram, Micros, SimTime,
    bystander::Bystander,
    event,
    event::AttackKind,
    plan::AdversaryPlan,
    random::{SeedTree, Stream},
};
use std::{collections::VecDeque, net::SocketAddr};

/// How often it sends to each target.
const PERIOD: Micros = Micros::from_millis(4);
/// It speaks to relays each so many times: a second.
const SPEAKING: u64 = 250;
/// The port that it sends from in its own name.
const OWN_PORT: u16 = 4_444;

/// A device that it attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The device's media socket, as the Internet sees it.
    pub device: SocketAddr,
    /// The same of its peer: in whose name forgeries come.
    pub peer: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weapon {
    Hello,
    PeersHello,
    Bindings,
    Garbage,
    Relays,
}

/// The attacker. Sans-IO: when [`OffPathHost::next_wake`] has come, call [`OffPathHost::handle_timeout`] and then poll.
pub struct OffPathHost {
    weapons: Vec<Weapon>,
    targets: Vec<Target>,
    relays: Vec<SocketAddr>,
    stream: Stream,
    start: SimTime,
    wake: SimTime,
    /// How often it sent.
    turns: u64,
    outgoing: VecDeque<Datagram>,
}

impl OffPathHost {
    /// The attacker of a plan, who begins at `start`, with the timeline.
    pub fn new(
        adversary: &[AdversaryPlan],
        targets: Vec<Target>,
        relays: Vec<SocketAddr>,
        seeds: SeedTree,
        start: SimTime,
    ) -> OffPathHost {
        let weapon = |attack: &AdversaryPlan| match attack {
            AdversaryPlan::HelloFromElsewhere => Some(Weapon::Hello),
            AdversaryPlan::HelloInThePeersName => Some(Weapon::PeersHello),
            AdversaryPlan::ForgedBindings => Some(Weapon::Bindings),
            AdversaryPlan::GarbageMedia => Some(Weapon::Garbage),
            AdversaryPlan::SpeakToRelays => Some(Weapon::Relays),
            _ => None,
        };
        OffPathHost {
            weapons: adversary.iter().filter_map(weapon).collect(),
            targets,
            relays,
            stream: seeds.stream("off-path"),
            start,
            wake: start,
            turns: 0,
            outgoing: VecDeque::new(),
        }
    }

    /// When it wants to send again.
    pub fn next_wake(&self) -> SimTime {
        self.wake
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, now: SimTime) {
        if now < self.wake {
            return;
        }
        if self.wake == self.start {
            self.announce();
        }
        self.wake = now + PERIOD;
        self.turns += 1;
        for weapon in self.weapons.clone() {
            for target in self.targets.clone() {
                self.attack(weapon, target);
            }
            for relay in self.relays.clone() {
                match weapon {
                    Weapon::Garbage => {
                        let bytes = garbage_rtp(&mut self.stream);
                        self.send(own(), relay, bytes);
                    }
                    Weapon::Relays if self.turns.is_multiple_of(SPEAKING) => {
                        let bytes = channel_data(&mut self.stream);
                        self.send(own(), relay, bytes);
                    }
                    _ => {}
                }
            }
        }
    }

    /// The next packet.
    pub fn poll(&mut self) -> Option<Datagram> {
        self.outgoing.pop_front()
    }

    fn attack(&mut self, weapon: Weapon, Target { device, peer }: Target) {
        match weapon {
            Weapon::Hello => {
                let hello = client_hello(&mut self.stream);
                self.send(own(), device, hello);
            }
            Weapon::PeersHello => {
                let hello = client_hello(&mut self.stream);
                self.send(peer, device, hello);
            }
            Weapon::Bindings => {
                for (source, signed) in [(own(), false), (own(), true), (peer, false), (peer, true)] {
                    let request = unsigned_binding(signed, &mut self.stream);
                    self.send(source, device, request);
                }
            }
            Weapon::Relays => {}
            Weapon::Garbage => {
                for source in [own(), peer] {
                    let (rtp, rtcp) = (garbage_rtp(&mut self.stream), garbage_rtcp(&mut self.stream));
                    self.send(source, device, rtp);
                    self.send(source, device, rtcp);
                }
            }
        }
    }

    fn send(&mut self, source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) {
        self.outgoing.push_back(Datagram::new(source, destination, bytes));
    }

    fn announce(&self) {
        for weapon in &self.weapons {
            let (kind, target) = (AttackKind::OffPath, Bystander::OffPath.name());
            event!(Attack {
                kind,
                target,
                call: None,
                detail: format!("{weapon:?} to {} devices", self.targets.len())
            });
        }
    }
}

fn own() -> SocketAddr {
    SocketAddr::new(Bystander::OffPath.address(), OWN_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const START: SimTime = SimTime(10_000_000);

    fn packets(attack: AdversaryPlan) -> Vec<Datagram> {
        let target = Target { device: address("198.51.100.10:5000"), peer: address("198.51.100.11:5000") };
        let relays = vec![address("192.0.2.2:3478")];
        let mut host = OffPathHost::new(&[attack], vec![target], relays, SeedTree::root(1), START);
        host.handle_timeout(SimTime(1));
        assert!(host.poll().is_none(), "nothing before the timeline");
        let now = host.next_wake();
        host.handle_timeout(now);
        assert_eq!(host.next_wake(), now + PERIOD);
        std::iter::from_fn(|| host.poll()).collect()
    }

    #[test]
    fn a_hello_comes_from_elsewhere_only() {
        let packets = packets(AdversaryPlan::HelloFromElsewhere);
        let [hello] = &packets[..] else { panic!("one packet a target") };
        assert_eq!((hello.source, hello.destination), (own(), address("198.51.100.10:5000")));
        assert_eq!(hello.bytes[0], 22);
    }

    #[test]
    fn a_hello_in_the_peers_name_comes_from_its_address() {
        let packets = packets(AdversaryPlan::HelloInThePeersName);
        let [hello] = &packets[..] else { panic!("one packet a target") };
        assert_eq!((hello.source, hello.bytes[0]), (address("198.51.100.11:5000"), 22));
    }

    #[test]
    fn relays_are_spoken_to_from_the_own_address_once_a_second() {
        let relays = vec![address("192.0.2.2:3478")];
        let mut host = OffPathHost::new(&[AdversaryPlan::SpeakToRelays], Vec::new(), relays, SeedTree::root(1), START);
        let mut spoken = Vec::new();
        while host.next_wake() < START + Micros::from_secs(3) {
            let now = host.next_wake();
            host.handle_timeout(now);
            spoken.extend(std::iter::from_fn(|| host.poll()));
        }
        assert_eq!(spoken.len(), 3);
        assert!(spoken.iter().all(|packet| packet.source == own() && packet.bytes[0] >> 6 == 1));
    }

    #[test]
    fn forgeries_come_in_the_peers_name_too() {
        for (attack, count) in [(AdversaryPlan::ForgedBindings, 4), (AdversaryPlan::GarbageMedia, 5)] {
            let packets = packets(attack);
            assert_eq!(packets.len(), count);
            assert!(packets.iter().any(|packet| packet.source == address("198.51.100.11:5000")));
            assert!(packets.iter().any(|packet| packet.source == own()));
        }
    }
}
