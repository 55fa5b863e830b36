use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{BreakerSample, Collection, Evidence, ShadowSnapshot, Snapshot, State};
use metrics::{SharedString, counter, gauge};

use crate::names;

/// Names whose breaker was adaptive when its gauges were written last.
pub(crate) type Adaptive = HashSet<Arc<str>>;

/// Writes all series of a collection.
///
/// Every series is registered again each time. A handle created before the recorder is a no-op, and a
/// handle of a series that the recorder has dropped is detached.
pub(crate) fn write(collection: &Collection, adaptive: &mut Adaptive) {
    for name in &collection.gone {
        // All states are 0 and all other gauges NaN.
        Gauges::default().write(name);
        forget_evidence(name, adaptive);
    }
    for breaker in &collection.breakers {
        write_counters(breaker);
        breaker.snapshot.shadows.iter().for_each(|shadow| write_shadow(&breaker.snapshot.name, shadow));
        write_gauges(&breaker.snapshot);
        let name = &breaker.snapshot.name;
        match &breaker.snapshot.adaptive {
            Some(evidence) => {
                write_evidence(name, Some(evidence));
                adaptive.insert(Arc::clone(name));
            }
            None => forget_evidence(name, adaptive),
        }
    }
    counter!(names::REGISTRY_OVERFLOWED).absolute(collection.overflowed);
    counter!(names::REGISTRY_EVICTED).absolute(collection.evicted);
}

fn write_counters(sample: &BreakerSample) {
    let totals = &sample.snapshot.totals;
    let breaker = SharedString::from(Arc::clone(&sample.snapshot.name));
    for (outcome, calls) in totals.by_outcome() {
        // Absolute values: the breaker counts, and a reading that is missed loses nothing.
        counter!(names::CALLS, "breaker" => breaker.clone(), "outcome" => outcome).absolute(calls);
    }
    for (name, total) in [
        (names::SLOW_CALLS, totals.slow),
        (names::THROTTLED_CALLS, totals.throttled),
        (names::WOULD_TRIP, totals.would_trip),
        (names::PANICS, totals.panics),
    ] {
        counter!(name, "breaker" => breaker.clone()).absolute(total);
    }
    for seen in &sample.transitions {
        counter!(
            names::TRANSITIONS,
            "breaker" => breaker.clone(),
            "from" => seen.from.as_str(),
            "to" => seen.to.as_str(),
            "reason" => seen.reason.clone()
        )
        .absolute(seen.count);
    }
}

fn write_shadow(breaker: &Arc<str>, snapshot: &ShadowSnapshot) {
    let breaker = SharedString::from(Arc::clone(breaker));
    let shadow = SharedString::from(Arc::clone(&snapshot.name));
    for (name, calls) in
        [(names::SHADOW_REJECTED, &snapshot.rejected), (names::SHADOW_ADMITTED, &snapshot.admitted)]
    {
        for (outcome, calls) in calls.by_outcome() {
            counter!(name, "breaker" => breaker.clone(), "shadow" => shadow.clone(), "outcome" => outcome)
                .absolute(calls);
        }
    }
    let unseen = snapshot.unseen.saturating_add(snapshot.untracked);
    counter!(names::SHADOW_UNSEEN, "breaker" => breaker, "shadow" => shadow).absolute(unseen);
}

fn write_gauges(snapshot: &Snapshot) {
    let counts = &snapshot.counts;
    Gauges {
        state: Some(snapshot.state),
        failure_ratio: counts.failure_rate(),
        slow_call_ratio: counts.slow_call_rate(),
        remaining: snapshot.retry_after.map(|remaining| remaining.as_secs_f64()),
        admitted_ratio: Some(snapshot.share),
    }
    .write(&snapshot.name);
}

/// Sets the gauges of evidence to NaN, once, for a breaker that is gone or no longer adaptive. One that never was
/// adaptive has no such gauges.
fn forget_evidence(name: &Arc<str>, adaptive: &mut Adaptive) {
    if adaptive.remove(name) {
        write_evidence(name, None);
    }
}

/// The gauges of an adaptive breaker; [`None`] is written as NaN.
fn write_evidence(name: &Arc<str>, evidence: Option<&Evidence>) {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    for (metric, value) in [
        (names::NORMAL_RATIO, evidence.map(|evidence| evidence.normal)),
        (names::DOWN_PROBABILITY, evidence.map(|evidence| evidence.down)),
        (names::CALL_WORTH, evidence.map(|evidence| evidence.worth)),
        (names::LEARNED_P95, evidence.and_then(|evidence| seconds(evidence.p95))),
        (names::SLOW_LIMIT, evidence.and_then(|evidence| seconds(evidence.slow_limit))),
        (names::LIKELIEST_RATIO, evidence.map(|evidence| evidence.likeliest)),
        (names::NEXT_PROBE, evidence.and_then(|evidence| seconds(evidence.next_probe))),
    ] {
        gauge!(metric, "breaker" => SharedString::from(Arc::clone(name))).set(value.unwrap_or(f64::NAN));
    }
}

/// The gauges of one breaker. [`None`] is written as NaN, or as 0 for every state.
#[derive(Default)]
struct Gauges {
    state: Option<State>,
    failure_ratio: Option<f64>,
    slow_call_ratio: Option<f64>,
    remaining: Option<f64>,
    admitted_ratio: Option<f64>,
}

impl Gauges {
    fn write(&self, name: &Arc<str>) {
        let breaker = SharedString::from(Arc::clone(name));
        for &state in State::ALL {
            // One series for each state, of which one is 1: an enumeration that queries can sum over breakers.
            let holds = if self.state == Some(state) { 1.0 } else { 0.0 };
            gauge!(names::STATE, "breaker" => breaker.clone(), "state" => state.as_str()).set(holds);
        }
        for (metric, value) in [
            (names::STATE_CODE, self.state.map(code)),
            (names::FAILURE_RATIO, self.failure_ratio),
            (names::SLOW_CALL_RATIO, self.slow_call_ratio),
            (names::OPEN_REMAINING, self.remaining),
            (names::ADMITTED_RATIO, self.admitted_ratio),
        ] {
            gauge!(metric, "breaker" => breaker.clone()).set(value.unwrap_or(f64::NAN));
        }
    }
}

/// Returns the code of a state. The codes ascend by severity, with the overrides last.
fn code(state: State) -> f64 {
    match state {
        State::Closed => 0.0,
        State::HalfOpen => 1.0,
        State::Open => 2.0,
        State::ForcedOpen => 3.0,
        State::Disabled => 4.0,
        State::MetricsOnly => 5.0,
        // A state added by a later version of the core has no code yet.
        _ => f64::NAN,
    }
}
