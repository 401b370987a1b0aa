//! What a push service, which belongs to somebody else, is asked for.

use serde::{Deserialize, Serialize};

/// What a push service knows a device by: random, and good for nothing but to wake it.
pub type PushToken = [u8; 16];

/// What a push says, always: nothing.
pub const PUSH_PAYLOAD: &[u8] = b"wake";

/// What a server asks a push service for, which belongs to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRequest {
    /// Whom to wake.
    pub token: PushToken,
    /// What to give it: [`PUSH_PAYLOAD`]. The planted bug V112 says who calls.
    pub payload: Vec<u8>,
}
