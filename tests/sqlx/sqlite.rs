//! SQLite whose file is busy, full, read only, corrupt or gone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use halfopen::Outcome;
use halfopen_sqlx::{SqlxClassify, outcome};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Executor, Sqlite};
use tempfile::TempDir;

use crate::world::{Guarded, SHORT, code_of, options, seen};

fn file(folder: &TempDir) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(folder.path().join("orders.db"));
    options.busy_timeout(Duration::from_millis(20)).create_if_missing(true)
}

async fn guarded(options_of_file: SqliteConnectOptions) -> Guarded<Sqlite> {
    Guarded::closed(options::<Sqlite>().connect_lazy_with(options_of_file))
}

/// A pool of a file that has a table.
async fn created(folder: &TempDir, journal: SqliteJournalMode) -> Guarded<Sqlite> {
    let guarded = guarded(file(folder).journal_mode(journal)).await;
    guarded.pool.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)").await.unwrap();
    guarded
}

const WRITE: &str = "INSERT INTO orders DEFAULT VALUES";

#[tokio::test]
async fn busy_is_contention_and_an_overload_on_request() {
    let folder = TempDir::new().unwrap();
    let guarded = created(&folder, SqliteJournalMode::Wal).await;
    let mut writer = guarded.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(guarded.failed(guarded.pool.execute(WRITE)).await, seen("5", "success"));
    let overload = guarded.pool.clone().classify(SqlxClassify::new().sqlite(5, Outcome::Throttled));
    assert_eq!(guarded.failed(overload.execute(WRITE)).await, seen("5", "failure"));

    let mut reader = guarded.pool.begin().await.unwrap();
    (&mut *reader).execute("SELECT * FROM orders").await.unwrap();
    (&mut *writer).execute(WRITE).await.unwrap();
    writer.commit().await.unwrap();
    let upgrade = (&mut *reader).execute(WRITE).await.unwrap_err();
    assert_eq!((code_of(&upgrade), outcome(&upgrade)), ("517".into(), Outcome::Success));
}

#[tokio::test]
async fn statements_are_answers() {
    let folder = TempDir::new().unwrap();
    let guarded = created(&folder, SqliteJournalMode::Wal).await;
    let twice = "INSERT INTO orders VALUES (1), (1)";
    assert_eq!(guarded.failed(guarded.pool.execute(twice)).await, seen("1555", "success"));
    assert_eq!(guarded.failed(guarded.pool.execute("SELECT * FROM missing")).await, seen("1", "success"));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_a_failure() {
    let folder = TempDir::new().unwrap();
    created(&folder, SqliteJournalMode::Delete).await.pool.inner().close().await;
    let read_only = guarded(file(&folder).create_if_missing(false).read_only(true)).await;
    assert_eq!(read_only.failed(read_only.pool.execute(WRITE)).await, seen("8", "failure"));
    read_only.pool.execute("SELECT * FROM orders").await.unwrap();
    let query_only = guarded(file(&folder).pragma("query_only", "ON")).await;
    assert_eq!(query_only.failed(query_only.pool.execute(WRITE)).await, seen("8", "failure"));
}

#[tokio::test]
async fn a_deleted_file_is_a_failure_with_a_rollback_journal() {
    let folder = TempDir::new().unwrap();
    created(&folder, SqliteJournalMode::Delete).await.pool.inner().close().await;
    // One connection, as a second one would make a new file.
    let pool = options::<Sqlite>().max_connections(1).connect_with(file(&folder)).await.unwrap();
    let guarded = Guarded::closed(pool);
    guarded.pool.execute(WRITE).await.unwrap();
    fs::remove_file(folder.path().join("orders.db")).unwrap();
    assert_eq!(guarded.failed(guarded.pool.execute(WRITE)).await, seen("1032", "failure"));
    guarded.pool.execute("SELECT * FROM orders").await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_a_failure() {
    let folder = TempDir::new().unwrap();
    let missing = guarded(file(&folder).create_if_missing(false)).await;
    assert_eq!(missing.failed(missing.pool.execute("SELECT 1")).await, seen("14", "failure"));
    let no_folder = file(&folder).filename(folder.path().join("missing/orders.db"));
    let no_folder = guarded(no_folder).await;
    assert_eq!(no_folder.failed(no_folder.pool.execute("SELECT 1")).await, seen("14", "failure"));
    fs::write(folder.path().join("orders.db"), [b'x'; 4096]).unwrap();
    let other = guarded(file(&folder)).await;
    assert_eq!(other.failed(other.pool.execute("SELECT * FROM orders")).await, seen("26", "failure"));
}

#[tokio::test]
async fn a_full_and_a_corrupt_file_are_failures() {
    let folder = TempDir::new().unwrap();
    created(&folder, SqliteJournalMode::Delete).await.pool.inner().close().await;
    let full = guarded(file(&folder).pragma("max_page_count", "2")).await;
    let fill = "CREATE TABLE items AS SELECT randomblob(100000)";
    assert_eq!(full.failed(full.pool.execute(fill)).await, seen("13", "failure"));
    full.pool.inner().close().await;

    corrupt(&folder.path().join("orders.db"));
    let corrupt = guarded(file(&folder)).await;
    assert_eq!(corrupt.failed(corrupt.pool.execute("SELECT * FROM orders")).await, seen("11", "failure"));
}

/// Overwrites the page of the table, behind the one with the header and the schema.
fn corrupt(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[4096..].fill(0xff);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_locked_shared_cache_costs_the_query_timeout() {
    let url = "sqlite:file:shared-cache?mode=memory&cache=shared";
    let guarded = Guarded::closed(options::<Sqlite>().connect_lazy(url).unwrap());
    guarded.pool.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)").await.unwrap();
    let writer = guarded.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let impatient = guarded.pool.clone().query_timeout(SHORT);
    assert_eq!(
        guarded.failed(impatient.execute(WRITE)).await,
        seen("TimedOut", "failure"),
        "neither `busy_timeout` nor `acquire_timeout` ends this wait"
    );
    writer.rollback().await.unwrap();
}
