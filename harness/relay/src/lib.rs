//! The TURN relay's core (RFC 8656 over UDP). Sans-IO.

mod gate;
mod quotas;
mod relay;
mod special_use;

pub use quotas::Quotas;
pub use relay::{Relay, RelayConfig, RelayInput};
pub use special_use::Prefix;
