//! The calls in flight that shadows see.

use std::sync::Arc;

use super::super::{OwnedPermit, Ticket};
use super::track::Track;
use crate::clock::Tick;

/// The most calls in flight that shadows see. Permits that are leaked stay among them.
const MOST_CALLS: usize = 1 << 16;

/// The calls by their places.
#[derive(Default)]
pub(super) struct Calls {
    slots: Vec<Option<Call>>,
    free: Vec<usize>,
}

/// A call, and the decisions of the shadows about it.
pub(super) struct Call {
    /// The ticket that the breaker gave.
    pub(super) ticket: Ticket,
    pub(super) started: Tick,
    /// The permit of each shadow that admits the call.
    pub(super) decisions: Vec<(Arc<Track>, Option<OwnedPermit>)>,
}

impl Calls {
    /// Returns a free place, or [`None`] if there is none.
    pub(super) fn reserve(&mut self) -> Option<usize> {
        if let Some(place) = self.free.pop() {
            return Some(place);
        }
        (self.slots.len() < MOST_CALLS).then(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }

    /// Enters a call at a reserved place.
    pub(super) fn enter(&mut self, place: usize, call: Call) {
        self.slots[place] = Some(call);
    }

    /// Removes a call and frees its place.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Call> {
        let place = ticket.place_in_table()?;
        let call = self.slots.get_mut(place)?.take()?;
        self.free.push(place);
        Some(call)
    }

    pub(super) fn started(&self, ticket: Ticket) -> Option<Tick> {
        Some(self.slots.get(ticket.place_in_table()?)?.as_ref()?.started)
    }

    /// The calls that are in flight.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

impl Ticket {
    pub(super) fn shadowed(self, shadowed: bool) -> Ticket {
        Ticket { word: self.word.with_shadowed(shadowed), ..self }
    }

    /// The ticket of a call that is entered at this place.
    pub(super) fn at_place(self, place: usize) -> Ticket {
        Ticket::timed(self.word.with_shadowed(true), Tick(place as u64))
    }

    fn place_in_table(self) -> Option<usize> {
        usize::try_from(self.started()?.0).ok()
    }
}
