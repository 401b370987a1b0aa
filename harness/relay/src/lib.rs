//! The TURN relay's core (RFC 8656 over UDP). Sans-IO.

mod gate;
mod relay;

pub use relay::{MAX_ALLOCATIONS, MAX_ALLOCATIONS_PER_USER, Relay, RelayInput};
