//! VP8 and Opus through GStreamer, one frame in and one out, with settings whose output is a function of the input; and
//! the modelled codec, which makes their traffic without their work.

mod choice;
mod modelled;
mod modelled_sizes;
mod opus;
mod settings;
mod vp8;

pub use choice::{AudioDecoder, AudioEncoder, NextBlock, NextPicture, Shown, VideoDecoder, VideoEncoder};
pub use modelled::{ModelledDecoder, ModelledEncoder, ModelledVoice, decode_voice};
pub use opus::{EncodeBlock, LOOK_AHEAD, OpusDecoder, OpusEncoder, OpusInput};
pub use settings::{NotDeterministic, OpusSettings, Vp8Settings};
pub use vp8::{EncodePicture, EncodedPicture, Vp8Decoder, Vp8Encoder, is_key_frame};

use crate::{element::ElementError, picture::SizeError};

/// A codec could not be made, or failed.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The settings would make the output depend on the machine's speed.
    #[error("settings are refused: {0}")]
    Settings(#[from] NotDeterministic),
    /// The picture size does not fit.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// GStreamer said no.
    #[error(transparent)]
    Element(#[from] ElementError),
    /// An encoder gave nothing for an input.
    #[error("the encoder {0} swallowed its input")]
    Swallowed(&'static str),
}
