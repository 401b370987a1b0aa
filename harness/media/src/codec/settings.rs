//! Codec settings: the measured table of the design, and what is refused.

use crate::picture::PictureSize;
use kernel::BitRate;

/// Settings with which the same input gives different output, depending on how fast or busy the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDeterministic {
    /// `cpu-used` of zero or more.
    #[error(
        "cpu-used {0}: libvpx then measures its own encoding time and adapts (4 different streams in 5 runs); use -16 to -1"
    )]
    AdaptiveSpeed(i32),
    /// More than one thread, or automatic.
    #[error("{0} threads: only one thread is deterministic and does not stall under load")]
    Threads(u32),
}

/// How VP8 is encoded. Real-time mode, constant bit rate, no look-ahead, no periodic key frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vp8Settings {
    /// Picture size.
    pub size: PictureSize,
    /// Frames a second.
    pub fps: u32,
    /// Bit rate before the first change.
    pub target: BitRate,
    /// libvpx's `cpu-used`: -16 (fastest) to -1. Zero and above adapt to real time and are refused.
    pub cpu_used: i32,
    /// Encoder threads: 1. Anything else is refused.
    pub threads: u32,
}

impl Vp8Settings {
    /// The measured profile: `cpu-used=-6`, 2.1 ms a picture at 360p on one core.
    pub fn real_time(size: PictureSize, fps: u32, target: BitRate) -> Vp8Settings {
        Vp8Settings { size, fps, target, cpu_used: -6, threads: 1 }
    }

    /// # Errors
    /// [`NotDeterministic`]: which setting would make the stream depend on the machine.
    pub fn check(&self) -> Result<(), NotDeterministic> {
        if !(-16..=-1).contains(&self.cpu_used) {
            return Err(NotDeterministic::AdaptiveSpeed(self.cpu_used));
        }
        if self.threads != 1 {
            return Err(NotDeterministic::Threads(self.threads));
        }
        Ok(())
    }

    /// Properties of `vp8enc`.
    pub(crate) fn properties(&self) -> Vec<(&'static str, String)> {
        let mut properties = vec![
            ("cpu-used", self.cpu_used.to_string()),
            ("threads", self.threads.to_string()),
            ("target-bitrate", self.target.0.to_string()),
        ];
        // Buffers in milliseconds, shoot and intra rate in percent, quantizers of VP8's scale of 0 to 63.
        let fixed = [
            ("deadline", "1"),
            ("end-usage", "cbr"),
            ("lag-in-frames", "0"),
            ("keyframe-max-dist", "3000"),
            ("buffer-initial-size", "300"),
            ("buffer-optimal-size", "400"),
            ("buffer-size", "600"),
            ("undershoot", "100"),
            ("overshoot", "15"),
            ("max-intra-bitrate", "300"),
            ("static-threshold", "1"),
            ("min-quantizer", "2"),
            ("max-quantizer", "56"),
        ];
        properties.extend(fixed.map(|(name, value)| (name, value.to_owned())));
        properties
    }
}

/// How Opus is encoded: voice, 20 ms frames, one channel at 48 kHz, constant bit rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusSettings {
    /// Bit rate before the first change.
    pub target: BitRate,
    /// 0 to 10; 5 costs 0.26 ms a block, 9 is the quality profile.
    pub complexity: u32,
}

impl OpusSettings {
    /// The measured profile.
    pub fn voice(target: BitRate) -> OpusSettings {
        OpusSettings { target, complexity: 5 }
    }

    /// Properties of `opusenc`.
    pub(crate) fn properties(&self) -> Vec<(&'static str, String)> {
        vec![
            ("bitrate", self.target.0.to_string()),
            ("complexity", self.complexity.to_string()),
            ("audio-type", "voice".into()),
            ("frame-size", "20".into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Vp8Settings {
        Vp8Settings::real_time(PictureSize::new(320, 180).unwrap(), 30, BitRate::from_kbps(300))
    }

    #[test]
    fn speeds_that_adapt_to_the_machine_are_refused() {
        for cpu_used in [0, 4, 16, -17] {
            let refused = Vp8Settings { cpu_used, ..settings() }.check();
            assert_eq!(refused, Err(NotDeterministic::AdaptiveSpeed(cpu_used)));
        }
        assert_eq!(settings().check(), Ok(()));
        assert_eq!(Vp8Settings { cpu_used: -12, ..settings() }.check(), Ok(()));
    }

    #[test]
    fn several_threads_are_refused() {
        for threads in [0, 2, 8] {
            let refused = Vp8Settings { threads, ..settings() }.check();
            assert_eq!(refused, Err(NotDeterministic::Threads(threads)));
        }
    }
}
