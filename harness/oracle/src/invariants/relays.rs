//! AV-4, AV-5, PRV-6: what a relay, and a peer, may be made to do.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Run, Seen},
    stun::{ALLOCATE_REQUEST, ALLOCATE_SUCCESS, LIFETIME, REFRESH_SUCCESS, Stun, USERHASH, USERNAME, is_special_use},
};
use kernel::{
    Micros, SimTime, Track,
    bystander::Bystander,
    event::{Encoded, PacketSent, WireProtocol},
    packet::Transport,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

/// Allocations that one user name may hold at a relay.
const ALLOCATIONS: usize = 8;
/// Key frames that a device may be made to encode in the window: two a second, one for the start, one for the path.
const KEY_FRAMES: usize = 8;
const KEY_FRAME_WINDOW: Micros = Micros::from_secs(2);

/// AV-4.
pub(crate) fn quotas_hold(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    judge_allocations(run, &mut checks);
    for device in 0..run.cast.len() {
        let name = run.cast.name(device);
        let keys = |seen: &&Seen<Encoded>| seen.track == Track::Video && seen.key;
        let mut window: VecDeque<SimTime> = VecDeque::new();
        for frame in run.events.encoded.of(name).filter(keys) {
            window.push_back(frame.at);
            while window.front().is_some_and(|first| frame.at.since(*first) > KEY_FRAME_WINDOW) {
                window.pop_front();
            }
            let count = window.len();
            checks.check(count <= KEY_FRAMES, frame.at, frame.index, || {
                format!("{name} encodes {count} key frames within {KEY_FRAME_WINDOW}, at most {KEY_FRAMES} are allowed")
            });
        }
    }
    checks
}

/// What the relay grants, read from the wire: who asked by the name in the request, whose allocation by the address of
/// the answer.
fn judge_allocations(run: &Run, checks: &mut Checks) {
    let mut names: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    let mut holders: BTreeMap<(SocketAddr, SocketAddr), &[u8]> = BTreeMap::new();
    for (sent, stun) in turn_messages(run) {
        match stun.kind() {
            ALLOCATE_REQUEST => {
                let name = stun.attribute(USERNAME).or_else(|| stun.attribute(USERHASH));
                names.extend(name.map(|name| (stun.transaction(), name)));
            }
            ALLOCATE_SUCCESS if run.is_relay(sent.source.ip()) => {
                let Some(name) = names.get(stun.transaction()) else { continue };
                holders.insert((sent.source, sent.destination), name);
                let held =
                    holders.iter().filter(|((relay, _), holder)| *relay == sent.source && *holder == name).count();
                checks.check(held <= ALLOCATIONS, sent.at, sent.index, || {
                    format!(
                        "{} grants one user {held} allocations at once, at most {ALLOCATIONS} are allowed",
                        sent.from
                    )
                });
            }
            REFRESH_SUCCESS if stun.attribute(LIFETIME).is_none_or(|lifetime| lifetime == [0; 4]) => {
                holders.remove(&(sent.source, sent.destination));
            }
            _ => {}
        }
    }
}

fn turn_messages<'r>(run: &'r Run<'r>) -> impl Iterator<Item = (&'r Seen<'r, PacketSent>, Stun<'r>)> {
    let stun = run.events.packets_sent.iter().filter(|sent| sent.protocol == WireProtocol::Stun);
    stun.filter_map(|sent| Some((sent, Stun::read(run.log.bytes(sent.bytes))?)))
}

/// AV-5.
pub(crate) fn relay_refuses_special_use_peers(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for sent in run.events.packets_sent.iter().filter(|sent| is_relays(run, sent)) {
        checks.check(!is_special_use(sent.destination.ip()), sent.at, sent.index, || {
            format!("{} sends a packet to {}, which is no address of the public Internet", sent.from, sent.destination)
        });
    }
    let internal = Bystander::Internal.name();
    for arrived in run.events.packets_arrived.of(&internal) {
        checks.fail(arrived.at, arrived.index, || {
            format!("a packet of {} reaches a service inside the relay's network", arrived.source)
        });
    }
    checks
}

/// PRV-6. By UDP: whoever has a connection is its other end.
pub(crate) fn relay_sends_to_who_authenticated(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    // The relay's port with a client, once it granted that client an allocation.
    let mut granted: BTreeSet<(SocketAddr, SocketAddr)> = BTreeSet::new();
    let mut ports: BTreeSet<SocketAddr> = BTreeSet::new();
    for sent in run.events.packets_sent.iter().filter(|sent| is_relays(run, sent)) {
        let stun = Stun::read(run.log.bytes(sent.bytes)).filter(|_| sent.protocol == WireProtocol::Stun);
        if stun.is_some_and(|stun| stun.kind() == ALLOCATE_SUCCESS) {
            granted.insert((sent.source, sent.destination));
            ports.insert(sent.source);
        } else if sent.cause.is_some() && ports.contains(&sent.source) {
            checks.check(granted.contains(&(sent.source, sent.destination)), sent.at, sent.index, || {
                format!("{} passes a peer's packet on to {}, which has no allocation", sent.from, sent.destination)
            });
        }
    }
    checks
}

fn is_relays(run: &Run, sent: &PacketSent) -> bool {
    sent.transport == Transport::Udp && run.plan.relays.iter().any(|relay| relay.name == sent.from)
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, address_of, relay_address};
    use kernel::{
        PacketId,
        event::{Event, WireProtocol},
        plan::AdversaryPlan,
    };
    use std::net::SocketAddr;

    const QUOTAS: &str = "quotas_hold";
    const SPECIAL: &str = "relay_refuses_special_use_peers";
    const AUTHENTICATED: &str = "relay_sends_to_who_authenticated";

    fn stun(kind: u16, transaction: u8, attribute: u16, value: &[u8]) -> Vec<u8> {
        let length = value.len() as u16;
        let head = [&kind.to_be_bytes()[..], &(length + 4).to_be_bytes(), &[0x21, 0x12, 0xa4, 0x42]].concat();
        [&head, &[transaction; 12][..], &attribute.to_be_bytes(), &length.to_be_bytes(), value].concat()
    }

    fn client(port: u16) -> SocketAddr {
        SocketAddr::new(address_of("alice-phone").ip(), port)
    }

    /// Alice's device allocates from a port, as a user.
    fn allocate(story: &mut Story, user: &[u8], port: u16, transaction: u8) {
        let (to, back) = (("alice-phone", "relay"), ("relay", "alice-phone"));
        let request = stun(0x0003, transaction, 0x0006, user);
        story.packet(to, (client(port), relay_address()), WireProtocol::Stun, &request);
        let answer = stun(0x0103, transaction, 0x000d, &[0, 0, 2, 88]);
        story.packet(back, (relay_address(), client(port)), WireProtocol::Stun, &answer);
    }

    /// The relay passes a packet on.
    fn relayed(story: &mut Story, source: SocketAddr, destination: SocketAddr) {
        let to =
            story.packet(("bob-phone", "relay"), (address_of("bob-phone"), relay_address()), WireProtocol::Other, b"x");
        let copy =
            story.packet(("relay", "alice-phone"), (source, destination), WireProtocol::TurnChannel, &[0x40, 0, 0, 0]);
        story.change(copy, |sent| sent.cause = Some(to));
    }

    #[test]
    fn eight_allocations_of_one_user_are_enough() {
        let mut story = Story::new();
        (0..8).for_each(|n| allocate(&mut story, b"user", 6_000 + n, n as u8));
        allocate(&mut story, b"other", 6_100, 100);
        assert_eq!(story.holds(QUOTAS), 9);
        let mut story = Story::new();
        (0..9).for_each(|n| allocate(&mut story, b"user", 6_000 + n, n as u8));
        let sentence = story.fails_only(QUOTAS);
        assert_eq!(sentence, "relay grants one user 9 allocations at once, at most 8 are allowed");
    }

    #[test]
    fn an_allocation_that_was_given_back_does_not_count() {
        let mut story = Story::new();
        for n in 0..9 {
            allocate(&mut story, b"user", 6_000 + n, n as u8);
            let answer = stun(0x0104, 200 + n as u8, 0x000d, &[0; 4]);
            story.packet(("relay", "alice-phone"), (relay_address(), client(6_000 + n)), WireProtocol::Stun, &answer);
        }
        story.holds(QUOTAS);
    }

    #[test]
    fn a_flood_of_key_frames_is_found() {
        let flood = |every| {
            let mut story = Story::new();
            story.live();
            for number in 0..30 {
                story.changed_frame("alice-phone", number, |way| {
                    for (_, event) in way {
                        if let Event::Encoded(encoded) = event {
                            encoded.key = number % every == 0;
                        }
                    }
                });
            }
            story.over(9_000);
            story
        };
        assert_eq!(flood(5).holds(QUOTAS), 6);
        let sentence = flood(3).fails_only(QUOTAS);
        assert!(sentence.starts_with("alice-phone encodes 9 key frames within"), "{sentence}");
    }

    #[test]
    fn a_relay_sends_to_the_public_internet_only() {
        let mut story = Story::new();
        relayed(&mut story, relay_address(), client(5_000));
        assert_eq!(story.holds(SPECIAL), 1);
        for peer in
            ["10.66.0.5:80", "127.0.0.1:22", "0.0.0.0:22", "192.168.84.6:5000", "[::1]:80", "[::ffff:10.0.0.1]:80"]
        {
            let mut story = Story::new();
            relayed(&mut story, SocketAddr::new(relay_address().ip(), 50_000), peer.parse().unwrap());
            let sentence = story.fails_only(SPECIAL);
            assert_eq!(sentence, format!("relay sends a packet to {peer}, which is no address of the public Internet"));
        }
    }

    #[test]
    fn nothing_reaches_a_service_inside() {
        let mut story = Story::new();
        story.plan.adversary = vec![AdversaryPlan::ProbeInternal];
        let path = (address_of("alice-phone"), "203.0.113.77:80".parse().unwrap());
        story.packet(("alice-phone", "internal"), path, WireProtocol::Other, b"GET /");
        assert!(story.fails_only(SPECIAL).ends_with("reaches a service inside the relay's network"));
    }

    #[test]
    fn a_relay_passes_packets_on_to_who_allocated() {
        let story = |destination| {
            let mut story = Story::new();
            allocate(&mut story, b"user", 5_000, 1);
            relayed(&mut story, relay_address(), destination);
            story
        };
        assert_eq!(story(client(5_000)).holds(AUTHENTICATED), 1);
        let elsewhere = client(5_001);
        let sentence = story(elsewhere).fails_only(AUTHENTICATED);
        assert_eq!(sentence, format!("relay passes a peer's packet on to {elsewhere}, which has no allocation"));
    }

    #[test]
    fn packets_to_peers_are_not_meant_for_clients() {
        let mut story = Story::new();
        allocate(&mut story, b"user", 5_000, 1);
        relayed(&mut story, SocketAddr::new(relay_address().ip(), 50_000), address_of("bob-phone"));
        assert_eq!(story.holds(AUTHENTICATED), 0);
        assert_ne!(PacketId(0), PacketId(1));
    }
}
