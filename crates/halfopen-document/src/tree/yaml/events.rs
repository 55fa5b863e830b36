use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event as Parsed, Options, Parser, ScalarStyle, Span, StrInput};

use super::fault::{Fault, Place};
use super::scalar::Scalar;
use super::tag::{self, Tag};
use crate::tree::MAX_DEPTH;

/// The most nodes that aliases expand to, ends of lists and maps counted. A document repeats a few groups; more is an
/// attack on the memory.
const MOST_EXPANDED: usize = 20_000;

/// A part of the document, in its order.
#[derive(Clone, Debug)]
pub(super) enum Event<'a> {
    Scalar(Scalar<'a>),
    List,
    ListEnd,
    Map,
    MapEnd,
    /// An alias within the node of its own anchor.
    Endless,
}

#[derive(Debug)]
pub(super) struct Located<'a> {
    pub(super) event: Event<'a>,
    pub(super) place: Place,
    /// The place of the alias that repeats the event; `place` is that of the original.
    pub(super) alias: Option<Place>,
}

/// A source of events.
pub(super) trait Stream<'a> {
    /// Returns the next event. A start has its end: it is a fault if the document ends before.
    fn next(&mut self) -> Result<Located<'a>, Fault>;
}

/// The events of a document, in which every alias is replaced by the events of its anchor.
pub(super) struct Events<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// The number of lists and maps that have not ended.
    depth: usize,
    /// The events of all nodes with anchors, in their order: of two nodes one within the other, only once.
    recorded: Vec<(Event<'a>, Place)>,
    anchors: HashMap<usize, Anchor>,
    /// The lists and maps with anchors that have not ended.
    open: Vec<Open>,
    replay: Option<Replay>,
    replayed: usize,
    /// The place of the last event.
    last: Place,
    is_empty: bool,
}

/// The node of an anchor, as a range of [`Events::recorded`].
enum Anchor {
    Open,
    Complete(Range<usize>),
}

struct Open {
    anchor: usize,
    start: usize,
    depth: usize,
}

struct Replay {
    rest: Range<usize>,
    alias: Place,
}

impl<'a> Events<'a> {
    pub(super) fn of(text: &'a str) -> Events<'a> {
        let mut options = Options::default();
        // Another crate of the program may enable them.
        options.set_emit_comments(false);
        Events {
            text,
            parser: Parser::new_from_str_with_options(text, options),
            depth: 0,
            recorded: Vec::new(),
            anchors: HashMap::new(),
            open: Vec::new(),
            replay: None,
            replayed: 0,
            last: Place { start: 0, end: 0 },
            is_empty: true,
        }
    }

    /// Returns the next event; [`None`] at the end of the document.
    pub(super) fn next_or_end(&mut self) -> Result<Option<Located<'a>>, Fault> {
        if let Some(replayed) = self.replayed()? {
            return Ok(Some(replayed));
        }
        while let Some(parsed) = self.parser.next_event() {
            let (parsed, span) = parsed.map_err(|error| Fault::of_syntax(self.text, &error))?;
            self.last = place_of(&span);
            match parsed {
                Parsed::Scalar(text, style, anchor, tag) => {
                    let tag = tag::of_scalar(tag.as_deref()).map_err(|why| Fault::new(self.last, why))?;
                    let plain = matches!(style, ScalarStyle::Plain);
                    return Ok(Some(self.scalar(Scalar { text, plain, tag }, anchor)));
                }
                Parsed::SequenceStart(_, anchor, tag) => {
                    self.enter(self.last)?;
                    tag::check_list(tag.as_deref()).map_err(|why| Fault::new(self.last, why))?;
                    return Ok(Some(self.start(Event::List, anchor)));
                }
                Parsed::MappingStart(_, anchor, tag) => {
                    self.enter(self.last)?;
                    tag::check_map(tag.as_deref()).map_err(|why| Fault::new(self.last, why))?;
                    return Ok(Some(self.start(Event::Map, anchor)));
                }
                Parsed::SequenceEnd => return Ok(Some(self.end(Event::ListEnd))),
                Parsed::MappingEnd => return Ok(Some(self.end(Event::MapEnd))),
                Parsed::Alias(anchor) => return self.alias(anchor).map(Some),
                // Starts and ends of the stream and of documents.
                _ => {}
            }
        }
        Ok(self.empty())
    }

    /// Returns null for a text without any document.
    fn empty(&mut self) -> Option<Located<'a>> {
        let null = Scalar { text: Cow::Borrowed(""), plain: true, tag: Tag::Null };
        self.is_empty.then(|| self.located(Event::Scalar(null)))
    }

    fn scalar(&mut self, scalar: Scalar<'a>, anchor: usize) -> Located<'a> {
        let event = Event::Scalar(scalar);
        if anchor != 0 {
            let start = self.recorded.len();
            self.recorded.push((event.clone(), self.last));
            self.anchors.insert(anchor, Anchor::Complete(start..start + 1));
        } else {
            self.record(&event, self.last);
        }
        self.located(event)
    }

    fn start(&mut self, event: Event<'a>, anchor: usize) -> Located<'a> {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor::Open);
            self.open.push(Open { anchor, start: self.recorded.len(), depth: self.depth });
        }
        self.record(&event, self.last);
        self.located(event)
    }

    fn end(&mut self, event: Event<'a>) -> Located<'a> {
        self.record(&event, self.last);
        if let Some(open) = self.open.pop_if(|open| open.depth == self.depth) {
            self.anchors.insert(open.anchor, Anchor::Complete(open.start..self.recorded.len()));
        }
        self.depth = self.depth.saturating_sub(1);
        self.located(event)
    }

    fn alias(&mut self, anchor: usize) -> Result<Located<'a>, Fault> {
        let alias = self.last;
        match self.anchors.get(&anchor) {
            Some(Anchor::Complete(events)) => {
                self.replay = Some(Replay { rest: events.clone(), alias });
                self.next()
            }
            Some(Anchor::Open) => {
                self.record(&Event::Endless, alias);
                Ok(self.located(Event::Endless))
            }
            None => Err(Fault::new(alias, "no anchor of this name stands before it")),
        }
    }

    fn replayed(&mut self) -> Result<Option<Located<'a>>, Fault> {
        let Some(Replay { rest, alias }) = &mut self.replay else { return Ok(None) };
        let (next, alias) = (rest.next(), *alias);
        let Some(next) = next else {
            self.replay = None;
            return Ok(None);
        };
        let (event, place) = self.recorded[next].clone();
        self.replayed += 1;
        if self.replayed > MOST_EXPANDED {
            return Err(Fault::new(place, "alias expansion exceeds the limit of 20,000 nodes"));
        }
        match event {
            Event::List | Event::Map => self.enter(alias)?,
            Event::ListEnd | Event::MapEnd => self.depth = self.depth.saturating_sub(1),
            Event::Scalar(_) | Event::Endless => {}
        }
        self.record(&event, place);
        Ok(Some(Located { event, place, alias: Some(alias) }))
    }

    fn enter(&mut self, place: Place) -> Result<(), Fault> {
        self.depth += 1;
        // One more: whether the innermost list has items is known only once it is read.
        if self.depth > MAX_DEPTH + 1 { Err(Fault::too_deep(place)) } else { Ok(()) }
    }

    fn record(&mut self, event: &Event<'a>, place: Place) {
        if !self.open.is_empty() {
            self.recorded.push((event.clone(), place));
        }
    }

    fn located(&mut self, event: Event<'a>) -> Located<'a> {
        self.is_empty = false;
        Located { event, place: self.last, alias: None }
    }
}

impl<'a> Stream<'a> for Events<'a> {
    fn next(&mut self) -> Result<Located<'a>, Fault> {
        self.next_or_end()?.ok_or_else(|| Fault::new(self.last, "unexpected end of input"))
    }
}

fn place_of(span: &Span) -> Place {
    // The parser has offsets in bytes of every text that it holds as a whole.
    let Range { start, end } = span.byte_range().unwrap_or_default();
    Place { start, end }
}
