//! Exact percentiles of integers.

/// The nearest-rank percentile: the smallest value such that at least `percent` of all values are not above it. `sorted`
/// is in ascending order; `None` when it is empty.
pub(crate) fn percentile(sorted: &[u64], percent: u64) -> Option<u64> {
    let rank = (sorted.len() as u64 * percent).div_ceil(100).max(1);
    sorted.get(rank as usize - 1).copied()
}

/// A statistic by its name: `p5`, `p50`, `p95`, `p99`, `max`.
pub(crate) fn statistic(sorted: &[u64], name: &str) -> Option<u64> {
    match name.strip_prefix('p').and_then(|percent| percent.parse().ok()) {
        Some(percent) => percentile(sorted, percent),
        None => sorted.last().copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values = [15, 20, 35, 40, 50];
        assert_eq!(percentile(&values, 5), Some(15));
        assert_eq!(percentile(&values, 30), Some(20));
        assert_eq!(percentile(&values, 40), Some(20));
        assert_eq!(percentile(&values, 50), Some(35));
        assert_eq!(percentile(&values, 95), Some(50));
        assert_eq!(percentile(&values, 100), Some(50));
    }

    #[test]
    fn the_ends_are_defined() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[7], 1), Some(7));
        assert_eq!(percentile(&[1, 2], 0), Some(1));
    }

    #[test]
    fn a_hundred_values_have_their_ranks() {
        let values: Vec<u64> = (1..=100).collect();
        for percent in 1..=100 {
            assert_eq!(percentile(&values, percent), Some(percent));
        }
        assert_eq!((statistic(&values, "p95"), statistic(&values, "max")), (Some(95), Some(100)));
    }
}
