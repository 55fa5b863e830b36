//! What a breaker remembers of the calls it has let through.
//!
//! A window is lock-free and exact: its steps have an order ([`head`]), and every reader sees the
//! sums of a whole number of them. A plain success in a window without trouble is not even a step:
//! it is counted in a stripe ([`plain`]) and changes nothing else.

mod frame;
mod head;
mod marks;
#[cfg(all(test, not(loom)))]
mod oracle;
mod plain;
mod ring;
mod sums;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod quiet_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use std::sync::Arc;

use frame::{Frame, Store};
use head::{Head, Step};
use plain::Plain;
use sums::{AtomicSums, Sums};

pub(crate) use head::Kind;

use crate::clock::{Moment, Tick};
use crate::config::{CircuitBreakerConfig, Rule};
use crate::state::{StateWord, Word};
use crate::sync::{AtomicU64, Ordering, Shared};
use crate::totals::Timing;
use crate::{Counts, Totals};

/// The window of the visit that records into it, and the totals of all visits.
#[derive(Debug)]
pub(crate) struct Window {
    head: AtomicU64,
    /// When the current bucket is over; `u64::MAX` where there are no buckets.
    edge: AtomicU64,
    /// The step since which plain successes must be weighed, as they may make a rule fire; zero if none can.
    trouble: AtomicU64,
    /// From how many nanoseconds on a call is slow; `u64::MAX` where no rule asks.
    slow_after: AtomicU64,
    /// All failures when the run of failures was last broken.
    run_base: AtomicU64,
    /// All successes when the run of successes was last broken.
    streak_base: AtomicU64,
    sums: AtomicSums,
    plain: Plain,
    frame: Shared<Frame>,
}

/// What became of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Its visit was over: nothing was written.
    Late,
    /// It is written, and no rule could fire on it.
    Quiet,
    /// It is written; the rules are to be asked about these counts.
    Counts(Counts),
}

/// What became of a plain success on the short way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is written, and no rule could fire on it.
    Quietly,
    /// It is written; the rules are to be asked.
    ToWeigh,
    /// Nothing is written: the long way is to be taken.
    NotWritten,
}

impl Window {
    pub(crate) fn new(epoch: u64, config: &CircuitBreakerConfig, now: Tick) -> Window {
        let frame = Frame::new(epoch, false, config.clone(), now, &Sums::default(), 0, None);
        let edge = frame.marks().map_or(Tick::NEVER, |marks| marks.end(0));
        Window {
            head: AtomicU64::new(Head::first(true).0),
            edge: AtomicU64::new(edge.0),
            trouble: AtomicU64::new(0),
            slow_after: AtomicU64::new(slow_after(config)),
            run_base: AtomicU64::new(0),
            streak_base: AtomicU64::new(0),
            sums: AtomicSums::new(),
            plain: Plain::new(),
            frame: Shared::new(frame),
        }
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> CircuitBreakerConfig {
        self.frame.load().config.clone()
    }

    /// Asks the configuration in force, without a copy.
    pub(crate) fn with_config<T>(&self, ask: impl FnOnce(&CircuitBreakerConfig) -> T) -> T {
        ask(&self.frame.load().config)
    }

    /// All successes, failures and slow calls that windows have recorded.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let sums = self.sums.glance();
        (sums.successes + self.plain.successes(), sums.failures, sums.slow)
    }

    /// Where this thread adds up how long its calls took, if threads that met were given places apart.
    #[inline]
    pub(crate) fn timing(&self) -> Option<&Timing> {
        self.plain.timing()
    }

    /// What was added up there.
    pub(crate) fn add_timing_to(&self, totals: &mut Totals) {
        self.plain.add_timing_to(totals);
    }

    /// Whether a call that took this long is slow.
    #[inline]
    pub(crate) fn is_slow(&self, took: u64) -> bool {
        let limit = self.slow_after.load(Ordering::Relaxed);
        limit != u64::MAX && took >= limit
    }

    #[inline]
    fn load(&self) -> Head {
        Head(self.head.load(Ordering::Acquire))
    }

    fn swap(&self, head: Head, next: Head) -> bool {
        self.head.compare_exchange(head.0, next.0, Ordering::SeqCst, Ordering::Acquire).is_ok()
    }

    // ---- recording ----------------------------------------------------------------------------

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
                if kind.is_plain() && !word.weighed() && !self.weighs_successes(frame, &before) {
                    return Recorded::Quiet;
                }
                if !kind.is_plain() || !head.calm() {
                    self.note_trouble(frame, next, kind, &after);
                }
                return Recorded::Counts(self.weigh(frame, next, kind, &after, run, moment));
            }
        }
    }

    /// Whether a plain success that comes after these sums can make a rule fire.
    fn weighs_successes(&self, frame: &Frame, sums: &Sums) -> bool {
        frame.weighs_successes(sums.recorded().wrapping_add(self.plain.sum()))
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

    /// From here on plain successes are weighed, if any rule could fire on one.
    ///
    /// Also after a success that ends a run of failures: whoever wrote the last of them may have got no
    /// further than making it a step.
    fn note_trouble(&self, frame: &Frame, head: Head, kind: Kind, after: &Sums) {
        if kind.failure {
            self.streak_base.fetch_max(after.successes.wrapping_add(self.plain.sum()), Ordering::AcqRel);
        }
        if self.weighs_successes(frame, after) {
            self.trouble.fetch_max(head.ticket(), Ordering::SeqCst);
            crate::sync::model_fence();
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

    /// The step since which plain successes must be weighed; zero if none need be.
    #[inline]
    pub(crate) fn trouble(&self) -> u64 {
        self.trouble.load(Ordering::SeqCst)
    }

    /// Lets successes go unweighed again, if none can make a rule fire before more trouble comes.
    pub(crate) fn settle_trouble(&self, moment: &Moment<'_>, reached: impl Fn(&[Rule], &Counts) -> bool) {
        // Before anything else: trouble that comes meanwhile is not what is settled here.
        let seen = self.trouble();
        let head = self.load();
        let loaded = self.frame.load();
        let Some(frame) = loaded.of(head) else { return };
        let Some(sums) = self.finish(head, frame) else { return };
        let plain = self.plain.sum();
        let (now, unmoved) = (|| moment.get(), || self.load() == head);
        let Some(whole) = frame.counts(head, &sums, || plain, now, unmoved) else { return };
        let reached = |counts: &Counts| reached(frame.config.rules(), counts);
        if frame.is_settled(&sums, plain, now, &whole, reached) && unmoved() {
            let _ = self.trouble.compare_exchange(seen, 0, Ordering::SeqCst, Ordering::Relaxed);
        }
    }

    /// Applies the step that is under way, if there is one.
    #[cold]
    fn help(&self) {
        let head = self.load();
        let loaded = self.frame.load();
        if let Some(frame) = loaded.of(head) {
            let _ = self.finish(head, frame);
        }
    }

    fn streak(&self, sums: &Sums) -> u64 {
        let base = self.streak_base.load(Ordering::Acquire);
        sums.successes.wrapping_add(self.plain.sum()).saturating_sub(base)
    }

    // ---- steps --------------------------------------------------------------------------------

    /// Applies the step of `head` wherever it has not been, and gives the sums after it; none if the
    /// head has moved on.
    fn finish(&self, head: Head, frame: &Frame) -> Option<Sums> {
        let unmoved = || self.load() == head;
        let sums = self.sums.apply(head, unmoved)?;
        match head.step() {
            Step::Begin => {}
            Step::Record(kind) => {
                if let (Store::Ring(ring, _), false) = (&frame.store, kind.is_plain()) {
                    let total = || sums.recorded().wrapping_add(self.plain.sum());
                    ring.note(head.turn(), kind, total, unmoved)?;
                }
                if !kind.failure {
                    self.run_base.fetch_max(sums.failures, Ordering::AcqRel);
                }
            }
            Step::Roll => self.finish_roll(frame, &sums, unmoved)?,
        }
        unmoved().then_some(sums)
    }

    fn finish_roll(&self, frame: &Frame, sums: &Sums, unmoved: impl Fn() -> bool) -> Option<()> {
        let marks = frame.marks()?;
        let edge = self.edge.load(Ordering::Acquire);
        let successes = sums.successes.wrapping_add(self.plain.sum());
        if !unmoved() {
            return None;
        }
        marks.roll(sums, successes);
        if frame.tumbles() {
            self.run_base.fetch_max(sums.failures, Ordering::AcqRel);
            self.streak_base.fetch_max(successes, Ordering::AcqRel);
        }
        self.move_edge(edge, marks.end(marks.current()));
        Some(())
    }

    /// From the value that was seen, so that a helper who comes late moves nothing.
    fn move_edge(&self, seen: u64, end: Tick) {
        if end.0 > seen {
            let _ = self.edge.compare_exchange(seen, end.0, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Rolls the window on if its current bucket is over; true if the head is to be looked at again.
    fn roll(&self, head: Head, frame: &Frame, sums: &Sums, moment: &Moment<'_>) -> bool {
        let Some(marks) = frame.marks().filter(|marks| marks.rolls()) else { return false };
        let edge = self.edge.load(Ordering::Acquire);
        let now = moment.get();
        let (index, current) = (marks.index(now), marks.current());
        if index <= current {
            if now.0 >= edge {
                // The edge was still that of the bucket, or the window, before.
                self.move_edge(edge, marks.end(current));
            }
            return false;
        }
        marks.aim(index);
        let calm = head.calm() || frame.tumbles();
        let next = head.next(Step::Roll, sums, calm);
        if self.swap(head, next) {
            moment.note_roll();
            let _ = self.finish(next, frame);
        }
        true
    }

    // ---- reading ------------------------------------------------------------------------------

    /// What lies in the window at this moment.
    pub(crate) fn counts(&self, moment: &Moment<'_>) -> Counts {
        loop {
            let head = self.load();
            let loaded = self.frame.load();
            let Some(frame) = loaded.of(head) else { continue };
            let Some(sums) = self.finish(head, frame) else { continue };
            let run = sums.failures.saturating_sub(self.run_base.load(Ordering::Acquire));
            let unmoved = || self.load() == head;
            let counts = frame.counts(head, &sums, || self.plain.sum(), || moment.get(), unmoved);
            let Some(counts) = counts else { continue };
            let streak = self.streak(&sums);
            if self.load() != head {
                continue;
            }
            let restarted = frame.tumbles()
                && frame.marks().is_some_and(|marks| marks.index(moment.get()) > marks.current());
            if restarted {
                return counts;
            }
            return Counts { consecutive_failures: run, consecutive_successes: streak, ..counts };
        }
    }

    // ---- visits (under the transition lock) -----------------------------------------------------

    /// A visit begins: an empty window, anchored now. Gives the generation that its word must carry.
    ///
    /// The steps of the visit before are shut out first, then the successes that are no steps; only
    /// then, when nobody can write, does the window get its beginning, and the caller publishes the
    /// new epoch last.
    pub(crate) fn begin(&self, epoch: u64, config: &CircuitBreakerConfig, now: Tick) -> bool {
        let (sums, frame) = self.turn(|before, sums| {
            Frame::new(epoch, !before.odd(), config.clone(), now, sums, 0, Some(before))
        });
        self.plain.bump();
        let successes = sums.successes.wrapping_add(self.plain.sum());
        frame.begin_at(&sums, successes);
        self.run_base.fetch_max(sums.failures, Ordering::AcqRel);
        self.streak_base.fetch_max(successes, Ordering::AcqRel);
        self.trouble.store(0, Ordering::SeqCst);
        self.slow_after.store(slow_after(config), Ordering::Relaxed);
        self.edge.store(frame.marks().map_or(Tick::NEVER, |marks| marks.end(0)).0, Ordering::Release);
        frame.odd()
    }

    /// The configuration changes within a visit: the samples stay if the geometry does, the run in
    /// any case, and the rules are asked at the next outcome, whatever it is (S30).
    pub(crate) fn reconfigure(&self, config: &CircuitBreakerConfig, moment: &Moment<'_>) -> bool {
        let generation = if self.with_config(|old| old.form() == config.form()) {
            self.change_rules(config)
        } else {
            self.change_form(config, moment)
        };
        self.slow_after.store(slow_after(config), Ordering::Relaxed);
        generation
    }

    fn change_rules(&self, config: &CircuitBreakerConfig) -> bool {
        let frame = Arc::clone(&self.frame.load());
        if frame.is_too_narrow_for(config) {
            let (_, frame) = self.turn(|before, sums| before.widened(config.clone(), sums));
            self.suspect();
            return frame.odd();
        }
        self.frame.store(Arc::new(frame.with_config(config.clone())));
        loop {
            let head = self.load();
            let Some(sums) = self.finish(head, &frame) else { continue };
            if self.swap(head, head.next(Step::Begin, &sums, false)) {
                self.suspect();
                return frame.odd();
            }
        }
    }

    /// What lies in the window was recorded under rules that may not have asked successes.
    fn suspect(&self) {
        self.trouble.fetch_max(self.load().ticket(), Ordering::SeqCst);
    }

    fn change_form(&self, config: &CircuitBreakerConfig, moment: &Moment<'_>) -> bool {
        self.roll_on(moment);
        let now = moment.get();
        let (_, frame) = self.turn(|before, sums| {
            let successes = sums.successes.wrapping_add(self.plain.sum());
            Frame::new(before.epoch(), !before.odd(), config.clone(), now, sums, successes, None)
        });
        let end = frame.marks().map_or(Tick::NEVER, |marks| marks.end(marks.current()));
        self.edge.store(end.0, Ordering::Release);
        frame.odd()
    }

    /// Notes a roll that is due, so that a run which an interval has ended does not outlive it.
    fn roll_on(&self, moment: &Moment<'_>) {
        loop {
            let head = self.load();
            let frame = Arc::clone(&self.frame.load());
            let Some(sums) = self.finish(head, &frame) else { continue };
            if !self.roll(head, &frame, &sums, moment) {
                return;
            }
        }
    }

    /// Puts another frame in force, with one step that no step prepared before can follow.
    fn turn(&self, make: impl Fn(&Frame, &Sums) -> Frame) -> (Sums, Arc<Frame>) {
        let before = Arc::clone(&self.frame.load());
        loop {
            let head = self.load();
            let Some(sums) = self.finish(head, &before) else { continue };
            let frame = make(&before, &sums);
            // Until the step is made, the head belongs to the frame before.
            let both = Frame { previous: Some(Arc::clone(&before)), ..frame.clone() };
            self.frame.store(Arc::new(both));
            if self.swap(head, head.next(Step::Begin, &sums, false).turned()) {
                let frame = Arc::new(frame);
                self.frame.store(Arc::clone(&frame));
                return (sums, frame);
            }
        }
    }
}

fn slow_after(config: &CircuitBreakerConfig) -> u64 {
    config.slow_after_nanos().unwrap_or(u64::MAX)
}
