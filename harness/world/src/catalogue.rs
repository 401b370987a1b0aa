//! What other rooms offer to scenarios and reports, in terms of the scenario's vocabulary.

use crate::run::WorldError;
use kernel::plan::RateTrace;
use scenarios::{AccessPreset, PresetChange};
use std::collections::BTreeMap;

/// A network preset as it is listed.
#[derive(Clone, Debug)]
pub struct PresetEntry {
    /// Its name in scenarios.
    pub name: &'static str,
    /// One sentence with numbers and source.
    pub doc: &'static str,
    /// What it stands for.
    pub access: AccessPreset,
}

/// Every network preset.
pub fn presets() -> Vec<PresetEntry> {
    let change = |step: &network::PresetStep| PresetChange {
        at: step.at,
        every: step.every,
        up: step.up.clone(),
        down: step.down.clone(),
    };
    let entry = |preset: &'static network::Preset| PresetEntry {
        name: &preset.name,
        doc: &preset.doc,
        access: AccessPreset {
            up: preset.up.clone(),
            down: preset.down.clone(),
            nat: preset.nat.clone(),
            schedule: preset.schedule.iter().map(change).collect(),
        },
    };
    network::presets().iter().map(entry).collect()
}

/// Every rate trace of the fixtures.
///
/// # Panics
/// When a fixture is no trace: a test of this room reads them all.
pub fn traces() -> Vec<RateTrace> {
    let read = |trace: &fixtures::Trace| RateTrace::parse(trace.name, trace.text).expect("the fixtures hold traces");
    fixtures::traces().iter().map(read).collect()
}

/// Words that only the service may go by.
pub fn service_words() -> &'static [&'static str] {
    client::SERVICE_WORDS
}

/// The fingerprint of this environment: where two are equal, one seed gives the same bytes.
///
/// # Errors
/// When a codec is missing or does not work.
pub fn environment() -> Result<BTreeMap<String, String>, WorldError> {
    let media = media::fingerprint().map_err(|error| WorldError::Environment(error.to_string()))?;
    let mut map = BTreeMap::from([
        ("architecture".to_owned(), std::env::consts::ARCH.to_owned()),
        ("gstreamer".to_owned(), media.gstreamer),
        ("vp8_self_test".to_owned(), media.vp8),
        ("opus_self_test".to_owned(), media.opus),
    ]);
    map.extend(media.elements.into_iter().map(|(element, version)| (format!("element_{element}"), version)));
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SimTime;

    #[test]
    fn every_fixture_is_a_trace_of_a_minute_that_carries_a_call() {
        for trace in traces() {
            assert!((59_900_000..=60_000_000).contains(&trace.period.0), "{}", trace.name);
            let bits = trace.capacity(SimTime::ZERO, SimTime::ZERO, SimTime::ZERO + trace.period);
            assert!((60_000_000..600_000_000).contains(&bits), "{} carries {bits} bits", trace.name);
        }
    }
}
