//! `circuit_type`: selects one of the thresholds, and the window that goes with it.

use crate::document::{BreakerSection, CircuitType, RuleKind};
use halfopen_document::{Group, Located, Origin, Path, Period, Problem};

/// The defaults of older documents.
const FAILURES: u32 = 5;
const THRESHOLD: f64 = 0.5;
const SECONDS: u64 = 60;
const CALLS: u32 = 100;

/// Applies the type to the section.
///
/// This follows the overlay of all layers, because the type may come from another layer than the values.
pub(super) fn apply(section: &mut BreakerSection, name: &str, problems: &mut Vec<Problem>) {
    let Some(kind) = section.circuit_type.clone() else { return };
    match kind.value {
        CircuitType::CountBased => count_based(section, &kind, problems),
        CircuitType::TimeBased => time_based(section, &kind, problems),
        CircuitType::PercentageBased => percentage_based(section, &kind, problems),
        CircuitType::Adaptive => problems.push(adaptive(&kind, name)),
    }
}

fn count_based(section: &mut BreakerSection, kind: &Located<CircuitType>, problems: &mut Vec<Problem>) {
    drop_rule(section, RuleKind::FailureRate, kind, problems);
    if section.trip.of(RuleKind::ConsecutiveFailures).next().is_none() {
        section.trip.rule_mut(RuleKind::ConsecutiveFailures).failures = Some(kind.map(|_| FAILURES));
    }
    // A count over time needs its window; a run of failures needs none.
    let runs_only =
        section.trip.rules.iter().all(|rule| rule.off || rule.kind == RuleKind::ConsecutiveFailures);
    if runs_only {
        let window = std::mem::take(&mut section.window);
        window.visit(&mut Path::new(&["window"]), &mut |_, origin| no_effect(origin, kind, problems));
    }
}

fn time_based(section: &mut BreakerSection, kind: &Located<CircuitType>, problems: &mut Vec<Problem>) {
    rate_over(section, kind, problems);
    let window = &mut section.window;
    if let Some(calls) = window.last_calls.take() {
        no_effect(calls.origin(), kind, problems);
    }
    if window.tumbling.is_none() && window.unbounded.is_none() {
        window.last.duration.get_or_insert_with(|| kind.map(|_| Period::seconds(SECONDS)));
    }
}

fn percentage_based(section: &mut BreakerSection, kind: &Located<CircuitType>, problems: &mut Vec<Problem>) {
    rate_over(section, kind, problems);
    let window = &mut section.window;
    std::mem::take(&mut window.last)
        .visit(&mut Path::new(&["window", "last"]), &mut |_, origin| no_effect(origin, kind, problems));
    if window.tumbling.is_none() && window.unbounded.is_none() {
        window.last_calls.get_or_insert_with(|| kind.map(|_| CALLS));
    }
}

fn rate_over(section: &mut BreakerSection, kind: &Located<CircuitType>, problems: &mut Vec<Problem>) {
    drop_rule(section, RuleKind::ConsecutiveFailures, kind, problems);
    if section.trip.of(RuleKind::FailureRate).next().is_none() {
        section.trip.rule_mut(RuleKind::FailureRate).threshold = Some(kind.map(|_| THRESHOLD));
    }
}

/// Removes a rule, in its group or as a flat key.
fn drop_rule(
    section: &mut BreakerSection,
    dropped: RuleKind,
    kind: &Located<CircuitType>,
    problems: &mut Vec<Problem>,
) {
    section.trip.rules.retain(|rule| {
        let is_dropped = rule.kind == dropped;
        if let Some(origin) = rule.origin().filter(|_| is_dropped) {
            no_effect(origin, kind, problems);
        }
        !is_dropped
    });
}

/// Warns of a value without effect, unless a lower layer sets it: a type is meant to replace the values of
/// lower layers, while a value beside or above the type is unlikely to be intended.
fn no_effect(unused: &Origin, kind: &Located<CircuitType>, problems: &mut Vec<Problem>) {
    if unused.layer() < kind.origin().layer() {
        return;
    }
    let path = unused.path();
    let message = format!("`{path}` has no effect: `circuit_type` is {}", kind.value.name());
    let problem = super::lint::at(Problem::warning(path, message), unused);
    problems.push(if unused.layer() == kind.origin().layer() {
        problem
    } else {
        problem.help(format!("it is set by {}", kind.origin()))
    });
}

fn adaptive(kind: &Located<CircuitType>, name: &str) -> Problem {
    let path = kind.origin().path();
    let message = format!(
        "`{path}` is adaptive, which is not there yet: `{name}` goes by its other thresholds, or by the default rules if it has none"
    );
    super::lint::at(Problem::warning(path, message), kind.origin())
}
