//! Profiles that others published, so that results can be compared with theirs.
//!
//! Where a profile speaks of a path and not of an access, it is on the uplink alone: give it to both ends of a call, and
//! each direction has it once.

use super::{Preset, PresetStep, bursts, gilbert, queue_of};
use kernel::{
    plan::{Jitter, LinkChange, LinkPlan, Loss, Reordering},
    time::{BitRate, Micros},
};

pub(super) fn presets() -> Vec<Preset> {
    [ringrtc(), libwebrtc(), str0m_netem(), loadero(), rfc8868()].into_iter().flatten().collect()
}

/// A profile of a path: on the uplink, without a NAT.
fn path(name: String, doc: String, up: LinkPlan) -> Preset {
    Preset { name, doc: doc + " One way, on the uplink.", up, down: LinkPlan::IDEAL, nat: None, schedule: Vec::new() }
}

fn access(name: &str, doc: String, up: LinkPlan, down: LinkPlan) -> Preset {
    Preset { name: name.into(), doc, up, down, nat: None, schedule: Vec::new() }
}

fn delayed(ms: u64) -> LinkPlan {
    LinkPlan { propagation: Micros::from_millis(ms), ..LinkPlan::IDEAL }
}

fn ringrtc() -> Vec<Preset> {
    let pareto = |ms| Jitter::Pareto { mean: Micros::from_millis(ms), reorders: true };
    let mut presets = vec![
        path(
            "ringrtc-moderate".into(),
            "RingRTC call_sim, moderate: 100 ms, Pareto jitter of 25 ms, 5 % independent loss.".into(),
            LinkPlan { jitter: pareto(25), loss: Loss::Bernoulli { ppm: 50_000 }, ..delayed(100) },
        ),
        path(
            "ringrtc-international".into(),
            "RingRTC call_sim, international: 250 ms, Pareto jitter of 100 ms, Gilbert loss with p = 3 % and r = 25 %, 300 \
             kbit/s with a queue of 30 packets, 2 % duplicates, 5 % reordered (held for 10 ms)."
                .into(),
            LinkPlan {
                rate: Some(BitRate::from_kbps(300)),
                queue_packets: 30,
                jitter: pareto(100),
                loss: gilbert(30_000, 250_000),
                duplication_ppm: 20_000,
                reordering: Reordering { ppm: 50_000, hold: Micros::from_millis(10) },
                ..delayed(250)
            },
        ),
        spiky(),
    ];
    for (length, r_ppm) in [("short", 650_000), ("medium", 500_000), ("long", 350_000), ("very-long", 300_000)] {
        for percent in [10, 20, 30, 40, 50] {
            let doc = format!(
                "RingRTC call_sim, bursty loss: {percent} % in {} bursts (Gilbert with r = {} %, p = L r / (100 - L)).",
                length.replace('-', " "),
                r_ppm / 10_000
            );
            let up = LinkPlan { loss: bursts(percent * 10_000, r_ppm), ..LinkPlan::IDEAL };
            presets.push(path(format!("ringrtc-bursty-{percent}-{length}"), doc, up));
        }
    }
    for percent in [10, 20, 30, 40, 50] {
        let doc = format!("RingRTC call_sim, simple loss: {percent} % independent.");
        let loss = Loss::Bernoulli { ppm: percent * 10_000 };
        presets.push(path(format!("ringrtc-loss-{percent}"), doc, LinkPlan { loss, ..LinkPlan::IDEAL }));
    }
    for kbps in [25, 50, 100, 250, 500, 1_000, 2_000] {
        let rate = BitRate::from_kbps(kbps);
        // At least one packet of full size.
        let queue_bytes = queue_of(rate, Micros::from_millis(100)).max(1_500);
        let doc = format!("RingRTC call_sim, limited bandwidth: {kbps} kbit/s with a queue of about 100 ms.");
        let up = LinkPlan { rate: Some(rate), queue_bytes, ..LinkPlan::IDEAL };
        presets.push(path(format!("ringrtc-limited-{kbps}"), doc, up));
    }
    presets
}

fn spiky() -> Preset {
    let step = |at, ms, loss| PresetStep {
        at: Micros::from_secs(at),
        every: None,
        up: LinkChange { propagation: Some(Micros::from_millis(ms)), loss: Some(loss), ..LinkChange::default() },
        down: LinkChange::default(),
    };
    let doc = "RingRTC call_sim, spiky loss: 50 ms without loss from 2 s on, 100 ms and Gilbert loss with p = 11 % and r = 25 \
               % from 10 s on, 50 ms without loss again from 20 s on.";
    Preset {
        schedule: vec![step(2, 50, Loss::None), step(10, 100, gilbert(110_000, 250_000)), step(20, 50, Loss::None)],
        ..path("ringrtc-spiky-loss".into(), doc.into(), delayed(50))
    }
}

fn libwebrtc() -> Vec<Preset> {
    let plan = |kbps: Option<u64>, ms, loss_ppm, packets: Option<u32>| LinkPlan {
        rate: kbps.map(BitRate::from_kbps),
        queue_packets: packets.unwrap_or(u32::MAX),
        loss: if loss_ppm == 0 { Loss::None } else { Loss::Bernoulli { ppm: loss_ppm } },
        ..delayed(ms)
    };
    [
        ("delay-50-loss-5", "delay of 50 ms and 5 % loss", plan(None, 50, 50_000, None)),
        ("150", "150 kbit/s", plan(Some(150), 0, 0, None)),
        ("130-delay-100-loss-1", "130 kbit/s, 100 ms, 1 % loss", plan(Some(130), 100, 10_000, None)),
        ("50-delay-100-loss-1", "50 kbit/s, 100 ms, 1 % loss", plan(Some(50), 100, 10_000, None)),
        (
            "3g-weak",
            "weak 3G: 250 kbit/s, 100 ms, 1 % loss, a queue of 10 packets",
            plan(Some(250), 100, 10_000, Some(10)),
        ),
        ("500-delay-50-loss-3", "500 kbit/s, 50 ms, 3 % loss", plan(Some(500), 50, 30_000, None)),
        ("500", "500 kbit/s", plan(Some(500), 0, 0, None)),
        ("500-queue-32", "500 kbit/s with a queue of 32 packets", plan(Some(500), 0, 0, Some(32))),
        ("500-delay-100", "500 kbit/s, 100 ms", plan(Some(500), 100, 0, None)),
        ("500-delay-100-queue-32", "500 kbit/s, 100 ms, a queue of 32 packets", plan(Some(500), 100, 0, Some(32))),
        ("1000-delay-100-queue-32", "1 Mbit/s, 100 ms, a queue of 32 packets", plan(Some(1_000), 100, 0, Some(32))),
        (
            "2000-delay-100-queue-32",
            "2 Mbit/s, 100 ms, a queue of 32 packets (720p)",
            plan(Some(2_000), 100, 0, Some(32)),
        ),
    ]
    .into_iter()
    .map(|(name, says, up)| path(format!("libwebrtc-{name}"), format!("libwebrtc full-stack tests: {says}."), up))
    .collect()
}

fn str0m_netem() -> Vec<Preset> {
    let plan = |ms: u64, spread: u64, mbps, queue_bytes, loss| {
        let rate = BitRate::from_mbps(mbps);
        // It draws evenly from delay - jitter to delay + jitter, never below zero, and delivers in order.
        let least = ms.saturating_sub(spread);
        let max = Micros::from_millis(ms + spread - least);
        let jitter = Jitter::Uniform { max, reorders: false };
        LinkPlan { rate: Some(rate), queue_bytes, jitter, loss, ..delayed(least) }
    };
    // Its bad state loses everything; the mean lengths of its states are those of its source, version 0.4.0.
    [
        ("wifi", "5 +- 2 ms, 1 % loss, 100 Mbit/s, 200 kB", plan(5, 2, 100, 200_000, gilbert(5_000, 500_000))),
        ("wifi-lossy", "15 +- 10 ms, 5 % loss, 50 Mbit/s, 100 kB", plan(15, 10, 50, 100_000, gilbert(25_000, 500_000))),
        (
            "wifi-congested",
            "10 +- 20 ms, 10 % loss, 5 Mbit/s, 30 kB",
            plan(10, 20, 5, 30_000, gilbert(50_000, 500_000)),
        ),
        ("cellular", "50 +- 15 ms, 2 % loss, 30 Mbit/s, 100 kB", plan(50, 15, 30, 100_000, gilbert(10_000, 500_000))),
        (
            "satellite",
            "600 +- 30 ms, 3 % loss, 15 Mbit/s, 500 kB",
            plan(600, 30, 15, 500_000, gilbert(10_000, 333_333)),
        ),
        ("congested", "80 +- 40 ms, 10 % loss, 10 Mbit/s, 50 kB", plan(80, 40, 10, 50_000, gilbert(50_000, 500_000))),
    ]
    .into_iter()
    .map(|(name, says, up)| path(format!("str0m-{name}"), format!("str0m-netem's preset: {says}, loss in bursts."), up))
    .collect()
}

fn loadero() -> Vec<Preset> {
    let plan = |kbps: Option<u64>, ms: u64, spread: u64, loss_ppm| LinkPlan {
        rate: kbps.map(BitRate::from_kbps),
        queue_bytes: kbps
            .map_or(1 << 20, |kbps| queue_of(BitRate::from_kbps(kbps), Micros::from_millis(300)).max(15_000)),
        jitter: if spread == 0 {
            Jitter::None
        } else {
            Jitter::Uniform { max: Micros::from_millis(2 * spread), reorders: false }
        },
        loss: if loss_ppm == 0 { Loss::None } else { Loss::Bernoulli { ppm: loss_ppm } },
        ..delayed(ms - spread)
    };
    let mut presets: Vec<Preset> = [
        ("4g", "4G: 100 Mbit/s down, 50 up, 0.2 % loss, 45 ms", 100_000, 50_000, 45, 0, 2_000),
        ("3.5g", "3.5G: 20 Mbit/s down, 10 up, 0.5 % loss, 150 ms", 20_000, 10_000, 150, 0, 5_000),
        ("3g", "3G: 1.2 Mbit/s each way, 0.5 % loss, 250 +- 50 ms", 1_200, 1_200, 250, 50, 5_000),
        ("gprs", "GPRS: 80 kbit/s down, 20 up, 1 % loss, 650 +- 100 ms", 80, 20, 650, 100, 10_000),
        ("edge", "EDGE: 200 kbit/s down, 260 up, 1 % loss, 650 +- 100 ms", 200, 260, 650, 100, 10_000),
        ("satellite-phone", "satellite phone: 1000 kbit/s down, 256 up, 600 ms", 1_000, 256, 600, 0, 0),
    ]
    .into_iter()
    .map(|(name, says, down, up, ms, spread, loss_ppm)| {
        let doc = format!("Loadero's network condition {says}; each way, with queues of 300 ms (own choice).");
        let name = format!("loadero-{name}");
        access(&name, doc, plan(Some(up), ms, spread, loss_ppm), plan(Some(down), ms, spread, loss_ppm))
    })
    .collect();
    for percent in [5, 10, 20, 50, 100] {
        let link = plan(None, 0, 0, percent * 10_000);
        let doc = format!("Loadero's network condition {percent} % packet loss, each way.");
        presets.push(access(&format!("loadero-loss-{percent}"), doc, link.clone(), link));
    }
    for (name, ms, spread) in [("latency", 500, 50), ("jitter", 200, 100)] {
        let link = plan(None, ms, spread, 0);
        let doc = format!("Loadero's network condition high {name}: {ms} +- {spread} ms, each way.");
        presets.push(access(&format!("loadero-{name}"), doc, link.clone(), link));
    }
    presets
}

fn rfc8868() -> Vec<Preset> {
    let rate = BitRate::from_mbps(1);
    let mut presets = Vec::new();
    for delay_ms in [1, 50, 150, 300] {
        for percent in [0, 1, 5, 10, 20] {
            for queue_ms in [70, 300, 1_000] {
                let doc = format!(
                    "RFC 8868's grid (section 4.5) on RFC 8867's bottleneck of 1 Mbit/s: {delay_ms} ms, {percent} % independent \
                     loss, a drop-tail queue of {queue_ms} ms, NR-BPDV jitter with a deviation of 5 ms cut at three of it."
                );
                let up = LinkPlan {
                    rate: Some(rate),
                    queue_bytes: queue_of(rate, Micros::from_millis(queue_ms)),
                    jitter: Jitter::Spaced { deviation: Micros::from_millis(5) },
                    loss: if percent == 0 { Loss::None } else { Loss::Bernoulli { ppm: percent * 10_000 } },
                    ..delayed(delay_ms)
                };
                presets.push(path(format!("rfc8868-{delay_ms}ms-{percent}pct-{queue_ms}ms"), doc, up));
            }
        }
    }
    presets
}
