//! YAML: the tree is built from the events of the parser as they come, with aliases and merge keys resolved.
//!
//! The recursion is as deep as the lists and maps of the document, which [`Events`] limits before they are built.

mod events;
mod fault;
mod merge;
mod scalar;
mod tag;

use std::sync::Arc;

use self::events::{Event, Events, Located, Stream};
use self::fault::{Fault, Place};
use self::merge::{Captured, Form, Merged, capture};
use self::scalar::Scalar;
use super::{Entry, Node, Value};
use crate::Problem;
use crate::source::{Source, Span};

pub(super) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    Builder::new(source).document().map_err(|fault| vec![fault.problem(source)])
}

struct Builder<'s> {
    source: &'s Arc<Source>,
    /// The forms of the keys of every map that is not complete, for merge keys.
    forms: Vec<Form>,
    /// The first node below the deepest level. Reported last: an error of syntax comes before it.
    too_deep: Option<Place>,
}

impl<'s> Builder<'s> {
    fn new(source: &'s Arc<Source>) -> Builder<'s> {
        Builder { source, forms: Vec::new(), too_deep: None }
    }

    fn document(mut self) -> Result<Node, Fault> {
        let mut events = Events::of(self.source.text());
        let root = self.next_node(&mut events, 0)?;
        if let Some(next) = events.next_or_end()? {
            return Err(Fault::new(next.place, "a second document begins, but must be one in a file"));
        }
        match self.too_deep {
            Some(place) => Err(Fault::too_deep(place)),
            None => Ok(root),
        }
    }

    fn next_node<'a>(&mut self, stream: &mut impl Stream<'a>, depth: usize) -> Result<Node, Fault> {
        let first = stream.next()?;
        self.node(first, stream, depth)
    }

    fn node<'a>(
        &mut self,
        first: Located<'a>,
        stream: &mut impl Stream<'a>,
        depth: usize,
    ) -> Result<Node, Fault> {
        let Located { event, place, alias } = first;
        if depth > super::MAX_DEPTH {
            self.too_deep.get_or_insert(place);
        }
        let value = match event {
            Event::Scalar(scalar) => scalar.value().map_err(|why| Fault::new(place, why)),
            Event::List => self.list(stream, depth),
            Event::Map => self.map(stream, depth),
            Event::Endless => return Err(Fault::endless(place)),
            Event::ListEnd | Event::MapEnd => Err(Fault::unbalanced(place)),
        };
        // The mistake stands where the anchor is, but the reader looks for it where the alias is.
        let value = value.map_err(|fault| fault.through(alias))?;
        Ok(Node { value, span: self.span(place) })
    }

    fn list<'a>(&mut self, stream: &mut impl Stream<'a>, depth: usize) -> Result<Value, Fault> {
        let mut items = Vec::new();
        loop {
            let first = stream.next()?;
            if let Event::ListEnd = first.event {
                return Ok(Value::List(items));
            }
            items.push(self.node(first, stream, depth + 1)?);
        }
    }

    fn map<'a>(&mut self, stream: &mut impl Stream<'a>, depth: usize) -> Result<Value, Fault> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        let outer = self.forms.len();
        loop {
            let first = stream.next()?;
            match first.event {
                Event::MapEnd => break,
                Event::Scalar(key) if key.is_merge() => merge::collect(stream, &mut merged)?,
                Event::Scalar(key) => {
                    self.forms.push(Form::of(&key));
                    entries.push(self.entry(key, first.place, stream, depth)?);
                }
                Event::List | Event::Map => {
                    let place = first.place;
                    // An error of syntax within the key comes before it.
                    capture(first, stream)?;
                    return Err(Fault::no_word(place));
                }
                Event::Endless => return Err(Fault::endless(first.place)),
                Event::ListEnd => return Err(Fault::unbalanced(first.place)),
            }
        }
        self.merge(&mut entries, merged, outer, depth)?;
        self.forms.truncate(outer);
        Ok(Value::Map(entries))
    }

    fn entry<'a>(
        &mut self,
        key: Scalar<'a>,
        place: Place,
        value: &mut impl Stream<'a>,
        depth: usize,
    ) -> Result<Entry, Fault> {
        let key = key.key().map_err(|why| Fault::new(place, why))?;
        Ok(Entry { key, key_span: self.span(place), node: self.next_node(value, depth + 1)? })
    }

    /// Appends the merged entries whose keys the map does not have, of equal ones the first.
    fn merge(
        &mut self,
        entries: &mut Vec<Entry>,
        merged: Vec<Merged<'_>>,
        outer: usize,
        depth: usize,
    ) -> Result<(), Fault> {
        if merged.is_empty() {
            return Ok(());
        }
        let mut seen = merge::identities(&self.forms[outer..], entries);
        for Merged { key, value } in merged {
            let Event::Scalar(scalar) = key.event else { return Err(Fault::no_word(key.place)) };
            if seen.insert(Form::of(&scalar).identity(&scalar.text)) {
                entries.push(self.entry(scalar, key.place, &mut Captured::of(value), depth)?);
            }
        }
        Ok(())
    }

    fn span(&self, place: Place) -> Span {
        Span::new(self.source, place.start, place.end)
    }
}
