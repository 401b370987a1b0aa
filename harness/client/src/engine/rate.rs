//! The encoder's bit rate from the path's estimate.

use kernel::{BitRate, plan::MediaPlan};

/// What an Opus packet carries beside its sound, in bytes: RTP header and extensions, SRTP tag, SFrame.
const AUDIO_OVERHEAD_BYTES: u64 = 12 + 8 + 10 + 18;
const AUDIO_PACKETS_PER_SECOND: u64 = 50;
/// What a video frame carries for SFrame, in bytes. RTP's part grows with the rate and is in [`SHARE_PERCENT`].
const VIDEO_FRAME_OVERHEAD_BYTES: u64 = 19;
/// How much of what is left the encoder may use: the rest is for RTP headers, repairs and the encoder's own swings.
const SHARE_PERCENT: u64 = 87;
/// A smaller change is not worth the encoder's while.
const HYSTERESIS_PERCENT: u64 = 5;

/// Holds the video encoder's target and follows the estimate.
pub(super) struct RateControl {
    fixed: u64,
    min: BitRate,
    max: BitRate,
    target: BitRate,
}

impl RateControl {
    pub(super) fn new(media: &MediaPlan) -> RateControl {
        let audio = media.audio_rate.0 + AUDIO_PACKETS_PER_SECOND * AUDIO_OVERHEAD_BYTES * 8;
        let video = u64::from(media.fps) * VIDEO_FRAME_OVERHEAD_BYTES * 8;
        let (min, max) = (media.video_min, media.video_max.max(media.video_min));
        RateControl { fixed: audio + video, min, max, target: media.video_start.clamp(min, max) }
    }

    /// The rate that the encoder has.
    pub(super) fn target(&self) -> BitRate {
        self.target
    }

    /// The rate that the encoder is to have from now on, where the estimate calls for another.
    pub(super) fn follow(&mut self, estimate: BitRate) -> Option<BitRate> {
        let share = estimate.0.saturating_sub(self.fixed).saturating_mul(SHARE_PERCENT) / 100;
        let wanted = BitRate(share / 1_000 * 1_000).clamp(self.min, self.max);
        let change = wanted.0.abs_diff(self.target.0);
        // The bounds are always reached: otherwise the encoder would stay a few percent away from them for good.
        let at_bound = wanted == self.min || wanted == self.max;
        if change == 0 || !at_bound && change * 100 < self.target.0 * HYSTERESIS_PERCENT {
            return None;
        }
        self.target = wanted;
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::plan;
    use proptest::prelude::*;

    #[test]
    fn the_target_leaves_room_for_audio_and_headers() {
        let mut rate = RateControl::new(&plan());
        let target = rate.follow(BitRate::from_kbps(1_000)).unwrap();
        assert!((BitRate::from_kbps(750)..BitRate::from_kbps(850)).contains(&target), "{target}");
    }

    #[test]
    fn small_changes_are_ignored_and_bounds_are_reached() {
        let media = plan();
        let mut rate = RateControl::new(&media);
        let target = rate.follow(BitRate::from_kbps(1_000)).unwrap();
        assert_eq!(rate.follow(BitRate::from_kbps(1_030)), None);
        assert_eq!(rate.target(), target);
        assert_eq!(rate.follow(BitRate::from_mbps(100)), Some(media.video_max));
        assert_eq!(rate.follow(BitRate(0)), Some(media.video_min));
    }

    proptest! {
        #[test]
        fn the_target_stays_within_the_plan(estimates in prop::collection::vec(any::<u64>(), 1..50)) {
            let media = plan();
            let mut rate = RateControl::new(&media);
            for estimate in estimates {
                rate.follow(BitRate(estimate));
                prop_assert!((media.video_min..=media.video_max).contains(&rate.target()));
            }
        }
    }
}
