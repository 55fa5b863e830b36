//! The `alerts` of a document.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use halfopen_config::{Configuration, LiveRegistry, Period};
use halfopen_document::{Group, Node, Reader, Scope, Section, group, scalar};
use serde::Serialize;

use crate::alert::Severity;
use crate::monitor::{Category, MonitorBuilder, Plan, Shared};
use crate::rule::{AlertRule, Condition, LONGEST_MEMORY};

group! {
    /// The section `alerts` at the top of a document: the rules of a [`Monitor`](crate::Monitor).
    AlertsConfig, expected "alerts such as { interval: 5, rules: { down: { condition: opened } } }"
    values {
        /// The time between evaluations, above 0s and at most 1h; a number is seconds.
        interval: Period = period,
        /// Whether the rules that ship with the crate are added.
        shipped_rules: bool = scalar::boolean,
        /// The rules by name.
        rules: DocumentRules = DocumentRules::read,
    }
}

/// The rules of a document, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct DocumentRules(BTreeMap<String, RuleKeys>);

group! {
    /// A rule of a document.
    RuleKeys, expected "a rule such as { condition: opened, severity: high }"
    values {
        /// The condition: opened, flapping, stuck_open, failure_rate, slow_call_rate, rejections_per_second or
        /// store_gone.
        condition: String = condition,
        /// The severity: low, medium, high or critical.
        severity: Severity = severity,
        /// The time from the begin of an alert before which it does not fire again.
        cooldown: Period = Period::read_seconds,
        /// The share, or the calls a second, from which the rule holds.
        above: f64 = scalar::rate,
        /// The calls in the window below which a rule about a share does not hold.
        minimum_calls: u32 = scalar::positive,
        /// The number of openings of flapping.
        openings: u32 = scalar::positive,
        /// The time of flapping, at most 1h.
        within: Period = period,
        /// The time of stuck_open.
        lasting: Period = Period::read_seconds,
        /// The category of the breakers that it concerns.
        category: String = scalar::text,
        /// The names, or prefixes with a star, of the breakers that it concerns.
        breakers: Names = names,
    }
}

type Names = Vec<halfopen_config::Located<String>>;

impl Section for AlertsConfig {
    const KEY: &'static str = "alerts";
    const SCOPE: Scope = Scope::Document;
}

impl DocumentRules {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<DocumentRules> {
        let entries = reader.fields(node, "a map of rules by name").remaining();
        let rules = entries.into_iter().map(|entry| {
            let rule = reader.within(&entry.key, |reader| {
                let rule = RuleKeys::read(&entry.node, reader);
                if let Err(message) = rule.rule(&entry.key).validate() {
                    reader.mismatch_because::<()>(&entry.node, "a valid rule", Some(message));
                }
                rule
            });
            (entry.key.clone(), rule)
        });
        Some(DocumentRules(rules.collect()))
    }
}

impl RuleKeys {
    fn rule(&self, name: &str) -> AlertRule {
        let above = |default: f64| self.above.as_ref().map_or(default, |above| above.value);
        let minimum_calls = self.minimum_calls.as_ref().map_or(20, |calls| u64::from(calls.value));
        let condition =
            match self.condition.as_ref().map_or(CONDITIONS[0], |condition| condition.value.as_str()) {
                "flapping" => Condition::Flapping {
                    openings: self.openings.as_ref().map_or(4, |openings| openings.value),
                    within: self.within.as_ref().map_or(LONGEST_MEMORY / 6, |within| within.value.0),
                },
                "stuck_open" => Condition::StuckOpen {
                    lasting: self.lasting.as_ref().map_or(LONGEST_MEMORY / 4, |lasting| lasting.value.0),
                },
                "failure_rate" => Condition::FailureRate { above: above(0.25), minimum_calls },
                "slow_call_rate" => Condition::SlowCallRate { above: above(0.25), minimum_calls },
                "rejections_per_second" => Condition::RejectionsPerSecond { above: above(10.0) },
                "store_gone" => Condition::StoreGone,
                _ => Condition::Opened,
            };
        let mut rule = AlertRule::new(name).condition(condition);
        if let Some(severity) = &self.severity {
            rule = rule.severity(severity.value);
        }
        if let Some(cooldown) = &self.cooldown {
            rule = rule.cooldown(cooldown.value.0);
        }
        if let Some(category) = &self.category {
            rule = rule.category(category.value.as_str());
        }
        let names = self.breakers.iter().flat_map(|names| &names.value);
        rule.breakers(names.map(|name| name.value.clone()))
    }
}

const CONDITIONS: [&str; 7] = [
    "opened",
    "flapping",
    "stuck_open",
    "failure_rate",
    "slow_call_rate",
    "rejections_per_second",
    "store_gone",
];

fn condition(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = scalar::text(node, reader)?;
    if CONDITIONS.contains(&text.as_str()) {
        return Some(text);
    }
    reader.mismatch(node, &format!("one of {}", CONDITIONS.join(", ")))
}

fn severity(node: &Node, reader: &mut Reader<'_>) -> Option<Severity> {
    let text = scalar::text(node, reader)?;
    let found = Severity::ALL.iter().copied().find(|severity| severity.as_str() == text);
    found.or_else(|| reader.mismatch(node, "low, medium, high or critical"))
}

fn period(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
    Period::read_seconds_up_to(LONGEST_MEMORY, node, reader)
}

fn names(node: &Node, reader: &mut Reader<'_>) -> Option<Names> {
    scalar::list(node, reader, "a list of names such as [db-*]", scalar::text)
}

impl MonitorBuilder {
    /// Adds the `alerts` of a document, which are followed, and the categories of its breakers.
    ///
    /// A rule of the document replaces one of the program with the same name.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::{Format, LiveRegistry, Loader};
    /// use halfopen_monitor::{AlertsConfig, Monitor};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let document = "
    /// breakers: { claude: { metadata: { tags: [ai] } } }
    /// alerts:
    ///   shipped_rules: true
    ///   rules:
    ///     critical_ai_failure: { condition: failure_rate, above: 0.8, severity: critical, cooldown: 5m, category: ai }
    /// ";
    /// let loader = Loader::new().section::<AlertsConfig>().text("breakers.yaml", Format::Yaml, document);
    /// let live = LiveRegistry::new(loader)?;
    /// let monitor = Monitor::builder(live.registry().clone()).document(&live).start()?;
    /// # drop(monitor); Ok(()) }
    /// ```
    pub fn document(mut self, live: &LiveRegistry) -> Self {
        self.live = Some(live.clone());
        self
    }
}

/// Returns the category of the program, or that of the document.
pub(crate) fn category(live: &LiveRegistry, program: Arc<Category>) -> Arc<Category> {
    let live = live.clone();
    Arc::new(move |name| {
        program(name).or_else(|| live.configuration().settings(name).category().map(str::to_owned))
    })
}

/// Sets the rules and the interval of the document now and after each change, with those of the program where the
/// document has none.
pub(crate) fn follow(live: &LiveRegistry, shared: &Arc<Shared>, program: Vec<AlertRule>, interval: Duration) {
    let shared = Arc::downgrade(shared);
    live.on_apply(move |configuration| {
        // Weak: a document does not keep the monitor alive.
        let Some(shared) = shared.upgrade() else { return false };
        let written = configuration.get::<AlertsConfig>().and_then(|alerts| alerts.interval.as_ref());
        let interval = written.map_or(interval, |written| written.value.0);
        shared.set_plan(Plan { rules: rules(configuration, &program).into(), interval });
        true
    });
}

fn rules(configuration: &Configuration, program: &[AlertRule]) -> Vec<AlertRule> {
    let mut rules = program.to_vec();
    let Some(alerts) = configuration.get::<AlertsConfig>() else { return rules };
    let shipped = alerts.shipped_rules.as_ref().is_some_and(|shipped| shipped.value);
    let written = alerts.rules.iter().flat_map(|rules| &rules.value.0);
    let written = written.map(|(name, keys)| keys.rule(name));
    for rule in AlertRule::shipped().into_iter().filter(|_| shipped).chain(written) {
        rules.retain(|other| other.name != rule.name);
        rules.push(rule);
    }
    rules
}
