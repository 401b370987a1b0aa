//! One NAT box (RFC 4787, RFC 5382): mappings, filters, and what keeps them alive.

#[cfg(test)]
mod tests;

use kernel::{
    Transport,
    event::DropReason,
    plan::{Dependence, NatChange, NatPlan, PortAssignment, Refresh},
    random::{SeedTree, Stream},
    time::{Micros, SimTime},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// How long a TCP mapping or permission lives without a packet: two hours and four minutes (RFC 5382, REQ-5).
pub const TCP_MAPPING_LIFETIME: Micros = Micros::from_secs(7_440);
/// A NAT holds at most this many mappings of each transport; a new one beyond is refused until an old one expires.
pub const MAX_MAPPINGS: usize = 4_096;
/// A mapping remembers at most this many peers; beyond, the one that was spoken to longest ago is forgotten.
pub const MAX_PERMISSIONS: usize = 256;

/// Ports below are well known and not handed out.
const FIRST_PORT: u16 = 1_024;

/// One NAT with one outer address, perhaps for several nodes. UDP and TCP have tables of their own.
pub(crate) struct Nat {
    pub(crate) plan: NatPlan,
    pub(crate) outer_address: IpAddr,
    /// Whom the outer address stands for, where it stands for one.
    only: Option<IpAddr>,
    udp: Table,
    tcp: Table,
}

/// The mappings of one transport.
struct Table {
    mappings: BTreeMap<u16, Mapping>,
    ports: BTreeMap<Key, u16>,
    lifetime: Micros,
    /// Where the search for a sequential port begins.
    next: u16,
    stream: Stream,
}

/// What shares a mapping: the inner endpoint, and what the NAT's mapping sees of the outer one (port 0: all of them).
type Key = (SocketAddr, Option<SocketAddr>);

#[derive(Clone)]
struct Mapping {
    key: Key,
    used: SimTime,
    /// The outer endpoints that were spoken to, and when.
    permitted: BTreeMap<SocketAddr, SimTime>,
}

impl Nat {
    pub(crate) fn new(plan: NatPlan, outer_address: IpAddr, seeds: &SeedTree) -> Nat {
        let seeds = seeds.child("nat");
        let udp = Table::new(plan.lifetime, seeds.stream(&outer_address.to_string()));
        let tcp = Table::new(TCP_MAPPING_LIFETIME, seeds.stream(&format!("{outer_address}/tcp")));
        Nat { plan, outer_address, only: None, udp, tcp }
    }

    /// Takes somebody in. False when the outer address stands for somebody else alone.
    pub(crate) fn admit(&mut self, inner: IpAddr) -> bool {
        if self.plan.ports != PortAssignment::OneToOne {
            return true;
        }
        *self.only.get_or_insert(inner) == inner
    }

    /// The outer endpoint of a packet on its way out; opens or refreshes its mapping. `None` when the table is full.
    pub(crate) fn outbound(
        &mut self,
        transport: Transport,
        inner: SocketAddr,
        outer: SocketAddr,
        now: SimTime,
    ) -> Option<SocketAddr> {
        let key = (inner, seen_by(self.plan.mapping, outer));
        let key = if self.only.is_some() { (inner, None) } else { key };
        let (plan, table) = (self.plan.clone(), self.table(transport));
        let port = match table.live_port(&key, now) {
            Some(port) => port,
            None => table.open(&plan, key, now)?,
        };
        let lifetime = table.lifetime;
        let mapping = table.mappings.get_mut(&port).expect("each port has its mapping");
        mapping.used = now;
        mapping.permit(outer, now, lifetime);
        Some(SocketAddr::new(self.outer_address, port))
    }

    /// The inner endpoint for a packet from `outer` to our `port`.
    pub(crate) fn inbound(
        &mut self,
        transport: Transport,
        port: u16,
        outer: SocketAddr,
        now: SimTime,
    ) -> Result<SocketAddr, Refusal> {
        let (filtering, refresh, only) = (self.plan.filtering, self.plan.refresh, self.only);
        let table = self.table(transport);
        let lifetime = table.lifetime;
        let Some(mapping) = table.mappings.get_mut(&port).filter(|mapping| is_live(mapping.used, now, lifetime)) else {
            // A 1:1 mapping is always there; only its filter may not know the sender.
            let refusal = |reason| Refusal { reason, inner: only };
            return match only {
                Some(inner) if filtering == Dependence::EndpointIndependent => Ok(SocketAddr::new(inner, port)),
                Some(_) => Err(refusal(DropReason::NatFiltered)),
                None => Err(refusal(DropReason::NatNoMapping)),
            };
        };
        let inner = mapping.key.0;
        if !mapping.lets_in(filtering, outer, now, lifetime) {
            return Err(Refusal { reason: DropReason::NatFiltered, inner: Some(inner.ip()) });
        }
        if refresh == Refresh::Both {
            mapping.used = now;
            mapping.permitted.entry(outer).and_modify(|spoken| *spoken = now);
        }
        Ok(inner)
    }

    /// Something happens to the box; the answer is how many live mappings it had.
    pub(crate) fn change(&mut self, change: NatChange, now: SimTime) -> u32 {
        let plan = self.plan.clone();
        [&mut self.udp, &mut self.tcp].into_iter().map(|table| table.change(&plan, change, now)).sum()
    }

    fn table(&mut self, transport: Transport) -> &mut Table {
        match transport {
            Transport::Udp => &mut self.udp,
            Transport::Tcp => &mut self.tcp,
        }
    }
}

impl Table {
    fn new(lifetime: Micros, stream: Stream) -> Table {
        Table { mappings: BTreeMap::new(), ports: BTreeMap::new(), lifetime, next: FIRST_PORT, stream }
    }

    fn live_port(&mut self, key: &Key, now: SimTime) -> Option<u16> {
        let port = *self.ports.get(key)?;
        if is_live(self.mappings[&port].used, now, self.lifetime) {
            return Some(port);
        }
        self.close(port);
        None
    }

    fn open(&mut self, plan: &NatPlan, key: Key, now: SimTime) -> Option<u16> {
        if self.mappings.len() >= MAX_MAPPINGS {
            self.close_expired(now);
        }
        if self.mappings.len() >= MAX_MAPPINGS {
            return None;
        }
        let port = self.choose(plan, key.0.port(), now);
        self.put(port, Mapping { key, used: now, permitted: BTreeMap::new() });
        Some(port)
    }

    /// A port that no live mapping has: fewer mappings than ports of either parity exist.
    fn choose(&mut self, plan: &NatPlan, inner: u16, now: SimTime) -> u16 {
        let wanted = match plan.ports {
            PortAssignment::OneToOne => return inner,
            PortAssignment::Preserve if inner >= FIRST_PORT && self.is_free(inner, now) => return inner,
            PortAssignment::Sequential => self.next,
            PortAssignment::Preserve | PortAssignment::Random => {
                FIRST_PORT + self.stream.below(u64::from(u16::MAX - FIRST_PORT) + 1) as u16
            }
        };
        let step = if plan.parity { 2 } else { 1 };
        let mut port = if plan.parity { wanted & !1 | inner & 1 } else { wanted };
        while !self.is_free(port, now) {
            port = port.checked_add(step).unwrap_or(FIRST_PORT + (inner & 1) * u16::from(plan.parity));
        }
        self.next = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    fn is_free(&self, port: u16, now: SimTime) -> bool {
        self.mappings.get(&port).is_none_or(|mapping| !is_live(mapping.used, now, self.lifetime))
    }

    /// Puts a mapping where none is alive.
    fn put(&mut self, port: u16, mapping: Mapping) {
        self.close(port);
        self.ports.insert(mapping.key, port);
        self.mappings.insert(port, mapping);
    }

    fn close(&mut self, port: u16) {
        if let Some(mapping) = self.mappings.remove(&port) {
            self.ports.remove(&mapping.key);
        }
    }

    fn close_expired(&mut self, now: SimTime) {
        let lifetime = self.lifetime;
        self.mappings.retain(|_, mapping| is_live(mapping.used, now, lifetime));
        self.ports.retain(|_, port| self.mappings.contains_key(port));
    }

    fn change(&mut self, plan: &NatPlan, change: NatChange, now: SimTime) -> u32 {
        self.close_expired(now);
        let live = self.mappings.len() as u32;
        match change {
            NatChange::Forget => {
                self.mappings.clear();
                self.ports.clear();
            }
            // A 1:1 NAT has no other port to give.
            NatChange::Renumber if plan.ports == PortAssignment::OneToOne => {}
            NatChange::Renumber => {
                let plan = NatPlan { ports: PortAssignment::Random, ..plan.clone() };
                // The old ones still hold their ports, so that each new one is another.
                for (old, mapping) in self.mappings.clone() {
                    let new = self.choose(&plan, mapping.key.0.port(), now);
                    self.ports.insert(mapping.key, new);
                    self.mappings.insert(new, mapping);
                    debug_assert_ne!(old, new);
                }
                self.mappings.retain(|port, mapping| self.ports[&mapping.key] == *port);
            }
        }
        live
    }
}

/// Why a packet does not come in, and which inner address it was for, where a mapping tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: DropReason,
    pub(crate) inner: Option<IpAddr>,
}

impl Mapping {
    fn permit(&mut self, outer: SocketAddr, now: SimTime, lifetime: Micros) {
        if self.permitted.len() >= MAX_PERMISSIONS && !self.permitted.contains_key(&outer) {
            self.permitted.retain(|_, spoken| is_live(*spoken, now, lifetime));
        }
        if self.permitted.len() >= MAX_PERMISSIONS && !self.permitted.contains_key(&outer) {
            let oldest = self.permitted.iter().min_by_key(|(_, spoken)| **spoken).map(|(outer, _)| *outer);
            oldest.and_then(|outer| self.permitted.remove(&outer));
        }
        self.permitted.insert(outer, now);
    }

    fn lets_in(&self, filtering: Dependence, outer: SocketAddr, now: SimTime, lifetime: Micros) -> bool {
        let knows =
            |known: &SocketAddr, spoken: &SimTime| filtering.unites(*known, outer) && is_live(*spoken, now, lifetime);
        filtering == Dependence::EndpointIndependent
            || self.permitted.iter().any(|(known, spoken)| knows(known, spoken))
    }
}

/// What a mapping sees of an outer endpoint.
fn seen_by(mapping: Dependence, outer: SocketAddr) -> Option<SocketAddr> {
    match mapping {
        Dependence::EndpointIndependent => None,
        Dependence::AddressDependent => Some(SocketAddr::new(outer.ip(), 0)),
        Dependence::AddressAndPortDependent => Some(outer),
    }
}

fn is_live(used: SimTime, now: SimTime, lifetime: Micros) -> bool {
    now.since(used) < lifetime
}
