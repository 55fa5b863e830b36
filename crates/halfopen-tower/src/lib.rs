//! A circuit breaker around any [tower](https://docs.rs/tower) `Service`.
//!
//! [`CircuitBreakerLayer`] acquires a permit of a [`CircuitBreaker`](halfopen::CircuitBreaker) before each call and
//! records the outcome of the call. While the breaker is open, calls are rejected immediately, and the inner service
//! is neither polled nor called.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
//! use halfopen_tower::{BoxError, CircuitBreakerLayer};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let config = CircuitBreakerConfig::builder()
//!     .trip(Trip::consecutive_failures(1))
//!     .open_duration(Duration::from_secs(5))
//!     .build()?;
//! let mut payments = ServiceBuilder::new()
//!     .layer(CircuitBreakerLayer::new(CircuitBreaker::new("payments", config)))
//!     .service_fn(|amount: u32| async move {
//!         if amount > 100 { Err("the bank is down") } else { Ok(amount) }
//!     });
//!
//! assert_eq!(payments.ready().await?.call(7).await?, 7);
//! assert!(payments.ready().await?.call(101).await.is_err());
//!
//! // The breaker is open now. The bank is not called, and the error is the rejection.
//! let error = payments.ready().await?.call(7).await.unwrap_err();
//! let rejected = halfopen::rejection(&*error).expect("a rejection by the breaker");
//! assert_eq!(rejected.name(), "payments");
//! # Ok(())
//! # }
//! ```
//!
//! # Choosing a layer
//!
//! | need | use |
//! |---|---|
//! | one breaker; one per host, tenant or method | [`new`](CircuitBreakerLayer::new); [`keyed`](CircuitBreakerLayer::keyed) |
//! | a rule for which results are failures | [`classify`](CircuitBreakerLayer::classify), [`classify_fn`](CircuitBreakerLayer::classify_fn); the default is every `Err` that is not [local](is_local) |
//! | an HTTP client, whose `Ok` may be a 503 | `HttpCircuitBreakerLayer` (feature `http`) |
//! | the error type of the service | [`BoxError`] by default; [`typed_errors`](CircuitBreakerLayer::typed_errors) for an enum; [`on_rejected`](CircuitBreakerLayer::on_rejected) for an error or a response of your own |
//! | an answer to a rejected or failed call | [`FallbackLayer`]: a value, a function, another service |
//! | a limit of concurrent calls, or of calls per period | `BulkheadLayer`, `RateLimitLayer` (feature `limit`) |
//! | breaker, limits and timeout as a document has them | `ProtectionLayer` (features `limit`, `tokio`) |
//! | a balancer around several services | `wait_while_open` (feature `tokio`), which waits instead of rejecting |
//!
//! # Readiness
//!
//! - The inner service must implement `Service`. `Clone`, `Send`, `Sync` and `'static` are not required.
//! - The instance that was polled ready is the instance that is called. A permitted call neither boxes its future
//!   nor allocates.
//! - An open breaker is never an error of `poll_ready`, which would close a `Buffer` and make a `Balance` remove the
//!   endpoint permanently. The service is ready, and the call is rejected.
//! - `Ready` lasts until the next call, whatever the state of the breaker becomes.
//! - When a call is rejected, the service releases what its `poll_ready` reserved inside (the permit of a
//!   `ConcurrencyLimit`, the slot of a `Buffer`) by replacing the inner service with a clone. The service finds out
//!   that the inner service is `Clone` when it is cloned itself. A service that was never cloned keeps the
//!   reservation until its next call. If several such services share a limit, put the limit outside the breaker.
//! - No runtime is required. Only `wait_while_open` uses tokio's timer.
//! - A caller that is waiting for the inner service to become ready is not woken when the breaker opens. Its next
//!   poll returns `Ready`, and its call is rejected.

#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod adapter;
mod admission;
mod aliases;
mod classify;
#[cfg(feature = "tokio")]
mod clock;
pub mod fallback;
mod future;
#[cfg(feature = "http")]
mod http;
mod inner;
mod keyed;
mod layer;
#[cfg(feature = "limit")]
pub mod limit;
mod local;
mod on_reject;
#[cfg(all(feature = "limit", feature = "tokio"))]
pub mod protection;
mod service;
#[cfg(feature = "tokio")]
mod wait;
#[cfg(not(feature = "tokio"))]
mod without_tokio;

#[cfg(feature = "tokio")]
pub use aliases::WaitingService;
pub use aliases::{AnsweringService, ClassifiedLayer, ClassifiedService, KeyedService, TypedService};
#[cfg(feature = "tokio")]
pub use clock::tokio_clock;
pub use fallback::{FallbackLayer, FallbackService};
pub use future::ResponseFuture;
pub use halfopen::BoxError;
#[cfg(feature = "http")]
pub use halfopen_http::HttpClassify;
#[cfg(feature = "http")]
pub use http::{HttpCircuitBreakerLayer, HttpCircuitBreakerService, HttpResponseFuture};
pub use layer::CircuitBreakerLayer;
#[cfg(feature = "limit")]
pub use limit::{BulkheadLayer, LimitService, RateLimitLayer};
pub use local::is_local;
#[cfg(all(feature = "limit", feature = "tokio"))]
pub use protection::{ProtectionLayer, ProtectionService};
pub use service::CircuitBreakerService;

/// Keeps the traits of the bounds to this crate, so that they can get more methods.
mod sealed {
    #[allow(unnameable_types, reason = "a type that cannot be named cannot be implemented elsewhere")]
    pub trait Sealed {}
}
