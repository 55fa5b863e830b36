//! The cost of `halfopen-sqlx` compared with the bare pool.
//!
//! `cargo bench -p benches --bench sqlx` measures queries on SQLite in memory in interleaved rounds, and prints a table with
//! the targets reached and missed.
#![allow(dead_code, reason = "the harness is shared with the breaker's rows, which use more of it")]

mod alloc;
mod harness;
mod machine;
mod print;
mod table;

use std::rc::Rc;

use futures_util::TryStreamExt;
use halfopen_sqlx::ProtectedPool;
use harness::{Case, Timing, measure_bounded};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Executor, Sqlite, SqlitePool};
use table::{Group, Table};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

const BARE: &str = "bare pool";
const PROTECTED: &str = "ProtectedPool";

#[allow(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Rc::new(tokio::runtime::Builder::new_current_thread().enable_all().build()?);
    let options = SqlitePoolOptions::new().max_connections(1);
    let bare = runtime.block_on(options.connect("sqlite::memory:"))?;
    let protected = ProtectedPool::named("orders", bare.clone());
    let mut table = Table { machine: machine::line(), ..Table::default() };
    let one = measure_bounded(vec![
        case(BARE, &runtime, bare.clone(), async |pool: &SqlitePool| select_one(pool).await),
        case(PROTECTED, &runtime, protected.clone(), async |pool: &ProtectedPool<Sqlite>| {
            select_one(pool).await
        }),
    ]);
    table.push(Group::of_timings("SELECT 1, SQLite in memory", &one, BARE, ""));
    let rows = measure_bounded(vec![
        case(BARE, &runtime, bare, async |pool: &SqlitePool| stream(pool).await),
        case(PROTECTED, &runtime, protected, async |pool: &ProtectedPool<Sqlite>| stream(pool).await),
    ]);
    table.push(Group::of_timings("a stream of 100 rows", &rows, BARE, ""));
    println!("{}", table.markdown());
    println!("{}", ratio_claim("a protected SELECT 1", &one));
    let more = one[1].allocations - one[0].allocations;
    println!(
        "{}",
        claim(more <= 1.0, &format!("a protected SELECT 1 makes at most one allocation more ({more:.2})"))
    );
    println!("{}", ratio_claim("a protected stream of 100 rows", &rows));
    Ok(())
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

/// Calls in sequence.
fn case<P: 'static>(
    name: &str,
    runtime: &Rc<Runtime>,
    pool: P,
    call: impl AsyncFn(&P) -> bool + 'static,
) -> Case {
    let runtime = Rc::clone(runtime);
    Case::new(name, move |calls| {
        runtime.block_on(async {
            for _ in 0..calls {
                assert!(call(&pool).await, "the database answers");
            }
        });
    })
}

fn ratio_claim(name: &str, timings: &[Timing]) -> String {
    let ratio = timings[1].ratio(&timings[0]);
    claim(ratio <= 1.05, &format!("{name} takes at most 1.05 times a bare one ({ratio:.3})"))
}

fn claim(holds: bool, text: &str) -> String {
    format!("{}: {text}", if holds { "reached" } else { "MISSED" })
}
