//! The task of one check.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::adapter::catch_panic;
use halfopen::{CircuitBreaker, Registry};
use tokio::sync::Mutex as Turn;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::check::HealthCheck;
#[cfg(feature = "tracing")]
use crate::decide::HealthStatus;
use crate::decide::{Action, Rules, Streak, View};
use crate::target::Answer;
use crate::{lock, schedule};

/// A check that runs: what its task, the listener and summaries share.
pub(crate) struct Tracked {
    pub(crate) name: String,
    registry: Registry,
    rules: Rules,
    /// Shared with the check that replaces this one.
    record: Arc<Mutex<Record>>,
    /// Whether the check was removed: a result that arrives after that must not hold the breaker.
    ended: AtomicBool,
}

/// The results of the checks so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) streak: Streak,
    pub(crate) checks: u64,
    pub(crate) failed: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) last_checked: Option<Instant>,
    pub(crate) last_duration: Option<Duration>,
}

/// A task that ends with its handle.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        // Needs no runtime, so that a monitor can be dropped after its runtime.
        self.0.abort();
    }
}

impl<T> Task<T> {
    pub(crate) fn of(handle: JoinHandle<T>) -> Task<T> {
        Task(handle)
    }

    /// Returns whether it has ended by itself, as it does with its runtime.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Tracked {
    pub(crate) fn new(name: &str, registry: Registry, rules: Rules) -> Tracked {
        let (record, ended) = (Arc::default(), AtomicBool::new(false));
        Tracked { name: name.to_owned(), registry, rules, record, ended }
    }

    /// Returns what the check that replaces this one tracks: the results are kept.
    pub(crate) fn replaced(&self, rules: Rules) -> Tracked {
        let record = Arc::clone(&self.record);
        Tracked { record, ..Tracked::new(&self.name, self.registry.clone(), rules) }
    }

    pub(crate) fn record(&self) -> Record {
        lock(&self.record).clone()
    }

    /// The breaker, if there is one. No handle is kept: a breaker with a check can be removed and evicted.
    pub(crate) fn breaker(&self) -> Option<CircuitBreaker> {
        self.registry.get(&self.name)
    }

    fn view(&self) -> View {
        self.breaker().map_or(View::ABSENT, |breaker| View::of(&breaker.snapshot()))
    }

    /// Adds the result of a check, and acts on the breaker.
    fn finished(&self, answer: Answer, began_in: u64, took: Duration) {
        let view = self.view();
        let passed = answer.is_ok();
        let mut record = lock(&self.record);
        #[cfg(feature = "tracing")]
        let before = record.streak.status;
        record.streak = record.streak.record(passed, began_in, view, &self.rules);
        record.checks = record.checks.saturating_add(1);
        record.failed = record.failed.saturating_add(u64::from(!passed));
        record.last_error = answer.err().map(shortened);
        record.last_checked = Some(Instant::now());
        record.last_duration = Some(took);
        let action = record.streak.decide(view, &self.rules);
        #[cfg(feature = "tracing")]
        let (after, error) = (record.streak.status, record.last_error.clone());
        // Before the breaker is changed: its listeners, this monitor's among them, are called by this thread.
        drop(record);
        #[cfg(feature = "tracing")]
        report(&self.name, before, after, error.as_deref());
        self.act(action);
    }

    /// Holds a breaker that another caller has opened, if its probes wait for a check.
    pub(crate) fn breaker_opened(&self, breaker: &CircuitBreaker) {
        let view = View::of(&breaker.snapshot());
        let action = lock(&self.record).streak.seen(view).decide(view, &self.rules);
        match action {
            Action::OpenFor(lease) => self.open(breaker, lease, view),
            Action::Leave | Action::EndWait => {}
        }
    }

    fn act(&self, action: Action) {
        match action {
            Action::Leave => {}
            Action::OpenFor(lease) => {
                let breaker = self.registry.get_or_create(&self.name);
                let view = View::of(&breaker.snapshot());
                self.open(&breaker, lease, view);
            }
            Action::EndWait => {
                if let Some(breaker) = self.breaker() {
                    breaker.end_wait();
                }
            }
        }
    }

    fn open(&self, breaker: &CircuitBreaker, lease: Duration, before: View) {
        breaker.open_for(lease);
        let opening = View::of(&breaker.snapshot()).opening;
        // Under an override the breaker did not open.
        if opening != before.opening {
            let mut record = lock(&self.record);
            record.streak = record.streak.seen(before).opened(opening);
        }
        // Removed meanwhile: whichever of the two comes last ends the wait.
        if self.ended.load(Ordering::SeqCst) {
            self.let_go();
        }
    }

    /// Ends the wait that this check has set, and any that it sets from now on.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.let_go();
    }

    /// Ends the wait that this check has set, if the breaker is still in it.
    fn let_go(&self) {
        let outage = lock(&self.record).streak.outage;
        let Some(breaker) = self.breaker().filter(|_| outage.ours) else { return };
        if View::of(&breaker.snapshot()).opening == outage.opening {
            breaker.end_wait();
        }
    }
}

/// Checks until the task is aborted or its runtime ends.
pub(crate) async fn watch(tracked: Arc<Tracked>, check: HealthCheck, seed: u64, turn: Arc<Turn<()>>) {
    let plan = &check.plan;
    let mut next = Instant::now() + schedule::first(plan.interval, plan.jitter, seed);
    for round in 0.. {
        sleep_until(next).await;
        let (begin, began_in) = (Instant::now(), tracked.view().opening);
        let asked = attempt(&turn, begin + plan.timeout, &check, &tracked.registry).await;
        let Some(answer) = asked else { return };
        tracked.finished(answer, began_in, begin.elapsed());
        next = (begin + schedule::pause(plan.interval, plan.jitter, seed, round)).max(Instant::now());
    }
}

/// Asks once, in a task of its own: one that panics or blocks is a failed check and does not end this task. Returns
/// [`None`] if the runtime is shutting down.
async fn attempt(
    turn: &Arc<Turn<()>>,
    deadline: Instant,
    check: &HealthCheck,
    registry: &Registry,
) -> Option<Answer> {
    // An aborted task that blocks its thread still runs. A second one beside it would be the next to block.
    let Ok(own) = timeout_at(deadline, Arc::clone(turn).lock_owned()).await else {
        return Some(Err("the previous check still blocks its thread".to_owned()));
    };
    let asked = check.target.clone().ask(registry.clone());
    let mut task = Task(tokio::spawn(async move {
        let _own = own;
        asked.await
    }));
    match timeout_at(deadline, &mut task.0).await {
        Ok(ended) => ended.map_or_else(failed, Some),
        // The task is aborted with its handle.
        Err(_) => Some(Err(format!("no answer in {}", halfopen::format_duration(check.plan.timeout)))),
    }
}

fn failed(error: JoinError) -> Option<Answer> {
    let payload = error.try_into_panic().ok()?;
    let message = payload.downcast_ref::<String>().cloned();
    let message = message.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
    // The payload is the user's, and so is its drop.
    catch_panic(move || drop(payload));
    Some(Err(message.map_or_else(|| "panicked".to_owned(), |message| format!("panicked: {message}"))))
}

/// The longest error that is kept, in bytes.
const LONGEST_ERROR: usize = 500;

fn shortened(mut error: String) -> String {
    if error.len() > LONGEST_ERROR {
        let end = (0..=LONGEST_ERROR).rev().find(|&end| error.is_char_boundary(end));
        error.truncate(end.unwrap_or_default());
        error.push_str("..");
    }
    error
}

#[cfg(feature = "tracing")]
fn report(name: &str, before: HealthStatus, after: HealthStatus, error: Option<&str>) {
    match (before, after) {
        (HealthStatus::Unhealthy, HealthStatus::Healthy) => {
            tracing::info!(check = name, "health check passes again");
        }
        (HealthStatus::Unknown | HealthStatus::Healthy, HealthStatus::Unhealthy) => {
            tracing::warn!(check = name, error, "health check fails");
        }
        (HealthStatus::Unknown | HealthStatus::Healthy | HealthStatus::Unhealthy, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_after_the_end_does_not_hold_the_breaker() {
        let rules = Rules { failures: 1, successes: 1, gate_probes: false, longest: Duration::from_secs(15) };
        let registry = Registry::new();
        let breaker = registry.get_or_create("db");
        let tracked = Tracked::new("db", registry, rules);
        let fail = || tracked.finished(Err("refused".to_owned()), tracked.view().opening, Duration::ZERO);
        fail();
        assert!(breaker.is_open());
        tracked.end();
        assert!(breaker.is_half_open(), "it lets go at the end");
        fail();
        assert!(!breaker.is_open(), "the check was running when it was removed");
    }
}
