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
/// An estimate that falls below this share within this time has collapsed.
const COLLAPSED_PERCENT: u64 = 50;
const COLLAPSE: Micros = Micros::from_secs(1);
/// How long after a collapse, and after one probe, the next is asked for (libwebrtc's interval of probes).
const PROBE_INTERVAL: Micros = Micros::from_secs(5);
/// After so long the path will not come back.
const GIVEN_UP: Micros = Micros::from_secs(30);

/// What was read and asked.
#[derive(Debug, Default)]
pub(super) struct Bandwidth {
    told: Option<BitRate>,
    collapse: Collapse,
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

    /// Makes str0m probe after a collapse, while the path gives much less than before it: it may be back. By itself str0m
    /// would not while video fills the estimate; it probes when the wish rises, so the wish falls for one sample.
    fn ask_for_probe(&mut self, estimate: BitRate, now: SimTime) {
        let most = self.wanted();
        if std::mem::take(&mut self.bandwidth.lowered) {
            return self.desire(most);
        }
        if self.bandwidth.collapse.wants_probe(estimate, now) {
            self.bandwidth.lowered = true;
            self.desire(estimate);
        }
    }
}

/// The last collapse of the estimate.
#[derive(Debug, Default)]
struct Collapse {
    /// The highest estimate of the last second, and when it was read.
    peak: Option<(SimTime, BitRate)>,
    /// When it was, and what the path had given before.
    last: Option<(SimTime, BitRate)>,
    /// When it was, or a probe was last wanted.
    tried: SimTime,
}

impl Collapse {
    /// Takes an estimate; true when a probe is due.
    fn wants_probe(&mut self, estimate: BitRate, now: SimTime) -> bool {
        let is_low = |before: BitRate| estimate.0 < before.0 / 100 * COLLAPSED_PERCENT;
        let peak = self.peak.filter(|(at, peak)| now.since(*at) <= COLLAPSE && *peak > estimate);
        let (_, peak) = *self.peak.insert(peak.unwrap_or((now, estimate)));
        self.last = self.last.filter(|(at, before)| is_low(*before) && now.since(*at) <= GIVEN_UP);
        if self.last.is_none() && is_low(peak) {
            self.last = Some((now, peak));
            self.tried = now;
        }
        let is_due = self.last.is_some() && now.since(self.tried) >= PROBE_INTERVAL;
        if is_due {
            self.tried = now;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds, in tenths, at which a probe is wanted, of estimates each 100 ms.
    fn probes(estimates: impl IntoIterator<Item = u64>) -> Vec<usize> {
        let mut collapse = Collapse::default();
        let wanted = estimates.into_iter().enumerate().map(|(n, kbps)| {
            (n, collapse.wants_probe(BitRate::from_kbps(kbps), SimTime(1_000_000 + n as u64 * 100_000)))
        });
        wanted.filter_map(|(n, wanted)| wanted.then_some(n)).collect()
    }

    #[test]
    fn a_path_that_collapsed_is_probed_until_it_is_back_or_given_up() {
        let collapsed = |tenths: usize| [800; 10].into_iter().chain(std::iter::repeat_n(200, tenths));
        assert_eq!(probes(collapsed(120)), [60, 110]);
        assert_eq!(probes(collapsed(70).chain([500; 200])), [60]);
        assert_eq!(probes(collapsed(1_000)), [60, 110, 160, 210, 260, 310]);
    }

    #[test]
    fn an_ordinary_fall_is_no_collapse() {
        // From one and a half times what arrives, where GCC stops, to 85 % of it.
        assert!(probes([1_500; 10].into_iter().chain([850; 100])).is_empty());
        assert!(probes((0..100).map(|n| 2_000 - 20 * n)).is_empty(), "slowly");
    }
}
