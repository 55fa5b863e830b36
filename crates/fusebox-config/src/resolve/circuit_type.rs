//! `circuit_type`: which of the flat thresholds counts, and the window that goes with it.

use crate::document::{CircuitType, RuleKind, Section};
use crate::{Period, Problem, Written};

/// What the older documents mean where they say nothing.
const FAILURES: u32 = 5;
const THRESHOLD: f64 = 0.5;
const SECONDS: u64 = 60;
const CALLS: u32 = 100;

/// Takes the type at its word.
pub(super) fn apply(section: &mut Section, name: &str, problems: &mut Vec<Problem>) {
    let Some(kind) = section.circuit_type.clone() else { return };
    match kind.value {
        CircuitType::CountBased => {
            drop_rule(section, RuleKind::FailureRate, "failure_rate_threshold", &kind, problems);
            if section.trip.of(RuleKind::ConsecutiveFailures).next().is_none() {
                section.trip.rule_mut(RuleKind::ConsecutiveFailures).failures = Some(kind.map(|_| FAILURES));
            }
        }
        CircuitType::TimeBased => {
            rate_over(section, &kind, problems);
            if flat(&section.window.last_calls, "sliding_window_size") {
                no_effect(&section.window.last_calls, &kind, problems);
                section.window.last_calls = None;
            }
            let window = &mut section.window;
            if window.last_calls.is_none() && window.tumbling.is_none() && window.unbounded.is_none() {
                window.last.duration.get_or_insert_with(|| kind.map(|_| Period::seconds(SECONDS)));
            }
        }
        CircuitType::PercentageBased => {
            rate_over(section, &kind, problems);
            if flat(&section.window.last.duration, "failure_window_seconds") {
                no_effect(&section.window.last.duration, &kind, problems);
                section.window.last.duration = None;
            }
            let window = &mut section.window;
            let is_free = window.tumbling.is_none() && window.unbounded.is_none();
            if is_free && window.last.duration.is_none() && window.last.buckets.is_none() {
                window.last_calls.get_or_insert_with(|| kind.map(|_| CALLS));
            }
        }
        CircuitType::Adaptive => problems.push(adaptive(&kind, name)),
    }
}

fn rate_over(section: &mut Section, kind: &Written<CircuitType>, problems: &mut Vec<Problem>) {
    drop_rule(section, RuleKind::ConsecutiveFailures, "failure_threshold", kind, problems);
    if section.trip.of(RuleKind::FailureRate).next().is_none() {
        section.trip.rule_mut(RuleKind::FailureRate).threshold = Some(kind.map(|_| THRESHOLD));
    }
}

/// Takes a rule away that a flat key has made; one that `trip` names stays.
fn drop_rule(
    section: &mut Section,
    rule: RuleKind,
    key: &str,
    kind: &Written<CircuitType>,
    problems: &mut Vec<Problem>,
) {
    section.trip.rules.retain(|other| {
        let is_flat = other.kind == rule && other.origin().is_some_and(|origin| origin.key() == key);
        if is_flat {
            no_effect(&other.origin().map(|origin| Written::new((), origin.clone())), kind, problems);
        }
        !is_flat
    });
}

fn flat<T>(written: &Option<Written<T>>, key: &str) -> bool {
    written.as_ref().is_some_and(|written| written.origin().key() == key)
}

fn no_effect<T>(unused: &Option<Written<T>>, kind: &Written<CircuitType>, problems: &mut Vec<Problem>) {
    let Some(unused) = unused else { return };
    let path = unused.origin().path();
    let message = format!("`{path}` has no effect: `circuit_type` is {}", kind.value.name());
    problems.push(super::judge::at(Problem::warning(path, message), unused.origin()));
}

fn adaptive(kind: &Written<CircuitType>, name: &str) -> Problem {
    let path = kind.origin().path();
    let message = format!(
        "`{path}` is adaptive, which is not there yet: `{name}` goes by its other thresholds, or by the default rules if it has none"
    );
    super::judge::at(Problem::warning(path, message), kind.origin())
}
