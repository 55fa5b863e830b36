use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

#[cfg(feature = "page")]
use halfopen::Snapshot;
use halfopen::adapter::catch_panic;
use halfopen::{CircuitBreaker, Event, Interest, Listener, Registry, StateChange, Subscription};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::alert::{Alert, Severity};
use crate::board::Board;
#[cfg(feature = "page")]
use crate::board::MOST_LINES;
use crate::dashboard::{DashboardData, Overview, ServiceData};
use crate::error::MonitorError;
use crate::evaluator::{Evaluator, Gone, Moment};
use crate::notify::{Notifier, Sink, deliver};
#[cfg(feature = "page")]
use crate::page::{Frames, Row, ShadowRows, View};
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
    frames: Frames,
}

/// The rules and the interval of their evaluation. A document changes them.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The rules of the program, and after them those of the document.
    pub(crate) rules: Arc<[AlertRule]>,
    /// The time between evaluations.
    pub(crate) interval: Duration,
}

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
        lock(&self.0.shared.board).firing()
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
            frames: Frames::default(),
        });
        #[cfg(feature = "config")]
        if let Some(live) = &self.live {
            crate::document::follow(live, &shared, self.rules, self.interval);
        }
        let subscription = self.registry.subscribe(Changes(Arc::downgrade(&shared)));
        let mut tasks = vec![runtime.spawn(watch(Arc::clone(&shared)))];
        tasks.extend(shared.sinks.iter().map(|sink| runtime.spawn(deliver(Arc::clone(sink)))));
        #[cfg(feature = "page")]
        tasks.push(runtime.spawn(crate::page::publish(Arc::clone(&shared))));
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
        let (rates, alerts, history, history_dropped) = {
            let board = lock(&self.board);
            let history = board.history.iter().cloned().collect();
            (board.rates.clone(), board.alerts(), history, board.history_dropped)
        };
        let services = breakers.iter().map(|breaker| {
            let rate = rates.get(breaker.name()).copied().unwrap_or_default();
            ServiceData::of(breaker, self.category_of(breaker.name()), rate)
        });
        let services: Vec<ServiceData> = services.collect();
        let overview = Overview {
            alerts_firing: alerts.firing.len() as u64,
            rejections_per_second: rates.values().sum(),
            history_dropped,
            ..Overview::of(services.iter().map(|service| service.state))
        };
        let notifiers = self.sinks.iter().map(|sink| sink.status()).collect();
        DashboardData { overview, services, alerts, history, notifiers, audit: self.audit_lines() }
    }

    #[cfg(feature = "page")]
    fn audit_lines(&self) -> Vec<String> {
        lock(&self.board).audit().to_vec()
    }

    #[cfg(not(feature = "page"))]
    #[expect(clippy::unused_self, reason = "only the page has actions")]
    fn audit_lines(&self) -> Vec<String> {
        Vec::new()
    }

    fn state_changed(&self, change: &StateChange) {
        lock(&self.board).state_changed(change.clone(), self.most_history);
        self.changed.notify_one();
    }
}

/// What the page needs.
#[cfg(feature = "page")]
impl Shared {
    pub(crate) fn frames(&self) -> &Frames {
        &self.frames
    }

    pub(crate) fn breaker(&self, name: &str) -> Option<CircuitBreaker> {
        self.registry.get(name)
    }

    /// Returns the data of this moment.
    pub(crate) fn view(&self) -> View {
        let snapshots: Vec<Snapshot> =
            self.registry.breakers().iter().map(CircuitBreaker::snapshot).collect();
        let shadows = ShadowRows::of(&snapshots);
        let mut board = lock(&self.board);
        let rate = |name: &Arc<str>| board.rates.get(name).copied().unwrap_or_default();
        let rows: Vec<Row> = snapshots.iter().map(|one| Row::of(one, rate(&one.name))).collect();
        let overview = Overview {
            alerts_firing: board.alerts_firing(),
            rejections_per_second: board.rates.values().sum(),
            history_dropped: board.history_dropped,
            ..Overview::of(rows.iter().map(|row| row.state))
        };
        let history =
            board.history.range(board.history.len().saturating_sub(MOST_LINES)..).cloned().collect();
        let (firing, audit, changes) = (board.most_severe(), board.audit(), board.changes());
        View { overview, rows, firing, audit, shadows, history, changes }
    }

    /// Notes what an operator has done.
    pub(crate) fn acted(&self, action: &str) {
        #[cfg(feature = "tracing")]
        tracing::warn!("action on the page of circuit breakers: {action}");
        lock(&self.board).acted(action, wall_time());
    }

    /// Notes a request for an action that was refused.
    pub(crate) fn refused(&self, why: &'static str) {
        #[cfg(feature = "tracing")]
        tracing::warn!("refused action on the page of circuit breakers: {why}");
        lock(&self.board).refused(why, wall_time());
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
        self.shared.frames().end_streams();
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
