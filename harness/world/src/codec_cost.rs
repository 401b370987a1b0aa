//! What the codecs of a run cost alone: the same frames through the same elements, without a simulator around them.

use crate::{machine::thread_cpu_time, run::WorldError};
use kernel::{
    ActorName, BitRate, BlobRef, Log, Plan, SimTime, Track,
    event::{Decoded, Encoded, EncoderTarget, Event},
    plan::VideoCodec,
};
use media::{
    OpusDecoder, OpusEncoder, PictureSize, Scene, Voice, Vp8Decoder, Vp8Encoder,
    codec::{EncodeBlock, EncodePicture, OpusInput, OpusSettings, Vp8Settings},
};
use std::{collections::BTreeMap, time::Duration};

/// What the codecs of a run cost alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct CodecCost {
    /// Processor time of the codecs, without the making of their input.
    pub codecs: Duration,
    /// Processor time for making the camera's pictures, which the encoders' calls contain and `codecs` leaves out.
    pub scene: Duration,
    /// Frames encoded.
    pub encoded: u64,
    /// Frames decoded.
    pub decoded: u64,
    /// Frames whose bytes differ from those of the run: 0, or the comparison is not of like with like.
    pub different: u64,
}

struct Device {
    scene: std::sync::Arc<Scene>,
    voice: std::sync::Arc<Voice>,
    video_target: BitRate,
    video_encoder: Vp8Encoder,
    video_decoder: Vp8Decoder,
    audio_encoder: OpusEncoder,
    audio_decoder: OpusDecoder,
}

/// Encodes and decodes everything that a run encoded and decoded, in its order, on this thread.
///
/// # Errors
/// When a codec does not work, when the log is not one of the reference stack, or when its codec is the modelled one:
/// that has no elements to run alone.
pub fn codecs_alone(log: &Log) -> Result<CodecCost, WorldError> {
    media::initialize().map_err(|error| WorldError::Environment(error.to_string()))?;
    let Some(Event::Plan(plan)) = log.records.first().map(|record| &record.event) else {
        return Err(WorldError::Plan("the log does not begin with its plan".into()));
    };
    if plan.media.video_codec == VideoCodec::Modelled {
        return Err(WorldError::Plan("the modelled codec costs nothing that could be measured alone".into()));
    }
    let mut devices = BTreeMap::new();
    for (index, participant) in plan.participants.iter().enumerate() {
        devices.insert(participant.device.clone(), Device::new(plan, index).map_err(WorldError::Environment)?);
    }
    let mut replay = Replay { log, frames: Frames::of(log), cost: CodecCost::default(), scratch: Vec::new() };
    for work in in_order_of_submission(log) {
        match work {
            Work::Retarget(target) => {
                if let Some(device) = devices.get_mut(&target.device) {
                    device.video_target = target.rate;
                }
            }
            Work::Encode(encoded) => replay.encode(&mut devices, encoded, plan)?,
            Work::Decode(decoded) => replay.decode(&mut devices, decoded),
        }
    }
    replay.cost.codecs = replay.cost.codecs.saturating_sub(replay.cost.scene);
    Ok(replay.cost)
}

enum Work<'a> {
    Retarget(&'a EncoderTarget),
    Encode(&'a Encoded),
    Decode(&'a Decoded),
}

/// What the codecs of a run did, in the order in which they were given it: a frame that came out of its encoder went
/// in earlier, by its leg `encode`, and was encoded with the settings of that instant.
fn in_order_of_submission(log: &Log) -> Vec<Work<'_>> {
    let mut work = Vec::new();
    for record in &log.records {
        match &record.event {
            Event::EncoderTarget(target) if target.track == Track::Video => {
                work.push((record.at, Work::Retarget(target)))
            }
            Event::Encoded(encoded) => work.push((SimTime(record.at.0 - encoded.encode.0), Work::Encode(encoded))),
            Event::Decoded(decoded) => work.push((record.at, Work::Decode(decoded))),
            _ => {}
        }
    }
    work.sort_by_key(|(at, _)| *at);
    work.into_iter().map(|(_, work)| work).collect()
}

impl Device {
    fn new(plan: &Plan, index: usize) -> Result<Device, String> {
        let media = &plan.media;
        let size = PictureSize::new(media.width, media.height).map_err(|error| error.to_string())?;
        let codec = |error: media::CodecError| error.to_string();
        Ok(Device {
            scene: Scene::shared(size, index as u8),
            voice: Voice::shared(index as u8),
            video_target: media.video_start,
            video_encoder: Vp8Encoder::new(Vp8Settings::real_time(size, media.fps, media.video_start))
                .map_err(codec)?,
            video_decoder: Vp8Decoder::new(size, media.fps).map_err(codec)?,
            audio_encoder: OpusEncoder::new(OpusSettings::voice(media.audio_rate)).map_err(codec)?,
            audio_decoder: OpusDecoder::new().map_err(codec)?,
        })
    }
}

/// Where the frames of a run lie in its log.
struct Frames {
    encoded: BTreeMap<(ActorName, Track, u32), BlobRef>,
    by_counter: BTreeMap<(ActorName, Track, u64), BlobRef>,
}

impl Frames {
    fn of(log: &Log) -> Frames {
        let mut frames = Frames { encoded: BTreeMap::new(), by_counter: BTreeMap::new() };
        for record in &log.records {
            match &record.event {
                Event::Encoded(Encoded { device, track, frame, bytes, .. }) => {
                    frames.encoded.insert((device.clone(), *track, *frame), *bytes);
                }
                Event::Sealed(sealed) => {
                    let key = (sealed.device.clone(), sealed.track, sealed.frame);
                    if let Some(bytes) = frames.encoded.get(&key) {
                        frames.by_counter.insert((key.0, sealed.track, sealed.counter), *bytes);
                    }
                }
                _ => {}
            }
        }
        frames
    }
}

struct Replay<'a> {
    log: &'a Log,
    frames: Frames,
    cost: CodecCost,
    scratch: Vec<u8>,
}

impl Replay<'_> {
    fn encode(
        &mut self,
        devices: &mut BTreeMap<ActorName, Device>,
        encoded: &Encoded,
        plan: &Plan,
    ) -> Result<(), WorldError> {
        let Some(device) = devices.get_mut(&encoded.device) else { return Ok(()) };
        let failed = |error: media::CodecError| WorldError::Environment(error.to_string());
        let before = thread_cpu_time();
        let ours = match encoded.track {
            Track::Video => {
                let input = EncodePicture {
                    scene: device.scene.clone(),
                    frame: encoded.frame,
                    target: device.video_target,
                    key: encoded.key,
                };
                device.video_encoder.encode(&input).map_err(failed)?.bytes
            }
            Track::Audio => {
                let input =
                    EncodeBlock { voice: device.voice.clone(), block: encoded.frame, target: plan.media.audio_rate };
                device.audio_encoder.encode(input).map_err(failed)?
            }
        };
        self.cost.codecs += thread_cpu_time() - before;
        self.cost.encoded += 1;
        self.cost.different += u64::from(ours != self.log.bytes(encoded.bytes));
        if encoded.track == Track::Video {
            self.scratch.resize((plan.media.width * plan.media.height * 3 / 2) as usize, 0);
            let before = thread_cpu_time();
            device.scene.fill(encoded.frame, &mut self.scratch);
            self.cost.scene += thread_cpu_time() - before;
        }
        Ok(())
    }

    fn decode(&mut self, devices: &mut BTreeMap<ActorName, Device>, decoded: &Decoded) {
        let place = (decoded.sender.clone(), decoded.track, decoded.counter);
        let (Some(bytes), Some(device)) = (self.frames.by_counter.get(&place), devices.get_mut(&decoded.device)) else {
            return;
        };
        let frame = self.log.bytes(*bytes).to_vec();
        let before = thread_cpu_time();
        match decoded.track {
            Track::Video => drop(device.video_decoder.decode(frame)),
            Track::Audio => drop(device.audio_decoder.decode(OpusInput::Packet(frame))),
        }
        self.cost.codecs += thread_cpu_time() - before;
        self.cost.decoded += 1;
    }
}
