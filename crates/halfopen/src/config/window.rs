use std::fmt;
use std::time::Duration;

use super::duration;
use super::error::Problems;
use crate::clock::nanos;

/// The window of calls on which rules are evaluated: the last calls, or the calls of the last time.
///
/// Constructors accept any value; [`build`](crate::CircuitBreakerConfigBuilder::build) reports
/// invalid ones.
///
/// # Examples
///
/// ```
/// use halfopen::{Window, WindowKind};
/// use std::time::Duration;
///
/// let minute = Window::last(Duration::from_secs(60)).buckets(12);
/// assert_eq!(minute.kind(), WindowKind::Last { duration: Duration::from_secs(60), buckets: 12 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "super::document::Window", into = "super::document::Window"))]
pub struct Window {
    kind: WindowKind,
    /// Buckets that were set on a window without buckets.
    stray_buckets: Option<u32>,
}

/// The kind of a [`Window`], with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowKind {
    /// A fixed number of recent outcomes.
    LastCalls {
        /// The number of outcomes.
        calls: u32,
    },
    /// The outcomes of a sliding period of time.
    Last {
        /// The length of the period.
        duration: Duration,
        /// The number of buckets, one of which leaves the window at a time.
        buckets: u32,
    },
    /// The outcomes since the current interval began; each interval starts empty.
    Tumbling {
        /// The length of the interval.
        interval: Duration,
    },
    /// All outcomes since the breaker closed.
    Unbounded,
}

/// A window's geometry, in integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    LastCalls(u32),
    Time { nanos: u64, buckets: u32 },
    Tumbling { nanos: u64 },
    Unbounded,
}

const BUCKETS: u32 = 10;
const MAX_CALLS: u32 = 1_000_000;
const MAX_BUCKETS: u32 = 1_000;

impl Window {
    /// Creates a window of the last `n` recorded outcomes, from 1 to 1,000,000, in the order of completion.
    ///
    /// It truly slides: each new outcome evicts the one that is `n` calls old. It needs no clock.
    pub fn last_calls(n: u32) -> Window {
        Window::of(WindowKind::LastCalls { calls: n })
    }

    /// Creates a window of the outcomes of the last `duration`, in ten buckets unless [`buckets`](Self::buckets) sets
    /// another number.
    ///
    /// The duration must be longer than zero, and is clamped to 584 years.
    pub fn last(duration: Duration) -> Window {
        // A bucket is at least one nanosecond long.
        let buckets = nanos(duration).clamp(1, BUCKETS.into()) as u32;
        Window::of(WindowKind::Last { duration, buckets })
    }

    /// Sets the number of buckets of a [`last`](Self::last) window, from 1 to 1,000.
    ///
    /// Outcomes leave the window one bucket at a time, so it covers between `duration` minus one
    /// bucket and `duration`. On a window of another kind this is an error.
    pub fn buckets(self, n: u32) -> Window {
        match self.kind {
            WindowKind::Last { duration, .. } => Window::of(WindowKind::Last { duration, buckets: n }),
            // Kept, so that `build` can report it: a constructor has no errors.
            WindowKind::LastCalls { .. } | WindowKind::Tumbling { .. } | WindowKind::Unbounded => {
                Window { stray_buckets: Some(n), ..self }
            }
        }
    }

    /// Creates a window of the outcomes since the current `interval` began. With each interval all counts restart,
    /// including the run of failures.
    ///
    /// The interval must be longer than zero, and is clamped to 584 years.
    pub fn tumbling(interval: Duration) -> Window {
        Window::of(WindowKind::Tumbling { interval })
    }

    /// Creates a window of all outcomes since the breaker closed. It needs no clock.
    pub fn unbounded() -> Window {
        Window::of(WindowKind::Unbounded)
    }

    /// Returns the kind of the window, with its numbers.
    pub fn kind(&self) -> WindowKind {
        self.kind
    }

    pub(super) fn of(kind: WindowKind) -> Window {
        Window { kind, stray_buckets: None }
    }

    /// Returns the maximum number of outcomes in the window, or [`None`] if there is no maximum or it is invalid.
    pub(super) fn size(&self) -> Option<u32> {
        match self.kind {
            WindowKind::LastCalls { calls } => Some(calls).filter(|&calls| calls > 0),
            WindowKind::Last { .. } | WindowKind::Tumbling { .. } | WindowKind::Unbounded => None,
        }
    }

    pub(super) fn form(&self) -> Form {
        match self.kind {
            WindowKind::LastCalls { calls } => Form::LastCalls(calls),
            WindowKind::Last { duration, buckets } => Form::Time { nanos: nanos(duration), buckets },
            WindowKind::Tumbling { interval } => Form::Tumbling { nanos: nanos(interval) },
            WindowKind::Unbounded => Form::Unbounded,
        }
    }

    pub(super) fn judge(&self, problems: &mut Problems) {
        match self.kind {
            WindowKind::LastCalls { calls } => {
                if !(1..=MAX_CALLS).contains(&calls) {
                    problems.add("window.last_calls", calls, "from 1 to 1000000");
                }
            }
            WindowKind::Last { duration, buckets } => judge_time(duration, buckets, problems),
            WindowKind::Tumbling { interval } => problems.above_zero("window.tumbling", interval),
            WindowKind::Unbounded => {}
        }
        if let Some(buckets) = self.stray_buckets {
            let value = format_args!("{buckets} on {self}");
            problems.add("window.buckets", value, "left out: only `Window::last` has buckets");
        }
    }
}

fn judge_time(duration: Duration, buckets: u32, problems: &mut Problems) {
    problems.above_zero("window.last", duration);
    let nanos = nanos(duration);
    if !(1..=MAX_BUCKETS).contains(&buckets) {
        problems.add("window.buckets", buckets, "from 1 to 1000");
    } else if nanos > 0 && u64::from(buckets) > nanos {
        let range = format!("from 1 to {nanos}, the nanoseconds of the window");
        problems.add("window.buckets", buckets, range);
    }
}

/// Formats the window for an error message.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            WindowKind::LastCalls { calls } => write!(f, "a window of the last {calls} calls"),
            WindowKind::Last { duration, .. } => {
                write!(f, "a window of the last {}", duration::print(duration))
            }
            WindowKind::Tumbling { interval } => {
                write!(f, "a window that tumbles every {}", duration::print(interval))
            }
            WindowKind::Unbounded => f.write_str("an unbounded window"),
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}
