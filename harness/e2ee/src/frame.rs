//! Frame encryption: SFrame (RFC 9605) with AES-128-GCM and its full 16-byte tag, one key and one counter a track.
//!
//! # What does a sealed frame look like?
//!
//! `clear bytes | SFrame header | ciphertext | tag`. The clear bytes are those that RTP packetizers read
//! ([`clear_bytes`]). Associated data is the SFrame header, then one byte that counts the clear bytes, then the clear
//! bytes: they can be neither changed nor moved. The header is one byte while the counter is below 8, then 2 to 4: with
//! the tag 17 to 19 bytes of overhead for the first 65,536 frames of a track.
//!
//! # How does an opener of its own work?
//!
//! [`FrameSecret::value`] is the base key of RFC 9605 section 4.4.2 in hexadecimal (16 bytes). With HKDF-SHA256:
//! `prk = Extract(salt = "", base_key)`, `key = Expand(prk, "SFrame 1.0 Secret key " | kid | suite, 16)` and
//! `salt = Expand(prk, "SFrame 1.0 Secret salt " | kid | suite, 12)`, where `kid` is 8 bytes big-endian and `suite` the
//! two bytes 00 04. The nonce is `salt` with the counter, big-endian and padded on the left to 12 bytes, XORed in.
//! Then AES-128-GCM with the associated data above.

use crate::{agreement::CallSecret, replay::ReplayWindow};
use kernel::{
    mutant,
    names::{Track, to_hex},
    plan::VideoCodec,
};
use sframe::{
    CipherSuite,
    frame::{EncryptedFrameView, MediaFrameView, SingleUseCounter},
    header::SframeHeader,
    key::{DecryptionKey, EncryptionKey},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The most that a frame may have before sealing, in bytes. A key frame at 4 Mbit/s is far below it.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

const SUITE: CipherSuite = CipherSuite::AesGcm128Sha256;
const TAG_BYTES: usize = 16;
/// SFrame header (at most 17 bytes) and tag.
const MAX_OVERHEAD_BYTES: usize = 17 + TAG_BYTES;
const TRACKS: [Track; 2] = [Track::Audio, Track::Video];

/// Which side of the call a device is: each side has keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who called.
    Caller,
    /// Who was called.
    Callee,
}

impl Role {
    /// The other side.
    pub fn peer(self) -> Role {
        match self {
            Role::Caller => Role::Callee,
            Role::Callee => Role::Caller,
        }
    }
}

/// A sealed frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFrame {
    /// The counter of its nonce.
    pub counter: u64,
    /// The key id in its SFrame header.
    pub kid: u64,
    /// What goes into RTP.
    pub bytes: Vec<u8>,
}

/// An opened frame: authentic and new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedFrame {
    /// The counter of its nonce.
    pub counter: u64,
    /// The frame as the encoder gave it.
    pub bytes: Vec<u8>,
}

/// A base key as the log publishes it, for the oracle's own opener (see the module).
#[derive(Clone, PartialEq, Eq)]
pub struct FrameSecret {
    /// SFrame key id.
    pub kid: u64,
    /// The track that it seals.
    pub track: Track,
    /// The side that seals with it; the other opens with it.
    pub role: Role,
    /// The base key: 32 hexadecimal digits.
    pub value: String,
}

/// A frame could not be sealed: it must not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The keys were erased: the call is over.
    #[error("the keys are erased")]
    Erased,
    /// More than [`MAX_FRAME_BYTES`], or more bytes in clear than there are, or more than 255.
    #[error("the frame or its clear part is too long")]
    TooLong,
    /// The counter of the track is used up.
    #[error("the counter is used up")]
    Exhausted,
}

/// A frame was refused: nothing of it may reach a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No SFrame header could be read, or the tag does not verify.
    #[error("the frame is forged")]
    Forged {
        /// The counter it claims, where a header could be read.
        counter: Option<u64>,
    },
    /// Authentic, but accepted before, or 128 or more behind the newest.
    #[error("the frame is replayed")]
    Replayed {
        /// Its counter.
        counter: u64,
    },
    /// Its key id is not the one of the peer's track, or the keys were erased.
    #[error("no key for the frame")]
    UnknownKey {
        /// The counter it claims, where a header could be read.
        counter: Option<u64>,
    },
}

impl OpenError {
    /// The counter that the frame claimed.
    pub fn counter(self) -> Option<u64> {
        match self {
            OpenError::Forged { counter } | OpenError::UnknownKey { counter } => counter,
            OpenError::Replayed { counter } => Some(counter),
        }
    }
}

/// How many bytes in front of a frame stay in clear: what the packetizers of RTP must read. VP8 (RFC 6386 section
/// 9.1) and the modelled codec in its format: 10 of a key frame, 1 of any other. Opus: none. Whatever is too short or does not parse: none.
///
/// The same answer comes from the frame and from the sealed frame.
pub fn clear_bytes(track: Track, codec: VideoCodec, frame: &[u8]) -> usize {
    const VP8_START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];
    match (track, codec, frame) {
        (Track::Audio, _, _) | (Track::Video, _, []) => 0,
        (Track::Video, VideoCodec::Vp8 | VideoCodec::Modelled, [tag, ..]) if tag & 1 == 1 => 1,
        (Track::Video, VideoCodec::Vp8 | VideoCodec::Modelled, key) => {
            if key.len() >= 10 && key[3..6] == VP8_START_CODE { 10 } else { 0 }
        }
    }
}

/// The frame keys of one side of a call: it seals with its own and opens with the peer's.
pub struct FrameKeys {
    lanes: Option<[Lane; 2]>,
}

/// The two directions of one track.
struct Lane {
    own: BaseKey,
    seal: EncryptionKey,
    next_counter: u64,
    peer: BaseKey,
    open: DecryptionKey,
    window: ReplayWindow,
}

struct BaseKey {
    kid: u64,
    role: Role,
    bytes: Zeroizing<[u8; 16]>,
    fingerprint: String,
}

impl FrameKeys {
    /// The keys of the side `role` of the call.
    pub fn derive(secret: &CallSecret, role: Role) -> FrameKeys {
        FrameKeys { lanes: Some(TRACKS.map(|track| Lane::derive(secret, role, track))) }
    }

    /// Seals a frame of the own `track` under its next counter, leaving its first `clear` bytes readable.
    ///
    /// # Errors
    /// [`SealError`]; no counter is used then.
    pub fn seal(&mut self, track: Track, clear: usize, frame: &[u8]) -> Result<SealedFrame, SealError> {
        self.lane_mut(track).ok_or(SealError::Erased)?.seal(clear, frame)
    }

    /// Opens a frame of the peer's `track`. `clear_of` tells from the front of the sealed frame how many bytes are in
    /// clear, as [`clear_bytes`] does.
    ///
    /// # Errors
    /// [`OpenError`]; nothing of the frame may be used then.
    pub fn open(
        &mut self,
        track: Track,
        clear_of: impl Fn(&[u8]) -> usize,
        bytes: &[u8],
    ) -> Result<OpenedFrame, OpenError> {
        self.lane_mut(track).ok_or(OpenError::UnknownKey { counter: None })?.open(clear_of(bytes), bytes)
    }

    /// To be called whenever the encoder of a track starts anew (camera switched, other resolution). The counter
    /// belongs to the key and not to the encoder, so it goes on: a second frame under one nonce would give away both.
    pub fn encoder_restarted(&mut self, track: Track) {
        if mutant!(V48)
            && let Some(lane) = self.lane_mut(track)
        {
            lane.next_counter = 0;
        }
    }

    /// Fingerprint (16 hexadecimal digits of a hash) of the key that seals the own `track`; empty once erased.
    pub fn sealing_fingerprint(&self, track: Track) -> &str {
        self.lane(track).map_or("", |lane| &lane.own.fingerprint)
    }

    /// Fingerprint of the key that opens the peer's `track`; empty once erased.
    pub fn opening_fingerprint(&self, track: Track) -> &str {
        self.lane(track).map_or("", |lane| &lane.peer.fingerprint)
    }

    /// SFrame key id of the peer's `track`; `None` once erased.
    pub fn opening_kid(&self, track: Track) -> Option<u64> {
        self.lane(track).map(|lane| lane.peer.kid)
    }

    /// Fingerprints of all the keys, for `KeyErased`; empty once erased.
    pub fn fingerprints(&self) -> Vec<String> {
        self.base_keys().map(|(_, key)| key.fingerprint.clone()).collect()
    }

    /// The base keys of both sides, for the `Secret` events of the log and nothing else; empty once erased.
    pub fn secrets(&self) -> Vec<FrameSecret> {
        self.base_keys()
            .map(|(track, key)| FrameSecret { kid: key.kid, track, role: key.role, value: to_hex(&*key.bytes) })
            .collect()
    }

    /// Erases the keys. From now on nothing is sealed or opened.
    pub fn erase(&mut self) {
        self.lanes = None;
    }

    fn lane(&self, track: Track) -> Option<&Lane> {
        self.lanes.as_ref().map(|lanes| &lanes[track as usize])
    }

    fn lane_mut(&mut self, track: Track) -> Option<&mut Lane> {
        self.lanes.as_mut().map(|lanes| &mut lanes[track as usize])
    }

    fn base_keys(&self) -> impl Iterator<Item = (Track, &BaseKey)> {
        let lanes = TRACKS.into_iter().zip(self.lanes.iter().flatten());
        lanes.flat_map(|(track, lane)| [(track, &lane.own), (track, &lane.peer)])
    }
}

impl Lane {
    fn derive(secret: &CallSecret, role: Role, track: Track) -> Lane {
        let own = BaseKey::derive(secret, role, track);
        let peer = BaseKey::derive(secret, role.peer(), track);
        let seal = own.encryption_key();
        let open = DecryptionKey::derive_from(SUITE, peer.kid, &*peer.bytes).expect("the suite is compiled in");
        Lane { own, seal, next_counter: 0, peer, open, window: ReplayWindow::default() }
    }

    fn seal(&mut self, clear: usize, frame: &[u8]) -> Result<SealedFrame, SealError> {
        if frame.len() > MAX_FRAME_BYTES || clear > frame.len() {
            return Err(SealError::TooLong);
        }
        let counter = self.next_counter;
        let next_counter = counter.checked_add(1).ok_or(SealError::Exhausted)?;
        let (clear, secret) = frame.split_at(clear);
        let sealed = seal_at(&self.seal, counter, &associated_data(clear).ok_or(SealError::TooLong)?, secret);
        self.next_counter = next_counter;
        Ok(SealedFrame { counter, kid: self.own.kid, bytes: [clear, &sealed].concat() })
    }

    fn open(&mut self, clear: usize, bytes: &[u8]) -> Result<OpenedFrame, OpenError> {
        let opened = match self.authenticate(clear, bytes) {
            // A frame that was sealed whole begins with its SFrame header, and that can look like a codec's header.
            Err(refused) if clear > 0 => self.authenticate(0, bytes).map_err(|_| refused),
            opened => opened,
        };
        let opened = match opened {
            Err(OpenError::Forged { counter: Some(_) }) if mutant!(V59) => return self.open_unchecked(clear, bytes),
            opened => opened?,
        };
        // Asked only about authentic frames: a forged counter can neither advance the window nor learn about it.
        if !self.window.accept(opened.counter) && !mutant!(V52) {
            return Err(OpenError::Replayed { counter: opened.counter });
        }
        Ok(opened)
    }

    /// The frame behind `clear` bytes, if its tag verifies.
    fn authenticate(&self, clear: usize, bytes: &[u8]) -> Result<OpenedFrame, OpenError> {
        if bytes.len() > MAX_FRAME_BYTES + MAX_OVERHEAD_BYTES {
            return Err(OpenError::Forged { counter: None });
        }
        let forged = OpenError::Forged { counter: None };
        let (clear, sealed) = bytes.split_at_checked(clear).ok_or(forged)?;
        let header = SframeHeader::deserialize(sealed).map_err(|_| forged)?;
        let counter = header.counter();
        if header.key_id() != self.peer.kid {
            return Err(OpenError::UnknownKey { counter: Some(counter) });
        }
        let forged = OpenError::Forged { counter: Some(counter) };
        let associated = associated_data(clear).ok_or(forged)?;
        let frame = EncryptedFrameView::try_with_meta_data(sealed, &associated)
            .and_then(|view| view.decrypt(&self.open))
            .map_err(|_| forged)?;
        Ok(OpenedFrame { counter, bytes: [clear, frame.payload()].concat() })
    }

    /// The planted bug V59: the plaintext although the tag is wrong. GCM encrypts with a key stream, so sealing the
    /// ciphertext under its own nonce takes the encryption off again.
    fn open_unchecked(&self, clear: usize, bytes: &[u8]) -> Result<OpenedFrame, OpenError> {
        let forged = OpenError::Forged { counter: None };
        let (clear, sealed) = bytes.split_at_checked(clear).ok_or(forged)?;
        let header = SframeHeader::deserialize(sealed).map_err(|_| forged)?;
        let ciphertext = sealed[header.len()..].split_last_chunk::<TAG_BYTES>().ok_or(forged)?.0;
        let twice = seal_at(&self.peer.encryption_key(), header.counter(), &[], ciphertext);
        let plaintext = &twice[header.len()..twice.len() - TAG_BYTES];
        Ok(OpenedFrame { counter: header.counter(), bytes: [clear, plaintext].concat() })
    }
}

impl BaseKey {
    fn derive(secret: &CallSecret, role: Role, track: Track) -> BaseKey {
        let kid = 2 * role as u64 + track as u64;
        let mut bytes = Zeroizing::new([0; 16]);
        secret.expand(&[b"callproof/1 frame key", &[role as u8, track as u8]], &mut *bytes);
        let hash = Sha256::new().chain_update(b"callproof/1 fingerprint").chain_update(*bytes).finalize();
        BaseKey { kid, role, fingerprint: to_hex(&hash[..8]), bytes }
    }

    fn encryption_key(&self) -> EncryptionKey {
        EncryptionKey::derive_from(SUITE, self.kid, &*self.bytes).expect("the suite is compiled in")
    }
}

/// What is bound beside the SFrame header: how many bytes are in clear, and they; `None` above 255 of them.
fn associated_data(clear: &[u8]) -> Option<Vec<u8>> {
    Some([&[u8::try_from(clear.len()).ok()?], clear].concat())
}

/// SFrame header, ciphertext and tag.
fn seal_at(key: &EncryptionKey, counter: u64, associated: &[u8], frame: &[u8]) -> Vec<u8> {
    MediaFrameView::try_with_meta_data(&mut SingleUseCounter::new(counter), frame, associated)
        .and_then(|view| view.encrypt(key))
        .expect("AES-GCM seals anything below 64 GiB")
        .sframe_cipher_text()
        .to_vec()
}

#[cfg(test)]
mod tests;
