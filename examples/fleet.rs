//! Run it: cargo run --example fleet --features redis
//!
//! Three processes in one terminal call a service that is down from second two to second six. Each makes five
//! calls a second, too few to detect the outage soon. Together they open after ten failures; then one of them
//! probes for all.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

mod own_redis;

use std::process::Command;
use std::time::Duration;

use halfopen::{BoxError, CircuitBreakerConfig, Clock, Event, Registry, Trip};
use halfopen_redis::{Fleet, FleetConfig};
use own_redis::OwnRedis;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

const SECONDS: u64 = 10;

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [name, url] => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(node(name, url))
        }
        _ => start_all(),
    }
}

fn start_all() -> Result<(), BoxError> {
    let server = OwnRedis::start()?;
    let program = std::env::current_exe()?;
    let start = |name: &str| Command::new(&program).args([name, &server.url()]).spawn();
    let nodes = ["a", "b", "c"].map(start);
    for node in nodes {
        node?.wait()?;
    }
    Ok(())
}

async fn node(name: &str, url: &str) -> Result<(), BoxError> {
    let clock = Clock::system();
    let begun = clock.elapsed();
    let seconds = move || clock.elapsed().saturating_sub(begun).as_secs_f64();

    // By itself, a node opens after fifty failures in a row.
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(50))
        .open_duration(Duration::from_secs(30))
        .build()?;
    let registry = Registry::builder().default_config(config).build();
    let manager = ConnectionManager::new_lazy_with_config(
        redis::Client::open(url)?,
        ConnectionManagerConfig::new().set_number_of_retries(1),
    )?;
    let config = FleetConfig::builder("checkout")
        .share(["payments"])
        .minimum_calls(10)
        .window(Duration::from_secs(1))
        .open_duration(Duration::from_secs(1))
        .sync_interval(Duration::from_millis(100))
        .build()?;
    let fleet = Fleet::join(registry.clone(), manager, config);

    let payments = registry.get_or_create("payments");
    let (label, at) = (name.to_owned(), seconds.clone());
    let _subscription = payments.on_event(move |_, event| {
        if let Event::StateChanged(change) = event {
            println!("{:5.2} s  node {label}: {} -> {} ({})", at(), change.from, change.to, change.why());
        }
    });
    while seconds() < SECONDS as f64 {
        let is_ill = (2.0..6.0).contains(&seconds());
        let call = async move || if is_ill { Err("out of order") } else { Ok(()) };
        // A failure or a rejection; the transitions show both.
        let _ = payments.call(call).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let totals = payments.snapshot().totals;
    println!(
        "{:5.2} s  node {name} of {}: {} calls succeeded, {} failed, {} were rejected",
        seconds(),
        fleet.status().nodes,
        totals.successes,
        totals.failures,
        totals.rejected,
    );
    Ok(())
}
