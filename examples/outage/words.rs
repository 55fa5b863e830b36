use std::time::Duration;

use halfopen::{Counts, State, StateChange, TripReason};

use crate::protection::Transition;

/// One line of at most 69 characters: `closed -> open: 62 % failed of 26 calls; probes in 1.1 s`.
pub(crate) fn transition(transition: &Transition) -> String {
    let change = &transition.change;
    let wait = transition.wait.map_or_else(String::new, |wait| format!("; probes in {}", seconds(wait)));
    format!("{} -> {}: {}{wait}", state(change.from), state(change.to), why(change))
}

/// The reason of the state change.
pub(crate) fn why(change: &StateChange) -> String {
    match change.to {
        State::HalfOpen => "the wait is over, a few probes may pass".to_owned(),
        State::Closed => "the probes were answered, all calls may pass".to_owned(),
        _ => reasons(&change.reasons, &change.counts),
    }
}

pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::HalfOpen => "half-open",
        State::ForcedOpen => "forced open",
        State::MetricsOnly => "metrics only",
        other => other.as_str(),
    }
}

fn reasons(reasons: &[TripReason], counts: &Counts) -> String {
    let words: Vec<String> = reasons.iter().map(|reason| self::reason(*reason, counts)).collect();
    let is_rate = |reason: &TripReason| matches!(reason, TripReason::FailureRate | TripReason::SlowCallRate);
    let of_calls =
        if reasons.iter().any(is_rate) { format!(" of {} calls", counts.calls) } else { String::new() };
    words.join(", ") + &of_calls
}

fn reason(reason: TripReason, counts: &Counts) -> String {
    match reason {
        TripReason::FailureRate => format!("{} failed", percent(counts.failure_rate())),
        TripReason::SlowCallRate => format!("{} slow", percent(counts.slow_call_rate())),
        TripReason::ConsecutiveFailures => format!("{} failures in a row", counts.consecutive_failures),
        TripReason::FailureCount => format!("{} failures", counts.failures),
        TripReason::Custom => "a custom rule".to_owned(),
        TripReason::ProbeFailed if counts.failures == 0 => "a probe was too slow".to_owned(),
        TripReason::ProbeFailed => "a probe failed".to_owned(),
        TripReason::ProbeTimedOut => "a probe timed out".to_owned(),
        TripReason::Manual => "by an operator".to_owned(),
        TripReason::Fleet => "by its fleet".to_owned(),
        TripReason::Evidence => "a call was not worth making, by all that was seen".to_owned(),
        TripReason::Throttled => "the server limits its callers".to_owned(),
        // A later version of the crate may add variants.
        other => format!("{other:?}"),
    }
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// `00:07.4`
pub(crate) fn moment(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    format!("{:02}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "unknown".to_owned(), |rate| format!("{:.0} %", rate * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_on_a_stopwatch() {
        assert_eq!(moment(Duration::from_millis(67_890)), "01:07.8");
    }

    #[test]
    fn an_opening_says_why_and_for_how_long() {
        let mut change = StateChange::default();
        change.to = State::Open;
        change.reasons = vec![TripReason::FailureRate, TripReason::SlowCallRate];
        (change.counts.calls, change.counts.failures, change.counts.slow) = (40, 20, 30);
        let opening = Transition { at: Duration::ZERO, change, wait: Some(Duration::from_millis(1_250)) };

        assert_eq!(
            transition(&opening),
            "closed -> open: 50 % failed, 75 % slow of 40 calls; probes in 1.2 s"
        );
    }
}
