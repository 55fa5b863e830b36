use std::time::Duration;

use super::error::Problems;
use crate::clock::nanos;

/// What a closed breaker remembers of the calls it has let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub(super) kind: Kind,
    pub(super) buckets: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    LastCalls(u32),
    Last(Duration),
    Tumbling(Duration),
    Unbounded,
}

/// The same, checked, in the numbers that are computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    LastCalls(u32),
    Time { nanos: u64, buckets: u32 },
    Tumbling { nanos: u64 },
    Unbounded,
}

pub(super) const BUCKETS: u32 = 10;
const MOST_BUCKETS: u32 = 1_000;
const MOST_CALLS: u32 = 1_000_000;

impl Window {
    /// The last so many recorded calls, in the order in which they ended: from 1 to 1,000,000.
    ///
    /// It truly slides: each outcome pushes the oldest one out. Two bits a call.
    pub fn last_calls(n: u32) -> Window {
        Window::of(Kind::LastCalls(n))
    }

    /// The calls that ended in this time, in 10 buckets: longer than 0.
    pub fn last(duration: Duration) -> Window {
        Window::of(Kind::Last(duration))
    }

    /// In how many buckets a time window moves on: from 1 to 1,000.
    ///
    /// A call leaves the window between `duration - duration / buckets` and `duration` after it ended.
    pub fn buckets(self, n: u32) -> Window {
        Window { buckets: Some(n), ..self }
    }

    /// The calls since the interval began, of intervals that follow each other from the moment the
    /// breaker closed: longer than 0. With the counts the run of failures starts again.
    pub fn tumbling(interval: Duration) -> Window {
        Window::of(Kind::Tumbling(interval))
    }

    /// All calls since the breaker closed.
    pub fn unbounded() -> Window {
        Window::of(Kind::Unbounded)
    }

    fn of(kind: Kind) -> Window {
        Window { kind, buckets: None }
    }

    /// How many calls a count window holds.
    pub fn calls(&self) -> Option<u32> {
        match self.kind {
            Kind::LastCalls(n) => Some(n),
            Kind::Last(_) | Kind::Tumbling(_) | Kind::Unbounded => None,
        }
    }

    /// How long a time window, or the interval of a tumbling one, is.
    pub fn duration(&self) -> Option<Duration> {
        match self.kind {
            Kind::Last(duration) | Kind::Tumbling(duration) => Some(duration),
            Kind::LastCalls(_) | Kind::Unbounded => None,
        }
    }

    /// In how many buckets a time window moves on.
    pub fn bucket_count(&self) -> Option<u32> {
        match self.kind {
            Kind::Last(duration) => Some(self.buckets.unwrap_or_else(|| default_buckets(duration))),
            Kind::LastCalls(_) | Kind::Tumbling(_) | Kind::Unbounded => None,
        }
    }

    /// Whether it is a tumbling window.
    pub fn is_tumbling(&self) -> bool {
        matches!(self.kind, Kind::Tumbling(_))
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        match self.kind {
            Kind::LastCalls(n) => problems.count("window.last_calls", n, MOST_CALLS),
            Kind::Last(duration) => problems.duration("window.last", duration),
            Kind::Tumbling(interval) => problems.duration("window.tumbling", interval),
            Kind::Unbounded => {}
        }
        match (self.buckets, self.kind) {
            (Some(n), Kind::Last(_)) => problems.count("window.buckets", n, MOST_BUCKETS),
            (Some(n), Kind::LastCalls(_) | Kind::Tumbling(_) | Kind::Unbounded) => {
                problems.add("window.buckets", n, "only a window over time has buckets: must not be set");
            }
            (None, _) => {}
        }
    }

    pub(super) fn form(&self) -> Form {
        match self.kind {
            Kind::LastCalls(n) => Form::LastCalls(n),
            Kind::Last(duration) => Form::Time {
                nanos: nanos(duration),
                buckets: self.buckets.unwrap_or_else(|| default_buckets(duration)),
            },
            Kind::Tumbling(interval) => Form::Tumbling { nanos: nanos(interval) },
            Kind::Unbounded => Form::Unbounded,
        }
    }
}

/// A bucket is at least a nanosecond long.
fn default_buckets(duration: Duration) -> u32 {
    u32::try_from(nanos(duration)).unwrap_or(BUCKETS).clamp(1, BUCKETS)
}
