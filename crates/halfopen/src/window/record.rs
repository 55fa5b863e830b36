//! How an outcome gets into a window: in a stripe if it is a plain success, else under the lock.

use super::Window;
use crate::clock::{Moment, Tick};
use crate::counts::Counts;
use crate::policy::trip;
use crate::reason::Cause;
use crate::sync::{Ordering, lock};
use crate::word::{StateWord, Word};

/// An outcome that counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) failure: bool,
    pub(crate) slow: bool,
}

impl Kind {
    /// A success that was not slow.
    #[inline]
    pub(crate) fn is_plain(self) -> bool {
        !self.failure && !self.slow
    }
}

/// The result of recording an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Its visit was over: nothing was written.
    Late,
    /// It is written, and no rule can fire on it.
    Quiet,
    /// It is written; these are the counts with it, and the rules that hold for them.
    Counts(Counts, Option<Cause>),
}

/// The result of recording a plain success on the fast path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is written, and no rule can fire on it.
    Quietly,
    /// It is written; the rules are to be evaluated.
    ToEvaluate,
    /// Nothing is written, as another thread wrote the same stripe: [`Window::record`] tries again.
    Contended,
    /// Nothing is written: the slow path is to be taken.
    NotWritten,
}

impl Window {
    /// Fast path of [`record`](Self::record) for a plain success; `now` is asked for where the window is one over
    /// time.
    #[inline]
    pub(crate) fn add_success(&self, state: &StateWord, ticket: Word, now: Option<Tick>) -> Added {
        // The stripe first: the end of this visit advances every stripe before it reads the sums, so if the
        // compare-and-swap succeeds, the values loaded in between were still valid. Acquire, paired with that advance.
        let stripe = self.successes.local();
        let seen = stripe.load(Ordering::Acquire);
        let is_current = state.load() == ticket
            && ticket.is_in_visit(self.visit.load(Ordering::Relaxed))
            // Acquire, with the store in `move_edge`: the write below is not in the sums of the roll before.
            && now.is_none_or(|now| now.0 < self.edge.load(Ordering::Acquire));
        if !is_current {
            return Added::NotWritten;
        }
        // Sequentially consistent, as is the load below: see `arm`.
        let next = seen.wrapping_add(1);
        if stripe.compare_exchange(seen, next, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return Added::Contended;
        }
        crate::sync::model_fence();
        if self.visit.load(Ordering::SeqCst) & super::ARMED == 0 { Added::Quietly } else { Added::ToEvaluate }
    }

    /// Gives contending threads stripes of their own.
    ///
    /// Under the lock, so that the stripes are created either before a new visit, which advances them, or after it, and
    /// then a thread that loads them sees the visit.
    #[cold]
    #[inline(never)]
    pub(super) fn contended_slow(&self) {
        if !self.successes.is_split() {
            let _samples = lock(&self.samples);
            self.successes.split();
        }
    }

    /// Records an outcome of the visit that gave `ticket`, if that visit still goes on.
    #[inline]
    pub(crate) fn record(
        &self,
        state: &StateWord,
        ticket: Word,
        kind: Kind,
        moment: &Moment<'_>,
    ) -> Recorded {
        while kind.is_plain() {
            // The flags of the word may have changed since the permit was given.
            let word = state.load();
            if !word.same_epoch(ticket) || word.weighed() {
                break;
            }
            let over_time = self.edge.load(Ordering::Relaxed) != Tick::NEVER.0;
            match self.add_success(state, word, over_time.then(|| moment.get())) {
                Added::Quietly => return Recorded::Quiet,
                Added::ToEvaluate => return self.evaluate(moment),
                Added::Contended => self.contended_slow(),
                Added::NotWritten => break,
            }
        }
        self.record_slow(state, ticket, kind, moment)
    }

    /// Evaluates the rules for a success that is written, and disarms if no success after it can make one fire.
    #[cold]
    #[inline(never)]
    pub(crate) fn evaluate(&self, moment: &Moment<'_>) -> Recorded {
        let (samples, now) = self.lock_at(moment);
        let sums = samples.sums(self.successes.sum());
        let counts = samples.counts(&sums, now);
        if samples.is_settled(&sums, now, &counts) {
            self.disarm();
        }
        Recorded::Counts(counts, trip::fired(samples.config().rules(), &counts))
    }

    #[cold]
    #[inline(never)]
    fn record_slow(&self, state: &StateWord, ticket: Word, kind: Kind, moment: &Moment<'_>) -> Recorded {
        let (mut samples, now) = self.lock_at(moment);
        let word = state.load();
        let is_current = word.same_epoch(ticket) && ticket.is_in_visit(self.visit.load(Ordering::Relaxed));
        if !is_current {
            return Recorded::Late;
        }
        if now >= samples.edge() {
            samples.roll(now, self.successes.sum());
            self.move_edge(&samples);
            moment.note_roll();
        }
        if kind.is_plain() {
            // A release, as on the fast path: successes after it in this stripe are after what begins it.
            self.successes.local().fetch_add(1, Ordering::AcqRel);
            if !self.is_armed() && !word.weighed() {
                return Recorded::Quiet;
            }
        } else if samples.arms() {
            self.arm();
        }
        let sums = samples.add(kind, self.successes.sum());
        let counts = samples.counts(&sums, now);
        if self.is_armed() && samples.is_settled(&sums, now, &counts) {
            self.disarm();
        }
        Recorded::Counts(counts, trip::fired(samples.config().rules(), &counts))
    }
}
