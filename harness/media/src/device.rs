//! What computing costs on a device: modelled, since a simulation must not depend on the machine that runs it.
//!
//! The base is what the codecs cost on the machine on which the project was designed (one x86-64 server core, Debian
//! 12, libvpx 1.12 at `cpu-used=-6`, libopus 1.3.1 at complexity 5), in milliseconds a frame, encode and decode: 180p
//! 0.53 and 0.12, 360p 2.09 and 0.60, 720p 7.97 and 2.35, Opus 0.26 and 0.10. That is 9.0 and 2.6 ns a pixel. The
//! factor of each class is an assumption, of the order of the ratios in public single-core benchmarks, and so are the
//! delays of camera, microphone and speaker; a report says which class ran.

use crate::picture::PictureSize;
use kernel::{Micros, SimTime, plan::DeviceClass};

/// What each step costs on one device class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceCosts {
    /// Sensor readout and image processing: from light to a picture in memory.
    pub camera: Micros,
    /// From the last sample of a block to the block in memory.
    pub microphone: Micros,
    /// From samples in memory to sound.
    pub speaker: Micros,
    /// How many thousandths of the base a computation takes.
    pub compute_permille: u64,
    /// Refreshes of the screen in a second.
    pub refresh_hz: u64,
}

const ENCODE_PS_PER_PIXEL: u64 = 9_000;
const DECODE_PS_PER_PIXEL: u64 = 2_600;
const ENCODE_BLOCK: Micros = Micros(260);
const DECODE_BLOCK: Micros = Micros(100);
/// AES-128-GCM by hardware, with the header: the combined prototype spent 0.8 ms on 160 frames a second.
const CRYPT_FRAME: Micros = Micros(5);
const CRYPT_PS_PER_BYTE: u64 = 1_000;

const COSTS: [(DeviceClass, DeviceCosts); 4] = [
    (DeviceClass::Flagship, costs(12, 3, 6, 1_200)),
    (DeviceClass::MidRange, costs(16, 5, 10, 2_500)),
    (DeviceClass::LowEnd, costs(25, 10, 20, 6_000)),
    (DeviceClass::Laptop, costs(15, 5, 8, 1_000)),
];

const fn costs(camera_ms: u64, microphone_ms: u64, speaker_ms: u64, compute_permille: u64) -> DeviceCosts {
    DeviceCosts {
        camera: Micros::from_millis(camera_ms),
        microphone: Micros::from_millis(microphone_ms),
        speaker: Micros::from_millis(speaker_ms),
        compute_permille,
        refresh_hz: 60,
    }
}

impl DeviceCosts {
    /// The costs of a class.
    pub fn of(class: DeviceClass) -> DeviceCosts {
        let (_, costs) = COSTS.iter().find(|(of, _)| *of == class).expect("every class has its costs");
        *costs
    }

    /// Encoding a picture.
    pub fn encode_picture(&self, size: PictureSize) -> Micros {
        self.per_unit(size.pixels(), ENCODE_PS_PER_PIXEL)
    }

    /// Decoding a picture.
    pub fn decode_picture(&self, size: PictureSize) -> Micros {
        self.per_unit(size.pixels(), DECODE_PS_PER_PIXEL)
    }

    /// Encoding a block of 20 ms of sound.
    pub fn encode_block(&self) -> Micros {
        self.scaled(ENCODE_BLOCK)
    }

    /// Decoding or concealing a block of 20 ms of sound.
    pub fn decode_block(&self) -> Micros {
        self.scaled(DECODE_BLOCK)
    }

    /// Sealing or opening a frame of `bytes` bytes.
    pub fn crypt_frame(&self, bytes: usize) -> Micros {
        self.scaled(CRYPT_FRAME) + self.per_unit(bytes, CRYPT_PS_PER_BYTE)
    }

    /// The first refresh of the screen at or after `at`, when refresh 0 was at `phase`.
    pub fn next_refresh(&self, phase: Micros, at: SimTime) -> SimTime {
        // Refresh k is at phase + k/60 s, computed from k: rounding does not add up.
        let since = at.0.saturating_sub(phase.0);
        let mut refresh = since * self.refresh_hz / 1_000_000;
        loop {
            let time = SimTime(phase.0 + refresh * 1_000_000 / self.refresh_hz);
            if time >= at {
                return time;
            }
            refresh += 1;
        }
    }

    fn per_unit(&self, units: usize, picoseconds: u64) -> Micros {
        self.scaled(Micros((units as u64 * picoseconds).div_ceil(1_000_000)))
    }

    fn scaled(&self, base: Micros) -> Micros {
        Micros((base.0 * self.compute_permille).div_ceil(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slower_class_costs_more() {
        let size = PictureSize::new(640, 360).unwrap();
        let encode = |class| DeviceCosts::of(class).encode_picture(size);
        assert_eq!(encode(DeviceClass::Laptop), Micros(2_074));
        assert!(encode(DeviceClass::Flagship) < encode(DeviceClass::MidRange));
        assert!(encode(DeviceClass::MidRange) < encode(DeviceClass::LowEnd));
    }

    #[test]
    fn a_minute_of_refreshes_is_3600() {
        let costs = DeviceCosts::of(DeviceClass::Laptop);
        let (phase, mut at, mut refreshes) = (Micros(5_000), SimTime(5_000), 0);
        while at < SimTime(60_005_000) {
            at = costs.next_refresh(phase, at + Micros(1));
            refreshes += 1;
        }
        assert_eq!((refreshes, at), (3_600, SimTime(60_005_000)));
    }

    #[test]
    fn a_refresh_is_never_early_and_at_most_one_interval_away() {
        let costs = DeviceCosts::of(DeviceClass::MidRange);
        for at in (0..200_000).step_by(13).map(SimTime) {
            let refresh = costs.next_refresh(Micros(7_777), at);
            assert!(refresh >= at);
            assert!(at < SimTime(7_777) || refresh.since(at) <= Micros(16_667), "{at} {refresh}");
        }
    }
}
