//! Admission: every way to make a call is admitted or rejected here (S1).

use std::sync::Arc;

use crate::breaker::{CircuitBreaker, Inner, Locked, OwnedPermit, Permit, Ticket};
use crate::clock::{Moment, Tick};
use crate::error::{Refusal, Rejected};
use crate::observe::{Event, Interest, Kind, Listeners};
use crate::reason::{Cause, RejectReason};
use crate::rejections::Lane;
use crate::state::{Admission, Log};
use crate::sync::lock;
use crate::totals::Ledger;
use crate::word::{State, Word};

impl CircuitBreaker {
    /// Acquires a permit to make one call.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] while the breaker is open or forced open, and while it is half-open with all its
    /// probes in flight.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejected> {
        let word = self.inner().word.load();
        if word.is_closed() {
            return Ok(Permit::new(self, self.ticket(word)));
        }
        self.acquire_not_closed(word)
    }

    /// Like [`try_acquire`](Self::try_acquire), but returns a permit that is `'static`: it holds a clone of the
    /// breaker instead of borrowing it.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`try_acquire`](Self::try_acquire).
    #[inline]
    pub fn try_acquire_owned(&self) -> Result<OwnedPermit, Rejected> {
        let word = self.inner().word.load();
        if word.is_closed() {
            return Ok(OwnedPermit::new(self.clone(), self.ticket(word)));
        }
        self.acquire_owned_not_closed(word)
    }

    /// See [`adapter::into_permit`](crate::adapter::into_permit).
    #[inline]
    pub(crate) fn into_permit(self) -> Result<OwnedPermit, Rejected> {
        let word = self.inner().word.load();
        if word.is_closed() {
            let ticket = self.ticket(word);
            return Ok(OwnedPermit::new(self, ticket));
        }
        into_permit_not_closed(self, word)
    }

    /// See [`adapter::acquire_if_closed`](crate::adapter::acquire_if_closed).
    #[inline]
    pub(crate) fn acquire_if_closed(&self) -> Option<OwnedPermit> {
        let word = self.inner().word.load();
        if word.is_closed() {
            return Some(OwnedPermit::new(self.clone(), self.ticket(word)));
        }
        self.acquire_if_closed_slow(word)
    }

    /// Returns a permit if a closed breaker that counts calls in flight is still closed after it has evaluated them.
    #[cold]
    #[inline(never)]
    fn acquire_if_closed_slow(&self, word: Word) -> Option<OwnedPermit> {
        if word.state() != State::Closed {
            return None;
        }
        if word.is_by_evidence() {
            return self.acquire_if_permitted();
        }
        let moment = Moment::of(&self.inner().clock);
        self.evaluate_overdue(word, &moment);
        let word = self.inner().word.load();
        let ticket = match (word.state(), word.is_filed()) {
            (State::Closed, true) => self.file(word, moment.get()),
            (State::Closed, false) => self.ticket(word),
            (State::Open | State::HalfOpen | State::ForcedOpen | State::Disabled | State::MetricsOnly, _) => {
                return None;
            }
        };
        Some(OwnedPermit::new(self.clone(), self.pass_shadows(word, ticket)))
    }

    /// See [`adapter::acquire_if_permitted`](crate::adapter::acquire_if_permitted).
    pub(crate) fn acquire_if_permitted(&self) -> Option<OwnedPermit> {
        let word = self.inner().word.load();
        let ticket = match word.state() {
            State::Closed | State::MetricsOnly if word.is_filed() => self.admit_filed(|_| ()).ok()?,
            State::Closed | State::Disabled | State::MetricsOnly => self.ticket(word),
            State::Open | State::HalfOpen | State::ForcedOpen => self.admit_locked(|_| ()).ok()?,
        };
        Some(OwnedPermit::new(self.clone(), self.pass_shadows(word, ticket)))
    }

    // The flag in the word spares an untimed breaker the clock, which costs more than the rest of an admission.
    #[inline]
    pub(super) fn ticket(&self, word: Word) -> Ticket {
        if word.timed() { self.timed_ticket(word) } else { Ticket::untimed(word) }
    }

    #[inline(never)]
    fn timed_ticket(&self, word: Word) -> Ticket {
        Ticket::timed(word, self.inner().clock.now())
    }

    /// Admits a call of an adaptive breaker that is closed.
    #[inline(always)]
    fn ticket_unlocked(&self, word: Word) -> Option<Ticket> {
        if word.is_unlocked_by_evidence() { self.admit_unlocked(word) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn acquire_not_closed(&self, word: Word) -> Result<Permit<'_>, Rejected> {
        if let Some(ticket) = self.ticket_unlocked(word) {
            return Ok(Permit::new(self, ticket));
        }
        match self.refused(word) {
            Some(refusal) => Err(self.inner().rejected(refusal)),
            None => self.acquire_slow(word),
        }
    }

    #[inline(never)]
    fn acquire_slow(&self, word: Word) -> Result<Permit<'_>, Rejected> {
        match self.admit_slow(word) {
            Ok(ticket) => Ok(Permit::new(self, ticket)),
            Err(refusal) => Err(self.inner().rejected(refusal)),
        }
    }

    #[cold]
    #[inline(never)]
    fn acquire_owned_not_closed(&self, word: Word) -> Result<OwnedPermit, Rejected> {
        if let Some(ticket) = self.ticket_unlocked(word) {
            return Ok(OwnedPermit::new(self.clone(), ticket));
        }
        match self.refused(word) {
            Some(refusal) => Err(self.inner().rejected(refusal)),
            None => self.acquire_owned_slow(word),
        }
    }

    #[inline(never)]
    fn acquire_owned_slow(&self, word: Word) -> Result<OwnedPermit, Rejected> {
        match self.admit_slow(word) {
            Ok(ticket) => Ok(OwnedPermit::new(self.clone(), ticket)),
            Err(refusal) => Err(self.inner().rejected(refusal)),
        }
    }

    /// Refuses the call if the breaker is open and its wait is not over; counts the rejection and notifies the
    /// listeners.
    // Always inline: otherwise the result is stored to memory in single words and loaded back in pairs, which
    // stalls store forwarding.
    #[inline(always)]
    fn refused(&self, word: Word) -> Option<Refusal> {
        if word.state() != State::Open {
            return None;
        }
        let refusal = self.inner().refuse_while_open(word)?;
        if let Some(listeners) = self.inner().listeners() {
            self.notify_refusal(listeners, refusal);
        }
        Some(refusal)
    }

    fn admit_slow(&self, word: Word) -> Result<Ticket, Refusal> {
        let answer = match word.state() {
            State::Closed | State::MetricsOnly if word.is_filed() => self.admit_filed(Ledger::reject),
            State::Closed | State::Disabled | State::MetricsOnly => Ok(self.ticket(word)),
            State::Open if word.is_by_evidence() => self.probe_by_evidence(word, Ledger::reject),
            State::Open | State::HalfOpen | State::ForcedOpen => self.admit_locked(Ledger::reject),
        };
        if let (Err(refusal), Some(listeners)) = (&answer, self.inner().listeners()) {
            self.notify_refusal(listeners, *refusal);
        }
        answer.map(|ticket| self.pass_shadows(word, ticket))
    }

    /// Lets the shadows decide about a call that is admitted with this word, if there are any.
    fn pass_shadows(&self, word: Word, ticket: Ticket) -> Ticket {
        if word.is_shadowed() || ticket.word.is_shadowed() { self.shadowed_slow(ticket) } else { ticket }
    }

    /// Admits a call and counts it while it is in flight, unless the overdue calls open the breaker.
    fn admit_filed(&self, count: impl FnOnce(&Ledger)) -> Result<Ticket, Refusal> {
        let inner = self.inner();
        let word = inner.word.load();
        if word.is_by_evidence() {
            return match self.admit_unlocked(word) {
                Some(ticket) => Ok(ticket),
                None => self.admit_locked(count),
            };
        }
        let moment = Moment::of(&inner.clock);
        self.evaluate_overdue(word, &moment);
        let word = inner.word.load();
        match word.state() {
            State::Closed | State::MetricsOnly if word.is_filed() => Ok(self.file(word, moment.get())),
            State::Closed | State::Disabled | State::MetricsOnly => Ok(self.ticket(word)),
            State::Open | State::HalfOpen | State::ForcedOpen => self.admit_locked(count),
        }
    }

    /// Counts the call as in flight. If its visit has ended or its bucket is full, it counts only at its end.
    fn file(&self, word: Word, now: Tick) -> Ticket {
        match self.inner().cold().in_flight(word).and_then(|ring| ring.enter(now)) {
            Some(entered) => Ticket::timed(word, entered),
            None => Ticket::timed(word.with_turn(0), now),
        }
    }

    /// Lets the machine decide, under the transition lock.
    ///
    /// `count` is called with the ledger if the machine refuses, before the lock is released, so that the
    /// rejection belongs to the visit that refused it.
    pub(super) fn admit_locked(&self, count: impl FnOnce(&Ledger)) -> Result<Ticket, Refusal> {
        let now = self.inner().clock.now();
        let (answer, lacks_plan) = self.transition(now, |locked, log, now| {
            let answer = self.decide(count, locked, log, now);
            (answer, locked.machine.lacks_plan())
        });
        if lacks_plan {
            self.plan_overdue(now);
        }
        answer
    }

    /// The decision of the machine about a call, and its ticket.
    pub(super) fn decide(
        &self,
        count: impl FnOnce(&Ledger),
        locked: &mut Locked,
        log: &mut Log,
        now: Tick,
    ) -> Result<Ticket, Refusal> {
        let learns = locked.machine.learns();
        let answer = if learns {
            locked.machine.admit_by_evidence(&|| self.counts_at(now), now, log)
        } else {
            locked.machine.admit(now, log)
        };
        if !log.is_empty() {
            // Committed first: the rejection belongs to the visit that this admission began, and a new visit
            // restarts the count of its rejections.
            self.inner().commit(locked, log, now);
            log.clear();
        }
        match answer {
            Admission::Permitted if learns => Ok(self.ticket_by_evidence(&locked.machine, now)),
            Admission::Permitted => {
                // Not the word that the caller loaded: the state may have changed before the lock was taken.
                // A probe is always timed, because its timeout runs from its admission.
                let word = Word::new(locked.machine.epoch(), locked.machine.state());
                Ok(Ticket::timed(word, now))
            }
            Admission::Refused { reason, remaining, cause } => {
                count(&self.inner().cold().ledger);
                Err(refusal(reason, remaining, cause))
            }
        }
    }

    /// See [`adapter::reject`](crate::adapter::reject).
    #[inline]
    pub(crate) fn reject(&self, refusal: Refusal) -> Rejected {
        self.inner().cold().ledger.reject();
        if let Some(listeners) = self.inner().listeners() {
            self.notify_refusal(listeners, refusal);
        }
        self.inner().rejected(refusal)
    }

    /// See [`adapter::count_rejection`](crate::adapter::count_rejection).
    pub(crate) fn count_rejection(&self, rejected: &Rejected) {
        self.inner().cold().ledger.reject();
        if let Some(listeners) =
            self.inner().listeners().filter(|listeners| listeners.want(Interest::REJECTIONS))
        {
            listeners.notify_now(self, &Event::Rejected(rejected.clone()), Kind::Rejections);
        }
    }

    /// Notifies the listeners that want rejections.
    // Out of line, and with a `Rejected` of its own, so that the one for the caller is constructed in place.
    #[cold]
    #[inline(never)]
    fn notify_refusal(&self, listeners: &Listeners, refusal: Refusal) {
        if listeners.want(Interest::REJECTIONS) {
            listeners.notify_now(self, &Event::Rejected(self.inner().rejected(refusal)), Kind::Rejections);
        }
    }
}

impl Inner {
    /// Refuses a call without the lock and counts the rejection in the visit that refused it.
    ///
    /// Returns [`None`] if only the machine, under the lock, can decide.
    #[inline(always)]
    fn refuse_while_open(&self, word: Word) -> Option<Refusal> {
        self.refusal_while_open(word, |lane, seen| {
            let counted = lane.reject_as_of(seen);
            if !counted {
                self.split_rejections_slow();
            }
            counted
        })
    }

    /// Gives threads that contend for the count of the rejections counts of their own.
    #[cold]
    #[inline(never)]
    fn split_rejections_slow(&self) {
        let rejections = &self.cold().ledger.rejections;
        if !rejections.is_split() {
            let _locked = lock(&self.locked);
            rejections.split();
        }
    }

    /// Returns the refusal of an open breaker whose wait is not over, without taking the lock.
    ///
    /// Returns [`None`] if only the machine, under the lock, can decide. `count` is called with the lane of this thread
    /// and the number of its rejections that was loaded before everything else. If it returns false, that number has
    /// changed, by another rejection or by a new visit, and all values are read again.
    // The reader's half of a seqlock: the ledger's number is the sequence, and the state word is loaded again after
    // the values that it guards.
    #[inline(always)]
    pub(crate) fn refusal_while_open(
        &self,
        word: Word,
        count: impl Fn(&Lane, u64) -> bool,
    ) -> Option<Refusal> {
        let cold = self.cold.get()?;
        loop {
            let lane = cold.ledger.rejections.lane();
            let seen = lane.seen()?;
            let (deadline, wait, cause) = cold.opening();
            // The values belong to this visit only if the word is unchanged after they were loaded.
            if self.word.load() != word {
                return None;
            }
            // A lagging reading makes the rest of the wait no more than longer by the lag.
            let now = self.clock.lagging_before(deadline).unwrap_or_else(|| self.clock.now());
            // If the clock has stepped back, the rest of a wait is still no longer than the whole wait (S26).
            let remaining = deadline.since(now).min(wait);
            if remaining == 0 {
                return None;
            }
            if count(lane, seen) {
                return Some(Refusal::open(remaining, cause));
            }
        }
    }

    #[inline]
    pub(crate) fn rejected(&self, refusal: Refusal) -> Rejected {
        let name = match self.cold.get() {
            Some(cold) => cold.ledger.rejections.name(&self.name),
            None => Arc::clone(&self.name),
        };
        Rejected::by_breaker(name, refusal, self.last_error())
    }

    /// Returns the text of the failure that opened the breaker, if it is open and a classifier described that
    /// failure.
    #[inline]
    fn last_error(&self) -> Option<Arc<Box<str>>> {
        let word = self.word.load();
        if word.state() == State::Open { self.cold.get()?.last_error(word.epoch()) } else { None }
    }
}

/// Converts the machine's decision into a [`Refusal`].
pub(crate) fn refusal(reason: RejectReason, remaining: u64, cause: Cause) -> Refusal {
    match reason {
        RejectReason::Open => Refusal::open(remaining, cause.to_words()),
        RejectReason::HalfOpenSaturated => Refusal::saturated(),
        RejectReason::HalfOpenRamp => Refusal::in_ramp(),
        RejectReason::ForcedOpen => Refusal::forced(),
        // A breaker never decides this; limits create their own rejections.
        RejectReason::BulkheadFull | RejectReason::RateLimited => Refusal::of(reason, None),
    }
}

// Takes the breaker by value, so that the handle can stay in a register on the fast path.
#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "a reference would force the handle into memory")]
fn into_permit_not_closed(breaker: CircuitBreaker, word: Word) -> Result<OwnedPermit, Rejected> {
    breaker.acquire_owned_not_closed(word)
}
