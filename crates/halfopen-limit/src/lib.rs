#![cfg_attr(docsrs, feature(doc_cfg))]
//! Bulkheads and rate limiters for the services and pools around a circuit breaker.
//!
//! A breaker protects callers from a dependency that fails. These protect a dependency, or the process
//! itself, from callers: a [`Bulkhead`] limits how many calls are in flight, a [`RateLimiter`] how many
//! begin in a period, a [`KeyedRateLimiter`] how many begin per tenant, tool or address. All of them decide
//! locally and speak the breaker's vocabulary: `try_acquire`, a permit, a
//! [`Rejected`](halfopen::Rejected) with its reason and, where it is known, an exact `retry_after`.
//! Breakers ignore such rejections, since they are no fault of the service called.
//!
//! # Examples
//!
//! ```
//! use halfopen::RejectReason;
//! use halfopen_limit::{Bulkhead, BulkheadConfig, Quota, RateLimiter};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), halfopen::BoxError> {
//! let pool = BulkheadConfig::builder()
//!     .max_concurrent_calls(20)
//!     .max_waiting_calls(50)
//!     .max_wait(Duration::from_secs(10))
//!     .build()?;
//! let ai = Bulkhead::new("ai", pool);
//! let tasks = RateLimiter::new("create-task", Quota::calls(100).per(Duration::from_secs(60)).burst(2)?);
//!
//! for _ in 0..3 {
//!     match tasks.try_acquire() {
//!         Ok(()) => {
//!             let permit = ai.acquire().await?;
//!             // .. the call; the slot is given back when the permit is dropped
//!             drop(permit);
//!         }
//!         Err(rejected) => {
//!             assert_eq!(rejected.reason(), RejectReason::RateLimited);
//!             assert!(rejected.retry_after().is_some_and(|wait| wait <= Duration::from_millis(600)));
//!             println!("{rejected}"); // rate limit `create-task` is used up; retry in 600ms
//!         }
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # What you can rely on
//!
//! - A permit gives its slot back when it is dropped: after a panic, a cancelled call, a timeout.
//! - Waiting is first in, first out. A full queue and a wait that cannot end in time reject immediately.
//!   A waiter that is dropped costs nothing: no slot and no call of the quota is lost.
//! - Limits change under running calls; smaller ones wait for permits to come back.
//! - Nothing grows without bound: queues and keys have limits.
//! - A permitted call takes no lock of the bulkhead or the rate limiter while nothing waits, and allocates
//!   nothing.
//! - Decisions about rates are pure functions of the time, which comes from the core's
//!   [`Clock`](halfopen::Clock): tests move it by hand.
//!
//! # Features
//!
//! - `metrics`: `LimitMetrics`, the limits in the `metrics` facade.
//! - `tokio` (default): waits that a time limits, by tokio's timer. Without it [`Bulkhead::acquire`] waits
//!   on any executor for as long as it takes, and rate limiters do not wait.
//! - `tracing`: a limit that rejects emits a `debug` event with the target `halfopen`, at most one per second,
//!   with the number of rejections since the previous one.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod bulkhead;
mod group;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(all(feature = "tokio", not(loom)))]
mod protection;
mod rate;
mod registry;
mod rejected;
mod reports;
mod sync;
mod timer;

use std::time::Duration;

#[cfg(feature = "metrics")]
pub use self::metrics::LimitMetrics;
pub use bulkhead::{
    Acquire, Bulkhead, BulkheadConfig, BulkheadConfigBuilder, BulkheadPermit, BulkheadSnapshot,
};
pub use group::{Group, GroupMembers, GroupSnapshot};
#[cfg(all(feature = "tokio", not(loom)))]
pub use protection::{
    AcquireProtection, Protection, ProtectionConfig, ProtectionLimits, ProtectionPermit, Protections,
};
#[cfg(feature = "tokio")]
pub use rate::{AcquireKey, AcquireRate};
pub use rate::{
    KeyedRateLimiter, KeyedRateLimiterBuilder, KeyedRateLimiterSnapshot, Quota, QuotaBuilder, QuotaCalls,
    RateLimiter, RateLimiterBuilder, RateLimiterSnapshot,
};
pub use registry::{LimitRegistry, LimitsSnapshot};

/// Nanoseconds of a duration, up to the 584 years that fit.
fn nanos(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(duration.subsec_nanos().into())
}
