//! The microphone with its encoder.

use super::{
    Local,
    outgoing::{Outgoing, Source},
};
use kernel::{BitRate, Micros, SimTime, Track, event, random::SeedTree};
use media::{AudioEncoder, Codec, CodecError, EncodedPicture, codec::NextBlock};

const BLOCK: Micros = Micros::from_millis(20);

/// A microphone that is on.
pub(super) struct Microphone {
    /// The number of its first block, and when it begins.
    first: (u32, SimTime),
    readout: Micros,
    encode_cost: Micros,
    target: BitRate,
}

impl Microphone {
    /// A microphone whose first block, the number `first_frame`, begins within 20 ms.
    pub(super) fn switch_on(local: &Local, seeds: &SeedTree, first_frame: u32, now: SimTime) -> Outgoing<Microphone> {
        let target = local.media.audio_rate;
        let encoder = AudioEncoder::new(&local.media, local.index, seeds);
        let encoder = encoder.expect("media::initialize found the audio encoder");
        event!(EncoderTarget { device: local.device.clone(), track: Track::Audio, rate: target });
        let microphone = Microphone {
            first: (first_frame, now + Micros(seeds.stream("microphone-phase").below(BLOCK.0))),
            readout: local.costs.microphone,
            encode_cost: local.costs.encode_block(),
            target,
        };
        Outgoing::new(microphone, BlockEncoder(encoder), first_frame)
    }
}

impl Source for Microphone {
    const TRACK: Track = Track::Audio;
    type Encoder = BlockEncoder;

    fn sensed_at(&self, frame: u32) -> SimTime {
        let (number, at) = self.first;
        at + Micros(u64::from(frame - number) * BLOCK.0)
    }

    fn exposure(&self) -> Micros {
        BLOCK
    }

    fn readout(&self) -> Micros {
        self.readout
    }

    fn encode_cost(&self) -> Micros {
        self.encode_cost
    }

    fn admits(&self, _now: SimTime) -> bool {
        // Sound goes before pictures: the budget of video is what it leaves.
        true
    }

    fn encoded(&mut self, _bytes: usize, _now: SimTime) {}

    fn input(&mut self, frame: u32) -> NextBlock {
        NextBlock { block: frame, target: self.target }
    }

    fn rtp_timestamp(sensed_at: SimTime) -> u64 {
        rtp_timestamp(sensed_at)
    }
}

/// The RTP timestamp of an instant, 48 kHz.
pub(super) fn rtp_timestamp(at: SimTime) -> u64 {
    at.0 * 48 / 1_000
}

/// The encoder of sound seen as that of a track: no packet is a key frame, since none refers to another.
pub(super) struct BlockEncoder(AudioEncoder);

impl Codec for BlockEncoder {
    type Input = NextBlock;
    type Output = Result<EncodedPicture, CodecError>;

    fn run(&mut self, input: NextBlock) -> Self::Output {
        self.0.run(input).map(|bytes| EncodedPicture { bytes, key: false })
    }
}
