//! A breaker in one line.

use std::fmt;

use crate::observe::Snapshot;
use crate::text::{HumanDuration, Percent, Printable};
use crate::word::State;

impl fmt::Display for Snapshot {
    /// Formats the snapshot in one line, such as `payments: open for 500ms, retry in 1.5s, 10 of 16 calls failed
    /// (62.5%), 7 rejected`.
    ///
    /// Control and bidirectional characters in the name are replaced, and a long name is cut. The wording may
    /// change; programs should read the fields instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} for {}", Printable::new(&self.name), self.state, HumanDuration(self.in_state_for))?;
        match self.state {
            State::Open => {
                write!(f, ", retry in {}", HumanDuration(self.retry_after.unwrap_or_default()))?;
                self.write_counts(f, "call", "no calls")?;
            }
            State::Closed | State::MetricsOnly => self.write_counts(f, "call", "no calls")?,
            State::HalfOpen if self.share > 0.0 => {
                write!(f, ", {}% of the calls pass", Percent(self.share * 100.0))?;
                self.write_counts(f, "call", "no call has reported")?;
            }
            State::HalfOpen => self.write_counts(f, "probe", "no probe has reported")?,
            State::ForcedOpen | State::Disabled => {}
        }
        match self.rejected {
            0 => Ok(()),
            rejected => write!(f, ", {rejected} rejected"),
        }
    }
}

impl Snapshot {
    fn write_counts(&self, f: &mut fmt::Formatter<'_>, what: &str, none: &str) -> fmt::Result {
        let counts = &self.counts;
        let (calls, plural) = (counts.calls, if counts.calls == 1 { "" } else { "s" });
        let Some(rate) = counts.failure_rate() else { return write!(f, ", {none}") };
        write!(f, ", {} of {calls} {what}{plural} failed ({}%)", counts.failures, Percent(rate * 100.0))?;
        match counts.slow {
            0 => {}
            slow => write!(f, ", {slow} slow")?,
        }
        match counts.overdue {
            0 => Ok(()),
            overdue => write!(f, ", {overdue} overdue"),
        }
    }
}
