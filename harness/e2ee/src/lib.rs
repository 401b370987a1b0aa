//! Identities, sealed envelopes, frame encryption, safety numbers. Sans-IO.

pub mod envelope;

pub use envelope::{EnvelopeHeader, EnvelopeKind, SealedEnvelope};
