//! The packet fabric: every datagram of a run passes through it, with exact microsecond arrival times.
//!
//! The way of a packet: socket, uplink, NAT, the sender's core links, core, the receiver's core links, its NAT, downlink,
//! socket. The fabric is sans-IO: its driver moves `kernel::time` to each [`Fabric::next_event`] and then polls until
//! there is nothing more.
//!
//! Contracts, each a law in `tests/fabric/laws.rs`: every packet and every copy arrives once, is dropped with a reason, or
//! is still in flight; the legs of a packet sum to its flight time; no window passes more than rate x window and one
//! packet; a link without reordering is FIFO; packet n of a link has the same luck whatever happens on other links.

mod agenda;
mod classify;
mod damage;
mod error;
mod fabric;
mod firewall;
mod flight;
mod jitter;
mod link;
mod loss;
mod meter;
mod nat;
mod pace;
mod policer;
mod presets;
mod queue;
mod routing;
mod validate;

pub use classify::classify;
pub use error::{FabricError, LinkProblem};
pub use fabric::{Arrival, Counts, Fabric, MAX_IN_FLIGHT, NodePlan};
pub use firewall::{FLOW_LIFETIME, MAX_FLOWS};
pub use nat::{MAX_MAPPINGS, MAX_PERMISSIONS, TCP_MAPPING_LIFETIME};
pub use presets::{Preset, PresetStep, presets};
pub use validate::validate;
