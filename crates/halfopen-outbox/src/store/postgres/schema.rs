//! The tables.

use sqlx::{PgPool, Postgres, Transaction};

use super::{commit, error_of};
use crate::store::{StoreError, StoreErrorKind};

/// The version of the schema.
const VERSION: i32 = 1;

/// Held while the tables are created: `half` and `open` in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"halfopen");

const TABLES: [&str; 7] = [
    "CREATE TABLE halfopen_outbox_items (
        id BIGINT PRIMARY KEY,
        lane TEXT NOT NULL,
        key TEXT NOT NULL UNIQUE,
        payload BYTEA NOT NULL,
        size BIGINT NOT NULL,
        stored_at BIGINT NOT NULL,
        attempts BIGINT NOT NULL DEFAULT 0,
        last_error TEXT)",
    "CREATE INDEX halfopen_outbox_items_by_lane ON halfopen_outbox_items (lane, id)",
    // A row for each lane that has items. `worker` is null while the lane is only to be left alone.
    "CREATE TABLE halfopen_outbox_lanes (lane TEXT PRIMARY KEY, worker TEXT, free_at BIGINT NOT NULL DEFAULT 0)",
    "CREATE INDEX halfopen_outbox_lanes_by_time ON halfopen_outbox_lanes (free_at, lane)",
    "CREATE TABLE halfopen_outbox_dead_letters (
        id BIGINT PRIMARY KEY,
        lane TEXT NOT NULL,
        key TEXT NOT NULL,
        payload BYTEA NOT NULL,
        size BIGINT NOT NULL,
        stored_at BIGINT NOT NULL,
        attempts BIGINT NOT NULL,
        error TEXT NOT NULL,
        dead_at BIGINT NOT NULL)",
    // One row, which every transaction that appends or removes locks first.
    "CREATE TABLE halfopen_outbox_tally (
        version INT NOT NULL,
        last_id BIGINT NOT NULL,
        items BIGINT NOT NULL,
        dead_letters BIGINT NOT NULL,
        bytes BIGINT NOT NULL)",
    "INSERT INTO halfopen_outbox_tally VALUES (1, 0, 0, 0, 0)",
];

pub(super) async fn create(pool: &PgPool) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await.map_err(error_of)?;
    let version = create_tables(&mut transaction).await.map_err(error_of)?;
    if version != VERSION {
        let message = format!(
            "the outbox's tables have version {version} of the schema, and this program version {VERSION}"
        );
        return Err(StoreError::new(StoreErrorKind::Foreign, message));
    }
    commit(transaction).await
}

/// Creates the tables if there are none, and returns the version.
async fn create_tables(transaction: &mut Transaction<'_, Postgres>) -> Result<i32, sqlx::Error> {
    let lock = "SELECT pg_advisory_xact_lock($1)";
    sqlx::query(lock).bind(LOCK).execute(&mut **transaction).await?;
    let sql = "SELECT to_regclass('halfopen_outbox_tally') IS NOT NULL";
    let exists: bool = sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?;
    if !exists {
        for statement in TABLES {
            sqlx::query(statement).execute(&mut **transaction).await?;
        }
    }
    sqlx::query_scalar("SELECT version FROM halfopen_outbox_tally").fetch_one(&mut **transaction).await
}
