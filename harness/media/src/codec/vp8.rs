//! VP8 (RFC 6386) through `vp8enc` and `vp8dec`.

use super::{CodecError, Vp8Settings};
use crate::{
    element::{Element, ElementError},
    picture::{Picture, PictureSize},
    scene::Scene,
};
use gstreamer as gst;
use kernel::BitRate;
use std::sync::{Arc, Mutex, PoisonError};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Whether an encoded VP8 frame is a key frame (RFC 6386 section 9.1). An empty frame is none.
pub fn is_key_frame(frame: &[u8]) -> bool {
    frame.first().is_some_and(|tag| tag & 1 == 0)
}

/// A picture to be encoded, named by scene and number: the pixels are made inside the lane.
#[derive(Clone)]
pub struct EncodePicture {
    /// The camera's view.
    pub scene: Arc<Scene>,
    /// The number of the picture.
    pub frame: u32,
    /// Bit rate from this picture on.
    pub target: BitRate,
    /// Whether it must become a key frame.
    pub key: bool,
}

/// An encoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPicture {
    /// The VP8 frame.
    pub bytes: Vec<u8>,
    /// Whether it is a key frame.
    pub key: bool,
}

/// A VP8 encoder.
pub struct Vp8Encoder {
    element: Element,
    settings: Vp8Settings,
    pictures: u64,
    pool: Pool,
}

impl Vp8Encoder {
    /// An encoder that has seen nothing: its first picture becomes a key frame.
    ///
    /// # Errors
    /// Settings that are not deterministic, or a missing element.
    pub fn new(settings: Vp8Settings) -> Result<Vp8Encoder, CodecError> {
        settings.check()?;
        let caps = raw_caps(settings.size, settings.fps);
        let element = Element::start("vp8enc", &settings.properties(), &caps, gst::Caps::new_any())?;
        Ok(Vp8Encoder { element, settings, pictures: 0, pool: Pool::default() })
    }

    /// Encodes one picture.
    ///
    /// # Errors
    /// When the encoder refuses or swallows it.
    pub fn encode(&mut self, input: &EncodePicture) -> Result<EncodedPicture, CodecError> {
        let mut pixels = self.pool.take(self.settings.size.bytes());
        input.scene.fill(input.frame, &mut pixels.bytes);
        self.encode_planes(pixels, input.target, input.key)
    }

    /// Encodes a picture that is there already, as I420 planes without padding. Its memory is used, not copied.
    ///
    /// # Errors
    /// When the encoder refuses or swallows it.
    pub fn encode_planes(
        &mut self,
        planes: impl AsRef<[u8]> + Send + 'static,
        target: BitRate,
        key: bool,
    ) -> Result<EncodedPicture, CodecError> {
        if target != self.settings.target {
            self.settings.target = target;
            self.element.set("target-bitrate", i32::try_from(target.0).unwrap_or(i32::MAX));
        }
        if key {
            self.element.force_key_frame();
        }
        let duration = NS_PER_SECOND / u64::from(self.settings.fps.max(1));
        self.element.push(gst::Buffer::from_slice(planes), self.pictures * duration, duration)?;
        self.pictures += 1;
        let encoded = self.element.pull().ok_or(CodecError::Swallowed("vp8enc"))?;
        let bytes = read(&encoded);
        Ok(EncodedPicture { key: is_key_frame(&bytes), bytes })
    }
}

/// A VP8 decoder.
pub struct Vp8Decoder {
    element: Element,
    size: PictureSize,
    fps: u32,
    frames: u64,
}

impl Vp8Decoder {
    /// A decoder that waits for a key frame.
    ///
    /// # Errors
    /// A missing element.
    pub fn new(size: PictureSize, fps: u32) -> Result<Vp8Decoder, CodecError> {
        let caps = gst::Caps::builder("video/x-vp8")
            .field("width", size.width() as i32)
            .field("height", size.height() as i32)
            .field("framerate", gst::Fraction::new(fps as i32, 1))
            .build();
        let accepted = gst::Caps::builder("video/x-raw").field("format", "I420").build();
        let element = Element::start("vp8dec", &[("threads", "1".into())], &caps, accepted)?;
        Ok(Vp8Decoder { element, size, fps, frames: 0 })
    }

    /// Decodes one frame. A frame that the decoder cannot use gives nothing and is no error; one whose reference is
    /// missing gives a damaged picture and no error either, so continuity is the caller's to watch.
    pub fn decode(&mut self, frame: Vec<u8>) -> Option<Picture> {
        let duration = NS_PER_SECOND / u64::from(self.fps.max(1));
        // The decoder takes whatever comes from the network: that it refuses a frame is part of its work.
        let _: Result<(), ElementError> =
            self.element.push(gst::Buffer::from_slice(frame), self.frames * duration, duration);
        self.frames += 1;
        let picture = self.element.pull();
        // A frame shows one picture. More than that would only be a decoder's invention.
        while self.element.pull().is_some() {}
        Picture::map(picture?, self.size)
    }
}

fn raw_caps(size: PictureSize, fps: u32) -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", size.width() as i32)
        .field("height", size.height() as i32)
        .field("framerate", gst::Fraction::new(fps as i32, 1))
        .field("interlace-mode", "progressive")
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build()
}

pub(super) fn read(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().map(|map| map.as_slice().to_vec()).unwrap_or_default()
}

/// Picture memory that GStreamer gives back when it drops a buffer: fresh pages for each picture would cost more than
/// filling it.
#[derive(Clone, Default)]
struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

struct Pooled {
    bytes: Vec<u8>,
    pool: Pool,
}

impl Pool {
    /// Pictures that the encoder holds at one time are few.
    const MAX_IDLE: usize = 4;

    fn take(&self, len: usize) -> Pooled {
        let mut bytes = self.idle().pop().unwrap_or_default();
        bytes.resize(len, 0);
        Pooled { bytes, pool: self.clone() }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut idle = self.pool.idle();
        if idle.len() < Pool::MAX_IDLE {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
