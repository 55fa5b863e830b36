use crate::outcome::Ended;
use crate::reason::{RampReason, TripReason};
use std::borrow::Cow;
use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::breaker::CircuitBreaker;
use crate::counts::Counts;
use crate::error::Rejected;
use crate::observe::{Evidence, Signal};
use crate::word::State;

/// A change of state with its reasons.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StateChange {
    /// The breaker's name.
    pub name: Arc<str>,
    /// The state before the change.
    pub from: State,
    /// The state after the change.
    pub to: State,
    /// Every reason that held, in a fixed order; empty if the reason was the end of a wait or the success of probes.
    pub reasons: Vec<TripReason>,
    /// The counts on which the change was decided.
    pub counts: Counts,
    /// The wall time of the change.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::unix"))]
    pub at: SystemTime,
    /// The sequence number of the change, incremented by one with every change that this breaker reports.
    pub sequence: u64,
    /// The learned numbers and the belief of an adaptive breaker at the change; [`None`] for one of fixed rules.
    pub adaptive: Option<Arc<Evidence>>,
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
            adaptive: None,
        }
    }
}

impl StateChange {
    /// Returns the reason in one word, for labels: the reasons joined by `+` (`failure_rate`,
    /// `failure_rate+slow_call_rate`, `manual`, ..), `wait_over` at the end of a wait, or
    /// `probes_passed` if the breaker closed by itself.
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

/// The reason of a change at the end of a wait.
pub(crate) const WAIT_OVER: &str = "wait_over";

/// The reason of a breaker that closes because its probes have passed.
pub(crate) const PROBES_PASSED: &str = "probes_passed";

/// An event that a breaker reports to its listeners.
///
/// In serialized form (feature `serde`) durations are numbers of seconds, and times are seconds since 1970.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Event {
    /// The state changed.
    StateChanged(StateChange),
    /// A call was not admitted.
    Rejected(Rejected),
    /// A permit ended. Reported only to listeners that are interested in calls.
    Recorded {
        /// How it ended.
        ended: Ended,
        /// Whether the call took `slow_after` or longer.
        slow: bool,
        /// The duration of the call, if it was measured or reported.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::option"))]
        took: Option<Duration>,
    },
    /// A rule began to hold in metrics-only.
    WouldTrip {
        /// Every rule that holds.
        reasons: Vec<TripReason>,
        /// The counts on which the rules were evaluated.
        counts: Counts,
        /// The sequence number among the changes of this breaker.
        sequence: u64,
    },
    /// A new name found its registry full. The breaker that is passed to the listener lives outside the registry.
    ///
    /// Reported to the registry's listeners immediately, the first time and then at most once in each
    /// [`idle_after`](crate::RegistryBuilder::idle_after).
    Overflowed {
        /// The maximum number of breakers in the registry.
        capacity: usize,
    },
    /// A half-open breaker has begun to admit a growing share of the calls.
    RampChanged {
        /// The share of the calls that is admitted now, from 0 to 1.
        share: f64,
        /// The reason of the change.
        reason: RampReason,
        /// The sequence number among the changes of this breaker.
        sequence: u64,
    },
    /// The dependency of a closed adaptive breaker is more likely degraded than not, and still worth calling: the breaker
    /// stays closed.
    ///
    /// Reported once, and again with the normal share when the doubt is over. An opening in between ends it as well.
    Degraded {
        /// The expected share of bad calls, from 0 to 1.
        share: f64,
        /// The sequence number among the changes of this breaker.
        sequence: u64,
    },
    /// [`reset()`](CircuitBreaker::reset) was called.
    Reset {
        /// The sequence number among the changes of this breaker.
        sequence: u64,
    },
    /// The configuration was replaced.
    ConfigChanged {
        /// The sequence number among the changes of this breaker.
        sequence: u64,
    },
}

/// Receives the events of a breaker.
///
/// State changes, ramps, resets, would-trips and configuration changes are delivered to every listener one at a time,
/// in the order of their `sequence`, after the change has been made and without holding any lock, so a listener may
/// call the breaker. Rejections and recorded calls are delivered immediately by the thread that caused them
/// and have no order among threads. A listener that is interested in them and causes another of their kind is called
/// again within its own call, so it must bound the recursion. A panic in a listener is caught and counted
/// ([`Totals::panics`](crate::Totals::panics)); the other listeners still receive the event.
///
/// The caller that makes a change delivers it, together with changes that other callers make meanwhile: when all
/// callers have returned, every change has been delivered. If changes are made faster than a listener handles them,
/// the delivering caller does not return until they stop, and the queue has no limit.
///
/// Implemented for every `Fn(&CircuitBreaker, &Event)`.
pub trait Listener: Send + Sync + 'static {
    /// Called for each event, in the thread of a caller: it should be fast and must not block.
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event);

    /// Called for each signal for adapters. The default implementation does nothing.
    ///
    /// It is called only if the [`interest`](Self::interest) contains [`Interest::PROBES`] or
    /// [`Interest::WINDOW_ROLLS`].
    fn on_signal(&self, breaker: &CircuitBreaker, signal: &Signal) {
        let _ = (breaker, signal);
    }

    /// Returns the kinds of events for which this listener is called. The default is changes and rejections.
    ///
    /// Called once, when the listener subscribes. Events in which no listener is interested are not created.
    fn interest(&self) -> Interest {
        Interest::default()
    }
}

impl<F: Fn(&CircuitBreaker, &Event) + Send + Sync + 'static> Listener for F {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        self(breaker, event);
    }
}

// `Arc<L>` does not implement `Fn`, so a shared listener needs its own impl.
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

/// A set of kinds of events, for [`Listener::interest`].
///
/// Kinds are combined with `|`. Kinds may be added in future versions.
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
    /// The empty set.
    pub const NONE: Interest = Interest(0);

    /// State changes, ramps, resets, would-trips, configuration changes, and overflows of a registry.
    pub const CHANGES: Interest = Interest(1);

    /// [`Event::Recorded`]: the end of each call. With this interest every call is timed.
    pub const CALLS: Interest = Interest(2);

    /// [`Event::Rejected`]: an event for each call that is rejected. If no listener is interested in it, a rejection
    /// costs no more than without listeners.
    pub const REJECTIONS: Interest = Interest(4);

    /// [`Signal::WindowRolled`], for adapters: at most one for each bucket in which a call ends.
    pub const WINDOW_ROLLS: Interest = Interest(8);

    /// [`Signal::ProbeEnded`], for adapters: a probe's slot is free again.
    pub const PROBES: Interest = Interest(16);

    /// All kinds of events, including those that are added in future versions.
    pub const ALL: Interest = Interest(u8::MAX);

    /// Returns the union of both sets. Unlike `|`, this function is `const`.
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
    /// Returns changes and rejections.
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
