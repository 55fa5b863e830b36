use halfopen_document::{
    DocumentError, Entry, Fields, Format, Group, Layer, Located, Node, Path, Problem, Reader, Scope,
    SectionKinds, Sections, Source, SourceKind, Span, Value, parse, scalar, suggest,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use halfopen::adapter::is_printable;
use serde::Serialize;

use super::{BreakerSection, Route, foreign, host, limits, reserved};

/// A document as written: the settings of breakers, each with its place.
///
/// Only its form has been checked. A [`Configuration`](crate::Configuration) combines it with templates,
/// environments and the values of other layers. Any serializer can write it; it writes flat keys as the groups
/// that they stand for. Two documents are equal if their values are, wherever these are written.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields, description = "A document of many breakers.", transform = crate::schema::or_other_keys))]
#[non_exhaustive]
pub struct Document {
    /// The values of every breaker that no closer layer sets.
    #[serde(skip_serializing_if = "Group::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub defaults: BreakerSection,
    /// Named sets of values, for breakers that set `template`. One that has the name of a template shipped with
    /// the library replaces it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub templates: BTreeMap<String, Template>,
    /// The values that differ in an environment, such as `production`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub environments: BTreeMap<String, BreakerSection>,
    /// The breakers by name, or by a prefix and a star, such as `db-*`. A whole name takes precedence over a
    /// prefix, and a longer prefix over a shorter one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub breakers: BTreeMap<String, BreakerSection>,
    /// The routes of a server by their paths, in the syntax of its router.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub routes: BTreeMap<String, Route>,
    /// The sections of other crates at the top of the document.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub sections: Sections,
    /// The place of each name, by the key that it lies under.
    #[serde(skip)]
    names: BTreeMap<&'static str, HashMap<String, Span>>,
}

/// A template: the values of one breaker, and the template that it extends.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[non_exhaustive]
pub struct Template {
    /// The template whose values this one overrides; that one must not extend another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<Located<String>>,
    /// The values of the template itself.
    #[serde(flatten)]
    pub section: BreakerSection,
}

const EXPECTED: &str = "a map with the keys defaults, templates, environments and breakers";

impl PartialEq for Document {
    fn eq(&self, other: &Document) -> bool {
        self.defaults == other.defaults
            && self.templates == other.templates
            && self.environments == other.environments
            && self.breakers == other.breakers
            && self.routes == other.routes
            && self.sections == other.sections
    }
}

impl Document {
    /// Parses a document; `name` is its name in messages, such as the path of the file.
    ///
    /// # Errors
    ///
    /// Returns all unknown keys, values of the wrong kind and duplicate keys together. Values that are out of
    /// range are found when the document becomes a [`Configuration`](crate::Configuration).
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::{Document, Format};
    ///
    /// let text = "[breakers.payments.open]\nduration = '30s'\n";
    /// let document = Document::parse("breakers.toml", Format::Toml, text)?;
    /// let wait = document.breakers["payments"].open.duration.as_ref().unwrap();
    /// assert_eq!(wait.value.to_string(), "30s");
    /// assert_eq!(wait.origin().to_string(), "breakers.payments.open.duration, breakers.toml:2:12");
    /// # Ok::<(), halfopen_config::DocumentError>(())
    /// ```
    pub fn parse(name: &str, format: Format, text: &str) -> Result<Document, DocumentError> {
        let mut problems = Vec::new();
        let document = Document::read(
            &Source::new(SourceKind::File, name, text),
            format,
            reserved::kinds(),
            &mut problems,
        );
        if problems.iter().any(Problem::is_error) {
            return Err(DocumentError::new(Problem::sorted(problems)));
        }
        Ok(document)
    }

    /// Parses a document, and adds its problems to those found so far.
    pub(crate) fn read(
        source: &Arc<Source>,
        format: Format,
        sections: &SectionKinds,
        problems: &mut Vec<Problem>,
    ) -> Document {
        match parse(format, source) {
            Ok(root) => Document::of(&root, sections, problems),
            Err(unreadable) => {
                problems.extend(unreadable);
                Document::default()
            }
        }
    }

    /// Returns the place of a name under a key such as `breakers`.
    pub(crate) fn span(&self, key: &str, name: &str) -> Option<&Span> {
        self.names.get(key)?.get(name)
    }

    fn of(root: &Node, sections: &SectionKinds, problems: &mut Vec<Problem>) -> Document {
        let mut reader = Reader::new(Layer::Defaults, Path::default(), problems).with_sections(sections);
        // `name` makes it a document of one breaker, whose keys then stand at the top.
        let is_named = |entries: &[Entry]| entries.iter().any(|entry| entry.key == "name");
        match &root.value {
            Value::Map(entries) if is_named(entries) => Document::of_one(root, &mut reader),
            // An empty document is more likely a file half written than intended, and would remove every breaker
            // of a program that follows it.
            Value::Null => {
                let nothing = Node { value: Value::Null, span: Span::whole(root.span.source()) };
                let instead = "write `breakers` with nothing in it if there are none";
                reader.mismatch_because::<()>(&nothing, EXPECTED, Some(instead.into()));
                Document::default()
            }
            _ => Document::of_many(root, &mut reader),
        }
    }

    fn of_many(root: &Node, reader: &mut Reader<'_>) -> Document {
        let mut document = Document::default();
        let mut fields = reader.fields(root, EXPECTED);
        document.defaults = fields.group("defaults", reader, BreakerSection::read);
        let names = &mut document.names;
        let templates = fields.node("templates");
        document.templates = named(templates, "templates", names, reader, |node, reader| {
            reader.as_layer(Layer::Template, |reader| Template::read(node, reader))
        });
        let environments = fields.node("environments");
        document.environments = named(environments, "environments", names, reader, |node, reader| {
            reader.as_layer(Layer::Environment, |reader| BreakerSection::read(node, reader))
        });
        let breakers = fields.node("breakers");
        document.breakers = named(breakers, "breakers", names, reader, |node, reader| {
            reader.as_layer(Layer::Entry, |reader| BreakerSection::read(node, reader))
        });
        document.routes = limits::routes(fields.node("routes"), reader);
        // For editors, and for anchors that a document wants to keep somewhere.
        fields.skip(|key| key == "$schema" || key.starts_with("x-"));
        document.sections = Sections::read(Scope::Document, &mut fields, reader);
        let sections = reader.sections();
        fields.finish_with(reader, |_, entry| elsewhere(entry, sections));
        document
    }

    /// Reads a document of one breaker, which has its name beside its keys.
    fn of_one(root: &Node, reader: &mut Reader<'_>) -> Document {
        let mut fields = reader.fields(root, "the keys of a breaker");
        let place = root_key(root, "name");
        let name = fields.take("name", reader, name);
        fields.skip(|key| key == "$schema" || key.starts_with("x-"));
        let sections = Sections::read(Scope::Document, &mut fields, reader);
        // What the document has not taken is the breaker's, unknown keys included, which are reported as its own.
        let rest = fields.remaining().into_iter().cloned().collect();
        let node = Node { value: Value::Map(rest), span: root.span.clone() };
        let path = name.as_ref().map_or("breaker", |name| name.value.as_str()).to_owned();
        let section = reader.as_layer(Layer::Entry, |reader| {
            reader.within("breakers", |reader| {
                reader.within(&path, |reader| BreakerSection::read(&node, reader))
            })
        });
        let mut document = Document { sections, ..Document::default() };
        if let Some(name) = name {
            let place = place.map(|place| (name.value.clone(), place));
            document.names.entry("breakers").or_default().extend(place);
            document.breakers.insert(name.value, section);
        }
        document
    }
}

impl Template {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Template {
        let Value::Map(entries) = &node.value else {
            return Template { extends: None, section: BreakerSection::read(node, reader) };
        };
        let (own, rest): (Vec<Entry>, Vec<Entry>) =
            entries.iter().cloned().partition(|entry| entry.key == "extends");
        let part = |entries| Node { value: Value::Map(entries), span: node.span.clone() };
        let own = part(own);
        let mut fields: Fields<'_> = reader.fields(&own, "a template");
        let extends = fields.take("extends", reader, scalar::text);
        Template { extends, section: BreakerSection::read(&part(rest), reader) }
    }
}

/// Reads a map whose keys are names.
fn named<T>(
    node: Option<&Node>,
    key: &'static str,
    places: &mut BTreeMap<&'static str, HashMap<String, Span>>,
    reader: &mut Reader<'_>,
    read: impl Fn(&Node, &mut Reader<'_>) -> T,
) -> BTreeMap<String, T> {
    let Some(node) = node else { return BTreeMap::new() };
    reader.within(key, |reader| {
        let entries = reader.fields(node, &format!("a map whose keys are the names of {key}")).remaining();
        let places = places.entry(key).or_default();
        places.reserve(entries.len());
        let read = entries.into_iter().filter_map(|entry| {
            places.insert(entry.key.clone(), entry.key_span.clone());
            reader.within(&entry.key, |reader| {
                let is_breaker = key == "breakers";
                if !is_name(&entry.key, &entry.key_span, is_breaker, reader) {
                    return None;
                }
                if is_breaker {
                    warn_of_a_host(&entry.key, &entry.key_span, reader);
                }
                Some((entry.key.clone(), read(&entry.node, reader)))
            })
        });
        read.collect()
    })
}

fn name(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let name = scalar::text(node, reader)?;
    is_name(&name, &node.span, true, reader).then_some(name)
}

/// The longest name, in characters.
const LONGEST_NAME: usize = 256;

/// Returns true for a valid name, and reports any other; that of a breaker may end with a star.
pub(crate) fn is_name(name: &str, place: &Span, is_pattern: bool, reader: &mut Reader<'_>) -> bool {
    let Some((expected, why)) = fault(name, is_pattern) else { return true };
    let node = Node { value: Value::Text(name.to_owned()), span: place.clone() };
    reader.mismatch_because::<()>(&node, &expected, why);
    false
}

/// Returns the requirement that a name does not meet, with the reason if the name does not show it.
fn fault(name: &str, is_pattern: bool) -> Option<(Cow<'static, str>, Option<String>)> {
    let stem = if is_pattern { name.strip_suffix('*').unwrap_or(name) } else { name };
    if name.is_empty() {
        return Some(("a name".into(), None));
    }
    // A name is printed in logs, tables and metrics, where such characters would forge lines.
    if let Some(steering) = name.chars().find(|c| !is_printable(*c)) {
        let why = format!(
            "it has the character {}, which ends a line or steers a terminal",
            steering.escape_default()
        );
        return Some(("a name without control or bidirectional characters".into(), Some(why)));
    }
    if name.chars().nth(LONGEST_NAME).is_some() {
        return Some((format!("a name of at most {LONGEST_NAME} characters").into(), None));
    }
    let expected =
        if is_pattern { "a name, or a prefix with one `*` at its end" } else { "a name without `*`" };
    stem.contains('*').then(|| (expected.into(), None))
}

/// Warns of a name that looks like a server but differs from the name of its per-host breaker.
fn warn_of_a_host(name: &str, place: &Span, reader: &mut Reader<'_>) {
    let Some(key) = host::per_host_name(name) else { return };
    let path = reader.path().to_owned();
    let message = format!("`{path}` is no name of a per-host breaker, which is `{key}` for this server");
    let help = "one trailing dot and the scheme's own port are dropped, and letters are lowered";
    reader.report(Problem::warning(path, message).at(place.clone()).help(help));
}

fn root_key(root: &Node, key: &str) -> Option<Span> {
    let Value::Map(entries) = &root.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| entry.node.span.clone())
}

/// Returns the place of a key that belongs elsewhere than at the top of a document.
fn elsewhere(entry: &Entry, sections: &SectionKinds) -> Option<String> {
    let key = &entry.key;
    let is_of_a_breaker = |key: &str| BreakerSection::keys(sections).any(|known| known == key);
    if is_of_a_breaker(key) {
        return Some(format!(
            "`{key}` belongs to a breaker: write it in `breakers.NAME`, in `defaults`, or put `name: NAME` beside it for a document of one breaker"
        ));
    }
    if let Some(advice) = foreign::advice("", entry) {
        return Some(format!("{advice}, in `breakers.NAME` or in `defaults`"));
    }
    let Value::Map(entries) = &entry.node.value else { return None };
    // A misspelt key of the document also has keys of breakers below it, but the suggestion for it is better.
    let is_slip =
        suggest::nearest(key, ["defaults", "templates", "environments", "breakers", "routes"], 0).is_some();
    let is_breaker = !is_slip && entries.iter().any(|entry| is_of_a_breaker(&entry.key));
    is_breaker.then(|| format!("`{key}` looks like a breaker: write it below `breakers`"))
}
