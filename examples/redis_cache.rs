//! Run it: cargo run --example redis_cache --features redis
//!
//! Cache-aside with a fallback: users come from the cache, or from the database if the cache misses, is down,
//! or is not tried because its breaker is open. The server of the cache is stopped for a while.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

mod own_redis;

use std::time::Duration;

use halfopen::{BoxError, CircuitBreaker, CircuitBreakerConfig, HalfOpen, Trip};
use halfopen_redis::ProtectedConnection;
use own_redis::OwnRedis;
use redis::AsyncCommands;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

#[derive(Clone)]
struct Users {
    cache: ProtectedConnection<ConnectionManager>,
}

impl Users {
    async fn name(&self, id: u64) -> String {
        let mut cache = self.cache.clone();
        let key = format!("user:{id}");
        match cache.get::<_, Option<String>>(&key).await {
            Ok(Some(name)) => format!("{name} (cached)"),
            Ok(None) => {
                let name = from_database(id).await;
                // A failed store is harmless: the next caller tries again.
                let _: redis::RedisResult<()> = cache.set_ex(&key, &name, 60).await;
                name
            }
            Err(error) => format!("{} (no cache: {error})", from_database(id).await),
        }
    }
}

async fn from_database(id: u64) -> String {
    tokio::time::sleep(Duration::from_millis(10)).await;
    format!("user {id}")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut server = OwnRedis::start()?;
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(Duration::from_millis(200))
        // A client may return an error from before the restart: one of two probes may fail.
        .half_open(HalfOpen::new().success_threshold(1).max_failures(1))
        .build()?;
    let breaker = CircuitBreaker::builder("cache")
        .config(config)
        .on_state_change(|change| println!("-- cache: {} -> {} ({})", change.from, change.to, change.why()))
        .build();

    let client = redis::Client::open(server.url())?;
    let lazily = ConnectionManagerConfig::new().set_number_of_retries(0);
    let manager = ConnectionManager::new_lazy_with_config(client, lazily)?;
    let cache = ProtectedConnection::new(manager, breaker).call_timeout(Duration::from_millis(100));
    let users = Users { cache };

    println!("{}", users.name(7).await);
    println!("{}", users.name(7).await);

    println!("-- the server stops");
    server.stop()?;
    for _ in 0..5 {
        println!("{}", users.name(7).await);
    }

    println!("-- the server is back, and empty");
    server.restart()?;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        println!("{}", users.name(7).await);
    }
    Ok(())
}
