//! Merge keys: the entries of the maps after `<<` become entries of the map that has the key.

use std::collections::HashSet;
use std::vec::IntoIter;

use super::events::{Event, Located, Stream};
use super::fault::{Fault, Place};
use super::scalar::{self, Scalar};
use super::tag::Tag;
use crate::tree::Entry;

/// An entry of a merged map. It becomes a node only if its key is not in the map that merges.
pub(super) struct Merged<'a> {
    /// The key, or the start of the list or map that stands in its place.
    pub(super) key: Located<'a>,
    pub(super) value: Vec<Located<'a>>,
}

/// The events of a whole node, read ahead.
pub(super) struct Captured<'a> {
    events: IntoIter<Located<'a>>,
    last: Place,
}

impl<'a> Captured<'a> {
    pub(super) fn of(events: Vec<Located<'a>>) -> Captured<'a> {
        Captured { events: events.into_iter(), last: Place { start: 0, end: 0 } }
    }
}

impl<'a> Stream<'a> for Captured<'a> {
    fn next(&mut self) -> Result<Located<'a>, Fault> {
        let next = self.events.next().ok_or_else(|| Fault::unbalanced(self.last))?;
        self.last = next.place;
        Ok(next)
    }
}

/// Reads all events of the node that begins with `first`.
pub(super) fn capture<'a>(
    first: Located<'a>,
    stream: &mut impl Stream<'a>,
) -> Result<Vec<Located<'a>>, Fault> {
    let mut events = Vec::new();
    let (mut next, mut depth) = (first, 0_usize);
    loop {
        match next.event {
            Event::List | Event::Map => depth += 1,
            Event::ListEnd | Event::MapEnd => depth = depth.saturating_sub(1),
            Event::Scalar(_) | Event::Endless => {}
        }
        events.push(next);
        if depth == 0 {
            return Ok(events);
        }
        next = stream.next()?;
    }
}

/// Reads the value of a merge key: a map, a list of maps, or null.
pub(super) fn collect<'a>(stream: &mut impl Stream<'a>, merged: &mut Vec<Merged<'a>>) -> Result<(), Fault> {
    let first = stream.next()?;
    match &first.event {
        // `<<:` with nothing after it, as when the only alias is commented out.
        Event::Scalar(scalar) if scalar.is_null() => Ok(()),
        Event::Scalar(_) => Err(Fault::new(first.place, "a map or a list of maps must follow `<<`")),
        Event::Map => entries(&mut Captured::of(capture(first, stream)?), merged),
        Event::List => loop {
            let item = stream.next()?;
            match item.event {
                Event::ListEnd => return Ok(()),
                Event::Scalar(_) | Event::List | Event::Map => {
                    collect(&mut Captured::of(capture(item, stream)?), merged)?;
                }
                Event::Endless => return Err(Fault::endless(item.place)),
                Event::MapEnd => return Err(Fault::unbalanced(item.place)),
            }
        },
        Event::Endless => Err(Fault::endless(first.place)),
        Event::ListEnd | Event::MapEnd => Err(Fault::unbalanced(first.place)),
    }
}

/// Reads the entries of a merged map: its own, then those that it merges itself.
fn entries<'a>(map: &mut Captured<'a>, merged: &mut Vec<Merged<'a>>) -> Result<(), Fault> {
    let mut inner = Vec::new();
    map.next()?;
    loop {
        let key = map.next()?;
        match &key.event {
            Event::MapEnd => break,
            Event::Scalar(scalar) if scalar.is_merge() => collect(map, &mut inner)?,
            Event::Scalar(_) => merged.push(Merged { key, value: value(map)? }),
            // Such a key is an error of the document. It is reported where the key begins, and only if it is not overridden.
            Event::List | Event::Map => {
                let start = capture(key, map)?.swap_remove(0);
                merged.push(Merged { key: start, value: value(map)? });
            }
            Event::Endless => return Err(Fault::endless(key.place)),
            Event::ListEnd => return Err(Fault::unbalanced(key.place)),
        }
    }
    // After the map's own: of equal keys the first one counts.
    merged.append(&mut inner);
    Ok(())
}

fn value<'a>(map: &mut Captured<'a>) -> Result<Vec<Located<'a>>, Fault> {
    let first = map.next()?;
    capture(first, map)
}

/// The part of a key's identity that its text does not show.
#[derive(Debug)]
pub(super) enum Form {
    /// A number equals its other spellings.
    Plain,
    Text,
    Tagged(Box<Identity>),
}

/// Keys of equal identity are one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    Integer {
        negative: bool,
        magnitude: u128,
    },
    Text(String),
    Binary(String),
    Custom {
        tag: Box<str>,
        text: String,
    },
    /// No key at all.
    Invalid,
}

impl Form {
    pub(super) fn of(key: &Scalar<'_>) -> Form {
        let text = || key.text.clone().into_owned();
        match &key.tag {
            Tag::Untagged if key.plain => Form::Plain,
            Tag::Untagged | Tag::NonSpecific | Tag::Text | Tag::Merge | Tag::Ignored => Form::Text,
            Tag::Binary => Form::Tagged(Box::new(Identity::Binary(text()))),
            Tag::Custom(tag) => Form::Tagged(Box::new(Identity::Custom { tag: tag.clone(), text: text() })),
            Tag::Integer => Form::Tagged(Box::new(integer(&key.text).unwrap_or(Identity::Invalid))),
            Tag::Float | Tag::Bool | Tag::Null | Tag::Unsupported => {
                Form::Tagged(Box::new(Identity::Invalid))
            }
        }
    }

    pub(super) fn identity(&self, text: &str) -> Identity {
        match self {
            Form::Plain if scalar::is_nullish(text) => Identity::Invalid,
            Form::Plain => integer(text).unwrap_or_else(|| Identity::Text(text.to_owned())),
            Form::Text => Identity::Text(text.to_owned()),
            Form::Tagged(identity) => (**identity).clone(),
        }
    }
}

fn integer(text: &str) -> Option<Identity> {
    let (negative, magnitude) = scalar::magnitude(scalar::trimmed(text))?;
    Some(Identity::Integer { negative: negative && magnitude > 0, magnitude })
}

pub(super) fn identities(forms: &[Form], entries: &[Entry]) -> HashSet<Identity> {
    forms.iter().zip(entries).map(|(form, entry)| form.identity(&entry.key)).collect()
}
