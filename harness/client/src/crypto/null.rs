//! SRTP with a null cipher: the control of the oracle. The view `wire` must then show what SFrame left, and with SFrame
//! off too the media itself.

use str0m_proto::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, CryptoError, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

const TAG_BYTES: usize = 16;

/// Null in both GCM profiles; only they are negotiated.
pub(super) static NULL: Null = Null;

#[derive(Debug)]
pub(super) struct Null;

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

impl SrtpProvider for Null {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        stock().aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &NULL
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &NULL
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
