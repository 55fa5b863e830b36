//! The one door: who is let in, and who is told no (S1).

use std::sync::Arc;

use crate::breaker::{CircuitBreaker, Inner, OwnedPermit, Permit, Ticket};
use crate::error::{Refusal, Rejected};
use crate::observe::{Event, Interest, Kind, Listeners};
use crate::reason::{Cause, RejectReason};
use crate::state::Admission;
use crate::totals::Ledger;
use crate::word::{State, Word};

impl CircuitBreaker {
    /// Asks for leave to make one call.
    ///
    /// # Errors
    ///
    /// [`Rejected`] while the breaker is open, forced open, or half-open with all its probes out.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejected> {
        let word = self.inner().word.load();
        if word.is_closed() {
            return Ok(Permit::new(self, self.ticket(word)));
        }
        self.acquire_otherwise(word)
    }

    /// The same as [`try_acquire`](Self::try_acquire), for a permit that must be `'static`.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    #[inline]
    pub fn try_acquire_owned(&self) -> Result<OwnedPermit, Rejected> {
        let word = self.inner().word.load();
        if word.is_closed() {
            return Ok(OwnedPermit::new(self.clone(), self.ticket(word)));
        }
        self.acquire_owned_otherwise(word)
    }

    /// See [`adapter::into_permit`](crate::adapter::into_permit).
    #[inline]
    pub(crate) fn into_permit(self) -> Result<OwnedPermit, Rejected> {
        let word = self.inner().word.load();
        if word.is_closed() {
            let ticket = self.ticket(word);
            return Ok(OwnedPermit::new(self, ticket));
        }
        into_permit_otherwise(self, word)
    }

    /// See [`adapter::acquire_if_closed`](crate::adapter::acquire_if_closed).
    #[inline]
    pub(crate) fn acquire_if_closed(&self) -> Option<OwnedPermit> {
        let word = self.inner().word.load();
        if word.is_closed() { Some(OwnedPermit::new(self.clone(), self.ticket(word))) } else { None }
    }

    /// See [`adapter::acquire_if_permitted`](crate::adapter::acquire_if_permitted).
    pub(crate) fn acquire_if_permitted(&self) -> Option<OwnedPermit> {
        let word = self.inner().word.load();
        let ticket = match word.state() {
            State::Closed | State::Disabled | State::MetricsOnly => self.ticket(word),
            State::Open | State::HalfOpen | State::ForcedOpen => self.admit_locked(|_| ()).ok()?,
        };
        Some(OwnedPermit::new(self.clone(), ticket))
    }

    #[inline]
    fn ticket(&self, word: Word) -> Ticket {
        if word.timed() { self.timed_ticket(word) } else { Ticket::untimed(word) }
    }

    #[inline(never)]
    fn timed_ticket(&self, word: Word) -> Ticket {
        Ticket::timed(word, self.inner().clock.now())
    }

    #[cold]
    #[inline(never)]
    fn acquire_otherwise(&self, word: Word) -> Result<Permit<'_>, Rejected> {
        match self.refused(word) {
            Some(refusal) => Err(self.inner().rejected(refusal)),
            None => self.acquire_at_length(word),
        }
    }

    #[inline(never)]
    fn acquire_at_length(&self, word: Word) -> Result<Permit<'_>, Rejected> {
        match self.admit_at_length(word) {
            Ok(ticket) => Ok(Permit::new(self, ticket)),
            Err(refusal) => Err(self.inner().rejected(refusal)),
        }
    }

    #[cold]
    #[inline(never)]
    fn acquire_owned_otherwise(&self, word: Word) -> Result<OwnedPermit, Rejected> {
        match self.refused(word) {
            Some(refusal) => Err(self.inner().rejected(refusal)),
            None => self.acquire_owned_at_length(word),
        }
    }

    #[inline(never)]
    fn acquire_owned_at_length(&self, word: Word) -> Result<OwnedPermit, Rejected> {
        match self.admit_at_length(word) {
            Ok(ticket) => Ok(OwnedPermit::new(self.clone(), ticket)),
            Err(refusal) => Err(self.inner().rejected(refusal)),
        }
    }

    /// The no of an open breaker whose wait is not over, counted and told.
    // Always inline: what it gives would else be written to memory in words and read back in pairs.
    #[inline(always)]
    fn refused(&self, word: Word) -> Option<Refusal> {
        if word.state() != State::Open {
            return None;
        }
        let refusal = self.inner().refuse_while_open(word)?;
        if let Some(listeners) = self.inner().listeners() {
            self.tell_refusal(listeners, refusal);
        }
        Some(refusal)
    }

    fn admit_at_length(&self, word: Word) -> Result<Ticket, Refusal> {
        match word.state() {
            State::Closed | State::Disabled | State::MetricsOnly => return Ok(self.ticket(word)),
            State::Open | State::HalfOpen | State::ForcedOpen => {}
        }
        let answer = self.admit_locked(Ledger::reject);
        if let (Err(refusal), Some(listeners)) = (&answer, self.inner().listeners()) {
            self.tell_refusal(listeners, *refusal);
        }
        answer
    }

    /// `count` is given the ledger in the visit that refuses.
    fn admit_locked(&self, count: impl FnOnce(&Ledger)) -> Result<Ticket, Refusal> {
        let now = self.inner().clock.now();
        let (answer, ticket, lacks_plan) = self.transition(now, |locked, log, now| {
            let answer = locked.machine.admit(now, log);
            if !log.is_empty() {
                // The visits that this admission began come before its rejection.
                self.inner().commit(locked, log, now);
                log.clear();
            }
            let answer = match answer {
                Admission::Permitted => Ok(()),
                Admission::Refused { reason, left, cause } => {
                    count(&self.inner().cold().ledger);
                    Err(refusal(reason, left, cause))
                }
            };
            // The machine may be found in any state by now; a probe is always timed.
            let word = Word::new(locked.machine.epoch(), locked.machine.state());
            (answer, Ticket::timed(word, now), locked.machine.lacks_plan())
        });
        if lacks_plan {
            self.plan_overdue(now);
        }
        answer.map(|()| ticket)
    }

    /// See [`adapter::reject`](crate::adapter::reject).
    #[inline]
    pub(crate) fn reject(&self, refusal: Refusal) -> Rejected {
        self.inner().cold().ledger.reject();
        if let Some(listeners) = self.inner().listeners() {
            self.tell_refusal(listeners, refusal);
        }
        self.inner().rejected(refusal)
    }

    /// See [`adapter::count_rejection`](crate::adapter::count_rejection).
    pub(crate) fn count_rejection(&self, rejected: &Rejected) {
        self.inner().cold().ledger.reject();
        if let Some(listeners) =
            self.inner().listeners().filter(|listeners| listeners.want(Interest::REJECTIONS))
        {
            listeners.tell_now(self, &Event::Rejected(rejected.clone()), Kind::Rejections);
        }
    }

    /// Apart, and with a rejection of its own: the one for the caller is written where it is wanted, once.
    #[cold]
    #[inline(never)]
    fn tell_refusal(&self, listeners: &Listeners, refusal: Refusal) {
        if listeners.want(Interest::REJECTIONS) {
            listeners.tell_now(self, &Event::Rejected(self.inner().rejected(refusal)), Kind::Rejections);
        }
    }
}

impl Inner {
    /// Refuses a call and counts it in the visit that refused it; none if the lock must be asked.
    #[inline(always)]
    fn refuse_while_open(&self, word: Word) -> Option<Refusal> {
        self.refusal_while_open(word, Ledger::reject_as_of)
    }

    /// The no of an open breaker whose wait is not over; none if the lock must be asked.
    ///
    /// `count` is given what the count of rejections was before the visit was looked at; where it
    /// fails, somebody else was quicker and all is looked at again.
    #[inline(always)]
    pub(crate) fn refusal_while_open(
        &self,
        word: Word,
        count: impl Fn(&Ledger, u64) -> bool,
    ) -> Option<Refusal> {
        let cold = self.cold.get()?;
        loop {
            let seen = cold.ledger.rejections()?;
            let (deadline, wait, cause) = cold.opening();
            // Read again: what was read belongs to this visit only if it still goes on.
            if self.word.load() != word {
                return None;
            }
            // A clock that stands before the opening leaves no more than the whole wait (S26).
            let left = deadline.since(self.clock.now()).min(wait);
            if left == 0 {
                return None;
            }
            if count(&cold.ledger, seen) {
                return Some(Refusal::open(left, cause));
            }
        }
    }

    #[inline]
    pub(crate) fn rejected(&self, refusal: Refusal) -> Rejected {
        Rejected::by_breaker(Arc::clone(&self.name), refusal, self.last_error())
    }

    /// The text of the failure that the opening under way began with, where a classifier gave one.
    #[inline]
    fn last_error(&self) -> Option<Arc<Box<str>>> {
        let word = self.word.load();
        if word.state() == State::Open { self.cold.get()?.last_error(word.epoch()) } else { None }
    }
}

/// What the machine said, as it is told.
pub(crate) fn refusal(reason: RejectReason, left: u64, cause: Cause) -> Refusal {
    match reason {
        RejectReason::Open => Refusal::open(left, cause.to_words()),
        RejectReason::HalfOpenSaturated => Refusal::saturated(),
        RejectReason::HalfOpenRamp => Refusal::in_ramp(),
        RejectReason::ForcedOpen => Refusal::forced(),
        // No breaker decides so; a limit makes its rejections itself.
        RejectReason::BulkheadFull | RejectReason::RateLimited => Refusal::of(reason, None),
    }
}

/// By value: what asks for it on the healthy path then needs no address of its handle.
#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "a reference would force the handle into memory")]
fn into_permit_otherwise(breaker: CircuitBreaker, word: Word) -> Result<OwnedPermit, Rejected> {
    breaker.acquire_owned_otherwise(word)
}
