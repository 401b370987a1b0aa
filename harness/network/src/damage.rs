//! What a link does to single packets by chance: a second copy, a hold-up, a flipped bit, a lost end.

use crate::queue::Luck;
use kernel::{
    plan::LinkPlan,
    random::{SeedTree, Stream},
    time::Micros,
};

/// Draws the chances of a link's packets: the same number of draws for each packet, whatever the plan, and a stream for
/// each chance.
pub(crate) struct Chances {
    reordering: Stream,
    duplication: Stream,
    corruption: Stream,
    truncation: Stream,
}

impl Chances {
    pub(crate) fn new(seeds: &SeedTree) -> Chances {
        let [reordering, duplication, corruption, truncation] =
            ["reordering", "duplication", "corruption", "truncation"].map(|purpose| seeds.stream(purpose));
        Chances { reordering, duplication, corruption, truncation }
    }

    /// What happens to the next packet, apart from loss and jitter.
    pub(crate) fn step(&mut self, plan: &LinkPlan) -> Luck {
        let is_held = self.reordering.chance_ppm(plan.reordering.ppm);
        let is_doubled = self.duplication.chance_ppm(plan.duplication_ppm);
        let (flips, bit) = (self.corruption.chance_ppm(plan.corruption_ppm), self.corruption.next_u64());
        let (cuts, rest) = (self.truncation.chance_ppm(plan.truncation_ppm), self.truncation.next_u64());
        Luck {
            hold: if is_held { plan.reordering.hold } else { Micros::ZERO },
            is_doubled,
            flip: flips.then_some(bit),
            cut: cuts.then_some(rest),
            ..Luck::default()
        }
    }
}

/// Flips the bit at this fraction of the payload; false when there is none.
pub(crate) fn flip(bytes: &mut [u8], fraction: u64) -> bool {
    let bit = scaled(fraction, bytes.len() as u64 * 8);
    match bytes.get_mut((bit / 8) as usize) {
        Some(byte) => {
            *byte ^= 1 << (bit % 8);
            true
        }
        None => false,
    }
}

/// Leaves this fraction of the payload, at least one byte less; false when there is nothing to take.
pub(crate) fn cut(bytes: &mut Vec<u8>, fraction: u64) -> bool {
    let can = !bytes.is_empty();
    bytes.truncate(scaled(fraction, bytes.len() as u64) as usize);
    can
}

fn scaled(fraction: u64, whole: u64) -> u64 {
    ((u128::from(fraction) * u128::from(whole)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::plan::Reordering;

    #[test]
    fn one_bit_flips_and_an_empty_payload_has_none() {
        let mut bytes = vec![0; 100];
        assert!(flip(&mut bytes, 0) && flip(&mut bytes, u64::MAX) && flip(&mut bytes, 1 << 63));
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 3);
        assert_eq!((bytes[0], bytes[50], bytes[99]), (1, 1, 0x80));
        assert!(!flip(&mut [], 7));
    }

    #[test]
    fn a_cut_takes_at_least_one_byte() {
        for (fraction, left) in [(0, 0), (1 << 63, 50), (u64::MAX, 99)] {
            let mut bytes = vec![0; 100];
            assert!(cut(&mut bytes, fraction));
            assert_eq!(bytes.len(), left);
        }
        assert!(!cut(&mut Vec::new(), 0));
    }

    #[test]
    fn each_chance_has_its_share_and_moves_no_other() {
        let plan = LinkPlan {
            reordering: Reordering { ppm: 50_000, hold: Micros(9) },
            duplication_ppm: 20_000,
            corruption_ppm: 10_000,
            truncation_ppm: 30_000,
            ..LinkPlan::IDEAL
        };
        let lucks = |plan: &LinkPlan| {
            let mut chances = Chances::new(&SeedTree::root(3));
            (0..100_000).map(|_| chances.step(plan)).collect::<Vec<_>>()
        };
        let all = lucks(&plan);
        let share = |happened: fn(&Luck) -> bool| all.iter().filter(|luck| happened(luck)).count();
        assert!((4_700..5_300).contains(&share(|luck| luck.hold == Micros(9))));
        assert!((1_800..2_200).contains(&share(|luck| luck.is_doubled)));
        assert!((850..1_150).contains(&share(|luck| luck.flip.is_some())));
        assert!((2_750..3_250).contains(&share(|luck| luck.cut.is_some())));
        let only = lucks(&LinkPlan { truncation_ppm: 30_000, ..LinkPlan::IDEAL });
        assert!(all.iter().zip(&only).all(|(one, other)| one.cut == other.cut));
    }
}
