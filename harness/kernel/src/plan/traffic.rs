//! Cross traffic: flows that share links with the calls (RFC 8868, traffic models; RFC 8867).

use super::AccessPlan;
use crate::{
    names::ActorName,
    time::{BitRate, Micros},
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Ports that an end of a flow owns, from its address's on: a multiple of this.
pub const TRAFFIC_PORTS: u16 = 64;

/// A flow of cross traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficPlan {
    /// What metrics call it: `traffic/bulk/goodput_bps`.
    pub name: String,
    /// What it sends.
    pub kind: TrafficKind,
    /// Who sends.
    pub source: TrafficEnd,
    /// Who receives.
    pub sink: TrafficEnd,
    /// Who speaks first: the end that nobody can reach unasked.
    pub opener: TrafficSide,
    /// When it begins, on the timeline.
    pub start: Micros,
    /// When it ends, on the timeline.
    pub end: Micros,
}

/// One of the two ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficSide {
    /// It sends.
    Source,
    /// It receives.
    Sink,
}

/// Where an end of a flow is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficEnd {
    /// The node whose links carry it: a device or server of the plan, or a host of its own.
    pub host: ActorName,
    /// The host's own address, with the first of [`TRAFFIC_PORTS`] ports.
    pub address: SocketAddr,
    /// The links of a host of its own; none on a node of the plan.
    pub access: Option<AccessPlan>,
}

impl TrafficEnd {
    /// Whether an address is one of this end's.
    pub fn owns(&self, address: SocketAddr) -> bool {
        address.ip() == self.address.ip() && address.port() / TRAFFIC_PORTS == self.address.port() / TRAFFIC_PORTS
    }
}

/// What a flow sends. Rates of UDP flows count the whole packet, headers of IP and UDP included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrafficKind {
    /// UDP at a constant rate.
    Cbr {
        /// The rate.
        rate: BitRate,
    },
    /// UDP at a rate that takes a uniform step up or down at each interval, within bounds. It starts in the middle.
    RandomWalk {
        /// The least.
        least: BitRate,
        /// The most.
        most: BitRate,
        /// The largest step.
        step: BitRate,
        /// How often it steps.
        every: Micros,
    },
    /// UDP at a rate for a time, then silent for a time, and so on.
    Pulses {
        /// The rate while it is on.
        rate: BitRate,
        /// How long it is on.
        on: Micros,
        /// How long it is off.
        off: Micros,
    },
    /// One TCP connection that always has more to send.
    LongTcp {
        /// Its congestion control.
        congestion: CongestionKind,
    },
    /// TCP transfers of a uniform size, each followed by an exponential idle time, in several strands side by side.
    ShortTcp {
        /// Its congestion control.
        congestion: CongestionKind,
        /// How many strands.
        strands: u32,
        /// How many of them start with a transfer; the others are idle first.
        start_on: u32,
        /// The smallest transfer in bytes.
        smallest: u64,
        /// The largest transfer in bytes.
        largest: u64,
        /// The mean of the idle time.
        idle: Micros,
    },
}

/// Congestion control of a TCP sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CongestionKind {
    /// RFC 9438.
    Cubic,
    /// RFC 5681.
    Reno,
}
