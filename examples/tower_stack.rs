//! Run it: cargo run --example tower_stack
//!
//! Retry outside, the breaker in the middle, a timeout inside: the breaker admits or rejects every attempt, a
//! hang becomes a failure, and while the breaker is open a call is rejected immediately and not retried.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::future::{Ready, pending, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Trip};
use halfopen_tower::{BoxError, CircuitBreakerLayer};
use tower::retry::{Policy, RetryLayer};
use tower::{Service, ServiceBuilder, ServiceExt};

/// Whether the warehouse hangs; a switch that only the example needs.
static HANGS: AtomicBool = AtomicBool::new(false);

async fn in_stock(article: u32) -> Result<u32, BoxError> {
    if HANGS.load(Ordering::Relaxed) { pending().await } else { Ok(article % 7) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(Duration::from_millis(200))
        .backoff(Backoff::exponential(2.0).max(Duration::from_secs(5)))
        .build()?;
    let breaker = CircuitBreaker::new("warehouse", config);
    let told = breaker.on_event(|_, event| {
        if let halfopen::Event::StateChanged(change) = event {
            println!("      {} -> {}", change.from, change.to);
        }
    });

    let mut warehouse = ServiceBuilder::new()
        .layer(RetryLayer::new(Again(1)))
        .layer(CircuitBreakerLayer::new(breaker))
        .timeout(Duration::from_millis(20))
        .service_fn(in_stock);

    for article in 0..18 {
        HANGS.store((2..9).contains(&article), Ordering::Relaxed);
        match warehouse.ready().await?.call(article).await {
            Ok(pieces) => println!("{article:>4}  {pieces} pieces"),
            Err(error) => println!("{article:>4}  {error}"),
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    drop(told);
    Ok(())
}

/// Retries this many times; never retries a rejection of the breaker.
#[derive(Clone)]
struct Again(u32);

impl Policy<u32, u32, BoxError> for Again {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u32, result: &mut Result<u32, BoxError>) -> Option<Self::Future> {
        let error = result.as_ref().err()?;
        if halfopen::rejection(&**error).is_some() {
            return None;
        }
        self.0 = self.0.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, article: &u32) -> Option<u32> {
        Some(*article)
    }
}
