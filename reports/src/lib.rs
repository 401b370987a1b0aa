//! Renderers of a judged run, and the committed baselines.
//!
//! [`write`] renders a [`Run`] into its folder: `run.json` and `junit.xml` for machines, `summary.md` for a pull
//! request, `index.html` for a person, `wire.pcapng` for Wireshark, `latency.hlog` for HdrHistogram, and the log
//! itself, which [`read_events`] restores. [`console`] is the short verdict on a terminal, [`Suite`] the table of many
//! runs, [`conformance_tables`] what they say of each promise, [`Gate`] the comparison with the [`Baseline`]s. No renderer judges: every verdict is the oracle's.

mod baseline;
mod conformance;
mod console;
mod contact_sheet;
mod events;
mod file_error;
mod gate;
mod grid;
mod hlog;
mod junit;
mod ledger;
mod metric_name;
mod page;
mod pcapng;
mod run;
mod run_report;
mod spread;
mod suite;
mod summary;
mod threshold;
mod tolerance;
mod trace;
mod wire;

pub use baseline::{Baseline, BaselineError, Change, Comparison, Row, Standing, bless, compare};
pub use conformance::conformance_tables;
pub use console::console;
pub use events::{EventsError, read_events};
pub use file_error::FileError;
pub use gate::{Gate, Gated};
pub use metric_name::{human, title};
pub use run::{Artefact, Outcome, Run, RunFacts, WriteError, write};
pub use run_report::{Digests, RunReport};
pub use suite::{Suite, write_suite};
