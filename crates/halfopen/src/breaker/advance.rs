use std::time::Duration;

use crate::breaker::CircuitBreaker;
use crate::clock::ManualClock;
use crate::error::Rejected;
use crate::reason::RejectReason;

impl ManualClock {
    /// Advances the clock to the instant at which the next call through `breaker` is a probe, and returns the
    /// distance.
    ///
    /// While the breaker is open, that instant is the end of its wait, including jitter and a server's hint, so
    /// that a test needs no arithmetic on waits; an adaptive breaker sends a probe then if no other call arrives before. In every other state, forced open included, time alone leads to
    /// no probe: the clock does not move, and the result is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, Clock};
    ///
    /// let (clock, hands) = Clock::manual();
    /// let breaker = CircuitBreaker::builder("payments").clock(clock).build();
    /// for _ in 0..5 {
    ///     breaker.try_acquire().unwrap().failure();
    /// }
    /// assert!(breaker.is_open());
    ///
    /// hands.advance_to_probe(&breaker);
    /// assert!(breaker.is_half_open());
    ///
    /// breaker.try_acquire().unwrap().success();
    /// assert!(breaker.is_closed());
    /// ```
    pub fn advance_to_probe(&self, breaker: &CircuitBreaker) -> Duration {
        let rejected = breaker.check().err().filter(|rejected| rejected.reason() == RejectReason::Open);
        let wait = |rejected: Rejected| rejected.retry_after().or_else(|| breaker.changes_in());
        let remaining = rejected.and_then(wait).unwrap_or_default();
        self.advance(remaining);
        remaining
    }
}
