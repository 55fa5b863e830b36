use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use halfopen::CircuitBreaker;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;

use crate::builder::OutboxBuilder;
use crate::error::SendError;
use crate::event::Counters;
use crate::item::Item;
use crate::lanes::Lanes;
use crate::replay::Phase;
use crate::sender::Sender;
use crate::shared::{Attempted, Failure, Shared};
use crate::store::{
    AppendOutcome, DeadLetter, LaneStatus, Store, StoreError, StoreErrorKind, Totals, within,
};
use crate::timestamp::Timestamp;
use crate::writer::{WallClock, WriterHandle};

/// The lanes in a [`OutboxStatus`].
const LANES: usize = 20;

/// Sends items through a circuit breaker, and stores those that cannot be sent until they can.
///
/// - An item that the breaker rejects, or whose delivery fails, is stored. Once [`send`](Self::send) has returned
///   [`Delivery::Buffered`], it survives the end of the process, if the store does.
/// - A worker delivers stored items when the breaker permits calls again, at a
///   [pace](OutboxBuilder::replay_interval). It is woken by the breaker and does not poll it.
/// - Items of one lane are delivered in the order of their `send`s: while a lane has stored items, new ones are stored
///   behind them. Order holds between a `send` that has returned and one that begins after it, within one process.
///   [`buffer`](Self::buffer) stores every item first, which orders the items of several processes that share a store.
/// - Every item is delivered at least once. The receiver recognizes repetitions by the
///   [idempotency key](Item::key).
/// - An item that the working receiver refuses again and again is set aside as a
///   [dead letter](Self::dead_letters), and its lane goes on.
///
/// Cheap to clone; all clones are the same outbox. The worker ends when the last clone is dropped; what is stored stays.
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
/// use halfopen_outbox::{Delivery, Item, MemoryStore, Outbox};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = CircuitBreaker::builder("receipts").build();
/// let sender = |item: Item| async move {
///     println!("{}: {} bytes", item.idempotency_key(), item.payload().len());
///     Ok::<(), std::io::Error>(())
/// };
/// let outbox = Outbox::builder(MemoryStore::new(), sender).breaker(breaker.clone()).build().await?;
/// assert_eq!(outbox.send(Item::new("one").lane("tenant-7")).await?, Delivery::Sent);
///
/// breaker.force_open();
/// assert_eq!(outbox.send(Item::new("two").lane("tenant-7")).await?, Delivery::Buffered);
///
/// breaker.reset();
/// assert_eq!(outbox.close(std::time::Duration::from_secs(5)).await, 0, "all are delivered");
/// # Ok(()) }
/// ```
pub struct Outbox<S: Sender>(Arc<Inner<S>>);

struct Inner<S: Sender> {
    shared: Arc<Shared<S>>,
    store: Arc<dyn Store>,
    writer: WriterHandle,
    lanes: Lanes,
    phase: watch::Sender<Phase>,
    tasks: AsyncMutex<Tasks>,
    clock: WallClock,
}

/// The tasks of an outbox, each [`None`] once it has ended.
pub(crate) struct Tasks {
    pub(crate) writer: Option<JoinHandle<()>>,
    pub(crate) worker: Option<JoinHandle<()>>,
}

/// Waits for the end of a task, and can be dropped and called again.
async fn ended(task: &mut Option<JoinHandle<()>>) {
    if let Some(handle) = task {
        // It has no result, and its panic was reported when it happened.
        let _ = handle.await;
        *task = None;
    }
}

/// The result of a `send` that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The receiver has it.
    Sent,
    /// The store has it, and the worker will deliver it.
    Buffered,
}

/// The state of an outbox, as of the last operation of its store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutboxSnapshot {
    /// The name of the breaker.
    pub name: Arc<str>,
    /// The size of the store.
    pub totals: Totals,
    /// The age of the oldest item.
    pub oldest_age: Option<Duration>,
    /// The counters of this process.
    pub counters: Counters,
    /// The error of the last operation of the store, if it failed.
    pub store_error: Option<StoreError>,
}

/// The state of an outbox, with its lanes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutboxStatus {
    /// The state as a whole.
    pub snapshot: OutboxSnapshot,
    /// The 20 lanes with the oldest items.
    pub lanes: Vec<LaneStatus>,
}

impl<S: Sender> Outbox<S> {
    /// Returns a builder for an outbox with this store and this sender.
    pub fn builder(store: impl Store, sender: S) -> OutboxBuilder<S> {
        OutboxBuilder::new(store, sender)
    }

    pub(crate) fn new(
        shared: Arc<Shared<S>>,
        store: Arc<dyn Store>,
        writer: WriterHandle,
        lanes: Lanes,
        phase: watch::Sender<Phase>,
        tasks: Tasks,
        clock: WallClock,
    ) -> Outbox<S> {
        Outbox(Arc::new(Inner { shared, store, writer, lanes, phase, tasks: AsyncMutex::new(tasks), clock }))
    }

    /// Sends an item, or stores it if the breaker rejects it, the delivery fails, or its lane has stored items.
    ///
    /// # Errors
    ///
    /// Returns an error if the receiver refuses the item, and if it can be neither sent nor stored. After an error the
    /// item is not stored, [`StoreErrorKind::Uncertain`](crate::StoreErrorKind::Uncertain) excepted.
    ///
    /// # Panics
    ///
    /// A panic of the sender is a failure for the breaker and passes on to the caller, without the item being stored. In the worker it
    /// ends nothing: a stored item whose delivery panics is tried again, and set aside after its last attempt.
    ///
    /// # Cancel safety
    ///
    /// An item whose future is dropped is delivered and stored as a whole, or not at all. The caller cannot know which:
    /// sending it again with the same key is safe.
    pub async fn send(&self, item: Item) -> Result<Delivery, SendError<S::Error>> {
        self.check(&item)?;
        if self.0.lanes.is_buffered(item.lane_name()) {
            return self.store_slow(item).await;
        }
        match self.0.shared.attempt(item.clone()).await {
            Attempted::Delivered => {
                self.0.shared.reports.counters.sent.add(1);
                Ok(Delivery::Sent)
            }
            Attempted::Failed(outcome, Failure::Error(error)) if !outcome.is_failure() => {
                Err(SendError::Refused(error))
            }
            Attempted::Rejected | Attempted::Failed(..) => self.store_slow(item).await,
        }
    }

    /// Stores an item without an attempt to send it, and leaves the delivery to the worker.
    ///
    /// The caller does not wait for the receiver, and items of several processes that share a store are delivered in
    /// the order in which they were stored.
    ///
    /// # Errors
    ///
    /// Returns an error if the item cannot be stored.
    ///
    /// # Cancel safety
    ///
    /// Same as [`send`](Self::send).
    pub async fn buffer(&self, item: Item) -> Result<Delivery, SendError<S::Error>> {
        self.check(&item)?;
        self.store_slow(item).await
    }

    /// Returns the state as of the last operation of the store; asks no server.
    pub fn snapshot(&self) -> OutboxSnapshot {
        let known = self.0.shared.reports.known();
        let now = Timestamp::from((self.0.clock)());
        OutboxSnapshot {
            name: self.breaker().name().into(),
            totals: known.totals,
            oldest_age: known.totals.oldest.map(|oldest| now.since(oldest)),
            counters: self.0.shared.reports.counters.values(),
            store_error: known.failure.map(|(error, _)| error),
        }
    }

    /// Reads the state of the store and its lanes.
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be read.
    pub async fn status(&self) -> Result<OutboxStatus, StoreError> {
        let status = within(self.0.writer.timeout(), self.0.store.status(LANES)).await?;
        let now = Timestamp::from((self.0.clock)());
        let oldest_age = status.totals.oldest.map(|oldest| now.since(oldest));
        let snapshot = OutboxSnapshot { totals: status.totals, oldest_age, ..self.snapshot() };
        Ok(OutboxStatus { snapshot, lanes: status.lanes })
    }

    /// Reads dead letters in the order of their identifiers: those after `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be read.
    pub async fn dead_letters(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        within(self.0.writer.timeout(), self.0.store.dead_letters(after, limit)).await
    }

    /// Moves dead letters to the end of their lanes, with no attempts, and returns how many there were.
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be written.
    pub async fn requeue(&self, ids: impl IntoIterator<Item = u64>) -> Result<u64, StoreError> {
        self.0.writer.requeue(ids.into_iter().collect()).await
    }

    /// Removes dead letters, and returns how many there were.
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be written.
    pub async fn remove(&self, ids: impl IntoIterator<Item = u64>) -> Result<u64, StoreError> {
        self.0.writer.remove(ids.into_iter().collect()).await
    }

    /// Takes no items any more, delivers those that are stored, for the time of `deadline` at most, and closes the store.
    /// Returns the number of items that are left.
    ///
    /// Items that are left stay in the store, for the next process. An item whose delivery is cut off by the deadline is
    /// delivered again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the outbox takes no items any more and delivers those that are stored. Another `close` ends it;
    /// otherwise it stops when its last clone is dropped.
    pub async fn close(&self, deadline: Duration) -> u64 {
        self.0.phase.send_if_modified(|phase| {
            let running = *phase == Phase::Running;
            if running {
                *phase = Phase::Draining;
            }
            running
        });
        let drained = async { ended(&mut self.0.tasks.lock().await.worker).await };
        if tokio::time::timeout(deadline, drained).await.is_err() {
            // It ends now, whichever of several calls has the shortest deadline.
            self.0.phase.send_replace(Phase::Stopped);
        }
        let mut tasks = self.0.tasks.lock().await;
        ended(&mut tasks.worker).await;
        if tasks.writer.is_some() {
            self.0.writer.close().await;
            ended(&mut tasks.writer).await;
        }
        drop(tasks);
        self.0.shared.reports.known().totals.items
    }

    /// Returns the breaker of the receiver.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.0.shared.breaker
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn downgrade(&self) -> WeakOutbox<S> {
        WeakOutbox(Arc::downgrade(&self.0))
    }

    fn check(&self, item: &Item) -> Result<(), SendError<S::Error>> {
        if *self.0.phase.borrow() != Phase::Running {
            return Err(SendError::Closed);
        }
        item.problem().map_or(Ok(()), |problem| Err(SendError::Invalid(problem)))
    }

    #[cold]
    async fn store_slow(&self, item: Item) -> Result<Delivery, SendError<S::Error>> {
        let pending = self.0.lanes.pend(item.shared_lane());
        match self.0.writer.append(item, pending).await {
            Ok(AppendOutcome::Stored | AppendOutcome::Duplicate) => Ok(Delivery::Buffered),
            Ok(AppendOutcome::Full) => Err(SendError::Full),
            // What was in doubt before the end still is.
            Err(error) if self.0.writer.is_closed() && error.kind() != StoreErrorKind::Uncertain => {
                Err(SendError::Closed)
            }
            Err(error) => Err(SendError::Store(error)),
        }
    }
}

/// A handle that does not keep the worker running.
#[cfg(feature = "metrics")]
pub(crate) struct WeakOutbox<S: Sender>(std::sync::Weak<Inner<S>>);

#[cfg(feature = "metrics")]
impl<S: Sender> WeakOutbox<S> {
    pub(crate) fn upgrade(&self) -> Option<Outbox<S>> {
        self.0.upgrade().map(Outbox)
    }
}

impl<S: Sender> Clone for Outbox<S> {
    fn clone(&self) -> Self {
        Outbox(Arc::clone(&self.0))
    }
}

impl<S: Sender> fmt::Debug for Outbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = self.0.shared.reports.known().totals;
        f.debug_struct("Outbox")
            .field("breaker", &self.breaker().name())
            .field("items", &totals.items)
            .finish_non_exhaustive()
    }
}
