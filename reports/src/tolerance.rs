//! How far a metric may worsen when it was measured in another environment than its baseline. In the same environment,
//! with the same seed and configuration, nothing may worsen: there a difference is real, never noise.
//!
//! Codecs of another processor or version give other bytes, so sizes, rates and everything that depends on queues
//! move a little. A tolerance is the larger of a share of the baseline and a fixed amount:
//!
//! | unit of the name | share | at least |
//! | --- | --- | --- |
//! | `_us` | 10 % | 5 ms |
//! | `_bps` | 10 % | 20 kbit/s |
//! | `_mdb` | - | 1 dB |
//! | `ssim…_ppm` | - | 0.02 |
//! | `_ppm` | 10 % | 1 percentage point |
//! | `_milli` | 5 % | 0.5 |
//! | `_bytes` | 10 % | 1,000 B |
//! | counts | 25 % | 2 |

use crate::metric_name::MetricName;

/// The most that a metric may worsen in another environment, in its unit; never negative.
pub(crate) fn tolerance(name: &str, baseline: i64) -> i64 {
    let base = MetricName::parse(name).base;
    let unit = base.rsplit_once('_').map_or("", |(_, unit)| unit);
    let (percent, at_least) = match unit {
        "us" => (10, 5_000),
        "bps" => (10, 20_000),
        "mdb" => (0, 1_000),
        "ppm" if base.contains("ssim") => (0, 20_000),
        "ppm" => (10, 10_000),
        "milli" => (5, 500),
        "bytes" => (10, 1_000),
        _ => (25, 2),
    };
    (baseline.saturating_abs() / 100).saturating_mul(percent).max(at_least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_the_larger_of_share_and_amount() {
        assert_eq!(tolerance("glass_to_glass_us_p95", 100_000), 10_000);
        assert_eq!(tolerance("glass_to_glass_us_p95", 1_000), 5_000);
        assert_eq!(tolerance("psnr_y_mdb_p5", 38_000), 1_000);
        assert_eq!(tolerance("ssim_y_ppm_p5", 990_000), 20_000);
        assert_eq!(tolerance("freeze_count", 0), 2);
        assert!(tolerance("x_us", i64::MIN) > 0);
    }
}
