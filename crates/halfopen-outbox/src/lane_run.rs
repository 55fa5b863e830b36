//! The delivery of the first items of one lane, in order.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::BoxError;
use halfopen::adapter::{catch_panic, catch_panic_in_future, with_causes};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::decide::{Attempt, Next, Policy};
use crate::event::OutboxEvent;
use crate::lock;
use crate::replay::{Phase, STORE_RETRY};
use crate::sender::Sender;
use crate::shared::{Attempted, Failure, Shared};
use crate::store::{ClaimedLane, Entry, EntryResult, Then};
use crate::timestamp::Timestamp;
use crate::writer::{WallClock, WriterHandle};

/// The most items whose last failures are known. Others may deliver, drop or remove an item after its failure here.
const FAILURES: usize = 4_096;

/// The longest description of a failure that is stored, in characters.
const LONGEST_ERROR: usize = 512;

/// What all deliveries of a worker share.
pub(crate) struct Run<S: Sender> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) writer: WriterHandle,
    pub(crate) clock: WallClock,
    /// The identity of this worker in the store.
    pub(crate) worker: Arc<str>,
    pub(crate) policy: Policy,
    pub(crate) pace: Pace,
    /// The deliveries of all items at the last failure of an item, by its identifier.
    pub(crate) failed_at: Mutex<BTreeMap<u64, u64>>,
}

pub(crate) struct LaneRun<S: Sender> {
    pub(crate) run: Arc<Run<S>>,
    pub(crate) lane: ClaimedLane,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) lease: Duration,
    /// When another worker may have the lane, if the claim is not renewed.
    pub(crate) expires: Timestamp,
}

type Results = Vec<(u64, EntryResult)>;

impl<S: Sender> LaneRun<S> {
    pub(crate) async fn run(mut self) {
        let mut results = Results::new();
        let mut wait = Duration::ZERO;
        for entry in std::mem::take(&mut self.lane.entries) {
            self.run.pace.turn().await;
            // After the expiry the rest is another worker's. A process that was frozen comes to know of it here.
            if *self.phase.borrow() == Phase::Stopped || self.run.now() >= self.expires {
                break;
            }
            // The record of one delivery is written while the next is under way, so at most two items of a lane are
            // delivered again after a crash.
            let record = self.record(std::mem::take(&mut results));
            let (expires, (attempt, error)) = tokio::join!(record, self.run.attempt(&entry));
            self.expires = expires;
            let next = self.run.decide(&entry, attempt);
            results.extend(self.run.result(&entry, next, attempt, error));
            match next {
                Next::GoOn | Next::SetAside => {}
                Next::Wait(time) | Next::Retry(time) => {
                    wait = time;
                    break;
                }
            }
        }
        self.settle(results, |now| Then::Free(now.after(wait))).await;
    }

    /// Writes results and renews the claim. Returns when the claim expires.
    async fn record(&self, results: Results) -> Timestamp {
        if results.is_empty() {
            return self.expires;
        }
        let renewed = self.settle(results, |now| Then::Keep(now.after(self.lease))).await;
        // A claim that had expired before may have become another worker's.
        if renewed < self.expires { renewed.after(self.lease) } else { self.expires }
    }

    /// Writes results, and retries while the store is away: an item without a result is delivered again. Returns the
    /// time of the write.
    async fn settle(&self, results: Results, then: impl Fn(Timestamp) -> Then) -> Timestamp {
        loop {
            let now = self.run.now();
            let lane = Arc::clone(&self.lane.lane);
            let settlement = self.run.settlement(lane, results.clone(), then(now));
            if self.run.writer.settle(settlement).await.is_ok() || self.run.writer.is_closed() {
                return now;
            }
            tokio::time::sleep(STORE_RETRY).await;
        }
    }
}

impl<S: Sender> Run<S> {
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)().into()
    }

    /// Makes an attempt, and returns how it ended, and the failure if there is one.
    async fn attempt(&self, entry: &Entry) -> (Attempt, Option<Arc<str>>) {
        // A panic of the sender is the item's, and must not end the worker.
        match catch_panic_in_future(|| self.shared.attempt(entry.item.clone())).await {
            Some(Attempted::Delivered) => (Attempt::Delivered, None),
            Some(Attempted::Rejected) => (Attempt::Rejected, None),
            Some(Attempted::Failed(outcome, failure)) => {
                let closed = self.shared.breaker.is_closed();
                (Attempt::Failed { outcome, closed }, Some(describe(failure)))
            }
            None => (Attempt::Panicked, Some("the sender panicked".into())),
        }
    }

    fn decide(&self, entry: &Entry, attempt: Attempt) -> Next {
        let delivered = self.shared.delivered.load(Ordering::Relaxed);
        let mut failed_at = lock(&self.failed_at);
        let others = failed_at.get(&entry.id).is_some_and(|before| *before < delivered);
        let next = self.policy.decide(attempt, entry.attempts, others);
        match next {
            Next::GoOn | Next::SetAside => failed_at.remove(&entry.id),
            Next::Retry(_) => failed_at.insert(entry.id, delivered),
            // Kept as it is while the breaker rejects: an item that is not tried proves nothing.
            Next::Wait(_) if attempt == Attempt::Rejected => None,
            Next::Wait(_) => failed_at.insert(entry.id, delivered),
        };
        if failed_at.len() > FAILURES {
            failed_at.pop_first();
        }
        next
    }

    fn result(
        &self,
        entry: &Entry,
        next: Next,
        attempt: Attempt,
        error: Option<Arc<str>>,
    ) -> Option<(u64, EntryResult)> {
        let counters = &self.shared.reports.counters;
        let Some(error) = error else {
            let delivered = attempt == Attempt::Delivered;
            counters.replayed.add(u64::from(delivered));
            return delivered.then_some((entry.id, EntryResult::Delivered));
        };
        counters.failed_attempts.add(1);
        let result = match next {
            Next::GoOn => EntryResult::Delivered,
            Next::Wait(_) => EntryResult::Failed { error, counted: false },
            Next::Retry(_) => EntryResult::Failed { error, counted: true },
            Next::SetAside => {
                counters.dead_letters.add(1);
                let item = entry.item.clone();
                self.shared.reports.emit(&OutboxEvent::DeadLetter { item, error: Arc::clone(&error) });
                EntryResult::Dead { error }
            }
        };
        Some((entry.id, result))
    }
}

/// Describes a failure by the messages of its chain.
fn describe<E: Into<BoxError>>(failure: Failure<E>) -> Arc<str> {
    let error = match failure {
        Failure::TimedOut => return "the sender timed out".into(),
        Failure::Error(error) => error.into(),
    };
    // Its text is the sender's code too.
    let text =
        catch_panic(|| with_causes(&*error)).unwrap_or_else(|| "the text of the failure panicked".into());
    // PostgreSQL stores no NUL in a text.
    text.chars().filter(|c| *c != '\0').take(LONGEST_ERROR).collect::<String>().into()
}

/// The distance between two deliveries of the worker, over all lanes.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(interval: Duration) -> Pace {
        Pace { interval, next: Mutex::new(None) }
    }

    async fn turn(&self) {
        if self.interval.is_zero() {
            return;
        }
        let now = Instant::now();
        let turn = {
            let mut next = lock(&self.next);
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.interval);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}
