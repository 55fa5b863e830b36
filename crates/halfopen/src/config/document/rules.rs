//! The rules of a document: a list, or a map if each kind is present only once.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::{CircuitBreakerConfig, Trip};
use crate::config;

/// The rules in their serialized form.
#[derive(Default)]
pub(super) struct Rules {
    rules: Vec<Trip>,
    /// The minimum of every rate without one of its own.
    minimum_calls: Option<u32>,
    /// Whether any rule is present, even if only to turn it off: the default rules then do not apply.
    named: bool,
}

impl Rules {
    pub(super) fn list(rules: &[config::Trip]) -> Rules {
        Rules { rules: rules.iter().copied().map(Trip::from).collect(), minimum_calls: None, named: true }
    }

    /// Returns the effective rules, or [`None`] for the default.
    pub(super) fn rules(self) -> Option<Vec<config::Trip>> {
        let Rules { rules, minimum_calls, named } = self;
        match (named, minimum_calls) {
            (true, _) => {
                Some(rules.into_iter().map(|rule| rule.with_minimum(minimum_calls).into()).collect())
            }
            (false, Some(_)) => {
                let default = CircuitBreakerConfig::default();
                let rules = default.trip().iter().copied().map(Trip::from);
                Some(rules.map(|rule| rule.without_minimum().with_minimum(minimum_calls).into()).collect())
            }
            (false, None) => None,
        }
    }
}

impl Trip {
    fn with_minimum(mut self, minimum: Option<u32>) -> Trip {
        if let Some(own) = self.minimum_mut() {
            *own = own.or(minimum);
        }
        self
    }

    fn without_minimum(mut self) -> Trip {
        if let Some(own) = self.minimum_mut() {
            *own = None;
        }
        self
    }

    fn minimum_mut(&mut self) -> Option<&mut Option<u32>> {
        match self {
            Trip::FailureRate(rate) => Some(&mut rate.minimum_calls),
            Trip::SlowCallRate(rate) => Some(&mut rate.minimum_calls),
            Trip::ConsecutiveFailures(_) | Trip::FailureCount(_) => None,
        }
    }
}

/// The keys of a map; all but the last are also the tags in a list.
#[derive(Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    ConsecutiveFailures,
    FailureCount,
    FailureRate,
    SlowCallRate,
    MinimumCalls,
}

// As a list, because a map cannot contain two rules of one kind, nor their order.
impl Serialize for Rules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rules.serialize(serializer)
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
        let rules = Vec::deserialize(SeqAccessDeserializer::new(rules))?;
        Ok(Rules { rules, minimum_calls: None, named: true })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rules, A::Error> {
        let (mut names, mut read) = (Vec::new(), Rules::default());
        while let Some(name) = map.next_key::<Name>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(
                    "`trip` has a rule twice, but must be a list: a map has each rule once",
                ));
            }
            names.push(name);
            let rule = match name {
                Name::MinimumCalls => {
                    read.minimum_calls = Some(map.next_value()?);
                    continue;
                }
                Name::ConsecutiveFailures => map.next_value::<OrOff<_>>()?.0.map(Trip::ConsecutiveFailures),
                Name::FailureCount => map.next_value::<OrOff<_>>()?.0.map(Trip::FailureCount),
                Name::FailureRate => map.next_value::<OrOff<_>>()?.0.map(Trip::FailureRate),
                Name::SlowCallRate => map.next_value::<OrOff<_>>()?.0.map(Trip::SlowCallRate),
            };
            read.named = true;
            read.rules.extend(rule);
        }
        Ok(read)
    }
}

/// A rule, or `off`.
struct OrOff<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrOff<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OrOff<T>, D::Error> {
        deserializer.deserialize_any(OrOffReader(PhantomData))
    }
}

struct OrOffReader<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OrOffReader<T> {
    type Value = OrOff<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trip rule or off")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<OrOff<T>, E> {
        if on { Err(E::invalid_type(serde::de::Unexpected::Bool(on), &self)) } else { Ok(OrOff(None)) }
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<OrOff<T>, E> {
        match word {
            "off" => Ok(OrOff(None)),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<OrOff<T>, E> {
        T::deserialize(number.into_deserializer()).map(|rule| OrOff(Some(rule)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<OrOff<T>, E> {
        T::deserialize(number.into_deserializer()).map(|rule| OrOff(Some(rule)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<OrOff<T>, E> {
        T::deserialize(number.into_deserializer()).map(|rule| OrOff(Some(rule)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrOff<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|rule| OrOff(Some(rule)))
    }
}
