//! A store in an SQLite file.

mod leader;
mod open;
mod statements;
mod work;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use self::leader::Leader;
use self::work::Work;
use super::sql::{self, Outcome, dead_letter, entry, is_damage, rows_limit, signed};
use super::{
    Appended, Claim, Claimed, ClaimedLane, DeadLetter, Entry, Requeued, Settled, Settlement, Store,
    StoreError, StoreErrorKind, StoreFuture, StoreStatus,
};
use crate::item::Item;
use crate::limits::Limits;
use crate::lock;
use crate::timestamp::Timestamp;

/// How often a process looks for items of others that use the same file.
const SWEEP: Duration = Duration::from_secs(1);

/// A store in an SQLite file, for programs without a database server.
///
/// Stored items survive the end of the process and of the machine: the file is in WAL mode with
/// `synchronous=FULL`, and one commit serves all items that are waiting for it.
///
/// Several processes may use one file on a local disk, such as an old and a new one during a deployment. One of them
/// delivers, the one that holds the lock of the file with the suffix `-outbox-lock`; another takes over within a
/// second after it has ended, however it ended.
///
/// # Examples
///
/// ```
/// use halfopen_outbox::{Item, Outbox, SqliteStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("receipts.db");
/// let store = SqliteStore::open(path).await?;
/// let outbox = Outbox::builder(store, |_: Item| async { Ok::<(), std::io::Error>(()) }).build().await?;
/// outbox.send(Item::new("a receipt")).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    path: PathBuf,
    leader: Mutex<Leader>,
}

impl SqliteStore {
    /// Opens a store, or creates it if the file does not exist or is empty.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Corrupt`](StoreErrorKind::Corrupt) if the file is damaged or no database, and of
    /// the kind [`Foreign`](StoreErrorKind::Foreign) if it belongs to something else or to a later version of this
    /// crate. The file is not changed then. Otherwise a tally that is not that of the rows, which were changed by hand, is
    /// counted again.
    pub async fn open(path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(SqliteConnectOptions::new().filename(path)).await
    }

    /// Opens a store with options such as pragmas of its own. The journal mode and `synchronous` are set by the store.
    ///
    /// # Errors
    ///
    /// Same as [`open`](Self::open).
    pub async fn open_with(options: SqliteConnectOptions) -> Result<SqliteStore, StoreError> {
        let path = options.get_filename().to_path_buf();
        let pool = open::open(options, &path).await?;
        let leader = Leader::new(&path)?;
        Ok(SqliteStore { pool, path, leader: Mutex::new(leader) })
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        error_of(&self.path, error)
    }

    fn leader(&self) -> MutexGuard<'_, Leader> {
        lock(&self.leader)
    }

    async fn claim_lanes(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let sweep = Some(claim.now.after(SWEEP));
        let Some(search) = self.leader().search(claim.lanes, claim.now)? else {
            return Ok(Claimed { lanes: Vec::new(), next: sweep });
        };
        let found = self.lanes_after(search.after.as_deref().unwrap_or(""), search.limit).await?;
        let mut chosen = self.leader().choose(found, &claim);
        // Once around: from the first lane on, when there were not enough after the last one.
        if chosen.len() < claim.lanes && search.after.is_some() {
            let found = self.lanes_after("", search.limit).await?;
            let rest = Claim { lanes: claim.lanes - chosen.len(), ..claim.clone() };
            chosen.extend(self.leader().choose(found, &rest));
        }
        let mut lanes = Vec::new();
        for lane in chosen {
            let entries = self.first_entries(&lane, claim.items).await?;
            if !entries.is_empty() {
                lanes.push(ClaimedLane { lane, entries });
            }
        }
        Ok(Claimed { lanes, next: self.leader().next(claim.now).or(sweep).min(sweep) })
    }

    /// Returns the names of lanes in their order. Each is one step in the index, however many items it has.
    async fn lanes_after(&self, after: &str, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        let sql = "WITH RECURSIVE names(lane) AS (
                SELECT min(lane) FROM items WHERE lane > ?1
                UNION ALL SELECT (SELECT min(lane) FROM items WHERE lane > names.lane) FROM names WHERE lane IS NOT NULL)
            SELECT lane FROM names WHERE lane IS NOT NULL LIMIT ?2";
        let names: Vec<String> = sqlx::query_scalar(sql)
            .bind(after)
            .bind(rows_limit(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.error(error))?;
        Ok(names.into_iter().map(Arc::from).collect())
    }

    async fn first_entries(&self, lane: &Arc<str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let sql =
            "SELECT id, key, payload, attempts, stored_at FROM items WHERE lane = ? ORDER BY id LIMIT ?";
        let rows = sqlx::query(sql)
            .bind(&**lane)
            .bind(rows_limit(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.error(error))?;
        rows.iter().map(|row| entry(row, lane)).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    async fn read(&self) -> Result<Work, StoreError> {
        Work::read(&self.pool).await.map_err(|error| self.error(error))
    }

    async fn write(&self) -> Result<Work, StoreError> {
        Work::write(&self.pool).await.map_err(|error| self.error(error))
    }

    /// Commits a transaction whose statements have succeeded.
    async fn end<T>(&self, work: Work, result: Outcome<T>) -> Result<T, StoreError> {
        let result = result.map_err(|error| self.error(error))?;
        work.commit().await.map_err(|error| self.error(error))?;
        Ok(result)
    }

    async fn append_items(
        &self,
        items: Vec<Item>,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let mut work = self.write().await?;
        let appended = sql::append(work.connection(), items, limits, now).await;
        let appended = self.end(work, appended).await?;
        self.leader().forget_empty(&appended.lanes);
        Ok(appended)
    }

    async fn settle_lanes(
        &self,
        settlements: Vec<Settlement>,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let changes = settlements.iter().any(|settlement| !settlement.results.is_empty());
        let mut work = if changes { self.write().await? } else { self.read().await? };
        let settled = sql::settle(work.connection(), &settlements, now).await;
        let settled = self.end(work, settled).await?;
        let mut leader = self.leader();
        settlements.iter().for_each(|settlement| leader.settle(settlement));
        leader.forget_empty(&settled.lanes);
        drop(leader);
        Ok(settled)
    }

    async fn read_status(&self, lanes: usize) -> Result<StoreStatus, StoreError> {
        let mut work = self.read().await?;
        let status = sql::status(work.connection(), lanes).await;
        self.end(work, status).await
    }

    async fn read_dead_letters(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let sql = "SELECT * FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?";
        let query = sqlx::query(sql).bind(signed(after.unwrap_or(0))).bind(rows_limit(limit));
        let rows = query.fetch_all(&self.pool).await.map_err(|error| self.error(error))?;
        rows.iter().map(dead_letter).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    async fn requeue_dead_letters(&self, ids: Vec<u64>, now: Timestamp) -> Result<Requeued, StoreError> {
        let mut work = self.write().await?;
        let requeued = sql::requeue(work.connection(), &ids, now).await;
        self.end(work, requeued).await
    }

    async fn remove_dead_letters(&self, ids: Vec<u64>) -> Result<u64, StoreError> {
        let mut work = self.write().await?;
        let removed = sql::remove(work.connection(), &ids).await;
        self.end(work, removed).await
    }
}

impl Store for SqliteStore {
    fn append(&self, items: Vec<Item>, limits: Limits, now: Timestamp) -> StoreFuture<'_, Appended> {
        Box::pin(self.append_items(items, limits, now))
    }

    fn claim(&self, claim: Claim) -> StoreFuture<'_, Claimed> {
        Box::pin(self.claim_lanes(claim))
    }

    fn settle(&self, settlements: Vec<Settlement>, now: Timestamp) -> StoreFuture<'_, Settled> {
        Box::pin(self.settle_lanes(settlements, now))
    }

    fn lanes(&self) -> StoreFuture<'_, Vec<Arc<str>>> {
        Box::pin(self.lanes_after("", usize::MAX))
    }

    fn status(&self, lanes: usize) -> StoreFuture<'_, StoreStatus> {
        Box::pin(self.read_status(lanes))
    }

    fn dead_letters(&self, after: Option<u64>, limit: usize) -> StoreFuture<'_, Vec<DeadLetter>> {
        Box::pin(self.read_dead_letters(after, limit))
    }

    fn requeue(&self, ids: Vec<u64>, now: Timestamp) -> StoreFuture<'_, Requeued> {
        Box::pin(self.requeue_dead_letters(ids, now))
    }

    fn remove(&self, ids: Vec<u64>) -> StoreFuture<'_, u64> {
        Box::pin(self.remove_dead_letters(ids))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.pool.close().await;
            self.leader().resign();
            Ok(())
        })
    }
}

/// The primary result code of SQLite.
fn code_of(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

fn error_of(path: &Path, error: sqlx::Error) -> StoreError {
    let path = path.display();
    let (kind, what) = match code_of(&error) {
        Some(13) => (StoreErrorKind::Full, "is full"),
        Some(11 | 26) => (StoreErrorKind::Corrupt, "is damaged or no database; it is left as it is"),
        Some(5 | 6) => (StoreErrorKind::Unavailable, "is locked by another process"),
        Some(8) => (StoreErrorKind::Unavailable, "is read-only"),
        None if is_damage(&error) => (StoreErrorKind::Corrupt, "is damaged; it is left as it is"),
        Some(_) | None => (StoreErrorKind::Unavailable, "cannot be used"),
    };
    StoreError::new(kind, format!("the outbox file {path} {what}")).with_source(error)
}
