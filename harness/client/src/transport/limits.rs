//! What bounds the work that a peer can make a device's ICE do (RFC 8445 sections 5.1.1.3 and 6.1.2.5, RFC 8838).
//!
//! Pairs are bases times remote candidates. A device has at most three bases (its interface, the one that it is moving
//! from, a relay), so 30 remote candidates are at most 90 pairs: below the 100 of RFC 8445. str0m begins a check every 50 ms
//! at most (Ta) and has no bound of its own.

/// Remote candidates that are taken between two restarts (as the queue of the call machine).
pub(super) const MAX_REMOTE_CANDIDATES: usize = 30;
/// Own candidates that are offered.
pub(super) const MAX_OWN_CANDIDATES: usize = 10;
/// The longest SDP or candidate line that is parsed, in bytes.
pub(super) const MAX_SDP_BYTES: usize = 16 * 1024;
