//! The window: a map with the key of one form, or `"unbounded"`.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::config;
use crate::config::WindowKind;
use crate::config::duration::Text;

pub(in crate::config) struct Window(config::Window);

const EXPECTED: &str = "a window such as { last_calls = 100 } or { last = { duration = \"10s\" } }";

/// The default length of a time window.
const SECONDS: u64 = 10;

#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Forms {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tumbling: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unbounded: Option<bool>,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a window of time such as { duration = \"10s\", buckets = 10 }"
)]
struct Last {
    duration: Option<Text>,
    buckets: Option<u32>,
}

impl Forms {
    /// Returns the window if at most one form is present, and an error that names two of them otherwise.
    fn one(self) -> Result<config::Window, String> {
        let unbounded = match self.unbounded {
            Some(true) => Some(config::Window::unbounded()),
            Some(false) => return Err("`window.unbounded` is false, but must be true".into()),
            None => None,
        };
        let forms = [
            ("last_calls", self.last_calls.map(config::Window::last_calls)),
            ("last", self.last.map(Last::window)),
            ("tumbling", self.tumbling.map(|interval| config::Window::tumbling(interval.0))),
            ("unbounded", unbounded),
        ];
        let mut written = forms.into_iter().filter_map(|(key, window)| Some((key, window?)));
        match (written.next(), written.next()) {
            (Some((_, window)), None) => Ok(window),
            (Some((first, _)), Some((second, _))) => {
                Err(format!("`window` is both `{first}` and `{second}`, but must be one of them"))
            }
            (None, _) => Ok(Last::default().window()),
        }
    }
}

impl Last {
    fn window(self) -> config::Window {
        let duration = self.duration.map_or(std::time::Duration::from_secs(SECONDS), |duration| duration.0);
        let window = config::Window::last(duration);
        self.buckets.map_or(window, |buckets| window.buckets(buckets))
    }
}

impl From<Window> for config::Window {
    fn from(written: Window) -> config::Window {
        written.0
    }
}

impl From<config::Window> for Window {
    fn from(window: config::Window) -> Window {
        Window(window)
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let forms = match self.0.kind() {
            WindowKind::LastCalls { calls } => Forms { last_calls: Some(calls), ..Forms::default() },
            WindowKind::Last { duration, buckets } => {
                let last = Last { duration: Some(Text(duration)), buckets: Some(buckets) };
                Forms { last: Some(last), ..Forms::default() }
            }
            WindowKind::Tumbling { interval } => Forms { tumbling: Some(Text(interval)), ..Forms::default() },
            WindowKind::Unbounded => return serializer.serialize_str("unbounded"),
        };
        forms.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Window, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Window;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Window, E> {
        match word {
            "unbounded" => Ok(Window(config::Window::unbounded())),
            other => Err(E::unknown_variant(other, &["last_calls", "last", "tumbling", "unbounded"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Window, A::Error> {
        let forms = Forms::deserialize(MapAccessDeserializer::new(map))?;
        forms.one().map(Window).map_err(A::Error::custom)
    }
}
