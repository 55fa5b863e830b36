//! Run it: cargo run --example shared_rate_limit --features redis
//!
//! Two nodes share a quota of ten calls a second with a burst of six. When their server is down, each node
//! permits half of the quota by itself, and no call fails because of the server.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

mod own_redis;

use std::time::Duration;

use halfopen::BoxError;
use halfopen_limit::Quota;
use halfopen_redis::SharedRateLimiter;
use own_redis::OwnRedis;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

type Node = SharedRateLimiter<ConnectionManager>;

fn node(url: &str) -> Result<Node, BoxError> {
    let client = redis::Client::open(url)?;
    let config = ConnectionManagerConfig::new().set_number_of_retries(0);
    let manager = ConnectionManager::new_lazy_with_config(client, config)?;
    let quota = Quota::calls(10).per(Duration::from_secs(1)).burst(6)?;
    let builder = SharedRateLimiter::builder("tasks", quota, manager);
    Ok(builder.budget(Duration::from_millis(100)).expected_nodes(2).build())
}

/// Twelve calls, alternating between both nodes.
async fn calls(nodes: &[Node; 2]) {
    for call in 0..12 {
        let place = call % 2;
        match nodes[place].try_acquire().await {
            Ok(()) => println!("node {place}: permitted"),
            Err(rejected) => println!("node {place}: {rejected}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut server = OwnRedis::start()?;
    let nodes = [node(&server.url())?, node(&server.url())?];
    println!("-- six of twelve calls, whichever node makes them");
    calls(&nodes).await;

    println!("-- the server stops: three calls for each node");
    server.stop()?;
    calls(&nodes).await;
    for node in &nodes {
        println!("{:#?}", node.snapshot());
    }
    Ok(())
}
