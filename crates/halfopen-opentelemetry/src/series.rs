use std::sync::Arc;

use halfopen::{Sight, Snapshot, State, Totals};
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;

/// Reports one series per breaker and outcome.
pub(crate) fn calls(sight: &Sight, to: &dyn AsyncInstrument<u64>) {
    for watched in &sight.breakers {
        for (outcome, calls) in watched.snapshot.totals.by_outcome() {
            to.observe(calls, &[breaker(&watched.snapshot), KeyValue::new("outcome", outcome)]);
        }
    }
}

/// Reports one series per breaker and kind of transition.
pub(crate) fn transitions(sight: &Sight, to: &dyn AsyncInstrument<u64>) {
    for watched in &sight.breakers {
        for seen in &watched.transitions {
            let attributes = [
                breaker(&watched.snapshot),
                KeyValue::new("from", seen.from.as_str()),
                KeyValue::new("to", seen.to.as_str()),
                KeyValue::new("reason", seen.reason.clone()),
            ];
            to.observe(seen.count, &attributes);
        }
    }
}

/// Reports one series per breaker and state.
pub(crate) fn states(sight: &Sight, to: &dyn AsyncInstrument<i64>) {
    for watched in &sight.breakers {
        for &state in State::ALL {
            let holds = i64::from(watched.snapshot.state == state);
            to.observe(holds, &[breaker(&watched.snapshot), KeyValue::new("state", state.as_str())]);
        }
    }
}

/// Reports one series per breaker.
pub(crate) fn total(sight: &Sight, to: &dyn AsyncInstrument<u64>, of: fn(&Totals) -> u64) {
    for watched in &sight.breakers {
        to.observe(of(&watched.snapshot.totals), &[breaker(&watched.snapshot)]);
    }
}

/// Reports one series per breaker that has the value.
pub(crate) fn value(sight: &Sight, to: &dyn AsyncInstrument<f64>, of: fn(&Snapshot) -> Option<f64>) {
    for watched in &sight.breakers {
        if let Some(value) = of(&watched.snapshot) {
            to.observe(value, &[breaker(&watched.snapshot)]);
        }
    }
}

fn breaker(snapshot: &Snapshot) -> KeyValue {
    KeyValue::new("breaker", Arc::clone(&snapshot.name))
}
