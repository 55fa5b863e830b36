// The atomics of std even under loom: the map itself is not modelled.
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::breaker::CircuitBreaker;
use crate::clock::{Tick, nanos};
use crate::config::{CircuitBreakerConfig, Form};
use crate::observe::Listeners;
use crate::word::State;

/// A breaker in the registry, and when it was last used.
///
/// Calls do not write here. A look-up stores the time, but only if the stored one is older than a thousandth of
/// `idle_after`, so that frequent look-ups share the cache line. Calls through a handle that was looked up earlier
/// are found in the breaker's totals and in a time window.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) breaker: CircuitBreaker,
    origin: Origin,
    /// The last look-up, or [`GONE`].
    used: AtomicU64,
    /// The number of calls and rejections at the last sweep that found a handle outside the registry, plus one;
    /// otherwise zero.
    held_at: AtomicU64,
}

/// The way by which a breaker came into the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The registry created it by the rules, and can create it again.
    Rules,
    /// A caller created or inserted it, so it is never evicted.
    Hand,
}

/// The time in nanoseconds after which an unused breaker is idle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    pub(super) after: u64,
}

/// Stored instead of a time while the breaker is being evicted.
const GONE: u64 = u64::MAX;

impl Entry {
    pub(super) fn new(breaker: CircuitBreaker, origin: Origin, now: Tick) -> Entry {
        Entry { breaker, origin, used: AtomicU64::new(now.0), held_at: AtomicU64::new(0) }
    }

    /// Stores the time of a look-up that has already cloned the breaker; returns false if the breaker is being
    /// evicted.
    #[inline]
    pub(super) fn touch(&self, now: Tick, idle: Idle) -> bool {
        // SeqCst, paired with the fence in `evict`. The clone comes before this fence and the load after it; the
        // eviction stores `GONE` before its fence and counts the handles after it. At least one of them sees the
        // other.
        fence(Ordering::SeqCst);
        // Acquire, paired with the Release in `evict`, which restores the time.
        let mut used = self.used.load(Ordering::Acquire);
        loop {
            if used == GONE {
                return false;
            }
            if now.since(Tick(used)) <= idle.after / 1024 {
                return true;
            }
            // A compare-and-swap instead of a store, which could overwrite `GONE`: only one of an eviction and a
            // look-up can win. Paired with the one in `evict`.
            match self.used.compare_exchange_weak(used, now.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(other) => used = other,
            }
        }
    }

    /// Evicts the breaker if it has been idle for long enough, and returns whether it did. No look-up finds the
    /// breaker from then on.
    ///
    /// `same` returns whether a configuration is the one that the rules give this name; `subscribers` is the number of
    /// the registry's own listeners.
    pub(super) fn evict_if_idle(
        &self,
        now: Tick,
        idle: Idle,
        subscribers: usize,
        same: impl Fn(&CircuitBreakerConfig) -> bool,
    ) -> bool {
        // In the order of their costs: a sweep checks every breaker, and most of them stay.
        if self.origin == Origin::Hand || self.is_in_use(now) {
            return false;
        }
        // Acquire, paired with the compare-and-swap in `touch`.
        let used = self.used.load(Ordering::Acquire);
        if now.since(Tick(used)) < idle.after {
            return false;
        }
        let is_idle = match self.memory() {
            Memory::Nothing => true,
            Memory::WaitOver { over_for } => over_for >= idle.after,
            Memory::Live => false,
        };
        is_idle && self.is_unmodified(subscribers, same) && self.evict(used)
    }

    /// Returns the time of the last look-up if the breaker can be evicted from a full registry: its wait while open
    /// is over, and it has not been called since.
    pub(super) fn spare_since(
        &self,
        now: Tick,
        subscribers: usize,
        same: impl Fn(&CircuitBreakerConfig) -> bool,
    ) -> Option<Tick> {
        // Checked first, as it takes no lock and excludes most breakers: those without a wait, or with an override.
        if !matches!(self.breaker.inner().word().load().state(), State::Open | State::HalfOpen) {
            return None;
        }
        if self.origin == Origin::Hand || self.is_in_use(now) || !self.breaker.is_half_open() {
            return None;
        }
        match self.memory() {
            // Acquire, paired with the compare-and-swap in `touch`.
            Memory::WaitOver { .. } if self.is_unmodified(subscribers, same) => {
                Some(Tick(self.used.load(Ordering::Acquire)))
            }
            Memory::WaitOver { .. } | Memory::Nothing | Memory::Live => None,
        }
    }

    /// Evicts the breaker if it is still as [`spare_since`](Self::spare_since) found it, and returns whether it did.
    pub(super) fn evict_if_spare(
        &self,
        now: Tick,
        subscribers: usize,
        same: impl Fn(&CircuitBreakerConfig) -> bool,
        since: Tick,
    ) -> bool {
        self.spare_since(now, subscribers, same) == Some(since) && self.evict(since.0)
    }

    /// Returns whether the breaker has only the listeners and the configuration that the registry would give it
    /// again.
    fn is_unmodified(&self, subscribers: usize, same: impl Fn(&CircuitBreakerConfig) -> bool) -> bool {
        self.breaker.inner().listeners().map_or(0, Listeners::len) <= subscribers
            && same(&self.breaker.config())
    }

    /// Marks the breaker as evicted if it was last used at `used` and has no handle outside the registry.
    fn evict(&self, used: u64) -> bool {
        // Fails if a look-up has stored a newer time: see `touch`.
        if self.used.compare_exchange(used, GONE, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return false;
        }
        // SeqCst, paired with the fence in `touch`: a look-up that did not see `GONE` has cloned the breaker by now.
        fence(Ordering::SeqCst);
        let held = self.is_held();
        if held {
            // Release, paired with the Acquire loads of `used`. The caller holds the registry's lock, so no other
            // eviction is under way, and a look-up that finds `GONE` waits for that lock.
            self.used.store(used, Ordering::Release);
        }
        !held
    }

    fn is_held(&self) -> bool {
        self.breaker.handles() > 1
    }

    /// Returns whether a handle exists outside the registry, and stores the time if the breaker was used through one
    /// since the last sweep.
    fn is_in_use(&self, now: Tick) -> bool {
        let held = self.is_held();
        // Relaxed: only sweeps use `held_at`, and they hold the registry's lock.
        let before = self.held_at.load(Ordering::Relaxed);
        if held || before != 0 {
            // A handle can live for hours without a call. The totals show whether it was used, at no cost to the
            // calls.
            let totals = self.breaker.snapshot().totals;
            let seen = totals.calls().saturating_add(totals.rejected).saturating_add(1);
            // The time of a use through a handle is not known, so it counts as now.
            if seen != before && (before != 0 || seen > 1) {
                // AcqRel, paired as in `touch`; the maximum keeps a later look-up.
                self.used.fetch_max(now.0, Ordering::AcqRel);
            }
            self.held_at.store(if held { seen } else { 0 }, Ordering::Relaxed);
        }
        held
    }

    /// Returns the state that would be lost with the breaker.
    fn memory(&self) -> Memory {
        let snapshot = self.breaker.snapshot();
        let probes = snapshot.probes.map_or(0, |probes| probes.in_flight);
        // A count window stays full for ever, so its samples do not show that a breaker is in use.
        let window_is_empty = snapshot.counts.calls == 0 || !forgets_with_time(self.breaker.config().form());
        match snapshot.state {
            State::Closed if snapshot.reopenings == 0 && window_is_empty => Memory::Nothing,
            State::HalfOpen if probes == 0 => Memory::WaitOver { over_for: nanos(snapshot.in_state_for) },
            State::Closed
            | State::Open
            | State::HalfOpen
            | State::ForcedOpen
            | State::Disabled
            | State::MetricsOnly => Memory::Live,
        }
    }
}

/// The state that would be lost with an evicted breaker.
#[derive(Clone, Copy, Debug)]
enum Memory {
    /// Nothing: a new breaker is equivalent. It is closed, without samples in a time window and without backoff.
    Nothing,
    /// Only the step of the backoff: the wait has been over for this many nanoseconds, and no probe is in flight.
    WaitOver { over_for: u64 },
    /// State that still decides about calls.
    Live,
}

/// Returns whether samples expire with time, so that a sample in the window shows a recent call.
fn forgets_with_time(form: Form) -> bool {
    match form {
        Form::Time { .. } | Form::Tumbling { .. } => true,
        Form::LastCalls(_) | Form::Unbounded => false,
    }
}
