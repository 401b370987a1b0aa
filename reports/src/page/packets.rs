//! Packets by sender and protocol, and what became of those that were lost.

use crate::{
    metric_name::{bytes, decimal, instant},
    trace::{Packets, protocol_name, reason_name},
};
use kernel::SimTime;
use std::collections::BTreeMap;

/// Rows of a table beyond these are counted.
const MAX_ROWS: usize = 60;

/// The packets of a run.
pub(crate) struct PacketsView {
    pub(crate) total: String,
    pub(crate) flows: Vec<Flow>,
    pub(crate) drops: Vec<Drop>,
    pub(crate) more_drops: usize,
    pub(crate) commands: &'static [(&'static str, &'static str)],
}

/// Packets of one sender and protocol.
pub(crate) struct Flow {
    pub(crate) from: String,
    pub(crate) protocol: &'static str,
    pub(crate) packets: String,
    pub(crate) bytes: String,
    pub(crate) arrived: String,
    pub(crate) dropped: String,
    pub(crate) share: String,
}

/// Packets lost at one place for one reason.
pub(crate) struct Drop {
    pub(crate) place: String,
    pub(crate) reason: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) count: String,
    pub(crate) first: String,
    pub(crate) last: String,
}

/// Ready lines for tshark; each works on the file beside the page.
const COMMANDS: [(&str, &str); 5] = [
    ("everything, with names", "tshark -r wire.pcapng -N n -t e"),
    (
        "what was lost, where and why",
        "tshark -r wire.pcapng -N n -Y frame.comment -T fields -e frame.time_epoch -e ip.src_host -e ip.dst_host -e frame.comment",
    ),
    ("STUN and TURN", "tshark -r wire.pcapng -N n -t e -Y stun"),
    ("DTLS handshakes", "tshark -r wire.pcapng -N n -t e -Y dtls.handshake"),
    (
        "SRTP streams",
        "tshark -r wire.pcapng -N n -d udp.port==5000,rtp --enable-heuristic rtp_udp --enable-heuristic stun_udp -q -z rtp,streams",
    ),
];

#[derive(Default)]
struct Count {
    packets: u64,
    bytes: u64,
    arrived: u64,
    dropped: u64,
}

pub(crate) fn collect(packets: &Packets<'_>) -> PacketsView {
    let mut flows: BTreeMap<(&str, &'static str), Count> = BTreeMap::new();
    let mut drops: BTreeMap<(&str, &'static str, &'static str), (u64, SimTime, SimTime)> = BTreeMap::new();
    for passage in packets.iter() {
        let protocol = protocol_name(passage.protocol);
        let count = flows.entry((passage.from.as_str(), protocol)).or_default();
        count.packets += 1;
        count.bytes += passage.wire_bytes();
        count.arrived += u64::from(!passage.arrivals.is_empty());
        if let Some(dropped) = &passage.dropped {
            count.dropped += 1;
            let key = (dropped.place, reason_name(dropped.reason), protocol);
            let (count, _, last) = drops.entry(key).or_insert((0, dropped.at, dropped.at));
            *count += 1;
            *last = dropped.at.max(*last);
        }
    }
    let total = flows.values().fold(Count::default(), |sum, count| Count {
        packets: sum.packets + count.packets,
        bytes: sum.bytes + count.bytes,
        arrived: sum.arrived + count.arrived,
        dropped: sum.dropped + count.dropped,
    });
    let mut drops: Vec<_> = drops.into_iter().collect();
    drops.sort_by_key(|(_, (count, ..))| std::cmp::Reverse(*count));
    PacketsView {
        total: format!(
            "{} packets, {}, {} lost",
            number(total.packets),
            bytes(total.bytes as i64),
            number(total.dropped)
        ),
        flows: flows.into_iter().map(flow).collect(),
        more_drops: drops.len().saturating_sub(MAX_ROWS),
        drops: drops.into_iter().take(MAX_ROWS).map(drop_row).collect(),
        commands: &COMMANDS,
    }
}

fn flow(((from, protocol), count): ((&str, &'static str), Count)) -> Flow {
    Flow {
        from: from.into(),
        protocol,
        packets: number(count.packets),
        bytes: bytes(count.bytes as i64),
        arrived: number(count.arrived),
        dropped: number(count.dropped),
        share: format!("{} %", decimal((count.dropped * 10_000 / count.packets.max(1)) as i64, 2, 2)),
    }
}

fn drop_row(
    ((place, reason, protocol), (count, first, last)): ((&str, &'static str, &'static str), (u64, SimTime, SimTime)),
) -> Drop {
    Drop { place: place.into(), reason, protocol, count: number(count), first: instant(first), last: instant(last) }
}

fn number(count: u64) -> String {
    decimal(count as i64, 0, 0)
}
