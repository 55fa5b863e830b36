//! The errors that callers receive, and the search for them in errors of others.

mod circuit_breaker_error;
mod rejected;
pub(crate) mod search;

pub use circuit_breaker_error::CircuitBreakerError;
pub use rejected::{Refusal, Rejected};
pub use search::rejection;

pub(crate) use rejected::NotMade;

/// A boxed error that can cross threads, as tower and most clients pass them.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
