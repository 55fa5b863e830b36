// Plain std atomics even under loom: the map itself is not modelled.
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::breaker::CircuitBreaker;
use crate::clock::{Tick, nanos};
use crate::config::{CircuitBreakerConfig, Form};
use crate::observe::Listeners;
use crate::word::State;

/// A breaker in its place, and what is known of its use.
///
/// A call leaves no trace here. A look-up leaves the time, and that only if the trace it finds is
/// older than a thousandth of `idle_after`; a call through a handle held for longer shows in the
/// totals and, where the window is one of time, in the window.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) breaker: CircuitBreaker,
    origin: Origin,
    /// The last look-up, or [`GONE`].
    used: AtomicU64,
    /// Calls and rejections at the last sweep that found somebody holding it, plus one; else zero.
    held_at: AtomicU64,
}

/// How a breaker came into the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Its name was used: it can be made again as it was.
    Rules,
    /// Somebody put it there.
    Hand,
}

/// When a breaker is idle: unused for so many nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    pub(super) after: u64,
}

/// In place of a time: this breaker is being evicted.
const GONE: u64 = u64::MAX;

impl Entry {
    pub(super) fn new(breaker: CircuitBreaker, origin: Origin, now: Tick) -> Entry {
        Entry { breaker, origin, used: AtomicU64::new(now.0), held_at: AtomicU64::new(0) }
    }

    /// Notes a look-up that has cloned the breaker; false if it is being evicted.
    #[inline]
    pub(super) fn touch(&self, now: Tick, idle: Idle) -> bool {
        // Against `give_up`: either it sees the clone, or this sees that it has given up.
        fence(Ordering::SeqCst);
        let mut used = self.used.load(Ordering::Acquire);
        loop {
            if used == GONE {
                return false;
            }
            if now.since(Tick(used)) <= idle.after / 1024 {
                return true;
            }
            // A swap, not a store: of an eviction and a look-up only one can win.
            match self.used.compare_exchange_weak(used, now.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(other) => used = other,
            }
        }
    }

    /// Whether the breaker may be forgotten after `idle`; if so no look-up finds it from now on.
    ///
    /// `same` says whether a configuration is what the rules would give it again, `subscribers` is how many
    /// listeners the registry has put there.
    pub(super) fn give_up(
        &self,
        now: Tick,
        idle: Idle,
        subscribers: usize,
        same: impl Fn(&CircuitBreakerConfig) -> bool,
    ) -> bool {
        // In the order of what each question costs: most breakers stay, and a sweep asks them all.
        if self.origin == Origin::Hand || self.is_in_use(now) {
            return false;
        }
        let used = self.used.load(Ordering::Acquire);
        if now.since(Tick(used)) < idle.after {
            return false;
        }
        let is_idle = match self.memory() {
            Memory::Nothing => true,
            Memory::WaitOver { over_for } => over_for >= idle.after,
            Memory::Live => false,
        };
        is_idle && self.is_as_made(subscribers, same) && self.leave(used)
    }

    /// When it was last looked up, if it may go where room is needed: its wait is over, and nobody has come.
    pub(super) fn spare_since(
        &self,
        now: Tick,
        subscribers: usize,
        same: impl Fn(&CircuitBreakerConfig) -> bool,
    ) -> Option<Tick> {
        // Asked first, without a lock: where calls pass, or an operator has spoken, there is nothing to wait for.
        if !matches!(self.breaker.inner().word().load().state(), State::Open | State::HalfOpen) {
            return None;
        }
        if self.origin == Origin::Hand || self.is_in_use(now) || !self.breaker.is_half_open() {
            return None;
        }
        match self.memory() {
            Memory::WaitOver { .. } if self.is_as_made(subscribers, same) => {
                Some(Tick(self.used.load(Ordering::Acquire)))
            }
            Memory::WaitOver { .. } | Memory::Nothing | Memory::Live => None,
        }
    }

    /// Makes room, if it is still as [`spare_since`](Self::spare_since) has found it.
    pub(super) fn make_room(
        &self,
        now: Tick,
        subscribers: usize,
        same: impl Fn(&CircuitBreakerConfig) -> bool,
        since: Tick,
    ) -> bool {
        self.spare_since(now, subscribers, same) == Some(since) && self.leave(since.0)
    }

    /// Whether it has no listener and no configuration but those the registry would give it again.
    fn is_as_made(&self, subscribers: usize, same: impl Fn(&CircuitBreakerConfig) -> bool) -> bool {
        self.breaker.inner().listeners().map_or(0, Listeners::len) <= subscribers
            && same(&self.breaker.config())
    }

    /// Ends its place in the registry, if it was last used then and nobody has come meanwhile.
    fn leave(&self, used: u64) -> bool {
        if self.used.compare_exchange(used, GONE, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return false;
        }
        // Against the look-up that has cloned the breaker before it asked the slot.
        fence(Ordering::SeqCst);
        let held = self.is_held();
        if held {
            self.used.store(used, Ordering::Release);
        }
        !held
    }

    fn is_held(&self) -> bool {
        self.breaker.handles() > 1
    }

    /// Whether somebody holds it, and if somebody did when it was last asked, whether they used it.
    fn is_in_use(&self, now: Tick) -> bool {
        let held = self.is_held();
        let before = self.held_at.load(Ordering::Relaxed);
        if held || before != 0 {
            let totals = self.breaker.snapshot().totals;
            let seen = totals.calls().saturating_add(totals.rejected).saturating_add(1);
            // Used through a handle, nobody knows when: counted as now.
            if seen != before && (before != 0 || seen > 1) {
                self.used.fetch_max(now.0, Ordering::AcqRel);
            }
            self.held_at.store(if held { seen } else { 0 }, Ordering::Relaxed);
        }
        held
    }

    /// What would be missed of it.
    fn memory(&self) -> Memory {
        let snapshot = self.breaker.snapshot();
        let probes = snapshot.probes.map_or(0, |probes| probes.in_flight);
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

/// What would be missed of a breaker that is forgotten.
#[derive(Clone, Copy, Debug)]
enum Memory {
    /// A new one would be as good: closed, no sample in a window of time, no backoff.
    Nothing,
    /// The step of its backoff, no more: its wait has been over for so many nanoseconds, and no probe is out.
    WaitOver { over_for: u64 },
    /// What it knows still decides about calls.
    Live,
}

/// Whether a window becomes empty by itself: then a sample in it is a recent one.
fn forgets_with_time(form: Form) -> bool {
    match form {
        Form::Time { .. } | Form::Tumbling { .. } => true,
        Form::LastCalls(_) | Form::Unbounded => false,
    }
}
