//! The one task that changes the store: it commits together all that is queued.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use crate::event::OutboxEvent;
use crate::item::Item;
use crate::lanes::{Lanes, Pending};
use crate::limits::Limits;
use crate::reports::Reports;
use crate::store::{
    AppendOutcome, Appended, Claim, Claimed, Settled, Settlement, Store, StoreError, StoreErrorKind, within,
};
use crate::timestamp::Timestamp;

/// The most commands that one commit serves.
const BATCH: usize = 256;

/// The most commands that wait; senders beyond that wait for room.
const QUEUE: usize = 1_024;

/// How often the lanes are read again while other workers have them.
const REFRESH: Duration = Duration::from_secs(1);

pub(crate) type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A handle to the task.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    commands: mpsc::Sender<Command>,
    timeout: Duration,
}

pub(crate) struct Writer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) limits: Limits,
    pub(crate) timeout: Duration,
    pub(crate) clock: WallClock,
    pub(crate) lanes: Lanes,
    pub(crate) reports: Arc<Reports>,
    /// Wakes the worker when there is something to deliver.
    pub(crate) wake: Arc<Notify>,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Command {
    Append(Append),
    Settle(Settlement, Reply<()>),
    Other(Other),
    /// Ends the task after the queued commands.
    Close,
}

/// The commands that are served one by one.
enum Other {
    Claim(Claim, Reply<Claimed>),
    Requeue(Vec<u64>, Reply<u64>),
    Remove(Vec<u64>, Reply<u64>),
}

struct Append {
    item: Item,
    /// Held until the item is stored, or is not.
    pending: Pending,
    queued: Instant,
    reply: Reply<AppendOutcome>,
}

/// The commands of one batch, by kind.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    settlements: Vec<(Settlement, Reply<()>)>,
    others: Vec<Other>,
    close: bool,
}

impl WriterHandle {
    /// Stores an item. If the future is dropped before the commit has begun, the item is not stored; afterwards it is.
    pub(crate) async fn append(&self, item: Item, pending: Pending) -> Result<AppendOutcome, StoreError> {
        let queued = Instant::now();
        self.ask(|reply| Command::Append(Append { item, pending, queued, reply })).await
    }

    pub(crate) async fn settle(&self, settlement: Settlement) -> Result<(), StoreError> {
        self.ask(|reply| Command::Settle(settlement, reply)).await
    }

    pub(crate) async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.ask(|reply| Command::Other(Other::Claim(claim, reply))).await
    }

    pub(crate) async fn requeue(&self, ids: Vec<u64>) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Other(Other::Requeue(ids, reply))).await
    }

    pub(crate) async fn remove(&self, ids: Vec<u64>) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Other(Other::Remove(ids, reply))).await
    }

    /// Lets the task end after the queued commands.
    pub(crate) async fn close(&self) {
        // An error means that it has ended already.
        let _ = self.commands.send(Command::Close).await;
    }

    /// Returns the longest time that an operation of the store may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether the task has ended, or is about to.
    pub(crate) fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        // Room is waited for before the command exists, so that a time limit here leaves nothing in doubt.
        let room = tokio::time::timeout(self.timeout, self.commands.reserve()).await;
        let room = room.map_err(|_| behind(self.timeout))?.map_err(|_| closed())?;
        room.send(command(reply));
        // The task has the command, and has ended before its reply: it may have been served.
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }
}

fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the outbox is closed")
}

fn unanswered() -> StoreError {
    StoreError::new(StoreErrorKind::Uncertain, "the outbox ended before its store answered")
}

fn behind(timeout: Duration) -> StoreError {
    let message = format!("the store is more than {} behind", halfopen::format_duration(timeout));
    StoreError::new(StoreErrorKind::Unavailable, message)
}

impl Writer {
    /// Returns a handle, and the future of the task, which ends when the handle is closed or all are dropped.
    pub(crate) fn start(self) -> (WriterHandle, impl Future<Output = ()> + Send) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (WriterHandle { commands: sender, timeout: self.timeout }, self.run(receiver))
    }

    async fn run(self, mut receiver: mpsc::Receiver<Command>) {
        let (mut commands, mut refreshed) = (Vec::with_capacity(BATCH), None);
        let mut closes = false;
        while receiver.recv_many(&mut commands, BATCH).await > 0 {
            let batch = Batch::of(commands.drain(..));
            if batch.close {
                receiver.close();
                closes = true;
            }
            self.work(batch, &mut refreshed).await;
        }
        if closes {
            self.refresh_totals().await;
        }
        // All is stored: an error here is of no consequence for the items.
        let result = self.limited(self.store.close()).await;
        self.reports.store(&result, Instant::now());
    }

    async fn work(&self, batch: Batch, refreshed: &mut Option<Instant>) {
        if !batch.settlements.is_empty() {
            self.settle(batch.settlements).await;
        }
        let appends = self.still_wanted(batch.appends);
        if !appends.is_empty() {
            self.append(appends).await;
        }
        for command in batch.others {
            match command {
                Other::Claim(claim, reply) => {
                    let claimed = self.claim(claim, refreshed).await;
                    let _ = reply.send(claimed);
                }
                Other::Requeue(ids, reply) => {
                    let _ = reply.send(self.requeue(ids).await);
                }
                Other::Remove(ids, reply) => {
                    let _ = reply.send(self.remove(ids).await);
                }
            }
        }
    }

    /// Drops the items whose callers have gone, and those that have waited longer than any caller should.
    fn still_wanted(&self, appends: Vec<Append>) -> Vec<Append> {
        let now = Instant::now();
        let (wanted, late): (Vec<_>, Vec<_>) = appends
            .into_iter()
            .filter(|append| !append.reply.is_closed())
            .partition(|append| now - append.queued <= self.timeout);
        for append in late {
            let _ = append.reply.send(Err(behind(self.timeout)));
        }
        wanted
    }

    async fn append(&self, appends: Vec<Append>) {
        let items: Vec<Item> = appends.iter().map(|append| append.item.clone()).collect();
        let result = self.limited(self.store.append(items, self.limits, self.now())).await;
        let Appended { outcomes, dropped, lanes, totals } = match result {
            Ok(appended) => appended,
            Err(error) => {
                for append in appends {
                    let _ = append.reply.send(Err(error.clone()));
                }
                return;
            }
        };
        self.lanes.update(&lanes);
        self.reports.totals(totals);
        for (append, outcome) in appends.into_iter().zip(outcomes) {
            self.count(&append.item, outcome);
            // The state of the store stands for the item from here on.
            drop(append.pending);
            let _ = append.reply.send(Ok(outcome));
        }
        for dropped in dropped {
            self.reports.counters.dropped.add(1);
            let (item, dead_letter) = (dropped.item, dropped.dead_letter);
            self.reports.emit(&OutboxEvent::Dropped { item, dead_letter });
        }
        self.wake.notify_one();
    }

    fn count(&self, item: &Item, outcome: AppendOutcome) {
        let counters = &self.reports.counters;
        match outcome {
            AppendOutcome::Stored => counters.buffered.add(1),
            AppendOutcome::Duplicate => counters.duplicates.add(1),
            AppendOutcome::Full => {
                counters.full.add(1);
                self.reports.emit(&OutboxEvent::Full { item: item.clone() });
            }
        }
    }

    async fn settle(&self, settlements: Vec<(Settlement, Reply<()>)>) {
        let (settlements, replies): (Vec<_>, Vec<_>) = settlements.into_iter().unzip();
        let result = self.limited(self.store.settle(settlements, self.now())).await;
        if let Ok(Settled { lanes, totals }) = &result {
            self.lanes.update(lanes);
            self.reports.totals(*totals);
        }
        for reply in replies {
            let _ = reply.send(result.as_ref().map(|_| ()).map_err(Clone::clone));
        }
    }

    async fn claim(&self, claim: Claim, refreshed: &mut Option<Instant>) -> Result<Claimed, StoreError> {
        let claimed = self.limited(self.store.claim(claim)).await?;
        let now = Instant::now();
        let due = refreshed.is_none_or(|last| now - last >= REFRESH);
        // Others may have delivered items that are known here.
        let known = !self.lanes.is_empty() || self.reports.known().totals.items > 0;
        if claimed.lanes.is_empty() && known && due {
            *refreshed = Some(now);
            self.lanes.replace(&self.limited(self.store.lanes()).await?);
            self.refresh_totals().await;
        }
        Ok(claimed)
    }

    /// Reads the size of the store, which others that share it, or an operation that does not return it, have changed.
    async fn refresh_totals(&self) {
        // An error is reported as the store's; the size stays as it is known.
        if let Ok(status) = self.limited(self.store.status(0)).await {
            self.reports.totals(status.totals);
        }
    }

    async fn requeue(&self, ids: Vec<u64>) -> Result<u64, StoreError> {
        let requeued = self.limited(self.store.requeue(ids, self.now())).await?;
        self.lanes.update(&requeued.lanes);
        self.refresh_totals().await;
        self.wake.notify_one();
        Ok(requeued.letters)
    }

    async fn remove(&self, ids: Vec<u64>) -> Result<u64, StoreError> {
        let removed = self.limited(self.store.remove(ids)).await?;
        self.refresh_totals().await;
        Ok(removed)
    }

    async fn limited<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let result = within(self.timeout, operation).await;
        self.reports.store(&result, Instant::now());
        result
    }

    fn now(&self) -> Timestamp {
        (self.clock)().into()
    }
}

impl Batch {
    fn of(commands: impl Iterator<Item = Command>) -> Batch {
        let mut batch = Batch::default();
        for command in commands {
            match command {
                Command::Append(append) => batch.appends.push(append),
                Command::Settle(settlement, reply) => batch.settlements.push((settlement, reply)),
                Command::Other(other) => batch.others.push(other),
                Command::Close => batch.close = true,
            }
        }
        batch
    }
}
