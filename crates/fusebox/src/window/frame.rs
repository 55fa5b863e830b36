use std::sync::Arc;

use super::head::{Head, Kind};
use super::marks::{Found, Marks, Since};
use super::ring::Ring;
use super::sums::Sums;
use crate::Counts;
use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Form, Rule};

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
    /// The frame that the head belongs to until this one's first step is made.
    pub(super) previous: Option<Arc<Frame>>,
}

#[derive(Clone, Debug)]
pub(super) enum Store {
    Ring(Ring, Base),
    Marks(Marks),
}

/// A ring's share of the sums when the window was last empty: all that was recorded, and what of it
/// has not slid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base {
    recorded: u64,
    failures: u64,
    slow: u64,
}

impl Frame {
    /// An empty window. `successes` are all plain ones so far and those in `sums`.
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
                    // Whatever lies in it slides out of a window that is not full yet.
                    Some(Store::Ring(ring, _)) if ring.size() == u64::from(size) => ring.clone(),
                    _ => Ring::new(size, sums.recorded()),
                };
                Store::Ring(ring, Base::of(sums))
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
        self.previous.as_ref().filter(|previous| previous.odd() == head.odd())
    }

    pub(super) fn marks(&self) -> Option<&Marks> {
        match &self.store {
            Store::Marks(marks) => Some(marks),
            Store::Ring(..) => None,
        }
    }

    /// Whether the run of failures restarts with the window.
    pub(super) fn tumbles(&self) -> bool {
        matches!(self.config.form(), Form::Tumbling { .. })
    }

    /// Whether a plain success can make a rule fire, by bringing the calls up to a minimum or by
    /// being the first to look after others have slid out.
    pub(super) fn weighs_successes(&self) -> bool {
        self.config
            .rules()
            .iter()
            .any(|rule| matches!(rule, Rule::FailureRate { .. } | Rule::SlowCallRate { .. }))
    }

    /// What the next outcome pushes out, and the sums after it.
    pub(super) fn record(&self, before: &Sums, kind: Kind) -> Sums {
        let evicted = match &self.store {
            Store::Ring(ring, base) if base.held(before) >= ring.size() => ring.oldest(before.recorded()),
            Store::Ring(..) | Store::Marks(_) => Kind::default(),
        };
        before.with(kind, evicted)
    }

    /// Whether a window with these sums, after this outcome, is one that a plain success leaves as
    /// it is: full of plain successes, or for windows over time without a run of failures.
    pub(super) fn is_calm(&self, sums: &Sums, kind: Kind) -> bool {
        match &self.store {
            Store::Ring(ring, base) => {
                let (failures, slow) = base.in_ring(sums);
                base.held(sums) >= ring.size() && failures == 0 && slow == 0
            }
            Store::Marks(_) => !kind.failure,
        }
    }

    /// What lies in the window at `now`, without the runs; none if it moved on meanwhile.
    pub(super) fn counts(
        &self,
        sums: &Sums,
        plain: impl Fn() -> u64,
        now: impl Fn() -> Tick,
    ) -> Option<Counts> {
        match &self.store {
            Store::Ring(ring, base) => {
                let (failures, slow) = base.in_ring(sums);
                let calls = base.held(sums).min(ring.size());
                Some(counts(calls.saturating_sub(failures), failures, slow))
            }
            Store::Marks(marks) => {
                let now = if marks.rolls() { now() } else { Tick::default() };
                match marks.since(now) {
                    Found::Moved => None,
                    Found::Nothing => Some(Counts::default()),
                    Found::Since(Since { successes, failures, slow }) => {
                        // The plain successes last: whatever came before a failure that is counted
                        // is counted with it, so no rate comes out too high.
                        let all = sums.successes.wrapping_add(plain());
                        Some(counts(
                            all.saturating_sub(successes),
                            sums.failures.saturating_sub(failures),
                            sums.slow.saturating_sub(slow),
                        ))
                    }
                }
            }
        }
    }
}

impl Base {
    fn of(sums: &Sums) -> Base {
        Base {
            recorded: sums.recorded(),
            failures: sums.failures.wrapping_sub(sums.evicted_failures),
            slow: sums.slow.wrapping_sub(sums.evicted_slow),
        }
    }

    /// Outcomes recorded through the head since the window was empty.
    fn held(&self, sums: &Sums) -> u64 {
        sums.recorded() - self.recorded
    }

    /// Failures and slow calls in the ring that have come since.
    fn in_ring(&self, sums: &Sums) -> (u64, u64) {
        let now = Base::of(sums);
        (now.failures.wrapping_sub(self.failures), now.slow.wrapping_sub(self.slow))
    }
}

fn asks_for_slow(config: &CircuitBreakerConfig) -> bool {
    config.slow_after_nanos().is_some()
}

fn counts(successes: u64, failures: u64, slow: u64) -> Counts {
    Counts { calls: successes + failures, successes, failures, slow, ..Counts::default() }
}
