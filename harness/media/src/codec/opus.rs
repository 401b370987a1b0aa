//! Opus (RFC 6716) through `opusenc` and `opusdec`.

use super::{CodecError, OpusSettings, vp8::read};
use crate::{
    element::{Element, ElementError},
    voice::Voice,
};
use gstreamer as gst;
use kernel::{BitRate, Micros};
use std::sync::Arc;

const BLOCK_NS: u64 = 20_000_000;

/// What a block of sound is late by through encoder and decoder, beside their computing time: the encoder's look-ahead
/// of 312 samples (RFC 6716 section 2.1.4 and libopus' `OPUS_GET_LOOKAHEAD`).
pub const LOOK_AHEAD: Micros = Micros(6_500);

/// A block of 20 ms to be encoded, named by voice and number.
#[derive(Clone)]
pub struct EncodeBlock {
    /// The microphone's sound.
    pub voice: Arc<Voice>,
    /// The number of the block.
    pub block: u32,
    /// Bit rate from this block on.
    pub target: BitRate,
}

/// An Opus encoder.
pub struct OpusEncoder {
    element: Element,
    settings: OpusSettings,
    blocks: u64,
}

impl OpusEncoder {
    /// An encoder that has heard nothing.
    ///
    /// # Errors
    /// A missing element.
    pub fn new(settings: OpusSettings) -> Result<OpusEncoder, CodecError> {
        let caps = pcm_caps().field("channel-mask", gst::Bitmask::new(1)).build();
        let element = Element::start("opusenc", &settings.properties(), &caps, gst::Caps::new_any())?;
        Ok(OpusEncoder { element, settings, blocks: 0 })
    }

    /// Encodes one block into one Opus packet.
    ///
    /// # Errors
    /// When the encoder refuses or swallows it.
    pub fn encode(&mut self, input: EncodeBlock) -> Result<Vec<u8>, CodecError> {
        if input.target != self.settings.target {
            self.settings.target = input.target;
            self.element.set("bitrate", i32::try_from(input.target.0).unwrap_or(i32::MAX));
        }
        self.element.push(gst::Buffer::from_slice(Block(input)), self.blocks * BLOCK_NS, BLOCK_NS)?;
        self.blocks += 1;
        self.element.pull().map(|packet| read(&packet)).ok_or(CodecError::Swallowed("opusenc"))
    }
}

/// What an Opus decoder is given for 20 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpusInput {
    /// A packet.
    Packet(Vec<u8>),
    /// Nothing came: the decoder invents sound that fits (packet loss concealment).
    Missing,
}

/// An Opus decoder.
pub struct OpusDecoder {
    element: Element,
    blocks: u64,
}

impl OpusDecoder {
    /// A decoder that has heard nothing.
    ///
    /// # Errors
    /// A missing element.
    pub fn new() -> Result<OpusDecoder, CodecError> {
        let caps = gst::Caps::builder("audio/x-opus")
            .field("rate", 48_000)
            .field("channels", 1)
            .field("channel-mapping-family", 0)
            .field("stream-count", 1)
            .field("coupled-count", 0)
            .build();
        let element = Element::start("opusdec", &[("plc", "true".into())], &caps, pcm_caps().build())?;
        Ok(OpusDecoder { element, blocks: 0 })
    }

    /// Decodes one packet, or conceals a missing one: 48 kHz mono samples, none for a packet that it cannot use.
    pub fn decode(&mut self, input: OpusInput) -> Vec<i16> {
        let pts = self.blocks * BLOCK_NS;
        self.blocks += 1;
        // The decoder takes whatever comes from the network: that it refuses a packet is part of its work.
        let _: Result<(), ElementError> = match input {
            OpusInput::Packet(packet) => self.element.push(gst::Buffer::from_slice(packet), pts, BLOCK_NS),
            OpusInput::Missing => self.element.push_gap(pts, BLOCK_NS),
        };
        let mut samples = Vec::with_capacity(960);
        while let Some(sound) = self.element.pull() {
            let Ok(map) = sound.map_readable() else { continue };
            samples.extend(map.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        }
        samples
    }
}

/// A block of a voice as GStreamer sees it: the voice's own memory.
struct Block(EncodeBlock);

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        self.0.voice.block(self.0.block)
    }
}

fn pcm_caps() -> gst::caps::Builder<gst::caps::NoFeature> {
    gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("rate", 48_000)
        .field("channels", 1)
        .field("layout", "interleaved")
}
