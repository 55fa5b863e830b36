//! All rules for all breakers, at one moment.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use halfopen::Snapshot;

use crate::alert::{Alert, AlertStatus, Severity};
use crate::engine::{Change, Phase};
use crate::metrics::{BreakerMetrics, Memory};
use crate::rule::{AlertRule, Condition};

type Key = (Arc<str>, Arc<str>);

/// What is remembered from one evaluation to the next.
#[derive(Default)]
pub(crate) struct Evaluator {
    memories: BTreeMap<Arc<str>, Memory>,
    /// The time of the last evaluation.
    last: Option<Duration>,
    phases: HashMap<Key, (Phase, Option<Alert>)>,
}

/// A condition that is not about a breaker: a store or a notifier that is gone.
pub(crate) struct Gone {
    pub(crate) subject: Arc<str>,
    pub(crate) message: String,
}

/// The rule of notifiers that are gone. It cannot be changed: a dead sink is always reported.
pub(crate) const NOTIFIER_GONE: &str = "notifier_gone";

const NOTIFIER_COOLDOWN: Duration = Duration::from_secs(300);

/// An alert whose condition holds.
struct Begin {
    key: Key,
    severity: Severity,
    cooldown: Duration,
}

/// The moment of an evaluation.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Duration,
    pub(crate) wall: SystemTime,
}

impl Evaluator {
    /// Returns the metrics of all breakers.
    pub(crate) fn see(
        &mut self,
        snapshots: Vec<Snapshot>,
        category: impl Fn(&str) -> String,
        now: Duration,
    ) -> Vec<BreakerMetrics> {
        let mut former = std::mem::take(&mut self.memories);
        let last = self.last.replace(now);
        let seen = snapshots.into_iter().map(|snapshot| {
            let name = Arc::clone(&snapshot.name);
            let mut memory =
                former.remove(&name).unwrap_or_else(|| last.map_or_else(Memory::default, Memory::of_new));
            let metrics = memory.see(snapshot, category(&name), now);
            // Those of breakers that are gone are forgotten.
            self.memories.insert(name, memory);
            metrics
        });
        seen.collect()
    }

    /// Returns the alerts that begin to fire or resolve.
    pub(crate) fn evaluate(
        &mut self,
        rules: &[AlertRule],
        breakers: &[BreakerMetrics],
        stores: &[Gone],
        notifiers: &[Gone],
        moment: Moment,
    ) -> Vec<Alert> {
        let mut changed = Vec::new();
        let mut holding = HashSet::new();
        for rule in rules {
            let holds = breakers.iter().filter(|metrics| rule.holds(metrics));
            for metrics in holds {
                let key = (Arc::clone(&rule.name), Arc::clone(&metrics.name));
                let describe = || (metrics.snapshot.to_string(), metrics.category.as_str().into());
                let begin = Begin { key, severity: rule.severity, cooldown: rule.cooldown };
                changed.extend(self.fire(begin, describe, moment, &mut holding));
            }
            let gone = stores.iter().filter(|_| matches!(rule.condition, Condition::StoreGone));
            for store in gone {
                let key = (Arc::clone(&rule.name), Arc::clone(&store.subject));
                let begin = Begin { key, severity: rule.severity, cooldown: rule.cooldown };
                changed.extend(self.fire(begin, || store.description(), moment, &mut holding));
            }
        }
        let name: Arc<str> = NOTIFIER_GONE.into();
        for notifier in notifiers {
            let key = (Arc::clone(&name), Arc::clone(&notifier.subject));
            let begin = Begin { key, severity: Severity::High, cooldown: NOTIFIER_COOLDOWN };
            changed.extend(self.fire(begin, || notifier.description(), moment, &mut holding));
        }
        self.resolve(&holding, moment, &mut changed);
        changed
    }

    /// Returns the alert if it begins to fire. `describe` returns its message and its category.
    fn fire(
        &mut self,
        begin: Begin,
        describe: impl FnOnce() -> (String, Arc<str>),
        moment: Moment,
        holding: &mut HashSet<Key>,
    ) -> Option<Alert> {
        let Begin { key, severity, cooldown } = begin;
        let (phase, fired) = self.phases.entry(key.clone()).or_default();
        let (next, change) = phase.next(true, cooldown, moment.now);
        *phase = next;
        holding.insert(key.clone());
        change.filter(|change| *change == Change::Fires)?;
        let ((rule, subject), (message, category)) = (key, describe());
        let status = AlertStatus::Firing;
        let started_at = moment.wall;
        let alert = Alert { rule, subject, severity, status, category, message, started_at, ended_at: None };
        fired.insert(alert).clone().into()
    }

    /// Resolves the alerts whose condition does not hold: those of rules and breakers that are gone, too.
    fn resolve(&mut self, holding: &HashSet<Key>, moment: Moment, changed: &mut Vec<Alert>) {
        for (key, (phase, alert)) in &mut self.phases {
            if holding.contains(key) {
                continue;
            }
            let (next, change) = phase.next(false, Duration::ZERO, moment.now);
            *phase = next;
            if let (Some(Change::Resolves), Some(fired)) = (change, alert.take()) {
                let ended_at = Some(moment.wall.max(fired.started_at));
                changed.push(Alert { status: AlertStatus::Resolved, ended_at, ..fired });
            }
        }
        self.phases.retain(|key, (phase, _)| holding.contains(key) || !phase.is_over(moment.now));
    }
}

impl Gone {
    fn description(&self) -> (String, Arc<str>) {
        (self.message.clone(), Arc::default())
    }
}
