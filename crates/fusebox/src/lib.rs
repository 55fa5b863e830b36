//! A circuit breaker.

mod classify;
mod outcome;

pub use classify::Classify;
pub use outcome::Outcome;
