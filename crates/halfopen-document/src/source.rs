use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::display::printable;

/// A text that [`Span`]s refer to: a document, an environment variable, or a value set by the program.
pub struct Source {
    kind: SourceKind,
    name: String,
    text: String,
    // Built when a line or column is first asked for: a document without problems needs none.
    index: OnceLock<Index>,
}

/// Where lines begin, and how many characters precede each block: one pass over the text answers every question
/// about lines and columns in logarithmic time.
struct Index {
    line_starts: Vec<usize>,
    chars_before_block: Vec<usize>,
}

/// Bytes per entry of [`Index::chars_before_block`].
const BLOCK: usize = 1024;

/// The kind of a [`Source`], by which a [`Span`] is displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceKind {
    /// A document of the user.
    File,
    /// A document that is part of a library.
    Builtin,
    /// An environment variable, as `NAME=value`.
    Variable,
    /// A value set by the program, as `key = value`.
    Code,
}

impl Source {
    /// Creates a source; `name` is the path of a file, or the name of a template or variable.
    pub fn new(kind: SourceKind, name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        let text: String = text.into();
        // Some editors write a byte order mark, which is not part of the text and not valid in every format.
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        Arc::new(Source { kind, name: name.into(), text, index: OnceLock::new() })
    }

    /// Returns the name: the path of a file, or the name of a template or variable.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the whole text, without a byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.text))
    }

    /// Returns the index of the line that contains a byte.
    fn line_of(&self, at: usize) -> usize {
        self.index().line_starts.partition_point(|start| *start <= at) - 1
    }

    /// Returns the number of characters before a byte.
    fn chars_before(&self, at: usize) -> usize {
        // At most one block is counted for a column, however long the line is: a document on one line has as many
        // problems as any.
        let block = at / BLOCK;
        self.index().chars_before_block[block] + chars(&self.text.as_bytes()[block * BLOCK..at])
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the text, which may have passwords and tokens.
        let mut source = f.debug_struct("Source");
        source.field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
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
        #[cfg(any(test, feature = "test-util"))]
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

/// A place in a [`Source`]: the line, the column and the text itself.
///
/// # Examples
///
/// ```
/// use halfopen_document::{Source, SourceKind, Span};
///
/// let source = Source::new(SourceKind::File, "breakers.yaml", "open:\n  duration: 30\n");
/// let span = Span::new(&source, 18, 20);
/// assert_eq!((span.line(), span.column(), span.text()), (2, 13, "30"));
/// assert_eq!(span.to_string(), "breakers.yaml:2:13");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

impl Span {
    /// Creates the span of the bytes from `start` to `end`, widened to whole characters and cut at the end of the
    /// text.
    pub fn new(source: &Arc<Source>, start: usize, end: usize) -> Span {
        let text = &source.text;
        let mut start = start.min(text.len());
        // A parser's offset may be within a character; a slice there would panic.
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = end.clamp(start, text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        Span { source: Arc::clone(source), start, end }
    }

    /// Creates an empty span at the start of the source.
    pub fn whole(source: &Arc<Source>) -> Span {
        Span::new(source, 0, 0)
    }

    /// Returns the kind of the source.
    pub fn kind(&self) -> SourceKind {
        self.source.kind
    }

    /// Returns the source.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Returns the offset of the first byte.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Returns the name of the document: the path of a file, the name of a template, of an environment variable, or
    /// of a key set by the program.
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

    /// Returns the text of the span.
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

    /// Returns the parts of the line before, inside and after the span.
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

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = printable(self.document());
        match self.source.kind {
            SourceKind::File => write!(f, "{name}:{}:{}", self.line(), self.column()),
            SourceKind::Builtin => write!(f, "{name} (shipped):{}:{}", self.line(), self.column()),
            SourceKind::Variable => write!(f, "environment variable {name}"),
            SourceKind::Code => write!(f, "the program, {name}"),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = Source::new(SourceKind::File, "f", "a: 1\nüü: xy\r\nz");
        let place = Span::new(&source, 11, 13);
        assert_eq!((place.line(), place.column(), place.text()), (2, 5, "xy"));
        assert_eq!(place.line_text(), "üü: xy");
    }

    #[test]
    fn columns_are_right_on_both_sides_of_a_block() {
        let text = format!("x\n{}y", "ü".repeat(2 * BLOCK));
        let source = Source::new(SourceKind::File, "f", &text);
        for column in [1, 2, BLOCK / 2, BLOCK / 2 + 1, BLOCK, 2 * BLOCK + 1] {
            let place = Span::new(&source, 2 * column, 2 * column);
            assert_eq!((place.line(), place.column()), (2, column));
        }
        assert_eq!(Span::new(&source, text.len(), text.len()).column(), 2 * BLOCK + 2);
    }

    #[test]
    fn a_place_within_a_character_is_moved_to_a_valid_one() {
        let source = Source::new(SourceKind::File, "f", "ü");
        assert_eq!(Span::new(&source, 1, 1).text(), "ü");
        let end = Span::new(&source, 90, 99);
        assert_eq!((end.line(), end.column(), end.text()), (1, 2, ""));
        assert_eq!(end.line_parts(), ["ü", "", ""]);
    }
}
