//! The catalogue of access networks. Names are stable: scenarios and baselines refer to them.

mod own;
mod published;

use kernel::{
    plan::{LinkChange, LinkPlan, Loss, NatPlan},
    time::{BitRate, Micros},
};
use std::sync::LazyLock;

/// An access network to choose by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// Its name in scenarios.
    pub name: String,
    /// One sentence with its numbers and where they come from.
    pub doc: String,
    /// From the node to the core.
    pub up: LinkPlan,
    /// From the core to the node.
    pub down: LinkPlan,
    /// The NAT, unless the scenario names another.
    pub nat: Option<NatPlan>,
    /// How its links change with the timeline.
    pub schedule: Vec<PresetStep>,
}

/// A change of a preset's links.
#[derive(Clone, Debug, PartialEq)]
pub struct PresetStep {
    /// When, on the timeline.
    pub at: Micros,
    /// Again and again after this span.
    pub every: Option<Micros>,
    /// What changes of the uplink.
    pub up: LinkChange,
    /// What changes of the downlink.
    pub down: LinkChange,
}

/// All presets, in the order in which they are listed: the own ones, then those that others published.
pub fn presets() -> &'static [Preset] {
    static PRESETS: LazyLock<Vec<Preset>> =
        LazyLock::new(|| own::presets().into_iter().chain(published::presets()).collect());
    &PRESETS
}

/// Gilbert's model: certain loss in bursts of 1 / `r` packets, `mean_ppm` of all packets in the mean (`p = mean r / (1 - mean)`).
fn bursts(mean_ppm: u64, r_ppm: u32) -> Loss {
    let p_ppm = (mean_ppm * u64::from(r_ppm) + (1_000_000 - mean_ppm) / 2) / (1_000_000 - mean_ppm);
    gilbert(p_ppm as u32, r_ppm)
}

/// Gilbert's model with its two probabilities.
fn gilbert(p_ppm: u32, r_ppm: u32) -> Loss {
    Loss::GilbertElliott { p_ppm, r_ppm, good_loss_ppm: 0, bad_loss_ppm: 1_000_000 }
}

/// The bytes that leave at the rate within the span.
fn queue_of(rate: BitRate, span: Micros) -> u64 {
    rate.0 * span.0 / 8_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::validate;
    use kernel::plan::Jitter;

    fn preset(name: &str) -> &'static Preset {
        presets().iter().find(|preset| preset.name == name).unwrap()
    }

    /// Mean propagation and jitter of a link.
    fn mean_delay(link: &LinkPlan) -> Micros {
        link.propagation
            + match link.jitter {
                Jitter::None => Micros::ZERO,
                Jitter::Uniform { max, .. } | Jitter::Correlated { max, .. } => Micros(max.0 / 2),
                Jitter::Normal { deviation, .. } | Jitter::Spaced { deviation } => Micros(3 * deviation.0),
                Jitter::Pareto { mean, .. } => mean,
            }
    }

    #[test]
    fn every_preset_is_a_valid_plan_with_a_sentence() {
        for preset in presets() {
            let mut links = vec![preset.up.clone(), preset.down.clone()];
            for step in &preset.schedule {
                assert!(!step.up.is_nothing() || !step.down.is_nothing(), "{}", preset.name);
                links.extend([step.up.applied_to(&preset.up), step.down.applied_to(&preset.down)]);
            }
            assert!(links.iter().all(|link| validate(link) == Ok(())), "{}", preset.name);
            assert!(preset.doc.ends_with('.') && !preset.doc.contains("  "), "{}", preset.doc);
        }
        let mut names: Vec<_> = presets().iter().map(|preset| &preset.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), presets().len());
    }

    #[test]
    fn the_names_of_the_specification_are_there() {
        for name in [
            "lan",
            "home-wifi",
            "lossy-wifi",
            "congested-wifi",
            "lte-good",
            "lte-edge",
            "3g",
            "satellite",
            "airport",
            "subway-handover",
            "corporate-firewall",
            "carrier-grade-nat",
            "ringrtc-moderate",
            "ringrtc-international",
            "ringrtc-spiky-loss",
            "ringrtc-bursty-10-short",
            "ringrtc-bursty-50-very-long",
            "ringrtc-loss-30",
            "ringrtc-limited-25",
            "libwebrtc-3g-weak",
            "str0m-wifi-congested",
            "loadero-edge",
            "rfc8868-50ms-1pct-300ms",
        ] {
            preset(name);
        }
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
        // RingRTC: p = L r / (100 - L) with L = 20, r = 50.
        assert_eq!(preset("ringrtc-bursty-20-medium").up.loss, gilbert(125_000, 500_000));
        // RFC 8868: 300 ms at 1 Mbit/s.
        assert_eq!(preset("rfc8868-50ms-1pct-300ms").up.queue_bytes, 37_500);
    }
}
