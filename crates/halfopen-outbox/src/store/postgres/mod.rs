//! A store in a PostgreSQL database.

mod schema;
mod statements;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{PgPool, Postgres, Transaction};

use self::statements::millis;
use super::sql::{self, Outcome, dead_letter, entry, is_damage, rows_limit, signed};
use super::{
    Appended, Claim, Claimed, ClaimedLane, DeadLetter, Entry, Requeued, Settled, Settlement, Store,
    StoreError, StoreErrorKind, StoreFuture, StoreStatus,
};
use crate::item::Item;
use crate::limits::Limits;
use crate::timestamp::Timestamp;

/// How often a worker looks for lanes whose worker is gone, and for items of other processes.
const SWEEP: Duration = Duration::from_secs(5);

/// A store in a PostgreSQL database, which many processes can share.
///
/// Each process delivers some of the lanes: it claims one with `FOR UPDATE SKIP LOCKED` and keeps it while it delivers.
/// If it ends without releasing a lane, another process takes it over when the claim expires, after twice the
/// [`send_timeout`](crate::OutboxBuilder::send_timeout) and the
/// [`store_timeout`](crate::OutboxBuilder::store_timeout), 25 s by default. The clocks of the processes should
/// agree to a few seconds.
///
/// The tables are `halfopen_outbox_items`, `_lanes`, `_dead_letters` and `_tally`, in the first schema of the
/// pool's `search_path`: several outboxes can share a database by a schema each. Transactions that append or remove
/// items wait for each other, which keeps the order of the items that of their commits.
///
/// # Examples
///
/// ```no_run
/// use halfopen_outbox::{Item, Outbox, PostgresStore};
/// use sqlx::postgres::PgPoolOptions;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = PgPoolOptions::new().acquire_timeout(Duration::from_secs(2));
/// let pool = options.connect("postgres://app@localhost/app").await?;
/// let store = PostgresStore::open(pool).await?;
/// let outbox = Outbox::builder(store, |_: Item| async { Ok::<(), std::io::Error>(()) }).build().await?;
/// # drop(outbox);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
    /// The time of the last claim in this process, in milliseconds.
    claimed_at: Arc<AtomicU64>,
}

impl PostgresStore {
    /// Opens a store, and creates the tables if there are none.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Foreign`](StoreErrorKind::Foreign) if the tables have other columns or another
    /// version of the schema, of the kind [`Corrupt`](StoreErrorKind::Corrupt) if the tally has no row or several, and of
    /// another kind if the database cannot be used. Nothing is changed then. Otherwise a tally that is not that of the rows,
    /// which were changed by hand, is counted again.
    pub async fn open(pool: PgPool) -> Result<PostgresStore, StoreError> {
        schema::create(&pool).await?;
        Ok(PostgresStore { pool, claimed_at: Arc::default() })
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.pool.begin().await.map_err(error_of)
    }

    async fn claim_lanes(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let mut transaction = self.begin().await?;
        let back = Timestamp::from_millis(self.claimed_at.load(Ordering::Relaxed)).since(claim.now);
        let claimed = async {
            if !back.is_zero() {
                set_back(&mut transaction, &claim, back).await?;
            }
            claim_lanes(&mut transaction, &claim).await
        };
        let claimed = claimed.await;
        let claimed = end(transaction, claimed).await?;
        self.claimed_at.store(claim.now.as_millis(), Ordering::Relaxed);
        Ok(claimed)
    }

    async fn append_items(
        &self,
        items: Vec<Item>,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let mut transaction = self.begin().await?;
        let appended = sql::append(&mut transaction, items, limits, now).await;
        end(transaction, appended).await
    }

    async fn settle_lanes(
        &self,
        settlements: Vec<Settlement>,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut transaction = self.begin().await?;
        let settled = sql::settle(&mut transaction, &settlements, now).await;
        end(transaction, settled).await
    }

    async fn read_lanes(&self) -> Result<Vec<Arc<str>>, StoreError> {
        let sql = "SELECT lane FROM halfopen_outbox_lanes";
        let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&self.pool).await.map_err(error_of)?;
        Ok(names.into_iter().map(Arc::from).collect())
    }

    async fn read_status(&self, lanes: usize) -> Result<StoreStatus, StoreError> {
        // A single state of the store: the tally and the lanes.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut transaction = self.pool.begin_with(begin).await.map_err(error_of)?;
        let status = sql::status(&mut transaction, lanes).await;
        end(transaction, status).await
    }

    async fn read_dead_letters(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let sql = "SELECT * FROM halfopen_outbox_dead_letters WHERE id > $1 ORDER BY id LIMIT $2";
        let query = sqlx::query(sql).bind(signed(after.unwrap_or(0))).bind(rows_limit(limit));
        let rows = query.fetch_all(&self.pool).await.map_err(error_of)?;
        rows.iter().map(dead_letter).collect::<Result<_, _>>().map_err(error_of)
    }

    async fn requeue_dead_letters(&self, ids: Vec<u64>, now: Timestamp) -> Result<Requeued, StoreError> {
        let mut transaction = self.begin().await?;
        let requeued = sql::requeue(&mut transaction, &ids, now).await;
        end(transaction, requeued).await
    }

    async fn remove_dead_letters(&self, ids: Vec<u64>) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let removed = sql::remove(&mut transaction, &ids).await;
        end(transaction, removed).await
    }
}

impl Store for PostgresStore {
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
        Box::pin(self.read_lanes())
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
}

/// Sets the times of lanes back as the clock was, which would last longer by as much: the claims of this worker, and the
/// waits for the next attempt, of whichever worker. Those of others with another clock end early, which does no harm.
#[cold]
async fn set_back(
    transaction: &mut Transaction<'_, Postgres>,
    claim: &Claim,
    back: Duration,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE halfopen_outbox_lanes SET free_at = greatest(free_at - $2, 0)
        WHERE free_at > $3 AND (worker IS NULL OR worker = $1)";
    let back = u64::try_from(back.as_millis()).map_or(i64::MAX, signed);
    let query = sqlx::query(sql).bind(&*claim.worker).bind(back).bind(millis(claim.now));
    query.execute(&mut **transaction).await.map(drop)
}

async fn claim_lanes(
    transaction: &mut Transaction<'_, Postgres>,
    claim: &Claim,
) -> Result<Claimed, sqlx::Error> {
    // Materialized: the rows are locked once, and no more than the limit.
    let sql = "WITH free AS MATERIALIZED (
            SELECT lane FROM halfopen_outbox_lanes WHERE free_at <= $3
            ORDER BY free_at, lane LIMIT $4 FOR UPDATE SKIP LOCKED)
        UPDATE halfopen_outbox_lanes AS lanes SET worker = $1, free_at = $2
        FROM free WHERE lanes.lane = free.lane RETURNING lanes.lane";
    let names: Vec<String> = sqlx::query_scalar(sql)
        .bind(&*claim.worker)
        .bind(millis(claim.until))
        .bind(millis(claim.now))
        .bind(rows_limit(claim.lanes))
        .fetch_all(&mut **transaction)
        .await?;
    let mut lanes = Vec::new();
    // Another statement, and so a later snapshot: what the last owner removed when it released the lane is not seen.
    for name in names {
        let lane = Arc::from(name);
        let entries = first_entries(transaction, &lane, claim.items).await?;
        if !entries.is_empty() {
            lanes.push(ClaimedLane { lane, entries });
        }
    }
    let sql = "SELECT min(free_at) FROM halfopen_outbox_lanes WHERE free_at > $1";
    let next: Option<i64> =
        sqlx::query_scalar(sql).bind(millis(claim.now)).fetch_one(&mut **transaction).await?;
    let sweep = claim.now.after(SWEEP);
    let next = next.and_then(|next| u64::try_from(next).ok()).map(Timestamp::from_millis);
    Ok(Claimed { lanes, next: Some(next.map_or(sweep, |next| next.min(sweep))) })
}

async fn first_entries(
    transaction: &mut Transaction<'_, Postgres>,
    lane: &Arc<str>,
    limit: usize,
) -> Result<Vec<Entry>, sqlx::Error> {
    let sql = "SELECT id, key, payload, attempts, stored_at FROM halfopen_outbox_items
        WHERE lane = $1 ORDER BY id LIMIT $2";
    let rows = sqlx::query(sql).bind(&**lane).bind(rows_limit(limit)).fetch_all(&mut **transaction).await?;
    rows.iter().map(|row| entry(row, lane)).collect()
}

/// Commits a transaction whose statements have succeeded.
async fn end<T>(transaction: Transaction<'_, Postgres>, result: Outcome<T>) -> Result<T, StoreError> {
    let result = result.map_err(error_of)?;
    commit(transaction).await?;
    Ok(result)
}

/// Commits. If the connection is lost meanwhile, the server may have done it or not.
async fn commit(transaction: Transaction<'_, Postgres>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(|error| match error {
        sqlx::Error::Database(_) => error_of(error),
        other => {
            let message = "the connection to the outbox's database was lost during a commit";
            StoreError::new(StoreErrorKind::Uncertain, message).with_source(other)
        }
    })
}

fn error_of(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    let (kind, what) = match &*code {
        "53100" => (StoreErrorKind::Full, "has no disk space left"),
        "XX001" | "XX002" => (StoreErrorKind::Corrupt, "is damaged; it is left as it is"),
        // Undefined tables and columns, and no constraint for `ON CONFLICT`.
        "42P01" | "42703" | "42P10" => (StoreErrorKind::Corrupt, "has lost a part of its tables"),
        _ if is_damage(&error) => (StoreErrorKind::Corrupt, "is damaged; it is left as it is"),
        _ => (StoreErrorKind::Unavailable, "cannot be used"),
    };
    StoreError::new(kind, format!("the outbox's database {what}")).with_source(error)
}
