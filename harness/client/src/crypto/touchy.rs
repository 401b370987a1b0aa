//! The planted bug V88: SRTP that tells of packets that do not verify, so that somebody can end the call at them.

use super::gcm::{OtherGcm, stock};
use std::cell::Cell;
use str0m_proto::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, CryptoError, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm,
};

/// The stock ciphers, watched.
pub(super) static TOUCHY: OtherGcm = OtherGcm { aes_128: &Touchy, aes_256: &Touchy };

thread_local! { static FORGERY_SEEN: Cell<bool> = const { Cell::new(false) } }

/// Whether a packet did not verify since this was asked last.
pub(crate) fn saw_forgery() -> bool {
    FORGERY_SEEN.take()
}

#[derive(Debug)]
struct Touchy;

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
