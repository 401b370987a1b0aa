//! Playout: jitter buffers between the network and the decoders. Sans-IO, integers only.
//!
//! Video waits for its time and is never fed out of order; sound follows the idea of NetEq (target from measured
//! delays, late drop, concealment, time stretching) in a much smaller form: there is no synchronization between sound
//! and picture, no comfort noise, and stretching splices by one cross-fade.

mod audio;
mod delay;
mod stretch;
mod video;

pub use audio::{AudioBuffer, AudioPacket, Block, RefusedPacket, Stretch};
pub use delay::DelayEstimator;
pub use stretch::{accelerate, expand};
pub use video::{RefusedFrame, VideoBuffer, VideoFrame};
