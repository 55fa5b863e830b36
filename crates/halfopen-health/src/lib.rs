#![cfg_attr(docsrs, feature(doc_cfg))]
//! Active health checks for circuit breakers.
//!
//! A breaker learns from calls that a dependency is down. A [`HealthMonitor`] asks the dependency on an interval: a check
//! that fails opens the breaker before a caller has to fail, and one that passes ends its wait early.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use halfopen::Registry;
//! use halfopen_health::{HealthCheck, HealthMonitor};
//!
//! # async fn ping_database() -> Result<(), std::io::Error> { Ok(()) }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new();
//! let monitor = HealthMonitor::new(registry.clone())
//!     .check("db", HealthCheck::every(Duration::from_secs(15)).timeout(Duration::from_secs(3)).run(ping_database))?;
//!
//! println!("{}", monitor.summary()); // 0 of 1 healthy; `db` is unknown
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! - `tcp` (default), `url`, `grpc`: checks of servers.
//! - `config`: the `health_check_config` of a document.
//! - `serde`: summaries as JSON.
//! - `tracing`: an event when a check begins to fail, and one when it passes again.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod check;
mod decide;
#[cfg(feature = "config")]
mod document;
mod error;
mod monitor;
mod schedule;
mod summary;
mod target;
mod task;
mod validation;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use check::{HealthCheck, HealthCheckBuilder};
pub use decide::HealthStatus;
#[cfg(feature = "config")]
pub use document::HealthCheckConfig;
pub use error::HealthCheckError;
pub use monitor::HealthMonitor;
pub use summary::{CheckSummary, HealthSummary};
pub use validation::ValidationResult;

/// Locks, ignoring poison: each value is replaced in one step, so that a panicking thread leaves none half-written.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
