//! What the clear RTP headers tell about frames: when each packet left the pacer and which packet completed a frame.
//! str0m does not say; the headers do, without any key.

use super::early::Kind;
use kernel::{Micros, PacketId, SimTime, Track};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::RangeInclusive,
};

/// Frames of each direction that are remembered: 34 s of video at 30 fps, far above str0m's retransmission cache.
const MAX_FRAMES: usize = 2_048;
/// Packets of one frame that are remembered.
const MAX_PACKETS_PER_FRAME: usize = 1_024;

/// The fixed part of an RTP header (RFC 3550 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RtpHeader {
    pub(super) padding: bool,
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
}

impl RtpHeader {
    /// Reads the header of an RTP packet; `None` for anything else, RTCP (RFC 5761) among it.
    pub(super) fn parse(bytes: &[u8]) -> Option<RtpHeader> {
        let header: &[u8; 12] = bytes.first_chunk()?;
        let payload_type = header[1] & 0x7f;
        if header[0] >> 6 != 2 || (64..=95).contains(&payload_type) {
            return None;
        }
        Some(RtpHeader {
            padding: header[0] & 0x20 != 0,
            marker: header[1] & 0x80 != 0,
            payload_type,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        })
    }
}

/// The payload types of a call: which track a packet belongs to, and whether it is a retransmission (RFC 4588).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PayloadTypes {
    pub(super) audio: Option<u8>,
    pub(super) video: Option<u8>,
    pub(super) video_repair: Option<u8>,
}

impl PayloadTypes {
    /// Which stream of the call a packet is of.
    pub(super) fn kind(&self, header: &RtpHeader) -> Option<Kind> {
        self.of(header).map(|stream| match stream {
            (Track::Audio, _) => Kind::Sound,
            (Track::Video, false) => Kind::Video,
            (Track::Video, true) => Kind::Repair,
        })
    }

    fn of(&self, header: &RtpHeader) -> Option<(Track, bool)> {
        let payload_type = Some(header.payload_type);
        if payload_type == self.video {
            Some((Track::Video, false))
        } else if payload_type == self.video_repair {
            Some((Track::Video, true))
        } else if payload_type == self.audio {
            Some((Track::Audio, false))
        } else {
            None
        }
    }
}

/// A packet of a frame left, with the legs of the event `RtpSent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) track: Track,
    pub(super) frame: u32,
    pub(super) sequence: u16,
    pub(super) pacer: Micros,
    pub(super) repair: bool,
    pub(super) repair_wait: Micros,
}

/// Frames that were handed to RTP and their packets as they leave.
#[derive(Debug, Default)]
pub(super) struct SendLedger {
    frames: BTreeMap<(Track, u32), SentFrame>,
    order: VecDeque<(Track, u32)>,
    /// Video frames of which not every packet left, oldest first: key and bytes.
    unsent: VecDeque<(u32, u64)>,
    unsent_bytes: u64,
}

#[derive(Debug)]
struct SentFrame {
    frame: u32,
    handed_over: SimTime,
    /// When the packet with the marker first left: no packet of the frame comes after it but repairs.
    last_left: Option<SimTime>,
    sequences: BTreeSet<u16>,
}

impl SendLedger {
    /// A frame of so many bytes is handed to RTP now.
    pub(super) fn hand_over(&mut self, track: Track, frame: u32, rtp_timestamp: u64, bytes: usize, now: SimTime) {
        // RTP carries the low 32 bits.
        let key = (track, rtp_timestamp as u32);
        if track == Track::Video && self.unsent.len() < MAX_FRAMES {
            self.unsent.push_back((key.1, bytes as u64));
            self.unsent_bytes += bytes as u64;
        }
        let sent = SentFrame { frame, handed_over: now, last_left: None, sequences: BTreeSet::new() };
        if self.frames.insert(key, sent).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > MAX_FRAMES
            && let Some(oldest) = self.order.pop_front()
        {
            self.frames.remove(&oldest);
        }
    }

    /// A packet leaves now. `None` for padding and for what belongs to no known frame.
    pub(super) fn packet_left(&mut self, types: &PayloadTypes, bytes: &[u8], now: SimTime) -> Option<Departure> {
        let header = RtpHeader::parse(bytes)?;
        let (track, retransmission) = types.of(&header)?;
        if header.padding {
            return None;
        }
        let sent = self.frames.get_mut(&(track, header.timestamp))?;
        let repair = retransmission || !sent.sequences.insert(header.sequence);
        // Audio frames are one packet each; their marker means a talk spurt (RFC 3551).
        let last = header.marker || track == Track::Audio;
        if !repair && last {
            sent.last_left.get_or_insert(now);
            if track == Track::Video {
                self.video_left(header.timestamp);
            }
        }
        let sent = self.frames.get(&(track, header.timestamp))?;
        let paced_until = if repair { sent.last_left.unwrap_or(now) } else { now };
        Some(Departure {
            track,
            frame: sent.frame,
            sequence: header.sequence,
            pacer: paced_until.since(sent.handed_over),
            repair,
            repair_wait: now.since(paced_until),
        })
    }

    /// Bytes of video that wait in the pacer, counted by whole frames.
    pub(super) fn unsent_bytes(&self) -> u64 {
        self.unsent_bytes
    }

    /// The last packet of a video frame left: so did, in RTP's order, every frame before it.
    fn video_left(&mut self, timestamp: u32) {
        let Some(position) = self.unsent.iter().position(|(key, _)| *key == timestamp) else { return };
        self.unsent_bytes -= self.unsent.drain(..=position).map(|(_, bytes)| bytes).sum::<u64>();
    }
}

/// Packets that arrived, by frame, until the frame is handed over.
#[derive(Debug, Default)]
pub(super) struct ReceiveLedger {
    frames: BTreeMap<(Track, u32), Arrivals>,
    order: VecDeque<(Track, u32)>,
}

#[derive(Debug, Default)]
struct Arrivals {
    originals: BTreeMap<u16, (SimTime, PacketId)>,
    last_repair: Option<(SimTime, PacketId)>,
}

impl ReceiveLedger {
    /// A packet arrived now.
    pub(super) fn packet_arrived(&mut self, types: &PayloadTypes, bytes: &[u8], packet: PacketId, now: SimTime) {
        let Some(header) = RtpHeader::parse(bytes) else { return };
        let Some((track, repair)) = types.of(&header) else { return };
        let key = (track, header.timestamp);
        if !self.frames.contains_key(&key) {
            self.order.push_back(key);
        }
        let arrivals = self.frames.entry(key).or_default();
        if repair {
            arrivals.last_repair = Some((now, packet));
        } else if arrivals.originals.len() < MAX_PACKETS_PER_FRAME {
            // A copy that the network made completes nothing.
            arrivals.originals.entry(header.sequence).or_insert((now, packet));
        }
        if self.order.len() > MAX_FRAMES
            && let Some(oldest) = self.order.pop_front()
        {
            self.frames.remove(&oldest);
        }
    }

    /// The frame of these sequence numbers is handed over: which packet completed it, and when that arrived.
    pub(super) fn completed(
        &mut self,
        track: Track,
        rtp_timestamp: u64,
        sequences: RangeInclusive<u64>,
    ) -> Option<(SimTime, PacketId)> {
        let key = (track, rtp_timestamp as u32);
        let arrivals = self.frames.remove(&key)?;
        self.order.retain(|other| *other != key);
        let count = sequences.end().saturating_sub(*sequences.start()).saturating_add(1);
        let range = sequences.take(MAX_PACKETS_PER_FRAME).map(|sequence| sequence as u16);
        let originals: Vec<_> = range.filter_map(|sequence| arrivals.originals.get(&sequence).copied()).collect();
        // With every original there a repair was spurious, and completed nothing.
        let repair = arrivals.last_repair.filter(|_| (originals.len() as u64) < count);
        originals.into_iter().chain(repair).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: PayloadTypes = PayloadTypes { audio: Some(111), video: Some(96), video_repair: Some(97) };

    fn packet(payload_type: u8, marker: bool, sequence: u16, timestamp: u32) -> Vec<u8> {
        let mut bytes = vec![0x80, payload_type | u8::from(marker) << 7];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend([0; 20]);
        bytes
    }

    fn legs(departure: Departure) -> (u64, bool, u64) {
        (departure.pacer.0, departure.repair, departure.repair_wait.0)
    }

    #[test]
    fn pacer_and_repair_wait_add_up_to_the_time_since_hand_over() {
        let mut ledger = SendLedger::default();
        ledger.hand_over(Track::Video, 7, 9_000, 100, SimTime(1_000));
        let mut left = |bytes: Vec<u8>, at| ledger.packet_left(&TYPES, &bytes, SimTime(at)).map(legs);
        assert_eq!(left(packet(96, false, 1, 9_000), 1_500), Some((500, false, 0)));
        // A repair before the last packet left is still the pacer's time.
        assert_eq!(left(packet(97, false, 40, 9_000), 1_700), Some((700, true, 0)));
        assert_eq!(left(packet(96, true, 2, 9_000), 2_000), Some((1_000, false, 0)));
        assert_eq!(left(packet(97, false, 41, 9_000), 5_000), Some((1_000, true, 3_000)));
        assert_eq!(left(packet(96, true, 2, 9_000), 6_000), Some((1_000, true, 4_000)));
        assert_eq!(left(packet(96, true, 9, 12_000), 6_000), None);
    }

    #[test]
    fn a_frame_is_unsent_until_its_last_packet_left() {
        let mut ledger = SendLedger::default();
        ledger.hand_over(Track::Video, 0, 0, 2_000, SimTime(0));
        ledger.hand_over(Track::Video, 1, 3_000, 700, SimTime(0));
        ledger.hand_over(Track::Audio, 0, 3_000, 90, SimTime(0));
        ledger.hand_over(Track::Video, 2, 6_000, 500, SimTime(0));
        let mut left = |bytes: Vec<u8>| {
            ledger.packet_left(&TYPES, &bytes, SimTime(1));
            ledger.unsent_bytes()
        };
        assert_eq!(left(packet(96, false, 1, 0)), 3_200);
        assert_eq!(left(packet(96, true, 2, 0)), 1_200);
        assert_eq!(left(packet(97, true, 9, 3_000)), 1_200);
        assert_eq!(left(packet(96, true, 4, 6_000)), 0);
    }

    #[test]
    fn padding_belongs_to_no_frame() {
        let mut ledger = SendLedger::default();
        ledger.hand_over(Track::Video, 0, 0, 100, SimTime(0));
        let mut padding = packet(97, false, 1, 0);
        padding[0] |= 0x20;
        assert_eq!(ledger.packet_left(&TYPES, &padding, SimTime(1)), None);
    }

    #[test]
    fn the_last_arrival_that_was_needed_completes_a_frame() {
        let mut ledger = ReceiveLedger::default();
        let mut arrive = |bytes: Vec<u8>, id, at| ledger.packet_arrived(&TYPES, &bytes, PacketId(id), SimTime(at));
        arrive(packet(96, false, 1, 10), 1, 100);
        arrive(packet(96, true, 3, 10), 2, 110);
        arrive(packet(97, false, 50, 10), 3, 200);
        arrive(packet(96, false, 4, 20), 4, 300);
        arrive(packet(97, false, 51, 20), 5, 310);
        assert_eq!(ledger.completed(Track::Video, 10, 1..=3), Some((SimTime(200), PacketId(3))));
        assert_eq!(ledger.completed(Track::Video, 20, 4..=4), Some((SimTime(300), PacketId(4))));
        assert_eq!(ledger.completed(Track::Video, 20, 4..=4), None);
    }

    #[test]
    fn hostile_headers_are_no_rtp() {
        assert_eq!(RtpHeader::parse(&[0x80; 11]), None);
        assert_eq!(RtpHeader::parse(&packet(72, true, 1, 1)), None);
        assert_eq!(RtpHeader::parse(&[0x16; 40]), None);
    }

    #[test]
    fn ledgers_stay_bounded() {
        let (mut sent, mut received) = (SendLedger::default(), ReceiveLedger::default());
        for n in 0..10_000u32 {
            sent.hand_over(Track::Video, n, u64::from(n), 1_000, SimTime(0));
            received.packet_arrived(&TYPES, &packet(96, true, n as u16, n), PacketId(1), SimTime(0));
        }
        assert_eq!((sent.frames.len(), sent.order.len(), sent.unsent.len()), (MAX_FRAMES, MAX_FRAMES, MAX_FRAMES));
        assert_eq!((received.frames.len(), received.order.len()), (MAX_FRAMES, MAX_FRAMES));
    }
}
