//! Run it: cargo run --example reqwest_client --features reqwest
//!
//! A reqwest client calls two servers of one shop. Search fails for a while: its breaker opens, requests to it
//! are rejected immediately, and a probe finds it recovered. Prices is not affected.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use halfopen::{BoxError, CircuitBreakerConfig, Registry, Trip};
use halfopen_reqwest::CircuitBreakerMiddleware;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reqwest_middleware::ClientBuilder;
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use tokio::net::TcpListener;

/// Whether search fails; a switch that only the example needs.
static ILL: AtomicBool = AtomicBool::new(false);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (search, prices) = (serve().await?, serve().await?);
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(Duration::from_millis(200))
        .build()?;
    let registry = Registry::builder().default_config(config).build();

    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build()?;
    let retry =
        ExponentialBackoff::builder().retry_bounds(Duration::from_millis(5), Duration::from_millis(10));
    let client = ClientBuilder::new(http)
        .with(RetryTransientMiddleware::new_with_policy(retry.build_with_max_retries(2)))
        .with(CircuitBreakerMiddleware::per_host(registry.clone())) // innermost: it sees each attempt
        .build();

    for round in 0..12 {
        ILL.store((2..6).contains(&round), Ordering::Relaxed);
        for url in [format!("http://{search}/search?q=fuse"), format!("http://{prices}/prices/7")] {
            match client.get(&url).send().await {
                Ok(response) => println!("{round:>3}  {url}  {}", response.status()),
                Err(error) => match halfopen::rejection(&error) {
                    Some(rejected) => println!("{round:>3}  {url}  not sent: {rejected}"),
                    None => println!("{round:>3}  {url}  failed: {error}"),
                },
            }
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    println!("{} hosts have a breaker, {} are open", registry.len(), registry.open_breakers().len());
    Ok(())
}

/// A server of the shop on its own port.
async fn serve() -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    Ok(address)
}

async fn answer(request: Request<Incoming>) -> Result<Response<String>, http::Error> {
    let ill = request.uri().path() == "/search" && ILL.load(Ordering::Relaxed);
    Response::builder().status(if ill { 503 } else { 200 }).body("here you are".to_owned())
}
