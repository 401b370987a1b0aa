//! What the codecs of this machine do: runs are comparable byte for byte only where this agrees.

use crate::{
    codec::{
        CodecError, EncodeBlock, EncodePicture, OpusDecoder, OpusEncoder, OpusInput, OpusSettings, Vp8Decoder,
        Vp8Encoder, Vp8Settings,
    },
    doctor::{self, ELEMENTS, InitializeError},
    picture::PictureSize,
    scene::Scene,
    voice::Voice,
};
use gstreamer as gst;
use gstreamer::prelude::*;
use kernel::BitRate;
use serde::Serialize;
use std::sync::OnceLock;

/// Versions and the hashes of a short self-test of each codec. VP8 is the same on every CPU; Opus uses approximate
/// reciprocals that differ between CPU kinds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fingerprint {
    /// GStreamer's version.
    pub gstreamer: String,
    /// Each element with the version of its plugin.
    pub elements: Vec<(String, String)>,
    /// blake3 over frames and pictures of the VP8 self-test, hexadecimal.
    pub vp8: String,
    /// blake3 over packets and sound of the Opus self-test, hexadecimal.
    pub opus: String,
}

/// The fingerprint of this machine. Computed once a process, in some 30 ms.
///
/// # Errors
/// When GStreamer or an element is missing, or a codec does not work.
pub fn fingerprint() -> Result<Fingerprint, InitializeError> {
    doctor::initialize()?;
    self_test().cloned().map_err(|error| InitializeError::Codec(error.to_string()))
}

/// Runs the self-tests once; GStreamer is started already.
pub(crate) fn self_test() -> Result<&'static Fingerprint, &'static CodecError> {
    static TESTED: OnceLock<Result<Fingerprint, CodecError>> = OnceLock::new();
    TESTED
        .get_or_init(|| {
            Ok(Fingerprint {
                gstreamer: gst::version_string().into(),
                elements: ELEMENTS.iter().map(|(name, _)| ((*name).into(), plugin_version(name))).collect(),
                vp8: vp8_self_test()?,
                opus: opus_self_test()?,
            })
        })
        .as_ref()
}

fn plugin_version(element: &str) -> String {
    let plugin = gst::ElementFactory::find(element).and_then(|factory| factory.plugin());
    plugin.map_or_else(|| "unknown".into(), |plugin| plugin.version().to_string())
}

fn vp8_self_test() -> Result<String, CodecError> {
    let size = PictureSize::new(192, 96)?;
    let target = BitRate::from_kbps(150);
    let mut encoder = Vp8Encoder::new(Vp8Settings::real_time(size, 30, target))?;
    let mut decoder = Vp8Decoder::new(size, 30)?;
    let scene = Scene::shared(size, 0);
    let mut hash = blake3::Hasher::new();
    for frame in 0..12 {
        let picture = EncodePicture { scene: scene.clone(), frame, target, key: frame == 8 };
        let encoded = encoder.encode(&picture)?;
        hash.update(&encoded.bytes);
        if let Some(picture) = decoder.decode(encoded.bytes) {
            hash.update(picture.planes());
        }
    }
    Ok(hash.finalize().to_hex().to_string())
}

fn opus_self_test() -> Result<String, CodecError> {
    let target = BitRate::from_kbps(32);
    let mut encoder = OpusEncoder::new(OpusSettings::voice(target))?;
    let mut decoder = OpusDecoder::new()?;
    let voice = Voice::shared(0);
    let mut hash = blake3::Hasher::new();
    for block in 0..25 {
        let packet = encoder.encode(EncodeBlock { voice: voice.clone(), block, target })?;
        hash.update(&packet);
        let input = if block == 12 { OpusInput::Missing } else { OpusInput::Packet(packet) };
        decoder.decode(input).iter().for_each(|sample| {
            hash.update(&sample.to_le_bytes());
        });
    }
    Ok(hash.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_self_test_gives_the_same_again() {
        let fingerprint = fingerprint().unwrap();
        assert_eq!(fingerprint.vp8, vp8_self_test().unwrap());
        assert_eq!(fingerprint.opus, opus_self_test().unwrap());
        assert!(fingerprint.gstreamer.contains("GStreamer"));
        assert_eq!(fingerprint.elements.len(), ELEMENTS.len());
    }
}
