use crate::config::{Rule, reached};
use crate::counts::Counts;
use crate::reason::{Cause, Reasons, TripReason};

/// A custom rule of the user.
pub(crate) type CustomRule = Box<dyn Fn(&Counts) -> bool + Send + Sync>;

/// Returns every rule that holds for these counts with the numbers of the first, or [`None`] if no rule holds.
pub(crate) fn fired(rules: impl IntoIterator<Item = Rule>, counts: &Counts) -> Option<Cause> {
    let mut cause = Cause::default();
    // All rules, not only the first that holds: a cause names each of them, whatever their order in the
    // configuration.
    for rule in rules {
        if let Some((reason, part, threshold)) = holds(rule, counts) {
            let overdue = if reason == TripReason::SlowCallRate { counts.overdue } else { 0 };
            cause = merge(cause, reason, part, threshold, counts.calls.saturating_add(overdue));
        }
    }
    (!cause.reasons.is_empty()).then_some(cause)
}

/// Returns the cause if the slow-call rule counts calls in flight and holds for these counts. No other rule can start to
/// hold without an outcome (S32).
pub(crate) fn fired_in_flight(rules: impl IntoIterator<Item = Rule>, counts: &Counts) -> Option<Cause> {
    let rule = rules.into_iter().find(|rule| match rule {
        Rule::SlowCallRate { in_flight, .. } => *in_flight,
        Rule::ConsecutiveFailures(_) | Rule::FailureCount(_) | Rule::FailureRate { .. } => false,
    });
    fired([rule?], counts)
}

/// Returns whether a rate rule would hold for these counts, regardless of its `minimum_calls`.
pub(crate) fn reaches_a_rate(rules: impl IntoIterator<Item = Rule>, counts: &Counts) -> bool {
    rules.into_iter().any(|rule| match rule {
        Rule::FailureRate { threshold_ppb, .. } => {
            // Without a failure the rate is zero, but `reached` takes zero of zero calls for any rate.
            counts.failures > 0 && reached(counts.failures, counts.calls, threshold_ppb)
        }
        // Called by the window, which does not count calls in flight; they are evaluated separately.
        Rule::SlowCallRate { threshold_ppb, .. } => {
            counts.slow > 0 && reached(counts.slow, counts.calls, threshold_ppb)
        }
        Rule::ConsecutiveFailures(_) | Rule::FailureCount(_) => false,
    })
}

/// Adds a reason. The numbers of the cause are those of the reason that comes first in the fixed order.
fn merge(cause: Cause, reason: TripReason, part: u64, threshold: u32, calls: u64) -> Cause {
    // The order of the rules in a configuration must not change an explanation, so the numbers follow the fixed
    // order of the reasons.
    let first = cause.reasons.iter().next();
    let reasons = cause.reasons.with(reason);
    // The discriminants of `TripReason` are in the fixed order.
    if first.is_some_and(|first| first as u8 <= reason as u8) {
        return Cause { reasons, ..cause };
    }
    Cause { reasons, threshold, part: narrow(part), calls: narrow(calls) }
}

/// Adds the user's custom rule to a cause.
pub(crate) fn with_custom(cause: Option<Cause>, counts: &Counts) -> Cause {
    merge(cause.unwrap_or_default(), TripReason::Custom, counts.failures, 0, counts.calls)
}

/// Saturates at `u32::MAX`, because the numbers are used only for messages.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn holds(rule: Rule, counts: &Counts) -> Option<(TripReason, u64, u32)> {
    match rule {
        Rule::ConsecutiveFailures(limit) => {
            at_least(counts.consecutive_failures, limit, TripReason::ConsecutiveFailures)
        }
        Rule::FailureCount(limit) => at_least(counts.failures, limit, TripReason::FailureCount),
        Rule::FailureRate { threshold_ppb, minimum_calls } => {
            rate(counts.failures, counts.calls, threshold_ppb, minimum_calls, TripReason::FailureRate)
        }
        Rule::SlowCallRate { threshold_ppb, minimum_calls, .. } => {
            // A call in flight has no outcome yet, but it is slow already, and it belongs to the calls of which it
            // is a part.
            let (slow, calls) = (counts.slow + counts.overdue, counts.calls + counts.overdue);
            rate(slow, calls, threshold_ppb, minimum_calls, TripReason::SlowCallRate)
        }
    }
}

fn at_least(part: u64, limit: u32, reason: TripReason) -> Option<(TripReason, u64, u32)> {
    // u32::MAX means never, also for a run that has grown beyond it.
    (limit != u32::MAX && part >= u64::from(limit)).then_some((reason, part, limit))
}

fn rate(part: u64, calls: u64, ppb: u32, minimum: u32, reason: TripReason) -> Option<(TripReason, u64, u32)> {
    // Zero of zero calls would reach any rate.
    let enough = minimum != u32::MAX && calls > 0 && calls >= u64::from(minimum);
    (enough && reached(part, calls, ppb)).then_some((reason, part, ppb))
}

/// Returns the cause of an opening by a control, which has no numbers.
pub(crate) fn manual() -> Cause {
    Cause { reasons: Reasons::one(TripReason::Manual), ..Cause::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(calls: u64, failures: u64, slow: u64, run: u64) -> Counts {
        Counts {
            calls,
            failures,
            successes: calls - failures,
            slow,
            consecutive_failures: run,
            ..Counts::default()
        }
    }

    const RATE: Rule = Rule::FailureRate { threshold_ppb: 500_000_000, minimum_calls: 4 };

    #[test]
    fn a_rate_fires_at_its_threshold() {
        assert!(fired([RATE], &counts(4, 2, 0, 0)).is_some());
        assert!(fired([RATE], &counts(5, 2, 0, 0)).is_none());
        assert!(fired([RATE], &counts(3, 3, 0, 3)).is_none());
    }

    #[test]
    fn every_rule_is_named_with_the_first_ones_numbers() {
        let rules = [RATE, Rule::ConsecutiveFailures(3), Rule::FailureCount(9)];
        let cause = fired(rules, &counts(4, 3, 0, 3)).unwrap();
        let reasons: Vec<_> = cause.reasons.iter().collect();
        assert_eq!(reasons, [TripReason::ConsecutiveFailures, TripReason::FailureRate]);
        assert_eq!((cause.part, cause.threshold), (3, 3));
    }

    #[test]
    fn a_limit_of_u32_max_never_fires() {
        let rules = [Rule::ConsecutiveFailures(u32::MAX), Rule::FailureCount(u32::MAX)];
        assert!(fired(rules, &counts(1 << 40, 1 << 40, 0, 1 << 40)).is_none());
    }

    #[test]
    fn a_custom_rule_comes_after_the_built_in_ones() {
        let both = with_custom(fired([RATE], &counts(4, 4, 0, 4)), &counts(4, 4, 0, 4));
        assert_eq!(both.reasons.iter().collect::<Vec<_>>(), [TripReason::FailureRate, TripReason::Custom]);
        assert_eq!(both.threshold, 500_000_000);
        let alone = with_custom(None, &counts(4, 1, 0, 0));
        assert_eq!((alone.part, alone.calls), (1, 4));
    }
}

#[cfg(test)]
mod edges;
