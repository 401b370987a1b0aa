//! SRTP with a null cipher: the control of the oracle. The view `wire` must then show what SFrame left, and with SFrame
//! off too the media itself.

use super::gcm::OtherGcm;
use str0m_proto::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, CryptoError, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm,
};

const TAG_BYTES: usize = 16;

/// Null in both GCM profiles; only they are negotiated.
pub(super) static NULL: OtherGcm = OtherGcm { aes_128: &Null, aes_256: &Null };

#[derive(Debug)]
struct Null;

fn copy_in(input: &[u8], output: &mut [u8]) {
    output[..input.len()].copy_from_slice(input);
    output[input.len()..input.len() + TAG_BYTES].fill(0);
}

fn copy_out(input: &[u8], output: &mut [u8]) -> Result<usize, CryptoError> {
    let length = input.len().checked_sub(TAG_BYTES).ok_or_else(|| CryptoError::Other("shorter than a tag".into()))?;
    output[..length].copy_from_slice(&input[..length]);
    Ok(length)
}

impl AeadAes128GcmCipher for Null {
    fn encrypt(&mut self, _: &[u8; 12], _: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        copy_in(input, output);
        Ok(())
    }

    fn decrypt(&mut self, _: &[u8; 12], _: &[&[u8]], input: &[u8], output: &mut [u8]) -> Result<usize, CryptoError> {
        copy_out(input, output)
    }
}

impl AeadAes256GcmCipher for Null {
    fn encrypt(&mut self, _: &[u8; 12], _: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        copy_in(input, output);
        Ok(())
    }

    fn decrypt(&mut self, _: &[u8; 12], _: &[&[u8]], input: &[u8], output: &mut [u8]) -> Result<usize, CryptoError> {
        copy_out(input, output)
    }
}

impl SupportedAeadAes128Gcm for Null {
    fn create_cipher(&self, _: [u8; 16], _: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Null)
    }
}

impl SupportedAeadAes256Gcm for Null {
    fn create_cipher(&self, _: [u8; 32], _: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(Null)
    }
}
