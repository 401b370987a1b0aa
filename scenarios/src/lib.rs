//! Scenario files: one TOML file tells one story. This crate reads them, says what is wrong with them in one go and
//! at the place, and resolves them to a plan.
//!
//! A file passes three stations: its structure is held against the exported schema ([`schema`]), what is left is read
//! into typed values, and these are resolved against each other and the [`Vocabulary`]. Each station notes its
//! problems and goes on, so that one run names them all.

mod either;
mod file;
mod find;
mod located;
mod matrix;
mod overrides;
mod problem;
mod resolve;
mod scalar;
mod scenario;
mod schema;
mod seeds;
mod several;
mod structure;
mod vocabulary;

pub use file::Suite;
pub use find::{CellPattern, FindError, directory, find, list};
pub use overrides::{Override, OverrideSyntax, Overrides};
pub use problem::{InvalidScenario, Problem};
pub use scenario::{LoadError, Scenario, load, read};
pub use schema::{SCHEMA_FILE, SCHEMA_LINE, schema, schema_text};
pub use seeds::{InvalidSeeds, Seeds};
pub use vocabulary::{AccessPreset, PresetChange, Vocabulary};
