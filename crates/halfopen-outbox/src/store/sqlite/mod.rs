//! A store in an SQLite file.

mod append;
mod dead;
mod leader;
mod open;
mod settle;
mod tally;
mod work;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Row, SqliteConnection, SqlitePool};

use self::leader::Leader;
use self::work::Work;
use super::{
    Appended, Claim, Claimed, ClaimedLane, DeadLetter, Entry, LaneState, LaneStatus, Requeued, Settled,
    Settlement, Store, StoreError, StoreErrorKind, StoreFuture, StoreStatus,
};
use crate::item::Item;
use crate::limits::Limits;
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
    /// crate. The file is not changed then.
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
        self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn claim_lanes(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let sweep = Some(claim.now.after(SWEEP));
        let Some(search) = self.leader().search(claim.lanes)? else {
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
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let names: Vec<String> = sqlx::query_scalar(sql)
            .bind(after)
            .bind(limit)
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
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.error(error))?;
        rows.iter().map(|row| entry(row, lane)).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    async fn read_status(&self, lanes: usize) -> Result<StoreStatus, StoreError> {
        let mut work = Work::read(&self.pool).await.map_err(|error| self.error(error))?;
        let status = status_of(work.connection(), lanes).await.map_err(|error| self.error(error))?;
        work.commit().await.map_err(|error| self.error(error))?;
        Ok(status)
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

async fn status_of(connection: &mut SqliteConnection, lanes: usize) -> Result<StoreStatus, sqlx::Error> {
    let totals = tally::Tally::read(connection).await?.totals(connection).await?;
    let sql = "SELECT lane, items.stored_at AS oldest, attempts, last_error, counted.items AS items
        FROM (SELECT min(id) AS first, count(*) AS items FROM items GROUP BY lane) AS counted
        JOIN items ON items.id = counted.first ORDER BY items.id LIMIT ?";
    let limit = i64::try_from(lanes).unwrap_or(i64::MAX);
    let rows = sqlx::query(sql).bind(limit).fetch_all(&mut *connection).await?;
    Ok(StoreStatus { totals, lanes: rows.iter().map(lane_status).collect::<Result<_, _>>()? })
}

fn lane_status(row: &SqliteRow) -> Result<LaneStatus, sqlx::Error> {
    let last_error: Option<String> = row.try_get("last_error")?;
    Ok(LaneStatus {
        lane: row.try_get::<String, _>("lane")?.into(),
        items: unsigned(row, "items")?,
        oldest: Timestamp::from_millis(unsigned(row, "oldest")?),
        attempts: row.try_get("attempts")?,
        last_error: last_error.map(Arc::from),
    })
}

fn entry(row: &SqliteRow, lane: &Arc<str>) -> Result<Entry, sqlx::Error> {
    Ok(Entry {
        id: unsigned(row, "id")?,
        item: item(row, Arc::clone(lane))?,
        attempts: row.try_get("attempts")?,
        stored_at: Timestamp::from_millis(unsigned(row, "stored_at")?),
    })
}

fn item(row: &SqliteRow, lane: Arc<str>) -> Result<Item, sqlx::Error> {
    let (key, payload): (String, Vec<u8>) = (row.try_get("key")?, row.try_get("payload")?);
    Ok(Item::new(payload).lane(lane).key(key))
}

fn unsigned(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// The form of a number in the database, whose integers have a sign. No limit permits so many bytes or items.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
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
        Some(_) | None => (StoreErrorKind::Unavailable, "cannot be used"),
    };
    StoreError::new(kind, format!("the outbox file {path} {what}")).with_source(error)
}

/// The states of some lanes, once each.
async fn lane_states(
    connection: &mut SqliteConnection,
    lanes: impl IntoIterator<Item = Arc<str>>,
) -> Result<Vec<LaneState>, sqlx::Error> {
    let lanes: std::collections::BTreeSet<_> = lanes.into_iter().collect();
    let mut states = Vec::new();
    for lane in lanes {
        let sql = "SELECT EXISTS (SELECT 1 FROM items WHERE lane = ?)";
        let has_items = sqlx::query_scalar(sql).bind(&*lane).fetch_one(&mut *connection).await?;
        states.push(LaneState { lane, has_items });
    }
    Ok(states)
}
