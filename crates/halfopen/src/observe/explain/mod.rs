//! Explanations of a breaker's state, in words.

use std::fmt::{self, Write as _};
use std::time::Duration;

mod phrases;

use phrases::{Ago, Many, Nth, Rate, Sample, Times, Why, percent};

use crate::breaker::CircuitBreaker;
use crate::config::{Abandoned, CircuitBreakerConfig, Rule};
use crate::counts::{Counts, parts_per_billion};
use crate::observe::{Probes, Snapshot};
use crate::state;
use crate::text::{HumanDuration, Printable};
use crate::word::State;

impl CircuitBreaker {
    /// Explains the state of the breaker in one paragraph: the state and its cause, the numbers beside their
    /// limits, and the next change.
    ///
    /// The wording is for people and may change; programs should read [`snapshot`](Self::snapshot) instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.force_open();
    /// assert_eq!(
    ///     breaker.explain(),
    ///     "Circuit breaker `payments` is forced open by an operator: every call is rejected (0 so \
    ///      far). It stays so until `reset()` or `force_closed()` is called."
    /// );
    /// ```
    pub fn explain(&self) -> String {
        self.snapshot().explain(&self.config())
    }
}

impl Snapshot {
    /// Returns the paragraph of [`CircuitBreaker::explain`] for this snapshot of a breaker with `config`.
    ///
    /// The result depends only on the two arguments, so an older snapshot is explained as of its own moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    /// use std::time::Duration;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.open_for(Duration::from_secs(30));
    /// let (snapshot, config) = (breaker.snapshot(), breaker.config());
    ///
    /// breaker.reset();
    /// assert!(snapshot.explain(&config).starts_with("Circuit breaker `payments` is open: "));
    /// ```
    pub fn explain(&self, config: &CircuitBreakerConfig) -> String {
        Explanation { snapshot: self, config }.to_string()
    }
}

/// A snapshot with the configuration of its breaker.
struct Explanation<'a> {
    snapshot: &'a Snapshot,
    config: &'a CircuitBreakerConfig,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Circuit breaker `{}` is ", Printable::new(&self.snapshot.name))?;
        match self.snapshot.state {
            State::Closed => self.closed(f),
            State::Open => self.open(f),
            State::HalfOpen => self.half_open(f),
            State::ForcedOpen => self.forced_open(f),
            State::Disabled => self.disabled(f),
            State::MetricsOnly => self.metrics_only(f),
        }?;
        self.uncounted(f)?;
        self.snapshot.shadows.iter().try_for_each(|shadow| write!(f, " Shadow {shadow}."))
    }
}

/// The end of an override.
const UNTIL_RESET: &str = "It stays so until `reset()` or `force_closed()` is called.";

/// One function for each state.
impl Explanation<'_> {
    fn closed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot { open_duration, reopenings, totals, last_trip, .. } = self.snapshot;
        f.write_str("closed: every call passes. ")?;
        self.recorded(f)?;
        self.limits(f)?;
        if self.can_open() {
            f.write_str(" It would then reject every call for ")?;
            // The function decides when the breaker opens: here nothing is known of that moment.
            match self.config.custom_backoff() {
                Some(_) => f.write_str("the time that its backoff function returns"),
                None => write!(f, "{}", HumanDuration(*open_duration)),
            }?;
            if *reopenings > 0 {
                write!(f, " (the backoff remembers {})", Many(*reopenings, "opening", "openings"))?;
            }
            f.write_char('.')?;
        }
        match last_trip {
            Some(last) => {
                let why = Why { reasons: &last.reasons, counts: &last.counts, limit: None };
                let last = if totals.trips > 1 { "last " } else { "" };
                write!(f, " It has opened {} so far, {last}{why}.", Times(totals.trips))
            }
            None => Ok(()),
        }
    }

    fn open(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot { rejected, in_state_for, retry_after, reopenings, open_duration, .. } = self.snapshot;
        write!(f, "open: every call is rejected ({rejected} so far). It opened {} ", Ago(*in_state_for))?;
        self.why(f)?;
        f.write_str(". ")?;
        // Nothing but the server's own request is certain: the next probe depends on the calls until then.
        if self.config.is_adaptive() {
            return match retry_after {
                Some(left) => {
                    write!(f, "The server asked for silence; calls pass in {}.", HumanDuration(*left))
                }
                None => {
                    self.doubt(f)?;
                    f.write_str("The next probe passes when not knowing costs more than a probe")?;
                    if let Some(gap) = self.snapshot.adaptive.and_then(|evidence| evidence.next_probe) {
                        write!(f, ", in {} at the latest", HumanDuration(gap))?;
                    }
                    f.write_char('.')
                }
            };
        }
        if *reopenings > 0 {
            let (nth, wait) = (Nth(u64::from(*reopenings) + 1), HumanDuration(*open_duration));
            write!(f, "This is the {nth} opening in a row; its wait is {wait}. ")?;
        }
        if let Some(hint) = self.snapshot.hint {
            write!(f, "The server asked for a wait of {}. ", HumanDuration(hint))?;
        }
        write!(f, "In {} the next call passes as a probe. ", HumanDuration(retry_after.unwrap_or_default()))?;
        self.verdict(f, &state::Probes::to_come(self.config).into(), None)?;
        f.write_str(" If the dependency is known to be healthy, `reset()` closes the breaker immediately.")
    }

    fn half_open(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot { rejected, open_duration, in_state_for, .. } = self.snapshot;
        if self.config.is_adaptive() {
            let share = percent(parts_per_billion(self.snapshot.share));
            write!(
                f,
                "half-open: {share} of the calls pass beside probes ({rejected} rejected). It had opened "
            )?;
            self.why(f)?;
            return f.write_str(". It closes when a call is worth making again.");
        }
        let probes = self.snapshot.probes.unwrap_or_else(|| state::Probes::to_come(self.config).into());
        if let Some(left) = probes.ramp_left {
            return self.ramp(f, &probes, left);
        }
        f.write_str(
            "half-open: a few calls pass as probes, to test whether the dependency has recovered. It had opened ",
        )?;
        self.why(f)?;
        f.write_str(". ")?;
        // A snapshot of an open breaker whose wait is over is half-open, for no time yet.
        if *in_state_for >= Duration::from_millis(1) {
            write!(f, "It has been half-open for {}. ", HumanDuration(*in_state_for))?;
        }
        let Probes { in_flight, due_in, has_slot, .. } = probes;
        if in_flight == 0 {
            f.write_str("No probe is in flight; the next call passes as one. ")?;
        } else {
            let due = HumanDuration(due_in.unwrap_or_default());
            let probes = Many(
                in_flight,
                "probe is in flight and must report",
                "probes are in flight, and the first must report",
            );
            write!(f, "{probes} within {due}, or the breaker opens again. ")?;
            if has_slot {
                f.write_str("The next call passes as a probe too. ")?;
            } else {
                write!(f, "Until then every other call is rejected ({rejected} so far). ")?;
            }
        }
        let wait = self.config.custom_backoff().is_none().then_some(*open_duration);
        self.verdict(f, &probes, wait)
    }

    /// The ramp of half-open, after the probes have passed.
    fn ramp(&self, f: &mut fmt::Formatter<'_>, probes: &Probes, left: Duration) -> fmt::Result {
        let Snapshot { rejected, open_duration, share, counts, .. } = self.snapshot;
        f.write_str(
            "half-open: its probes have passed, and a growing share of the calls passes. It had opened ",
        )?;
        self.why(f)?;
        if left.is_zero() {
            f.write_str(". By now every call passes")?;
        } else {
            write!(
                f,
                ". Now {} of them pass, and all in {}",
                percent(parts_per_billion(*share)),
                HumanDuration(left)
            )?;
        }
        let recorded = Many(counts.calls, "call has", "calls have");
        write!(f, " ({recorded} reported, {} failed, {rejected} rejected). ", counts.failures)?;
        let wait = self.config.custom_backoff().is_none().then_some(*open_duration);
        let again = wait.map_or_else(String::new, |wait| format!(" for {}", HumanDuration(wait)));
        write!(
            f,
            "They are evaluated as the probes were: a failed verdict opens the breaker again{again}, and a passed one closes it once every call passes."
        )?;
        if let Some(due_in) = probes.due_in {
            write!(f, " The first call in flight must report within {}.", HumanDuration(due_in))?;
        }
        Ok(())
    }

    fn forced_open(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = self.snapshot.rejected;
        write!(f, "forced open by an operator: every call is rejected ({rejected} so far). {UNTIL_RESET}")
    }

    fn disabled(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, until) = if self.snapshot.disabled_by_config {
            ("its configuration", "It stays so until the configuration enables it or `reset()` is called.")
        } else {
            ("an operator", UNTIL_RESET)
        };
        write!(f, "disabled by {who}: every call passes, and it cannot open. {until}")
    }

    fn metrics_only(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("set to metrics-only by an operator: every call passes, and it cannot open. ")?;
        self.recorded(f)?;
        self.limits(f)?;
        let reached = Times(self.snapshot.totals.would_trip);
        write!(f, " A limit was reached {reached} since the breaker was built. {UNTIL_RESET}")
    }
}

/// The parts that several states share.
impl Explanation<'_> {
    /// Writes the contents of the window.
    fn recorded(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { calls, failures, slow, .. } = self.snapshot.counts;
        let sample = Sample { form: self.config.form(), calls };
        if calls == 0 {
            write!(f, "{sample}.")?;
            return self.overdue(f);
        }
        write!(f, "{sample}, {failures} failed")?;
        if self.config.slow_after_nanos().is_some() {
            write!(f, " and {slow} {} slow", if slow == 1 { "was" } else { "were" })?;
        }
        f.write_char('.')?;
        self.overdue(f)
    }

    /// Writes the number of overdue calls in flight, which count as slow.
    fn overdue(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (overdue, limit) = (self.snapshot.counts.overdue, self.config.overdue_after_nanos());
        let (1.., Some(limit)) = (overdue, limit) else { return Ok(()) };
        let (calls, limit) =
            (Many(overdue, "call in flight has", "calls in flight have"), Duration::from_nanos(limit));
        write!(f, " {calls} already taken {}.", HumanDuration(limit))
    }

    fn can_open(&self) -> bool {
        self.snapshot.has_custom_rule || self.rules().next().is_some()
    }

    /// Returns the rules that can fire.
    fn rules(&self) -> impl Iterator<Item = Rule> {
        self.config.rules().filter(|rule| match rule {
            Rule::ConsecutiveFailures(limit) | Rule::FailureCount(limit) => *limit != u32::MAX,
            Rule::FailureRate { minimum_calls, .. } | Rule::SlowCallRate { minimum_calls, .. } => {
                *minimum_calls != u32::MAX
            }
        })
    }

    /// Writes the conditions under which the breaker opens: each limit beside the number that is compared with it.
    fn limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.config.is_adaptive() {
            return self.evidence(f);
        }
        let opens = if self.snapshot.state == State::MetricsOnly {
            "Without the override it would open"
        } else {
            "It opens"
        };
        if !self.can_open() {
            return write!(f, " It has no rule that could open it.");
        }
        write!(f, " {opens} ")?;
        let mut between = "";
        for rule in self.rules() {
            write!(f, "{between}{}", Limit { rule, counts: &self.snapshot.counts })?;
            between = ", or ";
        }
        if self.snapshot.has_custom_rule {
            write!(f, "{between}when its own rule (`ready_to_trip`) returns true")?;
        }
        f.write_char('.')
    }

    /// Writes the learned numbers of an adaptive breaker, and its belief if it doubts.
    fn evidence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(" It learns the normal behaviour, and opens when a call is not worth making.")?;
        let Some(evidence) = &self.snapshot.adaptive else { return Ok(()) };
        let share = |share: f64| percent(parts_per_billion(share));
        write!(f, " Normally {} of the calls are bad", share(evidence.normal))?;
        if let Some(p95) = evidence.p95 {
            write!(f, " and 95% of the successes end within {}", HumanDuration(p95))?;
        }
        if let Some(limit) = evidence.slow_limit {
            write!(f, "; an answer after {} is bad too", HumanDuration(limit))?;
        }
        f.write_char('.')?;
        if let Some(calls) = evidence.bad_calls_to_trip {
            write!(f, " {calls} bad calls in a row would open it.")?;
        }
        if evidence.down > 0.01 {
            let (down, likeliest) = (share(evidence.down), share(evidence.likeliest));
            write!(
                f,
                " It is {down} sure that the dependency is down, most likely with {likeliest} of the calls bad."
            )?;
        }
        Ok(())
    }

    /// Writes the calls on which the evidence opened the breaker, if it did.
    fn doubt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(evidence) = self.snapshot.adaptive.filter(|evidence| evidence.bad > 0.0) else {
            return Ok(());
        };
        let slow = percent(parts_per_billion(evidence.slow / evidence.bad));
        let (bad, calls, normal) =
            (evidence.bad, evidence.calls, percent(parts_per_billion(evidence.normal)));
        write!(
            f,
            "Of the last {calls:.1} calls {bad:.1} were bad, {slow} of these slow; normally {normal} are. "
        )
    }

    fn why(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cause) = &self.snapshot.cause else { return Ok(()) };
        let counts = match &self.snapshot.last_trip {
            Some(last) if self.snapshot.state != State::Open => &last.counts,
            Some(_) | None => &self.snapshot.counts,
        };
        let limit = Some(cause.numbers().threshold);
        write!(f, "{}", Why { reasons: &cause.reasons, counts, limit })
    }

    /// Writes the conditions under which the breaker closes or opens again, with the numbers so far.
    fn verdict(&self, f: &mut fmt::Formatter<'_>, probes: &Probes, wait: Option<Duration>) -> fmt::Result {
        let again = wait.map_or_else(String::new, |wait| format!(" for {}", HumanDuration(wait)));
        let so_far = |n: u64| if n == 0 { String::new() } else { format!(" ({n} so far)") };
        let rate = |share: f64| percent(parts_per_billion(share));
        let &Probes { successes, failures, needed, failures_to_open, failure_rate, slow_call_rate, .. } =
            probes;
        if let Some(limit) = failure_rate {
            let (probes, recorded) = (Many(needed, "probe", "probes"), so_far(successes + failures));
            let slow =
                slow_call_rate.map_or_else(String::new, |slow| format!(" or {} were slow", rate(slow)));
            return write!(
                f,
                "After {probes}{recorded} it opens again{again} if {} of them failed{slow}, and closes if not.",
                rate(limit)
            );
        }
        let passes = Many(needed, "success", "successes");
        let (one, several) = match slow_call_rate {
            Some(_) => ("failure or slow success", "failures or slow successes"),
            None => ("failure", "failures"),
        };
        let fails = Many(failures_to_open.unwrap_or(1), one, several);
        let (passed, failed) = (so_far(successes), so_far(failures));
        write!(f, "It closes after {passes}{passed} and opens again{again} after {fails}{failed}.")
    }

    /// Writes the numbers of calls that are missing from the counts above.
    fn uncounted(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = &self.snapshot.totals;
        if totals.abandoned > 0 {
            let calls = Many(totals.abandoned, "call was", "calls were");
            write!(f, " {calls} dropped by the caller and not recorded")?;
            f.write_str(match self.config.abandoned() {
                Abandoned::Ignore => {
                    "; if a timeout drops calls, `Abandoned::FailureAfter` records them as failures."
                }
                Abandoned::Failure | Abandoned::FailureAfter(_) => ".",
            })?;
        }
        if totals.ignored > 0 {
            let calls = Many(totals.ignored, "call was", "calls were");
            write!(f, " {calls} ignored by the classifier and not recorded.")?;
        }
        if totals.panics > 0 {
            let panics = Many(totals.panics, "panic was", "panics were");
            write!(f, " {panics} caught in classifiers, rules or listeners.")?;
        }
        Ok(())
    }
}

/// The limit of a rule, beside the number that is compared with it.
struct Limit<'a> {
    rule: Rule,
    counts: &'a Counts,
}

impl fmt::Display for Limit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts;
        match self.rule {
            Rule::ConsecutiveFailures(limit) => {
                let failures = Many(limit, "failure", "failures");
                write!(f, "after {failures} in a row (now {})", counts.consecutive_failures)
            }
            Rule::FailureCount(limit) => {
                let failures = Many(limit, "failure", "failures");
                write!(f, "at {failures} in the window (now {})", counts.failures)
            }
            Rule::FailureRate { threshold_ppb, minimum_calls } => {
                let now = Rate { part: counts.failures, calls: counts.calls, minimum_calls };
                write!(f, "when {} of the calls fail {now}", percent(threshold_ppb))
            }
            Rule::SlowCallRate { threshold_ppb, slow_after_nanos, minimum_calls, .. } => {
                let (part, calls) = (counts.slow + counts.overdue, counts.calls + counts.overdue);
                let now = Rate { part, calls, minimum_calls };
                let limit = HumanDuration(Duration::from_nanos(slow_after_nanos));
                write!(f, "when {} of the calls take {limit} or longer {now}", percent(threshold_ppb))
            }
        }
    }
}
