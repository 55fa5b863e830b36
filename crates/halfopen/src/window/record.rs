//! How an outcome gets into a window: in a stripe if it is a plain success, else under the lock.

use super::Window;
use crate::clock::{Moment, Tick};
use crate::counts::Counts;
use crate::outcome::Finished;
use crate::policy::trip;
use crate::reason::Cause;
use crate::sync::{Ordering, lock};
use crate::word::{StateWord, Word};

/// The result of recording an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Its visit is over: nothing is written.
    Late,
    /// It is written, and no rule can fire on it.
    Quiet,
    /// It is written; these are the counts with it, and the rules that hold for them.
    Evaluated(Counts, Option<Cause>),
}

/// The result of adding a plain success on the fast path, without the counts, so that it stays in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is written, and no rule can fire on it.
    Quiet,
    /// It is written, and [`Window::evaluate`] is due.
    Due,
    /// Nothing is written, because another thread wrote the same stripe: [`Window::record`] tries again.
    Contended,
    /// Nothing is written, because the visit, its flags or its bucket have changed: [`Window::record`] takes the lock.
    Stale,
}

impl Window {
    /// Adds a plain success to a stripe: the fast path of [`record`](Self::record).
    ///
    /// The moment is needed where the window is one over time.
    #[inline]
    pub(crate) fn add_success(&self, state: &StateWord, ticket: Word, moment: Option<&Moment<'_>>) -> Added {
        // The stripe first: the end of this visit advances every stripe before it reads the sums, so if the
        // compare-and-swap succeeds, the values loaded in between were still valid. Acquire, paired with that advance.
        let stripe = self.successes.local();
        let seen = stripe.load(Ordering::Acquire);
        let is_current = state.load() == ticket
            && ticket.is_in_visit(self.visit.load(Ordering::Relaxed))
            // Acquire, with the store in `move_edge`: the write below is not in the sums of the roll before.
            && moment.is_none_or(|moment| moment.is_before(Tick(self.edge.load(Ordering::Acquire))));
        if !is_current {
            return Added::Stale;
        }
        // Sequentially consistent, as is the load below: see `arm`.
        let next = seen.wrapping_add(1);
        if stripe.compare_exchange(seen, next, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return Added::Contended;
        }
        crate::sync::model_fence();
        if self.visit.load(Ordering::SeqCst) & super::ARMED == 0 { Added::Quiet } else { Added::Due }
    }

    /// Gives contending threads stripes of their own.
    ///
    /// Under the lock, so that the stripes are created either before a new visit, which advances them, or after it, and
    /// then a thread that loads them sees the visit.
    #[cold]
    #[inline(never)]
    pub(super) fn contended_slow(&self) {
        if !self.successes.is_split() {
            let _contents = lock(&self.contents);
            self.successes.split();
        }
    }

    /// Records an outcome of the visit that gave `ticket`, if that visit still goes on.
    #[inline]
    pub(crate) fn record(
        &self,
        state: &StateWord,
        ticket: Word,
        call: &Finished,
        moment: &Moment<'_>,
    ) -> Recorded {
        while call.is_plain() {
            // The flags of the word may have changed since the permit was given.
            let word = state.load();
            if !word.same_epoch(ticket) || word.evaluated() {
                break;
            }
            // Relaxed: only whether the window is one over time; `add_success` loads the edge again, with the
            // ordering it needs.
            let over_time = self.edge.load(Ordering::Relaxed) != Tick::NEVER.0;
            match self.add_success(state, word, over_time.then_some(moment)) {
                Added::Quiet => return Recorded::Quiet,
                Added::Due => return self.evaluate(moment),
                Added::Contended => self.contended_slow(),
                Added::Stale => break,
            }
        }
        self.record_slow(state, ticket, call, moment)
    }

    /// Evaluates the rules for a success that is written, and disarms if no success after it can make one fire.
    #[cold]
    #[inline(never)]
    pub(crate) fn evaluate(&self, moment: &Moment<'_>) -> Recorded {
        // Under the lock, so that no failure comes between the decision that the window is settled and `disarm`: it
        // would arm the window in vain.
        let (contents, now) = self.lock_at(moment);
        contents.ask(|samples| {
            let sums = samples.sums(self.successes.sum());
            let counts = samples.counts(&sums, now);
            if samples.is_settled(&sums, now, &counts) {
                self.disarm();
            }
            Recorded::Evaluated(counts, trip::fired(samples.config().rules(), &counts))
        })
    }

    #[cold]
    #[inline(never)]
    fn record_slow(&self, state: &StateWord, ticket: Word, call: &Finished, moment: &Moment<'_>) -> Recorded {
        let (mut contents, now) = self.lock_at(moment);
        let word = state.load();
        // Both: at a new visit the window changes before the word does, and at an opening only the word changes.
        let is_current = word.same_epoch(ticket) && ticket.is_in_visit(self.visit.load(Ordering::Relaxed));
        if !is_current {
            return Recorded::Late;
        }
        let samples = contents.samples();
        // Before the outcome is added, which belongs to the bucket that begins.
        if now >= samples.edge() {
            samples.roll(now, self.successes.sum());
            self.move_edge(samples.edge());
            moment.note_roll();
        }
        if call.is_plain() {
            // A release, as on the fast path: successes after it in this stripe are after what begins it.
            self.successes.local().fetch_add(1, Ordering::AcqRel);
            if !self.is_armed() && !word.evaluated() {
                return Recorded::Quiet;
            }
        } else if samples.arms() {
            // Before the sums below: a success that they miss then sees the bit, and evaluates this outcome with
            // itself.
            self.arm();
        }
        let sums = samples.add(call, self.successes.sum());
        let counts = samples.counts(&sums, now);
        // Mostly a failure disarms the window that it has just armed: far below every threshold, no success can
        // change anything.
        if self.is_armed() && samples.is_settled(&sums, now, &counts) {
            self.disarm();
        }
        Recorded::Evaluated(counts, trip::fired(samples.config().rules(), &counts))
    }
}
