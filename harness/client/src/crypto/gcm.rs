//! SRTP whose GCM profiles are others than the stock ones; only they are negotiated.

use str0m_proto::crypto::{SrtpProvider, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80};

/// The stock provider with other GCM ciphers.
#[derive(Debug)]
pub(super) struct OtherGcm {
    pub(super) aes_128: &'static dyn SupportedAeadAes128Gcm,
    pub(super) aes_256: &'static dyn SupportedAeadAes256Gcm,
}

impl SrtpProvider for OtherGcm {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        stock().aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        self.aes_128
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        self.aes_256
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        stock().srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        stock().srtp_aes_256_ecb_round(key, input, output);
    }
}

/// The provider that str0m is built with.
pub(super) fn stock() -> &'static dyn SrtpProvider {
    str0m::crypto::from_feature_flags().srtp_provider
}
