//! What the stores in databases share: the operations of a store, made of statements that each database has in its own
//! words, and the forms of rows and numbers.

mod append;
mod dead;
mod rows;
mod settle;
mod tally;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use super::{LaneState, LaneStatus, Settlement, StoreStatus};
use crate::item::Item;
use crate::timestamp::Timestamp;

pub(super) use self::append::append;
pub(super) use self::dead::{remove, requeue};
pub(super) use self::rows::{Columns, dead_letter, entry, lane_status, rows_limit, signed, taken};
pub(super) use self::settle::settle;
pub(super) use self::tally::Tally;

/// The result of statements.
pub(super) type Outcome<T> = Result<T, sqlx::Error>;

/// Whether an error is that of rows or values which are missing, or of another type.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::RowNotFound
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
    )
}

/// An item that was removed, and its size in the tally.
pub(super) struct Taken {
    pub(super) item: Item,
    pub(super) size: u64,
}

/// A transaction of a database.
pub(super) trait Statements: Send {
    fn read_tally(&mut self) -> impl Future<Output = Outcome<Tally>> + Send;

    /// Reads the tally, and keeps other transactions from changing it until the end of this one.
    fn lock_tally(&mut self) -> impl Future<Output = Outcome<Tally>> + Send;

    fn write_tally(&mut self, tally: Tally) -> impl Future<Output = Outcome<()>> + Send;

    /// When the oldest item was appended.
    fn oldest(&mut self) -> impl Future<Output = Outcome<Option<Timestamp>>> + Send;

    /// Whether an item with the key of this one is stored.
    fn is_stored(&mut self, item: &Item) -> impl Future<Output = Outcome<bool>> + Send;

    /// Inserts items, those excepted whose keys are stored, and returns how many; the identifiers count on from `first`.
    fn insert(
        &mut self,
        first: u64,
        items: &[Item],
        now: Timestamp,
    ) -> impl Future<Output = Outcome<u64>> + Send;

    /// Removes the items with identifiers from `first` on, which this transaction has inserted.
    fn take_back(&mut self, first: u64) -> impl Future<Output = Outcome<()>> + Send;

    fn take_oldest_item(&mut self) -> impl Future<Output = Outcome<Option<Taken>>> + Send;

    fn oldest_dead_letter(&mut self) -> impl Future<Output = Outcome<Option<u64>>> + Send;

    fn take_dead_letters(&mut self, ids: &[u64]) -> impl Future<Output = Outcome<Vec<Taken>>> + Send;

    /// Removes items, and returns their sizes.
    fn remove_items(&mut self, ids: &[u64]) -> impl Future<Output = Outcome<Vec<u64>>> + Send;

    fn note_failure(
        &mut self,
        id: u64,
        error: &str,
        counted: bool,
    ) -> impl Future<Output = Outcome<()>> + Send;

    /// Moves an item to the dead letters, and returns how many there were.
    fn set_aside(
        &mut self,
        id: u64,
        error: &str,
        now: Timestamp,
    ) -> impl Future<Output = Outcome<u64>> + Send;

    /// Changes the claim of a lane, if the worker still has it, where the database has the claims.
    fn change_claim(&mut self, _settlement: &Settlement) -> impl Future<Output = Outcome<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Forgets those of the lanes that have no items, where the database has lanes.
    fn forget_empty_lanes(
        &mut self,
        _lanes: &BTreeSet<Arc<str>>,
    ) -> impl Future<Output = Outcome<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// The states of lanes, in their order.
    fn lane_states(
        &mut self,
        lanes: BTreeSet<Arc<str>>,
    ) -> impl Future<Output = Outcome<Vec<LaneState>>> + Send;

    /// The lanes with the oldest items, at most `limit`.
    fn oldest_lanes(&mut self, limit: usize) -> impl Future<Output = Outcome<Vec<LaneStatus>>> + Send;
}

/// The size of the store, and the lanes with the oldest items.
pub(super) async fn status(statements: &mut impl Statements, lanes: usize) -> Outcome<StoreStatus> {
    let totals = statements.read_tally().await?.totals(statements).await?;
    Ok(StoreStatus { totals, lanes: statements.oldest_lanes(lanes).await? })
}
