//! Metric names and values for people. A name reads `alice>bob/glass_to_glass_us_p95`: scope, base with its unit last,
//! statistic. Values stay integers; only their digits are laid out.

/// A metric's name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MetricName<'a> {
    /// One direction of the call; none for the worst of all.
    pub(crate) scope: Option<&'a str>,
    /// What is measured, with its unit.
    pub(crate) base: &'a str,
    /// `p50`, `max`, …; none for a single value.
    pub(crate) statistic: Option<&'a str>,
}

/// Statistics that a name may end with, in the order of the columns.
pub(crate) const STATISTICS: [&str; 7] = ["min", "mean", "p5", "p50", "p95", "p99", "max"];

impl<'a> MetricName<'a> {
    pub(crate) fn parse(name: &'a str) -> MetricName<'a> {
        let (scope, rest) = match name.rsplit_once('/') {
            Some((scope, rest)) => (Some(scope), rest),
            None => (None, name),
        };
        let split = rest.rsplit_once('_').filter(|(_, last)| STATISTICS.contains(last));
        match split {
            Some((base, statistic)) => MetricName { scope, base, statistic: Some(statistic) },
            None => MetricName { scope, base: rest, statistic: None },
        }
    }
}

/// A metric's title: its base without the unit, in words.
pub fn title(name: &str) -> String {
    let base = MetricName::parse(name).base;
    let unit = ["_us", "_bps", "_mdb", "_ppm", "_milli", "_bytes"];
    let bare = unit.iter().find_map(|unit| base.strip_suffix(unit)).unwrap_or(base);
    bare.replace('_', " ")
}

/// A value in the unit of its metric's name, for people: `12,340` of `setup_us` reads `12.34 ms`.
pub fn human(name: &str, value: i64) -> String {
    let base = MetricName::parse(name).base;
    let unit = base.rsplit_once('_').map_or("", |(_, unit)| unit);
    match unit {
        "us" => time(value),
        "bps" => format!("{} kbit/s", decimal(value, 3, if value.abs() < 100_000 { 1 } else { 0 })),
        "mdb" => format!("{} dB", decimal(value, 3, 2)),
        "ppm" if base.contains("ssim") => decimal(value, 6, 4),
        "ppm" => format!("{} %", decimal(value, 4, 2)),
        "milli" => decimal(value, 3, 2),
        "bytes" => bytes(value),
        // `bytes_searched`: the unit stands in front.
        _ if base.starts_with("bytes_") => bytes(value),
        _ => decimal(value, 0, 0),
    }
}

/// Microseconds as milliseconds or seconds.
pub(crate) fn time(us: i64) -> String {
    match us.unsigned_abs() {
        0..10_000 => format!("{} ms", decimal(us, 3, 2)),
        10_000..1_000_000 => format!("{} ms", decimal(us, 3, 1)),
        _ => format!("{} s", decimal(us, 6, 3)),
    }
}

/// A number of bytes.
pub(crate) fn bytes(count: i64) -> String {
    match count.unsigned_abs() {
        0..10_000 => format!("{} B", decimal(count, 0, 0)),
        10_000..1_000_000 => format!("{} kB", decimal(count, 3, 1)),
        _ => format!("{} MB", decimal(count, 6, 2)),
    }
}

/// An instant as seconds with milliseconds: `12.345 s`.
pub(crate) fn instant(at: kernel::SimTime) -> String {
    format!("{} s", decimal(i64::try_from(at.0).unwrap_or(i64::MAX), 6, 3))
}

/// `value / 10^scale`, rounded half away from zero to `keep` digits, with thousands separated.
pub(crate) fn decimal(value: i64, scale: u32, keep: u32) -> String {
    debug_assert!(keep <= scale);
    let step = 10u64.pow(scale - keep);
    let rounded = value.unsigned_abs().saturating_add(step / 2) / step;
    let (whole, part) = (rounded / 10u64.pow(keep), rounded % 10u64.pow(keep));
    let sign = if value < 0 && rounded != 0 { "-" } else { "" };
    match keep {
        0 => format!("{sign}{}", grouped(whole)),
        _ => format!("{sign}{}.{part:0width$}", grouped(whole), width = keep as usize),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_apart_into_scope_base_and_statistic() {
        let name = MetricName::parse("alice>bob/glass_to_glass_us_p95");
        assert_eq!(name, MetricName { scope: Some("alice>bob"), base: "glass_to_glass_us", statistic: Some("p95") });
        let name = MetricName::parse("setup_us");
        assert_eq!(name, MetricName { scope: None, base: "setup_us", statistic: None });
        assert_eq!(title("alice>bob/glass_to_glass_us_p95"), "glass to glass");
    }

    #[test]
    fn values_are_rounded_and_carry_their_unit() {
        assert_eq!(human("setup_us", 1_234_567), "1.235 s");
        assert_eq!(human("glass_to_glass_us_p95", 98_760), "98.8 ms");
        assert_eq!(human("a>b/jitter_us_max", 995), "1.00 ms");
        assert_eq!(human("video_sent_bps", 1_234_567), "1,235 kbit/s");
        assert_eq!(human("psnr_y_mdb_p5", 38_215), "38.22 dB");
        assert_eq!(human("ssim_y_ppm_p5", 987_654), "0.9877");
        assert_eq!(human("loss_ppm", 12_500), "1.25 %");
        assert_eq!(human("harmonic_fps_milli", 29_970), "29.97");
        assert_eq!(human("freeze_count", 1_000), "1,000");
        assert_eq!(decimal(-1, 3, 0), "0");
        assert_eq!(decimal(i64::MIN, 0, 0), "-9,223,372,036,854,775,808");
    }
}
