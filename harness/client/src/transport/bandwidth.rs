//! What str0m's bandwidth estimation (GoogCC on transport-wide feedback) is told and asked.

use super::{Transport, TransportOutput};
use crate::engine::PathState;
use kernel::{BitRate, Micros, SimTime, event, plan::MediaPlan};
use str0m::{bwe::Bitrate, stats::PeerStats};

/// How often the estimate is read. str0m's own event gives the mean of 3 s of changes: after a collapse it tells the
/// old rate for seconds.
pub(super) const SAMPLING: Micros = Micros::from_millis(50);
/// Estimates closer to the last event than this are not worth another.
const EVENT_PERCENT: u64 = 2;
/// How long after one probe the next may be asked for (libwebrtc's interval of probes while the application limits).
const PROBE_INTERVAL: Micros = Micros::from_secs(5);
/// Nothing is asked for while the estimate is this close to what is wanted.
const SATISFIED_PERCENT: u64 = 90;

/// What was read and asked.
#[derive(Debug, Default)]
pub(super) struct Bandwidth {
    told: Option<BitRate>,
    last_probe: Option<SimTime>,
    /// Whether the wish was lowered to be raised again.
    lowered: bool,
    /// Whether the own camera is off: then nothing larger than sound is looked for.
    video_off: bool,
}

/// The rate that estimation begins with.
pub(super) fn start(media: &MediaPlan) -> Bitrate {
    Bitrate::bps(media.video_start.0 + media.audio_rate.0)
}

/// The most that will be sent.
fn most(media: &MediaPlan) -> BitRate {
    BitRate(media.video_max.0 + media.audio_rate.0)
}

impl Transport {
    /// Tells str0m up to which rate it should explore. Without a minimum: that would be filled up with padding.
    pub(super) fn desire(&mut self, rate: BitRate) {
        self.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::bps(rate.0));
    }

    /// Whether the own camera gives video from now on. Without it the path is not probed, and no padding is sent.
    pub(crate) fn sends_video(&mut self, on: bool) {
        if std::mem::replace(&mut self.bandwidth.video_off, !on) == on && self.connected {
            self.bandwidth.lowered = false;
            self.desire(self.wanted());
        }
    }

    /// The most that will be sent as things are.
    pub(super) fn wanted(&self) -> BitRate {
        if self.bandwidth.video_off { self.config.media.audio_rate } else { most(&self.config.media) }
    }

    /// Reads the estimate and the round trip.
    pub(super) fn sample_path(&mut self, stats: &PeerStats, now: SimTime) {
        let Some(estimate) = stats.bwe_tx.filter(|_| self.connected) else { return };
        let estimate = BitRate(estimate.as_u64());
        let round_trip = stats.rtt.map(|rtt| Micros(rtt.as_micros() as u64));
        if self.bandwidth.told.is_none_or(|told| told.0.abs_diff(estimate.0) > told.0 / 100 * EVENT_PERCENT) {
            self.bandwidth.told = Some(estimate);
            event!(BitrateEstimate { device: self.config.device.clone(), rate: estimate });
        }
        self.ask_for_probe(estimate, now);
        self.outputs.push_back(TransportOutput::Path(PathState { estimate, round_trip }));
    }

    /// Makes str0m probe while the path gives less than is wanted. By itself it would not while video fills the
    /// estimate, and grow by 8 % a second only; it probes when the wish rises, so the wish falls for one sample.
    fn ask_for_probe(&mut self, estimate: BitRate, now: SimTime) {
        let most = self.wanted();
        if std::mem::take(&mut self.bandwidth.lowered) {
            return self.desire(most);
        }
        let last = *self.bandwidth.last_probe.get_or_insert(now);
        if estimate.0 < most.0 / 100 * SATISFIED_PERCENT && now.since(last) >= PROBE_INTERVAL {
            self.bandwidth.last_probe = Some(now);
            self.bandwidth.lowered = true;
            self.desire(estimate);
        }
    }
}
