//! The races of a whole breaker: one transition per epoch, no probe lost, no event out of order.
//!
//! Each model says what it protects; the mutation named with it makes it fail. Those of a window alone
//! lie beside it.

mod admission;
mod config;
mod control;
mod listeners;
mod probes;
pub(crate) mod race;
mod totals;
mod windows;

use std::time::Duration;

use crate::breaker::CircuitBreaker;
use crate::clock::{Clock, ManualClock};
use crate::config::{Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};

const WAIT: Duration = Duration::from_secs(1);

/// Opens for a second with so many failures in a row; one probe at a time, which has ten seconds.
fn breaker(failures: u32) -> (CircuitBreaker, ManualClock) {
    let rule = Trip::consecutive_failures(failures);
    probing(rule, Window::unbounded(), HalfOpen::new())
}

/// The same with a rule, a window and a half-open policy of its own.
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
