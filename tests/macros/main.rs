//! The attribute `#[circuit_breaker]`: the functions that it accepts behave as ones with the call written by hand.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod classes;
mod equals;
mod shapes;
mod ui;

use halfopen::{CircuitBreaker, Registry, Rejected};

/// The error of the functions under test.
#[derive(Debug, PartialEq)]
enum Error {
    Failed,
    Rejected(String),
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        Error::Rejected(rejected.name().to_owned())
    }
}

impl From<std::num::ParseIntError> for Error {
    fn from(_: std::num::ParseIntError) -> Self {
        Error::Failed
    }
}

/// The breaker of the global registry; each test has names of its own.
fn global(name: &str) -> CircuitBreaker {
    Registry::global().get_or_create(name)
}
