use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use halfopen::{CircuitBreaker, Event, Interest, Listener, Registry, State, Subscription};
use tokio::runtime::Handle;
use tokio::sync::Mutex as Turn;

use crate::check::HealthCheck;
use crate::error::HealthCheckError;
use crate::summary::{CheckSummary, HealthSummary};
use crate::target::Target;
use crate::task::{Task, Tracked, watch};
use crate::{lock, schedule};

/// Checks dependencies on an interval, and drives their breakers.
///
/// A check has the name of its breaker, and each name has one check:
///
/// - [`failure_threshold`](crate::HealthCheckBuilder::failure_threshold) failed checks in a row open the breaker for as
///   long as checks fail: each opening is for three intervals and timeouts, and is renewed.
/// - [`success_threshold`](crate::HealthCheckBuilder::success_threshold) passed checks in a row, which began after the
///   opening, end its wait: the breaker is half-open, and its own probes decide. If no check has failed during the
///   outage, the number doubles with each reopening, so that a check that does not see the outage cannot annul the
///   backoff.
/// - With [`gate_probes`](crate::HealthCheckBuilder::gate_probes) an open breaker stays open until a check has passed.
/// - An operator's override stands, and a wait that an operator or a fleet has set
///   ([`trip`](CircuitBreaker::trip), [`open_for`](CircuitBreaker::open_for)) is not ended by a passing check.
/// - A check that does not end within its timeout has failed, and so has one that panics. No check runs twice at the same
///   time: one that blocks its thread fails until it returns, if the runtime has other threads that are not idle.
///
/// Clones share one monitor. When the last is dropped, its checks are cancelled, and the breakers that they hold open
/// become half-open; it can be dropped outside a runtime.
///
/// Breakers are looked up by name for each check, and created when a check opens them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use halfopen::Registry;
/// use halfopen_health::{HealthCheck, HealthMonitor};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new();
/// let check = HealthCheck::every(Duration::from_secs(15)).failure_threshold(2);
/// let monitor = HealthMonitor::new(registry.clone()).check("db", check.run(|| async { Err::<(), _>("refused") }))?;
///
/// tokio::time::sleep(Duration::from_secs(40)).await;
/// assert!(registry.get_or_create("db").is_open());
/// assert_eq!(monitor.summary().to_string(), "0 of 1 healthy; `db` is unhealthy: refused");
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "checks end when the monitor is dropped"]
pub struct HealthMonitor(Arc<Owner>);

/// Ends the checks when the last clone is dropped.
struct Owner(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) checks: Mutex<Checks>,
    seed: OnceLock<u64>,
    /// That of the last call that added a check.
    runtime: Mutex<Option<Handle>>,
    subscription: OnceLock<Subscription>,
    /// Returns a check of the program with the values of the document.
    pub(crate) settings: OnceLock<Box<Overlay>>,
}

type Overlay = dyn Fn(&str, &HealthCheck) -> HealthCheck + Send + Sync;

#[derive(Default)]
pub(crate) struct Checks {
    running: BTreeMap<String, Running>,
    /// The checks of the program, as they were added. Those that run also have the values of the document.
    pub(crate) added: BTreeMap<String, HealthCheck>,
    pub(crate) without_target: Vec<String>,
    /// The checks of the document that would wait for themselves.
    pub(crate) circular: Vec<String>,
    /// One per name, held by the question that runs: no check runs beside a former one of its name.
    turns: BTreeMap<String, Weak<Turn<()>>>,
    ended: bool,
}

/// A check that runs.
pub(crate) struct Running {
    check: HealthCheck,
    tracked: Arc<Tracked>,
    task: Task<()>,
}

impl Running {
    /// Ends the check. Not to be called under a lock: the breaker's listeners are called.
    pub(crate) fn end(self) {
        let Running { check, tracked, task } = self;
        // The task first, or it could open the breaker again.
        drop((task, check));
        tracked.end();
    }
}

impl HealthMonitor {
    /// Creates a monitor without checks for the breakers of this registry.
    pub fn new(registry: Registry) -> HealthMonitor {
        let shared = Arc::new(Shared {
            registry,
            checks: Mutex::default(),
            seed: OnceLock::new(),
            runtime: Mutex::default(),
            subscription: OnceLock::new(),
            settings: OnceLock::new(),
        });
        // A registry does not keep the monitor alive.
        let listener = Openings(Arc::downgrade(&shared));
        let _ = shared.subscription.set(shared.registry.subscribe(listener));
        HealthMonitor(Arc::new(Owner(shared)))
    }

    /// Sets the seed of the jitter, so that a test has the same intervals each time. The default is random.
    ///
    /// Has no effect after the first check.
    pub fn seed(self, seed: u64) -> Self {
        let _ = self.shared().seed.set(seed);
        self
    }

    /// Adds the check of the breaker of this name, and starts it. It replaces an earlier check of the name, whose
    /// results are kept.
    ///
    /// # Errors
    ///
    /// A number out of its range, an invalid address, a breaker that waits for itself through the checks of others, or no
    /// tokio runtime.
    pub fn check(self, name: &str, check: HealthCheck) -> Result<Self, HealthCheckError> {
        self.set(name, check)?;
        Ok(self)
    }

    /// Like [`check`](Self::check), for a monitor that is shared.
    ///
    /// # Errors
    ///
    /// The errors of [`check`](Self::check).
    pub fn set(&self, name: &str, check: HealthCheck) -> Result<(), HealthCheckError> {
        self.shared().remember_runtime(name)?;
        check.plan.validate(name)?;
        check.target.validate(name)?;
        let shared = self.shared();
        let own = check.clone();
        let former = lock(&shared.checks).added.insert(name.to_owned(), check);
        drop(former);
        // Without the lock: it may wait for a document that is being applied, which waits for the lock. That document
        // may have replaced the one whose values are read here, so they are read until they stay the same.
        let overlaid = || shared.settings.get().map_or_else(|| own.clone(), |overlay| overlay(name, &own));
        let mut wanted = overlaid();
        loop {
            let former = {
                let mut checks = lock(&shared.checks);
                let others = |name: &str| checks.running.get(name).map(|running| &running.check);
                if let Some(chain) = circle(name, &wanted, others) {
                    checks.added.remove(name);
                    return Err(HealthCheckError::new(
                        name,
                        format!("from_breaker makes a circle of which no breaker would recover: {chain}"),
                    ));
                }
                checks.without_target.retain(|without| without != name);
                shared.start(&mut checks, name, wanted.clone())
            };
            drop(former);
            let again = overlaid();
            if again == wanted {
                return Ok(());
            }
            wanted = again;
        }
    }

    /// Ends the check of this name, and returns whether there was one. A breaker that it holds open becomes half-open.
    pub fn remove(&self, name: &str) -> bool {
        let (_added, running) = {
            let mut checks = lock(&self.shared().checks);
            (checks.added.remove(name), checks.running.remove(name))
        };
        running.map(Running::end).is_some()
    }

    /// Returns the results of all checks.
    pub fn summary(&self) -> HealthSummary {
        let (tracked, without_target, circular) = {
            let checks = lock(&self.shared().checks);
            let tracked: Vec<_> =
                checks.running.values().map(|running| Arc::clone(&running.tracked)).collect();
            (tracked, checks.without_target.clone(), checks.circular.clone())
        };
        let checks = tracked.iter().map(|tracked| CheckSummary::of(tracked)).collect();
        HealthSummary { circular, ..HealthSummary::of(checks, without_target) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl Shared {
    /// Remembers the runtime of the caller, for this check and those that a document adds later.
    pub(crate) fn remember_runtime(&self, name: &str) -> Result<(), HealthCheckError> {
        let mut runtime = lock(&self.runtime);
        if let Ok(current) = Handle::try_current() {
            *runtime = Some(current);
        }
        match &*runtime {
            Some(_) => Ok(()),
            None => Err(HealthCheckError::new(name, "needs a tokio runtime, of which no handle is current")),
        }
    }

    /// Starts a check that has been validated, unless the same one is running. Returns the one that it replaces, which
    /// is to be dropped without the lock: it may be the last to have a function of the program.
    #[must_use]
    pub(crate) fn start(
        self: &Arc<Self>,
        checks: &mut Checks,
        name: &str,
        check: HealthCheck,
    ) -> Option<Running> {
        let runtime = lock(&self.runtime).clone()?;
        let former = checks.running.get(name);
        let same = former.is_some_and(|former| former.check == check && !former.task.is_finished());
        if checks.ended || same {
            return None;
        }
        let rules = check.plan.rules();
        let tracked = match former {
            Some(former) => former.tracked.replaced(rules),
            None => Tracked::new(name, self.registry.clone(), rules),
        };
        let tracked = Arc::new(tracked);
        let seed = *self.seed.get_or_init(|| RandomState::new().hash_one(()));
        let turn = checks.turn(name);
        let watched = watch(Arc::clone(&tracked), check.clone(), schedule::seed_of(seed, name), turn);
        let task = Task::of(runtime.spawn(watched));
        checks.running.insert(name.to_owned(), Running { check, tracked, task })
    }

    /// Removes every check of which `keep` is false, and returns those that are to be ended.
    #[cfg(feature = "config")]
    pub(crate) fn retain(checks: &mut Checks, keep: impl Fn(&str) -> bool) -> Vec<Running> {
        let ended: Vec<String> = checks.running.keys().filter(|name| !keep(name)).cloned().collect();
        ended.iter().filter_map(|name| checks.running.remove(name)).collect()
    }

    fn end(&self) {
        let running = {
            let mut checks = lock(&self.checks);
            checks.ended = true;
            std::mem::take(&mut checks.running)
        };
        running.into_values().for_each(Running::end);
    }

    fn tracked(&self, name: &str) -> Option<Arc<Tracked>> {
        lock(&self.checks).running.get(name).map(|running| Arc::clone(&running.tracked))
    }
}

/// Returns the breakers, joined by arrows, through which a check would wait for its own. `check_of` returns the check of
/// another breaker.
pub(crate) fn circle<'a>(
    name: &'a str,
    check: &'a HealthCheck,
    check_of: impl Fn(&str) -> Option<&'a HealthCheck>,
) -> Option<String> {
    let mut chain = vec![name];
    let mut at = check;
    while let Target::Breaker(next) = &at.target {
        let seen = chain.contains(&next.as_str());
        chain.push(next);
        if seen {
            return (next == name).then(|| chain.join(" -> "));
        }
        at = check_of(next)?;
    }
    None
}

impl Checks {
    fn turn(&mut self, name: &str) -> Arc<Turn<()>> {
        self.turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = self.turns.get(name).and_then(Weak::upgrade).unwrap_or_default();
        self.turns.insert(name.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Sees the openings of all breakers.
struct Openings(Weak<Shared>);

impl Listener for Openings {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        if let Event::StateChanged(change) = event
            && change.to == State::Open
            && let Some(shared) = self.0.upgrade()
            && let Some(tracked) = shared.tracked(breaker.name())
        {
            tracked.breaker_opened(breaker);
        }
    }

    fn interest(&self) -> Interest {
        Interest::CHANGES
    }
}

impl fmt::Debug for HealthMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthMonitor").field("summary", &self.summary()).finish_non_exhaustive()
    }
}
