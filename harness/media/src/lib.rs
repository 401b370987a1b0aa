//! Camera, microphone, codecs through GStreamer, frame marks, playout, probes.
//!
//! The only room that names GStreamer. A real codec is driven pad to pad on the caller's thread: no pipeline, no clock, no
//! thread of its own. [`initialize`] is called once on a thread outside any simulation, before the first codec.

pub mod codec;
pub mod device;
pub mod doctor;
pub mod element;
pub mod fingerprint;
pub mod lane;
pub mod mark;
pub mod picture;
pub mod playout;
pub mod probe;
pub mod scene;
pub mod voice;

mod noise;

pub use codec::{
    AudioDecoder, AudioEncoder, CodecError, EncodedPicture, OpusDecoder, OpusEncoder, Shown, VideoDecoder,
    VideoEncoder, Vp8Decoder, Vp8Encoder,
};
pub use doctor::{InitializeError, Missing, initialize, missing};
pub use fingerprint::{Fingerprint, fingerprint};
pub use lane::{Codec, Lane, Ticket};
pub use picture::{Picture, PictureSize, SizeError};
pub use scene::Scene;
pub use voice::Voice;
