//! The queue, the breaker and the task of one notifier.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::adapter::catch_panic_in_future;
use halfopen::{CircuitBreaker, CircuitBreakerConfig, Clock, OwnedPermit, State, Trip};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Notifier, NotifyError};
use crate::alert::{Alert, AlertStatus, Severity};
use crate::lock;

/// The state of a notifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NotifierStatus {
    /// Its name.
    pub name: String,
    /// The state of its breaker.
    pub state: State,
    /// The alerts that are not sent yet.
    pub queued: u64,
    /// The alerts that the sink has taken.
    pub sent: u64,
    /// The attempts that failed and were, or will be, repeated.
    pub failed_attempts: u64,
    /// The alerts that the sink has refused for good.
    pub refused: u64,
    /// The oldest alerts, dropped because the queue was full.
    pub dropped: u64,
    /// Why the last attempt failed; [`None`] if it did not.
    pub last_error: Option<String>,
}

/// A notifier in a monitor.
pub(crate) struct Sink {
    notifier: Box<dyn Notifier>,
    /// As the notifier had it at the start, and so is the next: its code is not to run under a lock.
    name: Arc<str>,
    repeat_every: Option<Duration>,
    minimum: Severity,
    capacity: usize,
    limit: Duration,
    breaker: CircuitBreaker,
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Alert>,
    /// The alerts that an attempt has taken from the queue.
    in_flight: usize,
    /// Those that are firing, for a sink that needs them again.
    firing: BTreeMap<(Arc<str>, Arc<str>), Alert>,
    sent: u64,
    failed_attempts: u64,
    refused: u64,
    dropped: u64,
    last_error: Option<String>,
}

/// The alerts of one request.
const BATCH: usize = 100;

impl Sink {
    pub(crate) fn new(
        notifier: Box<dyn Notifier>,
        minimum: Severity,
        capacity: usize,
        limit: Duration,
    ) -> Sink {
        let start = Instant::now();
        let config = CircuitBreakerConfig::builder()
            .trip(Trip::consecutive_failures(3))
            .open_duration(Duration::from_secs(10))
            .build()
            .expect("a run of three and a wait of ten seconds are valid");
        // On tokio's clock, as everything here that waits.
        let clock = Clock::from_fn(move || start.elapsed());
        let (name, repeat_every) = (Arc::from(notifier.name()), notifier.repeat_every());
        let breaker = CircuitBreaker::builder(format!("notifier:{name}"));
        let breaker = breaker.config(config).clock(clock).build();
        Sink {
            notifier,
            name,
            repeat_every,
            minimum,
            capacity,
            limit,
            breaker,
            queue: Mutex::default(),
            filled: Notify::new(),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns whether its breaker is not closed.
    pub(crate) fn is_gone(&self) -> bool {
        !self.breaker.is_closed()
    }

    /// Queues an alert. Never waits: a full queue drops its oldest.
    pub(crate) fn push(&self, alert: &Alert) {
        if alert.severity < self.minimum {
            return;
        }
        let mut queue = lock(&self.queue);
        match alert.status {
            AlertStatus::Firing => drop(queue.firing.insert(alert.key(), alert.clone())),
            AlertStatus::Resolved => drop(queue.firing.remove(&alert.key())),
        }
        if queue.waiting.len() >= self.capacity {
            queue.waiting.pop_front();
            queue.dropped = queue.dropped.saturating_add(1);
        }
        queue.waiting.push_back(alert.clone());
        drop(queue);
        self.filled.notify_one();
    }

    pub(crate) fn status(&self) -> NotifierStatus {
        let queue = lock(&self.queue);
        NotifierStatus {
            name: (*self.name).to_owned(),
            state: self.breaker.state(),
            queued: (queue.waiting.len() + queue.in_flight) as u64,
            sent: queue.sent,
            failed_attempts: queue.failed_attempts,
            refused: queue.refused,
            dropped: queue.dropped,
            last_error: queue.last_error.clone(),
        }
    }

    fn take(&self) -> Vec<Alert> {
        let mut queue = lock(&self.queue);
        let batch: Vec<Alert> = {
            let count = queue.waiting.len().min(BATCH);
            queue.waiting.drain(..count).collect()
        };
        queue.in_flight = batch.len();
        batch
    }

    fn firing(&self) -> Vec<Alert> {
        lock(&self.queue).firing.values().cloned().collect()
    }

    /// Sends alerts until the sink has taken or refused them.
    async fn send(&self, batch: &[Alert]) {
        for attempt in 0_u32.. {
            let permit = self.permit().await;
            match self.try_send(batch).await {
                Ok(()) => {
                    permit.success();
                    self.settle(None, |queue| &mut queue.sent, batch.len());
                    return;
                }
                // The sink has answered.
                Err(error) if !error.retry => {
                    permit.success();
                    self.settle(Some(&error), |queue| &mut queue.refused, batch.len());
                    return;
                }
                Err(error) => {
                    match error.retry_after {
                        Some(time) => permit.failure_with_hint(time),
                        None => permit.failure(),
                    }
                    self.settle(Some(&error), |queue| &mut queue.failed_attempts, 1);
                    sleep(Duration::from_secs(1 << attempt.min(5))).await;
                }
            }
        }
    }

    async fn permit(&self) -> OwnedPermit {
        loop {
            match self.breaker.try_acquire_owned() {
                Ok(permit) => return permit,
                Err(rejected) => {
                    let wait = rejected.retry_after().unwrap_or(Duration::from_secs(1));
                    sleep(wait.max(Duration::from_millis(10))).await;
                }
            }
        }
    }

    async fn try_send(&self, batch: &[Alert]) -> Result<(), NotifyError> {
        // A panic must not end the task, which has the queue.
        match timeout(self.limit, catch_panic_in_future(|| self.notifier.send(batch))).await {
            Ok(Some(sent)) => sent,
            Ok(None) => Err(NotifyError::refused("the notifier panicked")),
            Err(_) => {
                let limit = halfopen::format_duration(self.limit);
                Err(NotifyError::unavailable(format!("no answer in {limit}")))
            }
        }
    }

    fn settle(&self, error: Option<&NotifyError>, counter: fn(&mut Queue) -> &mut u64, count: usize) {
        let mut queue = lock(&self.queue);
        let counter = counter(&mut queue);
        *counter = counter.saturating_add(count as u64);
        queue.last_error = error.map(|error| error.to_string().chars().take(500).collect());
        drop(queue);
        #[cfg(feature = "tracing")]
        if let Some(error) = error.filter(|error| !error.retry) {
            tracing::error!(notifier = &*self.name, %error, alerts = count, "alerts were refused");
        }
    }
}

/// Sends what is queued, and what is firing again, until the task is aborted.
pub(crate) async fn deliver(sink: Arc<Sink>) {
    let repeat = sink.repeat_every;
    let mut next = repeat.map(|time| Instant::now() + time);
    loop {
        let batch = sink.take();
        if !batch.is_empty() {
            sink.send(&batch).await;
            lock(&sink.queue).in_flight = 0;
            continue;
        }
        let Some((repeat, at)) = repeat.zip(next) else {
            sink.filled.notified().await;
            continue;
        };
        tokio::select! {
            () = sink.filled.notified() => {}
            () = sleep_until(at) => {
                for batch in sink.firing().chunks(BATCH) {
                    sink.send(batch).await;
                }
                next = Some(Instant::now() + repeat);
            }
        }
    }
}
