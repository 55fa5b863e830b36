//! Run it: cargo run --example tonic_client --features tonic
//!
//! A generated client behind a breaker. The server restarts for a while: three calls fail, the others are
//! rejected immediately, and the first call after the wait closes the breaker.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use halfopen::{BoxError, CircuitBreaker, CircuitBreakerConfig, Event, Trip};
use halfopen_tonic::GrpcCircuitBreakerLayer;
use proto::inventory_client::InventoryClient;
use proto::inventory_server::{Inventory, InventoryServer};
use proto::{Article, Stock};
use tonic::transport::{Channel, Endpoint, Server, server::TcpIncoming};
use tonic::{Request, Response, Status};
use tower::ServiceBuilder;

#[allow(unreachable_pub, clippy::all, clippy::pedantic, reason = "generated from inventory.proto")]
mod proto {
    include!("../tests/clients/tonic/proto/inventory.rs");
}

static RESTARTING: AtomicBool = AtomicBool::new(false);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(Duration::from_millis(200))
        .build()?;
    let breaker = CircuitBreaker::new("inventory", config);
    let told = breaker.on_event(|_, event| {
        if let Event::StateChanged(change) = event {
            println!("      {} -> {}", change.from, change.to);
        }
    });

    let channel = ServiceBuilder::new().layer(GrpcCircuitBreakerLayer::new(breaker)).service(serve()?);
    let mut client = InventoryClient::new(channel);
    for article in 0..16 {
        RESTARTING.store((3..9).contains(&article), Ordering::Relaxed);
        match client.count(Article { name: article.to_string() }).await {
            Ok(stock) => println!("{article:>4}  {} pieces", stock.into_inner().pieces),
            Err(status) if halfopen::rejection(&status).is_some() => println!("{article:>4}  not tried"),
            Err(status) => println!("{article:>4}  {:?}: {}", status.code(), status.message()),
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    drop(told);
    Ok(())
}

/// Starts the server and returns a channel to it.
fn serve() -> Result<Channel, BoxError> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let endpoint = Endpoint::from_shared(format!("http://{}", incoming.local_addr()?))?;
    tokio::spawn(Server::builder().add_service(InventoryServer::new(Shop)).serve_with_incoming(incoming));
    Ok(endpoint.connect_timeout(Duration::from_secs(1)).timeout(Duration::from_secs(2)).connect_lazy())
}

struct Shop;

#[tonic::async_trait]
impl Inventory for Shop {
    async fn count(&self, request: Request<Article>) -> Result<Response<Stock>, Status> {
        if RESTARTING.load(Ordering::Relaxed) {
            return Err(Status::unavailable("the server restarts"));
        }
        Ok(Response::new(Stock { pieces: request.get_ref().name.len() as u32 + 2 }))
    }
}
