//! Opening a file: nothing is changed in one that is not an outbox.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::time::Instant;

use super::{code_of, error_of};
use crate::store::{StoreError, StoreErrorKind};

/// Marks the file as an outbox: `half` in ASCII.
const APPLICATION: i32 = i32::from_be_bytes(*b"half");

/// The version of the schema.
const VERSION: i32 = 1;

const SCHEMA: [&str; 6] = [
    "CREATE TABLE items (
        id INTEGER PRIMARY KEY,
        lane TEXT NOT NULL,
        key TEXT NOT NULL,
        payload BLOB NOT NULL,
        size INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        last_error TEXT) STRICT",
    "CREATE UNIQUE INDEX items_by_key ON items (key)",
    "CREATE INDEX items_by_lane ON items (lane, id)",
    "CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY,
        lane TEXT NOT NULL,
        key TEXT NOT NULL,
        payload BLOB NOT NULL,
        size INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT NOT NULL,
        dead_at INTEGER NOT NULL) STRICT",
    // Counted along, so that limits are checked without counting all rows. The last identifier is never used again.
    "CREATE TABLE tally (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        last_id INTEGER NOT NULL,
        items INTEGER NOT NULL,
        dead_letters INTEGER NOT NULL,
        bytes INTEGER NOT NULL) STRICT",
    "INSERT INTO tally VALUES (1, 0, 0, 0, 0)",
];

/// The content of a file that can be used.
enum Found {
    Empty,
    Outbox,
}

/// How long another process that is opening the file is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// Opens a file. Where it changes its journal mode or recovers, SQLite reports that the file is locked without the
/// wait of `busy_timeout`.
pub(super) async fn open(options: SqliteConnectOptions, path: &Path) -> Result<SqlitePool, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open_once(options.clone(), path).await {
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            opened => return opened,
        }
    }
}

fn is_locked(error: &StoreError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<sqlx::Error>());
    matches!(cause.and_then(code_of), Some(5 | 6))
}

async fn open_once(options: SqliteConnectOptions, path: &Path) -> Result<SqlitePool, StoreError> {
    let options =
        options.create_if_missing(true).busy_timeout(Duration::from_secs(4)).disable_statement_logging();
    let failed = |error| error_of(path, error);

    // The journal mode is stored in the file, so it is set only when the file is known to be an outbox.
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    match inspect(&mut connection, path).await? {
        Found::Outbox => recount(&mut connection).await.map_err(failed)?,
        Found::Empty => create(&mut connection, path).await?,
    }
    connection.close().await.map_err(failed)?;

    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    SqlitePoolOptions::new()
        // One writes, and another reads the status meanwhile.
        .max_connections(2)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(4))
        .connect_with(options)
        .await
        .map_err(failed)
}

/// Returns the content of a file, and checks an outbox for damage.
async fn inspect(connection: &mut SqliteConnection, path: &Path) -> Result<Found, StoreError> {
    let failed = |error| error_of(path, error);
    let application: i32 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(failed)?;
    let version: i32 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(failed)?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    match (application, version, tables) {
        (0, 0, 0) => return Ok(Found::Empty),
        (APPLICATION, VERSION, _) => {}
        (APPLICATION, other, _) => {
            let message = format!(
                "the outbox file {} has version {other} of the schema, and this program version {VERSION}",
                path.display()
            );
            return Err(StoreError::new(StoreErrorKind::Foreign, message));
        }
        (_, _, _) => {
            let message = format!("the file {} is a database, but no outbox", path.display());
            return Err(StoreError::new(StoreErrorKind::Foreign, message));
        }
    }
    let verdict: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await.map_err(failed)?;
    if verdict != "ok" {
        let message = format!("the outbox file {} is damaged; it is left as it is", path.display());
        return Err(StoreError::new(StoreErrorKind::Corrupt, message).with_source(verdict));
    }
    let parts = parts(connection).await.map_err(failed)?;
    if let Some(missing) =
        expected_parts().await.map_err(failed)?.into_iter().find(|part| !parts.contains(part))
    {
        let message = format!("the outbox file {} has lost {missing}; it is left as it is", path.display());
        return Err(StoreError::new(StoreErrorKind::Corrupt, message));
    }
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM tally").fetch_one(connection).await.map_err(failed)?;
    if rows != 1 {
        let message = format!("the outbox file {} has lost its tally; it is left as it is", path.display());
        return Err(StoreError::new(StoreErrorKind::Corrupt, message));
    }
    Ok(Found::Outbox)
}

/// The columns and the indices of a file.
async fn parts(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let sql = "SELECT 'the column ' || tables.name || '.' || columns.name || ' (' || columns.type || ')'
            FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'
        UNION ALL SELECT 'the index ' || indices.name || CASE indices.\"unique\" WHEN 1 THEN ' (unique)' ELSE '' END
            FROM sqlite_schema AS tables, pragma_index_list(tables.name) AS indices WHERE tables.type = 'table'";
    sqlx::query_scalar(sql).fetch_all(connection).await
}

/// The parts of a file that was just created.
async fn expected_parts() -> Result<Vec<String>, sqlx::Error> {
    let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await?;
    for statement in SCHEMA {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    let parts = parts(&mut connection).await?;
    connection.close().await?;
    Ok(parts)
}

/// Counts the rows again if they are not those of the tally: rows were changed by hand.
async fn recount(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let sql = "WITH rows AS (
            SELECT id, 1 AS items, 0 AS dead_letters, size FROM items
            UNION ALL SELECT id, 0, 1, size FROM dead_letters),
        counted AS (
            SELECT coalesce(max(id), 0) AS last_id, coalesce(sum(items), 0) AS items,
                coalesce(sum(dead_letters), 0) AS dead_letters, coalesce(sum(size), 0) AS bytes FROM rows)
        UPDATE tally SET last_id = max(tally.last_id, counted.last_id), items = counted.items,
            dead_letters = counted.dead_letters, bytes = counted.bytes
        FROM counted
        WHERE tally.last_id < counted.last_id
            OR (tally.items, tally.dead_letters, tally.bytes) <> (counted.items, counted.dead_letters, counted.bytes)";
    sqlx::query(sql).execute(connection).await.map(drop)
}

/// Creates the tables, unless another process has done so meanwhile.
async fn create(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let failed = |error| error_of(path, error);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    match inspect(&mut transaction, path).await? {
        Found::Outbox => return Ok(()),
        Found::Empty => {}
    }
    for statement in SCHEMA {
        sqlx::query(statement).execute(&mut *transaction).await.map_err(failed)?;
    }
    let marks = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(marks)).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}
