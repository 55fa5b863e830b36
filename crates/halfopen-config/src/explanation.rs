use halfopen_document::{Origin, Sections, without_passwords};
use std::fmt;

use halfopen::adapter::Printable;
use halfopen::{BackoffKind, HalfOpenKind, SlowKind, TripKind, WindowKind, format_duration};

use crate::resolve::Origins;
use crate::{RuleKind, Settings, Trip};

/// The origin of each value of a breaker.
///
/// Its [`Display`](std::fmt::Display) is a table of paths, values and origins.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    name: String,
    values: Vec<Explained>,
}

/// One value of an [`Explanation`].
#[derive(Clone, PartialEq)]
pub struct Explained {
    path: String,
    value: String,
    origin: Origin,
}

impl Explanation {
    /// Returns the name or pattern that is explained.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns every value, in the order of the groups.
    pub fn values(&self) -> &[Explained] {
        &self.values
    }

    /// Returns the value at this path, such as `open.duration`. The paths of a list with two rules of one kind
    /// contain an index: `trip.0.failure_rate.threshold`.
    pub fn get(&self, path: &str) -> Option<&Explained> {
        self.values.iter().find(|value| value.path == path)
    }

    pub(crate) fn of_sections(sections: &Sections) -> Explanation {
        let mut values = Vec::new();
        add_sections(sections, &Origins::of_sections(sections), &mut values);
        Explanation { name: "document".to_owned(), values }
    }

    pub(crate) fn of(settings: &Settings) -> Explanation {
        let mut explaining = Explaining { settings, origins: settings.origins(), values: Vec::new() };
        explaining.add("enabled", settings.is_enabled());
        if let Some(adaptive) = settings.config.adaptive_part() {
            explaining.adaptive(&adaptive);
        } else {
            explaining.trip();
            explaining.window();
            explaining.waits();
            explaining.half_open();
        }
        explaining.rest();
        Explanation { name: settings.name().to_owned(), values: explaining.values }
    }
}

impl Explained {
    /// Returns the path of the value, such as `open.duration`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the value as written in a document.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the origin of the value.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = without_passwords(&self.value);
        f.debug_struct("Explained")
            .field("path", &self.path)
            .field("value", &value)
            .field("origin", &self.origin)
            .finish()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Explained) -> &str| {
            self.values.iter().map(|value| of(value).chars().count()).max().unwrap_or(0)
        };
        let (paths, values) = (width(Explained::path), width(Explained::value).min(40));
        write!(f, "{}", self.name)?;
        for Explained { path, value, origin } in &self.values {
            let value = without_passwords(value);
            let value = Printable::new(&value).whole().escaped().to_string();
            write!(f, "\n  {path:paths$}  {value:values$}  {origin}")?;
        }
        Ok(())
    }
}

struct Explaining<'a> {
    settings: &'a Settings,
    origins: Origins,
    values: Vec<Explained>,
}

impl Explaining<'_> {
    fn add(&mut self, path: &str, value: impl fmt::Display) {
        let origin = self.origins.get(path).cloned().unwrap_or(Origin::LIBRARY);
        self.values.push(Explained { path: path.to_owned(), value: value.to_string(), origin });
    }

    fn adaptive(&mut self, adaptive: &halfopen::Adaptive) {
        self.add("adaptive.break_even", adaptive.break_even_share());
        let slow = match adaptive.slow_answers().kind() {
            SlowKind::Off => "off".to_owned(),
            SlowKind::Learned { multiple } => format!("learned {multiple}"),
            SlowKind::Limit { limit } => format!("limit {}", format_duration(limit)),
            other => format!("{other:?}"),
        };
        self.add("adaptive.slow", slow);
        self.add("adaptive.max_probe_gap", format_duration(adaptive.longest_probe_gap()));
        self.add("adaptive.false_trip_interval", format_duration(adaptive.time_between_false_trips()));
        self.add("open.hint_max", format_duration(self.settings.config.hint_max()));
    }

    /// Adds a minimum, whose origin may be the key for all rates.
    fn minimum(&mut self, path: &str, minimum: u32) {
        let origin = self.origins.get(path).or_else(|| self.origins.get("trip.minimum_calls"));
        let origin = origin.cloned().unwrap_or(Origin::LIBRARY);
        self.values.push(Explained { path: path.to_owned(), value: minimum.to_string(), origin });
    }

    fn trip(&mut self) {
        let rules = self.settings.config.trip();
        // A newer core may have kinds that no document can name yet; so below.
        let known: Vec<_> = rules.iter().filter_map(|rule| Some((rule_kind(rule.kind())?, rule))).collect();
        let paths = Trip::paths(&known.iter().map(|(kind, _)| *kind).collect::<Vec<_>>());
        for ((_, rule), path) in known.into_iter().zip(paths) {
            let path = format!("trip.{path}");
            self.rule(&path, rule.kind());
            if rule.counts_in_flight() {
                self.add(&format!("{path}.in_flight"), true);
            }
        }
    }

    fn rule(&mut self, path: &str, kind: TripKind) {
        match kind {
            TripKind::ConsecutiveFailures { failures } | TripKind::FailureCount { failures } => {
                self.add(path, failures);
            }
            TripKind::FailureRate { threshold, minimum_calls } => {
                self.add(&format!("{path}.threshold"), threshold);
                self.minimum(&format!("{path}.minimum_calls"), minimum_calls);
            }
            TripKind::SlowCallRate { threshold, slow_after, minimum_calls } => {
                self.add(&format!("{path}.threshold"), threshold);
                self.add(&format!("{path}.slow_after"), format_duration(slow_after));
                self.minimum(&format!("{path}.minimum_calls"), minimum_calls);
            }
            _ => {}
        }
    }

    fn window(&mut self) {
        match self.settings.config.window().kind() {
            WindowKind::LastCalls { calls } => self.add("window.last_calls", calls),
            WindowKind::Last { duration, buckets } => {
                self.add("window.last.duration", format_duration(duration));
                self.add("window.last.buckets", buckets);
            }
            WindowKind::Tumbling { interval } => self.add("window.tumbling", format_duration(interval)),
            WindowKind::Unbounded => self.add("window.unbounded", true),
            _ => {}
        }
    }

    fn waits(&mut self) {
        let config = &self.settings.config;
        self.add("open.duration", format_duration(config.open_duration()));
        self.add("open.hint_max", format_duration(config.hint_max()));
        let backoff = config.backoff();
        match backoff.kind() {
            BackoffKind::Fixed => self.add("open.backoff.multiplier", 1),
            BackoffKind::Exponential { multiplier } => self.add("open.backoff.multiplier", multiplier),
            BackoffKind::Delays { delays } => {
                let delays: Vec<_> = delays.iter().map(|delay| format_duration(*delay)).collect();
                self.add("open.backoff.delays", format!("[{}]", delays.join(", ")));
            }
            _ => {}
        }
        if let Some(limit) = backoff.limit() {
            self.add("open.backoff.max", format_duration(limit));
        }
        self.add("open.backoff.jitter", backoff.jitter_fraction());
        if let Some(period) = backoff.forget_period() {
            self.add("open.backoff.forget_after", format_duration(period));
        }
    }

    fn half_open(&mut self) {
        let half_open = self.settings.config.half_open();
        match half_open.kind() {
            HalfOpenKind::Counts { max_calls, success_threshold, max_failures } => {
                self.add("half_open.max_calls", max_calls);
                self.add("half_open.success_threshold", success_threshold);
                self.add("half_open.max_failures", max_failures);
            }
            HalfOpenKind::Rate { max_calls, failure_rate } => {
                self.add("half_open.max_calls", max_calls);
                self.add("half_open.failure_rate", failure_rate);
            }
            _ => {}
        }
        self.add("half_open.probe_timeout", format_duration(half_open.probe_limit()));
        if let Some(length) = half_open.ramp_length() {
            self.add("half_open.ramp", format_duration(length));
        }
    }

    /// Adds the remaining values; optional ones only where they are written.
    fn rest(&mut self) {
        let config = &self.settings.config;
        self.add(
            "abandoned",
            match config.abandoned() {
                halfopen::Abandoned::Ignore => "ignore".to_owned(),
                halfopen::Abandoned::Failure => "failure".to_owned(),
                halfopen::Abandoned::FailureAfter(age) => format!("failure_after {}", format_duration(age)),
                other => format!("{other:?}"),
            },
        );
        self.add("time_calls", config.time_calls());
        let section = &self.settings.section;
        // The rest changes no decision of the breaker, so it is shown as the document has it.
        let text = serde_json::to_value(section).unwrap_or_default();
        for group in [
            "template",
            "environment",
            "call_timeout",
            "expected_rate",
            "circuit_type",
            "classify",
            "metadata",
            "bulkhead_config",
            "rate_limit",
        ] {
            if let Some(value) = text.get(group) {
                add_tree(group, value, &self.origins, &mut self.values);
            }
        }
        add_sections(&section.sections, &self.origins, &mut self.values);
        if let Some(value) = text.get("excluded_exceptions") {
            add_tree("excluded_exceptions", value, &self.origins, &mut self.values);
        }
    }
}

fn add_sections(sections: &Sections, origins: &Origins, values: &mut Vec<Explained>) {
    if let Ok(serde_json::Value::Object(sections)) = serde_json::to_value(sections) {
        sections.iter().for_each(|(key, value)| add_tree(key, value, origins, values));
    }
}

/// Adds every value that has an origin, however deep it is.
fn add_tree(path: &str, value: &serde_json::Value, origins: &Origins, values: &mut Vec<Explained>) {
    let text = match value {
        // A map with an origin of its own is one value; any other is a group, whose values have origins.
        serde_json::Value::Object(entries) if origins.get(path).is_none() => {
            for (key, value) in entries {
                add_tree(&format!("{path}.{key}"), value, origins, values);
            }
            return;
        }
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let origin = origins.get(path).cloned().unwrap_or(Origin::LIBRARY);
    values.push(Explained { path: path.to_owned(), value: text, origin });
}

fn rule_kind(kind: TripKind) -> Option<RuleKind> {
    match kind {
        TripKind::ConsecutiveFailures { .. } => Some(RuleKind::ConsecutiveFailures),
        TripKind::FailureCount { .. } => Some(RuleKind::FailureCount),
        TripKind::FailureRate { .. } => Some(RuleKind::FailureRate),
        TripKind::SlowCallRate { .. } => Some(RuleKind::SlowCallRate),
        _ => None,
    }
}
