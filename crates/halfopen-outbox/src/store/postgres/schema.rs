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

/// The columns of the tables and their types, as far as the statements depend on them.
const COLUMNS: [(&str, &str); 4] = [
    (
        "halfopen_outbox_items",
        "id bigint, lane text, key text, payload bytea, size bigint, stored_at bigint, attempts bigint, last_error text",
    ),
    ("halfopen_outbox_lanes", "lane text, worker text, free_at bigint"),
    (
        "halfopen_outbox_dead_letters",
        "id bigint, lane text, key text, payload bytea, size bigint, stored_at bigint, attempts bigint, error text, \
         dead_at bigint",
    ),
    (
        "halfopen_outbox_tally",
        "version integer, last_id bigint, items bigint, dead_letters bigint, bytes bigint",
    ),
];

/// Plans statements that need the unique keys, without executing them.
const KEYS: [(&str, &str); 2] = [
    (
        "halfopen_outbox_items",
        "EXPLAIN INSERT INTO halfopen_outbox_items SELECT * FROM halfopen_outbox_items ON CONFLICT (key) DO NOTHING",
    ),
    (
        "halfopen_outbox_lanes",
        "EXPLAIN INSERT INTO halfopen_outbox_lanes (lane) VALUES ('') ON CONFLICT (lane) DO NOTHING",
    ),
];

/// Counts the rows again if they are not those of the tally: rows were changed by hand, or restored.
const RECOUNT: &str = "
    WITH rows AS (
        SELECT id, 1 AS items, 0 AS dead_letters, size FROM halfopen_outbox_items
        UNION ALL SELECT id, 0, 1, size FROM halfopen_outbox_dead_letters),
    counted AS (
        SELECT coalesce(max(id), 0) AS last_id, coalesce(sum(items), 0)::bigint AS items,
            coalesce(sum(dead_letters), 0)::bigint AS dead_letters, coalesce(sum(size), 0)::bigint AS bytes FROM rows)
    UPDATE halfopen_outbox_tally AS tally
    SET last_id = greatest(tally.last_id, counted.last_id), items = counted.items,
        dead_letters = counted.dead_letters, bytes = counted.bytes
    FROM counted
    WHERE tally.last_id < counted.last_id
        OR (tally.items, tally.dead_letters, tally.bytes) <> (counted.items, counted.dead_letters, counted.bytes)";

pub(super) async fn create(pool: &PgPool) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await.map_err(error_of)?;
    create_tables(&mut transaction).await.map_err(error_of)?;
    // First, as other versions have other columns.
    check_version(&mut transaction).await?;
    check_columns(&mut transaction).await?;
    check_keys(&mut transaction).await?;
    // After the lock of the tally, so that no other transaction changes rows meanwhile.
    sqlx::query(RECOUNT).execute(&mut *transaction).await.map_err(error_of)?;
    commit(transaction).await
}

fn foreign(message: String) -> StoreError {
    StoreError::new(StoreErrorKind::Foreign, message)
}

async fn check_columns(transaction: &mut Transaction<'_, Postgres>) -> Result<(), StoreError> {
    let sql = "SELECT coalesce(string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum), '')
        FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
    for (table, columns) in COLUMNS {
        let found: String =
            sqlx::query_scalar(sql).bind(table).fetch_one(&mut **transaction).await.map_err(error_of)?;
        // More of an operator's may follow.
        let has_all =
            found.strip_prefix(columns).is_some_and(|rest| rest.is_empty() || rest.starts_with(", "));
        if !has_all {
            let found =
                if found.is_empty() { "is missing".to_owned() } else { format!("has the columns {found}") };
            return Err(foreign(format!("the table {table} {found}, an outbox's has {columns}")));
        }
    }
    Ok(())
}

async fn check_keys(transaction: &mut Transaction<'_, Postgres>) -> Result<(), StoreError> {
    for (table, plan) in KEYS {
        if let Err(error) = sqlx::query(plan).execute(&mut **transaction).await {
            // There is no constraint for `ON CONFLICT`.
            let is_missing =
                error.as_database_error().and_then(|error| error.code()).as_deref() == Some("42P10");
            return Err(if is_missing {
                foreign(format!("the table {table} has no unique key, as an outbox's has")).with_source(error)
            } else {
                error_of(error)
            });
        }
    }
    Ok(())
}

/// Checks the version of the schema, and locks the tally.
async fn check_version(transaction: &mut Transaction<'_, Postgres>) -> Result<(), StoreError> {
    // As a value of JSON it may be missing, in tables of something else.
    let sql = "SELECT to_jsonb(tally) ->> 'version' FROM halfopen_outbox_tally AS tally FOR UPDATE";
    let versions: Vec<Option<String>> =
        sqlx::query_scalar(sql).fetch_all(&mut **transaction).await.map_err(error_of)?;
    match &*versions {
        [None] => Ok(()),
        [Some(version)] if *version == VERSION.to_string() => Ok(()),
        [Some(version)] => Err(foreign(format!(
            "the outbox's tables have version {version} of the schema, and this program version {VERSION}"
        ))),
        _ => {
            let message =
                format!("the table halfopen_outbox_tally has {} rows, must have one", versions.len());
            Err(StoreError::new(StoreErrorKind::Corrupt, message))
        }
    }
}

/// Creates the tables if there are none.
async fn create_tables(transaction: &mut Transaction<'_, Postgres>) -> Result<(), sqlx::Error> {
    let lock = "SELECT pg_advisory_xact_lock($1)";
    sqlx::query(lock).bind(LOCK).execute(&mut **transaction).await?;
    let sql = "SELECT to_regclass('halfopen_outbox_tally') IS NOT NULL";
    let exists: bool = sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?;
    if !exists {
        for statement in TABLES {
            sqlx::query(statement).execute(&mut **transaction).await?;
        }
    }
    Ok(())
}
