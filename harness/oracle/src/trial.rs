//! Trial decryption: could anything that a server saw open a frame?

use crate::{
    run::Run,
    sframe::{BaseKey, SealedFrame},
    views::{Exhibit, different_bytes},
};
use kernel::{Track, names::from_hex};

/// The windows of 16 and 32 bytes of everything that servers saw, each tried as a base key on two frames a sender.
pub(crate) struct Trial<'a> {
    /// Windows that were tried.
    pub(crate) windows: u64,
    /// Where bytes lie that open a frame, and whose frame.
    pub(crate) opened: Vec<(Exhibit<'a>, usize)>,
}

/// The most windows that are tried in a run.
const MAX_WINDOWS: usize = 1_000_000;
/// Frames below this have no whole block behind their clear bytes.
const MIN_FRAME: u32 = 26;
/// Sixteen random bytes have fewer different values about once in a hundred million times.
const MIN_DIFFERENT: u32 = 10;

impl<'a> Trial<'a> {
    pub(crate) fn of(run: &Run<'a>) -> Trial<'a> {
        let mut trial = Trial { windows: 0, opened: Vec::new() };
        let samples = samples(run);
        if samples.is_empty() {
            return trial;
        }
        let mut sources: Vec<(Exhibit, Vec<u8>)> = Vec::new();
        let signals = run.events.signals.iter().map(|seen| Exhibit::Signal(*seen));
        let snapshots = run.events.snapshots.iter().map(|seen| Exhibit::Snapshot(*seen));
        for exhibit in signals.chain(snapshots) {
            let bytes = exhibit.bytes(run);
            sources.extend(hexadecimal_runs(bytes).map(|run| (exhibit, run)));
            sources.push((exhibit, bytes.to_vec()));
        }
        for size in [16, 32] {
            for (source, at) in different_windows(&sources, size) {
                let (exhibit, bytes) = &sources[source];
                let key = BaseKey::new(&bytes[at..at + size]);
                trial.windows += 1;
                let opened = samples.iter().filter(|(_, frame)| frame.opens_with(&key));
                trial.opened.extend(opened.map(|(sender, _)| (*exhibit, *sender)));
            }
        }
        trial
    }
}

/// For each sender the shortest sealed frame of each track.
fn samples<'a>(run: &Run<'a>) -> Vec<(usize, SealedFrame<'a>)> {
    let mut samples = Vec::new();
    for device in 0..run.cast.len() {
        for track in [Track::Audio, Track::Video] {
            let sent = run.frames.sent.iter().filter(|sent| sent.device == device && sent.track == track);
            let both = sent.filter_map(|sent| sent.sealed.zip(sent.encoded));
            let long_enough = both.filter(|(_, encoded)| encoded.bytes.len >= MIN_FRAME);
            let shortest = long_enough.min_by_key(|(sealed, _)| (sealed.bytes.len, sealed.index));
            let frame = shortest.and_then(|(sealed, encoded)| {
                let clear = sealed.clear_bytes as usize;
                SealedFrame::parse_known(run.log.bytes(sealed.bytes), clear, run.log.bytes(encoded.bytes))
            });
            samples.extend(frame.map(|frame| (device, frame)));
        }
    }
    samples
}

/// Windows that could be a key, each content once: random bytes are not all text, and hardly repeat.
fn different_windows(sources: &[(Exhibit, Vec<u8>)], size: usize) -> Vec<(usize, usize)> {
    let mut windows: Vec<(&[u8], usize, usize)> = Vec::new();
    for (source, (_, bytes)) in sources.iter().enumerate() {
        for (at, window) in bytes.windows(size).enumerate() {
            let front = &window[..16];
            if different_bytes(front) >= MIN_DIFFERENT && !front.iter().all(|byte| byte.is_ascii_graphic()) {
                windows.push((window, source, at));
            }
        }
    }
    windows.sort_unstable();
    windows.dedup_by_key(|(window, _, _)| *window);
    windows.truncate(MAX_WINDOWS / 2);
    windows.into_iter().map(|(_, source, at)| (source, at)).collect()
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
