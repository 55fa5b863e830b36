use std::sync::Arc;
use std::time::Duration;

use halfopen::{Snapshot, State};
use serde::{Serialize, Serializer};

/// A breaker in the table of the page. Serialized as a list: a thousand of them are in a frame.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    name: Arc<str>,
    pub(crate) state: State,
    pub(crate) calls: u64,
    /// Rounded, as the page shows them: a difference that the page does not show is no change.
    failure_rate: Option<f64>,
    slow_call_rate: Option<f64>,
    rejections_per_second: f64,
    share: f64,
    retry_after: Option<Duration>,
    in_state_for: Duration,
}

impl Row {
    pub(crate) fn of(snapshot: &Snapshot, rejections_per_second: f64) -> Row {
        let share = |share: f64| rounded(share, 1_000.0);
        Row {
            name: Arc::clone(&snapshot.name),
            state: snapshot.state,
            calls: snapshot.counts.calls,
            failure_rate: snapshot.counts.failure_rate().map(share),
            slow_call_rate: snapshot.counts.slow_call_rate().map(share),
            rejections_per_second: rounded(rejections_per_second, 10.0),
            share: share(snapshot.share),
            retry_after: snapshot.retry_after,
            in_state_for: snapshot.in_state_for,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether a later row looks the same, but for what passes with time, which the page counts itself.
    pub(crate) fn is_like(&self, later: &Row) -> bool {
        let seen = |row: &Row| {
            (row.state, row.calls, row.failure_rate, row.slow_call_rate, row.rejections_per_second, row.share)
        };
        // A new visit to the same state has a new wait.
        seen(self) == seen(later) && self.in_state_for <= later.in_state_for
    }
}

fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wait = self.retry_after.map(|wait| rounded(wait.as_secs_f64(), 10.0));
        let rates = (self.failure_rate, self.slow_call_rate, self.rejections_per_second);
        (&self.name, self.state, self.calls, rates.0, rates.1, rates.2, self.share, wait)
            .serialize(serializer)
    }
}
