//! From a plan to a run: turmoil hosts, the fabric, stores and drivers. The only room that names turmoil.
//!
//! turmoil gives virtual time in ticks of a millisecond, the life cycle of hosts and their runtimes, in which people
//! act. Packets and timers do not wait for ticks: within each tick the [`stage`] runs arrivals and timers at their
//! exact microsecond and drives the sans-IO actors inline.

mod actor;
mod catalogue;
mod codec_cost;
mod people;
mod run;
mod stack;
mod stage;
mod store;
mod trace;

pub use actor::{Actor, ActorInput, ActorOutput};
pub use catalogue::{PresetEntry, environment, presets};
pub use codec_cost::{CodecCost, codecs_alone};
pub use run::{Outcome, RunOptions, WorldError, run};
pub use stack::{Disk, Reference, Stack};
pub use trace::LogFilter;
