//! The errors that callers receive, and the search for them inside other errors.

mod circuit_breaker_error;
mod rejected;
pub(crate) mod search;

pub use circuit_breaker_error::CircuitBreakerError;
pub use rejected::{Refusal, Rejected};
pub use search::rejection;

pub(crate) use rejected::NotMade;

/// A boxed error that is `Send` and `Sync`, as in tower and most clients.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
