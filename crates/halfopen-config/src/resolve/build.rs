//! Builds the core's configuration from a section whose layers are combined.

use halfopen_document::{Located, Origin, Period, Problem};
use std::time::Duration;

use halfopen::{CircuitBreakerConfig, CircuitBreakerConfigBuilder, ConfigProblem, TripKind};

use crate::document::{
    Abandoned, Adaptive, Backoff, BreakerSection, CircuitType, HalfOpen, Rule, RuleKind, Slow, Trip, Window,
};
use crate::resolve::settings::Origins;
use crate::resolve::{Subject, limits};

/// The default threshold of a failure rate.
const THRESHOLD: f64 = 0.5;

/// Returns the configuration, or [`None`] after it has reported the reason.
pub(super) fn build(
    section: &BreakerSection,
    subject: Subject<'_>,
    problems: &mut Vec<Problem>,
) -> Option<CircuitBreakerConfig> {
    let before = problems.len();
    let mut builder = CircuitBreakerConfig::builder();
    let is_adaptive = value(&section.circuit_type) == Some(CircuitType::Adaptive);
    if is_adaptive {
        builder = builder.adaptive(adaptive(&section.adaptive));
    } else {
        builder = fixed(section, subject, builder, problems);
    }
    if let Some(limit) = value(&section.open.hint_max) {
        builder = builder.hint_max(limit.0);
    }
    limits::errors(section, subject, problems);
    if let Some(policy) = value(&section.abandoned) {
        builder = builder.abandoned(match policy {
            Abandoned::Ignore => halfopen::Abandoned::Ignore,
            Abandoned::Failure => halfopen::Abandoned::Failure,
            Abandoned::FailureAfter(Period(age)) => halfopen::Abandoned::FailureAfter(age),
        });
    }
    if let Some(on) = value(&section.time_calls) {
        builder = builder.time_calls(on);
    }
    match builder.build() {
        // The core accepts a configuration from which a wrong value was skipped, but a document with an error has
        // no settings.
        Ok(config) if problems.len() == before => Some(config),
        Ok(_) => None,
        Err(error) => {
            let origins = Origins::of(section);
            problems.extend(error.problems().iter().map(|problem| of_the_core(problem, subject, &origins)));
            None
        }
    }
}

/// Adds the rules, the window and the waits, which an adaptive breaker does not have.
fn fixed(
    section: &BreakerSection,
    subject: Subject<'_>,
    builder: CircuitBreakerConfigBuilder,
    problems: &mut Vec<Problem>,
) -> CircuitBreakerConfigBuilder {
    let mut builder = trip(&section.trip, subject, builder, problems);
    if let Some(window) = window(&section.window, subject, problems) {
        builder = builder.window(window);
    }
    if let Some(wait) = value(&section.open.duration) {
        builder = builder.open_duration(wait.0);
    }
    builder.backoff(backoff(&section.open.backoff, problems)).half_open(half_open(&section.half_open))
}

fn adaptive(written: &Adaptive) -> halfopen::Adaptive {
    let mut adaptive = halfopen::Adaptive::new();
    if let Some(share) = value(&written.break_even) {
        adaptive = adaptive.break_even(share);
    }
    if let Some(slow) = value(&written.slow) {
        adaptive = adaptive.slow(match slow {
            Slow::Off => halfopen::Slow::off(),
            Slow::Learned(multiple) => halfopen::Slow::learned(multiple),
            Slow::Limit(limit) => halfopen::Slow::limit(limit.0),
        });
    }
    if let Some(gap) = value(&written.max_probe_gap) {
        adaptive = adaptive.max_probe_gap(gap.0);
    }
    if let Some(interval) = value(&written.false_trip_interval) {
        adaptive = adaptive.false_trip_interval(interval.0);
    }
    adaptive
}

fn value<T: Clone>(written: &Option<Located<T>>) -> Option<T> {
    written.as_ref().map(|written| written.value.clone())
}

/// Returns a problem that the core reports of a value, at the place where the value is written.
fn of_the_core(problem: &ConfigProblem, subject: Subject<'_>, origins: &Origins) -> Problem {
    let field = field_of(problem.field());
    // The core names a field of the builder; the document may have set it under another key, or not at all.
    let origin = origins.near(&field).or_else(|| origins.of_a_rule(&field, problem.value()));
    let path = origin.map_or_else(|| format!("{subject}.{field}"), |origin| origin.path().to_owned());
    // The core's message names a Rust variant, which in a document is a word.
    let range = problem.range().replace("`Abandoned::Failure`", "`failure`");
    let message = format!("`{path}` is {}, but must be {range}", problem.value());
    let told = Problem::error(path, message);
    told.at_origin(origin)
}

/// Returns the path in a document of the core's name of a field.
fn field_of(field: &str) -> String {
    match field {
        "window.last" => "window.last.duration".into(),
        "window.buckets" => "window.last.buckets".into(),
        "abandoned.failure_after" => "abandoned".into(),
        "hint_max" => "open.hint_max".into(),
        _ if field.starts_with("backoff.") => format!("open.{field}"),
        _ => field.to_owned(),
    }
}

fn trip(
    trip: &Trip,
    subject: Subject<'_>,
    builder: CircuitBreakerConfigBuilder,
    problems: &mut Vec<Problem>,
) -> CircuitBreakerConfigBuilder {
    // No rule written: the default ones stay. An empty list is different, it removes them.
    if trip.rules.is_empty() && !trip.alone {
        return match value(&trip.minimum_calls) {
            Some(minimum) => {
                default_rules(minimum).into_iter().fold(builder, CircuitBreakerConfigBuilder::trip)
            }
            None => builder,
        };
    }
    let rules = trip.rules.iter().filter(|rule| !rule.off);
    let rules: Vec<_> = rules.filter_map(|written| rule(written, trip, subject, problems)).collect();
    rules.into_iter().fold(builder.no_trip_rules(), CircuitBreakerConfigBuilder::trip)
}

/// Returns the default rules with another minimum.
fn default_rules(minimum: u32) -> Vec<halfopen::Trip> {
    let with_minimum = |rule: &halfopen::Trip| match rule.kind() {
        TripKind::FailureRate { .. } | TripKind::SlowCallRate { .. } => rule.minimum_calls(minimum),
        // A run and a count have no minimum. Kinds of a newer core are kept as they are.
        _ => *rule,
    };
    CircuitBreakerConfig::default().trip().iter().map(with_minimum).collect()
}

fn rule(
    rule: &Rule,
    trip: &Trip,
    subject: Subject<'_>,
    problems: &mut Vec<Problem>,
) -> Option<halfopen::Trip> {
    let failures = || value(&rule.failures);
    let built = match rule.kind {
        RuleKind::ConsecutiveFailures => failures().map(halfopen::Trip::consecutive_failures),
        RuleKind::FailureCount => failures().map(halfopen::Trip::failure_count),
        RuleKind::FailureRate => {
            Some(halfopen::Trip::failure_rate(value(&rule.threshold).unwrap_or(THRESHOLD)))
        }
        RuleKind::SlowCallRate => match (value(&rule.threshold), value(&rule.slow_after)) {
            (Some(threshold), Some(after)) => {
                let in_flight = value(&rule.in_flight).unwrap_or(false);
                Some(halfopen::Trip::slow_call_rate(threshold, after.0).in_flight(in_flight))
            }
            // A value that could not be read has been reported, and is not missing.
            _ if trip.unclear => None,
            (threshold, _) => {
                let missing = if threshold.is_none() { "threshold" } else { "slow_after" };
                problems.push(incomplete(rule, subject, missing));
                None
            }
        },
    };
    // The common minimum is for rates only; a run and a count have none.
    let minimum = rule.minimum_calls.as_ref().or(trip.minimum_calls.as_ref().filter(|_| rule.kind.is_rate()));
    built.map(|built| minimum.map_or(built, |minimum| built.minimum_calls(minimum.value)))
}

fn incomplete(rule: &Rule, subject: Subject<'_>, missing: &str) -> Problem {
    let path = format!("{subject}.trip.{}", rule.kind);
    let message = format!(
        "`{path}` has no `{missing}`, must say both from which share of slow calls on it opens and when a call is slow"
    );
    let problem = Problem::error(path, message).help("such as { threshold: 0.8, slow_after: 500ms }");
    problem.at_origin(rule.origin())
}

fn window(window: &Window, subject: Subject<'_>, problems: &mut Vec<Problem>) -> Option<halfopen::Window> {
    let named = [
        window.last_calls.as_ref().map(Located::origin),
        window.last.duration.as_ref().map(Located::origin),
        window.tumbling.as_ref().map(Located::origin),
        window.unbounded.as_ref().map(Located::origin),
    ];
    let named: Vec<_> = named.into_iter().flatten().collect();
    // Two kinds can only come from one layer, as each kind clears the others of lower layers.
    if let [first, origin, ..] = named.as_slice() {
        let path = format!("{subject}.window");
        let (first, second) = (key_of_window(first), key_of_window(origin));
        let message = format!("`{path}` is both `{first}` and `{second}`, but must be one of them");
        let problem = Problem::error(path, message);
        problems.push(problem.at_origin(*origin));
        return None;
    }
    if let Some(calls) = value(&window.last_calls) {
        return Some(halfopen::Window::last_calls(calls));
    }
    if let Some(interval) = value(&window.tumbling) {
        return Some(halfopen::Window::tumbling(interval.0));
    }
    if window.unbounded.is_some() {
        return Some(halfopen::Window::unbounded());
    }
    let buckets = value(&window.last.buckets);
    let duration = value(&window.last.duration).map(|period| period.0);
    if duration.is_none() && buckets.is_none() {
        return None;
    }
    let last = halfopen::Window::last(duration.unwrap_or(Duration::from_secs(10)));
    Some(buckets.map_or(last, |buckets| last.buckets(buckets)))
}

/// Returns the key of a window, or the flat key that stands for it.
fn key_of_window(origin: &Origin) -> &str {
    let path = origin.path();
    path.strip_suffix(".last.duration").map_or_else(|| origin.key(), |_| "last")
}

fn backoff(written: &Backoff, problems: &mut Vec<Problem>) -> halfopen::Backoff {
    if let (Some(multiplier), Some(_)) = (&written.multiplier, &written.delays) {
        let path = multiplier.origin().path();
        let message = format!("`{path}` stands beside `delays`: the waits grow, or they are listed");
        let problem = Problem::error(path, message).help("keep one of the two");
        problems.push(problem.at_origin(multiplier.origin()));
    }
    let mut backoff = match (&written.delays, value(&written.multiplier)) {
        (Some(delays), _) => halfopen::Backoff::delays(delays.value.iter().map(|delay| delay.value.0)),
        // Without growth a limit has no effect.
        (None, Some(1.0) | None) => halfopen::Backoff::none(),
        (None, Some(multiplier)) => halfopen::Backoff::exponential(multiplier),
    };
    if let Some(limit) = value(&written.max) {
        backoff = backoff.max(limit.0);
    }
    if let Some(period) = value(&written.forget_after) {
        backoff = backoff.forget_after(period.0);
    }
    backoff.jitter(value(&written.jitter).unwrap_or(0.2))
}

fn half_open(written: &HalfOpen) -> halfopen::HalfOpen {
    let mut half_open = halfopen::HalfOpen::new();
    if let Some(calls) = value(&written.max_calls) {
        half_open = half_open.max_calls(calls);
    }
    if let Some(successes) = value(&written.success_threshold) {
        half_open = half_open.success_threshold(successes);
    }
    if let Some(failures) = value(&written.max_failures) {
        half_open = half_open.max_failures(failures);
    }
    if let Some(threshold) = value(&written.failure_rate) {
        half_open = half_open.failure_rate(threshold);
    }
    if let Some(limit) = value(&written.probe_timeout) {
        half_open = half_open.probe_timeout(limit.0);
    }
    if let Some(length) = value(&written.ramp) {
        half_open = half_open.ramp(length.0);
    }
    half_open
}
