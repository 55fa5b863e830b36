use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use halfopen::{CircuitBreaker, Classify, ConfigError, ConfigProblem, ErrorsFail};
use tokio::sync::{Notify, watch};

use crate::decide::Policy;
use crate::error::BuildError;
use crate::event::OutboxEvent;
use crate::item::random_key;
use crate::lane_run::{Pace, Run};
use crate::lanes::Lanes;
use crate::limits::{Limits, Overflow};
use crate::outbox::{Outbox, Tasks};
use crate::replay::{Phase, Worker};
use crate::reports::{Listener, Reports};
use crate::sender::{ItemClassify, Sender};
use crate::shared::Shared;
use crate::store::{Store, within};
use crate::writer::{WallClock, Writer};

/// Builds an [`Outbox`]; returned by [`Outbox::builder`].
#[must_use = "a builder does nothing until it builds"]
pub struct OutboxBuilder<S: Sender> {
    store: Arc<dyn Store>,
    sender: S,
    breaker: Option<CircuitBreaker>,
    classifier: Box<dyn ItemClassify<S::Error>>,
    listener: Option<Listener>,
    clock: WallClock,
    settings: Settings,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    limits: Limits,
    policy: Policy,
    send_timeout: Duration,
    store_timeout: Duration,
    replay_interval: Duration,
    concurrent_lanes: usize,
}

impl<S: Sender> OutboxBuilder<S> {
    pub(crate) fn new(store: impl Store, sender: S) -> OutboxBuilder<S> {
        OutboxBuilder {
            store: Arc::new(store),
            sender,
            breaker: None,
            classifier: Box::new(ErrorsFail),
            listener: None,
            clock: Arc::new(system_time),
            settings: Settings {
                limits: Limits::default(),
                policy: Policy {
                    max_attempts: 10,
                    retry_delay: Duration::from_secs(1),
                    max_retry_delay: Duration::from_secs(5 * 60),
                },
                send_timeout: Duration::from_secs(10),
                store_timeout: Duration::from_secs(5),
                replay_interval: Duration::from_millis(5),
                concurrent_lanes: 4,
            },
        }
    }

    /// Sets the breaker of the receiver; the default is one named `outbox`, with the default configuration.
    pub fn breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Sets the classifier of the sender's results; by default every error is a failure.
    ///
    /// A failure is an outage: the item is buffered. An error with another outcome is an answer of a working receiver:
    /// `send` returns it, and in the replay it counts as an attempt.
    pub fn classify(mut self, classifier: impl Classify<(), S::Error> + Send + Sync + 'static) -> Self {
        self.classifier = Box::new(classifier);
        self
    }

    /// Sets the number of items and dead letters that are stored; the default is 100,000.
    pub fn max_items(mut self, items: u64) -> Self {
        self.settings.limits.max_items = items;
        self
    }

    /// Sets the bytes of all items and dead letters; the default is 256 MiB.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.limits.max_bytes = bytes;
        self
    }

    /// Sets what happens when there is no room; the default is [`Overflow::Reject`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.settings.limits.overflow = overflow;
        self
    }

    /// Sets after how many failed attempts an item is set aside as a dead letter; the default is 10.
    ///
    /// Outages do not count: rejections by the breaker, and failures during which the receiver took no other item
    /// or which left the breaker open.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.policy.max_attempts = attempts;
        self
    }

    /// Sets the time before a failed item is tried again; the default is 1 s. It is doubled by each attempt that
    /// counts, up to 5 minutes or to this time, if that is longer.
    pub fn retry_delay(mut self, delay: Duration) -> Self {
        self.settings.policy.retry_delay = delay;
        self
    }

    /// Sets the longest time that one call of the sender may take, which is a failure; the default is 10 s.
    pub fn send_timeout(mut self, timeout: Duration) -> Self {
        self.settings.send_timeout = timeout;
        self
    }

    /// Sets the longest time that one operation of the store may take; the default is 5 s.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.settings.store_timeout = timeout;
        self
    }

    /// Sets the shortest time between two deliveries of the worker, which protects a receiver that has just come back;
    /// the default is 5 ms, 200 items a second.
    pub fn replay_interval(mut self, interval: Duration) -> Self {
        self.settings.replay_interval = interval;
        self
    }

    /// Sets how many lanes the worker delivers at the same time; the default is 4.
    pub fn concurrent_lanes(mut self, lanes: usize) -> Self {
        self.settings.concurrent_lanes = lanes;
        self
    }

    /// Sets a listener, which is called by the task that has caused the event and must not block.
    pub fn on_event(mut self, listener: impl Fn(&OutboxEvent) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Sets the clock by which ages are shown and claims of lanes expire; the default is the system's.
    pub fn wall_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Reads which lanes have items, and starts the worker and the writer of the store.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is invalid or the store cannot be read.
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime with its timer.
    pub async fn build(self) -> Result<Outbox<S>, BuildError> {
        let Settings { limits, policy, send_timeout, store_timeout, replay_interval, concurrent_lanes } =
            self.settings;
        self.settings.check()?;
        let lanes = Lanes::default();
        lanes.replace(&within(store_timeout, self.store.lanes()).await?);
        let reports = Arc::new(Reports::new(self.listener));
        reports.totals(within(store_timeout, self.store.status(0)).await?.totals);

        let (phase, watching) = watch::channel(Phase::Running);
        let wake = Arc::new(Notify::new());
        let writer = Writer {
            store: Arc::clone(&self.store),
            limits,
            timeout: store_timeout,
            clock: Arc::clone(&self.clock),
            lanes: lanes.clone(),
            reports: Arc::clone(&reports),
            wake: Arc::clone(&wake),
        };
        let (writer, writing) = writer.start();
        let shared = Arc::new(Shared {
            sender: self.sender,
            breaker: self.breaker.unwrap_or_else(|| CircuitBreaker::builder("outbox").build()),
            classifier: self.classifier,
            send_timeout,
            reports,
            delivered: AtomicU64::new(0),
        });
        let run = Run {
            shared: Arc::clone(&shared),
            writer: writer.clone(),
            clock: Arc::clone(&self.clock),
            worker: random_key(),
            policy,
            pace: Pace::new(replay_interval),
            failed_at: Mutex::default(),
        };
        let worker = Worker {
            run: Arc::new(run),
            lanes: lanes.clone(),
            wake,
            phase: watching,
            concurrent_lanes,
            lease: lease(&self.settings),
        };
        let tasks = Tasks { writer: Some(tokio::spawn(writing)), worker: Some(tokio::spawn(worker.run())) };
        Ok(Outbox::new(shared, self.store, writer, lanes, phase, tasks, self.clock))
    }
}

impl Settings {
    fn check(&self) -> Result<(), ConfigError> {
        let longest = Duration::from_secs(24 * 60 * 60);
        let times = [
            ("retry_delay", self.policy.retry_delay, Duration::from_millis(1)),
            ("send_timeout", self.send_timeout, Duration::from_millis(1)),
            ("store_timeout", self.store_timeout, Duration::from_millis(1)),
            ("replay_interval", self.replay_interval, Duration::ZERO),
        ];
        let mut problems: Vec<_> = self.limits.problems().collect();
        for (field, time, shortest) in times {
            if !(shortest..=longest).contains(&time) {
                let [value, from, to] = [time, shortest, longest].map(halfopen::format_duration);
                problems.push(ConfigProblem::new(field, value, format!("{from} to {to}")));
            }
        }
        if self.policy.max_attempts == 0 {
            problems.push(ConfigProblem::new("max_attempts", 0, "at least 1"));
        }
        if !(1..=1_024).contains(&self.concurrent_lanes) {
            problems.push(ConfigProblem::new("concurrent_lanes", self.concurrent_lanes, "1 to 1024"));
        }
        ConfigError::check(problems)
    }
}

/// The longest time between two signs of life of a lane: a delivery and its record, and the turn of each lane before.
fn lease(settings: &Settings) -> Duration {
    let turns = u32::try_from(settings.concurrent_lanes + 1).unwrap_or(u32::MAX);
    2 * settings.send_timeout + settings.store_timeout + settings.replay_interval.saturating_mul(turns)
}

#[expect(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
fn system_time() -> SystemTime {
    SystemTime::now()
}
