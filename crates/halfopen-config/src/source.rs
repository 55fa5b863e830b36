use std::fmt;
use std::sync::Arc;

/// A text that places point into.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) kind: SourceKind,
    /// The file's path, the template's or variable's name.
    pub(crate) name: String,
    pub(crate) text: String,
}

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
        let text = text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned);
        Arc::new(Source { kind, name: name.into(), text })
    }
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

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.before().len() - self.line_start() + 1 - self.wide_bytes()
    }

    /// What is written there.
    pub fn text(&self) -> &str {
        &self.source.text[self.start..self.end]
    }

    /// The whole line.
    pub fn line_text(&self) -> &str {
        let rest = &self.source.text[self.line_start()..];
        rest.lines().next().unwrap_or_default()
    }

    /// How many characters of the line it covers, at least one.
    pub(crate) fn width(&self) -> usize {
        self.text().lines().next().map_or(0, |line| line.chars().count()).max(1)
    }

    fn before(&self) -> &str {
        &self.source.text[..self.start]
    }

    fn line_start(&self) -> usize {
        self.before().rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// By how much the start of the line has more bytes than characters.
    fn wide_bytes(&self) -> usize {
        let line = &self.before()[self.line_start()..];
        line.len() - line.chars().count()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.document();
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
    fn a_place_beyond_the_text_or_inside_a_character_is_moved_to_one_that_exists() {
        let source = Source::new(SourceKind::File, "f", "ü");
        assert_eq!(Place::new(&source, 1, 1).text(), "ü");
        let end = Place::new(&source, 90, 99);
        assert_eq!((end.line(), end.column(), end.text(), end.width()), (1, 2, "", 1));
    }
}
