//! The names that a scenario may use, from the rooms that own them.

use scenarios::Vocabulary;

/// Presets, invariants, metrics, traces and the service's own words of this build.
pub fn vocabulary() -> Vocabulary {
    Vocabulary {
        presets: world::presets().into_iter().map(|preset| (preset.name.to_owned(), preset.access)).collect(),
        invariants: oracle::INVARIANTS.iter().map(|invariant| invariant.name.to_owned()).collect(),
        metrics: oracle::metric_names().collect(),
        service_words: world::service_words().iter().map(|word| (*word).to_owned()).collect(),
        traces: world::traces().into_iter().map(|trace| (trace.name.clone(), trace)).collect(),
    }
}
