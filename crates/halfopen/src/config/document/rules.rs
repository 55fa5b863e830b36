//! The rules of a document: a list, or a map for those who have each kind once.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::Trip;
use crate::config;

pub(super) struct Rules(pub(super) Vec<config::Trip>);

/// The keys of a map, which are the tags of a list.
#[derive(Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    ConsecutiveFailures,
    FailureCount,
    FailureRate,
    SlowCallRate,
}

impl Name {
    fn rule<'de, A: MapAccess<'de>>(self, map: &mut A) -> Result<Trip, A::Error> {
        Ok(match self {
            Name::ConsecutiveFailures => Trip::ConsecutiveFailures(map.next_value()?),
            Name::FailureCount => Trip::FailureCount(map.next_value()?),
            Name::FailureRate => Trip::FailureRate(map.next_value()?),
            Name::SlowCallRate => Trip::SlowCallRate(map.next_value()?),
        })
    }
}

// A list, for it holds what a map cannot: two rules of one kind, and their order.
impl Serialize for Rules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rules, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Rules;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("trip rules, as a list or a map, such as { failure_rate = { threshold = 0.5 } }")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rules: A) -> Result<Rules, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(rules)).map(Rules)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rules, A::Error> {
        let (mut names, mut rules) = (Vec::new(), Vec::new());
        while let Some(name) = map.next_key::<Name>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(
                    "`trip` has a rule twice, must be a list: a map has each rule once",
                ));
            }
            names.push(name);
            rules.push(name.rule(&mut map)?.into());
        }
        Ok(Rules(rules))
    }
}
