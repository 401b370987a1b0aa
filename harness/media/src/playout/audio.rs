//! The jitter buffer of one sound track.

use super::DelayEstimator;
use crate::voice::BLOCK_SAMPLES;
use kernel::{Micros, SimTime};
use std::collections::BTreeMap;

/// At most this many packets wait: five seconds.
const MAX_PACKETS: usize = 250;
const BUCKET: Micros = Micros::from_millis(10);
/// A longer gap is jumped over: inventing more sound helps nobody.
const MAX_GAP: u64 = 10 * BLOCK_SAMPLES as u64;
/// After this many blocks without any packet (1 s) playing stops until packets come again.
const MAX_STARVED: u32 = 50;
/// Sound is made faster when it waits this much longer than it must.
const SLACK: Micros = Micros::from_millis(20);
/// Sound is made slower when it waits this much shorter than it must.
const SHORTAGE: Micros = Micros::from_millis(5);
/// Above this much too long, every block is made faster; below, every third.
const FAST_SLACK: Micros = Micros::from_millis(100);
const BLOCKS_BETWEEN_STRETCHES: u32 = 3;

/// A packet of 20 ms of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioPacket<T> {
    /// RTP timestamp, 48 kHz, extended beyond 32 bits.
    pub timestamp: u64,
    /// When it came.
    pub arrived: SimTime,
    /// The packet.
    pub content: T,
}

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedPacket {
    /// Its time is over, or it is here already.
    #[error("the packet comes after its time")]
    Late,
    /// The buffer is full: nothing is playing.
    #[error("the jitter buffer is full")]
    Full,
}

/// What to do with the decoded block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// Nothing.
    None,
    /// Take out a period: sound waits too long.
    Accelerate,
    /// Put in a period: sound waits too short for the network's jitter.
    Expand,
}

/// The next 20 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block<T> {
    /// Decode this packet, then stretch it.
    Packet(AudioPacket<T>, Stretch),
    /// Let the decoder invent sound: the packet is missing.
    Concealed,
    /// Play nothing: no sound has come yet, or none for long.
    Silence,
}

/// Holds packets until they are played, and decides block by block what is played, after the idea of NetEq.
///
/// The delay of what is played next, relative to the fastest arrival, is held near a target that covers the jitter of
/// 97 % of the packets: by stretching time when it is off, by concealment when nothing is there.
#[derive(Debug)]
pub struct AudioBuffer<T> {
    estimator: DelayEstimator,
    packets: BTreeMap<u64, AudioPacket<T>>,
    /// The timestamp of what is played next; everything before is over.
    next: u64,
    playing: bool,
    /// Samples that were invented while no packet was there: they count as what a loss, when it turns out to be one,
    /// would have needed.
    invented: u64,
    starved: u32,
    /// Whether silence follows what waits.
    falls_silent: bool,
    blocks_since_stretch: u32,
}

impl<T> Default for AudioBuffer<T> {
    fn default() -> Self {
        AudioBuffer {
            estimator: DelayEstimator::new(BUCKET, 970, 983),
            packets: BTreeMap::new(),
            next: 0,
            playing: false,
            invented: 0,
            starved: 0,
            falls_silent: false,
            blocks_since_stretch: 0,
        }
    }
}

impl<T> AudioBuffer<T> {
    /// Takes a packet.
    ///
    /// # Errors
    /// [`RefusedPacket`]: the packet is dropped.
    pub fn insert(&mut self, packet: AudioPacket<T>) -> Result<(), RefusedPacket> {
        self.estimator.observe(media_time(packet.timestamp), packet.arrived);
        if packet.timestamp < self.next || self.packets.contains_key(&packet.timestamp) {
            return Err(RefusedPacket::Late);
        }
        if self.packets.len() >= MAX_PACKETS {
            return Err(RefusedPacket::Full);
        }
        self.packets.insert(packet.timestamp, packet);
        self.falls_silent = false;
        Ok(())
    }

    /// No sound follows what waits, until another packet comes: its end is silence and no loss.
    pub fn fall_silent(&mut self) {
        self.falls_silent = true;
    }

    /// When playing begins; `None` while it plays or while nothing is here.
    pub fn begins_at(&self) -> Option<SimTime> {
        let (_, first) = self.packets.first_key_value().filter(|_| !self.playing)?;
        Some(first.arrived + self.target())
    }

    /// What to play from `now` on for the next 20 ms. Playing begins with the first call that finds a packet.
    pub fn next_block(&mut self, now: SimTime) -> Block<T> {
        let Some((&first, _)) = self.packets.first_key_value() else { return self.starve() };
        self.starved = 0;
        if !self.playing {
            self.playing = true;
            self.next = first;
        }
        self.skip_invented(first);
        if self.next < first {
            self.next = if first - self.next > MAX_GAP { first } else { first.min(self.next + BLOCK_SAMPLES as u64) };
            return Block::Concealed;
        }
        let stretch = self.choose_stretch(now);
        self.invented = 0;
        self.next = first + BLOCK_SAMPLES as u64;
        self.packets.pop_first().map_or(Block::Silence, |(_, packet)| Block::Packet(packet, stretch))
    }

    /// How long packets are to wait, counted from when the fastest would have come.
    pub fn target(&self) -> Micros {
        self.estimator.target().unwrap_or(BUCKET)
    }

    /// How much sound waits.
    pub fn level(&self) -> Micros {
        Micros::from_millis(20 * self.packets.len() as u64)
    }

    fn starve(&mut self) -> Block<T> {
        if !self.playing {
            return Block::Silence;
        }
        self.starved += 1;
        if self.falls_silent || self.starved > MAX_STARVED {
            self.playing = false;
            return Block::Silence;
        }
        self.invented += BLOCK_SAMPLES as u64;
        Block::Concealed
    }

    /// What was invented while nothing was there covers a gap before the packet that came now.
    fn skip_invented(&mut self, first: u64) {
        let skipped = (first - self.next).min(self.invented);
        self.next += skipped;
        self.invented -= skipped;
    }

    fn choose_stretch(&mut self, now: SimTime) -> Stretch {
        self.blocks_since_stretch += 1;
        let Some(fastest) = self.estimator.fastest_arrival(media_time(self.next)) else { return Stretch::None };
        let (waits, target) = (now.since(fastest), self.target());
        let rested = self.blocks_since_stretch >= BLOCKS_BETWEEN_STRETCHES;
        let stretch = if waits > target + FAST_SLACK || rested && waits > target + SLACK {
            Stretch::Accelerate
        } else if rested && waits + SHORTAGE < target {
            Stretch::Expand
        } else {
            Stretch::None
        };
        if stretch != Stretch::None {
            self.blocks_since_stretch = 0;
        }
        stretch
    }
}

fn media_time(timestamp: u64) -> Micros {
    Micros((u128::from(timestamp) * 125 / 6).min(u128::from(u64::MAX / 4)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: u64 = BLOCK_SAMPLES as u64;
    const PATH: u64 = 50_000;

    fn packet(number: u64, arrived: u64) -> AudioPacket<u64> {
        AudioPacket { timestamp: 1_000_000 + number * BLOCK, arrived: SimTime(arrived), content: number }
    }

    /// Plays packets with the given arrival times (none: lost) on a clock that counts samples; each stretch changes the
    /// block by 240 samples. Answers each block with its time.
    fn play(arrivals: &[Option<u64>]) -> Vec<(SimTime, Block<u64>)> {
        let mut buffer = AudioBuffer::default();
        let mut incoming: Vec<_> = arrivals.iter().enumerate().filter_map(|(n, at)| Some(((*at)?, n as u64))).collect();
        incoming.sort_unstable();
        let mut incoming = incoming.into_iter().peekable();
        let mut played = Vec::new();
        let mut clock: Option<SimTime> = None;
        while played.len() < 5_000 {
            let tick = clock.or(buffer.begins_at()).unwrap_or(SimTime::NEVER);
            if let Some((at, number)) = incoming.next_if(|(at, _)| *at <= tick.0) {
                let _ = buffer.insert(packet(number, at));
                continue;
            }
            if tick == SimTime::NEVER {
                break;
            }
            let block = buffer.next_block(tick);
            clock = match &block {
                Block::Silence => None,
                Block::Packet(_, Stretch::Accelerate) => Some(tick + Micros(15_000)),
                Block::Packet(_, Stretch::Expand) => Some(tick + Micros(25_000)),
                _ => Some(tick + Micros(20_000)),
            };
            played.push((tick, block));
        }
        played
    }

    fn numbers(played: &[(SimTime, Block<u64>)]) -> Vec<u64> {
        played
            .iter()
            .filter_map(|(_, block)| if let Block::Packet(packet, _) = block { Some(packet.content) } else { None })
            .collect()
    }

    fn concealed(played: &[(SimTime, Block<u64>)]) -> usize {
        played.iter().filter(|(_, block)| *block == Block::Concealed).count()
    }

    #[test]
    fn a_steady_network_is_played_without_concealment_or_stretching() {
        let played = play(&(0..200).map(|n| Some(PATH + n * 20_000)).collect::<Vec<_>>());
        assert_eq!(numbers(&played), (0..200).collect::<Vec<_>>());
        assert!(played[..200].iter().all(|(_, block)| matches!(block, Block::Packet(_, Stretch::None))));
        assert_eq!(played[0].0, SimTime(PATH + 10_000));
        // What comes after the end is concealed for a second, and then it is silent.
        assert_eq!(concealed(&played), MAX_STARVED as usize);
        assert_eq!(played.last().unwrap().1, Block::Silence);
    }

    #[test]
    fn silence_that_was_told_of_is_not_concealed() {
        let mut buffer = AudioBuffer::default();
        buffer.insert(packet(0, PATH)).unwrap();
        buffer.fall_silent();
        assert!(matches!(buffer.next_block(SimTime(PATH)), Block::Packet(..)));
        assert_eq!(buffer.next_block(SimTime(PATH + 20_000)), Block::Silence);
        let later = PATH + 2_000_000;
        buffer.insert(packet(100, later)).unwrap();
        assert_eq!(buffer.begins_at(), Some(SimTime(later) + buffer.target()));
        assert!(matches!(buffer.next_block(SimTime(later)), Block::Packet(..)));
        assert_eq!(buffer.next_block(SimTime(later + 20_000)), Block::Concealed);
    }

    #[test]
    fn a_lost_packet_is_concealed_once_and_the_rest_is_in_time() {
        let arrivals: Vec<_> = (0..200).map(|n| (n != 100).then_some(PATH + n * 20_000)).collect();
        let played = play(&arrivals);
        assert_eq!(concealed(&played[..200]), 1);
        assert_eq!(played[100].1, Block::Concealed);
        assert!(matches!(&played[199].1, Block::Packet(packet, _) if packet.content == 199));
    }

    #[test]
    fn jitter_raises_the_delay_until_nothing_is_late() {
        let arrivals: Vec<_> = (0..1_500).map(|n| Some(PATH + n * 20_000 + n * 7_919 % 60_000)).collect();
        let played = play(&arrivals);
        assert!(concealed(&played[500..1_400]) < 20, "{}", concealed(&played[500..1_400]));
    }

    #[test]
    fn a_delay_that_is_over_is_made_up_by_playing_faster() {
        let stall = |n| if (100..130).contains(&n) { (130 - n) * 20_000 } else { 0 };
        let played = play(&(0..1_000).map(|n| Some(PATH + n * 20_000 + stall(n))).collect::<Vec<_>>());
        let (late, _) = played
            .iter()
            .find(|(_, block)| matches!(block, Block::Packet(packet, _) if packet.content == 990))
            .unwrap();
        let waits = late.0 - (PATH + 990 * 20_000);
        assert!(waits <= 60_000, "a packet waits {waits} us long after the stall");
        assert!(played.iter().any(|(_, block)| matches!(block, Block::Packet(_, Stretch::Accelerate))));
    }

    #[test]
    fn a_packet_after_its_time_is_refused() {
        let mut buffer = AudioBuffer::default();
        buffer.insert(packet(5, 0)).unwrap();
        assert_eq!(buffer.insert(packet(5, 0)), Err(RefusedPacket::Late));
        assert!(matches!(buffer.next_block(SimTime(20_000)), Block::Packet(..)));
        assert_eq!(buffer.insert(packet(4, 20_000)), Err(RefusedPacket::Late));
    }

    #[test]
    fn the_buffer_is_bounded() {
        let mut buffer = AudioBuffer::default();
        let refused = (0..1_000).filter(|&n| buffer.insert(packet(n, 0)) == Err(RefusedPacket::Full)).count();
        assert_eq!(refused, 1_000 - MAX_PACKETS);
    }

    proptest! {
        #[test]
        fn packets_are_played_at_most_once_and_in_order(
            delays in prop::collection::vec(prop::option::weighted(0.9, 0_u64..300_000), 1..300),
        ) {
            let arrivals: Vec<_> = delays.iter().enumerate().map(|(n, delay)| Some(n as u64 * 20_000 + (*delay)?)).collect();
            let played = numbers(&play(&arrivals));
            prop_assert!(played.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn nonsense_timestamps_do_no_harm(timestamps in prop::collection::vec(any::<u64>(), 1..200)) {
            let mut buffer = AudioBuffer::default();
            for (n, timestamp) in timestamps.iter().enumerate() {
                let now = SimTime(n as u64 * 20_000);
                let _ = buffer.insert(AudioPacket { timestamp: *timestamp >> 1, arrived: now, content: () });
                buffer.next_block(now);
                prop_assert!(buffer.level() <= Micros::from_secs(5));
            }
        }
    }
}
