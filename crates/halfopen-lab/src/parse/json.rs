//! Lines that are JSON objects.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::Fields;
use super::{LineError, Options};

/// Parses an object with named fields; objects in it are ignored.
pub(crate) fn line<'a>(line: &'a str, options: &Options) -> Result<Fields<'a>, LineError> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let fields = deserializer.deserialize_map(Object(options)).map_err(|error| LineError::json(&error))?;
    deserializer.end().map_err(|error| LineError::json(&error))?;
    Ok(fields)
}

struct Object<'o>(&'o Options);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let Some((field, unit)) = self.0.known(&name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            // As it is written: a number is not converted to one of the machine and back.
            if let Some(value) = scalar(map.next_value::<&RawValue>()?) {
                fields.set(field, unit, value, self.0);
            }
        }
        Ok(fields)
    }
}

/// A name, borrowed unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A text, a number or a truth value as text; [`None`] for everything else.
fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    let written = raw.get();
    match written.as_bytes().first()? {
        b'"' if !written.contains('\\') => Some(Cow::Borrowed(&written[1..written.len() - 1])),
        b'"' => serde_json::from_str(written).ok().map(Cow::Owned),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(written)),
    }
}
