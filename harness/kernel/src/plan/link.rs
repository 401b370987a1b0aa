//! Links: what one direction of a link does to packets, and how that changes while a run goes on.

use crate::{
    names::LinkName,
    time::{BitRate, Micros},
};
use serde::{Deserialize, Serialize};

/// One direction of a link.
///
/// A packet meets the elements in this order: MTU, policer, queue, wire (rate or trace), loss, damage, duplication,
/// propagation, jitter, reordering. All sizes count a packet's IP and UDP headers and the link's own overhead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkPlan {
    /// Rate; none is unlimited.
    pub rate: Option<BitRate>,
    /// Name of the trace in [`Plan::traces`](super::Plan::traces) that the rate follows in place of `rate`.
    pub trace: Option<String>,
    /// Bytes that each packet takes on this link besides its IP packet: Ethernet 18 (38 with preamble and gap), PPPoE 8.
    pub overhead: u32,
    /// The largest IP packet in bytes; a larger one drops as `TooBig`. 65,535 is no limit.
    pub mtu: u32,
    /// What is let in at all.
    pub policer: Policer,
    /// What the queue holds in bytes. The packet on the wire does not count.
    pub queue_bytes: u64,
    /// What the queue holds in packets.
    pub queue_packets: u32,
    /// How the queue is managed.
    pub aqm: Aqm,
    /// Whether the link clears the ECN field of what passes (RFC 3168, section 18 calls it erasing; others bleaching).
    pub bleaches_ecn: bool,
    /// Propagation, one way.
    pub propagation: Micros,
    /// Jitter added to propagation.
    pub jitter: Jitter,
    /// Loss.
    pub loss: Loss,
    /// Packets that are lost besides, by their number on this link from 0, in ascending order.
    pub lost_packets: Vec<u64>,
    /// Packets that are held back so that later ones overtake them.
    pub reordering: Reordering,
    /// Probability, in millionths, that a second copy follows a packet.
    pub duplication_ppm: u32,
    /// Probability, in millionths, that one bit of a packet's payload is flipped. It is delivered all the same.
    pub corruption_ppm: u32,
    /// Probability, in millionths, that a packet loses a random part of its end. It is delivered all the same.
    pub truncation_ppm: u32,
}

impl LinkPlan {
    /// A link that costs nothing: unlimited, no propagation, nothing lost. Its queue of 1 MiB counts once it has a rate.
    pub const IDEAL: LinkPlan = LinkPlan {
        rate: None,
        trace: None,
        overhead: 0,
        mtu: LinkPlan::NO_MTU,
        policer: Policer::None,
        queue_bytes: 1 << 20,
        queue_packets: u32::MAX,
        aqm: Aqm::DropTail,
        bleaches_ecn: false,
        propagation: Micros::ZERO,
        jitter: Jitter::None,
        loss: Loss::None,
        lost_packets: Vec::new(),
        reordering: Reordering { ppm: 0, hold: Micros::ZERO },
        duplication_ppm: 0,
        corruption_ppm: 0,
        truncation_ppm: 0,
    };

    /// The MTU that limits nothing: no IP packet is larger.
    pub const NO_MTU: u32 = 65_535;
}

/// A token-bucket policer: what finds no token drops at once as `Policed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Policer {
    /// None.
    None,
    /// A bucket that is full at the beginning.
    TokenBucket {
        /// How fast the bucket fills.
        rate: BitRate,
        /// What it holds in bytes.
        burst: u64,
    },
}

/// Management of a queue (RFC 7567). Drops are `Aqm`; what finds no room at all is `QueueFull`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Aqm {
    /// None: what finds no room is dropped.
    DropTail,
    /// `CoDel` (RFC 8289): drops at the head when packets have waited too long for too long.
    Codel {
        /// The wait that is acceptable; 5 ms in the RFC.
        target: Micros,
        /// For how long it may be exceeded; 100 ms in the RFC.
        interval: Micros,
        /// Whether packets that can be marked are marked in place of being dropped (RFC 3168).
        ecn: bool,
    },
    /// `FQ-CoDel` (RFC 8290): a queue per flow, `CoDel` in each, served in turns; new flows first.
    FqCodel {
        /// As in `Codel`.
        target: Micros,
        /// As in `Codel`.
        interval: Micros,
        /// Number of queues that flows are hashed to; 1024 in the RFC.
        flows: u32,
        /// Bytes that a queue may send in its turn; 1514 in the RFC.
        quantum: u32,
        /// As in `Codel`.
        ecn: bool,
    },
    /// RED (Floyd and Jacobson, 1993) in bytes, with the gentle slope up to twice `max` (Floyd, 2000).
    Red {
        /// Average queue in bytes below which nothing is dropped.
        min: u64,
        /// Average queue in bytes at which `probability_ppm` is reached.
        max: u64,
        /// Probability at `max`, in millionths; 100,000 is usual.
        probability_ppm: u32,
        /// Weight of a packet in the average, as a power of two: 9 is 1/512, about the paper's 0.002.
        weight_shift: u32,
        /// Whether packets that can be marked are marked in place of being dropped, while the average is below `max`.
        ecn: bool,
    },
}

impl Aqm {
    /// Whether it marks packets that can be marked in place of dropping them (RFC 3168).
    pub fn marks(self) -> bool {
        match self {
            Aqm::DropTail => false,
            Aqm::Codel { ecn, .. } | Aqm::FqCodel { ecn, .. } | Aqm::Red { ecn, .. } => ecn,
        }
    }

    /// `CoDel` with the RFC's numbers: 5 ms, 100 ms.
    pub const CODEL: Aqm =
        Aqm::Codel { target: Micros::from_millis(5), interval: Micros::from_millis(100), ecn: false };
    /// `FQ-CoDel` with the RFC's numbers: 1024 queues, a quantum of 1514 bytes, marking.
    pub const FQ_CODEL: Aqm = Aqm::FqCodel {
        target: Micros::from_millis(5),
        interval: Micros::from_millis(100),
        flows: 1_024,
        quantum: 1_514,
        ecn: true,
    };
}

/// Jitter of a link.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Jitter {
    /// None.
    None,
    /// Uniform in `0..=max`.
    Uniform {
        /// The most.
        max: Micros,
        /// Whether a later packet may overtake an earlier one.
        reorders: bool,
    },
    /// Normal around zero with the standard deviation, cut at three of it, shifted to be positive.
    Normal {
        /// Standard deviation.
        deviation: Micros,
        /// Whether a later packet may overtake an earlier one.
        reorders: bool,
    },
    /// Pareto of the second kind with shape 3: most packets little, few very much. Cut at twenty times the mean.
    Pareto {
        /// The mean, before the cut.
        mean: Micros,
        /// Whether a later packet may overtake an earlier one.
        reorders: bool,
    },
    /// Uniform in `0..=max` as a random walk: each packet's jitter is `correlation` of the last one's and the rest fresh
    /// (as Linux netem has it).
    Correlated {
        /// The most.
        max: Micros,
        /// Share of the last packet's jitter, in millionths.
        correlation_ppm: u32,
        /// Whether a later packet may overtake an earlier one.
        reorders: bool,
    },
    /// RFC 8868's bounded packet delay variation without reordering (NR-BPDV): as `Normal`, but a packet leaves no
    /// earlier than the one before it and that one's serialization.
    Spaced {
        /// Standard deviation; 5 ms in the RFC.
        deviation: Micros,
    },
}

/// Loss of a link, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Loss {
    /// None.
    None,
    /// Each packet independently.
    Bernoulli {
        /// Probability of loss.
        ppm: u32,
    },
    /// Gilbert-Elliott with four parameters, a step per packet.
    GilbertElliott {
        /// Good to bad.
        p_ppm: u32,
        /// Bad to good.
        r_ppm: u32,
        /// Loss in the good state.
        good_loss_ppm: u32,
        /// Loss in the bad state.
        bad_loss_ppm: u32,
    },
}

impl Loss {
    /// The share of packets that it takes in the long run, in millionths.
    pub fn mean_ppm(&self) -> u64 {
        match *self {
            Loss::None => 0,
            Loss::Bernoulli { ppm } => ppm.into(),
            Loss::GilbertElliott { p_ppm, r_ppm, good_loss_ppm, bad_loss_ppm } => {
                let [p, r, good, bad] = [p_ppm, r_ppm, good_loss_ppm, bad_loss_ppm].map(u64::from);
                (p * bad + r * good).checked_div(p + r).unwrap_or(good)
            }
        }
    }
}

/// Packets that are held back so that later ones overtake them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reordering {
    /// Probability of each packet, in millionths.
    pub ppm: u32,
    /// For how long, on top of propagation and jitter.
    pub hold: Micros,
}

/// A link that sits between two points of the core: a home's router, a bottleneck. Whoever goes over it shares its queues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoreLink {
    /// Its name; its directions are `name/up` and `name/down`.
    pub name: String,
    /// Away from those who go over it.
    pub up: LinkPlan,
    /// Towards them.
    pub down: LinkPlan,
}

/// A link that changes at an exact time of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkStep {
    /// When, after the set-up.
    pub at: Micros,
    /// Again and again after this span, up to the end of the run.
    pub every: Option<Micros>,
    /// Which link: `alice-phone/up`.
    pub link: LinkName,
    /// What changes.
    pub change: LinkChange,
}

/// What changes of a link: what is none stays as it was.
#[expect(missing_docs, reason = "the fields are those of `LinkPlan`")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkChange {
    /// Its rate; a trace ends with it.
    pub rate: Option<Pace>,
    pub overhead: Option<u32>,
    pub mtu: Option<u32>,
    pub policer: Option<Policer>,
    pub queue_bytes: Option<u64>,
    pub queue_packets: Option<u32>,
    pub aqm: Option<Aqm>,
    pub bleaches_ecn: Option<bool>,
    pub propagation: Option<Micros>,
    pub jitter: Option<Jitter>,
    pub loss: Option<Loss>,
    pub lost_packets: Option<Vec<u64>>,
    pub reordering: Option<Reordering>,
    pub duplication_ppm: Option<u32>,
    pub corruption_ppm: Option<u32>,
    pub truncation_ppm: Option<u32>,
}

/// How fast a link sends, as a change says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// As fast as packets come.
    Unlimited,
    /// At this rate.
    Rate(BitRate),
    /// As the trace of this name says.
    Trace(String),
}

impl LinkChange {
    /// The link after the change.
    pub fn applied_to(&self, plan: &LinkPlan) -> LinkPlan {
        let (rate, trace) = match &self.rate {
            None => (plan.rate, plan.trace.clone()),
            Some(Pace::Unlimited) => (None, None),
            Some(Pace::Rate(rate)) => (Some(*rate), None),
            Some(Pace::Trace(name)) => (None, Some(name.clone())),
        };
        LinkPlan {
            rate,
            trace,
            overhead: self.overhead.unwrap_or(plan.overhead),
            mtu: self.mtu.unwrap_or(plan.mtu),
            policer: self.policer.unwrap_or(plan.policer),
            queue_bytes: self.queue_bytes.unwrap_or(plan.queue_bytes),
            queue_packets: self.queue_packets.unwrap_or(plan.queue_packets),
            aqm: self.aqm.unwrap_or(plan.aqm),
            bleaches_ecn: self.bleaches_ecn.unwrap_or(plan.bleaches_ecn),
            propagation: self.propagation.unwrap_or(plan.propagation),
            jitter: self.jitter.unwrap_or(plan.jitter),
            loss: self.loss.unwrap_or(plan.loss),
            lost_packets: self.lost_packets.clone().unwrap_or_else(|| plan.lost_packets.clone()),
            reordering: self.reordering.unwrap_or(plan.reordering),
            duplication_ppm: self.duplication_ppm.unwrap_or(plan.duplication_ppm),
            corruption_ppm: self.corruption_ppm.unwrap_or(plan.corruption_ppm),
            truncation_ppm: self.truncation_ppm.unwrap_or(plan.truncation_ppm),
        }
    }

    /// Whether nothing changes.
    pub fn is_nothing(&self) -> bool {
        *self == LinkChange::default()
    }
}
