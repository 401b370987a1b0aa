//! From a plan to a run: turmoil hosts, the fabric, stores and drivers. The only room that names turmoil.
//!
//! turmoil gives the life cycle of hosts and their runtimes. Packets, timers and people do not wait for its ticks: the
//! [`stage`] runs them at their exact microsecond and drives the sans-IO actors inline.

mod actor;
mod bystanders;
mod catalogue;
mod codec_cost;
mod hop_cost;
mod machine;
mod people;
mod push;
mod run;
mod schedule;
mod stack;
mod stage;
mod store;
mod trace;
mod traffic;

pub use actor::{Actor, ActorInput, ActorOutput};
pub use catalogue::{PresetEntry, environment, presets, service_words, traces};
pub use codec_cost::{CodecCost, codecs_alone};
pub use hop_cost::{HopCost, packet_hops};
pub use machine::{peak_memory, thread_cpu_time};
pub use run::{Outcome, RunOptions, WorldError, run};
pub use schedule::{Trail, Trails};
pub use stack::{Left, Reference, Stack};
pub use store::{CrashSweep, CrashTrial, Found, Survivor, sweep_crashes};
pub use trace::LogFilter;
