//! The codecs that a call can have: the real ones and the modelled one, behind the same lanes.

use super::{
    CodecError, EncodeBlock, EncodePicture, EncodedPicture, ModelledDecoder, ModelledEncoder, ModelledVoice,
    OpusDecoder, OpusEncoder, OpusInput, OpusSettings, Vp8Decoder, Vp8Encoder, Vp8Settings, decode_voice,
};
use crate::{
    lane::Codec,
    mark,
    picture::{Picture, PictureSize},
    scene::Scene,
    voice::Voice,
};
use kernel::{
    BitRate,
    event::Mark,
    plan::{MediaPlan, VideoCodec},
    random::SeedTree,
};
use std::sync::Arc;

/// A picture to be encoded, by its number.
#[derive(Clone, Copy, Debug)]
pub struct NextPicture {
    /// The number of the picture.
    pub frame: u32,
    /// Bit rate from this picture on.
    pub target: BitRate,
    /// Whether it must become a key frame.
    pub key: bool,
}

/// A camera's encoder.
pub enum VideoEncoder {
    /// VP8, with the scene that the camera sees.
    Vp8(Box<Vp8Encoder>, Arc<Scene>),
    /// RFC 8593's model: nothing is seen.
    Modelled(Box<ModelledEncoder>),
}

impl VideoEncoder {
    /// The encoder of the plan, for the camera of the participant with the number `sender`.
    ///
    /// # Errors
    /// A missing element, of a real codec only.
    pub fn new(
        plan: &MediaPlan,
        size: PictureSize,
        target: BitRate,
        sender: u8,
        seeds: &SeedTree,
    ) -> Result<VideoEncoder, CodecError> {
        Ok(match plan.video_codec {
            VideoCodec::Vp8 => {
                let encoder = Vp8Encoder::new(Vp8Settings::real_time(size, plan.fps, target))?;
                VideoEncoder::Vp8(Box::new(encoder), Scene::shared(size, sender))
            }
            VideoCodec::Modelled => {
                VideoEncoder::Modelled(Box::new(ModelledEncoder::new(size, plan.fps, target, sender, seeds)))
            }
        })
    }
}

impl Codec for VideoEncoder {
    type Input = NextPicture;
    type Output = Result<EncodedPicture, CodecError>;

    fn run(&mut self, NextPicture { frame, target, key }: NextPicture) -> Self::Output {
        match self {
            VideoEncoder::Vp8(encoder, scene) => {
                encoder.encode(&EncodePicture { scene: scene.clone(), frame, target, key })
            }
            VideoEncoder::Modelled(encoder) => Ok(encoder.encode(frame, target, key)),
        }
    }
}

/// What a decoder gives.
#[derive(Debug)]
pub enum Shown {
    /// A picture.
    Picture(Picture),
    /// The mark that the picture would show, had the modelled codec pictures.
    Mark(Mark),
}

impl Shown {
    /// The mark that somebody reads who looks at it; none when it is damaged beyond reading.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Shown::Picture(picture) => mark::read(picture.luma(), picture.size()),
            Shown::Mark(mark) => Some(*mark),
        }
    }

    /// The picture, where there is one.
    pub fn picture(&self) -> Option<&Picture> {
        match self {
            Shown::Picture(picture) => Some(picture),
            Shown::Mark(_) => None,
        }
    }
}

/// A screen's decoder.
pub enum VideoDecoder {
    /// VP8.
    Vp8(Box<Vp8Decoder>),
    /// RFC 8593's model.
    Modelled(ModelledDecoder),
}

impl VideoDecoder {
    /// The decoder of the plan.
    ///
    /// # Errors
    /// A missing element, of a real codec only.
    pub fn new(plan: &MediaPlan, size: PictureSize) -> Result<VideoDecoder, CodecError> {
        Ok(match plan.video_codec {
            VideoCodec::Vp8 => VideoDecoder::Vp8(Box::new(Vp8Decoder::new(size, plan.fps)?)),
            VideoCodec::Modelled => VideoDecoder::Modelled(ModelledDecoder::default()),
        })
    }
}

impl Codec for VideoDecoder {
    type Input = Vec<u8>;
    type Output = Option<Shown>;

    fn run(&mut self, frame: Vec<u8>) -> Option<Shown> {
        match self {
            VideoDecoder::Vp8(decoder) => decoder.decode(frame).map(Shown::Picture),
            VideoDecoder::Modelled(decoder) => decoder.decode(&frame).map(Shown::Mark),
        }
    }
}

/// A block of sound to be encoded, by its number.
#[derive(Clone, Copy, Debug)]
pub struct NextBlock {
    /// The number of the block of 20 ms.
    pub block: u32,
    /// Bit rate from this block on.
    pub target: BitRate,
}

/// A microphone's encoder.
pub enum AudioEncoder {
    /// Opus, with the voice that the microphone hears.
    Opus(Box<OpusEncoder>, Arc<Voice>),
    /// Constant bit rate, nothing heard.
    Modelled(Box<ModelledVoice>),
}

impl AudioEncoder {
    /// The encoder of the plan, for the microphone of the participant with the number `sender`: modelled where video
    /// is.
    ///
    /// # Errors
    /// A missing element, of a real codec only.
    pub fn new(plan: &MediaPlan, sender: u8, seeds: &SeedTree) -> Result<AudioEncoder, CodecError> {
        Ok(match plan.video_codec {
            VideoCodec::Vp8 => {
                let encoder = OpusEncoder::new(OpusSettings::voice(plan.audio_rate))?;
                AudioEncoder::Opus(Box::new(encoder), Voice::shared(sender))
            }
            VideoCodec::Modelled => AudioEncoder::Modelled(Box::new(ModelledVoice::new(sender, seeds))),
        })
    }
}

impl Codec for AudioEncoder {
    type Input = NextBlock;
    type Output = Result<Vec<u8>, CodecError>;

    fn run(&mut self, NextBlock { block, target }: NextBlock) -> Self::Output {
        match self {
            AudioEncoder::Opus(encoder, voice) => encoder.encode(EncodeBlock { voice: voice.clone(), block, target }),
            AudioEncoder::Modelled(encoder) => Ok(encoder.encode(block, target)),
        }
    }
}

/// A speaker's decoder.
pub enum AudioDecoder {
    /// Opus.
    Opus(Box<OpusDecoder>),
    /// Silence of the right length.
    Modelled,
}

impl AudioDecoder {
    /// The decoder of the plan.
    ///
    /// # Errors
    /// A missing element, of a real codec only.
    pub fn new(plan: &MediaPlan) -> Result<AudioDecoder, CodecError> {
        Ok(match plan.video_codec {
            VideoCodec::Vp8 => AudioDecoder::Opus(Box::new(OpusDecoder::new()?)),
            VideoCodec::Modelled => AudioDecoder::Modelled,
        })
    }
}

impl Codec for AudioDecoder {
    type Input = OpusInput;
    type Output = Vec<i16>;

    fn run(&mut self, input: OpusInput) -> Vec<i16> {
        match self {
            AudioDecoder::Opus(decoder) => decoder.decode(input),
            AudioDecoder::Modelled => decode_voice(&input),
        }
    }
}
