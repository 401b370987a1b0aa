//! The names that other rooms own and a scenario may use.

use kernel::{
    plan::{LinkChange, LinkPlan, NatPlan, RateTrace},
    time::Micros,
};
use std::collections::BTreeMap;

/// What a preset of the network stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessPreset {
    /// From the node to the core.
    pub up: LinkPlan,
    /// From the core to the node.
    pub down: LinkPlan,
    /// The NAT in between, unless the participant names another.
    pub nat: Option<NatPlan>,
    /// How its links change with the timeline.
    pub schedule: Vec<PresetChange>,
}

/// A change of a preset's links.
#[derive(Clone, Debug, PartialEq)]
pub struct PresetChange {
    /// When, on the timeline.
    pub at: Micros,
    /// Again and again after this span.
    pub every: Option<Micros>,
    /// What changes of the uplink.
    pub up: LinkChange,
    /// What changes of the downlink.
    pub down: LinkChange,
}

/// The catalogues of other rooms. Mutants are the kernel's and need not be given.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Network presets by name.
    pub presets: BTreeMap<String, AccessPreset>,
    /// Names of the invariants.
    pub invariants: Vec<String>,
    /// Names of the metrics, each with its statistic: `glass_to_glass_us_p95`.
    pub metrics: Vec<String>,
    /// Words that only the service may go by: who imitates it is called like one.
    pub service_words: Vec<String>,
    /// Rate traces by name.
    pub traces: BTreeMap<String, RateTrace>,
}
