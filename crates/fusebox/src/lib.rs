//! A circuit breaker.

mod breaker;
mod builder;
mod call;
mod classify;
mod clock;
mod config;
mod control;
mod error;
mod event;
mod listeners;
#[cfg(all(test, loom))]
mod loom_tests;
mod outcome;
mod permit;
mod policy;
mod registry;
mod settle;
mod snapshot;
mod state;
mod sync;
mod totals;
mod window;

pub use breaker::CircuitBreaker;
pub use builder::CircuitBreakerBuilder;
pub use classify::Classify;
pub use clock::Clock;
#[cfg(feature = "test-util")]
pub use clock::ManualClock;
pub use config::{
    Abandoned, Backoff, CircuitBreakerConfig, CircuitBreakerConfigBuilder, ConfigError, HalfOpen, Trip,
    Window,
};
pub use error::{BoxError, CircuitBreakerError, RejectReason, Rejected, rejection};
pub use event::{Ended, Event, Listener, StateChange, TripReason};
pub use listeners::Subscription;
pub use outcome::Outcome;
pub use permit::{OwnedPermit, Permit};
pub use registry::{AlreadyExists, Registry, RegistryBuilder, RegistryStatus};
pub use snapshot::{Counts, Snapshot, Totals};
pub use state::State;
