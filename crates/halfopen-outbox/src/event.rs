use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::item::Item;
use crate::store::StoreError;

/// Something that happened in an outbox and that an operator may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OutboxEvent {
    /// The first item was buffered after a time in which there were none.
    Buffering,
    /// The last buffered item was delivered.
    Drained,
    /// An item was removed undelivered to make room.
    Dropped {
        /// The item.
        item: Item,
        /// Whether it was a dead letter.
        dead_letter: bool,
    },
    /// There was no room for an item, and its sender got an error.
    Full {
        /// The item.
        item: Item,
    },
    /// An item was set aside after too many failed attempts.
    DeadLetter {
        /// The item.
        item: Item,
        /// The last failure.
        error: Arc<str>,
    },
    /// An operation of the store failed.
    StoreFailed(StoreError),
    /// An operation of the store succeeded again.
    StoreRecovered {
        /// The time since the first failure.
        after: Duration,
    },
}

/// The counters of an outbox since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Items that `send` delivered itself.
    pub sent: u64,
    /// Items that were stored by `send`.
    pub buffered: u64,
    /// Items that were not stored again, as an item with their key was.
    pub duplicates: u64,
    /// Stored items that the worker delivered.
    pub replayed: u64,
    /// Attempts of the worker that failed.
    pub failed_attempts: u64,
    /// Items that were set aside.
    pub dead_letters: u64,
    /// Items and dead letters that were removed undelivered to make room.
    pub dropped: u64,
    /// Items for which there was no room.
    pub full: u64,
    /// Operations of the store that failed.
    pub store_failures: u64,
}

#[derive(Debug, Default)]
pub(crate) struct LiveCounters {
    pub(crate) sent: Counter,
    pub(crate) buffered: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) replayed: Counter,
    pub(crate) failed_attempts: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) dropped: Counter,
    pub(crate) full: Counter,
    pub(crate) store_failures: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        // A number for operators: it orders nothing.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl LiveCounters {
    pub(crate) fn values(&self) -> Counters {
        Counters {
            sent: self.sent.value(),
            buffered: self.buffered.value(),
            duplicates: self.duplicates.value(),
            replayed: self.replayed.value(),
            failed_attempts: self.failed_attempts.value(),
            dead_letters: self.dead_letters.value(),
            dropped: self.dropped.value(),
            full: self.full.value(),
            store_failures: self.store_failures.value(),
        }
    }
}
