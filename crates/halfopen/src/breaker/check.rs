//! Asking without taking: what the door would say now.

use std::time::Duration;

use super::admit::refusal;
use crate::breaker::CircuitBreaker;
use crate::clock::Tick;
use crate::error::{Refusal, Rejected};
use crate::state::{Admission, Machine};
use crate::sync::lock;
use crate::word::{State, Word};

impl CircuitBreaker {
    /// Asks without taking: would a call be admitted now?
    ///
    /// Changes nothing and counts nothing; the answer may be outdated as soon as it is given.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub fn check(&self) -> Result<(), Rejected> {
        match self.refusal() {
            Some(refusal) => Err(self.inner().rejected(refusal)),
            None => Ok(()),
        }
    }

    /// See [`adapter::refusal`](crate::adapter::refusal).
    #[inline]
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let word = self.inner().word.load();
        if word.is_closed() { None } else { self.refusal_otherwise(word) }
    }

    // Inline for the same reason as `refused`.
    #[inline]
    fn refusal_otherwise(&self, word: Word) -> Option<Refusal> {
        if word.state() == State::Open {
            let refusal = self.inner().refusal_while_open(word, |_, _| true);
            if refusal.is_some() {
                return refusal;
            }
        }
        self.refusal_at_length(word)
    }

    #[cold]
    #[inline(never)]
    fn refusal_at_length(&self, word: Word) -> Option<Refusal> {
        self.refusal_and(word, |_, _| ()).map(|(refusal, ())| refusal)
    }

    /// What the machine refuses with, and what else it knows at the same moment.
    fn refusal_and<T>(&self, word: Word, more: impl FnOnce(&Machine, Tick) -> T) -> Option<(Refusal, T)> {
        match word.state() {
            State::Closed | State::Disabled | State::MetricsOnly => return None,
            State::Open | State::HalfOpen | State::ForcedOpen => {}
        }
        let now = self.inner().clock.now();
        let machine = &lock(&self.inner().locked).machine;
        match machine.check(now) {
            Admission::Permitted => None,
            Admission::Refused { reason, left, cause } => {
                Some((refusal(reason, left, cause), more(machine, now)))
            }
        }
    }

    /// See [`adapter::refusal_for`](crate::adapter::refusal_for).
    pub(crate) fn refusal_for(&self) -> Option<(Refusal, Option<Duration>)> {
        self.refusal_and(self.inner().word.load(), |machine, now| machine.view(now).changes_in())
    }

    /// See [`adapter::refusal_until`](crate::adapter::refusal_until).
    pub(crate) fn refusal_until(&self) -> Option<(Refusal, Option<Duration>)> {
        self.refusal_and(self.inner().word.load(), |machine, now| machine.view(now).changes_at())
    }
}
