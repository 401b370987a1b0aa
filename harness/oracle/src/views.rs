//! What others than the two devices of a call can see, and the search of it for media, keys and credentials.
//!
//! Views: `wire` is what the network carries, `hop` what lies above SRTP at the end of a hop, `server` what signaling
//! and relays are told and hold, `push` what a push service is told, `logs` what anybody writes down.

use crate::{
    run::{FrameIndex, Run, Seen},
    scan::{MIN_NEEDLE, Scanner},
};
use kernel::{
    SimTime, Track,
    event::{LogLine, PacketSent, PictureSent, PushAsked, Reassembled, Sealed, Secret, SecretKind, Signal, Snapshot},
    names::{from_hex, to_hex},
    random::{SeedTree, Stream},
};
use std::{collections::BTreeMap, fmt};

/// From where somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum View {
    Wire,
    Hop,
    Server,
    Push,
    Logs,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            View::Wire => "wire",
            View::Hop => "hop",
            View::Server => "server",
            View::Push => "push",
            View::Logs => "logs",
        })
    }
}

/// One piece of a view: bytes that somebody can read.
#[derive(Clone, Copy)]
pub(crate) enum Exhibit<'a> {
    Packet(Seen<'a, PacketSent>),
    Sealed(Seen<'a, Sealed>),
    Reassembled(Seen<'a, Reassembled>),
    Signal(Seen<'a, Signal>),
    Snapshot(Seen<'a, Snapshot>),
    Push(Seen<'a, PushAsked>),
    LogLine(Seen<'a, LogLine>),
}

impl<'a> Exhibit<'a> {
    pub(crate) fn view(&self) -> View {
        match self {
            Exhibit::Packet(_) => View::Wire,
            Exhibit::Sealed(_) | Exhibit::Reassembled(_) => View::Hop,
            Exhibit::Signal(_) | Exhibit::Snapshot(_) => View::Server,
            Exhibit::Push(_) => View::Push,
            Exhibit::LogLine(_) => View::Logs,
        }
    }

    pub(crate) fn at(&self) -> SimTime {
        match self {
            Exhibit::Packet(seen) => seen.at,
            Exhibit::Sealed(seen) => seen.at,
            Exhibit::Reassembled(seen) => seen.at,
            Exhibit::Signal(seen) => seen.at,
            Exhibit::Snapshot(seen) => seen.at,
            Exhibit::Push(seen) => seen.at,
            Exhibit::LogLine(seen) => seen.at,
        }
    }

    pub(crate) fn record(&self) -> u64 {
        match self {
            Exhibit::Packet(seen) => seen.index,
            Exhibit::Sealed(seen) => seen.index,
            Exhibit::Reassembled(seen) => seen.index,
            Exhibit::Signal(seen) => seen.index,
            Exhibit::Snapshot(seen) => seen.index,
            Exhibit::Push(seen) => seen.index,
            Exhibit::LogLine(seen) => seen.index,
        }
    }

    pub(crate) fn bytes(&self, run: &Run<'a>) -> &'a [u8] {
        match self {
            Exhibit::Packet(seen) => run.log.bytes(seen.bytes),
            Exhibit::Sealed(seen) => run.log.bytes(seen.bytes),
            Exhibit::Reassembled(seen) => run.log.bytes(seen.bytes),
            Exhibit::Signal(seen) => run.log.bytes(seen.body),
            Exhibit::Snapshot(seen) => run.log.bytes(seen.bytes),
            Exhibit::Push(seen) => run.log.bytes(seen.payload),
            Exhibit::LogLine(seen) => seen.get().line.as_bytes(),
        }
    }

    /// Where it lies, for a sentence.
    pub(crate) fn place(&self) -> String {
        match self {
            Exhibit::Packet(seen) => format!("in packet {} from {}", seen.packet.0, seen.from),
            Exhibit::Sealed(seen) => format!("in what {} hands to RTP", seen.device),
            Exhibit::Reassembled(seen) => format!("in what RTP hands to {}", seen.device),
            Exhibit::Signal(seen) => format!("in the message {} from {} to {}", seen.message, seen.from, seen.to),
            Exhibit::Snapshot(seen) => format!("in the {} of {}", seen.what, seen.node),
            Exhibit::Push(seen) => format!("in what {} is told", seen.service),
            Exhibit::LogLine(seen) => format!("in the log of {}", seen.actor),
        }
    }
}

/// Something that was found where it can be read.
pub(crate) struct Exposure<'a, T> {
    pub(crate) what: T,
    pub(crate) exhibit: Exhibit<'a>,
}

/// The outcome of searching all views.
pub(crate) struct Search<'a> {
    /// Frames, each once per view.
    pub(crate) frames: Vec<Exposure<'a, FrameIndex>>,
    /// Frame keys, private keys and keys of pictures.
    pub(crate) keys: Vec<Exposure<'a, Seen<'a, Secret>>>,
    /// Passwords, codes and tokens, also where they may be.
    pub(crate) credentials: Vec<Exposure<'a, Seen<'a, Secret>>>,
    /// Texts of messages.
    pub(crate) texts: Vec<Exposure<'a, Seen<'a, Secret>>>,
    /// Pictures of messages.
    pub(crate) pictures: Vec<Exposure<'a, Seen<'a, PictureSent>>>,
    /// Frames with windows that were searched for.
    pub(crate) frames_searched: u64,
    /// Frames too short, or without a telling window.
    pub(crate) frames_skipped: u64,
    /// Secrets of the kinds that [`Search::keys`] is about.
    pub(crate) keys_searched: u64,
    /// Secrets of the kinds that [`Search::credentials`] is about.
    pub(crate) credentials_searched: u64,
    /// Texts that were long enough to be searched for.
    pub(crate) texts_searched: u64,
    /// Pictures with windows that were searched for.
    pub(crate) pictures_searched: u64,
    /// Bytes that were searched.
    pub(crate) bytes: u64,
}

/// All that can be seen, view by view.
pub(crate) fn exhibits<'a>(run: &Run<'a>) -> impl Iterator<Item = Exhibit<'a>> {
    let events = &run.events;
    let wire = events.packets_sent.iter().map(|seen| Exhibit::Packet(*seen));
    let sealed = events.sealed.iter().map(|seen| Exhibit::Sealed(*seen));
    let reassembled = events.reassembled.iter().map(|seen| Exhibit::Reassembled(*seen));
    let signals = events.signals.iter().map(|seen| Exhibit::Signal(*seen));
    let snapshots = events.snapshots.iter().map(|seen| Exhibit::Snapshot(*seen));
    let pushes = events.pushes.iter().map(|seen| Exhibit::Push(*seen));
    let lines = events.log_lines.iter().map(|seen| Exhibit::LogLine(*seen));
    wire.chain(sealed).chain(reassembled).chain(signals).chain(snapshots).chain(pushes).chain(lines)
}

/// Searches all views for all that must not be read there.
pub(crate) fn search<'a>(run: &Run<'a>) -> Search<'a> {
    let mut search = Search {
        frames: Vec::new(),
        keys: Vec::new(),
        credentials: Vec::new(),
        texts: Vec::new(),
        pictures: Vec::new(),
        frames_searched: 0,
        frames_skipped: 0,
        keys_searched: 0,
        credentials_searched: 0,
        texts_searched: 0,
        pictures_searched: 0,
        bytes: 0,
    };
    let mut needles: Vec<(Needle, Vec<u8>)> = Vec::new();
    register_secrets(run, &mut search, &mut needles);
    register_pictures(run, &mut search, &mut needles);
    let windows = choose_windows(run, &mut search);
    let all = || {
        let secrets = needles.iter().map(|(needle, bytes)| (*needle, bytes.as_slice()));
        windows.iter().map(|(frame, bytes)| (Needle::Frame(*frame), *bytes)).chain(secrets)
    };
    // Short needles are probed for at more places, so they are searched for apart. Passwords have 8 characters at least.
    let (short, long): (Vec<_>, Vec<_>) = all().partition(|(_, bytes)| bytes.len() < 15);
    let scanners = [long, short].map(|part| {
        let (what, bytes): (Vec<Needle>, Vec<&[u8]>) = part.into_iter().unzip();
        (what, Scanner::new(bytes))
    });
    let mut seen: BTreeMap<(Needle, View), ()> = BTreeMap::new();
    for exhibit in exhibits(run) {
        let bytes = exhibit.bytes(run);
        search.bytes += bytes.len() as u64;
        for (what, scanner) in &scanners {
            scanner.scan(bytes, |needle, _| match what[needle] {
                Needle::Frame(frame) => {
                    if seen.insert((Needle::Frame(frame), exhibit.view()), ()).is_none() {
                        search.frames.push(Exposure { what: frame, exhibit });
                    }
                }
                Needle::Key(secret) => search.keys.push(Exposure { what: run.events.secrets[secret], exhibit }),
                Needle::Credential(secret) => {
                    search.credentials.push(Exposure { what: run.events.secrets[secret], exhibit });
                }
                Needle::Text(secret) => search.texts.push(Exposure { what: run.events.secrets[secret], exhibit }),
                Needle::Picture(picture) => {
                    search.pictures.push(Exposure { what: run.events.pictures[picture], exhibit });
                }
            });
        }
    }
    search
}

/// What a needle stands for: positions in the frames, among the secrets and among the pictures that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Needle {
    Frame(FrameIndex),
    Key(usize),
    Credential(usize),
    Text(usize),
    Picture(usize),
}

/// Texts below this are not searched for.
const MIN_TEXT: usize = 16;
/// Frames below this are counted and skipped: a window of them says too little.
const MIN_FRAME: usize = 24;
const WINDOW: usize = 16;
/// A window with fewer different bytes (a run of zeros) could be anybody's.
const MIN_DIFFERENT: u32 = 9;

/// Seeded windows of each encoded frame outside its declared clear bytes: three of a picture, one of sound.
fn choose_windows<'a>(run: &Run<'a>, search: &mut Search) -> Vec<(FrameIndex, &'a [u8])> {
    let mut stream = SeedTree::root(run.plan.seed).child("oracle").stream("media_unreadable");
    let mut windows = Vec::new();
    for (index, frame) in run.frames.sent.iter().enumerate() {
        let Some(encoded) = frame.encoded else { continue };
        let bytes = run.log.bytes(encoded.bytes);
        let clear = match (frame.sealed, frame.track) {
            (Some(sealed), _) => sealed.clear_bytes as usize,
            (None, Track::Audio) => 0,
            (None, Track::Video) => {
                if encoded.key {
                    10
                } else {
                    1
                }
            }
        };
        let wanted = match frame.track {
            Track::Audio => 1,
            Track::Video => 3,
        };
        let before = windows.len();
        if bytes.len() >= MIN_FRAME
            && let Some(secret) = bytes.get(clear..)
        {
            windows.extend((0..wanted).filter_map(|_| Some((index, choose_window(secret, &mut stream)?))));
        }
        *(if windows.len() > before { &mut search.frames_searched } else { &mut search.frames_skipped }) += 1;
    }
    windows
}

fn choose_window<'a>(secret: &'a [u8], stream: &mut Stream) -> Option<&'a [u8]> {
    let positions = (secret.len() + 1).checked_sub(WINDOW).filter(|positions| *positions > 0)?;
    (0..8).find_map(|_| {
        let at = stream.below(positions as u64) as usize;
        Some(&secret[at..at + WINDOW]).filter(|window| different_bytes(window) >= MIN_DIFFERENT)
    })
}

/// Windows of a picture that are searched for: a part of it, or one seam between two, must not hide it.
const PICTURE_WINDOWS: usize = 8;

/// Seeded windows of each picture that goes with a message. What an avatar shares with it (a server shows avatars) tells nothing.
fn register_pictures(run: &Run, search: &mut Search, needles: &mut Vec<(Needle, Vec<u8>)>) {
    let mut stream = SeedTree::root(run.plan.seed).child("oracle").stream("message_texts_are_sealed");
    let avatars = run.events.pictures.iter().filter(|sent| sent.message.is_none());
    let avatars: Vec<&[u8]> = avatars.map(|sent| run.log.bytes(sent.bytes)).collect();
    let is_avatars = |window: &[u8]| avatars.iter().any(|avatar| avatar.windows(WINDOW).any(|part| part == window));
    for (index, sent) in run.events.pictures.iter().enumerate().filter(|(_, sent)| sent.message.is_some()) {
        let windows = (0..PICTURE_WINDOWS).filter_map(|_| choose_window(run.log.bytes(sent.bytes), &mut stream));
        let windows: Vec<&[u8]> = windows.filter(|window| !is_avatars(window)).collect();
        search.pictures_searched += u64::from(!windows.is_empty());
        let forms = windows.into_iter().flat_map(spellings).filter(|form| form.len() >= MIN_NEEDLE);
        needles.extend(forms.map(|form| (Needle::Picture(index), form)));
    }
}

/// How many different values bytes have.
pub(crate) fn different_bytes(bytes: &[u8]) -> u32 {
    let mut seen = [0u64; 4];
    bytes.iter().for_each(|byte| seen[usize::from(byte >> 6)] |= 1 << (byte & 63));
    seen.iter().map(|bits| bits.count_ones()).sum()
}

fn register_secrets(run: &Run, search: &mut Search, needles: &mut Vec<(Needle, Vec<u8>)>) {
    for (index, secret) in run.events.secrets.iter().enumerate() {
        let forms = match secret.kind {
            SecretKind::FrameKey | SecretKind::PrivateKey | SecretKind::PictureKey => {
                let mut raw = vec![0; secret.value.len() / 2];
                let Some(()) = from_hex(&secret.value, &mut raw) else { continue };
                search.keys_searched += 1;
                spellings(&raw)
            }
            SecretKind::Password | SecretKind::OneTimeCode | SecretKind::SessionToken | SecretKind::RelayPassword => {
                search.credentials_searched += 1;
                spellings(secret.value.as_bytes())
            }
            // What is shorter may stand anywhere by chance.
            SecretKind::MessageText if secret.value.len() < MIN_TEXT => continue,
            SecretKind::MessageText => {
                search.texts_searched += 1;
                spellings(secret.value.as_bytes())
            }
        };
        let needle = match secret.kind {
            SecretKind::FrameKey | SecretKind::PrivateKey | SecretKind::PictureKey => Needle::Key(index),
            SecretKind::MessageText => Needle::Text(index),
            _ => Needle::Credential(index),
        };
        needles.extend(forms.into_iter().filter(|form| form.len() >= MIN_NEEDLE).map(|form| (needle, form)));
    }
}

/// The ways in which bytes are written: raw, hexadecimal, base64 of both alphabets at each of its three alignments.
pub(crate) fn spellings(raw: &[u8]) -> Vec<Vec<u8>> {
    let hex = to_hex(raw);
    let mut forms = vec![raw.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for alphabet in [STANDARD, URL_SAFE] {
        forms.extend((0..3).map(|before| base64_core(raw, before, alphabet)));
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The characters of base64 that depend on `raw` alone when `before` bytes stand before it in the same text.
fn base64_core(raw: &[u8], before: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bits = [&vec![0; before][..], raw].concat();
    let first = (before * 8).div_ceil(6);
    let last = bits.len() * 8 / 6;
    let sextet = |index: usize| {
        let bit = index * 6;
        let pair = u16::from(bits[bit / 8]) << 8 | u16::from(bits.get(bit / 8 + 1).copied().unwrap_or(0));
        alphabet[usize::from(pair >> (10 - bit % 8) & 63)]
    };
    (first..last).map(sextet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_recognized_at_every_alignment() {
        // "Many hands make light work." and the same with one and two bytes in front, as `base64` writes them.
        let raw = b"Many hands make light work.";
        for (before, text) in [
            (0, "TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsu"),
            (1, "eE1hbnkgaGFuZHMgbWFrZSBsaWdodCB3b3JrLg=="),
            (2, "eHlNYW55IGhhbmRzIG1ha2UgbGlnaHQgd29yay4="),
        ] {
            let core = String::from_utf8(base64_core(raw, before, STANDARD)).unwrap();
            assert!(core.len() > 30 && text.contains(&core), "{core} is not in {text}");
        }
    }

    #[test]
    fn different_bytes_are_counted_once() {
        assert_eq!(different_bytes(&[0, 0, 255, 64, 64, 128]), 4);
        assert_eq!(different_bytes(&[]), 0);
    }
}
