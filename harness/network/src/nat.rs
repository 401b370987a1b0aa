//! NAT behaviour (RFC 4787): mapping, filtering, and what a home's hairpin needs.

use kernel::{
    event::DropReason,
    plan::NatKind,
    random::Stream,
    time::{Micros, SimTime},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// How long a mapping or permission lives without an outbound packet: five minutes (RFC 4787, REQ-5 and REQ-6).
pub const MAPPING_LIFETIME: Micros = Micros::from_secs(300);
/// A NAT holds at most this many mappings; a new one beyond is refused until an old one expires.
pub const MAX_MAPPINGS: usize = 4_096;
/// A mapping remembers at most this many peers; beyond, the one that was spoken to longest ago is forgotten.
pub const MAX_PERMISSIONS: usize = 256;

/// Ports below are well known and not handed out.
const FIRST_PORT: u16 = 1_024;

/// One NAT with one public address, perhaps for several nodes.
pub(crate) struct Nat {
    pub(crate) kind: NatKind,
    public_address: IpAddr,
    mappings: BTreeMap<u16, Mapping>,
    ports: BTreeMap<Key, u16>,
    stream: Stream,
}

/// What shares a mapping: the inner endpoint, and behind a symmetric NAT the outer one too.
type Key = (SocketAddr, Option<SocketAddr>);

struct Mapping {
    key: Key,
    used: SimTime,
    /// The outer endpoints that may send in; empty where everybody may.
    permitted: BTreeMap<SocketAddr, SimTime>,
}

impl Nat {
    pub(crate) fn new(kind: NatKind, public_address: IpAddr, stream: Stream) -> Nat {
        Nat { kind, public_address, mappings: BTreeMap::new(), ports: BTreeMap::new(), stream }
    }

    /// The outer endpoint of a packet on its way out; opens or refreshes its mapping. `None` when the table is full.
    pub(crate) fn outbound(&mut self, inner: SocketAddr, outer: SocketAddr, now: SimTime) -> Option<SocketAddr> {
        let key = (inner, (self.kind == NatKind::Symmetric).then_some(outer));
        let port = match self.live_port(&key, now) {
            Some(port) => port,
            None => self.open(key, now)?,
        };
        let mapping = self.mappings.get_mut(&port).expect("each port has its mapping");
        mapping.used = now;
        if self.kind != NatKind::FullCone {
            mapping.permit(outer, now);
        }
        Some(SocketAddr::new(self.public_address, port))
    }

    /// The inner endpoint for a packet from `outer` to our `port`.
    pub(crate) fn inbound(&self, port: u16, outer: SocketAddr, now: SimTime) -> Result<SocketAddr, Refusal> {
        let mapping = self.mappings.get(&port).filter(|mapping| is_live(mapping.used, now));
        let mapping = mapping.ok_or(Refusal { reason: DropReason::NatNoMapping, inner: None })?;
        let inner = mapping.key.0;
        let is_permitted = mapping.permitted.get(&outer).is_some_and(|spoken| is_live(*spoken, now));
        if self.kind == NatKind::FullCone || is_permitted {
            Ok(inner)
        } else {
            Err(Refusal { reason: DropReason::NatFiltered, inner: Some(inner.ip()) })
        }
    }

    fn live_port(&mut self, key: &Key, now: SimTime) -> Option<u16> {
        let port = *self.ports.get(key)?;
        if is_live(self.mappings[&port].used, now) {
            return Some(port);
        }
        self.close(port);
        None
    }

    fn open(&mut self, key: Key, now: SimTime) -> Option<u16> {
        if self.mappings.len() >= MAX_MAPPINGS {
            self.close_expired(now);
        }
        if self.mappings.len() >= MAX_MAPPINGS {
            return None;
        }
        let mut port = FIRST_PORT + self.stream.below(u64::from(u16::MAX - FIRST_PORT) + 1) as u16;
        while self.mappings.contains_key(&port) {
            port = port.checked_add(1).unwrap_or(FIRST_PORT);
        }
        self.mappings.insert(port, Mapping { key, used: now, permitted: BTreeMap::new() });
        self.ports.insert(key, port);
        Some(port)
    }

    fn close(&mut self, port: u16) {
        if let Some(mapping) = self.mappings.remove(&port) {
            self.ports.remove(&mapping.key);
        }
    }

    fn close_expired(&mut self, now: SimTime) {
        self.mappings.retain(|_, mapping| is_live(mapping.used, now));
        self.ports.retain(|_, port| self.mappings.contains_key(port));
    }
}

/// Why a packet does not come in, and which inner address it was for, where a mapping tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: DropReason,
    pub(crate) inner: Option<IpAddr>,
}

impl Mapping {
    fn permit(&mut self, outer: SocketAddr, now: SimTime) {
        if self.permitted.len() >= MAX_PERMISSIONS && !self.permitted.contains_key(&outer) {
            let oldest = self.permitted.iter().min_by_key(|(_, spoken)| **spoken).map(|(outer, _)| *outer);
            oldest.and_then(|outer| self.permitted.remove(&outer));
        }
        self.permitted.insert(outer, now);
    }
}

fn is_live(used: SimTime, now: SimTime) -> bool {
    now.since(used) < MAPPING_LIFETIME
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;
    use proptest::prelude::*;

    const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

    fn nat(kind: NatKind) -> Nat {
        Nat::new(kind, PUBLIC, SeedTree::root(1).stream("nat"))
    }

    fn inner(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 168, 1, 2 + (n / 4) as u8], 5_000 + n % 4))
    }

    /// Endpoints that share addresses and ports with one another, so that filters can be too lax in either.
    fn outer(n: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 1 + (n / 2) as u8], 7_000 + n % 2))
    }

    #[test]
    fn a_silent_mapping_expires_and_outbound_packets_refresh_it() {
        let mut nat = nat(NatKind::PortRestricted);
        let mut out = |at| nat.outbound(inner(0), outer(0), SimTime(at)).unwrap();
        let lifetime = MAPPING_LIFETIME.0;
        let first = out(0);
        assert_eq!(out(lifetime - 1), first);
        assert_eq!(out(2 * lifetime - 2), first);
        assert_ne!(out(4 * lifetime), first, "ports are drawn from 64512: equal ones would be an accident of the seed");
        assert_eq!(
            nat.inbound(first.port(), outer(0), SimTime(4 * lifetime)).unwrap_err().reason,
            DropReason::NatNoMapping
        );
    }

    #[test]
    fn a_full_table_refuses_until_mappings_expire() {
        let mut nat = nat(NatKind::Symmetric);
        let to = |n: usize| SocketAddr::from(([198, 51, 100, 1], n as u16));
        for n in 0..MAX_MAPPINGS {
            assert!(nat.outbound(inner(0), to(n), SimTime(0)).is_some());
        }
        assert_eq!(nat.outbound(inner(0), to(MAX_MAPPINGS), SimTime(1)), None);
        assert!(nat.outbound(inner(0), to(MAX_MAPPINGS), SimTime(0) + MAPPING_LIFETIME).is_some());
        assert_eq!((nat.mappings.len(), nat.ports.len()), (1, 1));
    }

    #[test]
    fn permissions_are_bounded_and_the_oldest_goes() {
        let mut nat = nat(NatKind::PortRestricted);
        let to = |n: usize| SocketAddr::from(([198, 51, 100, 1], n as u16));
        let port = (0..=MAX_PERMISSIONS)
            .map(|n| nat.outbound(inner(0), to(n), SimTime(n as u64)).unwrap())
            .last()
            .unwrap()
            .port();
        let now = SimTime(1_000);
        assert_eq!(nat.inbound(port, to(0), now).unwrap_err().reason, DropReason::NatFiltered);
        assert_eq!(nat.inbound(port, to(1), now), Ok(inner(0)));
    }

    /// The reference: every outbound packet so far, searched from the start each time.
    #[derive(Default)]
    struct Model(Vec<(SocketAddr, SocketAddr, SocketAddr)>);

    impl Model {
        fn mapped(&self, kind: NatKind, inner: SocketAddr, outer: SocketAddr) -> Option<SocketAddr> {
            let same = |(i, o, _): &&(SocketAddr, SocketAddr, SocketAddr)| {
                *i == inner && (kind != NatKind::Symmetric || *o == outer)
            };
            self.0.iter().find(same).map(|(_, _, public)| *public)
        }

        fn admitted(&self, kind: NatKind, port: u16, outer: SocketAddr) -> Result<SocketAddr, DropReason> {
            let mut through = self.0.iter().filter(|(_, _, public)| public.port() == port).peekable();
            let (inner, ..) = *through.peek().ok_or(DropReason::NatNoMapping)?;
            let has_spoken = kind == NatKind::FullCone || through.any(|(_, spoken, _)| *spoken == outer);
            if has_spoken { Ok(*inner) } else { Err(DropReason::NatFiltered) }
        }
    }

    proptest! {
        #[test]
        fn mapping_and_filter_agree_with_the_model(
            kind in prop_oneof![Just(NatKind::FullCone), Just(NatKind::PortRestricted), Just(NatKind::Symmetric)],
            steps in prop::collection::vec((any::<bool>(), 0..8_u16, 0..6_u16), 1..80),
        ) {
            let mut nat = nat(kind);
            let mut model = Model::default();
            for (at, (goes_out, n, m)) in steps.into_iter().enumerate() {
                let now = SimTime(at as u64);
                if goes_out {
                    let public = nat.outbound(inner(n), outer(m), now).unwrap();
                    prop_assert_eq!(public.ip(), PUBLIC);
                    match model.mapped(kind, inner(n), outer(m)) {
                        Some(expected) => prop_assert_eq!(public, expected),
                        None => prop_assert!(model.0.iter().all(|(_, _, taken)| *taken != public)),
                    }
                    model.0.push((inner(n), outer(m), public));
                } else {
                    // Mostly ports that exist; the last one never does.
                    let port = model.0.get(usize::from(n)).map_or(80, |(_, _, public)| public.port());
                    let admitted = nat.inbound(port, outer(m), now).map_err(|refusal| refusal.reason);
                    prop_assert_eq!(admitted, model.admitted(kind, port, outer(m)));
                }
            }
        }
    }
}
