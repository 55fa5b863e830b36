//! Functions and methods with the attribute `#[circuit_breaker]`: a payment service that fails, and what callers get
//! meanwhile.
//!
//! `cargo run --example decorated --features macros`
#![allow(clippy::print_stdout, reason = "showing it is what it is for")]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use halfopen::{
    CircuitBreakerConfig, CircuitBreakerError, ConfigError, Outcome, Registry, Rejected, Trip,
    circuit_breaker,
};

#[derive(Debug)]
enum PaymentError {
    Declined,
    Failed(io::Error),
    Unavailable(Rejected),
}

impl From<Rejected> for PaymentError {
    fn from(rejected: Rejected) -> Self {
        PaymentError::Unavailable(rejected)
    }
}

impl From<io::Error> for PaymentError {
    fn from(error: io::Error) -> Self {
        PaymentError::Failed(error)
    }
}

/// A declined card is an answer of a healthy service.
fn declined_is_an_answer(result: &Result<u64, PaymentError>) -> Outcome {
    match result {
        Ok(_) | Err(PaymentError::Declined) => Outcome::Success,
        Err(PaymentError::Failed(_)) => Outcome::Failure,
        Err(PaymentError::Unavailable(_)) => Outcome::Ignored,
    }
}

struct Shop {
    registry: Registry,
    is_down: AtomicBool,
}

impl Shop {
    #[circuit_breaker("payment_service", registry = self.registry, classify = declined_is_an_answer)]
    async fn charge(&self, cents: u64) -> Result<u64, PaymentError> {
        if cents > 100_000 {
            return Err(PaymentError::Declined);
        }
        self.send().await?;
        Ok(cents)
    }

    #[circuit_breaker("rates", registry = self.registry, fallback = |error| self.yesterdays_rate(error))]
    async fn rate(&self, currency: &str) -> Result<f64, io::Error> {
        self.send().await?;
        Ok(if currency == "EUR" { 1.0 } else { 1.1 })
    }

    async fn yesterdays_rate(&self, error: CircuitBreakerError<io::Error>) -> Result<f64, io::Error> {
        println!("  yesterday's rate, because: {error}");
        Ok(1.05)
    }

    async fn send(&self) -> io::Result<()> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ConfigError> {
    let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(2)).build()?;
    let registry = Registry::builder().default_config(strict).build();
    let shop = Shop { registry, is_down: AtomicBool::new(false) };

    println!("healthy: {:?}, {:?}", shop.charge(250).await, shop.charge(1_000_000).await);
    shop.is_down.store(true, Ordering::Relaxed);
    for attempt in 1..=3 {
        match shop.charge(250).await {
            Err(PaymentError::Unavailable(rejected)) => println!("{attempt}. not sent: {rejected}"),
            Err(PaymentError::Failed(error)) => println!("{attempt}. failed: {error}"),
            Ok(_) | Err(PaymentError::Declined) => println!("{attempt}. answered"),
        }
        println!("  rate: {:?}", shop.rate("USD").await);
    }
    println!("\n{}", shop.registry.status());
    Ok(())
}
