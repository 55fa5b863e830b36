//! The cost of `halfopen-outbox`: items that are stored beside bare inserts in SQLite, and items that pass beside bare
//! calls.
//!
//! `cargo bench -p benches --bench outbox` measures in interleaved rounds, and prints a table with the targets reached
//! and missed; group names (`stored`, `passed`) select some. The files are in the folder for temporary files, which
//! should be on a disk.
#![allow(dead_code, reason = "the harness is shared with the breaker's rows, which use more of it")]

mod alloc;
mod harness;
mod machine;
mod print;
mod table;
mod verdict;
mod wanted;

use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::join_all;
use halfopen::CircuitBreaker;
use halfopen_outbox::{Delivery, Item, Outbox, Sender, SqliteStore};
use harness::{Case, measure, measure_rounds};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use table::{Group, Table};
use tokio::runtime::Runtime;
use verdict::{paired_ratio, verdict};
use wanted::Wanted;

const INSERTS: &str = "bare inserts, one transaction";
const STORED: &str = "stored sends, one commit";
const CALL: &str = "bare call";
const PASSED: &str = "send";

const ROUNDS: usize = 401;

/// Far more than the benchmark stores.
const MAX: u64 = 1 << 40;

static PAYLOAD: [u8; 256] = [b'x'; 256];

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

#[allow(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn main() -> std::io::Result<()> {
    let runtime = Rc::new(tokio::runtime::Builder::new_current_thread().enable_all().build()?);
    let folder = tempfile::tempdir()?;
    let wanted = Wanted::of(std::env::args().skip(1));
    let mut table = Table { machine: machine::line(), ..Table::default() };
    let mut claims = Vec::new();
    if wanted.has("stored") {
        claims.push(stored(&runtime, folder.path(), &mut table));
    }
    if wanted.has("passed") {
        passed(&runtime, folder.path(), &mut table);
    }
    println!("{}", table.markdown());
    for claim in claims {
        println!("{claim}");
    }
    Ok(())
}

fn stored(runtime: &Rc<Runtime>, folder: &Path, table: &mut Table) -> String {
    let pool = runtime.block_on(bare(&folder.join("bare.db")));
    let outbox = runtime.block_on(outbox(&folder.join("outbox.db"), accept));
    outbox.breaker().force_open();
    let (first, second) = (Rc::clone(runtime), Rc::clone(runtime));
    let timings = measure_rounds(
        ROUNDS,
        vec![
            Case::new(INSERTS, move |items| first.block_on(insert(&pool, items))),
            Case::new(STORED, move |items| {
                second.block_on(async {
                    let sends = (0..items).map(|number| outbox.send(item(number)));
                    for delivery in join_all(sends).await {
                        assert_eq!(delivery.ok(), Some(Delivery::Buffered));
                    }
                });
            }),
        ],
    );
    table.push(Group::of_timings("an item of 256 bytes on disk, 40 in one commit", &timings, INSERTS, ""));
    let share = 1.0 / paired_ratio(&timings[1], &timings[0]);
    verdict(
        share >= 0.8,
        &format!("stored sends at least 0.8 of the rate of bare committed inserts ({share:.3})"),
    )
}

fn passed(runtime: &Rc<Runtime>, folder: &Path, table: &mut Table) {
    let outbox = runtime.block_on(outbox(&folder.join("passed.db"), accept));
    let (first, second) = (Rc::clone(runtime), Rc::clone(runtime));
    let (one, two) = (item(0), item(1));
    let timings = measure(vec![
        Case::new(CALL, move |calls| {
            first.block_on(async {
                for _ in 0..calls {
                    assert!(black_box(accept(one.clone()).await).is_ok());
                }
            });
        }),
        Case::new(PASSED, move |calls| {
            second.block_on(async {
                for _ in 0..calls {
                    assert!(matches!(black_box(outbox.send(two.clone()).await), Ok(Delivery::Sent)));
                }
            });
        }),
    ]);
    table.push(Group::of_timings("an item that passes", &timings, CALL, ""));
}

async fn accept(item: Item) -> Result<(), std::io::Error> {
    black_box(item);
    Ok(())
}

fn item(number: u64) -> Item {
    Item::new(Bytes::from_static(&PAYLOAD)).lane(LANES[(number % 4) as usize])
}

const LANES: [&str; 4] = ["a", "b", "c", "d"];

async fn outbox<S: Sender>(file: &Path, sender: S) -> Outbox<S> {
    let store = SqliteStore::open(file).await.expect("a new file");
    let builder = Outbox::builder(store, sender).breaker(CircuitBreaker::builder("receiver").build());
    builder.max_items(MAX).max_bytes(MAX).build().await.expect("valid settings")
}

/// A table of one's own, with the durability of the outbox.
async fn bare(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
    let pool = pool.connect_with(options).await.expect("a new file");
    let sql = "CREATE TABLE items (id INTEGER PRIMARY KEY, lane TEXT, key TEXT UNIQUE, payload BLOB)";
    sqlx::query(sql).execute(&pool).await.expect("a new table");
    pool
}

async fn insert(pool: &SqlitePool, items: u64) {
    let mut transaction = pool.begin().await.expect("a connection");
    for number in 0..items {
        let item = item(number);
        sqlx::query("INSERT INTO items (lane, key, payload) VALUES (?, ?, ?)")
            .bind(item.lane_name())
            .bind(item.idempotency_key())
            .bind(&**item.payload())
            .execute(&mut *transaction)
            .await
            .expect("a new key");
    }
    transaction.commit().await.expect("it is on disk");
}
