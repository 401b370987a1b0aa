//! `wire.pcapng`: the packets of a run as the core of the network sees them, stamped with simulated time, so that
//! `frame.time_epoch` reads the seconds of the log. Lost packets carry a comment with reason and place; what never
//! reached the core is on an interface of its own, at the time of its loss and with the addresses of its socket.

use crate::{
    metric_name::time,
    pcapng::{Capture, IpFields, ip_packet},
    trace::{Packets, Passage, reason_name},
};
use kernel::{
    Log, SimTime,
    plan::{Participant, Plan},
};
use std::{collections::BTreeMap, net::IpAddr};

/// The interface of packets that passed the core.
pub(crate) const CORE: &str = "core";
/// The interface of packets that never did.
pub(crate) const BEFORE_CORE: &str = "before-core";

pub(crate) fn capture(log: &Log, plan: &Plan) -> Vec<u8> {
    let comment = format!("scenario {}, seed {}; times are simulated seconds", plan.scenario, plan.seed);
    let mut capture = Capture::new("callproof", &comment);
    let interfaces = (capture.interface(CORE), capture.interface(BEFORE_CORE));
    let names = names(plan);
    capture.names(names.iter().map(|(address, name)| (*address, name.as_str())));
    let packets = Packets::of(log);
    let mut passages: Vec<(SimTime, &Passage<'_>)> =
        packets.iter().map(|passage| (seen_at(passage), passage)).collect();
    passages.sort_by_key(|(at, passage)| (*at, passage.packet));
    for (at, passage) in passages {
        let (interface, source, destination) = match passage.core {
            Some((_, source, destination)) => (interfaces.0, source, destination),
            None => (interfaces.1, passage.source, passage.destination),
        };
        let fields = IpFields { id: passage.packet.0 as u16, transport: passage.transport, ecn: passage.ecn };
        let bytes = ip_packet(source, destination, fields, log.bytes(passage.bytes));
        capture.packet(interface, at.0, &bytes, comment_on(passage).as_deref());
    }
    capture.finish()
}

/// The time at which a packet stands in the capture.
fn seen_at(passage: &Passage<'_>) -> SimTime {
    match (&passage.core, &passage.dropped) {
        (Some((at, ..)), _) => *at,
        (None, Some(dropped)) => dropped.at,
        (None, None) => passage.sent_at,
    }
}

fn comment_on(passage: &Passage<'_>) -> Option<String> {
    if let Some(dropped) = &passage.dropped {
        let reason = reason_name(dropped.reason);
        let later = dropped.at.since(seen_at(passage)).0;
        let when = if later == 0 { String::new() } else { format!(", {} later", time(later as i64)) };
        return Some(format!(
            "dropped: {reason} at {}{when} (packet {}, from {})",
            dropped.place, passage.packet.0, passage.from
        ));
    }
    match passage.arrivals.as_slice() {
        [] => Some(format!("in flight when the run ended (packet {})", passage.packet.0)),
        [_] if passage.core.is_none() => Some("did not pass the core: both ends share a network".into()),
        [_] => None,
        more => Some(format!("arrived {} times: copied by the network", more.len())),
    }
}

/// Names of all addresses: devices and servers by their own name, the outer address of a NAT by those behind it.
fn names(plan: &Plan) -> BTreeMap<IpAddr, String> {
    let mut names: BTreeMap<IpAddr, String> = BTreeMap::new();
    for server in plan.relays.iter().chain([&plan.signaling]) {
        names.extend(server.addresses().map(|address| (address, server.name.to_string())));
    }
    let mut outer: BTreeMap<IpAddr, Vec<&str>> = BTreeMap::new();
    for (name, address, access) in plan.participants.iter().flat_map(Participant::interfaces) {
        names.insert(address, name.to_string());
        names.extend(access.ipv6.map(|ipv6| (ipv6.address, name.to_string())));
        outer.entry(access.public_address).or_default().push(name.as_str());
    }
    for (address, devices) in outer {
        names.entry(address).or_insert_with(|| format!("nat-of-{}", devices.join("-and-")));
    }
    names
}
