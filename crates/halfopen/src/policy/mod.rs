//! The decisions that follow from a configuration, as pure functions.
//!
//! [`trip`] decides when to open, [`recovery`] when to close again, and [`ramp`] which calls to admit before that. The
//! wait is computed by `CircuitBreakerConfig::wait`, next to the numbers on which it depends.

pub(crate) mod ramp;
pub(crate) mod recovery;
pub(crate) mod trip;
