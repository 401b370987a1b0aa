//! The TURN relay's core (RFC 8656): clients come by UDP, TCP or TLS, relayed addresses are of UDP. Sans-IO.

mod gate;
mod quotas;
mod relay;
mod special_use;
mod streams;

pub use quotas::Quotas;
pub use relay::{Relay, RelayConfig, RelayInput};
pub use special_use::Prefix;
