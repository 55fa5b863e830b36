//! The errors and the warnings about the limits of a section.

use std::time::Duration;

use halfopen::{HalfOpenKind, format_duration};
use halfopen_document::{Group, Origin, Problem};

use crate::document::{BreakerSection, Document, RateLimit};
use crate::resolve::Subject;
use crate::resolve::settings::Settings;

/// Reports limits that cannot be.
pub(super) fn errors(section: &BreakerSection, subject: Subject<'_>, problems: &mut Vec<Problem>) {
    problems.extend(of_rate(&section.rate_limit, || format!("{subject}.rate_limit")));
    #[cfg(feature = "limit")]
    if let Some(Err(error)) = crate::live::bulkhead(&section.bulkhead_config) {
        let origin = section.bulkhead_config.max_concurrent_calls.as_ref().map(|calls| calls.origin());
        problems.extend(out_of_range(&error, &format!("{subject}.bulkhead_config"), origin));
    }
}

/// Reports routes that no router takes, and their limits that cannot be.
pub(crate) fn routes(document: &Document) -> Vec<Problem> {
    let rates = document
        .routes
        .iter()
        .flat_map(|(path, route)| of_rate(&route.rate_limit, || format!("routes.{path}.rate_limit")));
    #[allow(unused_mut, reason = "for the feature")]
    let mut problems: Vec<_> = rates.collect();
    #[cfg(feature = "limit")]
    problems.extend(document.routes.iter().filter_map(|(path, route)| {
        let error = matchit::Router::new().insert(path.as_str(), ()).err()?;
        let message = format!("`routes.{path}` is not a path of a router: {error}");
        let problem = Problem::error(format!("routes.{path}"), message)
            .help("a parameter is `{name}`, the rest of a path `{*rest}`");
        Some(problem.at_origin(route.breaker.as_ref().map(|breaker| breaker.origin())))
    }));
    problems
}

fn of_rate(rate: &RateLimit, path: impl FnOnce() -> String) -> Vec<Problem> {
    if rate.is_empty() {
        return Vec::new();
    }
    let path = &path();
    // First, because a quota cannot be built from a half, and its own error would not name the missing key.
    if let Some(incomplete) = incomplete(rate, path) {
        return vec![incomplete];
    }
    #[cfg(feature = "limit")]
    if let Some(Err(error)) = crate::live::quota(rate) {
        return out_of_range(&error, path, rate.calls.as_ref().map(|calls| calls.origin()));
    }
    Vec::new()
}

/// The problems of numbers that are each valid and do not go together.
#[cfg(feature = "limit")]
fn out_of_range(error: &halfopen::ConfigError, path: &str, origin: Option<&Origin>) -> Vec<Problem> {
    let problems = error.problems().iter().map(|problem| {
        let path = format!("{path}.{}", problem.field());
        let message = format!("`{path}` is {}, but must be {}", problem.value(), problem.range());
        let problem = Problem::error(path, message);
        problem.at_origin(origin)
    });
    problems.collect()
}

/// Returns the problem of a rate limit at this path that lacks one of its two numbers.
fn incomplete(rate: &RateLimit, path: &str) -> Option<Problem> {
    let missing = match (&rate.calls, &rate.per) {
        (Some(_), Some(_)) => return None,
        (None, _) => "calls",
        (Some(_), None) => "per",
    };
    let message = format!("`{path}` has no `{missing}`, must have both `calls` and `per`");
    let problem = Problem::error(path, message).help("such as { calls: 100, per: 60s }");
    let origins =
        [rate.calls.as_ref().map(|calls| calls.origin()), rate.per.as_ref().map(|per| per.origin())];
    let others =
        [rate.burst.as_ref().map(|burst| burst.origin()), rate.max_wait.as_ref().map(|wait| wait.origin())];
    let origin: Option<&Origin> = origins.into_iter().chain(others).flatten().next();
    Some(problem.at_origin(origin))
}

/// Warns of limits that contradict the breaker or have no effect.
pub(super) fn doubts(settings: &Settings) -> Vec<Problem> {
    let section = &settings.section;
    let bulkhead = &section.bulkhead_config;
    let mut doubts = Vec::new();
    let waits = [
        bulkhead.queue_timeout.as_ref().map(|wait| (wait, "slot")),
        section.rate_limit.max_wait.as_ref().map(|wait| (wait, "turn")),
    ];
    for (wait, what) in waits.into_iter().flatten() {
        let timeout = section.call_timeout.as_ref().map(|timeout| timeout.value.0);
        if let Some(timeout) = timeout.filter(|timeout| wait.value.0 > *timeout) {
            let timeout = format_duration(timeout);
            doubts.push(warn(wait.origin(), |path| {
                format!(
                    "`{path}` is {}, above the `call_timeout` of {timeout}: a caller that waits no longer than a call takes is gone before its {what} comes",
                    wait.value
                )
            }));
        }
    }
    if let Some(slots) = &bulkhead.max_concurrent_calls {
        let probes = probes(settings);
        if slots.value < probes {
            doubts.push(warn(slots.origin(), |path| {
                format!(
                    "`{path}` is {}, below the {probes} probes of `half_open.max_calls`: not all of them can be in flight",
                    slots.value
                )
            }));
        }
    }
    // Both ways of having no queue, of which the other value is then idle.
    let no_wait = bulkhead.queue_timeout.as_ref().is_some_and(|wait| wait.value.0 == Duration::ZERO);
    if let Some(waiting) = bulkhead.max_waiting_calls.as_ref().filter(|waiting| waiting.value > 0 && no_wait)
    {
        doubts.push(warn(waiting.origin(), |path| {
            format!("`{path}` has no effect: the `queue_timeout` is 0s, so no call waits")
        }));
    }
    let no_queue = bulkhead.max_waiting_calls.as_ref().is_some_and(|waiting| waiting.value == 0);
    if let Some(wait) = bulkhead.queue_timeout.as_ref().filter(|wait| no_queue && !wait.value.0.is_zero()) {
        doubts.push(warn(wait.origin(), |path| {
            format!("`{path}` has no effect: `max_waiting_calls` is 0, so no call waits")
        }));
    }
    doubts
}

fn probes(settings: &Settings) -> u32 {
    match settings.config.half_open().kind() {
        HalfOpenKind::Counts { max_calls, .. } | HalfOpenKind::Rate { max_calls, .. } => max_calls,
        // A kind of a newer core.
        _ => 0,
    }
}

fn warn(origin: &Origin, says: impl FnOnce(&str) -> String) -> Problem {
    let path = origin.path();
    Problem::warning(path, says(path)).at_origin(origin)
}
