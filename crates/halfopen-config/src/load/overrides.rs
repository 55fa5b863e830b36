use halfopen_document::{
    Entry, Format, Group, Layer, MAX_DEPTH, Node, Path, Period, Problem, Reader, SectionKinds, Source,
    SourceKind, Span, Value, parse, quoted, scalar,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::document::{BreakerSection, is_name};

/// Values of a breaker that the program sets, with precedence over every other layer.
///
/// The keys are those of a document, and their values are checked like those of a document.
///
/// # Examples
///
/// ```
/// use halfopen_config::{Format, Loader, Overrides};
/// use std::time::Duration;
///
/// let patient = Overrides::new().set("open.duration", Duration::from_secs(5)).set("trip.failure_rate.threshold", 0.7);
/// let configuration = Loader::new()
///     .text("breakers.yaml", Format::Yaml, "breakers: { payments: { open: { duration: 30s } } }")
///     .set("payments", patient)
///     .load()?;
/// let wait = configuration.settings("payments").explain().get("open.duration").unwrap().clone();
/// assert_eq!(wait.value(), "5s");
/// assert_eq!(wait.origin().to_string(), "the program, open.duration");
/// # Ok::<(), halfopen_config::DocumentError>(())
/// ```
#[derive(Clone, Default)]
pub struct Overrides {
    values: Vec<(String, String)>,
    texts: Vec<(Format, String)>,
}

/// A value of an [`Overrides`], with conversions from durations, numbers, strings and booleans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideValue(String);

impl Overrides {
    /// Creates an empty set of values.
    pub fn new() -> Overrides {
        Overrides::default()
    }

    /// Sets the value of a key, such as `open.duration`; commas separate the items of a list.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<OverrideValue>) -> Overrides {
        self.values.push((key.into(), value.into().0));
        self
    }

    /// Adds values in the form that a document has below a breaker's name.
    pub fn text(mut self, format: Format, text: impl Into<String>) -> Overrides {
        self.texts.push((format, text.into()));
        self
    }

    /// Returns the values for this name as a section; only their form is checked.
    pub(crate) fn into_section(
        self,
        name: &str,
        sections: &SectionKinds,
        problems: &mut Vec<Problem>,
    ) -> BreakerSection {
        check_name(name, problems);
        let mut section = BreakerSection::default();
        for (format, text) in self.texts {
            match parse(format, &Source::new(SourceKind::Code, format!("values of `{name}`"), text)) {
                Ok(node) => {
                    section.overlay(&BreakerSection::read(
                        &node,
                        &mut Reader::new(Layer::Code, Path::new(&[name]), problems).with_sections(sections),
                    ));
                }
                Err(unreadable) => problems.extend(unreadable),
            }
        }
        for (key, value) in self.values {
            // The source is shown as code would be written, so that a problem can point into it.
            let text = format!("{key} = {value}");
            let source = Source::new(SourceKind::Code, &key, &text);
            let place = Span::new(&source, key.len() + 3, text.len());
            match keys(&key, ".", &source, 0) {
                Ok(keys) => {
                    let node = nested(&keys, &value, &place);
                    section.overlay(&BreakerSection::read(
                        &node,
                        &mut Reader::new(Layer::Code, Path::new(&[name]), problems).with_sections(sections),
                    ));
                }
                Err(too_deep) => problems.push(too_deep),
            }
        }
        section
    }
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without values, which may have passwords and tokens.
        let keys: Vec<_> = self.values.iter().map(|(key, _)| key).collect();
        f.debug_struct("Overrides").field("keys", &keys).field("texts", &self.texts.len()).finish()
    }
}

fn check_name(name: &str, problems: &mut Vec<Problem>) {
    let place = Span::new(&Source::new(SourceKind::Code, "name of a breaker", name), 0, name.len());
    is_name(name, &place, true, &mut Reader::new(Layer::Code, Path::new(&[name]), problems));
}

/// Returns the keys of a path, each with its place in the source, where the path starts at `start`.
///
/// # Errors
///
/// Returns an error if there are more keys than the nesting limit of a document, because the reader recurses
/// into each level.
pub(super) fn keys(
    path: &str,
    between: &str,
    source: &Arc<Source>,
    mut start: usize,
) -> Result<Vec<(String, Span)>, Problem> {
    if path.matches(between).nth(MAX_DEPTH).is_some() {
        let message = format!("`{}` nests more than {} levels of keys", quoted(source.name()), MAX_DEPTH);
        return Err(Problem::error(quoted(source.name()), message).at(Span::new(
            source,
            start,
            start + path.len(),
        )));
    }
    let parts = path.split(between).map(|key| {
        let place = Span::new(source, start, start + key.len());
        start += key.len() + between.len();
        (key.to_owned(), place)
    });
    Ok(parts.collect())
}

/// Returns a value nested below keys.
pub(super) fn nested(keys: &[(String, Span)], value: &str, span: &Span) -> Node {
    let value = Node { value: scalar::plain(value), span: span.clone() };
    keys.iter().rev().fold(value, |node, (key, key_span)| {
        let entry = Entry { key: key.clone(), key_span: key_span.clone(), node };
        Node { value: Value::Map(vec![entry]), span: span.clone() }
    })
}

impl From<Duration> for OverrideValue {
    fn from(duration: Duration) -> OverrideValue {
        OverrideValue(Period(duration).to_string())
    }
}

impl From<&str> for OverrideValue {
    fn from(text: &str) -> OverrideValue {
        OverrideValue(text.to_owned())
    }
}

macro_rules! settings {
    ($($type:ty)*) => { $(
        impl From<$type> for OverrideValue {
            fn from(value: $type) -> OverrideValue {
                OverrideValue(value.to_string())
            }
        }
    )* };
}

settings!(String Period bool i32 i64 u32 u64);

impl From<f64> for OverrideValue {
    /// With a decimal point, because a reader takes `1` for a percentage.
    fn from(value: f64) -> OverrideValue {
        OverrideValue(format!("{value:?}"))
    }
}
