//! Events of cross traffic.

use crate::{plan::TrafficSide, time::Micros};
use serde::{Deserialize, Serialize};

/// What an end of a flow sent or got since it was last measured, or since the flow began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrafficMeasured {
    /// The flow.
    pub flow: String,
    /// The source says what it sent (TCP: what was acknowledged), the sink what it got (TCP: in order and once).
    pub side: TrafficSide,
    /// Payload bytes.
    pub bytes: u64,
}

/// A transfer of a flow is complete.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrafficTransferred {
    /// The flow.
    pub flow: String,
    /// Payload bytes.
    pub bytes: u64,
    /// From the first segment of the handshake until the opener knew that all was delivered.
    pub took: Micros,
}
