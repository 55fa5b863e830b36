//! Reads the tree, collecting what is wrong on the way: nothing is read by halves, nothing stops at
//! the first problem.

pub(crate) mod scalar;

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use crate::display::quoted;
use crate::source::Place;
use crate::tree::{Entry, Node, Value};
use crate::written::{Layer, Origin, Written};
use crate::{Problem, suggest};

pub(crate) struct Reader<'p> {
    layer: Layer,
    path: Vec<String>,
    problems: &'p mut Vec<Problem>,
    errors: usize,
}

/// The keys of a map that have not been read yet.
pub(crate) struct Fields<'n> {
    entries: Vec<&'n Entry>,
    known: Vec<&'static str>,
}

impl<'p> Reader<'p> {
    /// A reader of what lies at `path` of the document.
    pub(crate) fn new(layer: Layer, path: &[&str], problems: &'p mut Vec<Problem>) -> Reader<'p> {
        Reader { layer, path: path.iter().map(|key| (*key).to_owned()).collect(), problems, errors: 0 }
    }

    pub(crate) fn path(&self) -> String {
        self.path.join(".")
    }

    pub(crate) fn origin(&self, place: Place) -> Origin {
        Origin::new(self.layer.clone(), self.path(), place)
    }

    pub(crate) fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader<'p>) -> T) -> T {
        self.path.push(key.to_owned());
        let read = read(self);
        self.path.pop();
        read
    }

    /// The same for what another layer says.
    pub(crate) fn as_layer<T>(&mut self, layer: Layer, read: impl FnOnce(&mut Reader<'p>) -> T) -> T {
        let before = std::mem::replace(&mut self.layer, layer);
        let read = read(self);
        self.layer = before;
        read
    }

    /// How many problems there are so far.
    pub(crate) fn told(&self) -> usize {
        self.problems.len()
    }

    /// Returns the number of errors so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    pub(crate) fn tell(&mut self, problem: Problem) {
        self.errors += usize::from(problem.is_error());
        self.problems.push(problem);
    }

    /// Warns that what is written there does nothing.
    pub(crate) fn no_effect(&mut self, origin: &Origin, because: &str) {
        let path = origin.path();
        let problem = Problem::warning(path, format!("`{path}` has no effect: {because}"));
        self.tell(match origin.place() {
            Some(place) => problem.at(place.clone()),
            None => problem,
        });
    }

    /// Says that a value is not what it must be.
    pub(crate) fn wrong<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        self.wrong_because(node, expected, None)
    }

    pub(crate) fn wrong_because<T>(&mut self, node: &Node, expected: &str, why: Option<String>) -> Option<T> {
        let path = self.path();
        let what = match &node.value {
            Value::Null => "is empty".into(),
            _ => format!("is {}", node.described()),
        };
        let subject = if path.is_empty() { "the document".into() } else { format!("`{path}`") };
        let problem =
            Problem::error(path, format!("{subject} {what}, must be {expected}")).at(node.place.clone());
        self.tell(match why {
            Some(why) => problem.help(why),
            None => problem,
        });
        None
    }

    /// The keys of a map; none if it is empty, or no map, which is told.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, expected: &str) -> Fields<'n> {
        let entries = match &node.value {
            Value::Map(entries) => self.each_once(entries),
            // A group whose keys are all commented out.
            Value::Null => Vec::new(),
            _ => {
                self.wrong::<()>(node, expected);
                Vec::new()
            }
        };
        Fields { entries, known: Vec::new() }
    }

    fn each_once<'n>(&mut self, entries: &'n [Entry]) -> Vec<&'n Entry> {
        let mut first_places: HashMap<&str, &Place> = HashMap::with_capacity(entries.len());
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            match first_places.entry(entry.key.as_str()) {
                Slot::Occupied(first) => self.twice(entry, first.get()),
                Slot::Vacant(free) => {
                    free.insert(&entry.key_place);
                    kept.push(entry);
                }
            }
        }
        kept
    }

    fn twice(&mut self, entry: &Entry, first: &Place) {
        let path = self.within(&quoted(&entry.key), |reader| reader.path());
        let message = format!("`{path}` is written twice; the first is in line {}", first.line());
        self.tell(Problem::error(path, message).at(entry.key_place.clone()).help("keep one of the two"));
    }
}

impl<'n> Fields<'n> {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is written under this key.
    pub(crate) fn node(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let place = self.entries.iter().position(|entry| entry.key == key)?;
        Some(&self.entries.remove(place).node)
    }

    /// The value of this key, read and told where from.
    pub(crate) fn take<T>(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'_>,
        read: impl FnOnce(&Node, &mut Reader<'_>) -> Option<T>,
    ) -> Option<Written<T>> {
        let node = self.node(key)?;
        reader.within(key, |reader| {
            let value = read(node, reader)?;
            Some(Written::new(value, reader.origin(node.place.clone())))
        })
    }

    /// The group of this key.
    pub(crate) fn group<T: Default>(
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

    /// The keys that somebody has asked for.
    #[cfg(test)]
    pub(crate) fn known(&self) -> std::collections::BTreeSet<&'static str> {
        self.known.iter().copied().collect()
    }

    /// The entries that nobody has asked for, for maps whose keys are names.
    pub(crate) fn rest(&mut self) -> Vec<&'n Entry> {
        std::mem::take(&mut self.entries)
    }

    /// Leaves keys alone that are not for us.
    pub(crate) fn forget(&mut self, theirs: impl Fn(&str) -> bool) {
        self.entries.retain(|entry| !theirs(&entry.key));
    }

    /// Says which keys nobody knows.
    pub(crate) fn finish(self, reader: &mut Reader<'_>) {
        self.finish_with(reader, |_| None);
    }

    /// The same, where `elsewhere` knows what to do with a key that has its place elsewhere.
    pub(crate) fn finish_with(self, reader: &mut Reader<'_>, elsewhere: impl Fn(&Entry) -> Option<String>) {
        for entry in &self.entries {
            let path = reader.path();
            let subject = if path.is_empty() { "the document".into() } else { format!("`{path}`") };
            let key = quoted(&entry.key);
            let (mut message, mut help) = (format!("{subject} has no key `{key}`"), elsewhere(entry));
            if help.is_none() {
                let known = self.known.iter().copied();
                if let Some(near) = suggest::nearest(&entry.key, known, reader.told()) {
                    message.push_str(&format!("; did you mean `{near}`?"));
                }
                if self.known.len() <= 12 {
                    help = Some(format!("known here: {}", self.known.join(", ")));
                }
            }
            let problem = Problem::error(join(&path, &key), message).at(entry.key_place.clone());
            reader.tell(match help {
                Some(help) => problem.help(help),
                None => problem,
            });
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
