//! Frames joined on their way: captured, encoded, sealed; reassembled, opened, decoded, rendered or played.

use super::{
    Cast, Way,
    events::{Events, Seen},
};
use kernel::{
    ActorName, Log, Track,
    event::{AudioPlayed, Captured, Decoded, Encoded, OpenVerdict, Opened, Reassembled, Rendered, Sealed},
};
use std::collections::BTreeMap;

/// Position of a frame in [`Frames::sent`].
pub(crate) type FrameIndex = usize;

/// A frame at its sender.
#[derive(Clone, Copy)]
pub(crate) struct SentFrame<'a> {
    /// The sending device, as in the cast.
    pub(crate) device: usize,
    pub(crate) track: Track,
    pub(crate) number: u32,
    pub(crate) captured: Option<Seen<'a, Captured>>,
    pub(crate) encoded: Option<Seen<'a, Encoded>>,
    pub(crate) sealed: Option<Seen<'a, Sealed>>,
    /// First 8 bytes of blake3 over what was sealed: the encoder's output, or nothing while the track is off.
    pub(crate) hash: Option<u64>,
}

/// What a receiver made of a frame. Of each kind the first event; further ones are counted.
#[derive(Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub(crate) frame: FrameIndex,
    /// The receiving device, as in the cast.
    pub(crate) receiver: usize,
    pub(crate) reassembled: Option<Seen<'a, Reassembled>>,
    pub(crate) opened: Option<Seen<'a, Opened>>,
    pub(crate) decoded: Option<Seen<'a, Decoded>>,
    pub(crate) rendered: Option<Seen<'a, Rendered>>,
    pub(crate) played: Option<Seen<'a, AudioPlayed>>,
    /// How many times a decoder was given this frame's number at this receiver, whatever the bytes.
    pub(crate) decodes: u32,
}

/// All frames of a run.
pub(crate) struct Frames<'a> {
    pub(crate) sent: Vec<SentFrame<'a>>,
    pub(crate) deliveries: Vec<Delivery<'a>>,
    /// Receiving events that fit no sent frame.
    pub(crate) unmatched: u64,
    by_counter: BTreeMap<(usize, Track, u64), Vec<FrameIndex>>,
    by_hash: BTreeMap<u64, Vec<FrameIndex>>,
    by_receiver: BTreeMap<(usize, FrameIndex), usize>,
    /// Frames of each device of the cast.
    by_sender: Vec<Vec<FrameIndex>>,
    /// Positions in `deliveries`.
    by_way: BTreeMap<Way, Vec<usize>>,
    /// For each decoder input the frame that it is, when its bytes are known.
    decoded_as: BTreeMap<u64, Option<FrameIndex>>,
    /// The `Decoded` records of a receiver under a sender's track and counter.
    decodings: BTreeMap<(usize, usize, Track, u64), Vec<u64>>,
}

/// First 8 bytes of a hash that an event carries as hexadecimal text; `None` for an empty or broken one.
pub(crate) fn hash_prefix(text: &str) -> Option<u64> {
    u64::from_str_radix(text.get(..16)?, 16).ok()
}

/// The same of bytes.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    u64::from_be_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}

/// What tells sealed frames apart without hashing them: their length and their last 16 bytes, where the tag is.
type SealedMark = (u32, [u8; 16]);

fn sealed_mark(bytes: &[u8]) -> SealedMark {
    let mut tail = [0; 16];
    let end = &bytes[bytes.len().saturating_sub(16)..];
    tail[..end.len()].copy_from_slice(end);
    (bytes.len() as u32, tail)
}

impl<'a> Frames<'a> {
    pub(crate) fn of(log: &'a Log, events: &Events<'a>, cast: &Cast<'a>) -> Frames<'a> {
        let mut frames = Frames {
            sent: Vec::with_capacity(events.encoded.len()),
            deliveries: Vec::with_capacity(events.encoded.len()),
            unmatched: 0,
            by_counter: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            by_receiver: BTreeMap::new(),
            by_sender: vec![Vec::new(); cast.len()],
            by_way: BTreeMap::new(),
            decoded_as: BTreeMap::new(),
            decodings: BTreeMap::new(),
        };
        let sealed = frames.join_senders(log, events, cast);
        frames.join_receivers(log, events, cast, &sealed);
        for (index, sent) in frames.sent.iter().enumerate() {
            frames.by_sender[sent.device].push(index);
        }
        for (position, delivery) in frames.deliveries.iter().enumerate() {
            let way = Way { sender: frames.sent[delivery.frame].device, receiver: delivery.receiver };
            frames.by_way.entry(way).or_default().push(position);
        }
        frames
    }

    /// What a device sent, in the order of sending.
    pub(crate) fn sent_by(&self, device: usize) -> impl Iterator<Item = &SentFrame<'a>> {
        self.by_sender[device].iter().map(|index| &self.sent[*index])
    }

    /// What arrived in one direction.
    pub(crate) fn on_way(&self, way: Way) -> impl Iterator<Item = &Delivery<'a>> {
        self.by_way.get(&way).into_iter().flatten().map(|position| &self.deliveries[*position])
    }

    /// Frames of a device's track with a counter, in the order of sealing: more than one after a counter was reused, or
    /// in another call.
    pub(crate) fn with_counter(&self, device: usize, track: Track, counter: u64) -> &[FrameIndex] {
        self.by_counter.get(&(device, track, counter)).map_or(&[], Vec::as_slice)
    }

    /// Frames whose encoder output has this hash.
    pub(crate) fn with_hash(&self, hash: u64) -> &[FrameIndex] {
        self.by_hash.get(&hash).map_or(&[], Vec::as_slice)
    }

    /// The frame that a decoder was given in a `Decoded` record, when sender, track, counter and bytes all fit one.
    pub(crate) fn decoded_as(&self, decoded: Seen<'_, Decoded>) -> Option<FrameIndex> {
        self.decoded_as.get(&decoded.index).copied().flatten()
    }

    /// The `Decoded` record that a picture came from: the last one under its counter.
    pub(crate) fn decoding_of(&self, receiver: usize, sender: usize, rendered: Seen<'_, Rendered>) -> Option<u64> {
        self.decoding_before(receiver, sender, rendered.track, rendered.counter, rendered.index)
    }

    /// The frame that a picture was rendered from.
    pub(crate) fn rendered_from(
        &self,
        receiver: usize,
        sender: usize,
        rendered: Seen<'_, Rendered>,
    ) -> Option<FrameIndex> {
        self.decoded_as.get(&self.decoding_of(receiver, sender, rendered)?).copied().flatten()
    }

    fn decoding_before(&self, receiver: usize, sender: usize, track: Track, counter: u64, index: u64) -> Option<u64> {
        let records = self.decodings.get(&(receiver, sender, track, counter))?;
        records[..records.partition_point(|record| *record < index)].last().copied()
    }

    fn join_senders(
        &mut self,
        log: &'a Log,
        events: &Events<'a>,
        cast: &Cast<'a>,
    ) -> BTreeMap<SealedMark, Vec<FrameIndex>> {
        // The newest frame under a number: numbers begin again with the next call. Captures come before encodings in
        // the log, so each list is walked with a cursor over all three kinds in order of the record.
        let mut newest: BTreeMap<(usize, Track, u32), FrameIndex> = BTreeMap::new();
        let mut by_mark: BTreeMap<SealedMark, Vec<FrameIndex>> = BTreeMap::new();
        let (mut captured, mut encoded) = (events.captured.iter().peekable(), events.encoded.iter().peekable());
        let mut sealed = events.sealed.iter().peekable();
        loop {
            let next = [
                captured.peek().map_or(u64::MAX, |seen| seen.index),
                encoded.peek().map_or(u64::MAX, |seen| seen.index),
                sealed.peek().map_or(u64::MAX, |seen| seen.index),
            ];
            let Some(first) = next.iter().min().filter(|first| **first != u64::MAX) else { return by_mark };
            if next[0] == *first {
                let seen = *captured.next().expect("peeked");
                let Some(device) = cast.device(&seen.device) else { continue };
                newest.insert((device, seen.track, seen.frame), self.sent.len());
                self.sent.push(SentFrame::new(device, seen.track, seen.frame, Some(seen)));
            } else if next[1] == *first {
                let seen = *encoded.next().expect("peeked");
                let Some(device) = cast.device(&seen.device) else { continue };
                let index = self.frame(&mut newest, device, seen.track, seen.frame);
                let hash = hash_of(log.bytes(seen.bytes));
                self.sent[index].encoded = Some(seen);
                self.sent[index].hash = Some(hash);
                self.by_hash.entry(hash).or_default().push(index);
            } else {
                let seen = *sealed.next().expect("peeked");
                let Some(device) = cast.device(&seen.device) else { continue };
                let index = self.frame(&mut newest, device, seen.track, seen.frame);
                self.sent[index].sealed = Some(seen);
                // Without an encoder's output it is a frame without content: the track is off.
                self.sent[index].hash.get_or_insert_with(|| hash_of(&[]));
                self.by_counter.entry((device, seen.track, seen.counter)).or_default().push(index);
                by_mark.entry(sealed_mark(log.bytes(seen.bytes))).or_default().push(index);
            }
        }
    }

    fn frame(
        &mut self,
        newest: &mut BTreeMap<(usize, Track, u32), FrameIndex>,
        device: usize,
        track: Track,
        number: u32,
    ) -> FrameIndex {
        *newest.entry((device, track, number)).or_insert_with(|| {
            self.sent.push(SentFrame::new(device, track, number, None));
            self.sent.len() - 1
        })
    }

    fn join_receivers(
        &mut self,
        log: &'a Log,
        events: &Events<'a>,
        cast: &Cast<'a>,
        sealed: &BTreeMap<SealedMark, Vec<FrameIndex>>,
    ) {
        for seen in &events.reassembled {
            let bytes = log.bytes(seen.bytes);
            let frame = sealed.get(&sealed_mark(bytes)).and_then(|candidates| {
                let sender = cast.device(&seen.sender)?;
                candidates.iter().rev().copied().find(|index| {
                    let sent = &self.sent[*index];
                    sent.device == sender
                        && sent
                            .sealed
                            .is_some_and(|sealed| sealed.index < seen.index && log.bytes(sealed.bytes) == bytes)
                })
            });
            if let Some(delivery) = self.delivery(cast, &seen.device, frame) {
                delivery.reassembled = delivery.reassembled.or(Some(*seen));
            }
        }
        for seen in events.opened.iter().filter(|seen| seen.verdict == OpenVerdict::Accepted) {
            let frame =
                seen.counter.and_then(|counter| self.identify(cast, &seen.sender, seen.track, counter, &seen.hash));
            if let Some(delivery) = self.delivery(cast, &seen.device, frame) {
                delivery.opened = delivery.opened.or(Some(*seen));
            }
        }
        for seen in &events.decoded {
            let frame = self.identify(cast, &seen.sender, seen.track, seen.counter, &seen.hash);
            self.decoded_as.insert(seen.index, frame);
            if let (Some(receiver), Some(sender)) = (cast.device(&seen.device), cast.device(&seen.sender)) {
                let key = (receiver, sender, seen.track, seen.counter);
                self.decodings.entry(key).or_default().push(seen.index);
            }
            if let Some(delivery) = self.delivery(cast, &seen.device, frame) {
                delivery.decoded = delivery.decoded.or(Some(*seen));
            }
        }
        self.count_decodes();
        for seen in &events.rendered {
            let frame = cast
                .pair(&seen.device, &seen.sender)
                .and_then(|(receiver, sender)| self.rendered_from(receiver, sender, *seen));
            if let Some(delivery) = self.delivery(cast, &seen.device, frame) {
                delivery.rendered = delivery.rendered.or(Some(*seen));
            }
        }
        for seen in &events.played {
            let Some(counter) = seen.counter else { continue };
            let frame = cast.pair(&seen.device, &seen.sender).and_then(|(receiver, sender)| {
                let record = self.decoding_before(receiver, sender, Track::Audio, counter, seen.index)?;
                self.decoded_as.get(&record).copied().flatten()
            });
            if let Some(delivery) = self.delivery(cast, &seen.device, frame) {
                delivery.played = delivery.played.or(Some(*seen));
            }
        }
    }

    /// The frame that fits sender, track, counter and hash.
    fn identify(
        &self,
        cast: &Cast<'a>,
        sender: &ActorName,
        track: Track,
        counter: u64,
        hash: &str,
    ) -> Option<FrameIndex> {
        let hash = hash_prefix(hash)?;
        let candidates = self.with_counter(cast.device(sender)?, track, counter);
        candidates.iter().rev().copied().find(|index| self.sent[*index].hash == Some(hash))
    }

    fn delivery(
        &mut self,
        cast: &Cast<'a>,
        device: &ActorName,
        frame: Option<FrameIndex>,
    ) -> Option<&mut Delivery<'a>> {
        let (Some(receiver), Some(frame)) = (cast.device(device), frame) else {
            self.unmatched += 1;
            return None;
        };
        let next = self.deliveries.len();
        let position = *self.by_receiver.entry((receiver, frame)).or_insert(next);
        if position == next {
            self.deliveries.push(Delivery::new(frame, receiver));
        }
        Some(&mut self.deliveries[position])
    }

    fn count_decodes(&mut self) {
        for delivery in &mut self.deliveries {
            let sent = &self.sent[delivery.frame];
            let Some(sealed) = sent.sealed else { continue };
            let key = (delivery.receiver, sent.device, sent.track, sealed.counter);
            let records = self.decodings.get(&key).map_or(&[][..], Vec::as_slice);
            // Inputs of other frames under the same counter, as after a second call, are their own frames' business.
            let own = |record: &&u64| {
                self.decoded_as.get(record).copied().flatten().is_none_or(|frame| frame == delivery.frame)
            };
            delivery.decodes = records.iter().filter(own).count() as u32;
        }
    }
}

impl<'a> SentFrame<'a> {
    fn new(device: usize, track: Track, number: u32, captured: Option<Seen<'a, Captured>>) -> SentFrame<'a> {
        SentFrame { device, track, number, captured, encoded: None, sealed: None, hash: None }
    }
}

impl Delivery<'_> {
    fn new(frame: FrameIndex, receiver: usize) -> Self {
        Delivery {
            frame,
            receiver,
            reassembled: None,
            opened: None,
            decoded: None,
            rendered: None,
            played: None,
            decodes: 0,
        }
    }
}
