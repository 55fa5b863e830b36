use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use halfopen::adapter::catch_panic;
use halfopen::{CircuitBreaker, Event, Interest, Listener, Registry, StateChange, Subscription};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::alert::{Alert, AlertStatus, Severity};
use crate::dashboard::{DashboardAlerts, DashboardData, Overview, ServiceData};
use crate::error::MonitorError;
use crate::evaluator::{Evaluator, Gone, Moment};
use crate::notify::{Notifier, Sink, deliver};
use crate::rule::AlertRule;
use crate::{lock, wall_time};

/// Watches the breakers of a registry: fires alerts, sends them, and has the data of a dashboard.
///
/// Clones share one monitor, which ends when the last is dropped. It reads breakers and changes none.
#[derive(Clone)]
#[must_use = "a monitor ends when it is dropped"]
pub struct Monitor(Arc<Running>);

struct Running {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    _subscription: Subscription,
}

/// Builds a [`Monitor`].
#[must_use = "a monitor runs from `start` on"]
pub struct MonitorBuilder {
    registry: Registry,
    rules: Vec<AlertRule>,
    notifiers: Vec<(Severity, Box<dyn Notifier>)>,
    interval: Duration,
    history: usize,
    queue: usize,
    limit: Duration,
    category: Arc<Category>,
    stores: Vec<(Arc<str>, Box<Connected>)>,
    #[cfg(feature = "config")]
    /// Its categories are those of breakers without one of the program.
    pub(crate) live: Option<halfopen_config::LiveRegistry>,
}

pub(crate) type Category = dyn Fn(&str) -> Option<String> + Send + Sync;
type Connected = dyn Fn() -> bool + Send + Sync;

pub(crate) struct Shared {
    registry: Registry,
    plan: Mutex<Plan>,
    category: Arc<Category>,
    stores: Vec<(Arc<str>, Box<Connected>)>,
    sinks: Vec<Arc<Sink>>,
    start: Instant,
    changed: Notify,
    board: Mutex<Board>,
    most_history: usize,
    #[cfg(feature = "page")]
    page: crate::page::PageState,
}

/// What is evaluated, and how often. A document changes it.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The rules of the program, and after them those of the document.
    pub(crate) rules: Arc<[AlertRule]>,
    /// The time between evaluations.
    pub(crate) interval: Duration,
}

/// What the dashboard shows and no breaker has.
#[derive(Default)]
struct Board {
    rates: HashMap<Arc<str>, f64>,
    firing: BTreeMap<(Arc<str>, Arc<str>), Alert>,
    recent: VecDeque<Alert>,
    history: VecDeque<StateChange>,
    history_dropped: u64,
    audit: VecDeque<String>,
}

/// The alerts that the dashboard has had.
const RECENT: usize = 200;

/// Changes of state are evaluated together if they are closer than this.
const GATHER: Duration = Duration::from_millis(100);

impl Monitor {
    /// Returns a builder of a monitor without rules and notifiers.
    pub fn builder(registry: Registry) -> MonitorBuilder {
        MonitorBuilder {
            registry,
            rules: Vec::new(),
            notifiers: Vec::new(),
            interval: Duration::from_secs(5),
            history: 1_000,
            queue: 1_000,
            limit: Duration::from_secs(10),
            category: Arc::new(|_| None),
            stores: Vec::new(),
            #[cfg(feature = "config")]
            live: None,
        }
    }

    /// Returns everything that a dashboard shows, as of now.
    pub fn dashboard_data(&self) -> DashboardData {
        self.0.shared.dashboard()
    }

    /// Returns the alerts that are firing, sorted by rule and breaker.
    pub fn firing(&self) -> Vec<Alert> {
        lock(&self.0.shared.board).firing.values().cloned().collect()
    }

    #[cfg(feature = "page")]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0.shared)
    }

    /// Waits until every alert has been sent or refused, for `limit` at most, and returns the number of those that are
    /// left. Intended for the end of a program.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn flush(&self, limit: Duration) -> u64 {
        let left = || self.0.shared.sinks.iter().map(|sink| sink.status().queued).sum::<u64>();
        let empty = async {
            while left() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // At the limit the number says what is left.
        let _ = timeout(limit, empty).await;
        left()
    }
}

impl MonitorBuilder {
    /// Adds a rule.
    pub fn rule(mut self, rule: AlertRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds the [rules that ship with the crate](AlertRule::shipped).
    pub fn shipped_rules(mut self) -> Self {
        self.rules.extend(AlertRule::shipped());
        self
    }

    /// Sends all alerts to a notifier.
    pub fn notify(self, notifier: impl Notifier) -> Self {
        self.notify_from(Severity::Low, notifier)
    }

    /// Sends the alerts from this severity on to a notifier.
    pub fn notify_from(mut self, severity: Severity, notifier: impl Notifier) -> Self {
        self.notifiers.push((severity, Box::new(notifier)));
        self
    }

    /// Sets the time between evaluations, above zero and at most an hour. The default is 5 s. A change of state is
    /// evaluated within 100 ms, whatever the interval is.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the number of changes of state that [`dashboard_data`](Monitor::dashboard_data) has, at most 100,000. The
    /// default is 1,000.
    pub fn history(mut self, changes: usize) -> Self {
        self.history = changes;
        self
    }

    /// Sets the number of alerts that wait for each notifier, from 1 to 100,000. The default is 1,000; the oldest is
    /// dropped and counted when the queue is full.
    pub fn queue_capacity(mut self, alerts: usize) -> Self {
        self.queue = alerts;
        self
    }

    /// Sets the time for one attempt of a notifier, above zero. The default is 10 s.
    pub fn notifier_timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the category of each breaker, for rules and the dashboard.
    pub fn category(mut self, f: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.category = Arc::new(f);
        self
    }

    /// Adds a store that breakers share, for [`Condition::StoreGone`](crate::Condition::StoreGone): `connected` returns
    /// whether it can be reached, such as `move || fleet.status().connected`. It must not block.
    pub fn store(
        mut self,
        name: impl Into<Arc<str>>,
        connected: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        self.stores.push((name.into(), Box::new(connected)));
        self
    }

    /// Starts the monitor in tasks of the current runtime.
    ///
    /// # Errors
    ///
    /// A number out of its range, two rules or two notifiers of one name, or no tokio runtime.
    pub fn start(self) -> Result<Monitor, MonitorError> {
        self.validate()?;
        let runtime = Handle::try_current().map_err(|_| {
            MonitorError("a monitor needs a tokio runtime, of which no handle is current".to_owned())
        })?;
        let sinks = self.notifiers.into_iter();
        let sinks: Vec<_> = sinks
            .map(|(severity, notifier)| Arc::new(Sink::new(notifier, severity, self.queue, self.limit)))
            .collect();
        let category = self.category;
        #[cfg(feature = "config")]
        let category = match &self.live {
            Some(live) => crate::document::category(live, category),
            None => category,
        };
        let plan = Plan { rules: self.rules.clone().into(), interval: self.interval };
        let shared = Arc::new(Shared {
            registry: self.registry.clone(),
            plan: Mutex::new(plan),
            category,
            stores: self.stores,
            sinks,
            start: Instant::now(),
            changed: Notify::new(),
            board: Mutex::default(),
            most_history: self.history,
            #[cfg(feature = "page")]
            page: crate::page::PageState::default(),
        });
        #[cfg(feature = "config")]
        if let Some(live) = &self.live {
            crate::document::follow(live, &shared, self.rules, self.interval);
        }
        let subscription = self.registry.subscribe(Changes(Arc::downgrade(&shared)));
        let mut tasks = vec![runtime.spawn(watch(Arc::clone(&shared)))];
        tasks.extend(shared.sinks.iter().map(|sink| runtime.spawn(deliver(Arc::clone(sink)))));
        Ok(Monitor(Arc::new(Running { shared, tasks, _subscription: subscription })))
    }

    fn validate(&self) -> Result<(), MonitorError> {
        let wrong = |message: String| Err(MonitorError(message));
        if self.interval.is_zero() || self.interval > Duration::from_secs(3_600) {
            return wrong(format!("interval is {:?}, but must be above 0s and at most 1h", self.interval));
        }
        if self.history > MOST {
            return wrong(format!("history is {}, but must be at most 100,000", self.history));
        }
        if !(1..=MOST).contains(&self.queue) {
            return wrong(format!("queue_capacity is {}, but must be from 1 to 100,000", self.queue));
        }
        if self.limit.is_zero() {
            return wrong("notifier_timeout is 0s, but must be above 0s".to_owned());
        }
        for (index, rule) in self.rules.iter().enumerate() {
            rule.validate().map_err(|message| MonitorError(format!("rule `{}`: {message}", rule.name)))?;
            if self.rules[..index].iter().any(|other| other.name == rule.name) {
                return wrong(format!(
                    "rule `{}` is there twice: alerts are known by the names of their rules",
                    rule.name
                ));
            }
        }
        for (index, (_, notifier)) in self.notifiers.iter().enumerate() {
            if self.notifiers[..index].iter().any(|(_, other)| other.name() == notifier.name()) {
                return wrong(format!("notifier `{}` is there twice", notifier.name()));
            }
        }
        Ok(())
    }
}

/// The largest history and queue.
const MOST: usize = 100_000;

impl Shared {
    #[cfg(feature = "config")]
    pub(crate) fn set_plan(&self, plan: Plan) {
        // The former rules are dropped without the lock: they may be the last to have a function of the program.
        let former = std::mem::replace(&mut *lock(&self.plan), plan);
        drop(former);
        self.changed.notify_one();
    }

    fn plan(&self) -> Plan {
        lock(&self.plan).clone()
    }

    fn category_of(&self, name: &str) -> String {
        // The user's function; without a category if it panics.
        catch_panic(|| (self.category)(name)).flatten().unwrap_or_default()
    }

    fn evaluate(&self, evaluator: &mut Evaluator) {
        let moment = Moment { now: self.start.elapsed(), wall: wall_time() };
        let snapshots = self.registry.breakers().iter().map(CircuitBreaker::snapshot).collect();
        let metrics = evaluator.see(snapshots, |name| self.category_of(name), moment.now);
        let gone = self.stores.iter().filter(|(_, connected)| !catch_panic(connected).unwrap_or(false));
        let stores: Vec<Gone> = gone
            .map(|(name, _)| Gone {
                subject: Arc::clone(name),
                message: format!("store `{name}` cannot be reached"),
            })
            .collect();
        let dead = self.sinks.iter().filter(|sink| sink.is_gone());
        let notifiers: Vec<Gone> = dead
            .map(|sink| {
                let status = sink.status();
                let error = status.last_error.unwrap_or_default();
                let message =
                    format!("notifier `{}` cannot send: {error}; {} alerts wait", status.name, status.queued);
                Gone { subject: Arc::clone(sink.name()), message }
            })
            .collect();
        let rules = self.plan().rules;
        let changed = evaluator.evaluate(&rules, &metrics, &stores, &notifiers, moment);
        let rates = metrics.iter().filter(|metrics| metrics.rejections_per_second > 0.0);
        let rates = rates.map(|metrics| (Arc::clone(&metrics.name), metrics.rejections_per_second)).collect();
        let mut board = lock(&self.board);
        board.rates = rates;
        for alert in &changed {
            board.note(alert);
        }
        drop(board);
        for alert in &changed {
            self.sinks.iter().for_each(|sink| sink.push(alert));
        }
    }

    pub(crate) fn dashboard(&self) -> DashboardData {
        let breakers = self.registry.breakers();
        let (rates, alerts, history, history_dropped, audit) = {
            let board = lock(&self.board);
            let alerts = DashboardAlerts {
                firing: board.firing.values().cloned().collect(),
                recent: board.recent.iter().cloned().collect(),
            };
            let history: Vec<StateChange> = board.history.iter().cloned().collect();
            (
                board.rates.clone(),
                alerts,
                history,
                board.history_dropped,
                board.audit.iter().cloned().collect(),
            )
        };
        let services = breakers.iter().map(|breaker| {
            let rate = rates.get(breaker.name()).copied().unwrap_or_default();
            ServiceData::of(breaker, self.category_of(breaker.name()), rate)
        });
        let services: Vec<ServiceData> = services.collect();
        let mut overview = Overview {
            alerts_firing: alerts.firing.len() as u64,
            rejections_per_second: rates.values().sum(),
            history_dropped,
            ..Overview::default()
        };
        services.iter().for_each(|service| overview.count(service.state));
        let overview = overview.weighed();
        let notifiers = self.sinks.iter().map(|sink| sink.status()).collect();
        DashboardData { overview, services, alerts, history, notifiers, audit }
    }

    #[cfg(feature = "page")]
    pub(crate) fn breaker(&self, name: &str) -> Option<CircuitBreaker> {
        self.registry.get(name)
    }

    /// Notes what an operator has done.
    #[cfg(feature = "page")]
    pub(crate) fn audit(&self, line: &str) {
        #[cfg(feature = "tracing")]
        tracing::warn!("action on the page of circuit breakers: {line}");
        let mut board = lock(&self.board);
        if board.audit.len() >= RECENT {
            board.audit.pop_front();
        }
        let at = crate::alert::since_1970(wall_time()).as_secs();
        board.audit.push_back(format!("{at} {line}"));
    }

    #[cfg(feature = "page")]
    pub(crate) fn page(&self) -> &crate::page::PageState {
        &self.page
    }

    fn state_changed(&self, change: &StateChange) {
        let mut board = lock(&self.board);
        board.history.push_back(change.clone());
        while board.history.len() > self.most_history {
            board.history.pop_front();
            board.history_dropped = board.history_dropped.saturating_add(1);
        }
        drop(board);
        self.changed.notify_one();
    }
}

impl Board {
    fn note(&mut self, alert: &Alert) {
        match alert.status {
            AlertStatus::Firing => drop(self.firing.insert(alert.key(), alert.clone())),
            AlertStatus::Resolved => drop(self.firing.remove(&alert.key())),
        }
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(alert.clone());
    }
}

/// Evaluates on the interval and after changes of state, until the task is aborted.
async fn watch(shared: Arc<Shared>) {
    let mut evaluator = Evaluator::default();
    loop {
        shared.evaluate(&mut evaluator);
        let interval = shared.plan().interval;
        if timeout(interval, shared.changed.notified()).await.is_ok() {
            // Changes come in bursts: one evaluation is enough for all of them.
            sleep(GATHER.min(interval)).await;
        }
    }
}

struct Changes(Weak<Shared>);

impl Listener for Changes {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        if let Event::StateChanged(change) = event
            && let Some(shared) = self.0.upgrade()
        {
            shared.state_changed(change);
        }
    }

    fn interest(&self) -> Interest {
        Interest::CHANGES
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(feature = "page")]
        self.shared.end_streams();
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("firing", &self.firing().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for MonitorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorBuilder").field("rules", &self.rules).finish_non_exhaustive()
    }
}
