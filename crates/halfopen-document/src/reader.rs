//! Reads a tree and collects the problems on the way: every value is read, and reading never stops at the first
//! problem.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use crate::display::quoted;
use crate::suggest;
use crate::{Entry, Layer, Located, Node, Origin, Path, Problem, SectionKinds, Span, Value};

/// How many known keys a message lists.
const MOST_LISTED: usize = 12;

/// The longest map whose keys are compared with each other; for longer ones they are hashed.
const FEW: usize = 8;

/// The state of reading a tree: the layer and the path that origins get, and the problems found so far.
///
/// # Examples
///
/// ```
/// use halfopen_document::{Format, Layer, Path, Reader, Source, SourceKind, parse, scalar};
///
/// let source = Source::new(SourceKind::File, "pool.yaml", "size: 5\nsiez: 6");
/// let root = parse(Format::Yaml, &source).unwrap();
/// let mut problems = Vec::new();
/// let mut reader = Reader::new(Layer::Entry, Path::new(&["pool"]), &mut problems);
///
/// let mut fields = reader.fields(&root, "a pool such as { size: 5 }");
/// let size = fields.take("size", &mut reader, scalar::positive).unwrap();
/// fields.finish(&mut reader);
///
/// assert_eq!((size.value, size.origin().to_string()), (5, "pool.size, pool.yaml:1:7".into()));
/// assert_eq!(problems[0].message(), "`pool` has no key `siez`; did you mean `size`?");
/// ```
#[derive(Debug)]
pub struct Reader<'p> {
    layer: Layer,
    path: Path,
    problems: &'p mut Vec<Problem>,
    errors: usize,
    sections: &'p SectionKinds,
}

static NO_SECTIONS: SectionKinds = SectionKinds::new();

/// The entries of a map that have not been read yet.
#[derive(Debug)]
pub struct Fields<'n> {
    entries: Vec<&'n Entry>,
    known: Vec<&'static str>,
}

impl<'p> Reader<'p> {
    /// Creates a reader of the node at `path`; problems are appended to `problems`.
    pub fn new(layer: Layer, path: Path, problems: &'p mut Vec<Problem>) -> Reader<'p> {
        Reader { layer, path, problems, errors: 0, sections: &NO_SECTIONS }
    }

    /// Sets the sections that are read beside the keys of an entry.
    #[must_use]
    pub fn with_sections(self, sections: &'p SectionKinds) -> Reader<'p> {
        Reader { sections, ..self }
    }

    /// Returns the sections that are read beside the keys of an entry.
    pub fn sections(&self) -> &'p SectionKinds {
        self.sections
    }

    /// Returns the path of the node that is being read.
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// Returns the origin of a value at this path.
    pub fn origin(&self, span: Span) -> Origin {
        Origin::new(self.layer, self.path.as_str(), span)
    }

    /// Reads the value of a key, with the key appended to the path.
    pub fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader<'p>) -> T) -> T {
        let outer = self.path.push(key);
        let value = read(self);
        // One path, which grows and shrinks with the tree: a string for each value would cost more than reading it.
        self.path.truncate(outer);
        value
    }

    /// Reads values of another layer.
    pub fn as_layer<T>(&mut self, layer: Layer, read: impl FnOnce(&mut Reader<'p>) -> T) -> T {
        let outer = std::mem::replace(&mut self.layer, layer);
        let value = read(self);
        self.layer = outer;
        value
    }

    /// Returns the number of problems so far, those found before this reader included.
    pub fn reported(&self) -> usize {
        self.problems.len()
    }

    /// Returns the number of errors that this reader has found.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Adds a problem.
    pub fn report(&mut self, problem: Problem) {
        self.errors += usize::from(problem.is_error());
        self.problems.push(problem);
    }

    /// Warns that a value has no effect.
    pub fn no_effect(&mut self, origin: &Origin, because: &str) {
        let path = origin.path();
        self.report(Problem::warning(path, format!("`{path}` has no effect: {because}")).at_origin(origin));
    }

    /// Reports that a value is not of the expected kind, and returns [`None`].
    ///
    /// `expected` completes the sentence "`open.duration` is 30, but must be ..".
    pub fn mismatch<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        self.mismatch_because(node, expected, None)
    }

    /// The same as [`mismatch`](Self::mismatch), with a line of advice.
    pub fn mismatch_because<T>(&mut self, node: &Node, expected: &str, advice: Option<String>) -> Option<T> {
        let path = self.path();
        let found = match &node.value {
            Value::Null => "is empty".into(),
            _ => format!("is {}", node.described()),
        };
        let subject = subject(path);
        let problem = Problem::error(path, format!("{subject} {found}, but must be {expected}"));
        let problem = problem.at(node.span.clone());
        self.report(match advice {
            Some(advice) => problem.help(advice),
            None => problem,
        });
        None
    }

    /// Returns the entries of a map, each key once; duplicates are reported.
    ///
    /// A null has no entries. Any other node is reported and has none either.
    pub fn fields<'n>(&mut self, node: &'n Node, expected: &str) -> Fields<'n> {
        let entries = match &node.value {
            Value::Map(entries) => self.each_once(entries),
            // A group whose entries are all commented out.
            Value::Null => Vec::new(),
            _ => {
                self.mismatch::<()>(node, expected);
                Vec::new()
            }
        };
        Fields { entries, known: Vec::new() }
    }

    fn each_once<'n>(&mut self, entries: &'n [Entry]) -> Vec<&'n Entry> {
        let mut kept: Vec<&Entry> = Vec::with_capacity(entries.len());
        // Comparing a few keys costs less than a table of them. A map from outside may have a hundred thousand.
        if entries.len() <= FEW {
            for entry in entries {
                match kept.iter().find(|first| first.key == entry.key) {
                    Some(first) => self.duplicate(entry, &first.key_span),
                    None => kept.push(entry),
                }
            }
            return kept;
        }
        let mut first_spans: HashMap<&str, &Span> = HashMap::with_capacity(entries.len());
        for entry in entries {
            match first_spans.entry(entry.key.as_str()) {
                Slot::Occupied(first) => self.duplicate(entry, first.get()),
                Slot::Vacant(free) => {
                    free.insert(&entry.key_span);
                    kept.push(entry);
                }
            }
        }
        kept
    }

    fn duplicate(&mut self, entry: &Entry, first: &Span) {
        let path = join(self.path(), &quoted(&entry.key));
        let message = format!("`{path}` is written twice; the first is in line {}", first.line());
        self.report(Problem::error(path, message).at(entry.key_span.clone()).help("keep one of the two"));
    }
}

impl<'n> Fields<'n> {
    /// Returns true if no entry is left.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Removes and returns the node of a key.
    pub fn node(&mut self, key: &'static str) -> Option<&'n Node> {
        // The known keys are for messages about entries that no reader takes: there will be none.
        if self.entries.is_empty() {
            return None;
        }
        if self.known.capacity() == 0 {
            // Most groups have no more keys, so that the list grows once.
            self.known.reserve(2 * MOST_LISTED);
        }
        self.known.push(key);
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        // Taken out, so that only unknown keys are left at the end.
        Some(&self.entries.remove(index).node)
    }

    /// Reads the value of a key; [`None`] if it is absent, or not valid, which `read` reports.
    pub fn take<T>(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
        read: impl FnOnce(&Node, &mut Reader<'_>) -> Option<T>,
    ) -> Option<Located<T>> {
        let node = self.node(key)?;
        reader.within(key, |reader| {
            let value = read(node, reader)?;
            Some(Located::new(value, reader.origin(node.span.clone())))
        })
    }

    /// Reads the group of a key, or returns an empty one.
    pub fn group<T: Default>(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
        read: impl FnOnce(&Node, &mut Reader<'_>) -> T,
    ) -> T {
        match self.node(key) {
            Some(node) => reader.within(key, |reader| read(node, reader)),
            None => T::default(),
        }
    }

    /// Returns the keys that were asked for while entries were left.
    pub fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// Removes and returns all other entries, for maps whose keys are names.
    pub fn remaining(&mut self) -> Vec<&'n Entry> {
        std::mem::take(&mut self.entries)
    }

    /// Removes the entries whose keys belong to other readers of the document.
    pub fn skip(&mut self, theirs: impl Fn(&str) -> bool) {
        self.entries.retain(|entry| !theirs(&entry.key));
    }

    /// Reports the remaining entries as unknown keys, with the most similar known key.
    pub fn finish(self, reader: &mut Reader<'_>) {
        self.finish_with(reader, |_, _| None);
    }

    /// The same as [`finish`](Self::finish); `elsewhere` may return advice for a key, given the path of the map.
    pub fn finish_with(self, reader: &mut Reader<'_>, elsewhere: impl Fn(&str, &Entry) -> Option<String>) {
        for entry in &self.entries {
            let path = reader.path();
            let key = quoted(&entry.key);
            let (mut message, mut help) =
                (format!("{} has no key `{key}`", subject(path)), elsewhere(path, entry));
            if help.is_none() {
                let known = self.known.iter().copied();
                // Only for the first problems: each suggestion compares the key with all known ones.
                if let Some(near) = suggest::nearest(&entry.key, known, reader.reported()) {
                    message.push_str(&format!("; did you mean `{near}`?"));
                }
                if self.known.len() <= MOST_LISTED {
                    help = Some(format!("known here: {}", self.known.join(", ")));
                }
            }
            let problem = Problem::error(join(path, &key), message).at(entry.key_span.clone());
            reader.report(match help {
                Some(help) => problem.help(help),
                None => problem,
            });
        }
    }
}

fn subject(path: &str) -> String {
    if path.is_empty() { "the document".into() } else { format!("`{path}`") }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
