use std::sync::Arc;

use halfopen::{Collection, Evidence, ShadowCalls, ShadowSnapshot, Snapshot, State, Totals};
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;

/// Reports one series per breaker and outcome.
pub(crate) fn calls(collection: &Collection, to: &dyn AsyncInstrument<u64>) {
    for sample in &collection.breakers {
        for (outcome, calls) in sample.snapshot.totals.by_outcome() {
            to.observe(calls, &[breaker(&sample.snapshot), KeyValue::new("outcome", outcome)]);
        }
    }
}

/// Reports one series per shadow and outcome.
pub(crate) fn shadow_calls(
    collection: &Collection,
    to: &dyn AsyncInstrument<u64>,
    of: fn(&ShadowSnapshot) -> &ShadowCalls,
) {
    each_shadow(collection, |attributes, shadow| {
        for (outcome, calls) in of(shadow).by_outcome() {
            let [breaker, name] = attributes.clone();
            to.observe(calls, &[breaker, name, KeyValue::new("outcome", outcome)]);
        }
    });
}

/// Reports one series per shadow.
pub(crate) fn shadow_unseen(collection: &Collection, to: &dyn AsyncInstrument<u64>) {
    each_shadow(collection, |attributes, shadow| {
        to.observe(shadow.unseen.saturating_add(shadow.untracked), attributes);
    });
}

fn each_shadow(collection: &Collection, each: impl Fn(&[KeyValue; 2], &ShadowSnapshot)) {
    for sample in &collection.breakers {
        for shadow in &sample.snapshot.shadows {
            let name = KeyValue::new("shadow", Arc::clone(&shadow.name));
            each(&[breaker(&sample.snapshot), name], shadow);
        }
    }
}

/// Reports one series per breaker and kind of transition.
pub(crate) fn transitions(collection: &Collection, to: &dyn AsyncInstrument<u64>) {
    for sample in &collection.breakers {
        for seen in &sample.transitions {
            let attributes = [
                breaker(&sample.snapshot),
                KeyValue::new("from", seen.from.as_str()),
                KeyValue::new("to", seen.to.as_str()),
                KeyValue::new("reason", seen.reason.clone()),
            ];
            to.observe(seen.count, &attributes);
        }
    }
}

/// Reports one series per breaker and state.
pub(crate) fn states(collection: &Collection, to: &dyn AsyncInstrument<i64>) {
    for sample in &collection.breakers {
        for &state in State::ALL {
            let holds = i64::from(sample.snapshot.state == state);
            to.observe(holds, &[breaker(&sample.snapshot), KeyValue::new("state", state.as_str())]);
        }
    }
}

/// Reports one series per breaker.
pub(crate) fn total(collection: &Collection, to: &dyn AsyncInstrument<u64>, of: fn(&Totals) -> u64) {
    for sample in &collection.breakers {
        to.observe(of(&sample.snapshot.totals), &[breaker(&sample.snapshot)]);
    }
}

/// Reports one series per breaker that has the value.
pub(crate) fn value(
    collection: &Collection,
    to: &dyn AsyncInstrument<f64>,
    of: fn(&Snapshot) -> Option<f64>,
) {
    for sample in &collection.breakers {
        // Not observed if there is none: a gauge has no value for "unknown".
        if let Some(value) = of(&sample.snapshot) {
            to.observe(value, &[breaker(&sample.snapshot)]);
        }
    }
}

/// Reports one series per adaptive breaker that has the value.
pub(crate) fn evidence(
    collection: &Collection,
    to: &dyn AsyncInstrument<f64>,
    of: fn(&Evidence) -> Option<f64>,
) {
    for sample in &collection.breakers {
        if let Some(value) = sample.snapshot.adaptive.as_ref().and_then(of) {
            to.observe(value, &[breaker(&sample.snapshot)]);
        }
    }
}

fn breaker(snapshot: &Snapshot) -> KeyValue {
    KeyValue::new("breaker", Arc::clone(&snapshot.name))
}
