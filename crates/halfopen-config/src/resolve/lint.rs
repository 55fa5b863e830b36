//! Warnings for valid values that are unlikely to be intended: values that cannot be reached, and values that
//! contradict each other.

use halfopen_document::{Layer, Located, Origin, Period, Problem};
use std::time::Duration;

use halfopen::{BackoffKind, Trip, TripKind, WindowKind, format_duration};

use crate::resolve::settings::Settings;
use crate::resolve::{Subject, limits};

pub(super) fn at(problem: Problem, origin: &Origin) -> Problem {
    problem.at_origin(origin)
}

pub(super) fn lint(settings: &Settings, subject: Subject<'_>, problems: &mut Vec<Problem>) {
    let lint = Lint { settings, subject };
    if settings.config.adaptive_part().is_some() {
        // It has no rules, window and waits to be doubted.
        problems.extend(lint.kept());
        return problems.extend(limits::doubts(settings));
    }
    problems.extend(lint.never_opens());
    problems.extend(settings.config.trip().iter().flat_map(|rule| lint.rule(*rule)));
    problems.extend(lint.window_without_rule());
    problems.extend(lint.minimum_without_rate());
    problems.extend(lint.waits());
    problems.extend(lint.call_timeout());
    problems.extend(lint.limits_of_no_growth());
    problems.extend(lint.kept());
    problems.extend(limits::doubts(settings));
}

/// Returns true if the value is written for this breaker; a shared value has an effect on other breakers.
fn is_own<T>(written: &Located<T>) -> bool {
    // Templates and environments are meant for many breakers: a value of theirs that has no effect on one of them
    // is no mistake.
    written.origin().layer() > Layer::Environment
}

struct Lint<'a> {
    settings: &'a Settings,
    subject: Subject<'a>,
}

impl Lint<'_> {
    /// Returns a warning about the value at this path, at the place where it is written.
    fn warn(&self, path: &str, says: impl FnOnce(&str) -> String) -> Problem {
        let origins = self.settings.origins();
        let origin = origins.near(path);
        let path =
            origin.map_or_else(|| format!("{}.{path}", self.subject), |origin| origin.path().to_owned());
        let problem = Problem::warning(path.clone(), says(&path));
        origin.map_or_else(|| problem.clone(), |origin| at(problem.clone(), origin))
    }

    fn never_opens(&self) -> Option<Problem> {
        let name = &self.settings.name;
        let leaves_none = self.settings.config.trip().is_empty() && !self.settings.section.trip.unclear;
        leaves_none.then(|| {
            self.warn("trip", |path| {
                format!("`{path}` leaves no rule: nothing but an operator opens `{name}`")
            })
        })
    }

    fn rule(&self, rule: Trip) -> Vec<Problem> {
        match rule.kind() {
            TripKind::FailureCount { failures } => self.count(failures).into_iter().collect(),
            TripKind::FailureRate { minimum_calls, .. } => {
                self.minimum("trip.failure_rate.minimum_calls", minimum_calls).into_iter().collect()
            }
            TripKind::SlowCallRate { minimum_calls, slow_after, .. } => {
                let minimum = self.minimum("trip.slow_call_rate.minimum_calls", minimum_calls);
                minimum.into_iter().chain(self.slow_after(slow_after)).collect()
            }
            // A run has no minimum, and kinds of a newer core cannot be written in a document yet.
            _ => Vec::new(),
        }
    }

    fn count(&self, failures: u32) -> Option<Problem> {
        let WindowKind::LastCalls { calls } = self.settings.config.window().kind() else {
            return self.room("trip.failure_count", failures);
        };
        (failures > calls).then(|| {
            self.warn("trip.failure_count", |path| {
                format!("`{path}` is {failures} and can never be reached: the window holds {calls} calls")
            })
        })
    }

    fn minimum(&self, path: &str, minimum: u32) -> Option<Problem> {
        self.room(path, minimum)
    }

    /// Warns if a window of time is too short for this many calls at the expected rate.
    fn room(&self, path: &str, calls: u32) -> Option<Problem> {
        let rate = self.settings.section.expected_rate.as_ref()?.value;
        let time = match self.settings.config.window().kind() {
            WindowKind::Last { duration, .. } => duration,
            WindowKind::Tumbling { interval } => interval,
            // A window of calls spans as much time as its calls take.
            _ => return None,
        };
        // Rounded down: a minimum that only a lucky window reaches is one that is not reached.
        let held = (rate * time.as_secs_f64()).floor();
        (f64::from(calls) > held).then(|| {
            self.warn(path, |path| {
                format!(
                    "`{path}` is {calls} and at this window can never be reached: at the expected {rate} calls a second, {} hold {held} calls",
                    format_duration(time)
                )
            })
        })
    }

    fn slow_after(&self, slow_after: Duration) -> Option<Problem> {
        let limit = self.settings.config.half_open().probe_limit();
        (slow_after > limit).then(|| {
            self.warn("trip.slow_call_rate.slow_after", |path| {
                format!(
                    "`{path}` is {}, above the `probe_timeout` of {}: a probe is given up before it can be slow",
                    format_duration(slow_after),
                    format_duration(limit)
                )
            })
        })
    }

    /// Checks that the window and the probes fit the timeout of the client.
    fn call_timeout(&self) -> Vec<Problem> {
        let Some(timeout) = self.settings.section.call_timeout.as_ref().map(|timeout| timeout.value.0) else {
            return Vec::new();
        };
        let config = &self.settings.config;
        let limit = config.half_open().probe_limit();
        let probe = (limit < timeout).then(|| {
            self.warn("half_open.probe_timeout", |path| {
                let (limit, timeout) = (format_duration(limit), format_duration(timeout));
                format!("`{path}` is {limit}, below the `call_timeout` of {timeout}: a probe is counted as failed while its caller still waits")
            })
        });
        self.unreachable_window(timeout).into_iter().chain(probe).collect()
    }

    /// Returns a warning for a window that is too short for a server that hangs: each of its callers ends one
    /// call per timeout.
    fn unreachable_window(&self, timeout: Duration) -> Option<Problem> {
        let config = &self.settings.config;
        let window = match config.window().kind() {
            WindowKind::Last { duration, .. } => duration,
            WindowKind::Tumbling { interval } => interval,
            // A window of calls spans as much time as its calls take.
            _ => return None,
        };
        // A run of failures is independent of the window.
        let has_run =
            config.trip().iter().any(|rule| matches!(rule.kind(), TripKind::ConsecutiveFailures { .. }));
        (window < timeout && !has_run && !config.trip().is_empty()).then(|| {
            let twice = format_duration(timeout.saturating_mul(2));
            self.warn("window", |path| {
                let (window, timeout) = (format_duration(window), format_duration(timeout));
                format!("`{path}` is {window}, below the `call_timeout` of {timeout}: of calls to a server that hangs, too few end in one window to open `{}`", self.settings.name)
            })
            .help(format!("write `window: {{ last: {{ duration: {twice} }} }}`, or add `consecutive_failures` to `trip`"))
        })
    }

    /// Returns a warning for a window that is written although every rule counts consecutive failures.
    fn window_without_rule(&self) -> Option<Problem> {
        let window = &self.settings.section.window;
        let written =
            window.last_calls.is_some() || window.last.duration.is_some() || window.tumbling.is_some();
        let rules = self.settings.config.trip();
        let looks = |rule: &Trip| !matches!(rule.kind(), TripKind::ConsecutiveFailures { .. });
        (written && !rules.is_empty() && !rules.iter().any(looks)).then(|| {
            self.warn("window", |path| {
                format!(
                    "`{path}` has no effect: the only rule counts failures in a row, and looks at no window"
                )
            })
        })
    }

    /// Returns a warning for a minimum of the breaker itself, which has no rate.
    fn minimum_without_rate(&self) -> Option<Problem> {
        let trip = &self.settings.section.trip;
        let is_own = is_own(trip.minimum_calls.as_ref()?);
        let mut rules = trip.rules.iter().filter(|rule| !rule.off).peekable();
        let idle = rules.peek().is_some() && rules.all(|rule| !rule.kind.is_rate());
        (is_own && idle && !trip.unclear).then(|| {
            self.warn("trip.minimum_calls", |path| {
                format!("`{path}` has no effect: only a rate waits for calls, and no rule is one")
            })
        })
    }

    /// Returns warnings for limits of a growth that the breaker does not have.
    fn limits_of_no_growth(&self) -> Vec<Problem> {
        let config = &self.settings.config;
        if !matches!(config.backoff().kind(), BackoffKind::Fixed) {
            return Vec::new();
        }
        let backoff = &self.settings.section.open.backoff;
        // A multiplier of 1 deliberately switches off the growth of a template, whose limit stays.
        let layer = backoff.multiplier.as_ref().map(|multiplier| multiplier.origin().layer());
        let is_meant = |written: &&Located<Period>| {
            is_own(written) && layer.as_ref().is_none_or(|layer| *layer == written.origin().layer())
        };
        // A `max` below the longest wait with jitter has an effect without growth too.
        let longest = config.open_duration().as_secs_f64() * (1.0 + config.backoff().jitter_fraction());
        let cuts = |written: &&Located<Period>| written.value.0.as_secs_f64() < longest;
        let limits = [
            ("open.backoff.max", backoff.max.as_ref().filter(|max| !cuts(max))),
            ("open.backoff.forget_after", backoff.forget_after.as_ref()),
        ];
        let idle = limits.into_iter().filter(|(_, written)| written.as_ref().is_some_and(is_meant));
        idle.map(|(path, _)| {
            self.warn(path, |path| format!("`{path}` has no effect: the waits do not grow"))
                .help("give a `multiplier` or `delays`")
        })
        .collect()
    }

    fn waits(&self) -> Vec<Problem> {
        let config = &self.settings.config;
        let wait = config.open_duration();
        let listed = matches!(config.backoff().kind(), BackoffKind::Delays { .. });
        let max = config.backoff().limit().filter(|max| *max < wait && !listed);
        let max = max.map(|max| {
            self.warn("open.backoff.max", |path| {
                let (max, wait) = (format_duration(max), format_duration(wait));
                format!("`{path}` is {max}, below the first wait of {wait}: every wait is cut to {max}")
            })
        });
        let wait_unused = (listed && self.settings.section.open.duration.is_some()).then(|| {
            self.warn("open.duration", |path| {
                format!("`{path}` has no effect: `backoff.delays` lists the waits")
            })
        });
        let hint = (config.hint_max() < wait && self.settings.section.open.hint_max.is_some()).then(|| {
            self.warn("open.hint_max", |path| {
                let (limit, wait) = (format_duration(config.hint_max()), format_duration(wait));
                format!(
                    "`{path}` is {limit}, below the first wait of {wait}: no server can make a wait longer"
                )
            })
        });
        max.into_iter().chain(wait_unused).chain(hint).collect()
    }

    /// Warns of values that have no effect by themselves.
    fn kept(&self) -> Vec<Problem> {
        let section = &self.settings.section;
        let name = &self.settings.name;
        let excluded = section.excluded_exceptions.as_ref().filter(|list| !list.value.is_empty()).map(|_| {
            let problem = self.warn("excluded_exceptions", |path| {
                format!("`{path}` names exceptions, which say nothing here: write a classifier that answers `Outcome::Ignored` for them")
            });
            problem.help(format!("breaker.call_classified(operation, |result| ..) for `{name}`, or a `Classify` for the adapters"))
        });
        excluded.into_iter().collect()
    }
}
