//! How an outcome comes into a window: in a stripe if it is a plain success and all is calm, else as a step.

use super::frame::{Frame, Store};
use super::head::{Head, Kind, Step};
use super::sums::Sums;
use super::{Added, Recorded, Window};
use crate::clock::{Moment, Tick};
use crate::counts::Counts;
use crate::sync::Ordering;
use crate::word::{StateWord, Word};

impl Window {
    /// Counts a plain success on the shortest way, `now` where the window is one over time;
    /// `NotWritten` if it is not that simple.
    #[inline]
    pub(crate) fn add_plain(&self, state: &StateWord, ticket: Word, now: Option<Tick>) -> Added {
        // In the order of `record_plain`, for the same reasons.
        let stripe = self.plain.mine();
        let seen = stripe.load(Ordering::Acquire);
        let head = self.load();
        let simple = state.load() == ticket
            && head.is_calm_in(ticket.generation())
            && now.is_none_or(|now| now.0 < self.edge.load(Ordering::Acquire));
        if !simple {
            return Added::NotWritten;
        }
        let next = seen.wrapping_add(1);
        if stripe.compare_exchange(seen, next, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            self.plain.contended();
            return Added::NotWritten;
        }
        // After the write: a failure that did not see it must be seen here.
        crate::sync::model_fence();
        if self.trouble() == 0 { Added::Quietly } else { Added::ToWeigh }
    }

    /// Writes an outcome of the visit that gave `ticket`, if that visit still goes on.
    #[inline]
    pub(crate) fn record(
        &self,
        state: &StateWord,
        ticket: Word,
        kind: Kind,
        moment: &Moment<'_>,
    ) -> Recorded {
        if kind.is_plain() {
            if let Some(recorded) = self.record_plain(state, ticket, moment) {
                return recorded;
            }
        }
        self.record_step(state, ticket, kind, moment)
    }

    /// A plain success in a calm window: one stripe, nothing else. None if it must be a step.
    #[inline]
    fn record_plain(&self, state: &StateWord, ticket: Word, moment: &Moment<'_>) -> Option<Recorded> {
        loop {
            // The stripe first: whatever ends this visit moves every stripe on before it is done, so
            // if the swap below succeeds, what was read in between still held.
            let stripe = self.plain.mine();
            let seen = stripe.load(Ordering::Acquire);
            let head = self.load();
            let word = state.load();
            if !word.same_epoch(ticket) {
                return Some(Recorded::Late);
            }
            if !head.is_calm_in(word.generation()) {
                return None;
            }
            let edge = self.edge.load(Ordering::Acquire);
            if edge != u64::MAX && moment.get().0 >= edge {
                return None;
            }
            let next = seen.wrapping_add(1);
            if stripe.compare_exchange(seen, next, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                return Some(self.look_around(word, moment));
            }
            self.plain.contended();
        }
    }

    /// A plain success is written: is there anything it must be weighed against?
    #[inline]
    fn look_around(&self, word: Word, moment: &Moment<'_>) -> Recorded {
        // As in `add_plain`.
        crate::sync::model_fence();
        let weighed = self.trouble() != 0 || word.weighed();
        if weighed { Recorded::Counts(self.counts(moment)) } else { Recorded::Quiet }
    }

    /// Any outcome, as a step of the head.
    #[cold]
    #[inline(never)]
    fn record_step(&self, state: &StateWord, ticket: Word, kind: Kind, moment: &Moment<'_>) -> Recorded {
        loop {
            let head = self.load();
            let loaded = self.frame.load();
            let word = state.load();
            if !word.same_epoch(ticket) {
                return Recorded::Late;
            }
            let Some(frame) = loaded.of(head) else { continue };
            if frame.epoch() != ticket.epoch() {
                return Recorded::Late;
            }
            let Some(before) = self.finish(head, frame) else { continue };
            if self.roll(head, frame, &before, moment) {
                continue;
            }
            let run = before.failures.saturating_sub(self.run_base.load(Ordering::Acquire));
            let after = before.with(kind);
            let next = head.next(Step::Record(kind), &after, !kind.failure);
            if self.swap(head, next) {
                // If the head has moved on already, somebody else has applied it.
                let _ = self.finish(next, frame);
                if kind.is_plain() && !word.weighed() && !self.is_to_be_weighed(frame, &before) {
                    return Recorded::Quiet;
                }
                if !kind.is_plain() || !head.calm() {
                    self.note_trouble(frame, next, &after);
                }
                return Recorded::Counts(self.weigh(frame, next, kind, &after, run, moment));
            }
        }
    }

    /// The counts right after an outcome that has been made a step.
    fn weigh(
        &self,
        frame: &Frame,
        head: Head,
        kind: Kind,
        after: &Sums,
        run: u64,
        moment: &Moment<'_>,
    ) -> Counts {
        let counts = self.counts_after(frame, head, after, moment);
        Counts {
            consecutive_failures: if kind.failure { run + 1 } else { 0 },
            consecutive_successes: if kind.failure { 0 } else { self.streak(after) },
            ..counts
        }
    }

    fn counts_after(&self, frame: &Frame, head: Head, after: &Sums, moment: &Moment<'_>) -> Counts {
        loop {
            let unmoved = || self.load() == head;
            if let Some(counts) = frame.counts(head, after, || self.plain.sum(), || moment.get(), unmoved) {
                return counts;
            }
            match frame.store {
                // Others have gone on, and what has slid out since is counted out: a look at all there is
                // now holds this outcome too.
                Store::Ring(..) => return self.counts(moment),
                // Somebody is rolling the window on: with help it is done, whatever keeps them.
                Store::Marks(_) => self.help(),
            }
        }
    }
}
