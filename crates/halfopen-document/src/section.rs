use std::any::{Any, TypeId};
use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{Fields, Group, Node, Origin, Path, Problem, Reader};

/// A [`Group`] with a key of its own, defined by the crate that acts on it.
///
/// A loader that knows the section reads, overlays, explains and checks it like the keys of its own: from the
/// document, from environment variables, and from the program.
///
/// # Examples
///
/// ```
/// use halfopen_document::{Lint, Scope, Section, group, scalar};
///
/// group! {
///     /// The group `pool`: how many connections are open.
///     Pool, expected "a pool such as { size: 5 }"
///     values {
///         /// The number of connections.
///         size: u32 = scalar::positive,
///         /// The number of connections that stay open while idle.
///         idle: u32 = scalar::count,
///     }
/// }
///
/// impl Section for Pool {
///     const KEY: &'static str = "pool";
///     const SCOPE: Scope = Scope::Entry;
///
///     fn lint(&self, lint: &mut Lint<'_>) {
///         if let (Some(size), Some(idle)) = (&self.size, &self.idle)
///             && idle.value > size.value
///         {
///             lint.error(idle.origin(), |path| format!("`{path}` is {}, but must be at most `size`", idle.value));
///         }
///     }
/// }
/// ```
pub trait Section: Group + Clone + PartialEq + fmt::Debug + Serialize + Send + Sync + 'static {
    /// The key of the section.
    const KEY: &'static str;

    /// Where the key belongs.
    const SCOPE: Scope = Scope::Entry;

    /// Reports problems of the values that all layers together give.
    fn lint(&self, lint: &mut Lint<'_>) {
        let _ = lint;
    }

    /// Returns the JSON Schema of the section; by default one that accepts every value.
    #[cfg(feature = "schema")]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let _ = generator;
        schemars::json_schema!({ "description": format!("The section `{}`.", Self::KEY) })
    }
}

/// Where the key of a [`Section`] belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// At the top of the document.
    Document,
    /// Wherever an entry is described: under its name, in `defaults`, in templates and in environments.
    Entry,
}

/// The kinds of [`Section`]s that a loader knows.
#[derive(Clone, Debug, Default)]
pub struct SectionKinds(Vec<SectionKind>);

/// One kind of [`Section`]: its key, and how to read it.
#[derive(Clone, Copy, Debug)]
pub struct SectionKind {
    key: &'static str,
    keys: &'static [&'static str],
    scope: Scope,
    read: fn(&Node, &mut Reader<'_>) -> Box<dyn AnySection>,
    #[cfg(feature = "schema")]
    schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

impl SectionKinds {
    /// Creates an empty set.
    pub const fn new() -> SectionKinds {
        SectionKinds(Vec::new())
    }

    /// Adds a kind; it replaces one of the same key and scope.
    #[must_use]
    pub fn with<T: Section>(mut self) -> SectionKinds {
        // A kind that is added again replaces the former one, so that one key is read once.
        self.0.retain(|kind| kind.key != T::KEY || kind.scope != T::SCOPE);
        self.0.push(SectionKind {
            key: T::KEY,
            keys: T::KEYS,
            scope: T::SCOPE,
            read: |node, reader| Box::new(<T as Group>::read(node, reader)),
            #[cfg(feature = "schema")]
            schema: T::schema,
        });
        self
    }

    /// Returns the kinds of a scope, in the order in which they were added.
    pub fn of(&self, scope: Scope) -> impl Iterator<Item = &SectionKind> + Clone {
        self.0.iter().filter(move |kind| kind.scope == scope)
    }

    /// Returns the kind of this key.
    pub fn get(&self, scope: Scope, key: &str) -> Option<&SectionKind> {
        self.of(scope).find(|kind| kind.key == key)
    }
}

impl SectionKind {
    /// Returns the key of the section.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// Returns the keys inside the section.
    pub fn keys(&self) -> &'static [&'static str] {
        self.keys
    }

    /// Returns the JSON Schema of the section.
    #[cfg(feature = "schema")]
    pub fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        (self.schema)(generator)
    }
}

/// The values of all [`Section`]s of one scope.
#[derive(Debug, Default)]
pub struct Sections(Vec<Box<dyn AnySection>>);

impl Sections {
    /// No section.
    pub const EMPTY: Sections = Sections(Vec::new());

    /// Reads the sections of a scope that the reader knows, and removes their keys from `fields`.
    pub fn read(scope: Scope, fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Sections {
        let mut sections = Sections::default();
        for kind in reader.sections().of(scope) {
            if let Some(node) = fields.node(kind.key) {
                sections.add(reader.within(kind.key, |reader| (kind.read)(node, reader)));
            }
        }
        sections
    }

    /// Reads one section whose key is known already, as that of an environment variable.
    pub fn read_one(kind: &SectionKind, node: &Node, reader: &mut Reader<'_>) -> Sections {
        let mut sections = Sections::default();
        sections.add((kind.read)(node, reader));
        sections
    }

    // A section without a value is the same as none, so that documents that mean the same are equal.
    fn add(&mut self, section: Box<dyn AnySection>) {
        if !section.has_no_value() {
            self.0.push(section);
        }
    }

    /// Returns the values of a section, or [`None`] if no layer sets any.
    pub fn get<T: Section>(&self) -> Option<&T> {
        self.0.iter().find_map(|section| section.as_any().downcast_ref())
    }

    /// Replaces each value that a higher layer sets.
    pub fn overlay(&mut self, upper: &Sections) {
        for upper in &upper.0 {
            match self.0.iter_mut().find(|section| section.kind() == upper.kind()) {
                // By type and not by key: two scopes may use one key for different sections.
                Some(section) => section.overlay_any(upper.as_any()),
                None => self.0.push(upper.boxed()),
            }
        }
    }

    /// Returns true if no section has a value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Visits every value, with its path and origin.
    pub fn visit(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin)) {
        for section in &self.0 {
            path.within(section.key(), |path| section.visit_any(path, visit));
        }
    }

    /// Runs the checks of every section; `context` holds the values of [`Lint::get`].
    pub fn lint(&self, subject: &str, context: &[&dyn Any], problems: &mut Vec<Problem>) {
        for section in &self.0 {
            section.lint_any(&mut Lint { subject, sections: self, context, problems });
        }
    }
}

impl Clone for Sections {
    fn clone(&self) -> Sections {
        Sections(self.0.iter().map(|section| section.boxed()).collect())
    }
}

impl PartialEq for Sections {
    fn eq(&self, other: &Sections) -> bool {
        // Each kind stands in it once, in an order that depends on the layers.
        self.0.len() == other.0.len()
            && self.0.iter().all(|section| other.0.iter().any(|other| section.equals(other.as_any())))
    }
}

/// As a map from the key of each section to its values.
impl Serialize for Sections {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.serialize_entries(&mut map)?;
        map.end()
    }
}

impl Sections {
    /// Writes the key and the values of each section into a map.
    ///
    /// # Errors
    ///
    /// Those of the map.
    pub fn serialize_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        use serde::ser::Error;

        self.0.iter().try_for_each(|section| {
            let value = section.to_json().map_err(M::Error::custom)?;
            map.serialize_entry(section.key(), &value)
        })
    }
}

/// The context of a check: the sections beside the checked one, and the values that the loader provides.
pub struct Lint<'a> {
    subject: &'a str,
    sections: &'a Sections,
    context: &'a [&'a dyn Any],
    problems: &'a mut Vec<Problem>,
}

impl<'a> Lint<'a> {
    /// Returns the path that the section belongs to, such as `breakers.payments`; empty for the document.
    pub fn subject(&self) -> &'a str {
        self.subject
    }

    /// Returns another section of the same entry.
    pub fn section<T: Section>(&self) -> Option<&'a T> {
        self.sections.get()
    }

    /// Returns a value that the loader provides, such as the settings of the entry in `halfopen-config`.
    pub fn get<T: 'static>(&self) -> Option<&'a T> {
        self.context.iter().find_map(|value| value.downcast_ref())
    }

    /// Reports an error at the place of a value; `message` is given the path of its key.
    pub fn error(&mut self, origin: &Origin, message: impl FnOnce(&str) -> String) {
        let path = self.path(origin);
        let message = message(&path);
        self.report(Problem::error(path, message).at_origin(origin));
    }

    /// Reports a warning at the place of a value; `message` is given the path of its key.
    pub fn warn(&mut self, origin: &Origin, message: impl FnOnce(&str) -> String) {
        let path = self.path(origin);
        let message = message(&path);
        self.report(Problem::warning(path, message).at_origin(origin));
    }

    /// Reports any other problem. Without a place it gets that of the entry.
    pub fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn path(&self, origin: &Origin) -> String {
        if origin.path().is_empty() { self.subject.to_owned() } else { origin.path().to_owned() }
    }
}

impl fmt::Debug for Lint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lint").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// A [`Section`] behind a pointer.
trait AnySection: fmt::Debug + Send + Sync {
    fn key(&self) -> &'static str;
    fn kind(&self) -> TypeId;
    fn as_any(&self) -> &dyn Any;
    fn boxed(&self) -> Box<dyn AnySection>;
    fn overlay_any(&mut self, upper: &dyn Any);
    fn equals(&self, other: &dyn Any) -> bool;
    fn has_no_value(&self) -> bool;
    fn visit_any(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin));
    fn lint_any(&self, lint: &mut Lint<'_>);
    fn to_json(&self) -> Result<serde_json::Value, serde_json::Error>;
}

impl<T: Section> AnySection for T {
    fn key(&self) -> &'static str {
        T::KEY
    }

    fn kind(&self) -> TypeId {
        TypeId::of::<T>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn boxed(&self) -> Box<dyn AnySection> {
        Box::new(self.clone())
    }

    fn overlay_any(&mut self, upper: &dyn Any) {
        // Always so: sections are paired by their type above.
        if let Some(upper) = upper.downcast_ref::<T>() {
            self.overlay(upper);
        }
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>() == Some(self)
    }

    fn has_no_value(&self) -> bool {
        self.is_empty()
    }

    fn visit_any(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin)) {
        self.visit(path, visit);
    }

    fn lint_any(&self, lint: &mut Lint<'_>) {
        self.lint(lint);
    }

    fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}
