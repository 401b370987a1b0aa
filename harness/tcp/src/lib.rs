//! TCP over the fabric (RFC 9293): connections that a sans-IO actor drives by packets and the simulated time.
//!
//! The protocol is `smoltcp`'s: handshake, retransmission (RFC 6298: no sooner than after a second), fast retransmit, delayed
//! acknowledgements, window scaling, CUBIC (RFC 9438) and Reno (RFC 5681). It reads no clock and draws from a seed of ours.
//! It acknowledges selectively but does not use such acknowledgements for sending, and it does not take part in ECN.
//!
//! A packet is a segment without its IP header. The ports of a packet's addresses count, not those in the segment: a NAT
//! rewrites the former, and no checksum is carried.

mod endpoint;
mod wire;

pub use endpoint::{Congestion, Connection, Endpoint, MAX_CONNECTIONS, Settings, State, TcpError};
pub use wire::{IP_MTU, MAX_PAYLOAD};
