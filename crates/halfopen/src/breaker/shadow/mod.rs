//! Shadows: other configurations that decide about the calls of a breaker without effect.
//!
//! A flag in the state word keeps the calls of a breaker with shadows off the fast paths, so a breaker without one pays
//! nothing. Each admitted call is entered in a table, with the decision of each shadow. Its ticket has the flag and the
//! place in the table instead of the time; [`CircuitBreaker::end_shadows_slow`] exchanges it for the ticket that the
//! breaker gave.

use std::fmt;
use std::sync::{Arc, Weak};

use super::{CircuitBreaker, Inner, Ticket};
use crate::clock::{Moment, Tick};
use crate::config::CircuitBreakerConfig;
use crate::observe::ShadowSnapshot;
use crate::report::Report;
use crate::sync::{Mutex, lock};

mod calls;
#[cfg(all(test, not(loom), feature = "test-util"))]
mod tests;
mod track;

use calls::{Call, Calls};
use track::Track;

/// The most shadows of one breaker.
const MOST_SHADOWS: usize = 8;

/// Another configuration that decides about the calls of a breaker without effect, and counts what it would have rejected.
///
/// Created by [`CircuitBreaker::shadow`]. Dropping it ends it; it does not keep the breaker alive.
#[must_use = "a shadow ends when it is dropped"]
pub struct Shadow {
    breaker: Weak<Inner>,
    track: Arc<Track>,
}

/// The reason why a breaker has no further shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowError {
    name: Arc<str>,
    is_taken: bool,
}

impl fmt::Display for ShadowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        if self.is_taken {
            write!(f, "shadow `{name}` exists already")
        } else {
            write!(f, "shadow `{name}` is one too many: a breaker has at most {MOST_SHADOWS}")
        }
    }
}

impl std::error::Error for ShadowError {}

/// The shadows of a breaker, and the calls in flight that they see.
#[derive(Default)]
pub(super) struct Shadows {
    list: Mutex<Vec<Arc<Track>>>,
    calls: Mutex<Calls>,
}

impl CircuitBreaker {
    /// Adds a shadow: another configuration that decides about the calls of this breaker without effect, until the
    /// handle is dropped.
    ///
    /// A shadow starts closed and decides about each call that this breaker admits, as a breaker of its
    /// configuration would that makes those calls alone. It counts the calls that it would have rejected, by how they
    /// ended: the exact cost and gain of a change before it is made. They are part of [`snapshot`](Self::snapshot) and of the
    /// metrics.
    ///
    /// - A call that this breaker rejects has no outcome: it is [`unseen`](ShadowSnapshot::unseen).
    /// - Overrides, [`reset`](Self::reset) and [`set_config`](Self::set_config) of this breaker change no shadow. While it is
    ///   disabled or metrics-only a shadow sees all calls, and while it is forced open none.
    /// - Custom rules and listeners are not those of a shadow. A stream counts as its first data or error.
    /// - A call that would have been rejected is made all the same, so the dependency has more load than with the
    ///   configuration of the shadow.
    ///
    /// While a breaker has shadows its calls take a lock and allocate. Without one it pays nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(2)).build()?;
    /// let shadow = breaker.shadow("strict", strict)?;
    /// for _ in 0..5 {
    ///     breaker.try_acquire()?.failure();
    /// }
    /// assert_eq!(shadow.snapshot().rejected.failures, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ShadowError`] if this breaker has a shadow of this name, or eight shadows already.
    pub fn shadow(
        &self,
        name: impl Into<Arc<str>>,
        config: CircuitBreakerConfig,
    ) -> Result<Shadow, ShadowError> {
        let (name, inner) = (name.into(), self.inner());
        let (clock, rejected) = (inner.clock.clone(), inner.rejected_in_total());
        let track = Arc::new(Track::new(Arc::clone(&name), config, clock, rejected));
        {
            let mut list = lock(&inner.cold().shadows().list);
            let is_taken = list.iter().any(|other| other.name() == &*name);
            if is_taken || list.len() >= MOST_SHADOWS {
                return Err(ShadowError { name, is_taken });
            }
            list.push(Arc::clone(&track));
        }
        // The flag makes the calls from now on pass the shadows.
        inner.republish();
        Ok(Shadow { breaker: self.weak(), track })
    }

    /// Enters an admitted call for the shadows, and returns the ticket that it ends with.
    #[cold]
    #[inline(never)]
    pub(super) fn shadowed_slow(&self, ticket: Ticket) -> Ticket {
        let inner = self.inner();
        let ticket = ticket.shadowed(false);
        let Some(shadows) = inner.shadows() else { return ticket };
        let tracks = lock(&shadows.list).clone();
        if tracks.is_empty() {
            return ticket;
        }
        let Some(place) = lock(&shadows.calls).reserve() else {
            tracks.iter().for_each(|track| track.miss());
            return ticket;
        };
        let started = ticket.started().filter(|_| !ticket.word.is_by_evidence());
        let started = started.unwrap_or_else(|| inner.clock.now());
        // Outside of the lock: a clock may be the user's own function.
        let decide = |track: Arc<Track>| {
            let permit = track.decide();
            (track, permit)
        };
        let decisions = tracks.into_iter().map(decide).collect();
        lock(&shadows.calls).enter(place, Call { ticket, started, decisions });
        ticket.at_place(place)
    }

    /// Ends a call for the shadows, and returns the ticket that the breaker gave.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_shadows_slow(
        &self,
        ticket: Ticket,
        report: Option<Report>,
        moment: &Moment<'_>,
    ) -> Ticket {
        let call = self.inner().shadows().and_then(|shadows| lock(&shadows.calls).leave(ticket));
        let Some(Call { ticket, started, decisions }) = call else {
            return Ticket::untimed(ticket.word.with_shadowed(false));
        };
        let took = report.and_then(|report| report.took).unwrap_or_else(|| moment.get().since(started));
        for (track, permit) in decisions {
            track.end(permit, report, took);
        }
        ticket
    }

    /// Returns the time of an admission, if the call is timed.
    pub(crate) fn started(&self, ticket: Ticket) -> Option<Tick> {
        if !ticket.word.is_shadowed() {
            return ticket.started();
        }
        lock(&self.inner().shadows()?.calls).started(ticket)
    }

    /// Returns the snapshots of all shadows.
    pub(super) fn shadow_snapshots(&self, rejected: u64) -> Vec<ShadowSnapshot> {
        let Some(shadows) = self.inner().shadows() else { return Vec::new() };
        let tracks = lock(&shadows.list).clone();
        tracks.iter().map(|track| track.snapshot(Some(rejected))).collect()
    }
}

impl Inner {
    /// Returns the shadows, or [`None`] if there has never been one.
    fn shadows(&self) -> Option<&Shadows> {
        self.cold.get()?.shadows.get().map(|shadows| &**shadows)
    }

    /// Returns whether calls must pass shadows.
    pub(super) fn is_shadowed(&self) -> bool {
        self.shadows().is_some_and(|shadows| !lock(&shadows.list).is_empty())
    }

    /// The calls in flight that shadows see.
    #[cfg(test)]
    pub(crate) fn shadowed_calls(&self) -> usize {
        self.shadows().map_or(0, |shadows| lock(&shadows.calls).len())
    }
}

impl Shadow {
    /// Returns the name.
    pub fn name(&self) -> &str {
        self.track.name()
    }

    /// Returns the counts of the calls that have ended since the shadow was created.
    pub fn snapshot(&self) -> ShadowSnapshot {
        let rejected = self.breaker.upgrade().map(|inner| inner.rejected_in_total());
        self.track.snapshot(rejected)
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        let Some(inner) = self.breaker.upgrade() else { return };
        if let Some(shadows) = inner.shadows() {
            lock(&shadows.list).retain(|track| !Arc::ptr_eq(track, &self.track));
        }
        inner.republish();
    }
}

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shadow").field("name", &self.name()).finish_non_exhaustive()
    }
}
