//! The cost of `halfopen-sqlx` compared with the bare pool.
//!
//! `cargo bench -p benches --bench sqlx` measures queries on SQLite in memory in interleaved rounds, and prints a table with
//! the targets reached and missed.
#![allow(dead_code, reason = "the harness is shared with the breaker's rows, which use more of it")]

mod alloc;
mod harness;
mod machine;
mod print;
mod sequence;
mod table;
mod verdict;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::TryStreamExt;
use halfopen_sqlx::ProtectedPool;
use harness::{Timing, measure_rounds};
use sequence::case;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Executor, Sqlite, SqlitePool};
use table::{Group, Row, Table};
use tokio::runtime::Runtime;
use verdict::{paired_ratio, verdict};

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

const BARE: &str = "bare pool";
const PROTECTED: &str = "ProtectedPool";
const UNLIMITED: &str = "ProtectedPool, no time limit";

const ROUNDS: usize = 401;

/// The calls of each pool whose allocations are counted.
const CALLS: u32 = 500;

#[allow(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Rc::new(tokio::runtime::Builder::new_current_thread().enable_all().build()?);
    let options = SqlitePoolOptions::new().max_connections(1);
    let bare = runtime.block_on(options.connect("sqlite::memory:"))?;
    let protected = ProtectedPool::named("orders", bare.clone());
    let unlimited = protected.clone().without_query_timeout();
    let mut table = Table { machine: machine::line(), ..Table::default() };
    let one = measure_rounds(
        ROUNDS,
        vec![
            case(BARE, &runtime, bare.clone(), async |pool: &SqlitePool| select_one(pool).await),
            case(PROTECTED, &runtime, protected.clone(), async |pool: &ProtectedPool<Sqlite>| {
                select_one(pool).await
            }),
            case(UNLIMITED, &runtime, unlimited, async |pool: &ProtectedPool<Sqlite>| select_one(pool).await),
        ],
    );
    table.push(Group::of_timings("SELECT 1, SQLite in memory", &one, BARE, ""));
    let [bare_counts, counts] = allocations(&runtime, &bare, &protected);
    table.push(Group::new("SELECT 1, allocations of a call that finds all at rest", "allocations").with(
        [(BARE, &bare_counts), (PROTECTED, &counts)].into_iter().map(|(name, counts)| counts.row(name)),
    ));
    let rows = measure_rounds(
        ROUNDS,
        vec![
            case(BARE, &runtime, bare, async |pool: &SqlitePool| stream(pool).await),
            case(PROTECTED, &runtime, protected, async |pool: &ProtectedPool<Sqlite>| stream(pool).await),
        ],
    );
    table.push(Group::of_timings("a stream of 100 rows", &rows, BARE, ""));
    println!("{}", table.markdown());
    println!("{}", ratio("a protected SELECT 1", &one));
    let more = counts.usual() - bare_counts.usual();
    println!(
        "{}",
        verdict(more <= 1, &format!("a protected SELECT 1 makes at most one allocation more ({more})"))
    );
    println!("{}", ratio("a protected stream of 100 rows", &rows));
    Ok(())
}

/// The allocations of single calls.
struct Counts(BTreeMap<i64, u32>);

/// Counts the allocations of single calls in turn.
///
/// The thread of the connection allocates too: a waiter, whenever it has to wait for its next command. A call that comes
/// right after another one meets it awake or asleep by chance, and the bare pool's allocations vary by that. After a rest
/// it sleeps.
fn allocations(runtime: &Runtime, bare: &SqlitePool, protected: &ProtectedPool<Sqlite>) -> [Counts; 2] {
    let mut counts = [Counts(BTreeMap::new()), Counts(BTreeMap::new())];
    for _ in 0..CALLS {
        let one = count(|| runtime.block_on(select_one(bare)));
        let two = count(|| runtime.block_on(select_one(protected)));
        for (counts, seen) in counts.iter_mut().zip([one, two]) {
            *counts.0.entry(seen).or_default() += 1;
        }
    }
    counts
}

fn count(call: impl FnOnce() -> bool) -> i64 {
    rest();
    let (_, seen) = alloc::watch(|| {
        assert!(call(), "the database answers");
        // What the call has left to its threads belongs to it.
        rest();
    });
    i64::try_from(seen.allocations).expect("a few")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the thread of the connection cannot be asked whether it sleeps"
)]
fn rest() {
    std::thread::sleep(Duration::from_micros(300));
}

impl Counts {
    /// The most frequent count.
    fn usual(&self) -> i64 {
        self.0.iter().max_by_key(|(_, calls)| **calls).map_or(0, |(count, _)| *count)
    }

    fn row(&self, name: &str) -> Row {
        let seen = self.0.iter().map(|(count, calls)| format!("{count} in {calls} calls"));
        Row::new(name, self.usual() as f64, seen.collect::<Vec<_>>().join(", "))
    }
}

async fn select_one<'e, E: Executor<'e, Database = Sqlite>>(pool: E) -> bool {
    sqlx::query("SELECT 1").fetch_one(pool).await.is_ok()
}

async fn stream<'e, E: Executor<'e, Database = Sqlite>>(pool: E) -> bool {
    const ROWS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT i FROM n";
    let rows = sqlx::query(ROWS).fetch(pool);
    rows.try_fold(0, async |count, _| Ok(count + 1)).await.is_ok_and(|count: u32| count == 100)
}

fn ratio(name: &str, timings: &[Timing]) -> String {
    let ratio = paired_ratio(&timings[1], &timings[0]);
    verdict(ratio <= 1.05, &format!("{name} takes at most 1.05 times a bare one ({ratio:.3})"))
}
