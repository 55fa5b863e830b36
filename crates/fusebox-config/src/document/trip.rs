use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::group::{Group, Visit};
use crate::reader::{Fields, Reader, scalar};
use crate::tree::{Node, Value};
use crate::written::{Origin, Written};
use crate::{Period, Problem};

/// The group `trip`: the rules that open a breaker; any one that holds does.
///
/// As a map it adds to the rules of lower layers and changes their numbers; `failure_rate: off` takes
/// a rule away. As a list it stands alone. The library's own rule, a failure rate of 0.5, holds where
/// no layer names any.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Trip {
    /// The rules, in the order of the document.
    pub rules: Vec<Rule>,
    /// `trip.minimum_calls`: the minimum of every rate that names none of its own.
    pub minimum_calls: Option<Written<u32>>,
    /// Whether the rules were a list, which takes the place of all rules of lower layers.
    pub alone: bool,
}

/// One rule as far as it is written; what is missing may come from a lower layer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// Which rule.
    pub kind: RuleKind,
    /// Whether it says `off`, which takes away the rule of lower layers.
    pub off: bool,
    /// Of a rule that counts failures: how many.
    pub failures: Option<Written<u32>>,
    /// Of a rate: from which share of the calls on.
    pub threshold: Option<Written<f64>>,
    /// Of the slow-call rate: when a call is slow.
    pub slow_after: Option<Written<Period>>,
    /// Of a rate: how many calls there must be.
    pub minimum_calls: Option<Written<u32>>,
}

/// The rules there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// So many failures, one after the other.
    ConsecutiveFailures,
    /// So many failures in the window.
    FailureCount,
    /// Such a share of failures in the window.
    FailureRate,
    /// Such a share of slow calls in the window.
    SlowCallRate,
}

const EXPECTED: &str = "trip rules such as { failure_rate: { threshold: 0.5 } }";

impl RuleKind {
    /// All of them.
    pub const ALL: [RuleKind; 4] = [
        RuleKind::ConsecutiveFailures,
        RuleKind::FailureCount,
        RuleKind::FailureRate,
        RuleKind::SlowCallRate,
    ];

    /// Its key.
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
        Rule { kind, off: false, failures: None, threshold: None, slow_after: None, minimum_calls: None }
    }

    fn read(kind: RuleKind, node: &Node, reader: &mut Reader<'_>) -> Rule {
        let mut rule = Rule::new(kind);
        match &node.value {
            Value::Text(word) if word == "off" => rule.off = true,
            Value::Bool(false) => rule.off = true,
            Value::Map(_) if kind.is_rate() => rule.read_rate(node, reader),
            Value::Integer(_) if !kind.is_rate() => {
                let origin = reader.origin(node.place.clone());
                rule.failures = scalar::count(node, reader).map(|failures| Written::new(failures, origin));
            }
            _ => {
                reader.wrong::<()>(node, kind.expected());
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
        self.minimum_calls = fields.take("minimum_calls", reader, scalar::count);
        fields.finish(reader);
    }

    fn overlay(&mut self, upper: &Rule) {
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
    }

    /// Where any part of it is written.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        let slow_after = self.slow_after.as_ref().map(Written::origin);
        let counts = self.failures.as_ref().or(self.minimum_calls.as_ref()).map(Written::origin);
        self.threshold.as_ref().map(Written::origin).or(slow_after).or(counts)
    }
}

impl Trip {
    /// The rule of this kind, made if there is none.
    pub(crate) fn rule_mut(&mut self, kind: RuleKind) -> &mut Rule {
        let place = self.rules.iter().position(|rule| rule.kind == kind).unwrap_or_else(|| {
            self.rules.push(Rule::new(kind));
            self.rules.len() - 1
        });
        &mut self.rules[place]
    }

    /// The rules of this kind.
    pub(crate) fn of(&self, kind: RuleKind) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.kind == kind)
    }

    fn read_map(node: &Node, reader: &mut Reader<'_>) -> Trip {
        let mut fields = reader.fields(node, EXPECTED);
        let rules = read_rules(&mut fields, reader);
        let minimum_calls = fields.take("minimum_calls", reader, scalar::count);
        fields.finish(reader);
        Trip { rules, minimum_calls, alone: false }
    }

    fn read_list(items: &[Node], reader: &mut Reader<'_>) -> Trip {
        let mut rules = Vec::new();
        for (place, item) in items.iter().enumerate() {
            reader.within(&place.to_string(), |reader| {
                let mut fields = reader.fields(item, EXPECTED);
                let read = read_rules(&mut fields, reader);
                if read.len() > 1 {
                    let message = format!("`{}` holds {} rules, must hold one", reader.path(), read.len());
                    reader.tell(Problem::error(reader.path(), message).at(item.place.clone()));
                }
                fields.finish(reader);
                rules.extend(read.into_iter().filter(|rule| !rule.off));
            });
        }
        Trip { rules, minimum_calls: None, alone: true }
    }

    fn merge(&mut self, upper: &Rule) {
        let mut same = self.rules.iter_mut().filter(|rule| rule.kind == upper.kind);
        match (same.next(), same.next()) {
            (Some(rule), None) => rule.overlay(upper),
            // Nobody can say which of several is meant.
            (None, _) | (Some(_), Some(_)) => {
                self.rules.retain(|rule| rule.kind != upper.kind);
                self.rules.push(upper.clone());
            }
        }
    }

    /// A list has two rules of one kind, or must say that it stands alone.
    fn is_list(&self) -> bool {
        self.alone || RuleKind::ALL.into_iter().any(|kind| self.of(kind).nth(1).is_some())
    }
}

fn read_rules(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Vec<Rule> {
    let read = |kind: RuleKind| {
        let node = fields.node(kind.key())?;
        Some(reader.within(kind.key(), |reader| Rule::read(kind, node, reader)))
    };
    RuleKind::ALL.into_iter().filter_map(read).collect()
}

impl Group for Trip {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Trip {
        match &node.value {
            Value::List(items) => Trip::read_list(items, reader),
            _ => Trip::read_map(node, reader),
        }
    }

    fn overlay(&mut self, upper: &Trip) {
        if upper.alone {
            self.clone_from(upper);
            return;
        }
        if upper.minimum_calls.is_some() {
            self.minimum_calls.clone_from(&upper.minimum_calls);
            for rule in self.rules.iter_mut().filter(|rule| rule.kind.is_rate()) {
                rule.minimum_calls.clone_from(&upper.minimum_calls);
            }
        }
        for rule in &upper.rules {
            self.merge(rule);
        }
    }

    fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.minimum_calls.is_none() && !self.alone
    }

    fn visit(&self, path: &str, visit: Visit<'_>) {
        for rule in &self.rules {
            let path = format!("{path}.{}", rule.kind);
            if let Some(failures) = &rule.failures {
                visit(&path, failures.origin());
            }
            let parts = [
                ("threshold", rule.threshold.as_ref().map(Written::origin)),
                ("slow_after", rule.slow_after.as_ref().map(Written::origin)),
                ("minimum_calls", rule.minimum_calls.as_ref().map(Written::origin)),
            ];
            for (key, origin) in parts {
                if let Some(origin) = origin {
                    visit(&format!("{path}.{key}"), origin);
                }
            }
        }
    }
}

impl Serialize for Trip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_list() {
            return serializer.collect_seq(self.rules.iter().map(Alone));
        }
        let mut map = serializer.serialize_map(None)?;
        for rule in &self.rules {
            map.serialize_entry(rule.kind.key(), rule)?;
        }
        if let Some(minimum) = &self.minimum_calls {
            map.serialize_entry("minimum_calls", minimum)?;
        }
        map.end()
    }
}

/// A rule with its key, as a list has it.
struct Alone<'a>(&'a Rule);

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
        map.end()
    }
}
