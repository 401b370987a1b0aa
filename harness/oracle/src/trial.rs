//! Trial decryption: could anything that a server saw open a frame?
//!
//! # Why is it not windows times frames?
//!
//! A base key gives one cipher for each key id, and a cipher one block of key stream for each counter, whoever sealed. So the
//! frames to open are the first of each sender and track, whose ids and counters are alike in all calls, and a window's few
//! blocks are looked up among those that their known plaintexts ask for. Only where one is found is a frame opened.

use crate::{
    run::Run,
    sframe::{BaseKey, Extractor, SealedFrame},
    views::{Exhibit, different_bytes},
};
use kernel::{Track, names::from_hex};
use std::collections::{BTreeMap, BTreeSet};

/// The windows of 16 and 32 bytes of everything that servers saw, each tried as a base key on a frame of each sender and
/// track.
pub(crate) struct Trial<'a> {
    /// Windows that were tried.
    pub(crate) windows: u64,
    /// Windows beyond the most that are tried in a run.
    pub(crate) untried: u64,
    /// Where bytes lie that open a frame, and whose frame.
    pub(crate) opened: Vec<(Exhibit<'a>, usize)>,
}

/// The most windows of each size that are tried in a run: some seconds of work. A run of 25 calls has a tenth of them.
const MAX_WINDOWS: usize = 4_000_000;
/// Frames below this have no whole block behind their clear bytes.
const MIN_FRAME: u32 = 26;
/// Sixteen random bytes have fewer different values about once in a hundred million times.
const MIN_DIFFERENT: u32 = 10;

impl<'a> Trial<'a> {
    pub(crate) fn of(run: &Run<'a>) -> Trial<'a> {
        Trial::up_to(run, MAX_WINDOWS)
    }

    /// With so many windows of each size at most.
    pub(crate) fn up_to(run: &Run<'a>, most: usize) -> Trial<'a> {
        let mut trial = Trial { windows: 0, untried: 0, opened: Vec::new() };
        let locks = Locks::of(samples(run));
        if locks.samples.is_empty() {
            return trial;
        }
        let sources = sources(run);
        let extractor = Extractor::new();
        for size in [16, 32] {
            let windows = different_windows(&sources, size);
            trial.untried += windows.len().saturating_sub(most) as u64;
            for (source, at) in windows.into_iter().take(most) {
                let (exhibit, bytes) = &sources[source];
                let key = extractor.base_key(&bytes[at..at + size]);
                trial.windows += 1;
                locks.opened_by(&key, |sender| trial.opened.push((*exhibit, sender)));
            }
        }
        trial
    }
}

/// What servers saw, each content once: snapshots of a server that did nothing repeat.
fn sources<'a>(run: &Run<'a>) -> Vec<(Exhibit<'a>, Vec<u8>)> {
    let signals = run.events.signals.iter().map(|seen| Exhibit::Signal(*seen));
    let snapshots = run.events.snapshots.iter().map(|seen| Exhibit::Snapshot(*seen));
    let mut known: BTreeSet<&[u8]> = BTreeSet::new();
    let mut sources: Vec<(Exhibit, Vec<u8>)> = Vec::new();
    for exhibit in signals.chain(snapshots) {
        let bytes = exhibit.bytes(run);
        if known.insert(bytes) {
            sources.extend(hexadecimal_runs(bytes).map(|run| (exhibit, run)));
            sources.push((exhibit, bytes.to_vec()));
        }
    }
    sources
}

/// For each sender the first sealed frame of each track that is long enough.
fn samples<'a>(run: &Run<'a>) -> Vec<(usize, SealedFrame<'a>)> {
    let mut samples = Vec::new();
    for device in 0..run.cast.len() {
        for track in [Track::Audio, Track::Video] {
            let sent = run.frames.sent_by(device).filter(|sent| sent.track == track);
            let both = sent.filter_map(|sent| sent.sealed.zip(sent.encoded));
            let long_enough = both.filter(|(_, encoded)| encoded.bytes.len >= MIN_FRAME);
            let first = long_enough.min_by_key(|(sealed, _)| (sealed.counter, sealed.index));
            let frame = first.and_then(|(sealed, encoded)| {
                let clear = sealed.clear_bytes as usize;
                SealedFrame::parse_known(run.log.bytes(sealed.bytes), clear, run.log.bytes(encoded.bytes))
            });
            samples.extend(frame.map(|frame| (device, frame)));
        }
    }
    samples
}

/// Samples by the block of key stream that opens them.
type Blocks = BTreeMap<[u8; 16], Vec<usize>>;

/// The frames to open, by key id and counter and by the block of key stream that opens them.
struct Locks<'a> {
    samples: Vec<(usize, SealedFrame<'a>)>,
    by_id: BTreeMap<u64, BTreeMap<u64, Blocks>>,
}

impl<'a> Locks<'a> {
    fn of(samples: Vec<(usize, SealedFrame<'a>)>) -> Locks<'a> {
        let mut by_id: BTreeMap<u64, BTreeMap<u64, Blocks>> = BTreeMap::new();
        for (at, (_, frame)) in samples.iter().enumerate() {
            if let Some(block) = frame.first_block() {
                by_id
                    .entry(frame.kid())
                    .or_default()
                    .entry(frame.counter())
                    .or_default()
                    .entry(block)
                    .or_default()
                    .push(at);
            }
        }
        Locks { samples, by_id }
    }

    /// Calls `found` with the sender of each frame that a base key opens.
    fn opened_by(&self, key: &BaseKey, mut found: impl FnMut(usize)) {
        for (kid, counters) in &self.by_id {
            let stream = key.stream(*kid);
            for (counter, blocks) in counters {
                for at in blocks.get(&stream.first_block(*counter)).into_iter().flatten() {
                    let (sender, frame) = &self.samples[*at];
                    if frame.opens_with(key) {
                        found(*sender);
                    }
                }
            }
        }
    }
}

/// Windows that could be a key, each content once and in the order of contents: random bytes are not all text, and hardly
/// repeat.
fn different_windows(sources: &[(Exhibit, Vec<u8>)], size: usize) -> Vec<(usize, usize)> {
    // As numbers, which compare faster than slices and in the same order.
    let number = |bytes: &[u8]| u128::from_be_bytes(*bytes.first_chunk().expect("16 bytes of a window"));
    let mut windows: Vec<([u128; 2], u32, u32)> = Vec::new();
    for (source, (_, bytes)) in (0..).zip(sources) {
        for (at, window) in (0..).zip(bytes.windows(size)) {
            let front = &window[..16];
            if different_bytes(front) >= MIN_DIFFERENT && !front.iter().all(|byte| byte.is_ascii_graphic()) {
                windows.push(([number(front), number(&window[size - 16..])], source, at));
            }
        }
    }
    windows.sort_unstable();
    windows.dedup_by_key(|(window, _, _)| *window);
    windows.into_iter().map(|(_, source, at)| (source as usize, at as usize)).collect()
}

/// Runs of 32 and more hexadecimal digits, decoded: a key that travels as text.
fn hexadecimal_runs(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    bytes.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= 32).filter_map(|run| {
        let even = &run[..run.len() / 2 * 2];
        let mut decoded = vec![0; even.len() / 2];
        from_hex(std::str::from_utf8(even).ok()?, &mut decoded)?;
        Some(decoded)
    })
}
