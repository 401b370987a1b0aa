//! Frame encryption as the engine uses it: seals what the encoders give, opens what RTP gives, and says so.

use super::Local;
use e2ee::{FrameKeys, OpenError, SealError, SealedFrame, clear_bytes};
use kernel::{Micros, Track, event, event::OpenVerdict, log, mutant, names::to_hex, plan::VideoCodec};

/// A frame that was opened, with what identifies it in the log.
#[derive(Clone, Debug)]
pub(super) struct OpenedFrame {
    pub(super) counter: u64,
    pub(super) bytes: Vec<u8>,
    /// blake3 in its first 16 bytes, hexadecimal.
    pub(super) hash: String,
}

/// The keys of the call and the codec that decides what stays in clear.
pub(super) struct FrameCipher {
    keys: FrameKeys,
    codec: VideoCodec,
    /// Only the planted bug V136 counts here.
    unencrypted: u64,
}

impl FrameCipher {
    pub(super) fn new(local: &Local, keys: FrameKeys) -> FrameCipher {
        FrameCipher { keys, codec: local.media.video_codec, unencrypted: 0 }
    }

    /// Seals a frame and emits `Sealed` and `KeyUsed`. Whoever gets an error sends nothing: there is no way out in clear.
    pub(super) fn seal(
        &mut self,
        local: &Local,
        track: Track,
        frame: u32,
        bytes: &[u8],
        encrypt: Micros,
    ) -> Result<Vec<u8>, SealError> {
        let clear = clear_bytes(track, self.codec, bytes);
        let sealed = if mutant!(V136) && track == Track::Video {
            self.leave_in_clear(bytes)
        } else {
            let sealed = self.keys.seal(track, clear, bytes)?;
            self.note_key_use(local, self.keys.sealing_fingerprint(track), sealed.kid, sealed.counter, true);
            sealed
        };
        event!(Sealed {
            device: local.device.clone(),
            track,
            frame,
            counter: sealed.counter,
            clear_bytes: clear as u32,
            bytes: log::store(&sealed.bytes),
            encrypt,
        });
        Ok(sealed.bytes)
    }

    /// Opens a frame and emits `Opened` and, where it was accepted, `KeyUsed`.
    pub(super) fn open(
        &mut self,
        local: &Local,
        track: Track,
        bytes: &[u8],
        decrypt: Micros,
    ) -> Result<OpenedFrame, OpenError> {
        let codec = self.codec;
        let opened = if mutant!(V136) && track == Track::Video {
            take_in_clear(bytes)
        } else {
            self.keys.open(track, |front| clear_bytes(track, codec, front), bytes)
        };
        let opened = opened.map(|frame| {
            let hash = to_hex(&blake3::hash(&frame.bytes).as_bytes()[..16]);
            OpenedFrame { counter: frame.counter, bytes: frame.bytes, hash }
        });
        event!(Opened {
            device: local.device.clone(),
            sender: local.peer.clone(),
            track,
            counter: opened.as_ref().map_or_else(|refused| refused.counter(), |frame| Some(frame.counter)),
            verdict: opened.as_ref().map_or_else(verdict, |_| OpenVerdict::Accepted),
            hash: opened.as_ref().map_or_else(|_| String::new(), |frame| frame.hash.clone()),
            decrypt,
        });
        if let (Ok(frame), Some(kid)) = (&opened, self.keys.opening_kid(track)) {
            self.note_key_use(local, self.keys.opening_fingerprint(track), kid, frame.counter, false);
        }
        opened
    }

    /// The encoder begins a new coded sequence. The counters go on: they belong to the keys.
    pub(super) fn sequence_restarts(&mut self, track: Track) {
        self.keys.encoder_restarted(track);
    }

    /// Erases the keys and emits `KeyErased`.
    pub(super) fn erase(&mut self, local: &Local) {
        let keys = self.keys.fingerprints();
        self.keys.erase();
        event!(KeyErased { device: local.device.clone(), keys });
    }

    fn note_key_use(&self, local: &Local, key: &str, kid: u64, counter: u64, seals: bool) {
        event!(KeyUsed { device: local.device.clone(), key: key.into(), kid, counter, seals });
    }

    /// The planted bug V136: the transform is missing on the video track, and nobody notices.
    fn leave_in_clear(&mut self, bytes: &[u8]) -> SealedFrame {
        let counter = self.unencrypted;
        self.unencrypted += 1;
        SealedFrame { counter, kid: 0, bytes: [bytes, &counter.to_be_bytes()].concat() }
    }
}

/// The receiving half of the planted bug V136.
fn take_in_clear(bytes: &[u8]) -> Result<e2ee::OpenedFrame, OpenError> {
    let (frame, counter) = bytes.split_last_chunk().ok_or(OpenError::Forged { counter: None })?;
    Ok(e2ee::OpenedFrame { counter: u64::from_be_bytes(*counter), bytes: frame.to_vec() })
}

fn verdict(refused: &OpenError) -> OpenVerdict {
    match refused {
        OpenError::Forged { .. } => OpenVerdict::Forged,
        OpenError::Replayed { .. } => OpenVerdict::Replayed,
        OpenError::UnknownKey { .. } => OpenVerdict::UnknownKey,
    }
}
