//! The choices of a configuration, as pure functions.
//!
//! When to trip is [`trip`], when to close again is [`recovery`], whom to admit before that is [`ramp`]; how long to
//! wait is `CircuitBreakerConfig::wait`, beside the numbers it is made of.

pub(crate) mod ramp;
pub(crate) mod recovery;
pub(crate) mod trip;
