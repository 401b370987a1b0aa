//! How calls end, as the server says it.

use serde::{Deserialize, Serialize};

/// Why the server ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallEnd {
    /// The callee declined.
    Declined,
    /// The caller cancelled.
    Cancelled,
    /// Nobody answered for 60 s.
    Unanswered,
    /// The callee is in another call.
    Busy,
    /// One side hung up.
    HungUp,
    /// The friendship ended or one side blocked the other.
    Unfriended,
    /// No such call (any more).
    Unknown,
}
