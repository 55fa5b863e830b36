//! Run it: cargo run --example sqlx_pool --features sqlx
//!
//! Orders are written to a SQLite file whose disk goes away for a while. While the breaker is open they wait in memory. An order
//! that was already written is an answer of a healthy database, and opens nothing.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::collections::VecDeque;
use std::time::Duration;

use halfopen::{BoxError, CircuitBreaker, Trip};
use halfopen_sqlx::{ProtectedPool, breaker_config};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Executor, Sqlite};

struct Orders {
    pool: ProtectedPool<Sqlite>,
    waiting: VecDeque<i64>,
}

impl Orders {
    /// Writes an order, and before it those that wait.
    async fn place(&mut self, id: i64) {
        self.waiting.push_back(id);
        while let Some(id) = self.waiting.front().copied() {
            match self.write(id).await {
                Ok(()) => println!("order {id}: written"),
                Err(error) if is_duplicate(&error) => println!("order {id}: was written before"),
                Err(error) => return println!("order {id}: waits ({error})"),
            }
            self.waiting.pop_front();
        }
    }

    async fn write(&self, id: i64) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let written = sqlx::query("INSERT INTO orders VALUES (?)").bind(id).execute(&mut *transaction).await;
        transaction.record(&written);
        written?;
        transaction.commit().await
    }
}

fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// A function of a program that knows nothing of breakers.
async fn number_of_orders<'e, E: Executor<'e, Database = Sqlite>>(database: E) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(database).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let (file, away) = (folder.path().join("orders.db"), folder.path().join("away.db"));
    let config =
        breaker_config().trip(Trip::consecutive_failures(3)).open_duration(Duration::from_millis(200));
    let breaker = CircuitBreaker::builder("orders")
        .config(config.build()?)
        .on_state_change(|change| println!("-- orders: {} -> {} ({})", change.from, change.to, change.why()))
        .build();
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let pool = SqlitePoolOptions::new().acquire_timeout(Duration::from_secs(2)).connect_lazy_with(options);
    let pool = ProtectedPool::new(pool, breaker).query_timeout(Duration::from_secs(3));
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY)").execute(&pool).await?;

    let mut orders = Orders { pool: pool.clone(), waiting: VecDeque::new() };
    for id in [1, 2, 2] {
        orders.place(id).await;
    }
    println!("-- the disk is away");
    std::fs::rename(&file, &away)?;
    for id in 3..8 {
        orders.place(id).await;
    }
    println!("-- the disk is back");
    std::fs::rename(&away, &file)?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    orders.place(8).await;
    println!("{} orders", number_of_orders(&pool).await?);
    Ok(())
}
