//! What devices say to each other, sealed end to end: the server only carries it.

use kernel::names::ActorName;
use serde::{Deserialize, Serialize};

/// What one device says to the other, sealed. The server cannot read it. No peer message changes consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// The body of an offer.
    Offer(SessionDescription),
    /// The body of an answer.
    Answer(SessionDescription),
    /// A candidate (RFC 8839 `candidate:` line), after `Accepted` only.
    Candidate(String),
    /// What an attacker would send to be taken for consent; the reference client ignores both.
    ClaimAccepted,
    /// See `ClaimAccepted`: asks to start sending.
    Update,
    /// Asks for an ICE restart (RFC 8445 section 9). Says nothing about media: a restart changes paths only.
    Restart(PathDescription),
    /// The answer to `Restart`, with its number.
    Restarted(PathDescription),
    /// The sender holds the call: who gets it stops sending too.
    Hold,
    /// The sender holds it no longer. Who gets it starts nothing: its own user does.
    Resume,
    /// The sender leaves the call to another device of its user. Nobody else can say so.
    HandedOver {
        /// The device.
        to: ActorName,
    },
}

/// One side of an ICE restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathDescription {
    /// Counts the restarts that one side asks for, from 1. A message that comes twice has the same number twice.
    pub number: u32,
    /// The new ICE user fragment: 4 to 256 ICE characters (RFC 8839 section 5.4).
    pub fragment: String,
    /// The new ICE password: 22 to 256 ICE characters.
    pub password: String,
    /// The DTLS fingerprint, as in the first description: the association goes on.
    pub fingerprint: String,
    /// Every candidate that the side has now (RFC 8839 `candidate:` lines).
    pub candidates: Vec<String>,
}

/// The body of an offer or answer: no candidates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDescription {
    /// Fresh X25519 share of this call.
    pub share: [u8; 32],
    /// The SDP: DTLS fingerprint, ICE user fragment and password, media directions, codecs.
    pub sdp: String,
    /// Whether the sender's camera will be on.
    pub video: bool,
    /// What the sender calls itself: the reference says nothing here and reads nothing. Who calls is known from the roster.
    pub name: Option<String>,
}
