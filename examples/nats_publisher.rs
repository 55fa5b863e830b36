//! Run it: cargo run --example nats_publisher --features nats
//!
//! Orders are published to a JetStream stream of a `nats-server` that the example starts, kills and starts again.
//! While the breaker is open, an order fails immediately instead of waiting for an acknowledgement.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, stream::Config};
use halfopen::{CircuitBreaker, CircuitBreakerConfig, Event, Trip};
use halfopen_nats::ProtectedContext;
use tokio::time::Instant;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut server = start(port, folder.path())?;

    let options = ConnectOptions::new().reconnect_delay_callback(|_| Duration::from_millis(50));
    let jetstream = jetstream::new(options.connect(format!("127.0.0.1:{port}")).await?);
    let stream = Config { name: "ORDERS".into(), subjects: vec!["orders.>".into()], ..Config::default() };
    jetstream.create_stream(stream).await?;

    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(Duration::from_millis(500))
        .build()?;
    let breaker = CircuitBreaker::new("orders", config);
    let _subscription = breaker.on_event(|_, event| {
        if let Event::StateChanged(change) = event {
            println!("-- orders: {} -> {} ({})", change.from, change.to, change.why());
        }
    });
    let orders = ProtectedContext::new(jetstream, breaker).call_timeout(Duration::from_millis(300));

    for number in 1..=14 {
        match number {
            3 => {
                println!("-- the server is killed");
                server.kill()?;
                server.wait()?;
            }
            9 => {
                println!("-- the server is back");
                server = start(port, folder.path())?;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            _ => {}
        }
        let started = Instant::now();
        let result = publish(&orders, number).await;
        let took = started.elapsed().as_millis();
        match result {
            Ok(sequence) => println!("order {number}: stored as number {sequence}"),
            Err(error) => println!("order {number}: {error} ({took} ms)"),
        }
    }
    server.kill()?;
    server.wait()?;
    Ok(())
}

/// Publishes an order, and waits until the stream has it. The identifier lets the stream drop a duplicate.
async fn publish(orders: &ProtectedContext, number: u32) -> Result<u64, jetstream::context::PublishError> {
    let message = jetstream::message::PublishMessage::build()
        .message_id(format!("order-{number}"))
        .payload(format!("order {number}").into());
    Ok(orders.send_publish("orders.new", message).await?.await?.sequence)
}

/// Starts a server; returns when it accepts connections.
fn start(port: u16, store: &Path) -> io::Result<Child> {
    let mut process = Command::new("nats-server")
        .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"])
        .arg(store)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::other(format!("nats-server: {error}; `.ci/services` installs it")))?;
    let log = process.stderr.take().map(BufReader::new);
    let mut lines = log.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
    if !lines.any(|line| line.contains("Server is ready")) {
        return Err(io::Error::other("nats-server ended before it was ready"));
    }
    // Read to its end: a server blocks when its pipe is full.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(process)
}
