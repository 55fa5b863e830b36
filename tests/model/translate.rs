//! Conversions between the types of the model and of the crate.

use std::time::{Duration, SystemTime};

use halfopen::{CircuitBreakerConfig, RejectReason, Rejected, StateChange, TripReason};

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

fn trip(rule: Rule) -> halfopen::Trip {
    let (trip, minimum) = match rule {
        Rule::Consecutive(n) => (halfopen::Trip::consecutive_failures(n), None),
        Rule::FailureCount(n) => (halfopen::Trip::failure_count(n), None),
        Rule::FailureRate { threshold, minimum } => (halfopen::Trip::failure_rate(threshold), minimum),
        Rule::SlowRate { threshold, slow_after, minimum, in_flight } => {
            let slow = halfopen::Trip::slow_call_rate(threshold, Duration::from_nanos(slow_after));
            (slow.in_flight(in_flight), minimum)
        }
    };
    match minimum {
        Some(minimum) => trip.minimum_calls(minimum),
        None => trip,
    }
}

fn window(window: Window) -> halfopen::Window {
    match window {
        Window::LastCalls(size) => halfopen::Window::last_calls(size),
        Window::Last { bucket, buckets } => {
            halfopen::Window::last(Duration::from_nanos(bucket * u64::from(buckets))).buckets(buckets)
        }
        Window::Tumbling(interval) => halfopen::Window::tumbling(Duration::from_nanos(interval)),
        Window::Unbounded => halfopen::Window::unbounded(),
    }
}

fn backoff(settings: &Settings) -> halfopen::Backoff {
    let backoff = match &settings.growth {
        Growth::None => halfopen::Backoff::none(),
        Growth::Exponential(multiplier) => halfopen::Backoff::exponential(*multiplier),
        Growth::Delays(delays) => halfopen::Backoff::delays(delays.iter().copied().map(Duration::from_nanos)),
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

fn half_open(half_open: HalfOpen) -> halfopen::HalfOpen {
    let policy = halfopen::HalfOpen::new()
        .max_calls(half_open.max_calls)
        .probe_timeout(Duration::from_nanos(half_open.probe_timeout))
        .ramp(Duration::from_nanos(half_open.ramp));
    match half_open.verdict {
        Verdict::Count { success_threshold, max_failures } => {
            policy.success_threshold(success_threshold).max_failures(max_failures)
        }
        Verdict::Rate(threshold) => policy.failure_rate(threshold),
    }
}

fn abandoned(abandoned: Abandoned) -> halfopen::Abandoned {
    match abandoned {
        Abandoned::Ignore => halfopen::Abandoned::Ignore,
        Abandoned::Failure => halfopen::Abandoned::Failure,
        Abandoned::FailureAfter(age) => halfopen::Abandoned::FailureAfter(Duration::from_nanos(age)),
    }
}

/// A rule that no other can express: it depends on both runs and on a remainder.
pub(crate) fn own_rule(counts: &halfopen::Counts) -> bool {
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
        RejectReason::HalfOpenRamp => Why::HalfOpenRamp,
        RejectReason::ForcedOpen => Why::ForcedOpen,
        _ => unreachable!("a reason the model does not know"),
    };
    (why, rejected.retry_after().map(nanos))
}

pub(crate) fn state(state: halfopen::State) -> State {
    match state {
        halfopen::State::Closed => State::Closed,
        halfopen::State::Open => State::Open,
        halfopen::State::HalfOpen => State::HalfOpen,
        halfopen::State::ForcedOpen => State::ForcedOpen,
        halfopen::State::Disabled => State::Disabled,
        halfopen::State::MetricsOnly => State::MetricsOnly,
        other => panic!("the model has no {other}"),
    }
}

pub(crate) fn ended(ended: halfopen::Ended) -> Ended {
    match ended {
        halfopen::Ended::Success => Ended::Success,
        halfopen::Ended::Failure => Ended::Failure,
        halfopen::Ended::Ignored => Ended::Ignored,
        halfopen::Ended::Abandoned => Ended::Abandoned,
        halfopen::Ended::Late => Ended::Late,
        other => panic!("the model has no {other:?}"),
    }
}

pub(crate) fn counts(counts: &halfopen::Counts) -> Counts {
    Counts {
        calls: counts.calls,
        failures: counts.failures,
        successes: counts.successes,
        slow: counts.slow,
        overdue: counts.overdue,
        consecutive_failures: counts.consecutive_failures,
        consecutive_successes: counts.consecutive_successes,
    }
}

pub(crate) fn totals(totals: &halfopen::Totals) -> Totals {
    Totals {
        successes: totals.successes,
        failures: totals.failures,
        ignored: totals.ignored,
        abandoned: totals.abandoned,
        slow: totals.slow,
        throttled: totals.throttled,
        late: totals.late,
        rejected: totals.rejected,
        would_trip: totals.would_trip,
        trips: totals.trips,
        panics: totals.panics,
        timed: totals.timed,
        response_time: nanos(totals.response_time),
    }
}

/// The reasons as a set, in the model's order; a duplicate is kept, so that the comparison detects it.
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

/// `started` is when the clock of the history started.
pub(crate) fn change(change: &StateChange, started: SystemTime) -> Change {
    Change {
        from: state(change.from),
        to: state(change.to),
        reasons: reasons(&change.reasons),
        counts: counts(&change.counts),
        at: nanos(change.at.duration_since(started).expect("nothing happens before the clock began")),
    }
}
