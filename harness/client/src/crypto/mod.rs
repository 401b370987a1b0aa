//! What str0m computes with: DTLS whose randomness is seeded, and aws-lc for what is deterministic given its keys (SRTP
//! ciphers and hashes).

mod certificate;
mod dtls;
mod flight;
mod gcm;
mod null;
mod touchy;

use kernel::mutant;
use str0m_proto::crypto::CryptoProvider;
pub(crate) use touchy::saw_forgery;

/// The provider of a client; with `null_srtp` SRTP does not encrypt, as a control of the oracle.
pub fn provider(null_srtp: bool) -> CryptoProvider {
    let stock = CryptoProvider { dtls_provider: &dtls::SEEDED, ..str0m::crypto::from_feature_flags() };
    match null_srtp {
        true => CryptoProvider { srtp_provider: &null::NULL, ..stock },
        false if mutant!(V88) => CryptoProvider { srtp_provider: &touchy::TOUCHY, ..stock },
        false => stock,
    }
}
