//! The way in: frame decryption, then screen or speaker.

use super::{
    EngineOutput, Local, ReceivedFrame,
    continuity::{Admission, Continuity},
    frames::{FrameCipher, OpenedFrame},
    screen::{Screen, Trouble},
    speaker::Speaker,
};
use kernel::{Micros, SimTime, Track, event};
use media::codec::is_key_frame;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

/// At most this many frames are being decrypted at one time: it takes microseconds.
const MAX_OPENING: usize = 256;

/// Why a key frame is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyFrameReason {
    /// The first frame that came was no key frame.
    FirstFrame,
    /// A frame was lost.
    MissingReference,
    /// A frame was lost, and one was refused by frame decryption before.
    RefusedFrame,
    /// The decoder gave no picture for an intact frame, or does not keep up.
    Decoder,
}

impl KeyFrameReason {
    /// The reason as events have it.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyFrameReason::FirstFrame => "first_frame",
            KeyFrameReason::MissingReference => "missing_reference",
            KeyFrameReason::RefusedFrame => "refused_frame",
            KeyFrameReason::Decoder => "decoder",
        }
    }
}

impl fmt::Display for KeyFrameReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

struct Opening {
    frame: ReceivedFrame,
    began: SimTime,
}

/// All frames on their way in.
pub(super) struct Incoming {
    peer_video: bool,
    /// Frames inside decryption, by when it ends and the order in which they came.
    opening: BTreeMap<(SimTime, u64), Opening>,
    received: u64,
    /// When the last frame of each track will be open: a short one does not overtake.
    busy_until: BTreeMap<Track, SimTime>,
    continuity: Continuity,
    screen: Screen,
    speaker: Speaker,
    /// What the newest frame of each track says of it: the SFrame counter, and whether the track is on.
    said: BTreeMap<Track, (u64, bool)>,
}

impl Incoming {
    pub(super) fn new(local: &Local, peer_video: bool, first_refresh: Micros) -> Incoming {
        Incoming {
            peer_video,
            opening: BTreeMap::new(),
            received: 0,
            busy_until: BTreeMap::new(),
            continuity: Continuity::default(),
            screen: Screen::new(local, first_refresh),
            speaker: Speaker::new(local),
            said: BTreeMap::new(),
        }
    }

    /// A frame came: decryption begins at once.
    pub(super) fn receive(&mut self, local: &Local, frame: ReceivedFrame, now: SimTime) {
        if frame.track == Track::Video && !self.peer_video || self.opening.len() >= MAX_OPENING {
            return;
        }
        let free = self.busy_until.get(&frame.track).map_or(now, |until| (*until).max(now));
        let due = free + local.costs.crypt_frame(frame.bytes.len());
        self.busy_until.insert(frame.track, due);
        self.opening.insert((due, self.received), Opening { frame, began: now });
        self.received += 1;
    }

    pub(super) fn next_wake(&self) -> Option<SimTime> {
        let opening = self.opening.first_key_value().map(|((due, _), _)| *due);
        let repeat = self.continuity.repeat_at();
        [opening, self.screen.next_wake(), self.speaker.next_wake(), repeat].into_iter().flatten().min()
    }

    /// Does what is due. `own_picture` is the number of what the own tile shows.
    pub(super) fn handle_timeout(
        &mut self,
        local: &Local,
        cipher: &mut FrameCipher,
        own_picture: Option<u32>,
        now: SimTime,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        while let Some(entry) = self.opening.first_entry()
            && entry.key().0 <= now
        {
            let opening = entry.remove();
            self.open(local, cipher, opening, now, outputs);
        }
        if let Err(Trouble) = self.screen.handle_timeout(local, own_picture, now) {
            self.continuity.break_off();
            self.request_key_frame(local, true, now, outputs);
        }
        if self.continuity.repeat_at().is_some_and(|at| at <= now) {
            self.request_key_frame(local, false, now, outputs);
        }
        self.speaker.handle_timeout(local, now);
    }

    /// Drops everything under way: the call is over, and so is what would be shown or heard.
    pub(super) fn begin_anew(&mut self, local: &Local, peer_video: bool) {
        self.abandon();
        *self = Incoming::new(local, peer_video, self.screen.first_refresh());
    }

    pub(super) fn abandon(&mut self) {
        self.opening.clear();
        self.continuity = Continuity::default();
        self.screen.switch_off();
        self.speaker.switch_off();
    }

    fn open(
        &mut self,
        local: &Local,
        cipher: &mut FrameCipher,
        opening: Opening,
        now: SimTime,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        let Opening { frame, began } = opening;
        let opened = cipher.open(local, frame.track, &frame.bytes, now - began);
        if let Ok(opened) = &opened
            && !self.is_on(local, frame.track, opened)
        {
            return;
        }
        match (opened, frame.track) {
            (Ok(opened), Track::Video) => self.admit(local, opened, frame.rtp_timestamp, now, outputs),
            (Ok(opened), Track::Audio) => self.speaker.take(local, opened, frame.rtp_timestamp, now),
            // Fail closed: nothing of a refused frame goes on from here.
            (Err(_), Track::Video) => self.continuity.note_refused(),
            (Err(_), Track::Audio) => {}
        }
    }

    /// Whether a frame belongs to a track that is on. A frame without content says that it is off; one that is older
    /// than such a word is of a time that is over.
    fn is_on(&mut self, local: &Local, track: Track, opened: &OpenedFrame) -> bool {
        let (counter, on) = (opened.counter, !opened.bytes.is_empty());
        let (newest, was_on) = self.said.get(&track).copied().unwrap_or((counter, true));
        if counter < newest {
            if on && !was_on {
                dropped(local, track, counter, "switched_off");
            }
            return on && was_on;
        }
        self.said.insert(track, (counter, on));
        if on != was_on {
            let (device, sender) = (local.device.clone(), local.peer.clone());
            event!(PeerSwitched { device, sender, track, on });
        }
        match (track, on) {
            (_, true) => {}
            (Track::Video, false) => {
                self.continuity.switched_off(counter);
                self.screen.clear(local);
            }
            (Track::Audio, false) => self.speaker.fall_silent(),
        }
        on
    }

    fn admit(
        &mut self,
        local: &Local,
        opened: OpenedFrame,
        rtp_timestamp: u64,
        now: SimTime,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        let reason = match self.continuity.admit(opened.counter, is_key_frame(&opened.bytes)) {
            Admission::Feed => {
                if let Err(Trouble) = self.screen.take(local, opened, rtp_timestamp, now) {
                    self.continuity.break_off();
                    self.request_key_frame(local, true, now, outputs);
                }
                return;
            }
            Admission::Late => "late",
            Admission::MissingReference => "missing_reference",
            Admission::BeforeKeyFrame => "before_key_frame",
        };
        dropped(local, Track::Video, opened.counter, reason);
        if reason != "late" {
            self.request_key_frame(local, false, now, outputs);
        }
    }

    fn request_key_frame(
        &mut self,
        local: &Local,
        decoder_failed: bool,
        now: SimTime,
        outputs: &mut VecDeque<EngineOutput>,
    ) {
        if let Some(reason) = self.continuity.request(decoder_failed, now) {
            event!(KeyFrameRequested { device: local.device.clone(), reason: reason.as_str().into() });
            outputs.push_back(EngineOutput::RequestKeyFrame { reason });
        }
    }
}

/// Says that a received frame goes no further.
pub(super) fn dropped(local: &Local, track: Track, counter: u64, reason: &str) {
    event!(FrameDropped { device: local.device.clone(), track, frame: Some(counter), reason: reason.into() });
}
