use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::text::Printable;
use crate::word::State;

/// The number of calls of each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShadowCalls {
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls whose outcome was no evidence about the dependency.
    pub ignored: u64,
    /// Permits that were dropped without a report.
    pub abandoned: u64,
}

impl ShadowCalls {
    /// Returns the number of calls with any outcome.
    pub fn calls(&self) -> u64 {
        self.by_outcome().into_iter().fold(0, |sum, (_, calls)| sum.saturating_add(calls))
    }

    /// Returns the number of calls of each outcome, with the names of [`Ended::as_str`](crate::Ended::as_str).
    pub fn by_outcome(&self) -> [(&'static str, u64); 4] {
        [
            ("success", self.successes),
            ("failure", self.failures),
            ("ignored", self.ignored),
            ("abandoned", self.abandoned),
        ]
    }
}

/// The counts of a [`Shadow`](crate::Shadow) at one moment.
///
/// Only calls that have ended are counted by outcome.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShadowSnapshot {
    /// The name of the shadow.
    pub name: Arc<str>,
    /// The state that a call would find with its configuration.
    pub state: State,
    /// How often it opened, reopenings after a failed probe included.
    pub trips: u64,
    /// Calls that its configuration admits as well.
    pub admitted: ShadowCalls,
    /// Calls that its configuration would have rejected.
    pub rejected: ShadowCalls,
    /// The duration of those that it would have rejected.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::serialize"))]
    pub rejected_time: Duration,
    /// Calls that the breaker itself rejected: their outcomes cannot be known, and the shadow does not see them.
    pub unseen: u64,
    /// Calls that the shadow does not see because too many were in flight.
    pub untracked: u64,
}

impl fmt::Display for ShadowSnapshot {
    /// Formats one line for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShadowSnapshot { state, admitted, rejected, .. } = self;
        let name = Printable::new(&self.name);
        let calls = admitted.calls().saturating_add(rejected.calls());
        write!(
            f,
            "`{name}` ({state}) would have rejected {} of {calls} calls, of which {} failed and {} succeeded",
            rejected.calls(),
            rejected.failures,
            rejected.successes
        )
    }
}
