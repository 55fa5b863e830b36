use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{Snapshot, State};

use crate::rule::{LONGEST_MEMORY, is_not_closed};

/// A breaker at the moment of an evaluation, as rules see it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BreakerMetrics {
    /// The name of the breaker.
    pub name: Arc<str>,
    /// Its category; empty if it has none.
    pub category: String,
    /// Its state.
    pub state: State,
    /// The calls in its window; while open those that opened it.
    pub calls: u64,
    /// The share of failures among them, from 0 to 1; 0 without calls.
    pub failure_rate: f64,
    /// The share of slow calls among them, from 0 to 1; 0 without calls.
    pub slow_call_rate: f64,
    /// The rejected calls a second since the last evaluation.
    pub rejections_per_second: f64,
    /// The time for which it has not been closed; [`None`] if it is.
    pub not_closed_for: Option<Duration>,
    /// The whole snapshot.
    pub snapshot: Snapshot,
    /// How long ago the openings of the last hour were.
    openings: Vec<Duration>,
}

impl BreakerMetrics {
    /// Returns the number of openings within this time, at most an hour.
    pub fn openings_within(&self, time: Duration) -> u64 {
        self.openings.iter().filter(|&&ago| ago <= time).count() as u64
    }
}

/// What is remembered of a breaker from one evaluation to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The begin of the time over which rejections are counted.
    at: Duration,
    rejected: u64,
    rate: f64,
    trips: u64,
    openings: VecDeque<Duration>,
    not_closed_since: Option<Duration>,
    known: bool,
}

/// The shortest time over which a rate is computed.
const SHORTEST: Duration = Duration::from_secs(1);

/// More openings of an hour are not remembered.
const MOST_OPENINGS: usize = 1_000;

impl Memory {
    /// The memory of a breaker that was created after an evaluation at `at`: all that it has counted is new.
    pub(crate) fn of_new(at: Duration) -> Memory {
        Memory { at, known: true, ..Memory::default() }
    }

    /// Returns the metrics of a snapshot taken at `now`, and remembers it.
    pub(crate) fn see(&mut self, snapshot: Snapshot, category: String, now: Duration) -> BreakerMetrics {
        let totals = &snapshot.totals;
        // Totals that have become smaller are those of a new breaker of the same name.
        let grown = |now: u64, then: u64| if self.known { now.checked_sub(then).unwrap_or(now) } else { 0 };
        let elapsed = now.saturating_sub(self.at);
        // Evaluations follow events too: over a few milliseconds a single rejection would be a high rate.
        if !self.known || elapsed >= SHORTEST {
            let rejected = grown(totals.rejected, self.rejected) as f64;
            self.rate = if self.known { rejected / elapsed.as_secs_f64() } else { 0.0 };
            (self.at, self.rejected) = (now, totals.rejected);
        }
        let trips = grown(totals.trips, self.trips).min(MOST_OPENINGS as u64);
        self.openings.extend((0..trips).map(|_| now));
        while self.openings.len() > MOST_OPENINGS
            || self.openings.front().is_some_and(|&at| now.saturating_sub(at) > LONGEST_MEMORY)
        {
            self.openings.pop_front();
        }
        // From the snapshot if it is the first: a breaker may have been open for long before the monitor.
        let before = if self.known { Duration::ZERO } else { snapshot.in_state_for };
        self.not_closed_since = match (is_not_closed(snapshot.state), self.not_closed_since) {
            (false, _) => None,
            (true, Some(since)) => Some(since),
            (true, None) => Some(now.saturating_sub(before)),
        };
        (self.trips, self.known) = (totals.trips, true);
        BreakerMetrics {
            name: Arc::clone(&snapshot.name),
            category,
            state: snapshot.state,
            calls: snapshot.counts.calls,
            failure_rate: snapshot.counts.failure_rate().unwrap_or_default(),
            slow_call_rate: snapshot.counts.slow_call_rate().unwrap_or_default(),
            rejections_per_second: self.rate,
            not_closed_for: self.not_closed_since.map(|since| now.saturating_sub(since)),
            snapshot,
            openings: self.openings.iter().map(|&at| now.saturating_sub(at)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn snapshot(state: State, rejected: u64, trips: u64) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.state = state;
        snapshot.totals.rejected = rejected;
        snapshot.totals.trips = trips;
        snapshot
    }

    #[test]
    fn rates_are_those_since_the_last_evaluation() {
        let mut memory = Memory::default();
        let first = memory.see(snapshot(State::Open, 1_000, 7), String::new(), 10 * SECOND);
        assert_eq!((first.rejections_per_second, first.openings_within(SECOND)), (0.0, 0));
        let second = memory.see(snapshot(State::Open, 1_050, 9), String::new(), 15 * SECOND);
        assert_eq!((second.rejections_per_second, second.openings_within(SECOND)), (10.0, 2));
        assert_eq!(second.not_closed_for, Some(5 * SECOND));
        let new = memory.see(snapshot(State::Closed, 5, 0), String::new(), 16 * SECOND);
        assert_eq!((new.rejections_per_second, new.not_closed_for), (5.0, None), "a new breaker of the name");
    }

    #[test]
    fn openings_are_remembered_for_an_hour_and_bounded() {
        let mut memory = Memory::default();
        memory.see(snapshot(State::Closed, 0, 0), String::new(), Duration::ZERO);
        let many = memory.see(snapshot(State::Closed, 0, 1_000_000), String::new(), SECOND);
        assert_eq!(many.openings_within(LONGEST_MEMORY), 1_000);
        let later = memory.see(snapshot(State::Closed, 0, 1_000_000), String::new(), 3_602 * SECOND);
        assert_eq!(later.openings_within(LONGEST_MEMORY), 0);
    }
}
