//! Quantities as people write them: `1.5s`, `600kbit/s`, `2%`, `64kB`. They become exact integers.

use kernel::time::{BitRate, Micros};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::borrow::Cow;

/// A quantity that is written as text with a unit.
pub(crate) trait Quantity: Sized {
    /// How the schema names it.
    const FORMAT: &'static str;
    /// What it is called in a sentence.
    const NOUN: &'static str;
    /// An example of it.
    const EXAMPLE: &'static str;
    /// A regular expression that editors check.
    const PATTERN: &'static str;

    /// Reads the text.
    fn parse(text: &str) -> Result<Self, Refusal>;
}

/// Why a text is no such quantity.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    /// What is wrong, as a sentence without a full stop.
    pub(crate) message: String,
    /// What would be right.
    pub(crate) help: String,
}

/// A span of time of at most 24 hours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duration(pub(crate) Micros);

/// A bit rate from 1 bit/s to 100 Gbit/s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate(pub(crate) BitRate);

/// The rate of a link: a bit rate, or `unlimited`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkRate(pub(crate) Option<BitRate>);

/// A share in millionths, at most the whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) u32);

/// A number of bytes, at most 1 GiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

const DURATION_UNITS: &[(&str, u64)] = &[("us", 1), ("ms", 1_000), ("s", 1_000_000), ("min", 60_000_000)];
const RATE_UNITS: &[(&str, u64)] = &[("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)];
const SHARE_UNITS: &[(&str, u64)] = &[("%", 10_000), ("ppm", 1)];
const SIZE_UNITS: &[(&str, u64)] = &[("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("KiB", 1_024), ("MiB", 1_048_576)];

const LONGEST_US: u64 = 24 * 3_600 * 1_000_000;
const FASTEST_BPS: u64 = 100_000_000_000;
const LARGEST_BYTES: u64 = 1 << 30;

impl Quantity for Duration {
    const FORMAT: &'static str = "callproof-duration";
    const NOUN: &'static str = "a duration";
    const EXAMPLE: &'static str = "1.5s";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)? ?(us|ms|s|min)$";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let micros = amount::<Self>(text, DURATION_UNITS)?;
        at_most::<Self>(micros, LONGEST_US, "24 hours").map(|micros| Duration(Micros(micros)))
    }
}

impl Quantity for Rate {
    const FORMAT: &'static str = "callproof-rate";
    const NOUN: &'static str = "a rate";
    const EXAMPLE: &'static str = "600kbit/s";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)? ?(k|M|G)?bit/s$";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let bps = amount::<Self>(text, RATE_UNITS)?;
        if bps == 0 {
            return Err(refusal::<Self>("a rate of zero sends nothing, ever".into()));
        }
        at_most::<Self>(bps, FASTEST_BPS, "100 Gbit/s").map(|bps| Rate(BitRate(bps)))
    }
}

impl Quantity for LinkRate {
    const FORMAT: &'static str = "callproof-link-rate";
    const NOUN: &'static str = "a rate";
    const EXAMPLE: &'static str = "600kbit/s";
    const PATTERN: &'static str = r"^([0-9]+(\.[0-9]+)? ?(k|M|G)?bit/s|unlimited)$";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if text == "unlimited" { Ok(LinkRate(None)) } else { Rate::parse(text).map(|rate| LinkRate(Some(rate.0))) }
    }
}

impl Quantity for Share {
    const FORMAT: &'static str = "callproof-share";
    const NOUN: &'static str = "a share";
    const EXAMPLE: &'static str = "2.5%";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)? ?(%|ppm)$";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let ppm = amount::<Self>(text, SHARE_UNITS)?;
        at_most::<Self>(ppm, 1_000_000, "100 %").map(|ppm| Share(ppm as u32))
    }
}

impl Quantity for Size {
    const FORMAT: &'static str = "callproof-size";
    const NOUN: &'static str = "a size";
    const EXAMPLE: &'static str = "64kB";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)? ?(B|kB|MB|KiB|MiB)$";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let bytes = amount::<Self>(text, SIZE_UNITS)?;
        if bytes == 0 {
            return Err(refusal::<Self>("a size of zero holds nothing".into()));
        }
        at_most::<Self>(bytes, LARGEST_BYTES, "1 GiB").map(Size)
    }
}

/// Checks a text that the schema says is of this format; formats of others pass.
pub(crate) fn check(format: &str, text: &str) -> Result<(), Refusal> {
    match format {
        Duration::FORMAT => Duration::parse(text).map(drop),
        Rate::FORMAT => Rate::parse(text).map(drop),
        LinkRate::FORMAT => LinkRate::parse(text).map(drop),
        Share::FORMAT => Share::parse(text).map(drop),
        Size::FORMAT => Size::parse(text).map(drop),
        _ => Ok(()),
    }
}

/// What a format is called and an example of it, for a value that is no text.
pub(crate) fn describe(format: &str) -> Option<(&'static str, &'static str)> {
    match format {
        Duration::FORMAT => Some((Duration::NOUN, Duration::EXAMPLE)),
        Rate::FORMAT => Some((Rate::NOUN, Rate::EXAMPLE)),
        LinkRate::FORMAT => Some((LinkRate::NOUN, LinkRate::EXAMPLE)),
        Share::FORMAT => Some((Share::NOUN, Share::EXAMPLE)),
        Size::FORMAT => Some((Size::NOUN, Size::EXAMPLE)),
        _ => None,
    }
}

/// The amount in the smallest unit, exactly.
fn amount<Q: Quantity>(text: &str, units: &[(&str, u64)]) -> Result<u64, Refusal> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(refusal::<Q>(format!("{} cannot be negative", Q::NOUN)));
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let Some((_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
        let known = units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let message = if unit.is_empty() { "the unit is missing".into() } else { format!("`{unit}` is no unit of it") };
        return Err(refusal::<Q>(format!("{message}: one of {known}")));
    };
    scaled(number, *scale)
        .ok_or_else(|| refusal::<Q>(format!("`{number}` is no number that makes a whole count of {}", smallest(units))))
}

/// `number` times `scale`, when it is a decimal number and the product is whole and fits.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 9 || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let denominator = 10_u128.pow(fraction.len() as u32);
    let digits =
        whole.parse::<u128>().ok()? * denominator + if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let product = digits * u128::from(scale);
    product.is_multiple_of(denominator).then_some(product / denominator).and_then(|value| u64::try_from(value).ok())
}

fn smallest<'u>(units: &[(&'u str, u64)]) -> &'u str {
    units.iter().find(|(_, scale)| *scale == 1).map_or("units", |(name, _)| name)
}

fn at_most<Q: Quantity>(value: u64, most: u64, written: &str) -> Result<u64, Refusal> {
    if value <= most { Ok(value) } else { Err(refusal::<Q>(format!("more than {written}"))) }
}

fn refusal<Q: Quantity>(message: String) -> Refusal {
    Refusal { message, help: format!("{} is written like \"{}\"", Q::NOUN, Q::EXAMPLE) }
}

macro_rules! written_as_text {
    ($($name:ident)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $name::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string", "format": $name::FORMAT, "pattern": $name::PATTERN, "examples": [$name::EXAMPLE],
                })
            }
        }
    )*};
}

written_as_text! { Duration Rate LinkRate Share Size }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_become_exact_integers() {
        assert_eq!(Duration::parse("1.5s").unwrap().0, Micros(1_500_000));
        assert_eq!(Duration::parse("20 ms").unwrap().0, Micros(20_000));
        assert_eq!(Duration::parse("0.001ms").unwrap().0, Micros(1));
        assert_eq!(Rate::parse("1.2Mbit/s").unwrap().0, BitRate(1_200_000));
        assert_eq!(LinkRate::parse("unlimited").unwrap().0, None);
        assert_eq!(Share::parse("0.25%").unwrap().0, 2_500);
        assert_eq!(Size::parse("64KiB").unwrap().0, 65_536);
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_its_reason() {
        let reason = |refused: Result<(), Refusal>| refused.unwrap_err().message;
        assert_eq!(reason(Rate::parse("-600kbit/s").map(drop)), "a rate cannot be negative");
        assert_eq!(reason(Duration::parse("10").map(drop)), "the unit is missing: one of us, ms, s, min");
        assert_eq!(reason(Duration::parse("10 sec").map(drop)), "`sec` is no unit of it: one of us, ms, s, min");
        assert_eq!(reason(Share::parse("101%").map(drop)), "more than 100 %");
        for nonsense in ["", "ms", ".5ms", "1.ms", "1.2.3ms", "0.0001ms", "99999999999999999999s", "25000min", "½s"] {
            assert!(Duration::parse(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn every_example_is_of_its_kind_and_fits_its_pattern_start() {
        for format in [Duration::FORMAT, Rate::FORMAT, LinkRate::FORMAT, Share::FORMAT, Size::FORMAT] {
            let (_, example) = describe(format).unwrap();
            assert!(check(format, example).is_ok(), "{format}");
        }
    }
}
