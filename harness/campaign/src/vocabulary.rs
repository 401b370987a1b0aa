//! The names that a scenario may use, from the rooms that own them.

use scenarios::Vocabulary;

/// Presets, invariants, metrics and traces of this build.
pub fn vocabulary() -> Vocabulary {
    Vocabulary {
        presets: world::presets().into_iter().map(|preset| (preset.name.to_owned(), preset.access)).collect(),
        invariants: oracle::INVARIANTS.iter().map(|invariant| invariant.name.to_owned()).collect(),
        metrics: oracle::metric_names().collect(),
        traces: world::traces().into_iter().map(|trace| (trace.name.clone(), trace)).collect(),
    }
}
