//! A connection with a breaker on a manual clock.

use std::time::Duration;

use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, HalfOpen, ManualClock, Trip};
use halfopen_redis::ProtectedConnection;
use redis::Client;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use test_support::breaker::{SECOND, clocked, ended};
use test_support::redis::RedisServer;

/// A connection, its breaker, and the breaker's clock.
pub(crate) struct Guarded<C> {
    pub(crate) connection: ProtectedConnection<C>,
    pub(crate) hands: ManualClock,
}

impl<C> Guarded<C> {
    /// A limit that no healthy server exceeds, however busy the machine is.
    pub(crate) fn new(connection: C) -> Guarded<C> {
        let (breaker, hands) = breaker();
        let connection = ProtectedConnection::new(connection, breaker).call_timeout(Duration::from_secs(20));
        Guarded { connection, hands }
    }

    pub(crate) fn breaker(&self) -> &CircuitBreaker {
        self.connection.breaker()
    }

    pub(crate) fn ended(&self) -> String {
        ended(self.breaker())
    }
}

impl Guarded<MultiplexedConnection> {
    pub(crate) async fn to(server: &RedisServer) -> Guarded<MultiplexedConnection> {
        Guarded::new(multiplexed(server).await)
    }
}

/// Opens after three consecutive failures, for a second; two probes, one of which may fail.
fn breaker() -> (CircuitBreaker, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(SECOND)
        .backoff(Backoff::none())
        .half_open(HalfOpen::new().success_threshold(1).max_failures(1));
    clocked("cache", config.build().unwrap())
}

/// A connection whose own timeouts have no effect.
pub(crate) async fn multiplexed(server: &RedisServer) -> MultiplexedConnection {
    let config = redis::AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(Some(Duration::from_secs(20)));
    client(server).get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// A manager that tries once and gives up early.
pub(crate) fn manager(url: String) -> ConnectionManager {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(Duration::from_secs(20)))
        .set_response_timeout(None);
    ConnectionManager::new_lazy_with_config(Client::open(url).unwrap(), config).unwrap()
}

pub(crate) fn client(server: &RedisServer) -> Client {
    Client::open(server.url()).unwrap()
}

/// The number of commands that the server has received from clients since the last reset of its statistics.
pub(crate) fn commands(server: &RedisServer, name: &str) -> u64 {
    let statistics = server.command(&["INFO", "commandstats"]);
    let line = statistics.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

/// Asserts that the server has keys, and that every key expires.
pub(crate) fn assert_keys_expire(server: &RedisServer) {
    let keys = server.command(&["KEYS", "*"]);
    assert!(!keys.is_empty(), "there are no keys");
    for key in keys.lines() {
        let left: i64 = server.command(&["PTTL", key]).parse().unwrap();
        assert_ne!(left, -1, "{key} has no expiry");
    }
}
