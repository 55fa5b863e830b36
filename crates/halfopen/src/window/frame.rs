use std::sync::Arc;

use super::head::Head;
use super::marks::{Found, Marks, Since};
use super::ring::{Marked, Ring};
use super::sums::Sums;
use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Form, Rule};
use crate::counts::Counts;

/// One visit's window: where it begins in the sums, and what else its geometry needs.
///
/// Replaced as a whole when a visit begins or the configuration changes. A head and its frame carry
/// the same oddness; a step that was prepared with another frame does not land, because the head has
/// moved since.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// The epoch, and in the lowest bit whether it is odd.
    pub(super) visit: u64,
    pub(super) config: CircuitBreakerConfig,
    pub(super) store: Store,
    /// The frame that the head belongs to until this one's first step is made, of the other oddness.
    pub(super) previous: Option<Arc<Frame>>,
}

#[derive(Clone, Debug)]
pub(super) enum Store {
    Ring(Ring, Base),
    Marks(Marks),
}

/// The sums when a ring's window was last empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base {
    failures: u64,
    slow: u64,
}

impl Frame {
    /// An empty window. `successes` are all plain ones so far and those in `sums`; where it is not known yet,
    /// the window is told later where it begins.
    pub(super) fn new(
        epoch: u64,
        odd: bool,
        config: CircuitBreakerConfig,
        now: Tick,
        sums: &Sums,
        successes: u64,
        before: Option<&Frame>,
    ) -> Frame {
        let slow = asks_for_slow(&config);
        let marks = |nanos, buckets| Store::Marks(Marks::new(now, nanos, buckets, slow, sums, successes));
        let store = match config.form() {
            Form::LastCalls(size) => {
                let ring = match before.map(|frame| &frame.store) {
                    Some(Store::Ring(ring, _)) if ring.size() == u64::from(size) => ring.clone(),
                    _ => Ring::new(size, successes + sums.failures, sums),
                };
                Store::Ring(ring, Base { failures: sums.failures, slow: sums.slow })
            }
            Form::Time { nanos, buckets } => marks(nanos, buckets),
            Form::Tumbling { nanos } => marks(nanos, 1),
            Form::Unbounded => marks(u64::MAX, 1),
        };
        Frame { visit: epoch << 1 | u64::from(odd), config, store, previous: None }
    }

    /// The same window by another configuration of the same form.
    pub(super) fn with_config(&self, config: CircuitBreakerConfig) -> Frame {
        Frame { config, ..self.clone() }
    }

    /// Whether this configuration asks for slow calls, and the window has no place for them.
    pub(super) fn is_too_narrow_for(&self, config: &CircuitBreakerConfig) -> bool {
        asks_for_slow(config) && self.marks().is_some_and(|marks| !marks.marks_slow())
    }

    /// The same window with a place for slow calls, of the other oddness.
    pub(super) fn widened(&self, config: CircuitBreakerConfig, sums: &Sums) -> Frame {
        let store = match &self.store {
            Store::Marks(marks) => Store::Marks(marks.with_slow(sums)),
            ring @ Store::Ring(..) => ring.clone(),
        };
        Frame { visit: self.visit ^ 1, config, store, previous: None }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.visit >> 1
    }

    pub(super) fn odd(&self) -> bool {
        self.visit & 1 != 0
    }

    /// The frame that belongs to a head; none if the head is of another time.
    pub(super) fn of(self: &Arc<Frame>, head: Head) -> Option<&Arc<Frame>> {
        if self.odd() == head.odd() {
            return Some(self);
        }
        self.previous.as_ref()
    }

    pub(super) fn marks(&self) -> Option<&Marks> {
        match &self.store {
            Store::Marks(marks) => Some(marks),
            Store::Ring(..) => None,
        }
    }

    /// When the current bucket is over; never where there are no buckets.
    pub(super) fn edge(&self) -> Tick {
        self.marks().map_or(Tick::NEVER, |marks| marks.end(marks.current()))
    }

    /// Whether the run of failures restarts with the window.
    pub(super) fn tumbles(&self) -> bool {
        matches!(self.config.form(), Form::Tumbling { .. })
    }

    /// Whether a plain success that comes after `total` outcomes can make a rate rule fire: by bringing
    /// the calls up to a minimum or, where what is old leaves with time, by looking after others have left.
    pub(super) fn weighs_successes(&self, total: u64) -> bool {
        self.config.rules().iter().any(|rule| match *rule {
            Rule::FailureRate { minimum_calls, .. } | Rule::SlowCallRate { minimum_calls, .. } => {
                !self.has_held(total, minimum_calls)
            }
            Rule::ConsecutiveFailures(_) | Rule::FailureCount(_) => false,
        })
    }

    /// Whether this is a window of calls that has had so many.
    ///
    /// From then on no success makes a rate in it higher: each is one more, or takes the place of another
    /// outcome.
    fn has_held(&self, total: u64, minimum_calls: u32) -> bool {
        match &self.store {
            Store::Ring(ring, _) => total.wrapping_sub(ring.base()) >= u64::from(minimum_calls),
            Store::Marks(_) => false,
        }
    }

    /// Moves the beginning of a window that nobody records into yet.
    pub(super) fn begin_at(&self, sums: &Sums, successes: u64) {
        match &self.store {
            Store::Ring(ring, _) => ring.begin_at(successes + sums.failures, sums),
            Store::Marks(marks) => marks.begin_at(successes),
        }
    }

    /// What lies in the window at `now`, without the runs; none if it moved on meanwhile.
    pub(super) fn counts(
        &self,
        head: Head,
        sums: &Sums,
        plain: impl Fn() -> u64,
        now: impl Fn() -> Tick,
        unmoved: impl Fn() -> bool,
    ) -> Option<Counts> {
        match &self.store {
            Store::Ring(ring, base) => {
                // The plain successes last: whatever came before a failure that is counted is counted with
                // it, so no rate comes out too high.
                let total = sums.recorded().wrapping_add(plain());
                let calls = total.wrapping_sub(ring.base());
                if calls <= ring.size() {
                    // Nothing has slid out, so this holds whoever has gone on meanwhile.
                    let failures = sums.failures.wrapping_sub(base.failures);
                    return Some(counts(
                        calls.saturating_sub(failures),
                        failures,
                        sums.slow.wrapping_sub(base.slow),
                    ));
                }
                let Marked { failures, slow } = ring.lying(head.turn(), sums, total);
                unmoved().then(|| counts(ring.size().saturating_sub(failures), failures, slow))
            }
            Store::Marks(marks) => {
                let now = if marks.rolls() { now() } else { Tick::default() };
                match marks.since(now) {
                    Found::Moved => None,
                    Found::Nothing => Some(Counts::default()),
                    // As above.
                    Found::Since(since) => Some(since.until(sums.successes.wrapping_add(plain()), sums)),
                }
            }
        }
    }

    /// Whether `reached` says no to every window that ends now and begins within this one, with these sums.
    ///
    /// Until an outcome comes that is no plain success, every window to come is one of these with more
    /// successes: what reaches no rate now reaches none then.
    pub(super) fn is_settled(
        &self,
        sums: &Sums,
        plain: u64,
        now: impl Fn() -> Tick,
        whole: &Counts,
        reached: impl Fn(&Counts) -> bool,
    ) -> bool {
        // Once so many calls are looked at that all the trouble there is reaches nothing among them, the
        // rest need not be.
        let rest = |calls| reached(&Counts { calls, ..*whole });
        match &self.store {
            // A success takes no rate up, be it one more or in place of another outcome.
            Store::Ring(..) => !reached(whole) || !self.weighs_successes(sums.recorded().wrapping_add(plain)),
            Store::Marks(marks) => {
                let now = if marks.rolls() { now() } else { Tick::default() };
                let all = sums.successes.wrapping_add(plain);
                let mut beginnings = marks.beginnings(now).filter(|found| *found != Found::Nothing);
                loop {
                    let since = match beginnings.next() {
                        None => return true,
                        Some(Found::Since(since)) => since,
                        Some(Found::Moved | Found::Nothing) => return false,
                    };
                    let ending = since.until(all, sums);
                    if reached(&ending) {
                        return false;
                    }
                    if !rest(ending.calls) {
                        return true;
                    }
                }
            }
        }
    }
}

impl Since {
    /// What has come since, up to these sums and all these successes.
    fn until(self, successes: u64, sums: &Sums) -> Counts {
        counts(
            successes.saturating_sub(self.successes),
            sums.failures.saturating_sub(self.failures),
            sums.slow.saturating_sub(self.slow),
        )
    }
}

fn asks_for_slow(config: &CircuitBreakerConfig) -> bool {
    config.slow_after_nanos().is_some()
}

fn counts(successes: u64, failures: u64, slow: u64) -> Counts {
    Counts { calls: successes + failures, successes, failures, slow, ..Counts::default() }
}
