//! What str0m computes with: DTLS whose randomness is seeded, and aws-lc for what is deterministic given its keys (SRTP
//! ciphers and hashes).

mod certificate;
mod dtls;
mod flight;
mod null;

use str0m_proto::crypto::CryptoProvider;

/// The provider of a client; with `null_srtp` SRTP does not encrypt, as a control of the oracle.
pub fn provider(null_srtp: bool) -> CryptoProvider {
    let stock = CryptoProvider { dtls_provider: &dtls::SEEDED, ..str0m::crypto::from_feature_flags() };
    if null_srtp { CryptoProvider { srtp_provider: &null::NULL, ..stock } } else { stock }
}
