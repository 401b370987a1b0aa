//! Freezes, pauses and the harmonic frame rate, as W3C webrtc-stats and libwebrtc define them.

use kernel::{Micros, SimTime};

/// A frame that stayed on the screen for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freeze {
    /// When the frame was rendered.
    pub(crate) from: SimTime,
    /// When the next one was, or the call ended.
    pub(crate) until: SimTime,
}

/// What the times of rendering say about smoothness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Smoothness {
    pub(crate) freezes: Vec<Freeze>,
    /// Frames that stayed for more than 5 s.
    pub(crate) pauses: u64,
    /// Sum of the frame durations in microseconds.
    sum: u128,
    /// Sum of their squares.
    squares: u128,
}

/// The mean that a frame is compared with is over this many frames before it.
const MEMORY: usize = 30;
/// With fewer frames before it no frame is a freeze (libwebrtc: `kMinFrameSamplesToDetectFreeze`).
const MIN_MEMORY: usize = 5;
const MARGIN: u64 = 150_000;
const PAUSE: u64 = 5_000_000;

impl Smoothness {
    /// Judges one call's pictures. `end` is when the video ended: the last picture stays until then, which is no frame
    /// duration but may be a freeze.
    pub(crate) fn add(&mut self, rendered: &[SimTime], end: SimTime) {
        let mut durations: Vec<u64> = Vec::with_capacity(rendered.len());
        for (index, from) in rendered.iter().enumerate() {
            let next = rendered.get(index + 1);
            let until = next.copied().unwrap_or(end);
            let duration = until.since(*from).0;
            if is_freeze(duration, &durations) {
                self.freezes.push(Freeze { from: *from, until });
            }
            self.pauses += u64::from(duration > PAUSE);
            if next.is_some() {
                durations.push(duration);
                self.sum += u128::from(duration);
                self.squares += u128::from(duration) * u128::from(duration);
            }
        }
    }

    /// All freezes together.
    pub(crate) fn total(&self) -> Micros {
        Micros(self.freezes.iter().map(|freeze| freeze.until.since(freeze.from).0).sum())
    }

    /// The longest freeze.
    pub(crate) fn longest(&self) -> Micros {
        self.freezes.iter().map(|freeze| freeze.until.since(freeze.from)).max().unwrap_or(Micros::ZERO)
    }

    /// Sum of the durations over the sum of their squares, in thousandths of a frame per second; `None` before the second
    /// frame. A constant rate is itself; a freeze weighs by its square.
    pub(crate) fn harmonic_fps_milli(&self) -> Option<u64> {
        u64::try_from((self.sum * 1_000_000_000).checked_div(self.squares)?).ok()
    }
}

/// `duration >= max(3 x mean, mean + 150 ms)`, the mean over the last frames; without rounding.
fn is_freeze(duration: u64, before: &[u64]) -> bool {
    let memory = &before[before.len().saturating_sub(MEMORY)..];
    let (count, sum) = (memory.len() as u64, memory.iter().sum::<u64>());
    count as usize >= MIN_MEMORY && duration * count >= (3 * sum).max(sum + MARGIN * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures with the given times between them, in milliseconds, and the end as long after the last.
    fn judge(gaps: &[u64], tail: u64) -> Smoothness {
        let mut times = vec![SimTime(1_000_000)];
        for gap in gaps {
            times.push(*times.last().unwrap() + Micros::from_millis(*gap));
        }
        let mut smoothness = Smoothness::default();
        smoothness.add(&times, *times.last().unwrap() + Micros::from_millis(tail));
        smoothness
    }

    fn gaps(count: usize, gap: u64) -> Vec<u64> {
        vec![gap; count]
    }

    #[test]
    fn a_frame_freezes_from_the_mean_and_150_ms_on() {
        // Mean 30 ms: max(90, 180) = 180 ms.
        assert_eq!(judge(&[gaps(10, 30), vec![179]].concat(), 0).freezes.len(), 0);
        assert_eq!(judge(&[gaps(10, 30), vec![180]].concat(), 0).freezes.len(), 1);
    }

    #[test]
    fn a_slow_stream_freezes_from_three_means_on() {
        // Mean 100 ms: max(300, 250) = 300 ms.
        assert_eq!(judge(&[gaps(10, 100), vec![299]].concat(), 0).freezes.len(), 0);
        assert_eq!(judge(&[gaps(10, 100), vec![300]].concat(), 0).freezes.len(), 1);
    }

    #[test]
    fn the_mean_forgets_what_is_older_than_thirty_frames() {
        // Thirty slow frames are forgotten after thirty fast ones: 200 ms is a freeze again.
        assert_eq!(judge(&[gaps(30, 100), gaps(30, 30), vec![200]].concat(), 0).freezes.len(), 1);
        // After five they are not: (25 x 100 + 5 x 30) / 30 = 88 ms, so that the bound is 265 ms.
        assert_eq!(judge(&[gaps(30, 100), gaps(5, 30), vec![200]].concat(), 0).freezes.len(), 0);
    }

    #[test]
    fn the_first_frames_are_no_freeze() {
        assert_eq!(judge(&[1_000], 0).freezes.len(), 0);
        assert_eq!(judge(&[30, 30, 30, 30, 1_000], 0).freezes.len(), 0);
        assert_eq!(judge(&[30, 30, 30, 30, 30, 1_000], 0).freezes.len(), 1);
    }

    #[test]
    fn a_picture_that_stays_until_the_end_is_a_freeze() {
        let smoothness = judge(&gaps(10, 30), 900);
        assert_eq!(smoothness.freezes, [Freeze { from: SimTime(1_300_000), until: SimTime(2_200_000) }]);
        assert_eq!((smoothness.total(), smoothness.longest()), (Micros(900_000), Micros(900_000)));
        assert_eq!(judge(&gaps(10, 30), 100).freezes.len(), 0);
    }

    #[test]
    fn a_pause_is_longer_than_five_seconds() {
        assert_eq!(judge(&[gaps(10, 30), vec![5_000]].concat(), 0).pauses, 0);
        let smoothness = judge(&[gaps(10, 30), vec![5_001]].concat(), 0);
        assert_eq!((smoothness.pauses, smoothness.freezes.len()), (1, 1));
    }

    #[test]
    fn the_harmonic_rate_weighs_long_frames() {
        assert_eq!(judge(&gaps(30, 40), 0).harmonic_fps_milli(), Some(25_000));
        // Nine frames of 20 ms and one of 820 ms make one second: 10 frames, but 1 / (9 x 0.02^2 + 0.82^2) = 1.479.
        assert_eq!(judge(&[gaps(9, 20), vec![820]].concat(), 0).harmonic_fps_milli(), Some(1_479));
        assert_eq!(judge(&[], 500).harmonic_fps_milli(), None);
    }
}
