//! Campaigns: many runs of many scenarios, double runs, the mutant matrix, and what a run costs.

pub mod batch;
pub mod cost;
pub mod crashes;
pub mod determinism;
pub mod judged;
pub mod matrix;
pub mod schedules;
pub mod vocabulary;

pub use batch::{Batch, Progress};
pub use cost::Cost;
pub use crashes::CrashReport;
pub use determinism::{Divergence, RerunReport};
pub use judged::{CampaignError, Judged, RunDigest};
pub use matrix::{Fate, MutantRow};
pub use vocabulary::vocabulary;
pub use world::{
    CodecCost, CrashSweep, HopCost, LogFilter, PresetEntry, RunOptions, WorldError, codecs_alone, environment,
    packet_hops, peak_memory, presets,
};
