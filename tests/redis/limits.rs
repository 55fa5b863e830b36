//! Shared rate limits: one quota for several processes, and a local one while the server is unavailable.

use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, ManualClock, RejectReason, Trip};
use halfopen_limit::Quota;
use halfopen_redis::SharedRateLimiter;
use redis::aio::{ConnectionManager, MultiplexedConnection};
use test_support::breaker::{SECOND, clocked};
use test_support::redis::RedisServer;

use crate::world::{assert_keys_expire, commands, manager, multiplexed};

/// A limit that no healthy server exceeds, however busy the machine is.
const PATIENT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

/// So few calls per hour that no call becomes available during a test.
fn burst(calls: u32) -> Quota {
    Quota::calls(1).per(Duration::from_secs(3600)).burst(calls).unwrap()
}

async fn limiter(server: &RedisServer, quota: Quota) -> SharedRateLimiter<MultiplexedConnection> {
    SharedRateLimiter::builder("tasks", quota, multiplexed(server).await).budget(PATIENT).build()
}

/// A limiter whose requests open a breaker on a manual clock after two failures.
fn guarded(
    server: &RedisServer,
    budget: Duration,
    nodes: u32,
) -> (SharedRateLimiter<ConnectionManager>, ManualClock) {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(2)).open_duration(SECOND);
    let (breaker, hands): (CircuitBreaker, _) = clocked("store", config.build().unwrap());
    let builder = SharedRateLimiter::builder("tasks", burst(8), manager(server.url()));
    (builder.budget(budget).expected_nodes(nodes).breaker(breaker).build(), hands)
}

#[tokio::test]
async fn several_processes_share_one_quota() {
    let Some(server) = RedisServer::start() else { return };
    let processes = [limiter(&server, burst(7)).await, limiter(&server, burst(7)).await];
    let mut permitted = 0;
    for round in 0..20 {
        permitted += u32::from(processes[round % 2].try_acquire().await.is_ok());
    }
    assert_eq!(permitted, 7);
    let rejected = processes[0].try_acquire().await.unwrap_err();
    assert_eq!((rejected.name(), rejected.reason()), ("tasks", RejectReason::RateLimited));
    assert!(rejected.retry_after().is_some_and(|wait| wait <= Duration::from_secs(3600)));
    assert_keys_expire(&server);
}

#[tokio::test]
async fn a_thousand_calls_at_once_get_exactly_the_burst() {
    let Some(server) = RedisServer::start() else { return };
    let limiter = limiter(&server, burst(100)).await;
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let limiter = limiter.clone();
            tokio::spawn(async move { limiter.try_acquire().await.is_ok() })
        })
        .collect();
    let mut permitted = 0;
    for call in calls {
        permitted += usize::from(call.await.unwrap());
    }
    assert_eq!(permitted, 100);
    assert_eq!(limiter.snapshot().rejected, 900);
    assert_eq!(limiter.snapshot().local_decisions, 0);
}

#[tokio::test]
async fn a_call_is_one_round_trip() {
    let Some(server) = RedisServer::start() else { return };
    let limiter = limiter(&server, burst(7)).await;
    limiter.try_acquire().await.unwrap();
    server.command(&["CONFIG", "RESETSTAT"]);
    limiter.try_acquire().await.unwrap();
    limiter.try_acquire_many(0).await.unwrap();
    let too_many = limiter.try_acquire_many(8).await.unwrap_err();
    assert_eq!(too_many.retry_after(), None, "eight calls are permitted at no time");
    let all = server.command(&["INFO", "commandstats"]);
    let sent = ["evalsha", "eval", "script|load"].map(|name| commands(&server, name));
    assert_eq!(sent, [1, 0, 0], "{all}");
}

#[tokio::test]
async fn forgotten_scripts_are_loaded_again() {
    let Some(server) = RedisServer::start() else { return };
    let limiter = limiter(&server, burst(3)).await;
    for _ in 0..3 {
        server.forget_scripts();
        limiter.try_acquire().await.unwrap();
    }
    limiter.try_acquire().await.unwrap_err();
    assert_eq!(limiter.snapshot().local_decisions, 0);
    assert_eq!(limiter.snapshot().shared_decisions, 4);
}

#[tokio::test]
async fn each_key_has_its_own_quota_in_a_cluster_too() {
    let Some(server) = RedisServer::with(&["--cluster-enabled", "yes"]) else { return };
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    while !server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {}
    let client = redis::cluster::ClusterClient::new(vec![server.url()]).unwrap();
    let connection = client.get_async_connection().await.unwrap();
    let limiter = SharedRateLimiter::builder("tasks", burst(1), connection).budget(PATIENT).build();
    for key in ["a", "b", "{c}:d"] {
        limiter.try_acquire_key(key).await.unwrap();
        limiter.try_acquire_key(key).await.unwrap_err();
    }
    limiter.try_acquire().await.unwrap();
    assert_eq!(limiter.snapshot().local_decisions, 0, "{:?}", limiter.snapshot());
    assert_keys_expire(&server);
}

#[tokio::test]
async fn turns_are_assigned_in_the_order_of_requests() {
    let Some(server) = RedisServer::start() else { return };
    let quota = Quota::calls(100).per(SECOND).burst(1).unwrap();
    let builder = SharedRateLimiter::builder("mail", quota, multiplexed(&server).await).budget(PATIENT);
    let limiter = builder.max_wait(Duration::from_secs(3600)).build();
    for _ in 0..5 {
        limiter.acquire().await.unwrap();
    }
    let quota = Quota::calls(1).per(Duration::from_secs(60)).burst(1).unwrap();
    let builder = SharedRateLimiter::builder("slow mail", quota, multiplexed(&server).await).budget(PATIENT);
    let impatient = builder.max_wait(SECOND).build();
    impatient.acquire().await.unwrap();
    let rejected = impatient.acquire().await.unwrap_err();
    assert!(rejected.retry_after().unwrap() > SECOND, "its turn would come in a minute");
}

#[tokio::test]
async fn a_frozen_server_costs_the_budget_and_then_nothing() {
    let Some(server) = RedisServer::start() else { return };
    let (limiter, hands) = guarded(&server, SHORT, 2);
    server.freeze();
    for _ in 0..4 {
        limiter.try_acquire().await.unwrap();
    }
    let rejected = limiter.try_acquire().await.unwrap_err();
    assert_eq!(rejected.name(), "tasks", "its share is half of the burst");
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.shared_decisions, snapshot.local_decisions, snapshot.rejected), (0, 5, 1));
    assert!(!snapshot.connected, "after two requests without an answer");
    assert_eq!(snapshot.last_error.as_deref(), Some("no reply within 20ms"));

    server.thaw();
    server.command(&["FLUSHALL"]);
    hands.advance(SECOND);
    while !limiter.snapshot().connected || limiter.snapshot().shared_decisions == 0 {
        let _ = limiter.try_acquire().await;
        hands.advance(SECOND);
    }
}

#[tokio::test]
async fn a_server_that_is_away_fails_no_call_and_comes_back() {
    let Some(mut server) = RedisServer::start() else { return };
    let (limiter, hands) = guarded(&server, PATIENT, 4);
    limiter.try_acquire().await.unwrap();
    server.kill();
    for _ in 0..2 {
        limiter.try_acquire_key("local").await.unwrap();
    }
    assert_eq!(
        limiter.try_acquire_key("local").await.unwrap_err().name(),
        "tasks",
        "as the server's rejections"
    );
    assert_eq!(limiter.snapshot().local_decisions, 3);

    server.restart();
    while limiter.snapshot().shared_decisions == 1 {
        hands.advance(SECOND);
        let _ = limiter.try_acquire().await;
    }
    assert!(limiter.snapshot().connected);
}

#[tokio::test]
async fn a_full_or_demoted_server_fails_no_call() {
    let Some(server) = RedisServer::start() else { return };
    let (limiter, _) = guarded(&server, PATIENT, 1);
    server.demote();
    limiter.try_acquire().await.unwrap();
    let error = limiter.snapshot().last_error.unwrap();
    assert!(error.contains("READONLY") || error.contains("ReadOnly"), "{error}");
    server.promote();
    server.fill();
    limiter.try_acquire().await.unwrap();
    assert_eq!(limiter.snapshot().local_decisions, 2);
}

#[tokio::test]
async fn a_new_quota_keeps_the_used_calls() {
    let Some(server) = RedisServer::start() else { return };
    let limiter = limiter(&server, burst(4)).await;
    for _ in 0..4 {
        limiter.try_acquire().await.unwrap();
    }
    limiter.set_quota(burst(5));
    limiter.try_acquire().await.unwrap();
    limiter.try_acquire().await.unwrap_err();
    assert_eq!(limiter.quota(), burst(5));
}
