use crate::outcome::Ended;
use crate::reason::{RampReason, TripReason};
use std::borrow::Cow;
use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::breaker::CircuitBreaker;
use crate::counts::Counts;
use crate::error::Rejected;
use crate::observe::Signal;
use crate::word::State;

/// A change of state, and what led to it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StateChange {
    /// The breaker's name.
    pub name: Arc<str>,
    /// The state it left.
    pub from: State,
    /// The state it entered.
    pub to: State,
    /// Every reason that held, in a fixed order; empty where time or a passed probe was the reason.
    pub reasons: Vec<TripReason>,
    /// The counts that the decision was made on.
    pub counts: Counts,
    /// Wall time of the change.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::unix"))]
    pub at: SystemTime,
    /// Grows by one with every change this breaker tells, in the order in which they happened.
    pub sequence: u64,
}

impl Default for StateChange {
    fn default() -> Self {
        StateChange {
            name: Arc::default(),
            from: State::Closed,
            to: State::Closed,
            reasons: Vec::new(),
            counts: Counts::default(),
            at: SystemTime::UNIX_EPOCH,
            sequence: 0,
        }
    }
}

impl StateChange {
    /// Why it happened, in one word for labels: the reasons joined by `+` (`failure_rate`,
    /// `failure_rate+slow_call_rate`, `manual`, ..), `wait_over` where time was the reason and
    /// `probes_passed` where a breaker closed by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.trip();
    /// assert_eq!(breaker.snapshot().last_trip.unwrap().why(), "manual");
    /// ```
    pub fn why(&self) -> Cow<'static, str> {
        match (self.reasons.as_slice(), self.to) {
            ([], State::Closed) => Cow::Borrowed(PROBES_PASSED),
            ([], _) => Cow::Borrowed(WAIT_OVER),
            ([reason], _) => Cow::Borrowed(reason.as_str()),
            (several, _) => {
                let words: Vec<_> = several.iter().copied().map(TripReason::as_str).collect();
                Cow::Owned(words.join("+"))
            }
        }
    }
}

/// The word for a change that time was the reason of.
pub(crate) const WAIT_OVER: &str = "wait_over";

/// The word for a breaker's closing by itself.
pub(crate) const PROBES_PASSED: &str = "probes_passed";

/// Something a breaker tells its listeners.
///
/// Serialized (feature `serde`) durations are numbers of seconds, moments seconds since 1970.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Event {
    /// The state changed.
    StateChanged(StateChange),
    /// A call was not admitted.
    Rejected(Rejected),
    /// A permit ended; told only to listeners that want calls.
    Recorded {
        /// What became of it.
        ended: Ended,
        /// Whether it took `slow_after` or longer.
        slow: bool,
        /// How long it took, if that was measured or reported.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
        took: Option<Duration>,
    },
    /// In metrics-only, a rule began to hold.
    WouldTrip {
        /// Every rule that holds.
        reasons: Vec<TripReason>,
        /// The counts that it holds for.
        counts: Counts,
        /// Its place among the changes.
        sequence: u64,
    },
    /// A new name has found its registry full: the breaker, which the listener is given, lives outside of it.
    ///
    /// Told to the registry's listeners immediately, the first time and then at most once in each
    /// [`idle_after`](crate::RegistryBuilder::idle_after).
    Overflowed {
        /// How many breakers the registry keeps.
        capacity: usize,
    },
    /// A half-open breaker has begun to admit a growing share of the calls.
    RampChanged {
        /// The share of the calls that is admitted now, from 0 to 1.
        share: f64,
        /// Why it admits this share.
        reason: RampReason,
        /// Its place among the changes.
        sequence: u64,
    },
    /// `reset()` was called.
    Reset {
        /// Its place among the changes.
        sequence: u64,
    },
    /// The configuration was replaced.
    ConfigChanged {
        /// Its place among the changes.
        sequence: u64,
    },
}

/// Hears what a breaker does.
///
/// State changes, ramps, resets, would-trips and configuration changes reach every listener one at a time,
/// in the order of their `sequence`, after the change is made and outside every lock: a listener may
/// call the breaker. Rejections and recorded calls are told at once by the thread that caused them
/// and have no order among threads; a listener that hears them and causes another of their kind is told of it
/// within its own call, so it must know when to stop. A panic in a listener is caught and counted
/// ([`Totals::panics`](crate::Totals::panics)); the other listeners still hear the event.
///
/// The caller that makes a change delivers it, and those that others make meanwhile: when all callers have
/// returned, every change has been delivered. A listener that is slower than changes are made keeps that caller
/// for as long as they are made, and the queue has no limit.
///
/// Any `Fn(&CircuitBreaker, &Event)` is a listener.
pub trait Listener: Send + Sync + 'static {
    /// Hears one event. It runs in the thread of a caller: it should be quick and must not block.
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event);

    /// Receives a signal for adapters; does nothing by default.
    ///
    /// Called only for a listener whose [`interest`](Self::interest) contains [`Interest::PROBES`] or
    /// [`Interest::WINDOW_ROLLS`].
    fn on_signal(&self, breaker: &CircuitBreaker, signal: &Signal) {
        let _ = (breaker, signal);
    }

    /// Returns the kinds of events this listener is called for: changes and rejections by default.
    ///
    /// Called once, when the listener subscribes. What no listener is interested in is not made.
    fn interest(&self) -> Interest {
        Interest::default()
    }
}

impl<F: Fn(&CircuitBreaker, &Event) + Send + Sync + 'static> Listener for F {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        self(breaker, event);
    }
}

// `Arc<L>` is no `Fn`, so a shared listener needs its own impl.
impl<L: Listener + ?Sized> Listener for Arc<L> {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        (**self).on_event(breaker, event);
    }

    fn on_signal(&self, breaker: &CircuitBreaker, signal: &Signal) {
        (**self).on_signal(breaker, signal);
    }

    fn interest(&self) -> Interest {
        (**self).interest()
    }
}

/// A set of the kinds of events that a [`Listener`] is called for.
///
/// Kinds are joined with `|`. More kinds may be added.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, Event, Interest, Listener};
///
/// struct Durations;
///
/// impl Listener for Durations {
///     fn on_event(&self, _: &CircuitBreaker, event: &Event) {
///         if let Event::Recorded { took: Some(took), .. } = event {
///             println!("{took:?}");
///         }
///     }
///
///     fn interest(&self) -> Interest {
///         Interest::CALLS
///     }
/// }
///
/// assert!(Interest::default().contains(Interest::CHANGES | Interest::REJECTIONS));
/// assert!(!Interest::default().contains(Interest::CALLS));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// No event.
    pub const NONE: Interest = Interest(0);

    /// State changes, ramps, resets, would-trips, configuration changes, and a registry that is full.
    pub const CHANGES: Interest = Interest(1);

    /// [`Event::Recorded`]: how each call ended. Every call is timed then.
    pub const CALLS: Interest = Interest(2);

    /// [`Event::Rejected`]: the one event that can come as often as calls do. A rejection that no
    /// listener is interested in costs no more than without listeners.
    pub const REJECTIONS: Interest = Interest(4);

    /// [`Signal::WindowRolled`], for adapters: at most one for each bucket in which a call ends.
    pub const WINDOW_ROLLS: Interest = Interest(8);

    /// [`Signal::ProbeEnded`], for adapters: a probe's slot is free again.
    pub const PROBES: Interest = Interest(16);

    /// Every kind of event, also those that are added later.
    pub const ALL: Interest = Interest(u8::MAX);

    /// Returns the union of both sets; the same as `|`, in constants.
    #[must_use]
    pub const fn and(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }

    /// Returns true if every kind of `other` is in this set.
    pub const fn contains(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Interest {
        Interest(bits)
    }
}

impl Default for Interest {
    /// Changes and rejections.
    fn default() -> Self {
        Interest::CHANGES | Interest::REJECTIONS
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        self.and(other)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        *self = *self | other;
    }
}
