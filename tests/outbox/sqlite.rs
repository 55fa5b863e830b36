//! SQLite files: reopened, shared, full, damaged, and of others.

use std::fs;
use std::path::Path;
use std::time::Duration;

use halfopen_outbox::{
    AppendOutcome, Delivery, EntryResult, Limits, Overflow, SendError, Settlement, SqliteStore, Store,
    StoreErrorKind, Then, Timestamp,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::world::{Receiver, item, outbox, until};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_reopened_file_has_what_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    let receiver = Receiver::new();
    {
        let outbox = outbox(SqliteStore::open(&file).await.unwrap(), &receiver).build().await.unwrap();
        outbox.breaker().force_open();
        for payload in ["1", "2"] {
            assert_eq!(outbox.send(item("a", payload)).await.unwrap(), Delivery::Buffered);
        }
        assert_eq!(outbox.close(Duration::ZERO).await, 2);
    }
    let outbox = outbox(SqliteStore::open(&file).await.unwrap(), &receiver).build().await.unwrap();
    assert_eq!(outbox.snapshot().totals.items, 2);
    outbox.send(item("a", "3")).await.unwrap();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1", "2", "3"], "the third waits behind the stored ones");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "notes of somebody else. ".repeat(200)).unwrap();
    refuses(&file, StoreErrorKind::Corrupt, "is damaged or no database").await;
}

#[tokio::test]
async fn a_database_of_others_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    execute(&file, "CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ada')").await;
    refuses(&file, StoreErrorKind::Foreign, "is a database, but no outbox").await;
}

#[tokio::test]
async fn a_later_version_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    SqliteStore::open(&file).await.unwrap().close().await.unwrap();
    execute(&file, "PRAGMA user_version = 2").await;
    refuses(&file, StoreErrorKind::Foreign, "has version 2 of the schema, and this program version 1").await;
}

#[tokio::test]
async fn a_damaged_file_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    let outbox = outbox(SqliteStore::open(&file).await.unwrap(), &Receiver::new()).build().await.unwrap();
    outbox.breaker().force_open();
    for number in 0..200 {
        outbox.send(item("a", &format!("{number} {}", "x".repeat(500)))).await.unwrap();
    }
    assert_eq!(outbox.close(Duration::ZERO).await, 200);

    let mut bytes = fs::read(&file).unwrap();
    let (pages, size) = (bytes.len() / 4096, bytes.len());
    assert!(pages > 20, "{pages} pages");
    // All but the first pages, which have the schema.
    bytes[8 * 4096..size].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    refuses(&file, StoreErrorKind::Corrupt, "is damaged").await;
}

#[tokio::test]
async fn a_full_disk_breaks_no_promise() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("outbox.db"));
    let store = SqliteStore::open_with(options.pragma("max_page_count", "60")).await.unwrap();
    let receiver = Receiver::new();
    let outbox = outbox(store, &receiver).build().await.unwrap();
    outbox.breaker().force_open();
    let mut promised = Vec::new();
    let error = loop {
        let payload = format!("{} {}", promised.len(), "x".repeat(1_000));
        match outbox.send(item("a", &payload)).await {
            Ok(delivery) => assert_eq!(delivery, Delivery::Buffered),
            Err(error) => break error,
        }
        promised.push(payload);
    };
    assert!(matches!(&error, SendError::Store(error) if error.kind() == StoreErrorKind::Full), "{error:?}");
    assert!(promised.len() > 20, "{} fitted", promised.len());

    outbox.breaker().reset();
    until("all are delivered", || receiver.lane("a").len() == promised.len()).await;
    assert_eq!(receiver.lane("a"), promised);
    until("there is room again", || outbox.snapshot().totals.items == 0).await;
    outbox.breaker().force_open();
    assert_eq!(outbox.send(item("a", "last")).await.unwrap(), Delivery::Buffered);
    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
}

#[tokio::test]
async fn one_of_two_outboxes_on_a_file_delivers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    let (first, second) = (Receiver::new(), Receiver::new());
    let leader = outbox(SqliteStore::open(&file).await.unwrap(), &first).build().await.unwrap();
    leader.buffer(item("a", "0")).await.unwrap();
    until("it leads", || first.lane("a") == ["0"]).await;

    let other = outbox(SqliteStore::open(&file).await.unwrap(), &second).build().await.unwrap();
    for payload in ["1", "2"] {
        assert_eq!(other.buffer(item("a", payload)).await.unwrap(), Delivery::Buffered);
    }
    until("the leader delivers for both", || first.lane("a") == ["0", "1", "2"]).await;
    until("the other learns of it", || other.snapshot().totals.items == 0).await;

    leader.close(SOON).await;
    other.buffer(item("a", "3")).await.unwrap();
    until("the other takes over", || second.lane("a") == ["3"]).await;
    assert_eq!(other.close(SOON).await, 0);
}

#[tokio::test]
async fn a_file_that_has_lost_a_part_is_left_as_it_is() {
    for (loss, message) in [
        ("DROP INDEX items_by_key", "has lost the index items_by_key (unique)"),
        ("DROP TABLE dead_letters", "has lost the column dead_letters.id (INTEGER)"),
        ("ALTER TABLE items DROP COLUMN last_error", "has lost the column items.last_error (TEXT)"),
        ("DELETE FROM tally", "has lost its tally"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outbox.db");
        SqliteStore::open(&file).await.unwrap().close().await.unwrap();
        execute(&file, loss).await;
        refuses(&file, StoreErrorKind::Corrupt, message).await;
    }
}

#[tokio::test]
async fn a_column_of_an_operator_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    SqliteStore::open(&file).await.unwrap().close().await.unwrap();
    execute(&file, "ALTER TABLE items ADD COLUMN note TEXT").await;
    let store = SqliteStore::open(&file).await.unwrap();
    store.append(vec![item("a", "1")], Limits::default(), Timestamp::default()).await.unwrap();
    assert_eq!(store.status(1).await.unwrap().totals.items, 1);
}

#[tokio::test]
async fn rows_changed_by_hand_are_counted_at_the_opening() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    let open = async || SqliteStore::open(&file).await.unwrap();
    let store = open().await;
    let items = ["1", "2"].map(|payload| item("a", payload)).to_vec();
    store.append(items, Limits::default(), Timestamp::default()).await.unwrap();
    let before = store.status(1).await.unwrap().totals;

    // While it is open: the counts are too low, and do not wrap around.
    execute(&file, "UPDATE tally SET items = 0, bytes = 0, last_id = 0").await;
    let settlement = Settlement {
        worker: "worker".into(),
        lane: "a".into(),
        results: vec![(1, EntryResult::Delivered)],
        then: Then::Free(Timestamp::default()),
    };
    let settled = store.settle(vec![settlement], Timestamp::default()).await.unwrap();
    assert_eq!((settled.totals.items, settled.totals.bytes), (0, 0));
    store.close().await.unwrap();

    let store = open().await;
    let totals = store.status(1).await.unwrap().totals;
    assert_eq!((totals.items, totals.bytes), (1, before.bytes / 2));
    store.append(vec![item("a", "3")], Limits::default(), Timestamp::default()).await.unwrap();
    assert_eq!(store.status(1).await.unwrap().totals.items, 2, "its identifier is a new one");
}

#[tokio::test]
async fn a_tally_above_the_rows_drops_nothing_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    let store = SqliteStore::open(&file).await.unwrap();
    execute(&file, "UPDATE tally SET items = 1000000, bytes = 1000000").await;
    let limits = Limits { max_items: 10, overflow: Overflow::DropOldest, ..Limits::default() };
    let appended = store.append(vec![item("a", "1")], limits, Timestamp::default()).await.unwrap();
    assert_eq!((appended.outcomes, appended.totals.items), (vec![AppendOutcome::Stored], 1));
}

/// Opens a file that must be refused, and checks that nothing in it changes.
async fn refuses(file: &Path, kind: StoreErrorKind, message: &str) {
    let before = fs::read(file).unwrap();
    let error = SqliteStore::open(file).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(message), "{error}");
    assert!(error.to_string().contains(&*file.to_string_lossy()), "{error} names the file");
    assert!(fs::read(file).unwrap() == before, "the file is changed");
}

async fn execute(file: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
