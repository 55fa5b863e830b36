//! A primary and its replica under a sentinel: failover by death, and by a freeze that ends as a demotion.

use std::time::Duration;

use halfopen::{Registry, State};
use halfopen_limit::Quota;
use halfopen_redis::{FleetConfig, FleetMember, SharedRateLimiter};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClient, SentinelServerType};
use test_support::redis_cluster::{RedisSentinel, until};
use test_support::registry::fail;

use crate::world::Guarded;

fn client(sentinel: &RedisSentinel) -> SentinelClient {
    let service = RedisSentinel::SERVICE.to_owned();
    SentinelClient::build(vec![sentinel.url()], service, None, SentinelServerType::Master).unwrap()
}

async fn primary(client: &mut SentinelClient) -> MultiplexedConnection {
    let config = redis::AsyncConnectionConfig::new()
        .set_response_timeout(Some(Duration::from_secs(20)))
        .set_connection_timeout(Some(Duration::from_secs(20)));
    client.get_async_connection_with_config(&config).await.unwrap()
}

fn config() -> FleetConfig {
    FleetConfig::builder("a").minimum_calls(5).sync_interval(Duration::from_secs(60)).build().unwrap()
}

#[tokio::test]
async fn a_failover_opens_and_a_new_connection_closes() {
    let Some(mut sentinel) = RedisSentinel::start() else { return };
    let mut client = client(&sentinel);
    let mut guarded = Guarded::new(primary(&mut client).await);
    let () = guarded.connection.set("key", 1).await.unwrap();
    until(|| sentinel.second.command(&["GET", "key"]) == "1");

    sentinel.first.kill();
    while guarded.breaker().is_closed() {
        guarded.connection.get::<_, i64>("key").await.unwrap_err();
    }
    assert_eq!(guarded.ended(), "success failure failure failure");
    sentinel.until_promoted();
    // Connections of this client do not move: the sentinel has the address of the new primary.
    let mut after = Guarded::new(primary(&mut client).await);
    assert_eq!(after.connection.get::<_, i64>("key").await, Ok(1), "it was replicated");
    let () = after.connection.set("key", 2).await.unwrap();
    assert_eq!(after.ended(), "success success");
}

#[tokio::test]
async fn a_demoted_primary_is_a_failure_of_writes() {
    let Some(sentinel) = RedisSentinel::start() else { return };
    let mut guarded = Guarded::new(primary(&mut client(&sentinel)).await);
    let () = guarded.connection.set("key", 1).await.unwrap();
    sentinel.first.freeze();
    sentinel.until_promoted();
    sentinel.first.thaw();
    until(|| sentinel.first.command(&["INFO", "replication"]).contains("role:slave"));
    let error = guarded.connection.set::<_, _, ()>("key", 2).await.unwrap_err();
    // The sentinel may also have closed the connection when it demoted the server.
    assert!(error.code() == Some("READONLY") || error.is_connection_dropped(), "{error}");
    assert_eq!(guarded.ended(), "success failure");
}

#[tokio::test]
async fn a_limit_and_a_fleet_survive_a_failover() {
    let Some(mut sentinel) = RedisSentinel::start() else { return };
    let mut client = client(&sentinel);
    let connection = primary(&mut client).await;
    let registry = Registry::new();
    let payments = registry.get_or_create("payments");
    let mut member = FleetMember::new(registry.clone(), connection.clone(), config());
    member.sync().await.unwrap();
    fail(&payments, 4);
    member.sync().await.unwrap();
    let quota = Quota::calls(1).per(Duration::from_secs(3_600)).burst(2).unwrap();
    let limit = |connection| {
        SharedRateLimiter::builder("tasks", quota, connection).budget(Duration::from_secs(20)).build()
    };
    let limiter = limit(connection);
    limiter.try_acquire().await.unwrap();
    let replicated = "halfopen:fleet:{a}:breakers";
    until(|| sentinel.second.command(&["DBSIZE"]) == "3");
    until(|| !sentinel.second.command(&["HGETALL", replicated]).is_empty());

    sentinel.first.kill();
    member.sync().await.unwrap_err();
    assert!(!member.status().connected);
    limiter.try_acquire().await.unwrap();
    assert_eq!(limiter.snapshot().local_decisions, 1, "it fails no call");

    sentinel.until_promoted();
    let connection = primary(&mut client).await;
    let limiter = limit(connection.clone());
    limiter.try_acquire().await.unwrap();
    limiter.try_acquire().await.unwrap_err();
    assert_eq!(limiter.snapshot().shared_decisions, 2, "the call from before the failover counts");
    let mut member = FleetMember::new(registry, connection, config());
    member.sync().await.unwrap();
    fail(&payments, 1);
    member.sync().await.unwrap();
    assert_eq!(payments.state(), State::Open, "with the counts from before: {:?}", member.status());
}
