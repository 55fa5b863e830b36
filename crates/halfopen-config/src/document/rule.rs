//! One rule of a `trip` group.

use halfopen_document::{Located, Node, Origin, Path, Period, Reader, Value, scalar};
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One rule as written; a lower layer may provide the missing values.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// The kind of the rule.
    pub kind: RuleKind,
    /// Whether the rule is `off`, which removes the rule of lower layers.
    pub off: bool,
    /// The number of failures, of a rule that counts them.
    pub failures: Option<Located<u32>>,
    /// The share of the calls from which a rate opens the breaker.
    pub threshold: Option<Located<f64>>,
    /// The time from which a call is slow, of the slow-call rate.
    pub slow_after: Option<Located<Period>>,
    /// The number of calls that a rate requires.
    pub minimum_calls: Option<Located<u32>>,
    /// Whether calls in flight count as soon as they are slow, of the slow-call rate.
    pub in_flight: Option<Located<bool>>,
}

/// The kinds of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// A number of consecutive failures.
    ConsecutiveFailures,
    /// A number of failures in the window.
    FailureCount,
    /// A share of failures in the window.
    FailureRate,
    /// A share of slow calls in the window.
    SlowCallRate,
}

impl RuleKind {
    /// All kinds.
    pub const ALL: [RuleKind; 4] = [
        RuleKind::ConsecutiveFailures,
        RuleKind::FailureCount,
        RuleKind::FailureRate,
        RuleKind::SlowCallRate,
    ];

    /// Returns the key of the kind.
    pub fn key(self) -> &'static str {
        match self {
            RuleKind::ConsecutiveFailures => "consecutive_failures",
            RuleKind::FailureCount => "failure_count",
            RuleKind::FailureRate => "failure_rate",
            RuleKind::SlowCallRate => "slow_call_rate",
        }
    }

    pub(crate) fn is_rate(self) -> bool {
        match self {
            RuleKind::FailureRate | RuleKind::SlowCallRate => true,
            RuleKind::ConsecutiveFailures | RuleKind::FailureCount => false,
        }
    }

    /// Returns advice for a rate that is written as a number, and for a count that is not written as one.
    fn advice(self, node: &Node) -> Option<String> {
        if !self.is_rate() {
            return scalar::as_count(node);
        }
        let share = scalar::share_of(node)?;
        match self {
            RuleKind::SlowCallRate => Some(format!(
                "write `slow_call_rate: {{ threshold: {share}, slow_after: 500ms }}`, with the time from which on a call is slow"
            )),
            _ => Some(format!("write `{self}: {{ threshold: {share} }}`")),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            RuleKind::ConsecutiveFailures | RuleKind::FailureCount => {
                "a number of failures such as 5, or off"
            }
            RuleKind::FailureRate => "a failure rate such as { threshold: 0.5, minimum_calls: 20 }, or off",
            RuleKind::SlowCallRate => {
                "a slow-call rate such as { threshold: 0.8, slow_after: 500ms }, or off"
            }
        }
    }
}

impl fmt::Display for RuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl Rule {
    pub(crate) fn new(kind: RuleKind) -> Rule {
        Rule {
            kind,
            off: false,
            failures: None,
            threshold: None,
            slow_after: None,
            minimum_calls: None,
            in_flight: None,
        }
    }

    pub(super) fn read(kind: RuleKind, node: &Node, reader: &mut Reader<'_>) -> Rule {
        let mut rule = Rule::new(kind);
        match &node.value {
            // A tool that reads YAML 1.1 takes `off` for false, and writes it so.
            Value::Text(word) if word == "off" => rule.off = true,
            Value::Bool(false) => rule.off = true,
            Value::Map(_) if kind.is_rate() => rule.read_rate(node, reader),
            Value::Integer(_) if !kind.is_rate() => {
                let origin = reader.origin(node.span.clone());
                rule.failures = scalar::positive(node, reader).map(|failures| Located::new(failures, origin));
            }
            _ => {
                reader.mismatch_because::<()>(node, kind.expected(), kind.advice(node));
            }
        }
        rule
    }

    fn read_rate(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let mut fields = reader.fields(node, self.kind.expected());
        self.threshold = fields.take("threshold", reader, scalar::share);
        if self.kind == RuleKind::SlowCallRate {
            self.slow_after = fields.take("slow_after", reader, Period::read);
        }
        self.minimum_calls = fields.take("minimum_calls", reader, scalar::positive);
        if self.kind == RuleKind::SlowCallRate {
            self.in_flight = fields.take("in_flight", reader, scalar::boolean);
        }
        fields.finish(reader);
    }

    pub(super) fn overlay(&mut self, upper: &Rule) {
        // A rule that is written in an upper layer is on again, even if a lower one has switched it off.
        self.off = upper.off;
        let counts = [(&mut self.failures, &upper.failures), (&mut self.minimum_calls, &upper.minimum_calls)];
        for (mine, upper) in counts {
            if upper.is_some() {
                mine.clone_from(upper);
            }
        }
        if upper.threshold.is_some() {
            self.threshold.clone_from(&upper.threshold);
        }
        if upper.slow_after.is_some() {
            self.slow_after.clone_from(&upper.slow_after);
        }
        if upper.in_flight.is_some() {
            self.in_flight.clone_from(&upper.in_flight);
        }
    }

    pub(super) fn visit(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin)) {
        if let Some(failures) = &self.failures {
            visit(path.as_str(), failures.origin());
        }
        let parts = [
            ("threshold", self.threshold.as_ref().map(Located::origin)),
            ("slow_after", self.slow_after.as_ref().map(Located::origin)),
            ("minimum_calls", self.minimum_calls.as_ref().map(Located::origin)),
            ("in_flight", self.in_flight.as_ref().map(Located::origin)),
        ];
        for (key, origin) in parts {
            if let Some(origin) = origin {
                path.within(key, |path| visit(path.as_str(), origin));
            }
        }
    }

    /// Returns the origin of any value of the rule.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        let slow_after = self.slow_after.as_ref().map(Located::origin);
        let counts = self.failures.as_ref().or(self.minimum_calls.as_ref()).map(Located::origin);
        let in_flight = self.in_flight.as_ref().map(Located::origin);
        self.threshold.as_ref().map(Located::origin).or(slow_after).or(counts).or(in_flight)
    }
}

/// A rule together with its key, as an item of a list.
pub(super) struct Alone<'a>(pub(super) &'a Rule);

impl Serialize for Alone<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0.kind.key(), self.0)])
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.off {
            return serializer.serialize_str("off");
        }
        if let Some(failures) = &self.failures {
            return failures.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        if let Some(threshold) = &self.threshold {
            map.serialize_entry("threshold", threshold)?;
        }
        if let Some(slow_after) = &self.slow_after {
            map.serialize_entry("slow_after", slow_after)?;
        }
        if let Some(minimum) = &self.minimum_calls {
            map.serialize_entry("minimum_calls", minimum)?;
        }
        if let Some(in_flight) = &self.in_flight {
            map.serialize_entry("in_flight", in_flight)?;
        }
        map.end()
    }
}
