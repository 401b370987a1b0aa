//! The oracle's own opener of sealed frames (RFC 9605, suite 4: AES-128-GCM with HKDF-SHA256), written from the standard
//! and from the layout that the frame encryption documents: `clear bytes | SFrame header | ciphertext | tag`, with
//! `header | count of clear bytes | clear bytes` as associated data. It shares no code with what it judges.

use aes_gcm::{
    Aes128Gcm, KeyInit,
    aead::AeadInOut,
    aes::{Aes128, cipher::BlockCipherEncrypt},
};
use hkdf::{Hkdf, HkdfExtract};
use sha2::Sha256;

/// AES-128-GCM with a tag of 16 bytes, HKDF with SHA-256.
const SUITE: [u8; 2] = 4u16.to_be_bytes();
const TAG: usize = 16;

/// A sealed frame, taken apart.
pub(crate) struct SealedFrame<'a> {
    kid: u64,
    counter: u64,
    associated: Vec<u8>,
    ciphertext: &'a [u8],
    tag: [u8; TAG],
    front: Option<&'a [u8; 16]>,
}

impl<'a> SealedFrame<'a> {
    /// Takes a sealed frame apart; `None` when it has no readable header or no room for a tag.
    pub(crate) fn parse(bytes: &'a [u8], clear: usize) -> Option<SealedFrame<'a>> {
        let (clear, sealed) = bytes.split_at_checked(clear)?;
        SealedFrame::with_metadata(sealed, &[&[u8::try_from(clear.len()).ok()?], clear].concat())
    }

    /// The same of a frame whose plaintext is known, which makes a wrong key cheap.
    pub(crate) fn parse_known(bytes: &'a [u8], clear: usize, plaintext: &'a [u8]) -> Option<SealedFrame<'a>> {
        let front = plaintext.get(clear..).and_then(<[u8]>::first_chunk);
        SealedFrame::parse(bytes, clear).map(|frame| SealedFrame { front, ..frame })
    }

    /// The same with what the standard calls metadata: associated data behind the header.
    fn with_metadata(sealed: &'a [u8], metadata: &[u8]) -> Option<SealedFrame<'a>> {
        let (kid, counter, header) = parse_header(sealed)?;
        let (header, body) = sealed.split_at(header);
        let (ciphertext, tag) = body.split_last_chunk::<TAG>()?;
        Some(SealedFrame { kid, counter, associated: [header, metadata].concat(), ciphertext, tag: *tag, front: None })
    }

    pub(crate) fn kid(&self) -> u64 {
        self.kid
    }

    pub(crate) fn counter(&self) -> u64 {
        self.counter
    }

    /// The first block of the key stream, which a known plaintext gives away; `None` where none is known.
    pub(crate) fn first_block(&self) -> Option<[u8; 16]> {
        let (plain, sealed) = (self.front?, self.ciphertext.first_chunk::<16>()?);
        Some(std::array::from_fn(|byte| plain[byte] ^ sealed[byte]))
    }

    /// Whether `base_key` (RFC 9605 section 4.4.2, any length) opens the frame.
    pub(crate) fn opens_with(&self, base_key: &BaseKey) -> bool {
        let stream = base_key.stream(self.kid);
        let mut plaintext = self.ciphertext.to_vec();
        Aes128Gcm::new(&stream.key.into())
            .decrypt_inout_detached(
                &stream.nonce(self.counter).into(),
                &self.associated,
                plaintext.as_mut_slice().into(),
                &self.tag.into(),
            )
            .is_ok()
    }
}

/// Extracts base keys: what all of them share is computed once.
pub(crate) struct Extractor(HkdfExtract<Sha256>);

impl Extractor {
    pub(crate) fn new() -> Extractor {
        Extractor(HkdfExtract::new(None))
    }

    /// Takes bytes for a base key.
    pub(crate) fn base_key(&self, material: &[u8]) -> BaseKey {
        let mut extract = self.0.clone();
        extract.input_ikm(material);
        BaseKey(extract.finalize().1)
    }
}

/// A candidate for a base key, extracted.
pub(crate) struct BaseKey(Hkdf<Sha256>);

impl BaseKey {
    /// What seals under a key id.
    pub(crate) fn stream(&self, kid: u64) -> KeyStream {
        let mut info = [0; 40];
        let mut expand = |label: &[u8], out: &mut [u8]| {
            let length = label.len();
            info[..length].copy_from_slice(label);
            info[length..length + 8].copy_from_slice(&kid.to_be_bytes());
            info[length + 8..length + 10].copy_from_slice(&SUITE);
            self.0.expand(&info[..length + 10], out).expect("16 bytes can be expanded");
        };
        let mut stream = KeyStream { key: [0; 16], salt: [0; 12] };
        expand(b"SFrame 1.0 Secret key ", &mut stream.key);
        expand(b"SFrame 1.0 Secret salt ", &mut stream.salt);
        stream
    }
}

/// Key and salt of one key id.
pub(crate) struct KeyStream {
    key: [u8; 16],
    salt: [u8; 12],
}

impl KeyStream {
    fn nonce(&self, counter: u64) -> [u8; 12] {
        let mut nonce = self.salt;
        nonce[4..].iter_mut().zip(counter.to_be_bytes()).for_each(|(byte, counter)| *byte ^= counter);
        nonce
    }

    /// The block that the first 16 bytes of a plaintext are XORed with (GCM counts its blocks from 2 on, NIST SP 800-38D
    /// section 7.1).
    pub(crate) fn first_block(&self, counter: u64) -> [u8; 16] {
        let mut block = [0; 16];
        block[..12].copy_from_slice(&self.nonce(counter));
        block[15] = 2;
        let mut block = block.into();
        Aes128::new(&self.key.into()).encrypt_block(&mut block);
        block.into()
    }
}

/// Key id, counter and length of a header (RFC 9605 section 4.3).
fn parse_header(bytes: &[u8]) -> Option<(u64, u64, usize)> {
    let config = *bytes.first()?;
    let mut at = 1;
    let mut field = |extended: bool, value: u8| {
        if !extended {
            return Some(u64::from(value));
        }
        let digits = bytes.get(at..at + usize::from(value) + 1)?;
        at += digits.len();
        Some(digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
    };
    let kid = field(config & 0x80 != 0, config >> 4 & 7)?;
    let counter = field(config & 0x08 != 0, config & 7)?;
    Some((kid, counter, at))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let mut bytes = vec![0; text.len() / 2];
        kernel::names::from_hex(text, &mut bytes).unwrap();
        bytes
    }

    /// Appendix C.3, AES_128_GCM_SHA256_128.
    #[test]
    fn the_vector_of_rfc_9605_opens() {
        let sealed =
            hex(concat!("9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0", "b091c07018ce4adb34eb"));
        let frame = SealedFrame::with_metadata(&sealed, &hex("4945544620534672616d65205747")).unwrap();
        assert_eq!(parse_header(&sealed), Some((0x0123, 0x4567, 5)));
        assert!(frame.opens_with(&base_key(&hex("000102030405060708090a0b0c0d0e0f"))));
    }

    #[test]
    fn short_and_extended_headers_are_read() {
        assert_eq!(parse_header(&[0x00]), Some((0, 0, 1)));
        assert_eq!(parse_header(&[0x37]), Some((3, 7, 1)));
        assert_eq!(parse_header(&[0x38, 9]), Some((3, 9, 2)));
        assert_eq!(parse_header(&[0x89, 0xff, 0x01, 0x02]), Some((0xff, 0x0102, 4)));
        assert_eq!(parse_header(&[0x8f, 1, 2]), None);
        assert_eq!(parse_header(&[]), None);
    }

    /// Seals as the layout says.
    pub(crate) fn seal(base_key: &[u8], kid: u8, counter: u8, clear: usize, frame: &[u8]) -> Vec<u8> {
        let hkdf = Hkdf::<Sha256>::new(None, base_key);
        let info = |label: &[u8]| [b"SFrame 1.0 ", label, &u64::from(kid).to_be_bytes(), &SUITE].concat();
        let (mut key, mut salt) = ([0; 16], [0; 12]);
        hkdf.expand(&info(b"Secret key "), &mut key).unwrap();
        hkdf.expand(&info(b"Secret salt "), &mut salt).unwrap();
        salt[11] ^= counter;
        let header = if counter < 8 { vec![kid << 4 | counter] } else { vec![kid << 4 | 8, counter] };
        let associated = [&header, &[clear as u8][..], &frame[..clear]].concat();
        let mut body = frame[clear..].to_vec();
        let tag = Aes128Gcm::new(&key.into())
            .encrypt_inout_detached(&salt.into(), &associated, body.as_mut_slice().into())
            .unwrap();
        [&frame[..clear], &header, &body, &tag].concat()
    }

    fn base_key(material: &[u8]) -> BaseKey {
        Extractor::new().base_key(material)
    }

    #[test]
    fn only_the_right_key_opens_a_frame() {
        let frame: Vec<u8> = (0..60).collect();
        let sealed = seal(&[7; 16], 2, 9, 10, &frame);
        let parsed = SealedFrame::parse(&sealed, 10).unwrap();
        assert!(parsed.opens_with(&base_key(&[7; 16])));
        assert!(!parsed.opens_with(&base_key(&[8; 16])));
        let mut changed = sealed.clone();
        changed[3] ^= 1;
        assert!(!SealedFrame::parse(&changed, 10).unwrap().opens_with(&base_key(&[7; 16])));
        assert!(SealedFrame::parse(&sealed[..12], 10).is_none());
    }

    #[test]
    fn the_first_block_tells_the_right_key_id_counter_and_key() {
        let frame: Vec<u8> = (0..60).collect();
        let sealed = seal(&[7; 16], 2, 9, 10, &frame);
        let known = SealedFrame::parse_known(&sealed, 10, &frame).unwrap();
        let block = |key, kid, counter| Some(base_key(&[key; 16]).stream(kid).first_block(counter));
        assert_eq!((known.kid(), known.counter(), known.first_block()), (2, 9, block(7, 2, 9)));
        for (key, kid, counter) in [(8, 2, 9), (7, 3, 9), (7, 2, 10)] {
            assert_ne!(known.first_block(), block(key, kid, counter));
        }
        assert_eq!(SealedFrame::parse(&sealed, 10).unwrap().first_block(), None);
    }
}
