#![cfg_attr(docsrs, feature(doc_cfg))]
//! An outbox behind a circuit breaker: what cannot be sent now is stored durably, and delivered in order when calls pass
//! again.
//!
//! An [`Outbox`] sends [`Item`]s with a [`Sender`], through a [`CircuitBreaker`](halfopen::CircuitBreaker). Those that
//! the breaker rejects, or whose delivery fails, go to a [`Store`]: [`SqliteStore`] in a file next to the program,
//! [`PostgresStore`] in a database that several processes share, or [`MemoryStore`].
//!
//! # Features
//!
//! - `sqlite`, a default: [`SqliteStore`].
//! - `postgres`: [`PostgresStore`].
//! - `metrics`: [`OutboxMetrics`].

#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod builder;
mod decide;
mod error;
mod event;
mod item;
mod lane_run;
mod lanes;
mod limits;
#[cfg(feature = "metrics")]
mod metrics;
mod outbox;
mod replay;
mod reports;
mod sender;
mod shared;
mod store;
mod timestamp;
mod writer;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use builder::OutboxBuilder;
pub use error::{BuildError, SendError};
pub use event::{Counters, OutboxEvent};
pub use item::Item;
pub use limits::{Limits, Overflow};
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use metrics::OutboxMetrics;
pub use outbox::{Delivery, Outbox, OutboxSnapshot, OutboxStatus};
pub use sender::Sender;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use store::PostgresStore;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use store::SqliteStore;
pub use store::{
    AppendOutcome, Appended, Claim, Claimed, ClaimedLane, DeadLetter, Dropped, Entry, EntryResult, LaneState,
    LaneStatus, MemoryStore, Requeued, Settled, Settlement, Store, StoreError, StoreErrorKind, StoreFuture,
    StoreStatus, Then, Totals,
};
pub use timestamp::Timestamp;

/// Locks, ignoring poison: no code of users runs under a lock, and no operation panics half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
