use std::sync::Arc;
use std::time::Duration;

use crate::display::quoted;
use crate::document::{Group, Section, read_name};
use crate::reader::{Reader, scalar};
use crate::source::{Place, Source, SourceKind};
use crate::tree::{self, Entry, Node, Value};
use crate::written::Layer;
use crate::{Format, Period, Problem};

/// Some values of a breaker, said by the program: they go before everything that is written.
///
/// The keys are those of a document, and are checked like those.
///
/// # Examples
///
/// ```
/// use halfopen_config::{Format, Loader, Partial};
/// use std::time::Duration;
///
/// let patient = Partial::new().set("open.duration", Duration::from_secs(5)).set("trip.failure_rate.threshold", 0.7);
/// let configuration = Loader::new()
///     .text("breakers.yaml", Format::Yaml, "breakers: { payments: { open: { duration: 30s } } }")
///     .set("payments", patient)
///     .load()?;
/// let wait = configuration.settings("payments").explain().get("open.duration").unwrap().clone();
/// assert_eq!(wait.value(), "5s");
/// assert_eq!(wait.origin().to_string(), "the program, open.duration");
/// # Ok::<(), halfopen_config::DocumentError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Partial {
    values: Vec<(String, String)>,
    texts: Vec<(Format, String)>,
}

/// A value of a [`Partial`]; durations, numbers, words and truths become one by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(String);

impl Partial {
    /// Nothing yet.
    pub fn new() -> Partial {
        Partial::default()
    }

    /// Sets the value of a key, such as `open.duration`; a list is written with commas.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<Setting>) -> Partial {
        self.values.push((key.into(), value.into().0));
        self
    }

    /// Adds values as a document has them below a breaker's name.
    pub fn text(mut self, format: Format, text: impl Into<String>) -> Partial {
        self.texts.push((format, text.into()));
        self
    }

    /// What it says of this name, all of it read for its form.
    pub(crate) fn into_section(self, name: &str, problems: &mut Vec<Problem>) -> Section {
        check_name(name, problems);
        let mut section = Section::default();
        for (format, text) in self.texts {
            match tree::parse(format, &Source::new(SourceKind::Code, format!("values of `{name}`"), text)) {
                Ok(node) => {
                    section.overlay(&Section::read(&node, &mut Reader::new(Layer::Code, &[name], problems)));
                }
                Err(unreadable) => problems.extend(unreadable),
            }
        }
        for (key, value) in self.values {
            let text = format!("{key} = {value}");
            let source = Source::new(SourceKind::Code, &key, &text);
            let place = Place::new(&source, key.len() + 3, text.len());
            match keys(&key, ".", &source, 0) {
                Ok(keys) => {
                    let node = nested(&keys, &value, &place);
                    section.overlay(&Section::read(&node, &mut Reader::new(Layer::Code, &[name], problems)));
                }
                Err(too_deep) => problems.push(too_deep),
            }
        }
        section
    }
}

fn check_name(name: &str, problems: &mut Vec<Problem>) {
    let place = Place::new(&Source::new(SourceKind::Code, "name of a breaker", name), 0, name.len());
    let node = Node { value: Value::Text(name.to_owned()), place };
    read_name(&node, true, &mut Reader::new(Layer::Code, &[name], problems));
}

/// Returns the keys of a path, each with its place in the source, in which the path begins at `start`.
///
/// # Errors
///
/// If there are more than a document may nest: each level is a call of the reader.
pub(super) fn keys(
    path: &str,
    between: &str,
    source: &Arc<Source>,
    mut start: usize,
) -> Result<Vec<(String, Place)>, Problem> {
    if path.matches(between).nth(tree::DEPTH).is_some() {
        let message = format!("`{}` nests more than {} levels of keys", quoted(&source.name), tree::DEPTH);
        return Err(Problem::error(quoted(&source.name), message).at(Place::new(
            source,
            start,
            start + path.len(),
        )));
    }
    let parts = path.split(between).map(|key| {
        let place = Place::new(source, start, start + key.len());
        start += key.len() + between.len();
        (key.to_owned(), place)
    });
    Ok(parts.collect())
}

/// A value below keys.
pub(super) fn nested(keys: &[(String, Place)], value: &str, place: &Place) -> Node {
    let value = Node { value: scalar::plain(value), place: place.clone() };
    keys.iter().rev().fold(value, |node, (key, key_place)| {
        let entry = Entry { key: key.clone(), key_place: key_place.clone(), node };
        Node { value: Value::Map(vec![entry]), place: place.clone() }
    })
}

impl From<Duration> for Setting {
    fn from(duration: Duration) -> Setting {
        Setting(Period(duration).to_string())
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Setting {
        Setting(text.to_owned())
    }
}

macro_rules! settings {
    ($($type:ty)*) => { $(
        impl From<$type> for Setting {
            fn from(value: $type) -> Setting {
                Setting(value.to_string())
            }
        }
    )* };
}

settings!(String Period bool i32 i64 u32 u64);

impl From<f64> for Setting {
    /// With its point, as `1` would be taken for a percentage by a reader.
    fn from(value: f64) -> Setting {
        Setting(format!("{value:?}"))
    }
}
