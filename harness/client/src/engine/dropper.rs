//! Frames are left out before the encoder where the path would not take them in time: a late picture is worth less than
//! a lower frame rate, and an encoder at its coarsest still gives more than a slow path carries.

use kernel::{BitRate, Micros, SimTime};

/// A new frame is admitted while what was encoded takes at most this long at the budget.
const MAX_AHEAD: Micros = Micros::from_millis(300);
/// No debt is longer: after a key frame on a collapsing path the picture must come back.
const MAX_DEBT: Micros = Micros::from_millis(1_500);
/// A new frame is admitted while what waits in the pacer takes at most this long at the budget.
const MAX_UNSENT: Micros = Micros::from_millis(250);
/// While a queue on the path drains, frames come no closer than this.
const DRAIN_INTERVAL: Micros = Micros::from_millis(300);

/// A leaky bucket over what the encoder really gives, counted in time at the budget.
#[derive(Debug)]
pub(super) struct FrameDropper {
    budget: BitRate,
    /// When what was encoded so far is through at the budget.
    through_at: SimTime,
    unsent: u64,
    draining: bool,
    last_encoded: Option<SimTime>,
}

impl FrameDropper {
    /// An empty bucket.
    pub(super) fn new(budget: BitRate) -> FrameDropper {
        FrameDropper { budget, through_at: SimTime(0), unsent: 0, draining: false, last_encoded: None }
    }

    /// What video may use from now on, and whether a queue on the path is to drain first. What is in the bucket keeps
    /// its length in time: it is on its way already, at the rate of its day.
    pub(super) fn set_budget(&mut self, budget: BitRate, draining: bool) {
        self.budget = budget;
        self.draining = draining;
    }

    /// So many bytes of video were handed to RTP and did not leave yet.
    pub(super) fn set_unsent(&mut self, bytes: u64) {
        self.unsent = bytes;
    }

    /// Whether a frame may enter the encoder now.
    pub(super) fn admits(&self, now: SimTime) -> bool {
        let spaced = self.last_encoded.is_none_or(|last| now.since(last) >= DRAIN_INTERVAL);
        self.through_at <= now + MAX_AHEAD && self.duration_of(self.unsent) <= MAX_UNSENT && (!self.draining || spaced)
    }

    /// A frame of so many bytes came out of the encoder.
    pub(super) fn encoded(&mut self, bytes: usize, now: SimTime) {
        let through_at = self.through_at.max(now) + self.duration_of(bytes as u64);
        self.through_at = through_at.min(now + MAX_DEBT);
        self.last_encoded = Some(now);
    }

    fn duration_of(&self, bytes: u64) -> Micros {
        Micros(bytes.saturating_mul(8_000_000) / self.budget.0.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that get through in 10 s of 30 frames a second, `bytes` each, and the longest gap between two of them.
    fn ten_seconds(dropper: &mut FrameDropper, bytes: usize) -> (u64, Micros) {
        let (mut sum, mut longest, mut last) = (0, Micros::ZERO, SimTime(0));
        for n in 0..300 {
            let now = SimTime(n * 33_333);
            if dropper.admits(now) {
                dropper.encoded(bytes, now);
                longest = longest.max(now.since(last));
                (sum, last) = (sum + bytes as u64, now);
            }
        }
        (sum, longest)
    }

    #[test]
    fn an_encoder_above_its_budget_is_held_to_it_by_leaving_frames_out() {
        let mut dropper = FrameDropper::new(BitRate::from_kbps(80));
        let (sum, longest) = ten_seconds(&mut dropper, 690);
        // 165 kbit/s come in; 80 kbit/s and the bucket's 300 ms may go out.
        assert!((95_000..=104_000).contains(&sum), "{sum}");
        assert!(longest <= Micros::from_millis(100), "{longest}");
    }

    #[test]
    fn an_encoder_within_its_budget_loses_no_frame() {
        let mut dropper = FrameDropper::new(BitRate::from_kbps(170));
        assert_eq!(ten_seconds(&mut dropper, 690).0, 300 * 690);
    }

    #[test]
    fn what_waits_in_the_pacer_holds_new_frames_back() {
        let mut dropper = FrameDropper::new(BitRate::from_kbps(100));
        dropper.set_unsent(3_000);
        assert!(dropper.admits(SimTime(0)));
        dropper.set_unsent(3_500);
        assert!(!dropper.admits(SimTime(0)));
    }

    #[test]
    fn a_draining_queue_gets_few_frames_but_some() {
        let mut dropper = FrameDropper::new(BitRate::from_mbps(1));
        dropper.set_budget(BitRate::from_mbps(1), true);
        let (sum, longest) = ten_seconds(&mut dropper, 690);
        assert!((30..=34).contains(&(sum / 690)), "{sum}");
        assert!(longest < DRAIN_INTERVAL + Micros::from_millis(34), "{longest}");
    }

    proptest! {
        #[test]
        fn no_frame_ends_the_video_for_good(sizes in prop::collection::vec(any::<u32>(), 1..50), budget in 1u64..1 << 40) {
            let mut dropper = FrameDropper::new(BitRate(budget));
            sizes.iter().for_each(|size| dropper.encoded(*size as usize, SimTime(0)));
            prop_assert!(dropper.admits(SimTime(0) + MAX_DEBT));
        }
    }
}
