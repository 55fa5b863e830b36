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
                let of = |status| Alert {
                    rule: Arc::clone(&rule.name),
                    subject: Arc::clone(&metrics.name),
                    severity: rule.severity,
                    status,
                    category: metrics.category.as_str().into(),
                    message: metrics.snapshot.to_string(),
                    started_at: moment.wall,
                    ended_at: None,
                };
                self.fire(of, rule.cooldown, moment, &mut holding, &mut changed);
            }
            if matches!(rule.condition, Condition::StoreGone) {
                let (name, severity) = (&rule.name, rule.severity);
                stores.iter().for_each(|gone| {
                    let of = |status| gone.alert(name, severity, status, moment.wall);
                    self.fire(of, rule.cooldown, moment, &mut holding, &mut changed);
                });
            }
        }
        let name: Arc<str> = NOTIFIER_GONE.into();
        for gone in notifiers {
            let of = |status| gone.alert(&name, Severity::High, status, moment.wall);
            self.fire(of, Duration::from_secs(300), moment, &mut holding, &mut changed);
        }
        self.resolve(&holding, moment, &mut changed);
        changed
    }

    fn fire(
        &mut self,
        of: impl FnOnce(AlertStatus) -> Alert,
        cooldown: Duration,
        moment: Moment,
        holding: &mut HashSet<Key>,
        changed: &mut Vec<Alert>,
    ) {
        let alert = of(AlertStatus::Firing);
        let key = alert.key();
        let entry = self.phases.entry(key.clone()).or_default();
        let (phase, change) = entry.0.next(true, cooldown, moment.now);
        entry.0 = phase;
        if change == Some(Change::Fires) {
            entry.1 = Some(alert.clone());
            changed.push(alert);
        }
        holding.insert(key);
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
    fn alert(
        &self,
        rule: &Arc<str>,
        severity: Severity,
        status: AlertStatus,
        started_at: SystemTime,
    ) -> Alert {
        Alert {
            rule: Arc::clone(rule),
            subject: Arc::clone(&self.subject),
            severity,
            status,
            category: Arc::default(),
            message: self.message.clone(),
            started_at,
            ended_at: None,
        }
    }
}
