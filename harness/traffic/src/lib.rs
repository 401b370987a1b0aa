//! Cross traffic: flows that share links with calls (RFC 8868 and RFC 8867), each with a source and a sink.
//!
//! UDP flows follow a pattern and yield to nobody: constant, random walk, pulses. TCP flows have the congestion control and
//! loss recovery of the room `tcp`: one long transfer that always has more to send, or short transfers with idle times.

mod end;
mod exponential;
mod long;
mod pattern;
mod short;
mod udp;

pub use end::{End, MEASURED_EVERY};
