//! Between the model's words and the crate's.

use std::time::{Duration, SystemTime};

use fusebox::{CircuitBreakerConfig, RejectReason, Rejected, StateChange, TripReason};

use crate::reference::{
    Abandoned, Change, Counts, Ended, Growth, HalfOpen, Nanos, Reason, Rule, Settings, State, Totals,
    Verdict, Why, Window,
};

pub(crate) fn breaker_settings(settings: &Settings) -> CircuitBreakerConfig {
    let mut builder = CircuitBreakerConfig::builder()
        .window(window(settings.window))
        .open_duration(Duration::from_nanos(settings.open_duration))
        .backoff(backoff(settings))
        .hint_max(Duration::from_nanos(settings.hint_max))
        .half_open(half_open(settings.half_open))
        .abandoned(abandoned(settings.abandoned))
        .time_calls(settings.time_calls);
    if settings.rules.is_empty() {
        builder = builder.no_trip_rules();
    }
    for rule in &settings.rules {
        builder = builder.trip(trip(*rule));
    }
    builder.build().expect("the settings drawn are valid")
}

fn trip(rule: Rule) -> fusebox::Trip {
    let (trip, minimum) = match rule {
        Rule::Consecutive(n) => (fusebox::Trip::consecutive_failures(n), None),
        Rule::FailureCount(n) => (fusebox::Trip::failure_count(n), None),
        Rule::FailureRate { threshold, minimum } => (fusebox::Trip::failure_rate(threshold), minimum),
        Rule::SlowRate { threshold, slow_after, minimum } => {
            (fusebox::Trip::slow_call_rate(threshold, Duration::from_nanos(slow_after)), minimum)
        }
    };
    match minimum {
        Some(minimum) => trip.minimum_calls(minimum),
        None => trip,
    }
}

fn window(window: Window) -> fusebox::Window {
    match window {
        Window::LastCalls(size) => fusebox::Window::last_calls(size),
        Window::Last { bucket, buckets } => {
            fusebox::Window::last(Duration::from_nanos(bucket * u64::from(buckets))).buckets(buckets)
        }
        Window::Tumbling(interval) => fusebox::Window::tumbling(Duration::from_nanos(interval)),
        Window::Unbounded => fusebox::Window::unbounded(),
    }
}

fn backoff(settings: &Settings) -> fusebox::Backoff {
    let backoff = match &settings.growth {
        Growth::None => fusebox::Backoff::none(),
        Growth::Exponential(multiplier) => fusebox::Backoff::exponential(*multiplier),
        Growth::Delays(delays) => fusebox::Backoff::delays(delays.iter().copied().map(Duration::from_nanos)),
    };
    let backoff = match settings.longest {
        Some(longest) => backoff.max(Duration::from_nanos(longest)),
        None => backoff,
    };
    let backoff = if settings.jitter > 0.0 { backoff.jitter(settings.jitter) } else { backoff };
    match settings.forget_after {
        Some(period) => backoff.forget_after(Duration::from_nanos(period)),
        None => backoff,
    }
}

fn half_open(half_open: HalfOpen) -> fusebox::HalfOpen {
    let policy = fusebox::HalfOpen::new()
        .max_calls(half_open.max_calls)
        .probe_timeout(Duration::from_nanos(half_open.probe_timeout));
    match half_open.verdict {
        Verdict::Count { success_threshold, max_failures } => {
            policy.success_threshold(success_threshold).max_failures(max_failures)
        }
        Verdict::Rate(threshold) => policy.failure_rate(threshold),
    }
}

fn abandoned(abandoned: Abandoned) -> fusebox::Abandoned {
    match abandoned {
        Abandoned::Ignore => fusebox::Abandoned::Ignore,
        Abandoned::Failure => fusebox::Abandoned::Failure,
        Abandoned::FailureAfter(age) => fusebox::Abandoned::FailureAfter(Duration::from_nanos(age)),
    }
}

/// A rule that no other can express: it looks at both runs and at a remainder.
pub(crate) fn own_rule(counts: &fusebox::Counts) -> bool {
    own_rule_of_the_model(&self::counts(counts))
}

pub(crate) fn own_rule_of_the_model(counts: &Counts) -> bool {
    counts.calls % 4 == 3 && counts.consecutive_successes >= 2 && counts.failures >= 1
}

pub(crate) fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos().try_into().expect("histories are shorter than 584 years")
}

pub(crate) fn rejection(rejected: &Rejected) -> (Why, Option<Nanos>) {
    let why = match rejected.reason() {
        RejectReason::Open => Why::Open,
        RejectReason::HalfOpenSaturated => Why::HalfOpenSaturated,
        RejectReason::ForcedOpen => Why::ForcedOpen,
        _ => unreachable!("a reason the model does not know"),
    };
    (why, rejected.retry_after().map(nanos))
}

pub(crate) fn state(state: fusebox::State) -> State {
    match state {
        fusebox::State::Closed => State::Closed,
        fusebox::State::Open => State::Open,
        fusebox::State::HalfOpen => State::HalfOpen,
        fusebox::State::ForcedOpen => State::ForcedOpen,
        fusebox::State::Disabled => State::Disabled,
        fusebox::State::MetricsOnly => State::MetricsOnly,
    }
}

pub(crate) fn ended(ended: fusebox::Ended) -> Ended {
    match ended {
        fusebox::Ended::Success => Ended::Success,
        fusebox::Ended::Failure => Ended::Failure,
        fusebox::Ended::Ignored => Ended::Ignored,
        fusebox::Ended::Abandoned => Ended::Abandoned,
        fusebox::Ended::Late => Ended::Late,
    }
}

pub(crate) fn counts(counts: &fusebox::Counts) -> Counts {
    Counts {
        calls: counts.calls,
        failures: counts.failures,
        successes: counts.successes,
        slow: counts.slow,
        consecutive_failures: counts.consecutive_failures,
        consecutive_successes: counts.consecutive_successes,
    }
}

pub(crate) fn totals(totals: &fusebox::Totals) -> Totals {
    Totals {
        successes: totals.successes,
        failures: totals.failures,
        ignored: totals.ignored,
        abandoned: totals.abandoned,
        slow: totals.slow,
        late: totals.late,
        rejected: totals.rejected,
        would_trip: totals.would_trip,
        trips: totals.trips,
        panics: totals.panics,
        timed: totals.timed,
        response_time: nanos(totals.response_time),
    }
}

/// Reasons as a set, in the model's order; one told twice stays twice, so that it is seen.
pub(crate) fn reasons(reasons: &[TripReason]) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = reasons.iter().map(|told| reason(*told)).collect();
    reasons.sort();
    reasons
}

fn reason(reason: TripReason) -> Reason {
    match reason {
        TripReason::ConsecutiveFailures => Reason::ConsecutiveFailures,
        TripReason::FailureCount => Reason::FailureCount,
        TripReason::FailureRate => Reason::FailureRate,
        TripReason::SlowCallRate => Reason::SlowCallRate,
        TripReason::Custom => Reason::Custom,
        TripReason::ProbeFailed => Reason::ProbeFailed,
        TripReason::ProbeTimedOut => Reason::ProbeTimedOut,
        TripReason::Manual => Reason::Manual,
        _ => unreachable!("a reason the model does not know"),
    }
}

/// `started` is when the clock of the history began.
pub(crate) fn change(change: &StateChange, started: SystemTime) -> Change {
    Change {
        from: state(change.from),
        to: state(change.to),
        reasons: reasons(&change.reasons),
        counts: counts(&change.counts),
        at: nanos(change.at.duration_since(started).expect("nothing happens before the clock began")),
    }
}
