//! The planted bug V88: SRTP that tells of packets that do not verify, so that somebody can end the call at them.

use std::cell::Cell;
use str0m_proto::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, CryptoError, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// The stock ciphers, watched.
pub(super) static TOUCHY: Touchy = Touchy;

thread_local! { static FORGERY_SEEN: Cell<bool> = const { Cell::new(false) } }

/// Whether a packet did not verify since this was asked last.
pub(crate) fn saw_forgery() -> bool {
    FORGERY_SEEN.take()
}

#[derive(Debug)]
pub(super) struct Touchy;

#[derive(Debug)]
struct Watched<C: ?Sized>(Box<C>);

fn watched(opened: Result<usize, CryptoError>) -> Result<usize, CryptoError> {
    opened.inspect_err(|_| FORGERY_SEEN.set(true))
}

impl AeadAes128GcmCipher for Watched<dyn AeadAes128GcmCipher> {
    fn encrypt(&mut self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.0.encrypt(iv, aad, input, output)
    }

    fn decrypt(&mut self, iv: &[u8; 12], aad: &[&[u8]], input: &[u8], output: &mut [u8]) -> Result<usize, CryptoError> {
        watched(self.0.decrypt(iv, aad, input, output))
    }
}

impl AeadAes256GcmCipher for Watched<dyn AeadAes256GcmCipher> {
    fn encrypt(&mut self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.0.encrypt(iv, aad, input, output)
    }

    fn decrypt(&mut self, iv: &[u8; 12], aad: &[&[u8]], input: &[u8], output: &mut [u8]) -> Result<usize, CryptoError> {
        watched(self.0.decrypt(iv, aad, input, output))
    }
}

impl SupportedAeadAes128Gcm for Touchy {
    fn create_cipher(&self, key: [u8; 16], encrypts: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Watched(stock().aead_aes_128_gcm().create_cipher(key, encrypts)))
    }
}

impl SupportedAeadAes256Gcm for Touchy {
    fn create_cipher(&self, key: [u8; 32], encrypts: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(Watched(stock().aead_aes_256_gcm().create_cipher(key, encrypts)))
    }
}

impl SrtpProvider for Touchy {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        stock().aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &TOUCHY
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &TOUCHY
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        stock().srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        stock().srtp_aes_256_ecb_round(key, input, output);
    }
}

fn stock() -> &'static dyn SrtpProvider {
    str0m::crypto::from_feature_flags().srtp_provider
}
