//! Exponential times in whole numbers.

use kernel::{Micros, random::Stream};

/// An exponential time with this mean, at most 64 of it: von Neumann's method, which compares uniform numbers and computes
/// no logarithm, so that every machine agrees.
pub(crate) fn exponential(mean: Micros, stream: &mut Stream) -> Micros {
    for whole in 0..64u64 {
        let first = stream.next_u64() >> 32;
        let (mut last, mut run) = (first, 1u32);
        loop {
            let next = stream.next_u64() >> 32;
            if next >= last {
                break;
            }
            (last, run) = (next, run + 1);
        }
        if run % 2 == 1 {
            let parts = (u128::from(whole) << 32) + u128::from(first);
            return Micros(((u128::from(mean.0) * parts) >> 32) as u64);
        }
    }
    Micros(mean.0.saturating_mul(64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;

    #[test]
    fn mean_and_tail_are_those_of_the_distribution() {
        let mut stream = SeedTree::root(3).stream("exponential");
        let draws: Vec<u64> = (0..100_000).map(|_| exponential(Micros(1_000_000), &mut stream).0).collect();
        let mean = draws.iter().sum::<u64>() / 100_000;
        assert!((990_000..1_010_000).contains(&mean), "{mean}");
        // e^-1 = 36.79 %, e^-3 = 4.98 %.
        let beyond = |limit: u64| draws.iter().filter(|draw| **draw > limit).count();
        assert!((36_300..37_300).contains(&beyond(1_000_000)), "{}", beyond(1_000_000));
        assert!((4_750..5_200).contains(&beyond(3_000_000)), "{}", beyond(3_000_000));
    }
}
