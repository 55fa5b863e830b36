use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::display::Printable;

/// A text that places point into.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: SourceKind,
    /// The file's path, or the name of a template or variable.
    pub(crate) name: String,
    pub(crate) text: String,
    index: OnceLock<Index>,
}

/// Where lines begin, and how many characters precede each block: one pass over the text answers every question
/// about lines and columns in logarithmic time.
#[derive(Debug)]
struct Index {
    line_starts: Vec<usize>,
    chars_before_block: Vec<usize>,
}

/// Bytes per entry of [`Index::chars_before_block`].
const BLOCK: usize = 1024;

/// Where a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// A document.
    File,
    /// A document that comes with this crate.
    Shipped,
    /// An environment variable, as `NAME=value`.
    Variable,
    /// A value set by the program, as `key = value`.
    Code,
}

impl Source {
    pub(crate) fn new(kind: SourceKind, name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        let text: String = text.into();
        // A mark that some editors put before a text is no part of it, and not every format takes it.
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        Arc::new(Source { kind, name: name.into(), text, index: OnceLock::new() })
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.text))
    }

    /// Returns the index of the line in which a byte lies.
    fn line_of(&self, at: usize) -> usize {
        self.index().line_starts.partition_point(|start| *start <= at) - 1
    }

    /// Returns the number of characters before a byte.
    fn chars_before(&self, at: usize) -> usize {
        let block = at / BLOCK;
        self.index().chars_before_block[block] + chars(&self.text.as_bytes()[block * BLOCK..at])
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        self.kind == other.kind && self.name == other.name && self.text == other.text
    }
}

impl Eq for Source {}

impl Index {
    fn of(text: &str) -> Index {
        #[cfg(test)]
        crate::work::add(text.len());
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let mut before = 0;
        let blocks = text.as_bytes().chunks(BLOCK).map(|block| {
            before += chars(block);
            before
        });
        Index {
            line_starts: std::iter::once(0).chain(newlines).collect(),
            chars_before_block: std::iter::once(0).chain(blocks).collect(),
        }
    }
}

/// Counts the characters that begin in these bytes of a text.
fn chars(bytes: &[u8]) -> usize {
    // Every byte of a character but the first has the form 10xxxxxx.
    bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count()
}

/// Where something is written: a document, a line and a column, and the text itself.
///
/// # Examples
///
/// ```
/// use halfopen_config::{Format, lint};
///
/// let problems = lint("breakers.yaml", Format::Yaml, "breakers:\n  payments:\n    open: { duration: 30 }\n");
/// let place = problems[0].place().unwrap();
/// assert_eq!((place.line(), place.column(), place.text()), (3, 23, "30"));
/// assert_eq!(place.to_string(), "breakers.yaml:3:23");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

impl Place {
    /// The bytes from `start` to `end`, moved to where a character begins.
    pub(crate) fn new(source: &Arc<Source>, start: usize, end: usize) -> Place {
        let text = &source.text;
        let start = (0..=start.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let end = end.clamp(start, text.len());
        let end = (end..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
        Place { source: Arc::clone(source), start, end }
    }

    pub(crate) fn whole(source: &Arc<Source>) -> Place {
        Place::new(source, 0, 0)
    }

    pub(crate) fn kind(&self) -> SourceKind {
        self.source.kind
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The document: a file's path, the name of a template, of an environment variable, of a key set
    /// by the program.
    pub fn document(&self) -> &str {
        &self.source.name
    }

    /// Returns the line, counted from 1.
    pub fn line(&self) -> usize {
        self.source.line_of(self.start) + 1
    }

    /// Returns the column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.source.chars_before(self.start) - self.source.chars_before(self.line_start()) + 1
    }

    /// Returns the text that is written there.
    pub fn text(&self) -> &str {
        &self.source.text[self.start..self.end]
    }

    /// Returns the whole line.
    pub fn line_text(&self) -> &str {
        let starts = &self.source.index().line_starts;
        let end = starts.get(self.line()).map_or(self.source.text.len(), |next| next - 1);
        let line = &self.source.text[self.line_start()..end];
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// Returns the parts of the line before, inside and after the place.
    pub(crate) fn line_parts(&self) -> [&str; 3] {
        let (line, before) = (self.line_text(), self.start - self.line_start());
        let before = before.min(line.len());
        let end = (before + self.end - self.start).min(line.len());
        [&line[..before], &line[before..end], &line[end..]]
    }

    fn line_start(&self) -> usize {
        self.source.index().line_starts[self.source.line_of(self.start)]
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Printable(self.document());
        match self.source.kind {
            SourceKind::File => write!(f, "{name}:{}:{}", self.line(), self.column()),
            SourceKind::Shipped => write!(f, "{name} (shipped):{}:{}", self.line(), self.column()),
            SourceKind::Variable => write!(f, "environment variable {name}"),
            SourceKind::Code => write!(f, "the program, {name}"),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = Source::new(SourceKind::File, "f", "a: 1\nüü: xy\r\nz");
        let place = Place::new(&source, 11, 13);
        assert_eq!((place.line(), place.column(), place.text()), (2, 5, "xy"));
        assert_eq!(place.line_text(), "üü: xy");
    }

    #[test]
    fn columns_are_right_on_both_sides_of_a_block() {
        let text = format!("x\n{}y", "ü".repeat(2 * BLOCK));
        let source = Source::new(SourceKind::File, "f", &text);
        for column in [1, 2, BLOCK / 2, BLOCK / 2 + 1, BLOCK, 2 * BLOCK + 1] {
            let place = Place::new(&source, 2 * column, 2 * column);
            assert_eq!((place.line(), place.column()), (2, column));
        }
        assert_eq!(Place::new(&source, text.len(), text.len()).column(), 2 * BLOCK + 2);
    }

    #[test]
    fn a_place_beyond_the_text_or_inside_a_character_is_moved_to_one_that_exists() {
        let source = Source::new(SourceKind::File, "f", "ü");
        assert_eq!(Place::new(&source, 1, 1).text(), "ü");
        let end = Place::new(&source, 90, 99);
        assert_eq!((end.line(), end.column(), end.text()), (1, 2, ""));
        assert_eq!(end.line_parts(), ["ü", "", ""]);
    }
}
