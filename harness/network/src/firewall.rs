//! A stateful firewall in front of one node.

use crate::nat::TCP_MAPPING_LIFETIME;
use kernel::{
    Datagram, Transport,
    plan::Firewall,
    time::{Micros, SimTime},
};
use std::{collections::BTreeMap, net::SocketAddr};

/// How long a firewall remembers a UDP flow without an outbound packet: five minutes (RFC 6092, REC-14).
pub const FLOW_LIFETIME: Micros = Micros::from_secs(300);
/// A firewall remembers at most this many flows; a new one beyond does not get out until an old one expires.
pub const MAX_FLOWS: usize = 4_096;

/// The port that a strict network lets out: HTTPS and HTTP/3.
const HTTPS: u16 = 443;

/// A firewall with its memory.
pub(crate) struct Guard {
    kind: Firewall,
    /// Own and foreign endpoint, and when the own one spoke last.
    flows: BTreeMap<(Transport, SocketAddr, SocketAddr), SimTime>,
}

impl Guard {
    pub(crate) fn new(kind: Firewall) -> Guard {
        Guard { kind, flows: BTreeMap::new() }
    }

    /// Whether a packet may go out; its addresses are those inside any NAT. Opens or refreshes its flow.
    pub(crate) fn lets_out(&mut self, datagram: &Datagram, now: SimTime) -> bool {
        let may = match self.kind {
            Firewall::Open => return true,
            Firewall::Stateful => true,
            Firewall::Only443 => datagram.destination.port() == HTTPS,
            Firewall::UdpBlocked => datagram.transport == Transport::Tcp && datagram.destination.port() == HTTPS,
        };
        if !may {
            return false;
        }
        let flow = (datagram.transport, datagram.source, datagram.destination);
        if self.flows.len() >= MAX_FLOWS && !self.flows.contains_key(&flow) {
            self.flows.retain(|(transport, ..), spoken| is_live(*transport, *spoken, now));
            if self.flows.len() >= MAX_FLOWS {
                return false;
            }
        }
        self.flows.insert(flow, now);
        true
    }

    /// Whether a packet may come in; its destination is the node's own endpoint.
    pub(crate) fn lets_in(&self, datagram: &Datagram, now: SimTime) -> bool {
        let flow = (datagram.transport, datagram.destination, datagram.source);
        self.kind == Firewall::Open
            || self.flows.get(&flow).is_some_and(|spoken| is_live(datagram.transport, *spoken, now))
    }
}

fn is_live(transport: Transport, spoken: SimTime, now: SimTime) -> bool {
    let lifetime = match transport {
        Transport::Udp => FLOW_LIFETIME,
        Transport::Tcp => TCP_MAPPING_LIFETIME,
    };
    now.since(spoken) < lifetime
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &str = "198.51.100.7:5000";

    fn datagram(transport: Transport, from: &str, to: &str) -> Datagram {
        let datagram = Datagram::new(from.parse().unwrap(), to.parse().unwrap(), Vec::new());
        Datagram { transport, ..datagram }
    }

    fn outwards(transport: Transport, port: u16) -> Datagram {
        datagram(transport, INSIDE, &format!("192.0.2.1:{port}"))
    }

    #[test]
    fn each_kind_lets_out_what_it_says() {
        for (kind, expected) in [
            (Firewall::Open, [true, true, true, true]),
            (Firewall::Stateful, [true, true, true, true]),
            (Firewall::Only443, [true, false, true, false]),
            (Firewall::UdpBlocked, [false, false, true, false]),
        ] {
            let mut guard = Guard::new(kind);
            let kinds = [(Transport::Udp, 443), (Transport::Udp, 3_478), (Transport::Tcp, 443), (Transport::Tcp, 80)];
            let out = kinds.map(|(transport, port)| guard.lets_out(&outwards(transport, port), SimTime(0)));
            assert_eq!(out, expected, "{kind:?}");
        }
    }

    #[test]
    fn only_answers_come_in_and_only_for_a_while() {
        let mut guard = Guard::new(Firewall::Stateful);
        let answer = |from: &str| datagram(Transport::Udp, from, INSIDE);
        assert!(!guard.lets_in(&answer("192.0.2.1:443"), SimTime(0)));
        assert!(guard.lets_out(&outwards(Transport::Udp, 443), SimTime(0)));
        assert!(guard.lets_in(&answer("192.0.2.1:443"), SimTime(FLOW_LIFETIME.0 - 1)));
        assert!(!guard.lets_in(&answer("192.0.2.1:443"), SimTime(FLOW_LIFETIME.0)));
        assert!(!guard.lets_in(&answer("192.0.2.1:444"), SimTime(0)), "another port was not spoken to");
        assert!(!guard.lets_in(&datagram(Transport::Tcp, "192.0.2.1:443", INSIDE), SimTime(0)), "by UDP, not by TCP");
        assert!(Guard::new(Firewall::Open).lets_in(&answer("192.0.2.1:1"), SimTime(0)));
    }

    #[test]
    fn a_full_memory_lets_no_new_flow_out_until_old_ones_expire() {
        let mut guard = Guard::new(Firewall::Stateful);
        for port in 1..=MAX_FLOWS as u16 {
            assert!(guard.lets_out(&outwards(Transport::Udp, port), SimTime(0)));
        }
        assert!(!guard.lets_out(&outwards(Transport::Udp, 60_000), SimTime(1)));
        assert!(guard.lets_out(&outwards(Transport::Udp, 1), SimTime(1)), "a known flow goes on");
        assert!(guard.lets_out(&outwards(Transport::Udp, 60_000), SimTime(FLOW_LIFETIME.0)));
    }
}
