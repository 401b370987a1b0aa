//! The kernel: what every room may depend on.
//!
//! Simulated time, the seed tree, the seam over libc's clock and randomness, typed events, the log with its
//! digest, the resolved plan of a run, and the planted bugs (`mutant!`).

#[cfg(not(tokio_unstable))]
compile_error!(
    "build with --cfg tokio_unstable (see .cargo/config.toml; a set RUSTFLAGS hides it): turmoil seeds the runtime only then"
);

pub mod artifact;
pub mod bystander;
pub mod event;
pub mod log;
pub mod mutant;
pub mod names;
pub mod packet;
mod pages;
pub mod plan;
pub mod random;
pub mod seam;
pub mod time;
pub mod trouble;

pub use event::{Event, Record};
pub use log::{BlobRef, Log};
pub use mutant::Mutant;
pub use names::{ActorName, AttachmentId, CallId, LinkName, MessageId, ThreadId, Track, UserName};
pub use packet::{Datagram, PacketId, Transport};
pub use plan::Plan;
pub use time::{BitRate, Micros, SimTime};
