//! Numbers and reasons in words.

use std::fmt;
use std::time::Duration;

use crate::config::Form;
use crate::counts::Counts;
use crate::reason::TripReason;
use crate::text::{HumanDuration, Percent};

/// A number with its noun: "1 call", "2 calls".
pub(super) struct Many<N>(pub(super) N, pub(super) &'static str, pub(super) &'static str);

impl<N: Into<u64> + Copy> fmt::Display for Many<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.into();
        write!(f, "{number} {}", if number == 1 { self.1 } else { self.2 })
    }
}

/// A number of times: "never", "once", "3 times".
pub(super) struct Times(pub(super) u64);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("never"),
            1 => f.write_str("once"),
            n => write!(f, "{n} times"),
        }
    }
}

/// An ordinal number: "2nd", "11th".
pub(super) struct Nth(pub(super) u64);

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.0 % 100, self.0 % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        write!(f, "{}{ending}", self.0)
    }
}

/// Formats a threshold: "50%".
pub(super) fn percent(parts_per_billion: u32) -> String {
    format!("{}%", Percent(f64::from(parts_per_billion) / 1e7))
}

/// The time since an event: "just now", "4.2s ago".
pub(super) struct Ago(pub(super) Duration);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_millis(1) {
            return f.write_str("just now");
        }
        write!(f, "{} ago", HumanDuration(self.0))
    }
}

/// The contents of a window: "Of 26 calls in the last 10s", "No call was recorded in the last 10s".
pub(super) struct Sample {
    pub(super) form: Form,
    pub(super) calls: u64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = Many(self.calls, "call", "calls");
        match (self.form, self.calls) {
            (Form::LastCalls(_) | Form::Unbounded, 0) => f.write_str("No call was recorded yet"),
            (Form::LastCalls(_), 1) => f.write_str("Of the last call"),
            (Form::LastCalls(_), _) => write!(f, "Of the last {calls}"),
            (Form::Unbounded, _) => write!(f, "Of {calls} since it closed"),
            (Form::Time { .. } | Form::Tumbling { .. }, 0) => {
                write!(f, "No call was recorded in {}", Span(self.form))
            }
            (Form::Time { .. } | Form::Tumbling { .. }, _) => write!(f, "Of {calls} in {}", Span(self.form)),
        }
    }
}

/// The time that a window covers.
struct Span(Form);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Time { nanos, .. } => write!(f, "the last {}", HumanDuration(Duration::from_nanos(nanos))),
            Form::Tumbling { nanos } => {
                write!(f, "the current interval of {}", HumanDuration(Duration::from_nanos(nanos)))
            }
            Form::LastCalls(_) | Form::Unbounded => f.write_str("its window"),
        }
    }
}

/// The current rate, or the number of calls that are missing for one.
pub(super) struct Rate {
    pub(super) part: u64,
    pub(super) calls: u64,
    pub(super) minimum_calls: u32,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Rate { part, calls, minimum_calls } = self;
        if calls < u64::from(minimum_calls) {
            let needed = Many(minimum_calls, "call", "calls");
            return write!(f, "(so far {calls} of the {needed} it needs)");
        }
        write!(f, "(now {}%)", Percent(part as f64 * 100.0 / calls.max(1) as f64))
    }
}

/// The reasons of an opening: "because 62% of 26 calls failed (the limit is 50%)".
pub(super) struct Why<'a> {
    pub(super) reasons: &'a [TripReason],
    pub(super) counts: &'a Counts,
    /// The limit of the first reason, if it is known.
    pub(super) limit: Option<u32>,
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "because ";
        for (place, &reason) in self.reasons.iter().enumerate() {
            f.write_str(before)?;
            self.reason(f, reason)?;
            if let (0, Some(limit)) = (place, self.limit) {
                write_limit(f, reason, limit)?;
            }
            before = ", and because ";
        }
        Ok(())
    }
}

impl Why<'_> {
    fn reason(&self, f: &mut fmt::Formatter<'_>, reason: TripReason) -> fmt::Result {
        let Counts { calls, failures, slow, consecutive_failures, .. } = *self.counts;
        match reason {
            TripReason::ConsecutiveFailures => {
                write!(f, "{} in a row failed", Many(consecutive_failures, "call", "calls"))
            }
            TripReason::FailureCount => write!(f, "{} in the window failed", Many(failures, "call", "calls")),
            TripReason::FailureRate => {
                write!(f, "{} failed", Share(self.counts.failure_rate(), calls))
            }
            TripReason::SlowCallRate => {
                let calls = calls + self.counts.overdue;
                write!(
                    f,
                    "{} {} slow",
                    Share(self.counts.slow_call_rate(), calls),
                    if calls == 1 { "was" } else { "were" }
                )?;
                match self.counts.overdue {
                    0 => Ok(()),
                    overdue => write!(f, ", {overdue} of them still in flight"),
                }
            }
            TripReason::Custom => {
                let calls = Many(calls, "call", "calls");
                write!(f, "its own rule (`ready_to_trip`) returned true, with {failures} of {calls} failed")
            }
            TripReason::ProbeFailed if failures == 0 && slow > 0 => f.write_str("a probe was slow"),
            TripReason::ProbeFailed if failures == 1 => f.write_str("a probe failed"),
            TripReason::ProbeFailed => {
                write!(f, "{failures} of {} failed", Many(calls, "probe", "probes"))
            }
            TripReason::ProbeTimedOut => f.write_str("a probe did not report in time"),
            TripReason::Manual => f.write_str("it was opened by hand"),
            TripReason::Evidence => f.write_str("by all that was seen a call was not worth making"),
            TripReason::Throttled => f.write_str("the dependency throttles its callers"),
            TripReason::Fleet => f.write_str("its fleet, the breakers of all processes, opened it"),
        }
    }
}

fn write_limit(f: &mut fmt::Formatter<'_>, reason: TripReason, limit: u32) -> fmt::Result {
    match reason {
        TripReason::ConsecutiveFailures | TripReason::FailureCount => write!(f, " (the limit is {limit})"),
        TripReason::FailureRate => write!(f, " (the limit is {})", percent(limit)),
        TripReason::SlowCallRate => write!(f, " (the limit is {})", percent(limit)),
        TripReason::Evidence => write!(f, " (more than {} were believed to fail)", percent(limit)),
        TripReason::Custom
        | TripReason::ProbeFailed
        | TripReason::ProbeTimedOut
        | TripReason::Manual
        | TripReason::Throttled
        | TripReason::Fleet => Ok(()),
    }
}

/// A share of calls: "62% of 26 calls".
struct Share(Option<f64>, u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = Percent(self.0.unwrap_or_default() * 100.0);
        write!(f, "{share}% of {}", Many(self.1, "call", "calls"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_words() {
        assert_eq!(Many(1_u64, "call", "calls").to_string(), "1 call");
        assert_eq!(Many(0_u64, "call", "calls").to_string(), "0 calls");
        assert_eq!([0, 1, 3].map(|n| Times(n).to_string()), ["never", "once", "3 times"]);
        let nth = [1, 2, 3, 4, 11, 12, 13, 21, 111].map(|n| Nth(n).to_string());
        assert_eq!(nth, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th"]);
    }
}
