//! The jitter buffer of one video track.

use super::DelayEstimator;
use kernel::{Micros, SimTime};
use std::collections::BTreeMap;

/// At most this many frames wait: more than four seconds at 30 fps.
const MAX_FRAMES: usize = 128;
const BUCKET: Micros = Micros::from_millis(5);
/// The most that a frame is delayed for the sake of an even pace.
const MAX_DELAY: Micros = Micros::from_millis(500);
/// How much the delay follows its target within a second of media: 100 ms, as in libwebrtc, so that nobody sees it.
const SLEW_PERMILLE: u64 = 100;

/// A complete frame whose references are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFrame<T> {
    /// Its place in decoding order; SFrame's counter serves.
    pub order: u64,
    /// RTP timestamp, 90 kHz, extended beyond 32 bits.
    pub timestamp: u64,
    /// When it was complete.
    pub arrived: SimTime,
    /// The frame.
    pub content: T,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedFrame {
    /// A frame at or after its place was decoded already, or is here.
    #[error("the frame comes after its place was taken")]
    Late,
    /// The buffer is full: nothing is decoding.
    #[error("the jitter buffer is full")]
    Full,
}

/// Holds frames until it is time to decode them, in order.
///
/// The time of a frame is when the fastest frame of its timestamp would have arrived, and a delay that covers the
/// measured variation of 95 % of the frames. Who comes later than that is decoded at once: a frame is never dropped for
/// being late, since the next one refers to it; it may not be shown.
#[derive(Debug)]
pub struct VideoBuffer<T> {
    estimator: DelayEstimator,
    delay: Option<Micros>,
    last_timestamp: u64,
    frames: BTreeMap<u64, VideoFrame<T>>,
    next_order: u64,
}

impl<T> Default for VideoBuffer<T> {
    fn default() -> Self {
        VideoBuffer {
            estimator: DelayEstimator::new(BUCKET, 950, 990),
            delay: None,
            last_timestamp: 0,
            frames: BTreeMap::new(),
            next_order: 0,
        }
    }
}

impl<T> VideoBuffer<T> {
    /// Takes a frame.
    ///
    /// # Errors
    /// [`RefusedFrame`]: the frame is dropped.
    pub fn insert(&mut self, frame: VideoFrame<T>) -> Result<(), RefusedFrame> {
        if frame.order < self.next_order || self.frames.contains_key(&frame.order) {
            return Err(RefusedFrame::Late);
        }
        if self.frames.len() >= MAX_FRAMES {
            return Err(RefusedFrame::Full);
        }
        self.estimator.observe(media_time(frame.timestamp), frame.arrived);
        self.follow_target(frame.timestamp);
        self.frames.insert(frame.order, frame);
        Ok(())
    }

    /// When the next frame is to be decoded; `None` when nothing waits. It may be in the past.
    pub fn next_decode(&self) -> Option<SimTime> {
        let (_, frame) = self.frames.first_key_value()?;
        let fastest = self.estimator.fastest_arrival(media_time(frame.timestamp)).unwrap_or(frame.arrived);
        // The timestamp is the network's word: it can delay a frame by so much and no more.
        Some((fastest + self.delay()).clamp(frame.arrived, frame.arrived + MAX_DELAY))
    }

    /// The next frame, when its time has come.
    pub fn take(&mut self, now: SimTime) -> Option<VideoFrame<T>> {
        if self.next_decode()? > now {
            return None;
        }
        let (order, frame) = self.frames.pop_first()?;
        self.next_order = order + 1;
        Some(frame)
    }

    /// Drops all that waits, oldest first: what a key frame makes useless.
    pub fn clear(&mut self) -> impl Iterator<Item = VideoFrame<T>> + use<T> {
        if let Some((order, _)) = self.frames.last_key_value() {
            self.next_order = order + 1;
        }
        std::mem::take(&mut self.frames).into_values()
    }

    /// The delay that is added to the fastest arrival.
    pub fn delay(&self) -> Micros {
        self.delay.unwrap_or(BUCKET)
    }

    /// How many frames wait.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    fn follow_target(&mut self, timestamp: u64) {
        let target = self.estimator.target().unwrap_or(BUCKET).0.min(MAX_DELAY.0);
        let passed = media_time(timestamp.saturating_sub(self.last_timestamp)).0.min(1_000_000);
        self.last_timestamp = timestamp.max(self.last_timestamp);
        let step = passed * SLEW_PERMILLE / 1_000;
        let delay = self.delay.map_or(target, |delay| target.clamp(delay.0.saturating_sub(step), delay.0 + step));
        self.delay = Some(Micros(delay));
    }
}

fn media_time(timestamp: u64) -> Micros {
    Micros((u128::from(timestamp) * 100 / 9).min(u128::from(u64::MAX / 4)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: u64 = 33_333;

    fn frame(order: u64, arrived: u64) -> VideoFrame<()> {
        VideoFrame { order, timestamp: order * 3_000, arrived: SimTime(arrived), content: () }
    }

    /// Plays frames that arrive at the given times, and answers when each was decoded.
    fn play(arrivals: &[u64]) -> Vec<SimTime> {
        let mut buffer = VideoBuffer::default();
        let mut decoded = Vec::new();
        for (order, &arrived) in arrivals.iter().enumerate() {
            while let Some(due) = buffer.next_decode().filter(|due| due.0 <= arrived) {
                assert!(buffer.take(due).is_some());
                decoded.push(due);
            }
            buffer.insert(frame(order as u64, arrived)).unwrap();
        }
        while let Some(due) = buffer.next_decode() {
            assert!(buffer.take(due).is_some());
            decoded.push(due);
        }
        decoded
    }

    #[test]
    fn an_even_network_costs_one_bucket() {
        let arrivals: Vec<_> = (0..100).map(|n| 50_000 + n * INTERVAL).collect();
        let decoded = play(&arrivals);
        let waits: Vec<_> =
            decoded.iter().zip(&arrivals).map(|(due, &arrived)| due.since(SimTime(arrived)).0).collect();
        assert!(waits.iter().all(|&wait| (4_900..=5_100).contains(&wait)), "{waits:?}");
    }

    #[test]
    fn a_jittery_network_is_decoded_evenly() {
        let arrivals: Vec<_> = (0..600).map(|n| 50_000 + n * INTERVAL + n * 7_919 % 25_000).collect();
        let decoded = play(&arrivals);
        let gaps: Vec<_> = decoded.windows(2).skip(300).map(|pair| pair[1].since(pair[0]).0).collect();
        let uneven = gaps.iter().filter(|&&gap| gap.abs_diff(INTERVAL) > 5_000).count();
        assert!(uneven * 10 < gaps.len(), "{uneven} of {} gaps are uneven", gaps.len());
    }

    #[test]
    fn a_late_frame_is_decoded_at_once() {
        let mut arrivals: Vec<_> = (0..50).map(|n| 50_000 + n * INTERVAL).collect();
        arrivals[40] += 30_000;
        let decoded = play(&arrivals);
        assert_eq!(decoded[40], SimTime(arrivals[40]));
    }

    #[test]
    fn a_frame_before_the_last_decoded_is_refused() {
        let mut buffer = VideoBuffer::default();
        buffer.insert(frame(5, 100)).unwrap();
        assert_eq!(buffer.insert(frame(5, 100)), Err(RefusedFrame::Late));
        assert!(buffer.take(SimTime(1_000_000)).is_some());
        assert_eq!(buffer.insert(frame(4, 200)), Err(RefusedFrame::Late));
    }

    #[test]
    fn the_buffer_is_bounded() {
        let mut buffer = VideoBuffer::default();
        let refused = (0..1_000).filter(|&order| buffer.insert(frame(order, 0)) == Err(RefusedFrame::Full)).count();
        assert_eq!((buffer.len(), refused), (MAX_FRAMES, 1_000 - MAX_FRAMES));
        assert_eq!(buffer.clear().count(), MAX_FRAMES);
        assert!(buffer.is_empty());
    }

    proptest! {
        #[test]
        fn frames_leave_in_order_and_never_before_they_arrive(
            delays in prop::collection::vec(0_u64..400_000, 1..120),
            timestamps in prop::collection::vec(any::<u64>(), 120),
        ) {
            let mut buffer = VideoBuffer::default();
            let (mut now, mut last) = (SimTime(0), None);
            for (n, delay) in delays.iter().enumerate() {
                now += Micros(*delay);
                // Even timestamps that make no sense must neither panic nor stop the flow.
                let _ = buffer.insert(VideoFrame { order: n as u64, timestamp: timestamps[n], arrived: now, content: () });
                while let Some(frame) = buffer.take(now) {
                    prop_assert!(frame.arrived <= now && Some(frame.order) > last);
                    last = Some(frame.order);
                }
            }
        }
    }
}
