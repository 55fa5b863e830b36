#![cfg_attr(docsrs, feature(doc_cfg))]
//! Circuit breakers for database pools of [`sqlx`]: PostgreSQL, MySQL, MariaDB and SQLite.
//!
//! A [`ProtectedPool`] sends queries, streams and transactions through a [`CircuitBreaker`](halfopen::CircuitBreaker).
//! A reference to it is an [`Executor`](sqlx::Executor) and an [`Acquire`](sqlx::Acquire), so it goes where
//! `&Pool` goes. [`SqlxClassify`] distinguishes an answer of a healthy server from the errors of one that cannot serve,
//! by SQLSTATE, by MySQL's error numbers and by SQLite's result codes.
//!
//! # Examples
//!
//! ```
//! use halfopen_sqlx::ProtectedPool;
//! use sqlx::SqlitePool;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> sqlx::Result<()> {
//! let pool = ProtectedPool::named("orders", SqlitePool::connect("sqlite::memory:").await?);
//!
//! let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await?;
//! assert_eq!(one, 1);
//!
//! pool.breaker().force_open();
//! let error = sqlx::query("SELECT 1").execute(&pool).await.unwrap_err();
//! assert_eq!(halfopen::rejection(&error).unwrap().name(), "orders");
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! - `config`: [`DatabaseKeys`], the group `database` of a document.
//! - `mysql`: pools of MySQL and MariaDB, whose errors are classified by their numbers.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod classify;
#[cfg(feature = "config")]
mod config;
mod error;
mod executor;
mod pool;
mod stream;
mod transaction;

pub use classify::{SqlxClassify, outcome};
#[cfg(feature = "config")]
#[cfg_attr(docsrs, doc(cfg(feature = "config")))]
pub use config::DatabaseKeys;
pub use error::QueryTimedOut;
pub use pool::{ProtectedPool, breaker_config};
pub use transaction::ProtectedTransaction;
