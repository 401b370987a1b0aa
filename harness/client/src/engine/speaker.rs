//! The speaker: jitter buffer, decoder, time stretching, and the clock of the sound card.

use super::{Local, frames::OpenedFrame, incoming::dropped};
use kernel::{ActorName, Micros, SimTime, Track, event};
use media::{
    AudioDecoder, Lane, Ticket,
    codec::{LOOK_AHEAD, OpusInput},
    playout::{self, AudioBuffer, AudioPacket, Block, RefusedPacket, Stretch},
    voice::BLOCK_SAMPLES,
};
use std::collections::VecDeque;

struct Decoding {
    /// Counter, hash and time of opening of the packet; none when sound is invented.
    packet: Option<(u64, String, SimTime)>,
    stretch: Stretch,
    began: SimTime,
    due: SimTime,
    ticket: Ticket,
}

/// A block between decoder and air.
struct Sounding {
    at: SimTime,
    counter: Option<u64>,
    samples: u32,
    stretched: i32,
    buffered: Micros,
}

/// The sound of the peer.
pub(super) struct Speaker {
    /// From the decoded block until its first sample is heard: the codec's look-ahead and the sound card.
    latency: Micros,
    decode_cost: Micros,
    buffer: AudioBuffer<OpenedFrame>,
    decoder: Option<Lane<AudioDecoder>>,
    decoding: Option<Decoding>,
    /// While it plays: when it began, and how many samples the sound card has had since then.
    clock: Option<(SimTime, u64)>,
    sounding: VecDeque<Sounding>,
}

impl Speaker {
    pub(super) fn new(local: &Local) -> Speaker {
        Speaker {
            latency: LOOK_AHEAD + local.costs.speaker,
            decode_cost: local.costs.decode_block(),
            buffer: AudioBuffer::default(),
            decoder: None,
            decoding: None,
            clock: None,
            sounding: VecDeque::new(),
        }
    }

    /// Takes an authentic packet.
    pub(super) fn take(&mut self, local: &Local, frame: OpenedFrame, rtp_timestamp: u64, now: SimTime) {
        let counter = frame.counter;
        match self.buffer.insert(AudioPacket { timestamp: rtp_timestamp, arrived: now, content: frame }) {
            Ok(()) => {}
            Err(RefusedPacket::Late | RefusedPacket::Full) => dropped(local, Track::Audio, counter, "late"),
        }
    }

    /// The peer's microphone is off: after what waits there is silence, and nothing to conceal.
    pub(super) fn fall_silent(&mut self) {
        self.buffer.fall_silent();
    }

    pub(super) fn next_wake(&self) -> Option<SimTime> {
        let sounding = self.sounding.front().map(|block| block.at);
        [self.next_step(), sounding].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, local: &Local, now: SimTime) {
        while let Some(block) = self.sounding.pop_front_if(|block| block.at <= now) {
            play(local.device.clone(), local.peer.clone(), &block);
        }
        if let Some(decoding) = self.decoding.take_if(|decoding| decoding.due <= now) {
            self.finish_decoding(local, decoding, now);
        }
        if self.decoding.is_none() && self.next_step().is_some_and(|at| at <= now) {
            self.begin_block(local, now);
        }
    }

    /// Drops everything that waits and plays nothing any more.
    pub(super) fn switch_off(&mut self) {
        self.buffer = AudioBuffer::default();
        self.decoding = None;
        self.decoder = None;
        self.clock = None;
        self.sounding.clear();
    }

    /// When the decoder is done, or the sound card wants the next block, or playing begins.
    fn next_step(&self) -> Option<SimTime> {
        match (&self.decoding, self.clock) {
            (Some(decoding), _) => Some(decoding.due),
            (None, Some((began, samples))) => Some(began + Micros(samples * 1_000_000 / 48_000)),
            (None, None) => self.buffer.begins_at(),
        }
    }

    fn begin_block(&mut self, local: &Local, now: SimTime) {
        let (input, packet, stretch) = match self.buffer.next_block(now) {
            Block::Packet(AudioPacket { arrived, content, .. }, stretch) => {
                let OpenedFrame { counter, bytes, hash } = content;
                (OpusInput::Packet(bytes), Some((counter, hash, arrived)), stretch)
            }
            Block::Concealed => (OpusInput::Missing, None, Stretch::None),
            Block::Silence => {
                self.clock = None;
                return;
            }
        };
        self.clock.get_or_insert((now, 0));
        let decoder = self.decoder.get_or_insert_with(|| {
            Lane::new(AudioDecoder::new(&local.media).expect("media::initialize found the audio decoder"))
        });
        let ticket = decoder.submit(input);
        self.decoding = Some(Decoding { packet, stretch, began: now, due: now + self.decode_cost, ticket });
    }

    fn finish_decoding(&mut self, local: &Local, decoding: Decoding, now: SimTime) {
        let Decoding { packet, stretch, began, ticket, .. } = decoding;
        let mut samples = self.decoder.as_mut().map(|decoder| decoder.collect(ticket)).unwrap_or_default();
        let counter = packet.as_ref().map(|(counter, ..)| *counter);
        if let Some((counter, hash, opened_at)) = packet {
            event!(Decoded {
                device: local.device.clone(),
                sender: local.peer.clone(),
                track: Track::Audio,
                counter,
                hash,
                output: !samples.is_empty(),
                buffer: began - opened_at,
                decode: now - began,
            });
        }
        if samples.is_empty() {
            // The sound card wants its block whatever the decoder thinks of the packet.
            samples.resize(BLOCK_SAMPLES, 0);
        }
        let stretched = match stretch {
            Stretch::None => 0,
            Stretch::Accelerate => -(playout::accelerate(&mut samples) as i32),
            Stretch::Expand => playout::expand(&mut samples) as i32,
        };
        if let Some((_, played)) = &mut self.clock {
            *played += samples.len() as u64;
        }
        let (samples, buffered) = (samples.len() as u32, self.buffer.level());
        self.sounding.push_back(Sounding { at: now + self.latency, counter, samples, stretched, buffered });
    }
}

fn play(device: ActorName, sender: ActorName, block: &Sounding) {
    let &Sounding { counter, samples, stretched, buffered, .. } = block;
    event!(AudioPlayed { device, sender, counter, samples, stretched, buffered });
}
