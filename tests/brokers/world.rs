//! A breaker on a manual clock, and what the tests wait for.

use std::time::Duration;

use halfopen::{CircuitBreaker, ManualClock};
use test_support::breaker::opening_after;

/// A limit that no healthy server exceeds, however busy the machine is.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// A limit that a server which is gone always exceeds.
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// Opens after three consecutive failures, for a second.
pub(crate) fn breaker() -> (CircuitBreaker, ManualClock) {
    opening_after(3)
}

/// Never opens, so that many errors can be seen.
pub(crate) fn closed() -> CircuitBreaker {
    opening_after(1000).0
}

/// Repeats a call until it succeeds, which a server brings about.
pub(crate) async fn until<T, E: std::fmt::Debug>(mut call: impl AsyncFnMut() -> Result<T, E>) -> T {
    let repeated = async {
        loop {
            match call().await {
                Ok(value) => return value,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(3 * LONG, repeated).await.expect("the server is there in time")
}
