#![cfg_attr(docsrs, feature(doc_cfg))]
//! A circuit breaker for anything that can fail from the outside: right first, then fast.
//!
//! A call to a dependency that is down costs twice: the caller waits in vain, and the dependency
//! gets load while it tries to recover. A breaker records the outcomes of calls. When too many fail, it
//! **opens** and rejects calls immediately. After a wait it is **half-open** and admits a few calls as
//! probes. If they succeed, it is **closed** again.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use halfopen::{CircuitBreaker, CircuitBreakerError};
//! # use std::io;
//! # async fn fetch(_: &str) -> io::Result<String> { Err(io::ErrorKind::ConnectionRefused.into()) }
//!
//! let breaker = CircuitBreaker::builder("weather").build();
//! for _ in 0..10 {
//!     match breaker.call(|| fetch("/today")).await {
//!         Ok(report) => println!("{report}"),
//!         Err(CircuitBreakerError::Inner(error)) => println!("failed: {error}"),
//!         Err(CircuitBreakerError::Rejected(rejected)) => println!("not tried: {rejected}"),
//!     }
//! }
//! assert!(breaker.is_open()); // after five failures; five calls were never made
//! println!("{}", breaker.explain());
//! # }
//! ```
//!
//! It needs no runtime and does no I/O: it works in async code of any runtime and in plain threads.
//!
//! # States
//!
//! ```text
//!             a rule fires                  the wait is over
//!   Closed ───────────────▶ Open ─────────────────────────────▶ HalfOpen
//!      ▲                      ▲                                   │   │
//!      │                      └── a probe failed or is overdue ───┘   │
//!      └────────────────────────────── enough probes passed ──────────┘
//! ```
//!
//! An operator can override these states: forced open, disabled, metrics-only ([`State`]).
//!
//! # Guarantees
//!
//! - Windows truly slide: after a million successes, an outage opens the breaker as soon as the last window reaches a
//!   threshold.
//! - An outcome counts only in the visit to a state that admitted its call: a slow call from before the
//!   outage does not affect the recovery.
//! - A probe is never lost: a dropped, cancelled or panicking call releases its slot, and one that
//!   hangs is overdue after `probe_timeout`.
//! - A successful call takes no lock and allocates nothing, and no user code runs under a lock.
//!
//! # Overview
//!
//! | to | see |
//! |---|---|
//! | protect a call | [`CircuitBreaker::call`], [`call_blocking`](CircuitBreaker::call_blocking), [`with_circuit_breaker!`] |
//! | provide a fallback | [`call_or_else`](CircuitBreaker::call_or_else), [`call_with_fallback`](CircuitBreaker::call_with_fallback) |
//! | classify results | [`Classify`], [`errors`], [`failure_if`] |
//! | use one classifier for every way to call | [`CircuitBreaker::classified`] |
//! | acquire a permit | [`try_acquire`](CircuitBreaker::try_acquire), [`Permit`], [`OwnedPermit`] |
//! | protect a function or a client | [`wrap`](CircuitBreaker::wrap), [`Protected`], [`CircuitProtected`] |
#![cfg_attr(
    feature = "stream",
    doc = "| protect a stream | [`protect_stream`](CircuitBreaker::protect_stream) |"
)]
#![cfg_attr(
    feature = "macros",
    doc = "| protect a function where it is written | [`circuit_breaker`](macro@circuit_breaker) |"
)]
//! | configure rules and waits | [`CircuitBreakerConfig`], [`Trip`], [`Window`], [`Backoff`], [`HalfOpen`] |
//! | use many breakers | [`Registry`] |
//! | observe a breaker | [`explain`](CircuitBreaker::explain), [`snapshot`](CircuitBreaker::snapshot), [`events`](CircuitBreaker::events), [`Listener`] |
//! | keep a history | [`Registry::keep_history`], [`History`] |
//! | show it on a dashboard | [`Registry::collector`], `halfopen-metrics`, `halfopen-opentelemetry` |
//! | control a breaker | [`trip`](CircuitBreaker::trip), [`force_open`](CircuitBreaker::force_open), [`reset`](CircuitBreaker::reset), .. |
//! | write an adapter | [`adapter`] |
//! | read more, with examples | [`guide`] |
//! | read the exact rules | [`guide::semantics`] |
//!
//! # Features
//!
//! None is enabled by default, and none changes the decisions of a breaker.
//!
//! - `macros`: the attribute `#[circuit_breaker]`.
//! - `serde`: snapshots, events and rejections can be serialized, configurations deserialized.
//! - `stream`: `CircuitBreaker::protect_stream`, `Gate::messages`, and `Events` as a `Stream`.
//! - `test-util`: `Clock::manual`, a clock that a test moves by hand.

pub mod adapter;
mod breaker;
mod call;
mod classify;
mod clock;
mod collect;
mod config;
mod counts;
mod error;
mod evidence;
mod gate;
pub mod guide;
#[cfg(all(test, loom))]
mod loom_tests;
mod observe;
mod outcome;
mod panics;
mod passwords;
mod policy;
mod random;
mod reason;
mod registry;
mod rejections;
mod report;
#[cfg(feature = "serde")]
mod serde_seconds;
mod state;
#[cfg(not(loom))]
mod stripes;
mod sync;
mod text;
mod totals;
mod window;
mod word;

pub use breaker::{CircuitBreaker, CircuitBreakerBuilder, OwnedPermit, Permit, Shadow, ShadowError};
#[cfg(feature = "stream")]
pub use call::CircuitBreakerStream;
#[cfg(feature = "macros")]
pub use call::circuit_breaker;
pub use call::{CircuitProtected, Classified, ClassifiedFn, Protected, ProtectedFn};
pub use classify::{Classify, Errors, ErrorsFail, FailureIf, errors, failure_if};
pub use clock::Clock;
#[cfg(feature = "test-util")]
pub use clock::ManualClock;
pub use collect::{BreakerSample, Collection, Collector, History, TransitionCount};
pub use config::{
    Abandoned, Adaptive, Backoff, BackoffKind, CircuitBreakerConfig, CircuitBreakerConfigBuilder,
    ConfigError, ConfigProblem, DurationError, HalfOpen, HalfOpenKind, Opening, Slow, SlowKind, Trip,
    TripKind, Window, WindowKind, format_duration, parse_duration,
};
pub use counts::Counts;
pub use error::{BoxError, CircuitBreakerError, Rejected, rejection};
pub use gate::{Gate, Place};
#[cfg(feature = "stream")]
pub use gate::{Gated, GatedMessages};
pub use observe::{
    Event, Events, Evidence, Interest, Listener, Probes, ShadowCalls, ShadowSnapshot, Snapshot, StateChange,
    Subscription, TripCause,
};
pub use outcome::{Ended, Outcome};
pub use reason::{RampReason, RejectReason, TripReason};
pub use registry::{AlreadyExists, Registry, RegistryBuilder, RegistryStatus};
pub use report::Report;
pub use totals::Totals;
pub use word::State;
