//! A cluster of three primaries: slots that move, nodes that freeze and die.

use std::time::Duration;

use halfopen::State;
use halfopen_limit::Quota;
use halfopen_redis::{FleetConfig, FleetMember, SharedRateLimiter};
use redis::AsyncCommands;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use test_support::redis_cluster::RedisCluster;
use test_support::registry::fail;

use crate::world::Guarded;

/// A client that tries once after a redirection or a loss, with limits that no healthy server exceeds.
async fn connection(cluster: &RedisCluster) -> ClusterConnection {
    let client = ClusterClient::builder(cluster.urls())
        .retries(2)
        .max_retry_wait(20)
        .response_timeout(Duration::from_secs(20))
        .build();
    client.unwrap().get_async_connection().await.unwrap()
}

/// A node other than the one that has the slot of this key.
fn other(cluster: &RedisCluster, key: &str) -> usize {
    (cluster.home(key) + 1) % 3
}

/// A key whose slot is on this node.
fn key_on(cluster: &RedisCluster, node: usize) -> String {
    (0..).map(|number| format!("key-{number}")).find(|key| cluster.home(key) == node).unwrap()
}

fn fleet(name: &str) -> FleetConfig {
    FleetConfig::builder(name).minimum_calls(5).sync_interval(Duration::from_secs(60)).build().unwrap()
}

#[tokio::test]
async fn a_slot_that_moves_is_no_failure() {
    let Some(cluster) = RedisCluster::start() else { return };
    let (key, absent) = ("{user}:1", "{user}:2");
    let mut guarded = Guarded::new(connection(&cluster).await);
    let () = guarded.connection.set(key, 1).await.unwrap();
    let to = other(&cluster, key);

    cluster.begin_move(key, to);
    assert_eq!(guarded.connection.get::<_, i64>(key).await, Ok(1), "not moved yet");
    let () = guarded.connection.set(absent, 2).await.unwrap();
    assert_eq!(guarded.connection.get::<_, i64>(absent).await, Ok(2), "the client follows an ASK");
    cluster.end_move(key, to);
    assert_eq!(guarded.connection.get::<_, i64>(key).await, Ok(1), "and a MOVED");
    assert_eq!(guarded.ended(), ["success"; 5].join(" "), "a redirection is part of one call");
}

#[tokio::test]
async fn a_limit_follows_its_slot() {
    let Some(cluster) = RedisCluster::start() else { return };
    let quota = Quota::calls(1).per(Duration::from_secs(3_600)).burst(4).unwrap();
    let limiter = SharedRateLimiter::builder("tasks", quota, connection(&cluster).await)
        .key_prefix("limit")
        .budget(Duration::from_secs(20))
        .build();
    let key = "limit:tasks";
    let to = other(&cluster, key);
    limiter.try_acquire().await.unwrap();
    cluster.begin_move(key, to);
    limiter.try_acquire().await.unwrap();
    cluster.end_move(key, to);
    limiter.try_acquire().await.unwrap();
    limiter.try_acquire().await.unwrap();
    limiter.try_acquire().await.unwrap_err();
    let state = limiter.snapshot();
    assert_eq!((state.shared_decisions, state.local_decisions), (5, 0), "{state:?}");
}

#[tokio::test]
async fn a_fleet_follows_its_slot() {
    let Some(cluster) = RedisCluster::start() else { return };
    let registries = [halfopen::Registry::new(), halfopen::Registry::new()];
    let breakers = registries.each_ref().map(|registry| registry.get_or_create("payments"));
    let connection = connection(&cluster).await;
    let mut members = registries.map(|registry| FleetMember::new(registry, connection.clone(), fleet("a")));
    for member in &mut members {
        member.sync().await.unwrap();
    }
    let key = "halfopen:fleet:{a}:breakers";
    let to = other(&cluster, key);
    fail(&breakers[0], 4);
    members[0].sync().await.unwrap();
    cluster.begin_move(key, to);
    cluster.end_move(key, to);
    fail(&breakers[0], 1);
    for member in &mut members {
        member.sync().await.unwrap();
    }
    assert_eq!(breakers[1].state(), State::Open, "counts from before the move and after it");
    assert!(members.iter().all(|member| member.status().failed_syncs == 0));
}

#[tokio::test]
async fn a_dead_primary_fails_its_own_slots_only() {
    let Some(mut cluster) = RedisCluster::start() else { return };
    let (dead, alive) = (key_on(&cluster, 0), key_on(&cluster, 1));
    let inner = connection(&cluster).await;
    let mut guarded = Guarded::new(inner.clone());
    let quota = Quota::calls(1).per(Duration::from_secs(1)).burst(9).unwrap();
    let limiter = SharedRateLimiter::builder(dead.as_str(), quota, inner.clone())
        .key_prefix(format!("{{{dead}}}"))
        .budget(Duration::from_secs(20))
        .build();
    let mut member = FleetMember::new(halfopen::Registry::new(), inner, fleet(&dead));
    let () = guarded.connection.set(&dead, 1).await.unwrap();
    member.sync().await.unwrap();
    limiter.try_acquire().await.unwrap();

    cluster[0].kill();
    guarded.connection.get::<_, Option<i64>>(&dead).await.unwrap_err();
    let () = guarded.connection.set(&alive, 1).await.unwrap();
    assert_eq!(guarded.ended(), "success success failure");
    member.sync().await.unwrap_err();
    assert!(!member.status().connected);
    limiter.try_acquire().await.unwrap();
    assert_eq!(limiter.snapshot().local_decisions, 1, "{:?}", limiter.snapshot());
}

#[tokio::test]
async fn a_frozen_primary_costs_the_call_timeout() {
    let Some(cluster) = RedisCluster::start() else { return };
    let key = key_on(&cluster, 2);
    let guarded = Guarded::new(connection(&cluster).await);
    let mut connection = guarded.connection.clone().call_timeout(Duration::from_millis(20));
    cluster[2].freeze();
    for _ in 0..3 {
        let error = connection.get::<_, Option<i64>>(&key).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }
    assert!(guarded.breaker().is_open(), "{}", guarded.ended());
}
