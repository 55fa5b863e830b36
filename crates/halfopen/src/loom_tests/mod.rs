//! The races of a whole breaker: one transition per epoch, no probe lost, no event out of order.
//!
//! Each model describes the property that it protects, and names a mutation that makes it fail. The models of a
//! window alone are in its module.

mod admission;
mod config;
mod control;
mod evidence;
mod listeners;
mod probes;
pub(crate) mod race;
mod shadows;
mod totals;
mod windows;

use std::time::Duration;

use crate::breaker::CircuitBreaker;
use crate::clock::{Clock, ManualClock};
use crate::config::{Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};

const WAIT: Duration = Duration::from_secs(1);

/// A breaker that opens for a second after this many failures in a row, with one probe at a time and a probe timeout
/// of ten seconds.
fn breaker(failures: u32) -> (CircuitBreaker, ManualClock) {
    let rule = Trip::consecutive_failures(failures);
    probing(rule, Window::unbounded(), HalfOpen::new())
}

/// The same with this rule, window and half-open policy.
fn probing(trip: Trip, window: Window, half_open: HalfOpen) -> (CircuitBreaker, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(trip)
        .window(window)
        .open_duration(WAIT)
        .backoff(Backoff::none())
        .half_open(half_open.probe_timeout(Duration::from_secs(10)))
        .build()
        .unwrap();
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder("race").config(config).clock(clock).seed(1).build(), hands)
}
