use std::sync::Arc;
use std::time::Duration;

use halfopen::{CircuitBreaker, Snapshot, State, StateChange};
use serde::{Serialize, Serializer};

use crate::alert::Alert;
use crate::notify::NotifierStatus;

/// Everything that a dashboard shows. Serialized, durations are numbers of seconds and times are seconds since 1970.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DashboardData {
    /// The numbers of all breakers together.
    pub overview: Overview,
    /// The breakers, sorted by name.
    pub services: Vec<ServiceData>,
    /// The alerts.
    pub alerts: DashboardAlerts,
    /// The last changes of state, the oldest first.
    pub history: Vec<StateChange>,
    /// The notifiers.
    pub notifiers: Vec<NotifierStatus>,
    /// The last actions of operators on the page, the oldest first, each with its time in seconds since 1970.
    pub audit: Vec<String>,
}

/// The numbers of all breakers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// The number of breakers: the sum of the six counts below.
    pub total: u64,
    /// The number of closed breakers.
    pub closed: u64,
    /// The number of open breakers.
    pub open: u64,
    /// The number of half-open breakers.
    pub half_open: u64,
    /// The number of breakers that are forced open.
    pub forced_open: u64,
    /// The number of disabled breakers.
    pub disabled: u64,
    /// The number of breakers in metrics-only.
    pub metrics_only: u64,
    /// The share of the breakers that admit every call, from 0 to 100; 100 without breakers.
    pub health_percentage: f64,
    /// The number of alerts that are firing.
    pub alerts_firing: u64,
    /// The rejected calls a second of all breakers.
    pub rejections_per_second: f64,
    /// The changes of state that the history no longer has.
    pub history_dropped: u64,
}

/// A breaker.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ServiceData {
    /// The name of the breaker.
    pub name: Arc<str>,
    /// Its category; empty if it has none.
    pub category: String,
    /// Its state.
    pub state: State,
    /// The calls in its window; while open those that opened it.
    pub calls: u64,
    /// The share of failures among them; [`None`] without calls.
    pub failure_rate: Option<f64>,
    /// The share of slow calls among them; [`None`] without calls.
    pub slow_call_rate: Option<f64>,
    /// The rejected calls a second.
    pub rejections_per_second: f64,
    /// The share of the calls that is admitted, from 0 to 1.
    pub share: f64,
    /// The rest of the wait; [`None`] if time alone does not end it.
    #[serde(serialize_with = "seconds")]
    pub retry_after: Option<Duration>,
    /// The time in its state.
    #[serde(serialize_with = "whole_seconds")]
    pub in_state_for: Duration,
    /// The state and its reasons, in words.
    pub explanation: String,
}

/// The alerts of a dashboard.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DashboardAlerts {
    /// The alerts that are firing, sorted by rule and breaker.
    pub firing: Vec<Alert>,
    /// The last alerts that fired or resolved, the oldest first.
    pub recent: Vec<Alert>,
}

impl Overview {
    /// Returns the counts of these states, and the percentage.
    pub(crate) fn of(states: impl Iterator<Item = State>) -> Overview {
        let mut overview = Overview::default();
        states.for_each(|state| overview.count(state));
        let healthy = overview.closed + overview.disabled + overview.metrics_only;
        let total = overview.total;
        overview.health_percentage = if total == 0 { 100.0 } else { 100.0 * healthy as f64 / total as f64 };
        overview
    }

    fn count(&mut self, state: State) {
        self.total += 1;
        match state {
            State::Closed => self.closed += 1,
            State::Open => self.open += 1,
            State::HalfOpen => self.half_open += 1,
            State::ForcedOpen => self.forced_open += 1,
            State::Disabled => self.disabled += 1,
            State::MetricsOnly => self.metrics_only += 1,
            // A state of a later version of the core is in no count but the total.
            _ => {}
        }
    }
}

impl ServiceData {
    pub(crate) fn of(breaker: &CircuitBreaker, category: String, rejections_per_second: f64) -> ServiceData {
        let snapshot: Snapshot = breaker.snapshot();
        ServiceData {
            explanation: snapshot.explain(&breaker.config()),
            category,
            state: snapshot.state,
            calls: snapshot.counts.calls,
            failure_rate: snapshot.counts.failure_rate(),
            slow_call_rate: snapshot.counts.slow_call_rate(),
            rejections_per_second,
            share: snapshot.share,
            retry_after: snapshot.retry_after,
            in_state_for: snapshot.in_state_for,
            name: snapshot.name,
        }
    }
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

fn whole_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
