//! Checks: the decision of an admission, without taking a permit.

use std::time::Duration;

use super::admit::refusal;
use crate::breaker::CircuitBreaker;
use crate::clock::Tick;
use crate::error::{Refusal, Rejected};
use crate::state::{Admission, Machine};
use crate::sync::lock;
use crate::word::{State, Word};

impl CircuitBreaker {
    /// Checks whether a call would be admitted now, without taking a permit.
    ///
    /// It changes nothing and counts nothing. The result may be outdated as soon as it is returned.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`try_acquire`](Self::try_acquire).
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
        if word.is_closed() { None } else { self.refusal_not_closed(word) }
    }

    // Inline for the same reason as `refused`.
    #[inline]
    fn refusal_not_closed(&self, word: Word) -> Option<Refusal> {
        if word.state() == State::Open {
            // Nothing is counted: a check is not a call that was rejected.
            let refusal = self.inner().refusal_while_open(word, |_, _| true);
            if refusal.is_some() {
                return refusal;
            }
        }
        self.refusal_slow(word)
    }

    #[cold]
    #[inline(never)]
    fn refusal_slow(&self, word: Word) -> Option<Refusal> {
        self.refusal_and(word, |_, _| ()).map(|(refusal, ())| refusal)
    }

    /// Returns the machine's refusal together with `more`, which is evaluated under the same lock, at the same time.
    fn refusal_and<T>(&self, word: Word, more: impl FnOnce(&Machine, Tick) -> T) -> Option<(Refusal, T)> {
        match word.state() {
            // Decided by the word alone: in these states no call is refused, so neither the clock nor the lock is
            // needed.
            State::Closed | State::Disabled | State::MetricsOnly => return None,
            State::Open | State::HalfOpen | State::ForcedOpen => {}
        }
        let now = self.inner().clock.now();
        let machine = &lock(&self.inner().locked).machine;
        match machine.check(now) {
            Admission::Permitted => None,
            Admission::Refused { reason, remaining, cause } => {
                Some((refusal(reason, remaining, cause), more(machine, now)))
            }
        }
    }

    /// See [`adapter::refusal_for`](crate::adapter::refusal_for).
    pub(crate) fn refusal_for(&self) -> Option<(Refusal, Option<Duration>)> {
        self.refusal_and(self.inner().word.load(), Machine::changes_in)
    }

    /// See [`adapter::refusal_until`](crate::adapter::refusal_until).
    pub(crate) fn refusal_until(&self) -> Option<(Refusal, Option<Duration>)> {
        self.refusal_and(self.inner().word.load(), Machine::changes_at)
    }
}
