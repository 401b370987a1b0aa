//! The catalogue of access networks. Names are stable: scenarios and baselines refer to them.

use kernel::{
    plan::{Jitter, LinkPlan, Loss, NatPlan},
    time::{BitRate, Micros},
};

/// An access network to choose by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// Its name in scenarios.
    pub name: &'static str,
    /// One sentence with its numbers and where they come from.
    pub doc: &'static str,
    /// From the node to the core.
    pub up: LinkPlan,
    /// From the core to the node.
    pub down: LinkPlan,
    /// The NAT, unless the scenario names another.
    pub nat: Option<NatPlan>,
}

/// All presets, in the order in which they are listed.
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

static PRESETS: [Preset; 4] = [
    Preset {
        name: "lan",
        doc: "A wired local network: 1 Gbit/s both ways (IEEE 802.3ab), 0.1 ms propagation, queues of 10 ms, no jitter and \
              no loss; the NAT is port-restricted.",
        up: wired(),
        down: wired(),
        nat: Some(NatPlan::PORT_RESTRICTED),
    },
    Preset {
        name: "home-wifi",
        doc: "Cable at home with good Wi-Fi: 20 Mbit/s up and 50 down, 11 ms and 10 ms propagation with 0 to 2 ms uniform \
              jitter, so that the round trip to a server next to the core is about 24 ms (WebPageTest's profile Cable has \
              28 ms), queues of 100 ms, no loss; the NAT is port-restricted.",
        up: wifi(Direction { rate: BitRate::from_mbps(20), propagation: Micros::from_millis(11) }, 2, Loss::None),
        down: wifi(Direction { rate: BitRate::from_mbps(50), propagation: Micros::from_millis(10) }, 2, Loss::None),
        nat: Some(NatPlan::PORT_RESTRICTED),
    },
    Preset {
        name: "lossy-wifi",
        doc: "The same home far from the access point: 10 Mbit/s up and 20 down, 11 ms and 10 ms propagation with 0 to 6 ms \
              uniform jitter, queues of 100 ms, and in each direction 3 % loss in bursts of two packets (Gilbert-Elliott \
              with r = 50 % and p = 3 r / 97, RingRTC call_sim's medium bursts); the NAT is port-restricted.",
        up: wifi(Direction { rate: BitRate::from_mbps(10), propagation: Micros::from_millis(11) }, 6, BURSTS_3_PERCENT),
        down: wifi(
            Direction { rate: BitRate::from_mbps(20), propagation: Micros::from_millis(10) },
            6,
            BURSTS_3_PERCENT,
        ),
        nat: Some(NatPlan::PORT_RESTRICTED),
    },
    Preset {
        name: "lte-good",
        doc: "LTE with a good signal: 10 Mbit/s up and 30 down, each way 35 ms in the mean (29 ms and normal jitter of 2 ms \
              around 6 ms, without reordering since the radio link delivers in order), so that the round trip is 70 ms as \
              in WebPageTest's profile LTE, queues of 300 ms, no loss (the radio link repeats); the carrier's NAT is \
              port-restricted (RFC 6888 asks for endpoint-independent mapping).",
        up: cellular(BitRate::from_mbps(10)),
        down: cellular(BitRate::from_mbps(30)),
        nat: Some(NatPlan::PORT_RESTRICTED),
    },
];

/// 3 % in the mean: p / (p + r) with certain loss in the bad state, which lasts 1 / r = 2 packets.
const BURSTS_3_PERCENT: Loss =
    Loss::GilbertElliott { p_ppm: 15_464, r_ppm: 500_000, good_loss_ppm: 0, bad_loss_ppm: 1_000_000 };

struct Direction {
    rate: BitRate,
    propagation: Micros,
}

const fn wired() -> LinkPlan {
    let rate = BitRate::from_mbps(1_000);
    LinkPlan {
        rate: Some(rate),
        queue_bytes: queue_of(rate, Micros::from_millis(10)),
        propagation: Micros(100),
        jitter: Jitter::None,
        loss: Loss::None,
    }
}

const fn wifi(direction: Direction, jitter_ms: u64, loss: Loss) -> LinkPlan {
    LinkPlan {
        rate: Some(direction.rate),
        queue_bytes: queue_of(direction.rate, Micros::from_millis(100)),
        propagation: direction.propagation,
        jitter: Jitter::Uniform { max: Micros::from_millis(jitter_ms), reorders: false },
        loss,
    }
}

const fn cellular(rate: BitRate) -> LinkPlan {
    LinkPlan {
        rate: Some(rate),
        queue_bytes: queue_of(rate, Micros::from_millis(300)),
        propagation: Micros::from_millis(29),
        jitter: Jitter::Normal { deviation: Micros::from_millis(2), reorders: false },
        loss: Loss::None,
    }
}

/// The bytes that leave at the rate within the span.
const fn queue_of(rate: BitRate, span: Micros) -> u64 {
    rate.0 / 8 * span.0 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::validate;

    fn preset(name: &str) -> &'static Preset {
        presets().iter().find(|preset| preset.name == name).unwrap()
    }

    /// Mean propagation and jitter of a link.
    fn mean_delay(link: &LinkPlan) -> Micros {
        link.propagation
            + match link.jitter {
                Jitter::None => Micros::ZERO,
                Jitter::Uniform { max, .. } => Micros(max.0 / 2),
                Jitter::Normal { deviation, .. } => Micros(3 * deviation.0),
            }
    }

    #[test]
    fn every_preset_is_a_valid_plan_with_a_sentence() {
        for preset in presets() {
            assert_eq!((validate(&preset.up), validate(&preset.down)), (Ok(()), Ok(())), "{}", preset.name);
            assert!(preset.doc.ends_with('.') && !preset.doc.contains("  "), "{}", preset.doc);
        }
        let mut names: Vec<_> = presets().iter().map(|preset| preset.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), presets().len());
    }

    #[test]
    fn a_call_between_homes_takes_20_to_30_ms_one_way() {
        let home = preset("home-wifi");
        let one_way = mean_delay(&home.up) + mean_delay(&home.down);
        assert!((20_000..=30_000).contains(&one_way.0), "{one_way}");
    }

    #[test]
    fn the_numbers_are_those_of_the_sentences() {
        let lte = preset("lte-good");
        assert_eq!((mean_delay(&lte.up), mean_delay(&lte.down)), (Micros(35_000), Micros(35_000)));
        let Loss::GilbertElliott { p_ppm, r_ppm, .. } = preset("lossy-wifi").up.loss else { panic!("not bursty") };
        assert_eq!((u64::from(p_ppm) * 1_000_000 + 500_000) / u64::from(p_ppm + r_ppm) / 100, 300);
        assert_eq!(preset("home-wifi").up.queue_bytes, 250_000);
    }
}
