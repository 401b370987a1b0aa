//! What video may use of the path: the encoder's bit rate and the dropper's budget.

use super::ramp::Ramp;
use kernel::{BitRate, Micros, SimTime, plan::MediaPlan};

/// What an Opus packet carries beside its sound and counts for the estimate, in bytes: SFrame.
const AUDIO_OVERHEAD_BYTES: u64 = 18;
const AUDIO_PACKETS_PER_SECOND: u64 = 50;
/// How much of what sound leaves the encoder may use: the rest is for repairs and the encoder's own swings. Headers of
/// RTP, SRTP, UDP and IP are not in it: the estimate counts payload on both sides, they are outside.
const SHARE_PERCENT: u64 = 87;
/// A smaller change is not worth the encoder's while.
const HYSTERESIS_PERCENT: u64 = 5;
/// However bad the path is, video is tried at this rate: a picture every second or so.
const LEAST_BUDGET: BitRate = BitRate::from_kbps(20);

/// What is known of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathState {
    /// How much payload of RTP it takes.
    pub estimate: BitRate,
    /// From sending the newest packet that was reported on to the report.
    pub round_trip: Option<Micros>,
}

/// Holds the video encoder's target and follows the estimate.
#[derive(Debug)]
pub(super) struct RateControl {
    audio: u64,
    min: BitRate,
    max: BitRate,
    target: BitRate,
    budget: BitRate,
    ramp: Ramp,
    queue: QueueWatch,
}

impl RateControl {
    pub(super) fn new(media: &MediaPlan) -> RateControl {
        let audio = media.audio_rate.0 + AUDIO_PACKETS_PER_SECOND * AUDIO_OVERHEAD_BYTES * 8;
        let (min, max) = (media.video_min, media.video_max.max(media.video_min));
        let target = media.video_start.clamp(min, max);
        RateControl { audio, min, max, target, budget: target, ramp: Ramp::default(), queue: QueueWatch::default() }
    }

    /// The rate that the encoder has.
    pub(super) fn target(&self) -> BitRate {
        self.target
    }

    /// What video may really use: below the encoder's least rate the dropper sees to it.
    pub(super) fn budget(&self) -> BitRate {
        self.budget
    }

    /// Whether what is queued on the path should drain before more is sent.
    pub(super) fn is_draining(&self) -> bool {
        self.queue.draining_until.is_some()
    }

    /// Takes what is known of the path. Gives the rate that the encoder is to have from now on, where it is another.
    pub(super) fn follow(&mut self, path: PathState, now: SimTime) -> Option<BitRate> {
        self.queue.watch(path, now);
        let allowed = self.ramp.follow(path.estimate, now);
        let share = allowed.0.saturating_sub(self.audio).saturating_mul(SHARE_PERCENT) / 100;
        self.budget = BitRate(share / 1_000 * 1_000).max(LEAST_BUDGET);
        let wanted = self.budget.clamp(self.min, self.max);
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

/// Within this time an estimate that falls counts as one fall.
const FALL_WINDOW: Micros = Micros::from_secs(1);
/// A fall to less than this of the highest estimate within the window means that a queue built up.
const FALL_PERCENT: u64 = 80;
/// A round trip that is longer than the shortest by less than this tells of no queue worth draining.
const TOLERATED_QUEUE: Micros = Micros::from_millis(150);
/// The longest drain: the other direction or another route may be what takes long.
const MAX_DRAIN: Micros = Micros::from_secs(3);
/// How long the shortest round trip is believed, at least; at most twice that.
const BASE_WINDOW: Micros = Micros::from_secs(10);

/// Tells when the own sending has filled a queue on the path: the estimate fell and the round trip is long.
#[derive(Debug, Default)]
struct QueueWatch {
    peak: Option<(SimTime, BitRate)>,
    /// The shortest round trip of this window and of the one before.
    shortest: [Option<Micros>; 2],
    window_ends: SimTime,
    draining_until: Option<SimTime>,
}

impl QueueWatch {
    fn watch(&mut self, path: PathState, now: SimTime) {
        if now >= self.window_ends {
            self.shortest = [path.round_trip, self.shortest[0]];
            self.window_ends = now + BASE_WINDOW;
        }
        self.shortest[0] = self.shortest[0].into_iter().chain(path.round_trip).min();
        let peak = self.peak.filter(|(at, peak)| now.since(*at) <= FALL_WINDOW && *peak > path.estimate);
        let (_, peak) = *self.peak.insert(peak.unwrap_or((now, path.estimate)));
        let queued = self.queued(path);
        let fell = path.estimate.0 < peak.0 / 100 * FALL_PERCENT;
        if fell && queued > TOLERATED_QUEUE && self.draining_until.is_none() {
            self.draining_until = Some(now + MAX_DRAIN);
        }
        self.draining_until = self.draining_until.filter(|until| now < *until && queued > TOLERATED_QUEUE);
    }

    fn queued(&self, path: PathState) -> Micros {
        let shortest = self.shortest.into_iter().flatten().min();
        path.round_trip.zip(shortest).map_or(Micros::ZERO, |(now, shortest)| Micros(now.0.saturating_sub(shortest.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::plan;
    use proptest::prelude::*;

    fn path(kbps: u64, round_trip: u64) -> PathState {
        PathState { estimate: BitRate::from_kbps(kbps), round_trip: Some(Micros::from_millis(round_trip)) }
    }

    fn follow(rate: &mut RateControl, kbps: u64) -> Option<BitRate> {
        rate.follow(path(kbps, 50), SimTime(0))
    }

    #[test]
    fn the_target_leaves_room_for_audio_and_repairs() {
        let mut rate = RateControl::new(&plan());
        let target = follow(&mut rate, 1_000).unwrap();
        assert!((BitRate::from_kbps(800)..BitRate::from_kbps(850)).contains(&target), "{target}");
    }

    #[test]
    fn small_changes_are_ignored_and_bounds_are_reached() {
        let media = plan();
        let mut rate = RateControl::new(&media);
        let target = follow(&mut rate, 1_000).unwrap();
        assert_eq!(follow(&mut rate, 1_030), None);
        assert_eq!(rate.target(), target);
        assert_eq!(follow(&mut rate, 100_000), Some(media.video_max));
        assert_eq!(follow(&mut rate, 0), Some(media.video_min));
    }

    #[test]
    fn the_budget_goes_below_the_least_that_the_encoder_can() {
        let mut rate = RateControl::new(&plan());
        assert_eq!(follow(&mut rate, 80), Some(plan().video_min));
        assert!(rate.budget() < BitRate::from_kbps(40), "{}", rate.budget());
        follow(&mut rate, 0);
        assert_eq!(rate.budget(), LEAST_BUDGET);
    }

    #[test]
    fn a_falling_estimate_with_a_long_round_trip_calls_for_draining_until_the_queue_is_short() {
        let mut rate = RateControl::new(&plan());
        let mut at = |millis: u64, kbps, round_trip| {
            rate.follow(path(kbps, round_trip), SimTime(millis * 1_000));
            rate.is_draining()
        };
        assert!(!at(0, 600, 60));
        // Longer alone is the other direction's affair, or another route's.
        assert!(!at(50, 600, 600));
        assert!(at(100, 300, 600));
        assert!(at(2_000, 150, 400));
        assert!(!at(2_050, 150, 150));
        assert!(!at(2_100, 150, 600));
    }

    #[test]
    fn draining_ends_even_where_the_round_trip_stays_long() {
        let mut rate = RateControl::new(&plan());
        rate.follow(path(600, 60), SimTime(0));
        rate.follow(path(200, 900), SimTime(50_000));
        assert!(rate.is_draining());
        rate.follow(path(200, 900), SimTime(50_000) + MAX_DRAIN);
        assert!(!rate.is_draining());
    }

    proptest! {
        #[test]
        fn the_target_stays_within_the_plan(estimates in prop::collection::vec(any::<(u64, u32)>(), 1..50)) {
            let media = plan();
            let mut rate = RateControl::new(&media);
            for (n, (estimate, round_trip)) in estimates.into_iter().enumerate() {
                let path = PathState { estimate: BitRate(estimate), round_trip: Some(Micros(round_trip.into())) };
                rate.follow(path, SimTime(n as u64 * 50_000));
                prop_assert!((media.video_min..=media.video_max).contains(&rate.target()));
                prop_assert!(rate.budget() >= LEAST_BUDGET);
            }
        }
    }
}
