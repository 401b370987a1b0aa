//! The seeds that a scenario runs with: `"1"`, `"1..21"`, `[3, 5]`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt, str::FromStr};

/// Seeds in the order in which they run; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(Vec<u64>);

/// The most seeds that one list names.
const MOST: u64 = 1_000_000;

impl Seeds {
    /// The seeds.
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }
}

impl Default for Seeds {
    /// Seed 1.
    fn default() -> Self {
        Seeds(vec![1])
    }
}

/// The text names no seeds.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` names no seeds: write one as 7, a range as 1..21 (without its end) or 1..=20")]
pub struct InvalidSeeds(String);

impl FromStr for Seeds {
    type Err = InvalidSeeds;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || InvalidSeeds(text.into());
        let number = |digits: &str| digits.trim().parse::<u64>().map_err(|_| refuse());
        let Some((first, last)) = text.split_once("..") else {
            return Ok(Seeds(vec![number(text)?]));
        };
        let (first, end) = match last.strip_prefix('=') {
            Some(last) => (number(first)?, number(last)?.checked_add(1).ok_or_else(refuse)?),
            None => (number(first)?, number(last)?),
        };
        if first >= end || end - first > MOST {
            return Err(refuse());
        }
        Ok(Seeds((first..end).collect()))
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeedsVisitor)
    }
}

struct SeedsVisitor;

impl<'de> Visitor<'de> for SeedsVisitor {
    type Value = Seeds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a seed, a range of seeds or a list of seeds")
    }

    fn visit_i64<E: Error>(self, seed: i64) -> Result<Seeds, E> {
        u64::try_from(seed).map(|seed| Seeds(vec![seed])).map_err(|_| E::custom("a seed cannot be negative"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Seeds, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seeds, A::Error> {
        let mut seeds = Vec::new();
        while let Some(seed) = list.next_element()? {
            seeds.push(seed);
        }
        if seeds.is_empty() { Err(A::Error::custom("a list of seeds is not empty")) } else { Ok(Seeds(seeds)) }
    }
}

impl JsonSchema for Seeds {
    fn schema_name() -> Cow<'static, str> {
        "Seeds".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "format": FORMAT, "pattern": r"^[0-9]+(\.\.=?[0-9]+)?$", "examples": ["1", "1..21"] },
            { "type": "array", "items": { "type": "integer", "minimum": 0 }, "minItems": 1 },
        ] })
    }
}

/// How the schema names a text of seeds.
pub(crate) const FORMAT: &str = "callproof-seeds";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_leaves_its_end_out_unless_it_says_so() {
        assert_eq!("1..4".parse::<Seeds>().unwrap().as_slice(), [1, 2, 3]);
        assert_eq!("1..=4".parse::<Seeds>().unwrap().as_slice(), [1, 2, 3, 4]);
        assert_eq!("7".parse::<Seeds>().unwrap().as_slice(), [7]);
        for wrong in ["", "x", "4..4", "4..1", "-1", "0..=18446744073709551615", "0..99999999"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }
}
