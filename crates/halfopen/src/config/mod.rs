//! The configuration of a breaker, validated when it is built.
//!
//! Each part stores the values that it was given and can report which of them are invalid. [`builder`] validates all
//! parts and computes from them the integers that the rest of the core reads.

mod adaptive;
mod backoff;
mod builder;
#[cfg(feature = "serde")]
mod document;
mod duration;
mod error;
mod half_open;
mod parts;
mod preset;
mod ratio;
#[cfg(test)]
mod tests;
mod trip;
mod window;

pub use adaptive::{Adaptive, Slow, SlowKind};
pub use backoff::{Backoff, BackoffKind, Opening};
pub use builder::CircuitBreakerConfigBuilder;
pub use duration::{DurationError, format_duration, parse_duration};
pub use error::{ConfigError, ConfigProblem};
pub use half_open::{Abandoned, HalfOpen, HalfOpenKind};
pub use parts::CircuitBreakerConfig;
pub use trip::{Trip, TripKind};
pub use window::{Window, WindowKind};

pub(crate) use half_open::Recovery;
pub(crate) use ratio::reached;
pub(crate) use trip::Rule;
pub(crate) use window::Form;
