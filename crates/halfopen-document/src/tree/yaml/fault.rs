use std::borrow::Cow;
use std::sync::Arc;

use granit_parser::{ErrorKind, ScanError};

use crate::source::{Source, Span};
use crate::tree::{too_deep, unreadable};
use crate::{Format, Problem};

/// A range of bytes of the document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The reason why a document cannot be read, and its place.
#[derive(Debug)]
pub(super) struct Fault {
    place: Place,
    why: Why,
}

#[derive(Debug)]
enum Why {
    TooDeep,
    Text(Cow<'static, str>),
}

impl Fault {
    pub(super) fn new(place: Place, why: impl Into<Cow<'static, str>>) -> Fault {
        Fault { place, why: Why::Text(why.into()) }
    }

    #[cold]
    pub(super) fn too_deep(place: Place) -> Fault {
        Fault { place, why: Why::TooDeep }
    }

    #[cold]
    pub(super) fn endless(place: Place) -> Fault {
        Fault::new(place, "recursive alias")
    }

    #[cold]
    pub(super) fn no_word(place: Place) -> Fault {
        Fault::new(place, "a key must be a word, no list or map")
    }

    /// Creates the fault of an end without its start, which the parser does not emit.
    #[cold]
    pub(super) fn unbalanced(place: Place) -> Fault {
        Fault::new(place, "a list or map ends here without its start")
    }

    #[cold]
    pub(super) fn of_syntax(text: &str, error: &ScanError) -> Fault {
        let mark = error.marker();
        let start = mark.byte_offset().unwrap_or_else(|| offset(text, mark.index()));
        Fault::new(Place { start, end: start + 1 }, plainly(error))
    }

    /// Moves the fault to the alias by which its node came here.
    pub(super) fn through(self, alias: Option<Place>) -> Fault {
        Fault { place: alias.unwrap_or(self.place), why: self.why }
    }

    pub(super) fn problem(self, source: &Arc<Source>) -> Problem {
        let span = Span::new(source, self.place.start, self.place.end);
        match self.why {
            Why::TooDeep => too_deep(Format::Yaml, span),
            Why::Text(why) => unreadable(Format::Yaml, span, &why),
        }
    }
}

/// Returns the offset of a character by its index.
fn offset(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(offset, _)| offset)
}

/// Rephrases the messages of the parser that presume knowledge of its grammar.
fn plainly(error: &ScanError) -> Cow<'static, str> {
    match error.kind() {
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation => {
            "a tab indents this line, but must be spaces".into()
        }
        ErrorKind::ExpectedBlockMappingKey => {
            "this does not stand under the keys around it, or one of them lacks its colon".into()
        }
        ErrorKind::UnknownAnchor => "no anchor of this name stands before it".into(),
        _ => error.info().into(),
    }
}
