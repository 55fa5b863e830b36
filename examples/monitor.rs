//! The live page: three services fall ill in turns.
//!
//! `cargo run --example monitor --features monitor`, then open the address that it prints.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use halfopen::{CircuitBreakerConfig, HalfOpen, Registry, Trip, Window};
use halfopen_monitor::{ClosureNotifier, Monitor};

const SERVICES: [&str; 3] = ["payments", "search", "mail"];

/// Who may press the buttons of the page. A program reads it from its secrets.
const TOKEN: &str = "a token for everybody";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = CircuitBreakerConfig::builder()
        .window(Window::last_calls(20))
        .trip(Trip::failure_rate(0.5).minimum_calls(10))
        .open_duration(Duration::from_secs(3))
        .half_open(HalfOpen::new().success_threshold(3))
        .build()?;
    let registry = Registry::builder().default_config(config).build();
    let monitor = Monitor::builder(registry.clone())
        .shipped_rules()
        .category(|name| Some(if name == "payments" { "money" } else { "rest" }.to_owned()))
        .notify(ClosureNotifier::new("terminal", |alert| println!("{alert}")))
        .start()?;

    // Which service is ill; none while it is past the end.
    let ill = Arc::new(AtomicUsize::new(SERVICES.len()));
    for (index, name) in SERVICES.into_iter().enumerate() {
        tokio::spawn(call_for_ever(registry.clone(), name, index, Arc::clone(&ill)));
    }
    tokio::spawn(async move {
        for turn in 0_usize.. {
            tokio::time::sleep(Duration::from_secs(10)).await;
            // Every second turn all are well.
            ill.store(
                if turn % 2 == 0 { turn / 2 % SERVICES.len() } else { SERVICES.len() },
                Ordering::Relaxed,
            );
        }
    });

    let app: Router = monitor.routes().actions(TOKEN)?.into_router();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}  (token: {TOKEN})", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Twenty calls a second.
async fn call_for_ever(registry: Registry, name: &'static str, index: usize, ill: Arc<AtomicUsize>) {
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Ok(permit) = registry.get_or_create(name).try_acquire() {
            if ill.load(Ordering::Relaxed) == index { permit.failure() } else { permit.success() }
        }
    }
}
