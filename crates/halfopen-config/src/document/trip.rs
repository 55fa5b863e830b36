use halfopen_document::{
    Fields, Group, Located, Node, Origin, Path, Problem, Reader, StaticDefault, Value, scalar,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::foreign;
use super::rule::{Alone, Rule, RuleKind};

/// The group `trip`: the rules that open a breaker; one rule that holds suffices.
///
/// A map adds to the rules of lower layers and overrides their values; `failure_rate: off` removes a rule. A
/// list replaces the rules of lower layers. The default rules, a failure rate of 0.5 and 15 consecutive
/// failures, apply if no layer has any rule.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Trip {
    /// The rules, in the order of the document.
    pub rules: Vec<Rule>,
    /// `trip.minimum_calls`: the minimum of every rate that has none of its own.
    pub minimum_calls: Option<Located<u32>>,
    /// Whether the rules are a list, which replaces all rules of lower layers.
    pub alone: bool,
    /// Whether some value could not be read. That has been reported, so that a value that seems to be missing is not.
    pub(crate) unclear: bool,
}

const EXPECTED: &str = "trip rules such as { failure_rate: { threshold: 0.5 } }";

impl Trip {
    /// Returns the rule of this kind, and adds it if it is absent.
    pub(crate) fn rule_mut(&mut self, kind: RuleKind) -> &mut Rule {
        let place = self.rules.iter().position(|rule| rule.kind == kind).unwrap_or_else(|| {
            self.rules.push(Rule::new(kind));
            self.rules.len() - 1
        });
        &mut self.rules[place]
    }

    /// Returns the rules of this kind.
    pub(crate) fn of(&self, kind: RuleKind) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.kind == kind)
    }

    /// Returns the path within the group of each rule of these kinds: its key, after its index in the list if
    /// another rule has the same key.
    pub(crate) fn paths(kinds: &[RuleKind]) -> Vec<String> {
        let is_alone = |kind| kinds.iter().filter(|other| **other == kind).count() == 1;
        let path = |(place, kind): (usize, &RuleKind)| match is_alone(*kind) {
            true => kind.to_string(),
            false => format!("{place}.{kind}"),
        };
        kinds.iter().enumerate().map(path).collect()
    }

    fn read_map(node: &Node, reader: &mut Reader<'_>) -> Trip {
        let mut fields = reader.fields(node, EXPECTED);
        let rules = read_rules(&mut fields, reader);
        let minimum_calls = fields.take("minimum_calls", reader, scalar::positive);
        fields.finish_with(reader, |_, entry| foreign::advice("", entry));
        Trip { rules, minimum_calls, ..Trip::default() }
    }

    fn read_list(items: &[Node], reader: &mut Reader<'_>) -> Trip {
        let mut rules = Vec::new();
        for (place, item) in items.iter().enumerate() {
            reader.within(&place.to_string(), |reader| {
                let mut fields = reader.fields(item, EXPECTED);
                let read = read_rules(&mut fields, reader);
                // An item with two rules reads like one rule with two conditions, which there is not.
                if read.len() > 1 {
                    let message = format!("`{}` holds {} rules, must hold one", reader.path(), read.len());
                    reader.report(Problem::error(reader.path(), message).at(item.span.clone()));
                }
                fields.finish(reader);
                rules.extend(read.into_iter().filter(|rule| !rule.off));
            });
        }
        Trip { rules, alone: true, ..Trip::default() }
    }

    fn merge(&mut self, upper: &Rule) {
        let mut same = self.rules.iter_mut().filter(|rule| rule.kind == upper.kind);
        match (same.next(), same.next()) {
            (Some(rule), None) => rule.overlay(upper),
            // With several rules of one kind it is ambiguous which one the upper layer overrides.
            (None, _) | (Some(_), Some(_)) => {
                self.rules.retain(|rule| rule.kind != upper.kind);
                self.rules.push(upper.clone());
            }
        }
    }

    /// Returns true if the rules must be written as a list: two have one kind, or they replace those of lower layers.
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
    const KEYS: &'static [&'static str] =
        &["consecutive_failures", "failure_count", "failure_rate", "slow_call_rate", "minimum_calls"];

    fn read(node: &Node, reader: &mut Reader<'_>) -> Trip {
        let errors = reader.errors();
        let trip = match &node.value {
            Value::List(items) => Trip::read_list(items, reader),
            _ => Trip::read_map(node, reader),
        };
        // A rule that could not be read is not missing, so missing parts are not reported for this group.
        Trip { unclear: reader.errors() > errors, ..trip }
    }

    fn overlay(&mut self, upper: &Trip) {
        // A list stands alone: it has all the rules, and the layers below add none.
        if upper.alone {
            self.clone_from(upper);
            return;
        }
        self.unclear |= upper.unclear;
        if upper.minimum_calls.is_some() {
            self.minimum_calls.clone_from(&upper.minimum_calls);
            // A common minimum of an upper layer also replaces the own minimums of the rules below it, or it would
            // have no effect on a template's.
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

    fn visit(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin)) {
        if let Some(minimum) = &self.minimum_calls {
            path.within("minimum_calls", |path| visit(path.as_str(), minimum.origin()));
        }
        if self.rules.is_empty() {
            return;
        }
        let rules: Vec<&Rule> = self.rules.iter().filter(|rule| !rule.off).collect();
        let paths = Trip::paths(&rules.iter().map(|rule| rule.kind).collect::<Vec<_>>());
        for (rule, own) in rules.into_iter().zip(paths) {
            path.within(&own, |path| rule.visit(path, visit));
        }
    }
}

impl StaticDefault for Trip {
    fn static_default() -> &'static Trip {
        static EMPTY: Trip = Trip { rules: Vec::new(), minimum_calls: None, alone: false, unclear: false };
        &EMPTY
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
