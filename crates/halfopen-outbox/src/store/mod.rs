//! Where items are kept until they are delivered.

mod error;
mod leases;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use self::error::{StoreError, StoreErrorKind};
pub use self::memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
use crate::item::Item;
use crate::limits::Limits;
use crate::timestamp::Timestamp;

/// The future of an operation of a [`Store`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Limits an operation of a store in time.
pub(crate) async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, operation).await.unwrap_or_else(|_| Err(StoreError::timed_out(limit)))
}

/// A store of items, in the order in which they were appended.
///
/// An outbox calls it from one task, one operation at a time, [`status`](Self::status) and
/// [`dead_letters`](Self::dead_letters) excepted. Several outboxes, in one process or in many, may share a
/// store that can be shared.
///
/// Every operation is atomic: it is applied as a whole, or not at all. When the future of an operation that
/// changes the store has resolved to `Ok`, the change survives the end of the process. The time is an argument: a
/// store reads no clock.
pub trait Store: Send + Sync + 'static {
    /// Appends items one after the other, within the limits.
    ///
    /// The size of the store that the limits apply to is that of its items and its dead letters. An item whose key
    /// an item in the store has is not stored again.
    fn append(&self, items: Vec<Item>, limits: Limits, now: Timestamp) -> StoreFuture<'_, Appended>;

    /// Reserves lanes for a worker, and returns their first items.
    ///
    /// A lane that is claimed, or that is to be left alone for a while, is not returned again until then. Lanes take
    /// turns.
    fn claim(&self, claim: Claim) -> StoreFuture<'_, Claimed>;

    /// Applies the results of delivery attempts.
    ///
    /// No two of the settlements have the same lane. Delivered items are removed whichever worker has claimed their lane
    /// now; a claim is changed by its owner alone.
    fn settle(&self, settlements: Vec<Settlement>, now: Timestamp) -> StoreFuture<'_, Settled>;

    /// Returns the lanes that have items.
    fn lanes(&self) -> StoreFuture<'_, Vec<Arc<str>>>;

    /// Returns the size of the store, and the lanes with the oldest items, at most `lanes` of them.
    fn status(&self, lanes: usize) -> StoreFuture<'_, StoreStatus>;

    /// Returns dead letters in the order of their identifiers, those after `after`, at most `limit`.
    fn dead_letters(&self, after: Option<u64>, limit: usize) -> StoreFuture<'_, Vec<DeadLetter>>;

    /// Moves dead letters to the end of their lanes, with no attempts, and returns how many there were.
    ///
    /// A dead letter whose key an item in the store has is removed.
    fn requeue(&self, ids: Vec<u64>, now: Timestamp) -> StoreFuture<'_, Requeued>;

    /// Removes dead letters, and returns how many there were.
    fn remove(&self, ids: Vec<u64>) -> StoreFuture<'_, u64>;

    /// Releases what the store holds open. No operation follows.
    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// The size of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items that wait for their delivery.
    pub items: u64,
    /// Items that were set aside.
    pub dead_letters: u64,
    /// The bytes of both, by [`Item::size`].
    pub bytes: u64,
    /// When the oldest waiting item was appended.
    pub oldest: Option<Timestamp>,
}

/// Whether a lane has items after an operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneState {
    /// The lane.
    pub lane: Arc<str>,
    /// Whether items of it wait for their delivery.
    pub has_items: bool,
}

/// The result of [`Store::append`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// The outcome of each item, in their order.
    pub outcomes: Vec<AppendOutcome>,
    /// Items that were removed to make room.
    pub dropped: Vec<Dropped>,
    /// The lanes that may have changed, once each.
    pub lanes: Vec<LaneState>,
    /// The size of the store afterwards.
    pub totals: Totals,
}

/// The outcome of an item that was to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// It is stored.
    Stored,
    /// An item with its key is stored already.
    Duplicate,
    /// There is no room for it.
    Full,
}

/// An item that was removed undelivered to make room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The item.
    pub item: Item,
    /// Whether it was a dead letter.
    pub dead_letter: bool,
}

/// A request for lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The identity of the worker, unique among all that share the store.
    pub worker: Arc<str>,
    /// The number of lanes that it takes at most.
    pub lanes: usize,
    /// The number of items of each lane that it takes at most.
    pub items: usize,
    /// The current time.
    pub now: Timestamp,
    /// When others may claim these lanes if the worker is not heard of again.
    pub until: Timestamp,
}

/// The result of [`Store::claim`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The lanes, with at least one entry each.
    pub lanes: Vec<ClaimedLane>,
    /// When another claim can find more, if time alone brings it.
    pub next: Option<Timestamp>,
}

/// A lane that is reserved for one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedLane {
    /// The lane.
    pub lane: Arc<str>,
    /// Its first items, in order.
    pub entries: Vec<Entry>,
}

/// A stored item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The identifier, which is never used again and grows with each item.
    pub id: u64,
    /// The item.
    pub item: Item,
    /// The attempts that failed and were no outage.
    pub attempts: u32,
    /// When it was appended.
    pub stored_at: Timestamp,
}

/// The results of a worker for one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The worker.
    pub worker: Arc<str>,
    /// The lane.
    pub lane: Arc<str>,
    /// The attempts, by the identifiers of the entries.
    pub results: Vec<(u64, EntryResult)>,
    /// The next state of the claim.
    pub then: Then,
}

/// How an attempt to deliver an entry ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryResult {
    /// The entry was delivered: it is removed.
    Delivered,
    /// The entry stays the first of its lane.
    Failed {
        /// A description of the failure.
        error: Arc<str>,
        /// Whether it counts as an attempt.
        counted: bool,
    },
    /// The entry is moved to the dead letters, with one attempt more.
    Dead {
        /// A description of the last failure.
        error: Arc<str>,
    },
}

/// The next state of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The worker keeps the lane, at most until then.
    Keep(Timestamp),
    /// Any worker may claim the lane from then on.
    Free(Timestamp),
}

/// The result of [`Store::settle`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The lanes of the settlements, once each.
    pub lanes: Vec<LaneState>,
    /// The size of the store afterwards.
    pub totals: Totals,
}

/// The result of [`Store::requeue`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requeued {
    /// The number of dead letters that there were.
    pub letters: u64,
    /// The lanes that may have changed, once each.
    pub lanes: Vec<LaneState>,
}

/// The size of a store, and its lanes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStatus {
    /// The size of the store.
    pub totals: Totals,
    /// The lanes with the oldest items.
    pub lanes: Vec<LaneStatus>,
}

/// A lane with items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStatus {
    /// The lane.
    pub lane: Arc<str>,
    /// The items that wait for their delivery.
    pub items: u64,
    /// When the first of them was appended.
    pub oldest: Timestamp,
    /// The attempts at the first of them that failed and were no outage.
    pub attempts: u32,
    /// The last failure of the first of them.
    pub last_error: Option<Arc<str>>,
}

/// An item that was set aside after too many failed attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The identifier, for [`Store::requeue`] and [`Store::remove`].
    pub id: u64,
    /// The item.
    pub item: Item,
    /// The attempts that failed.
    pub attempts: u32,
    /// The last failure.
    pub error: Arc<str>,
    /// When the item was appended.
    pub stored_at: Timestamp,
    /// When it was set aside.
    pub dead_at: Timestamp,
}
