//! Cross traffic.

use super::Network;
use crate::{
    either::Either,
    located::Located,
    scalar::{Duration, Rate, Size},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// A flow of cross traffic (RFC 8868, RFC 8867).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    /// What metrics call it: `traffic/upload/goodput_bps`. Its kind and number unless given.
    pub(crate) name: Option<Located<String>>,
    /// What it sends.
    #[schemars(required)]
    pub(crate) kind: Option<Located<TrafficWord>>,
    /// Who sends: a participant, or the access network of a host of its own, as a table. A server on 1 Gbit/s unless given.
    pub(crate) from: Option<Located<Either<String, Network>>>,
    /// Who receives, in the same words.
    pub(crate) to: Option<Located<Either<String, Network>>>,
    /// The core links that a sender with a host of its own goes over, nearest first.
    #[serde(default)]
    pub(crate) from_via: Vec<Located<String>>,
    /// The core links that a receiver with a host of its own goes over, nearest first.
    #[serde(default)]
    pub(crate) to_via: Vec<Located<String>>,
    /// When it begins: with the timeline unless given.
    pub(crate) start: Option<Located<Duration>>,
    /// When it ends: with the timeline unless given.
    pub(crate) end: Option<Located<Duration>>,
    /// The rate of `cbr`, and of `pulses` while they are on, headers included.
    pub(crate) rate: Option<Located<Rate>>,
    /// The least rate of a `random-walk`.
    pub(crate) least: Option<Located<Rate>>,
    /// The most of a `random-walk`.
    pub(crate) most: Option<Located<Rate>>,
    /// The largest step of a `random-walk`: a tenth of its span unless given.
    pub(crate) step: Option<Located<Rate>>,
    /// How often a `random-walk` steps: each second unless given.
    pub(crate) every: Option<Located<Duration>>,
    /// How long `pulses` are on.
    pub(crate) on: Option<Located<Duration>>,
    /// How long `pulses` are off.
    pub(crate) off: Option<Located<Duration>>,
    /// Congestion control of TCP: `cubic` unless given.
    pub(crate) congestion: Option<Located<CongestionWord>>,
    /// How many strands of `short-tcp` run side by side: 30 unless given.
    #[schemars(range(min = 1, max = 60))]
    pub(crate) strands: Option<Located<u32>>,
    /// How many strands start with a transfer instead of idle: all unless given.
    pub(crate) start_on: Option<Located<u32>>,
    /// The smallest transfer of `short-tcp`: 30 kB unless given.
    pub(crate) smallest: Option<Located<Size>>,
    /// The largest transfer of `short-tcp`: 50 kB unless given.
    pub(crate) largest: Option<Located<Size>>,
    /// The mean idle time after a transfer of `short-tcp`: 10 s unless given.
    pub(crate) idle: Option<Located<Duration>>,
}

/// What cross traffic sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TrafficWord {
    /// UDP at a constant rate.
    Cbr,
    /// UDP at a rate that wanders between bounds.
    RandomWalk,
    /// UDP that is on and off in turn.
    Pulses,
    /// A TCP connection that always has more to send.
    LongTcp,
    /// TCP transfers with idle times between them.
    ShortTcp,
}

/// Congestion control of TCP.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CongestionWord {
    /// RFC 9438.
    Cubic,
    /// RFC 5681.
    Reno,
}
