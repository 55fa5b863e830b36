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
pub(super) fn apply(section: &mut BreakerSection, problems: &mut Vec<Problem>) {
    if let Some(kind) = adaptive_by_group(section) {
        section.circuit_type = Some(kind);
    }
    let Some(kind) = section.circuit_type.clone() else { return };
    if kind.value != CircuitType::Adaptive {
        drop_group(&mut section.adaptive, "adaptive", &mut |origin| no_effect(origin, &kind, problems));
    }
    match kind.value {
        CircuitType::CountBased => count_based(section, &kind, problems),
        CircuitType::TimeBased => time_based(section, &kind, problems),
        CircuitType::PercentageBased => percentage_based(section, &kind, problems),
        CircuitType::Adaptive => adaptive(section, &kind, problems),
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

/// Returns the type of a section whose `adaptive` group is set in no lower layer than its type.
fn adaptive_by_group(section: &BreakerSection) -> Option<Located<CircuitType>> {
    let mut highest: Option<Origin> = None;
    section.adaptive.visit(&mut Path::new(&["adaptive"]), &mut |_, origin| {
        if highest.as_ref().is_none_or(|highest| origin.layer() > highest.layer()) {
            highest = Some(origin.clone());
        }
    });
    let highest = highest?;
    let overridden =
        section.circuit_type.as_ref().is_some_and(|kind| kind.origin().layer() >= highest.layer());
    (!overridden).then(|| Located::new(CircuitType::Adaptive, highest))
}

/// Removes the values that an adaptive breaker has no use for, and warns of them once.
fn adaptive(section: &mut BreakerSection, kind: &Located<CircuitType>, problems: &mut Vec<Problem>) {
    let mut unused: Vec<Origin> = Vec::new();
    let mut note = |origin: &Origin| {
        // Those of lower layers are meant to be replaced by the type.
        if origin.layer() >= kind.origin().layer() {
            unused.push(origin.clone());
        }
    };
    for rule in &section.trip.rules {
        rule.origin().into_iter().for_each(&mut note);
    }
    section.trip = Default::default();
    drop_group(&mut section.window, "window", &mut note);
    drop_group(&mut section.half_open, "half_open", &mut note);
    drop_group(&mut section.open.backoff, "open.backoff", &mut note);
    section.open.duration.take().iter().for_each(|wait| note(wait.origin()));
    let Some(first) = unused.first() else { return };
    let mut paths: Vec<String> = unused.iter().map(|origin| format!("`{}`", origin.path())).collect();
    paths.dedup();
    let (verb, paths) = match paths.split_last() {
        Some((last, before)) if !before.is_empty() => ("have", format!("{} and {last}", before.join(", "))),
        _ => ("has", paths.concat()),
    };
    let message =
        format!("{paths} {verb} no effect: the breaker is adaptive, and learns when to open and to close");
    let problem = super::lint::at(Problem::warning(first.path(), message), first);
    problems.push(problem.help(format!("that it is adaptive is set by {}", kind.origin())));
}

/// Removes a group; `note` is called with the origin of each value.
fn drop_group<G: Group + Default>(group: &mut G, path: &str, note: &mut dyn FnMut(&Origin)) {
    std::mem::take(group).visit(&mut Path::new(&[path]), &mut |_, origin| note(origin));
}
