//! Links: their parameters, and how they change.

use crate::{
    either::Either,
    located::Located,
    scalar::{Duration, LinkRate, Rate, Share, Size},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The parameters of one direction of a link, for a link and for a change of one.
macro_rules! link_table {
    ($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $key:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$key_doc])* pub(crate) $key: Option<$kind>,)*
            /// Bits per second, or `unlimited`.
            pub(crate) rate: Option<LinkRate>,
            /// In place of a rate: a trace of the fixtures by its name (`driving`), or a file beside the scenario, in
            /// Mahimahi's format (a millisecond a line for 1500 bytes each) or with lines `time_ms,bps`. It begins with the
            /// timeline and repeats.
            pub(crate) trace: Option<Located<String>>,
            /// Bytes that each packet takes besides its IP packet: 38 on Ethernet, 8 for PPPoE.
            #[schemars(range(min = 0, max = 65_535))]
            pub(crate) overhead: Option<u32>,
            /// The largest IP packet in bytes.
            #[schemars(range(min = 68, max = 65_535))]
            pub(crate) mtu: Option<u32>,
            /// Lets in no more than a rate, with bursts; or `none`.
            pub(crate) policer: Option<Either<Nothing, Policer>>,
            /// What the queue holds.
            pub(crate) queue: Option<Size>,
            /// What the queue holds in packets: any number unless given.
            #[schemars(range(min = 1, max = 1_000_000))]
            pub(crate) queue_packets: Option<u32>,
            /// How the queue is managed: a kind with the numbers of its RFC, or a table.
            pub(crate) aqm: Option<Located<Either<AqmKind, Aqm>>>,
            /// Clears the ECN field of what passes.
            pub(crate) bleaches_ecn: Option<bool>,
            /// How long a packet travels, one way.
            pub(crate) propagation: Option<Duration>,
            /// What is added to that: uniform up to a duration, or a table.
            pub(crate) jitter: Option<Located<Either<Duration, Jitter>>>,
            /// What is lost: a share of the packets, or the four parameters of Gilbert and Elliott.
            pub(crate) loss: Option<Either<Share, GilbertElliott>>,
            /// Packets that are lost besides, by their number on this link from 0.
            pub(crate) lost_packets: Option<Vec<u64>>,
            /// The share of packets that are held back for 10 ms so that others overtake them, or a table.
            pub(crate) reordering: Option<Either<Share, Reordering>>,
            /// The share of packets that a second copy follows.
            pub(crate) duplication: Option<Share>,
            /// The share of packets that are delivered with a flipped bit.
            pub(crate) corruption: Option<Share>,
            /// The share of packets that are delivered without their end.
            pub(crate) truncation: Option<Share>,
        }
    };
}

link_table! {
    /// One direction of a link.
    Link {}
}

link_table! {
    /// A link that changes: what is not named stays as it was.
    LinkChange {
        /// At this time of the timeline.
        #[schemars(required)]
        at: Located<Duration>,
        /// Which link: a participant, a core link, `signaling` or `relay`, then `/up` or `/down`.
        #[schemars(required)]
        link: Located<String>,
        /// Again and again after this span.
        repeat: Located<Duration>,
    }
}

impl LinkChange {
    /// The parameters that it names.
    pub(crate) fn parameters(&self) -> Link {
        let change = self.clone();
        Link {
            rate: change.rate,
            trace: change.trace,
            overhead: change.overhead,
            mtu: change.mtu,
            policer: change.policer,
            queue: change.queue,
            queue_packets: change.queue_packets,
            aqm: change.aqm,
            bleaches_ecn: change.bleaches_ecn,
            propagation: change.propagation,
            jitter: change.jitter,
            loss: change.loss,
            lost_packets: change.lost_packets,
            reordering: change.reordering,
            duplication: change.duplication,
            corruption: change.corruption,
            truncation: change.truncation,
        }
    }
}

/// A link between two points of the core, which the traffic of several may share.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoreLink {
    /// Away from those who go over it. What is not named is ideal.
    #[serde(default)]
    pub(crate) up: Link,
    /// Towards those who go over it. What is not named is ideal.
    #[serde(default)]
    pub(crate) down: Link,
}

/// Nothing at all.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Nothing {
    /// None.
    None,
}

/// A token bucket: what finds no token is dropped at once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policer {
    /// How fast the bucket fills.
    #[schemars(required)]
    pub(crate) rate: Option<Rate>,
    /// What it holds.
    #[schemars(required)]
    pub(crate) burst: Option<Size>,
}

/// Kind of queue management (RFC 7567).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AqmKind {
    /// None: what finds no room is dropped.
    DropTail,
    /// `CoDel` (RFC 8289).
    Codel,
    /// `FQ-CoDel` (RFC 8290).
    FqCodel,
    /// RED (Floyd and Jacobson, 1993), gentle.
    Red,
}

/// Queue management with numbers of its own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aqm {
    /// Which.
    #[schemars(required)]
    pub(crate) kind: Option<Located<AqmKind>>,
    /// Marks packets that can be marked in place of dropping them: FQ-CoDel does unless told otherwise.
    pub(crate) ecn: Option<Located<bool>>,
    /// The wait that is acceptable; 5 ms unless given. For CoDel and FQ-CoDel.
    pub(crate) target: Option<Located<Duration>>,
    /// For how long it may be exceeded; 100 ms unless given. For CoDel and FQ-CoDel.
    pub(crate) interval: Option<Located<Duration>>,
    /// Number of queues; 1024 unless given. For FQ-CoDel.
    #[schemars(range(min = 1, max = 65_536))]
    pub(crate) flows: Option<Located<u32>>,
    /// Bytes that a queue sends in its turn; 1514 unless given. For FQ-CoDel.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) quantum: Option<Located<u32>>,
    /// The average queue below which nothing is struck; a fifth of the queue unless given. For RED.
    pub(crate) min: Option<Located<Size>>,
    /// The average queue at which `probability` is reached; three times `min` unless given. For RED.
    pub(crate) max: Option<Located<Size>>,
    /// The probability at `max`; 10 % unless given. For RED.
    pub(crate) probability: Option<Located<Share>>,
    /// Weight of a packet in the average as a power of two, 9 for 1/512; 9 unless given. For RED.
    #[schemars(range(min = 0, max = 20))]
    pub(crate) weight_shift: Option<Located<u32>>,
}

/// Packets that are held back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reordering {
    /// The share of them.
    #[schemars(required)]
    pub(crate) share: Option<Share>,
    /// For how long.
    #[schemars(required)]
    pub(crate) hold: Option<Duration>,
}

/// Jitter with a choice of distribution: exactly one of `max`, `deviation` and `pareto`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jitter {
    /// Uniform from nothing up to this.
    pub(crate) max: Option<Duration>,
    /// Normal with this standard deviation, cut at three of it.
    pub(crate) deviation: Option<Duration>,
    /// Pareto with shape 3 and this mean.
    pub(crate) pareto: Option<Duration>,
    /// How much a packet's jitter has of the last one's. For uniform jitter.
    pub(crate) correlation: Option<Located<Share>>,
    /// Whether a later packet may overtake an earlier one.
    #[serde(default)]
    pub(crate) reorders: bool,
    /// Keeps the serialization time between packets (RFC 8868's NR-BPDV). For normal jitter.
    #[serde(default)]
    pub(crate) spaced: bool,
}

/// Loss in bursts: a good and a bad state, a step per packet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GilbertElliott {
    /// Probability to go from good to bad.
    #[schemars(required)]
    pub(crate) good_to_bad: Option<Share>,
    /// Probability to go from bad to good.
    #[schemars(required)]
    pub(crate) bad_to_good: Option<Share>,
    /// Loss in the good state: none unless given.
    pub(crate) good_loss: Option<Share>,
    /// Loss in the bad state: everything unless given.
    pub(crate) bad_loss: Option<Share>,
}
