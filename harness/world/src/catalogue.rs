//! What other rooms offer to scenarios and reports, in terms of the scenario's vocabulary.

use crate::run::WorldError;
use scenarios::AccessPreset;
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
    let entry = |preset: &network::Preset| PresetEntry {
        name: preset.name,
        doc: preset.doc,
        access: AccessPreset { up: preset.up.clone(), down: preset.down.clone(), nat: preset.nat.clone() },
    };
    network::presets().iter().map(entry).collect()
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
