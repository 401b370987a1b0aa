//! The loss of a link, as a process with a step per packet.

use kernel::{plan::Loss, random::Stream};

/// Decides which packets of a link are lost.
///
/// Each packet takes exactly two draws, whatever the model: the luck of packet n depends on the stream and on n only, so
/// that two runs that differ in a parameter can be compared packet by packet.
pub(crate) struct LossProcess {
    stream: Stream,
    is_bad: bool,
}

impl LossProcess {
    pub(crate) fn new(stream: Stream) -> LossProcess {
        LossProcess { stream, is_bad: false }
    }

    /// Whether the next packet is lost.
    pub(crate) fn step(&mut self, loss: &Loss) -> bool {
        let (transition, fate) = (self.stream.below(MILLION), self.stream.below(MILLION));
        let probability = match *loss {
            Loss::None => 0,
            Loss::Bernoulli { ppm } => ppm,
            Loss::GilbertElliott { p_ppm, r_ppm, good_loss_ppm, bad_loss_ppm } => {
                let leaves = if self.is_bad { r_ppm } else { p_ppm };
                self.is_bad ^= transition < u64::from(leaves);
                if self.is_bad { bad_loss_ppm } else { good_loss_ppm }
            }
        };
        fate < u64::from(probability)
    }
}

const MILLION: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    const PACKETS: usize = 200_000;

    fn fates(loss: Loss) -> Vec<bool> {
        let mut process = LossProcess::new(SeedTree::root(11).stream("loss"));
        (0..PACKETS).map(|_| process.step(&loss)).collect()
    }

    fn lost_ppm(fates: &[bool]) -> usize {
        fates.iter().filter(|lost| **lost).count() * 1_000_000 / fates.len()
    }

    #[test]
    fn nothing_is_lost_without_loss_and_everything_with_certain_loss() {
        assert_eq!(lost_ppm(&fates(Loss::None)), 0);
        assert_eq!(lost_ppm(&fates(Loss::Bernoulli { ppm: 0 })), 0);
        assert_eq!(lost_ppm(&fates(Loss::Bernoulli { ppm: 1_000_000 })), 1_000_000);
    }

    #[test]
    fn bernoulli_loses_its_share_without_memory() {
        let fates = fates(Loss::Bernoulli { ppm: 50_000 });
        // Five standard deviations of the mean are 2 437 ppm.
        assert!((47_500..=52_500).contains(&lost_ppm(&fates)));
        let after_loss: Vec<bool> = fates.windows(2).filter(|pair| pair[0]).map(|pair| pair[1]).collect();
        assert!((35_000..=65_000).contains(&lost_ppm(&after_loss)));
    }

    #[test]
    fn gilbert_elliott_loses_its_average_in_bursts_of_one_over_r() {
        let loss = Loss::GilbertElliott { p_ppm: 15_464, r_ppm: 500_000, good_loss_ppm: 0, bad_loss_ppm: 1_000_000 };
        let fates = fates(loss);
        assert!((27_500..=32_500).contains(&lost_ppm(&fates)));
        let bursts = fates.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let mean_burst_milli = fates.iter().filter(|lost| **lost).count() * 1_000 / bursts;
        assert!((1_900..=2_100).contains(&mean_burst_milli), "{mean_burst_milli}");
    }

    #[test]
    fn gilbert_elliott_uses_all_four_parameters() {
        let loss =
            Loss::GilbertElliott { p_ppm: 100_000, r_ppm: 300_000, good_loss_ppm: 10_000, bad_loss_ppm: 500_000 };
        // A quarter of the packets meet the bad state: 0.75 * 1 % + 0.25 * 50 %.
        assert!((128_000..=137_000).contains(&lost_ppm(&fates(loss))));
    }

    #[test]
    fn each_packet_takes_two_draws_whatever_the_model() {
        let ge = Loss::GilbertElliott { p_ppm: 500_000, r_ppm: 500_000, good_loss_ppm: 1, bad_loss_ppm: 2 };
        for first in [Loss::None, Loss::Bernoulli { ppm: 9 }, ge] {
            let mut process = LossProcess::new(SeedTree::root(3).stream("loss"));
            process.step(&first);
            let mut expected = SeedTree::root(3).stream("loss");
            expected.next_u64();
            expected.next_u64();
            assert_eq!(process.stream.next_u64(), expected.next_u64());
        }
    }
}
