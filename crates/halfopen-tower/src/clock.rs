use halfopen::Clock;
use tokio::time::Instant;

/// Returns a clock that follows tokio's, so that tokio's paused time applies to a breaker too.
///
/// For tests of services that wait. Under [`tokio::time::pause`][pause] tokio's timers advance, but a breaker with the
/// system clock does not. A service with [`wait_while_open`](crate::CircuitBreakerLayer::wait_while_open) then
/// becomes ready at the end of the wait on tokio's clock, and its call is rejected.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen::CircuitBreaker;
/// use halfopen_tower::{CircuitBreakerLayer, tokio_clock};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), halfopen_tower::BoxError> {
/// // As in `#[tokio::test(start_paused = true)]`.
/// let breaker = CircuitBreaker::builder("replica").clock(tokio_clock()).build();
/// let layer = CircuitBreakerLayer::new(breaker.clone()).wait_while_open();
/// let replica = layer.layer(service_fn(|n: u32| async move { Ok::<_, std::io::Error>(n) }));
///
/// breaker.open_for(Duration::from_secs(3600));
/// assert_eq!(replica.oneshot(1).await?, 1); // an hour later, immediately
/// # Ok(())
/// # }
/// ```
///
/// [pause]: https://docs.rs/tokio/latest/tokio/time/fn.pause.html
pub fn tokio_clock() -> Clock {
    // tokio's clock and not the system's, so that breakers stand still with a paused test and go on when it
    // advances.
    let started = Instant::now();
    Clock::from_fn(move || Instant::now().saturating_duration_since(started))
}
