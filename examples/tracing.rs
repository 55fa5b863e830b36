//! Run it: cargo run --example tracing --features tracing
//!
//! A dependency is down for a while, and a hundred calls a second continue to arrive: its log has a dozen
//! lines. `RUST_LOG=info` omits the rejections.

use std::time::Duration;

use halfopen::{Backoff, BoxError, CircuitBreakerConfig, Registry, Trip};
use halfopen_tracing::TracingListener;
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("debug"));
    tracing_subscriber::fmt().with_env_filter(filter).init();

    let config = CircuitBreakerConfig::builder()
        .trip(Trip::failure_rate(0.5).minimum_calls(20))
        .open_duration(Duration::from_millis(1500))
        .backoff(Backoff::exponential(1.5))
        .build()?;
    let registry = Registry::builder().default_config(config).build();
    registry.subscribe(TracingListener::new()).forget();

    let mut tick = tokio::time::interval(Duration::from_millis(10));
    for round in 0..600 {
        tick.tick().await;
        let down = (50..300).contains(&round);
        let answer = || async move { if down { Err("connection refused") } else { Ok("paid") } };
        let _ = registry.call("payments", answer).await;
    }
    Ok(())
}
