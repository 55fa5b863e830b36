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
mod events;
mod explain;
mod listeners;
#[cfg(all(test, loom))]
mod loom_tests;
mod outcome;
mod permit;
mod policy;
mod protected;
mod registry;
#[cfg(feature = "serde")]
mod seconds;
mod settle;
mod snapshot;
mod state;
#[cfg(feature = "stream")]
mod stream;
mod sync;
mod totals;
mod window;

pub use breaker::CircuitBreaker;
pub use builder::CircuitBreakerBuilder;
pub use classify::{Classify, Errors, ErrorsFail, FailureIf, errors, failure_if};
pub use clock::Clock;
#[cfg(feature = "test-util")]
pub use clock::ManualClock;
pub use config::{
    Abandoned, Backoff, CircuitBreakerConfig, CircuitBreakerConfigBuilder, ConfigError, HalfOpen, Trip,
    Window,
};
pub use error::{BoxError, CircuitBreakerError, RejectReason, Rejected, rejection};
pub use event::{Ended, Event, Listener, StateChange, TripReason};
pub use events::Events;
pub use listeners::Subscription;
pub use outcome::Outcome;
pub use permit::{OwnedPermit, Permit};
pub use protected::{CircuitProtected, Protected};
pub use registry::{AlreadyExists, Registry, RegistryBuilder, RegistryStatus};
pub use snapshot::{Counts, Snapshot, Totals};
pub use state::State;
#[cfg(feature = "stream")]
pub use stream::CircuitBreakerStream;
