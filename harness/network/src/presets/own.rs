//! The project's own access networks.

use super::{Preset, PresetStep, bursts, queue_of};
use kernel::{
    plan::{Jitter, LinkChange, LinkPlan, Loss, NatPlan, Pace, Policer},
    time::{BitRate, Micros},
};

pub(super) fn presets() -> Vec<Preset> {
    vec![
        steady(
            "lan",
            LAN,
            wired(BitRate::from_mbps(1_000)),
            wired(BitRate::from_mbps(1_000)),
            Some(NatPlan::PORT_RESTRICTED),
        ),
        steady(
            "home-wifi",
            HOME_WIFI,
            wifi(BitRate::from_mbps(20), 11, 2, Loss::None),
            wifi(BitRate::from_mbps(50), 10, 2, Loss::None),
            Some(NatPlan::PORT_RESTRICTED),
        ),
        steady(
            "lossy-wifi",
            LOSSY_WIFI,
            wifi(BitRate::from_mbps(10), 11, 6, bursts(30_000, 500_000)),
            wifi(BitRate::from_mbps(20), 10, 6, bursts(30_000, 500_000)),
            Some(NatPlan::PORT_RESTRICTED),
        ),
        steady(
            "congested-wifi",
            CONGESTED_WIFI,
            crowded(BitRate::from_mbps(3), 11, 10, 250),
            crowded(BitRate::from_mbps(5), 10, 10, 250),
            Some(NatPlan::PORT_RESTRICTED),
        ),
        steady(
            "lte-good",
            LTE_GOOD,
            cellular(BitRate::from_mbps(10)),
            cellular(BitRate::from_mbps(30)),
            Some(NatPlan::PORT_RESTRICTED),
        ),
        steady(
            "lte-edge",
            LTE_EDGE,
            LinkPlan { loss: bursts(5_000, 250_000), ..slow(BitRate::from_kbps(800), 45, 10, 800) },
            LinkPlan { loss: bursts(5_000, 250_000), ..slow(BitRate::from_mbps(3), 45, 10, 800) },
            Some(NatPlan::PORT_RESTRICTED),
        ),
        steady(
            "3g",
            THREE_G,
            slow(BitRate::from_kbps(768), 135, 15, 1_000),
            slow(BitRate::from_kbps(1_600), 135, 15, 1_000),
            Some(NatPlan::SYMMETRIC),
        ),
        steady(
            "satellite",
            SATELLITE,
            orbit(BitRate::from_mbps(3)),
            orbit(BitRate::from_mbps(25)),
            Some(NatPlan::PORT_RESTRICTED),
        ),
        steady("airport", AIRPORT, airport(), airport(), Some(NatPlan::SYMMETRIC)),
        subway(),
        steady(
            "corporate-firewall",
            CORPORATE,
            wired(BitRate::from_mbps(100)),
            wired(BitRate::from_mbps(100)),
            Some(NatPlan::SYMMETRIC),
        ),
        steady(
            "carrier-grade-nat",
            CARRIER,
            cellular(BitRate::from_mbps(10)),
            cellular(BitRate::from_mbps(30)),
            Some(NatPlan::SYMMETRIC),
        ),
    ]
}

const LAN: &str = "A wired local network: 1 Gbit/s both ways (IEEE 802.3ab), 0.1 ms propagation, queues of 10 ms, no jitter \
    and no loss; the NAT is port-restricted.";
const HOME_WIFI: &str = "Cable at home with good Wi-Fi: 20 Mbit/s up and 50 down, 11 ms and 10 ms propagation with 0 to 2 ms \
    uniform jitter, so that the round trip to a server next to the core is about 24 ms (WebPageTest's profile Cable has \
    28 ms), queues of 100 ms, no loss; the NAT is port-restricted.";
const LOSSY_WIFI: &str = "The same home far from the access point: 10 Mbit/s up and 20 down, 11 ms and 10 ms propagation \
    with 0 to 6 ms uniform jitter, queues of 100 ms, and in each direction 3 % loss in bursts of two packets \
    (Gilbert-Elliott with r = 50 % and p = 3 r / 97, RingRTC call_sim's medium bursts); the NAT is port-restricted.";
const CONGESTED_WIFI: &str = "A home in a block full of access points: 3 Mbit/s up and 5 down (str0m-netem's share of a \
    congested Wi-Fi), 11 ms and 10 ms propagation with Pareto jitter of 10 ms in the mean (retries), queues of 250 ms, 2 % \
    loss in bursts of two packets each way; the NAT is port-restricted.";
const LTE_GOOD: &str = "LTE with a good signal: 10 Mbit/s up and 30 down, each way 35 ms in the mean (29 ms and normal \
    jitter of 2 ms around 6 ms, without reordering since the radio link delivers in order), so that the round trip is 70 ms \
    as in WebPageTest's profile LTE, queues of 300 ms, no loss (the radio link repeats); the carrier's NAT is \
    port-restricted (RFC 6888 asks for endpoint-independent mapping).";
const LTE_EDGE: &str = "LTE at the edge of its cell: 0.8 Mbit/s up and 3 down, each way 45 ms and Pareto jitter of 10 ms in \
    the mean without reordering (own choice between WebPageTest's LTE, 70 ms round trip, and 3G Fast, 150 ms), queues of \
    800 ms (carriers buffer deeply: Jiang et al., CellNet 2012), 0.5 % loss in bursts of four packets; the NAT is \
    port-restricted.";
const THREE_G: &str = "3G: 768 kbit/s up and 1600 down with a round trip of 300 ms, as in WebPageTest's profile 3G (each way \
    135 ms and Pareto jitter of 15 ms in the mean, without reordering), queues of 1 s, no loss (the radio link repeats); the \
    NAT is symmetric.";
const SATELLITE: &str = "A geostationary satellite: 3 Mbit/s up and 25 down with a round trip of about 600 ms (the plans and \
    latencies that the FCC's Measuring Broadband America reports for such providers), each way 295 ms and 0 to 10 ms \
    uniform jitter, queues of 500 ms, 0.5 % independent loss; the NAT is port-restricted.";
const AIRPORT: &str = "Public Wi-Fi in a crowd: each way policed at 2 Mbit/s with bursts of 32 kB on a channel of 20 Mbit/s, \
    20 ms propagation with Pareto jitter of 8 ms in the mean, queues of 100 ms, 1 % loss in bursts of two packets (own \
    choice: per-guest policing is what such networks offer); the NAT is symmetric.";
const SUBWAY: &str = "LTE in a train under ground: as lte-good with 10 Mbit/s each way, and every 40 s, first at 20 s, the train changes its cell: \
    nothing passes for 800 ms, then 1 Mbit/s each way for 4 s with 60 ms propagation, then all is well again (own choice; \
    the address stays, an X2 handover keeps the IP session).";
const CORPORATE: &str = "An office behind a firewall: 100 Mbit/s both ways, 0.1 ms propagation, queues of 10 ms, no jitter and \
    no loss; the NAT is symmetric.";
const CARRIER: &str = "LTE with a good signal behind a carrier's NAT that maps each destination to another port, against RFC \
    6888: links as lte-good, the NAT is symmetric.";

fn steady(name: &str, doc: &str, up: LinkPlan, down: LinkPlan, nat: Option<NatPlan>) -> Preset {
    Preset { name: name.into(), doc: doc.into(), up, down, nat, schedule: Vec::new() }
}

fn wired(rate: BitRate) -> LinkPlan {
    LinkPlan {
        rate: Some(rate),
        queue_bytes: queue_of(rate, Micros::from_millis(10)),
        propagation: Micros(100),
        ..LinkPlan::IDEAL
    }
}

fn wifi(rate: BitRate, propagation_ms: u64, jitter_ms: u64, loss: Loss) -> LinkPlan {
    LinkPlan {
        rate: Some(rate),
        queue_bytes: queue_of(rate, Micros::from_millis(100)),
        propagation: Micros::from_millis(propagation_ms),
        jitter: Jitter::Uniform { max: Micros::from_millis(jitter_ms), reorders: false },
        loss,
        ..LinkPlan::IDEAL
    }
}

/// A slow link with a long tail of delays and a deep queue.
fn slow(rate: BitRate, propagation_ms: u64, jitter_ms: u64, queue_ms: u64) -> LinkPlan {
    LinkPlan {
        rate: Some(rate),
        queue_bytes: queue_of(rate, Micros::from_millis(queue_ms)),
        propagation: Micros::from_millis(propagation_ms),
        jitter: Jitter::Pareto { mean: Micros::from_millis(jitter_ms), reorders: false },
        ..LinkPlan::IDEAL
    }
}

fn crowded(rate: BitRate, propagation_ms: u64, jitter_ms: u64, queue_ms: u64) -> LinkPlan {
    LinkPlan { loss: bursts(20_000, 500_000), ..slow(rate, propagation_ms, jitter_ms, queue_ms) }
}

fn cellular(rate: BitRate) -> LinkPlan {
    LinkPlan {
        rate: Some(rate),
        queue_bytes: queue_of(rate, Micros::from_millis(300)),
        propagation: Micros::from_millis(29),
        jitter: Jitter::Normal { deviation: Micros::from_millis(2), reorders: false },
        ..LinkPlan::IDEAL
    }
}

fn orbit(rate: BitRate) -> LinkPlan {
    LinkPlan {
        rate: Some(rate),
        queue_bytes: queue_of(rate, Micros::from_millis(500)),
        propagation: Micros::from_millis(295),
        jitter: Jitter::Uniform { max: Micros::from_millis(10), reorders: false },
        loss: Loss::Bernoulli { ppm: 5_000 },
        ..LinkPlan::IDEAL
    }
}

fn airport() -> LinkPlan {
    LinkPlan {
        policer: Policer::TokenBucket { rate: BitRate::from_mbps(2), burst: 32_000 },
        loss: bursts(10_000, 500_000),
        ..slow(BitRate::from_mbps(20), 20, 8, 100)
    }
}

fn subway() -> Preset {
    let every = Some(Micros::from_secs(40));
    let step = |at_ms: u64, change: LinkChange| PresetStep {
        at: Micros::from_millis(at_ms),
        every,
        up: change.clone(),
        down: change,
    };
    let cut = LinkChange { loss: Some(Loss::Bernoulli { ppm: 1_000_000 }), ..LinkChange::default() };
    let weak = LinkChange {
        loss: Some(Loss::None),
        rate: Some(Pace::Rate(BitRate::from_mbps(1))),
        propagation: Some(Micros::from_millis(60)),
        ..LinkChange::default()
    };
    let well = LinkChange {
        rate: Some(Pace::Rate(BitRate::from_mbps(10))),
        propagation: Some(Micros::from_millis(29)),
        ..LinkChange::default()
    };
    let rate = BitRate::from_mbps(10);
    Preset {
        schedule: vec![step(20_000, cut), step(20_800, weak), step(24_800, well)],
        ..steady("subway-handover", SUBWAY, cellular(rate), cellular(rate), Some(NatPlan::PORT_RESTRICTED))
    }
}
