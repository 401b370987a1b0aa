//! Continuity of the video track, watched above the decoder: VP8 shows a damaged picture without any error when a
//! reference is missing.
//!
//! The SFrame counter is the authority. It is authenticated and counts frames; a gap in RTP sequence numbers can be
//! padding or a probe, and a frame that is complete but follows a lost one has no gap of its own.

use super::KeyFrameReason;
use kernel::{Micros, SimTime};

/// Requests are at least this far apart: a key frame needs a round trip, and is large.
const BETWEEN_REQUESTS: Micros = Micros::from_millis(300);

/// A request that no key frame followed for so long was lost, or the key frame was: nothing else may come that would ask.
const REPEAT: Micros = Micros::from_millis(1_500);
/// Requests without a key frame in between, at most, that nothing but time is the reason for.
const MOST_REPEATS: u32 = 8;

/// What becomes of an opened frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// All it refers to was fed, or it is a key frame.
    Feed,
    /// A frame after it was fed, or given up for it, already.
    Late,
    /// What it refers to was never fed.
    MissingReference,
    /// No key frame has come at all.
    BeforeKeyFrame,
}

/// Which frames the decoder can be fed.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    /// The newest counter that was seen.
    newest: Option<u64>,
    /// The counter whose references are all fed; none while a key frame is awaited.
    next: Option<u64>,
    had_key_frame: bool,
    refused_since_fed: bool,
    requested_at: Option<SimTime>,
    /// Requests since a frame was fed.
    requests: u32,
}

impl Continuity {
    /// Decides about an opened frame; counters come in the order in which RTP hands frames over.
    pub(super) fn admit(&mut self, counter: u64, key: bool) -> Admission {
        if self.newest.is_some_and(|newest| counter <= newest) {
            return Admission::Late;
        }
        self.newest = Some(counter);
        if key || self.next == Some(counter) {
            self.had_key_frame = true;
            self.refused_since_fed = false;
            self.requests = 0;
            self.next = counter.checked_add(1);
            return Admission::Feed;
        }
        self.next = None;
        if self.had_key_frame { Admission::MissingReference } else { Admission::BeforeKeyFrame }
    }

    /// A frame was refused by frame decryption: a gap that follows is its doing.
    pub(super) fn note_refused(&mut self) {
        self.refused_since_fed = true;
    }

    /// The track is off from this counter on: what comes next begins anew, and nothing is asked for until then.
    pub(super) fn switched_off(&mut self, counter: u64) {
        self.newest = Some(counter);
        self.next = None;
        self.refused_since_fed = false;
        self.requested_at = None;
    }

    /// When the last request is to be repeated, unless a key frame comes before.
    pub(super) fn repeat_at(&self) -> Option<SimTime> {
        let waits = self.next.is_none() && self.requests < MOST_REPEATS;
        self.requested_at.filter(|_| waits).map(|at| at + REPEAT)
    }

    /// What was fed is lost after all: only a key frame helps.
    pub(super) fn break_off(&mut self) {
        self.next = None;
    }

    /// Why a key frame is to be asked for now; `None` when the last request is too fresh.
    pub(super) fn request(&mut self, decoder_failed: bool, now: SimTime) -> Option<KeyFrameReason> {
        if self.requested_at.is_some_and(|at| now.since(at) < BETWEEN_REQUESTS) {
            return None;
        }
        self.requested_at = Some(now);
        self.requests += 1;
        Some(if decoder_failed {
            KeyFrameReason::Decoder
        } else if !self.had_key_frame {
            KeyFrameReason::FirstFrame
        } else if self.refused_since_fed {
            KeyFrameReason::RefusedFrame
        } else {
            KeyFrameReason::MissingReference
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lost_reference_is_never_fed() {
        let mut continuity = Continuity::default();
        assert_eq!(continuity.admit(0, true), Admission::Feed);
        assert_eq!(continuity.admit(1, false), Admission::Feed);
        assert_eq!(continuity.admit(3, false), Admission::MissingReference);
        assert_eq!(continuity.admit(4, false), Admission::MissingReference);
        assert_eq!(continuity.admit(2, false), Admission::Late);
        assert_eq!(continuity.admit(5, true), Admission::Feed);
        assert_eq!(continuity.admit(6, false), Admission::Feed);
    }

    #[test]
    fn a_request_is_repeated_until_a_key_frame_comes() {
        let mut continuity = Continuity::default();
        assert_eq!(continuity.repeat_at(), None);
        continuity.admit(1, false);
        let mut now = SimTime(0);
        for _ in 0..MOST_REPEATS {
            assert_eq!(continuity.request(false, now), Some(KeyFrameReason::FirstFrame));
            now = now + REPEAT;
        }
        assert_eq!(continuity.repeat_at(), None, "whoever does not answer so often never will");
        continuity.admit(2, true);
        continuity.admit(4, false);
        continuity.request(false, now);
        assert_eq!(continuity.repeat_at(), Some(now + REPEAT));
        continuity.admit(5, true);
        assert_eq!(continuity.repeat_at(), None);
        continuity.break_off();
        continuity.switched_off(6);
        assert_eq!(continuity.repeat_at(), None, "of a track that is off nothing is asked");
    }

    #[test]
    fn a_track_that_was_off_begins_with_a_key_frame() {
        let mut continuity = Continuity::default();
        continuity.admit(0, true);
        continuity.switched_off(3);
        assert_eq!(continuity.admit(2, false), Admission::Late);
        assert_eq!(continuity.admit(4, false), Admission::MissingReference);
        continuity.switched_off(5);
        assert_eq!(continuity.admit(6, true), Admission::Feed);
        assert_eq!(continuity.admit(7, false), Admission::Feed);
    }

    #[test]
    fn nothing_is_fed_before_a_key_frame() {
        let mut continuity = Continuity::default();
        assert_eq!(continuity.admit(7, false), Admission::BeforeKeyFrame);
        assert_eq!(continuity.request(false, SimTime(0)), Some(KeyFrameReason::FirstFrame));
        assert_eq!(continuity.admit(8, false), Admission::BeforeKeyFrame);
        assert_eq!(continuity.admit(9, true), Admission::Feed);
    }

    #[test]
    fn requests_are_300_ms_apart_and_say_why() {
        let mut continuity = Continuity::default();
        continuity.admit(0, true);
        continuity.admit(2, false);
        assert_eq!(continuity.request(false, SimTime(0)), Some(KeyFrameReason::MissingReference));
        assert_eq!(continuity.request(false, SimTime(299_999)), None);
        continuity.note_refused();
        assert_eq!(continuity.request(false, SimTime(300_000)), Some(KeyFrameReason::RefusedFrame));
        assert_eq!(continuity.request(true, SimTime(900_000)), Some(KeyFrameReason::Decoder));
    }

    proptest! {
        #[test]
        fn each_fed_frame_follows_the_last_fed_or_is_a_key_frame(
            frames in prop::collection::vec((0_u64..60, prop::bool::weighted(0.1)), 1..200),
        ) {
            let (mut continuity, mut last) = (Continuity::default(), None);
            for (counter, key) in frames {
                if continuity.admit(counter, key) == Admission::Feed {
                    prop_assert!(key || last.map(|last: u64| last + 1) == Some(counter));
                    prop_assert!(last < Some(counter));
                    last = Some(counter);
                }
            }
        }
    }
}
