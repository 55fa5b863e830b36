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
    pub(super) epoch: u64,
    pub(super) odd: bool,
    pub(super) config: CircuitBreakerConfig,
    pub(super) store: Store,
    /// The sums when the window was last empty.
    pub(super) base: Sums,
    /// The frame that the head belongs to until this one's first step is made.
    pub(super) previous: Option<Arc<Frame>>,
}

#[derive(Clone, Debug)]
pub(super) enum Store {
    Ring(Arc<Ring>),
    Marks(Arc<Marks>),
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
        let marks = |nanos, buckets| Store::Marks(Arc::new(Marks::new(now, nanos, buckets, sums, successes)));
        let store = match config.form() {
            Form::LastCalls(size) => Store::Ring(match before.map(|frame| &frame.store) {
                // Whatever lies in it slides out of a window that is not full yet.
                Some(Store::Ring(ring)) if ring.size() == u64::from(size) => Arc::clone(ring),
                _ => Arc::new(Ring::new(size, sums.recorded())),
            }),
            Form::Time { nanos, buckets } => marks(nanos, buckets),
            Form::Tumbling { nanos } => marks(nanos, 1),
            Form::Unbounded => marks(u64::MAX, 1),
        };
        Frame { epoch, odd, config, store, base: *sums, previous: None }
    }

    /// The frame that belongs to a head; none if the head is of another time.
    pub(super) fn of(self: &Arc<Frame>, head: Head) -> Option<&Arc<Frame>> {
        if self.odd == head.odd() {
            return Some(self);
        }
        self.previous.as_ref().filter(|previous| previous.odd == head.odd())
    }

    pub(super) fn marks(&self) -> Option<&Marks> {
        match &self.store {
            Store::Marks(marks) => Some(marks),
            Store::Ring(_) => None,
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
            Store::Ring(ring) if self.held(before) >= ring.size() => ring.oldest(before.recorded()),
            Store::Ring(_) | Store::Marks(_) => Kind::default(),
        };
        before.with(kind, evicted)
    }

    /// Outcomes recorded through the head since the window was empty.
    fn held(&self, sums: &Sums) -> u64 {
        sums.recorded() - self.base.recorded()
    }

    /// Whether a window with these sums, after this outcome, is one that a plain success leaves as
    /// it is: full of plain successes, or for windows over time without a run of failures.
    pub(super) fn is_calm(&self, sums: &Sums, kind: Kind) -> bool {
        match &self.store {
            Store::Ring(ring) => {
                let (failures, slow) = self.in_ring(sums);
                self.held(sums) >= ring.size() && failures == 0 && slow == 0
            }
            Store::Marks(_) => !kind.failure,
        }
    }

    fn in_ring(&self, sums: &Sums) -> (u64, u64) {
        let held = |now: u64, out: u64, base: u64, base_out: u64| {
            now.wrapping_sub(out).wrapping_sub(base.wrapping_sub(base_out))
        };
        (
            held(sums.failures, sums.evicted_failures, self.base.failures, self.base.evicted_failures),
            held(sums.slow, sums.evicted_slow, self.base.slow, self.base.evicted_slow),
        )
    }

    /// What lies in the window at `now`, without the runs; none if it moved on meanwhile.
    pub(super) fn counts(
        &self,
        sums: &Sums,
        plain: impl Fn() -> u64,
        now: impl Fn() -> Tick,
    ) -> Option<Counts> {
        match &self.store {
            Store::Ring(ring) => {
                let (failures, slow) = self.in_ring(sums);
                let calls = self.held(sums).min(ring.size());
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

fn counts(successes: u64, failures: u64, slow: u64) -> Counts {
    Counts { calls: successes + failures, successes, failures, slow, ..Counts::default() }
}
