//! Nodes of a fleet in one process, each with its own registry and its own clock.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, Event, HalfOpen, ManualClock, Registry, State, Trip,
};
use halfopen_redis::{Fleet, FleetConfig, FleetConfigBuilder, FleetMember, Phase};
use redis::aio::{ConnectionLike, ConnectionManager, MultiplexedConnection};
use test_support::redis::RedisServer;
use test_support::registry::{fail, succeed};

use crate::world::{assert_keys_expire, commands, manager, multiplexed};

const HOUR: Duration = Duration::from_secs(3600);

struct Node<C> {
    member: FleetMember<C>,
    registry: Registry,
    payments: CircuitBreaker,
    hands: ManualClock,
}

impl<C: ConnectionLike + Send> Node<C> {
    /// A node whose own rules open its breaker only after 1,000 consecutive failures, for a day.
    fn new(connection: C, config: &FleetConfig) -> Node<C> {
        let rules = CircuitBreakerConfig::builder()
            .trip(Trip::consecutive_failures(1_000))
            .open_duration(24 * HOUR)
            .backoff(Backoff::none())
            .half_open(HalfOpen::new().success_threshold(1))
            .build()
            .unwrap();
        let (clock, hands) = Clock::manual();
        let registry = Registry::builder().default_config(rules).clock(clock).build();
        let payments = registry.get_or_create("payments");
        let member = FleetMember::new(registry.clone(), connection, config.clone());
        Node { member, registry, payments, hands }
    }

    async fn sync(&mut self) {
        self.member.sync().await.unwrap();
    }

    fn phase(&self) -> Phase {
        self.member.status().breakers[0].phase
    }

    /// An attempted call.
    fn knock(&self) {
        let _ = self.payments.try_acquire();
    }
}

/// Openings, probes and intervals that are longer than any test: only the test ends them.
fn config() -> FleetConfigBuilder {
    FleetConfig::builder("checkout")
        .sync_interval(Duration::from_secs(60))
        .open_duration(HOUR)
        .probe_timeout(HOUR)
        .minimum_calls(10)
}

fn plain() -> FleetConfig {
    config().build().unwrap()
}

/// The end of the fleet's opening in the state that the server stores.
const OPENING: u8 = 1;
/// The end of the probe.
const PROBE: u8 = 3;

/// Ends a period now, in the state that the server stores.
fn end(server: &RedisServer, period: u8) {
    let script = format!(
        "local format = '<ddddI2c0'
         local s = {{struct.unpack(format, redis.call('HGET', KEYS[1], 'payments'))}}
         local rest = cmsgpack.unpack(s[5])
         rest[{period}] = redis.call('TIME')[1] * 1000
         rest = cmsgpack.pack(rest)
         local state = struct.pack(format, s[1], s[2], s[3], s[4], #rest, rest)
         return redis.call('HSET', KEYS[1], 'payments', state)"
    );
    server.command(&["EVAL", &script, "1", "halfopen:fleet:{checkout}:breakers"]);
}

async fn nodes(server: &RedisServer, count: usize, config: &FleetConfig) -> Vec<Node<MultiplexedConnection>> {
    let connection = multiplexed(server).await;
    (0..count).map(|_| Node::new(connection.clone(), config)).collect()
}

async fn sync_all<C: ConnectionLike + Send>(nodes: &mut [Node<C>]) {
    for node in nodes {
        node.sync().await;
    }
}

/// Opens the fleet, and each node.
async fn open_all(nodes: &mut [Node<MultiplexedConnection>]) {
    fail(&nodes[0].payments, 10);
    sync_all(nodes).await;
    assert!(nodes.iter().all(|node| node.payments.is_open()));
}

/// Ends the fleet's opening, and attempts a call on one node after the other until one of them probes. Returns
/// the index of that node.
async fn until_one_probes(server: &RedisServer, nodes: &mut [Node<MultiplexedConnection>]) -> usize {
    end(server, OPENING);
    for (place, node) in nodes.iter_mut().enumerate() {
        node.knock();
        node.sync().await;
        if matches!(node.phase(), Phase::Prober { .. }) {
            return place;
        }
    }
    panic!("no node probes");
}

#[tokio::test]
async fn fifty_nodes_agree_within_two_intervals() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 50, &plain()).await;
    // Each has one failure, far below its own threshold.
    for node in &nodes {
        fail(&node.payments, 1);
    }
    for _interval in 0..2 {
        let together = nodes.iter_mut().map(|node| node.sync());
        join_all(together).await;
    }
    let open = nodes.iter().filter(|node| node.payments.is_open()).count();
    assert_eq!(open, 50);
    assert_eq!(nodes[0].member.status().nodes, 50);

    let prober = until_one_probes(&server, &mut nodes).await;
    nodes[prober].payments.try_acquire().unwrap().success();
    for _interval in 0..2 {
        let together = nodes.iter_mut().map(|node| node.sync());
        join_all(together).await;
    }
    let probing = nodes.iter().filter(|node| node.payments.is_half_open()).count();
    assert_eq!(probing, 49, "they are not closed: each asks for itself");
    assert!(nodes[prober].payments.is_closed());
    assert_keys_expire(&server);
}

#[tokio::test]
async fn one_node_probes_for_all() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 10, &plain()).await;
    open_all(&mut nodes).await;
    let prober = until_one_probes(&server, &mut nodes).await;
    for _interval in 0..3 {
        nodes.iter().filter(|node| node.payments.is_open()).for_each(Node::knock);
        sync_all(&mut nodes).await;
    }
    for (place, node) in nodes.iter().enumerate() {
        assert_eq!(
            node.payments.is_half_open(),
            place == prober,
            "node {place}: {}",
            node.payments.explain()
        );
        let phase = node.phase();
        assert_eq!(matches!(phase, Phase::Probing { .. }), place != prober, "{phase:?}");
    }
}

#[tokio::test]
async fn a_failed_probe_opens_the_fleet_again() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 3, &plain()).await;
    open_all(&mut nodes).await;
    let prober = until_one_probes(&server, &mut nodes).await;
    nodes[prober].payments.try_acquire().unwrap().failure();
    nodes[prober].sync().await;
    assert!(matches!(nodes[prober].phase(), Phase::Open { .. }), "{:?}", nodes[prober].phase());
    sync_all(&mut nodes).await;
    assert!(nodes.iter().all(|node| node.payments.is_open()));
    // Another node: the first one has its own wait of a day, but no call.
    let next = 1 + until_one_probes(&server, &mut nodes[1..]).await;
    assert_eq!((prober, nodes[next].payments.is_half_open()), (0, true));
    nodes[next].payments.try_acquire().unwrap().success();
    nodes[next].sync().await;
    sync_all(&mut nodes).await;
    assert!(nodes[prober].payments.is_half_open(), "{}", nodes[prober].payments.explain());
}

#[tokio::test]
async fn a_prober_that_is_gone_is_replaced_and_waits_again() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 3, &plain()).await;
    open_all(&mut nodes).await;
    let place = until_one_probes(&server, &mut nodes).await;
    let mut gone = nodes.remove(place);
    end(&server, PROBE);
    until_one_probes(&server, &mut nodes).await;
    assert!(gone.payments.is_half_open(), "it has not heard of it");
    gone.sync().await;
    assert!(matches!(gone.phase(), Phase::Probing { .. }), "{:?}", gone.phase());
    assert!(gone.payments.is_open(), "one node probes at a time: {}", gone.payments.explain());
}

#[tokio::test]
async fn a_partition_keeps_nothing_open_past_its_lease() {
    let Some(mut server) = RedisServer::start() else { return };
    let config = plain();
    let mut node = Node::new(manager(server.url()), &config);
    fail(&node.payments, 10);
    node.sync().await;
    node.sync().await;
    assert!(node.payments.is_open());
    server.kill();
    for _interval in 0..5 {
        node.member.sync().await.unwrap_err();
    }
    assert!(!node.member.status().connected);
    assert!(node.payments.changes_in().unwrap() <= config.lease());
    node.hands.advance(config.lease());
    assert!(node.payments.is_half_open(), "{}", node.payments.explain());
    node.member.sync().await.unwrap_err();
    node.payments.try_acquire().unwrap().success();
    assert!(node.payments.is_closed(), "its own probes decide");
}

#[tokio::test]
async fn the_fleet_closes_nothing_that_opened_by_itself() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 3, &plain()).await;
    nodes[2].payments.trip();
    sync_all(&mut nodes).await;
    assert!(nodes[2].payments.is_open(), "the fleet is closed");
    assert!(nodes[0].payments.is_closed(), "one node's trouble is not the fleet's");

    open_all(&mut nodes).await;
    let (ours, own) = nodes.split_at_mut(2);
    let prober = until_one_probes(&server, ours).await;
    ours[prober].payments.try_acquire().unwrap().success();
    sync_all(ours).await;
    sync_all(own).await;
    assert_eq!(own[0].phase(), Phase::Closed);
    assert!(
        own[0].payments.is_open() && own[0].payments.changes_in().unwrap() == 24 * HOUR,
        "its own wait runs on"
    );
}

#[tokio::test]
async fn an_operators_override_outlasts_the_fleet() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 3, &plain()).await;
    nodes[1].payments.disable();
    nodes[2].payments.force_open();
    fail(&nodes[0].payments, 10);
    sync_all(&mut nodes).await;
    let states: Vec<_> = nodes.iter().map(|node| node.payments.state()).collect();
    assert_eq!(states, [State::Open, State::Disabled, State::ForcedOpen]);
}

#[tokio::test]
async fn only_shared_breakers_follow_the_fleet() {
    let Some(server) = RedisServer::start() else { return };
    let config = config().share(["db-*"]).build().unwrap();
    let mut nodes = nodes(&server, 2, &config).await;
    for name in ["db-orders", "search"] {
        fail(&nodes[0].registry.get_or_create(name), 10);
        nodes[1].registry.get_or_create(name);
    }
    sync_all(&mut nodes).await;
    assert!(nodes[1].registry.get("db-orders").unwrap().is_open());
    assert!(nodes[1].registry.get("search").unwrap().is_closed());
    let names: Vec<_> = nodes[1].member.status().breakers.into_iter().map(|shared| shared.name).collect();
    assert_eq!(names, [Arc::from("db-orders")]);
}

#[tokio::test]
async fn outcomes_from_before_a_change_do_not_count() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 3, &plain()).await;
    open_all(&mut nodes[..2]).await;
    let prober = until_one_probes(&server, &mut nodes[..2]).await;
    nodes[prober].payments.try_acquire().unwrap().success();
    nodes[prober].sync().await;
    assert_eq!(nodes[prober].phase(), Phase::Closed);

    fail(&nodes[2].payments, 50); // a node that has missed all of it
    nodes[2].sync().await;
    assert_eq!(nodes[2].phase(), Phase::Closed);
    assert_eq!(nodes[2].member.status().breakers[0].failures, 0);
    fail(&nodes[2].payments, 10);
    nodes[2].sync().await;
    assert!(matches!(nodes[2].phase(), Phase::Open { .. }), "it is up to date now");
}

#[tokio::test]
async fn a_flushed_server_forgets_scripts_and_state_only() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 2, &plain()).await;
    open_all(&mut nodes).await;
    server.forget_scripts();
    server.command(&["FLUSHALL"]);
    sync_all(&mut nodes).await;
    assert!(nodes.iter().all(|node| node.payments.is_half_open()), "the lease is gone: each probes");
    sync_all(&mut nodes).await;
    assert_eq!(nodes[0].phase(), Phase::Closed);
}

#[tokio::test]
async fn a_cluster_keeps_a_fleet_on_one_node() {
    let Some(server) = RedisServer::with(&["--cluster-enabled", "yes"]) else { return };
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    while !server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {}
    let client = redis::cluster::ClusterClient::new(vec![server.url()]).unwrap();
    let mut node = Node::new(client.get_async_connection().await.unwrap(), &plain());
    fail(&node.registry.get_or_create("db-orders"), 10);
    node.sync().await;
    assert!(node.registry.get("db-orders").unwrap().is_open());
    assert_keys_expire(&server);
}

#[tokio::test]
async fn a_node_without_its_server_decides_alone() {
    let Some(mut server) = RedisServer::start() else { return };
    let mut node = Node::new(manager(server.url()), &config().build().unwrap());
    node.sync().await;
    server.kill();
    for _interval in 0..5 {
        node.member.sync().await.unwrap_err();
        succeed(&node.payments, 1);
    }
    let status = node.member.status();
    assert!(!status.connected && status.last_error.is_some());
    assert_eq!((status.syncs, status.failed_syncs, status.disconnects), (1, 5, 1));
    fail(&node.payments, 1_000);
    assert!(node.payments.is_open(), "by its own rules");

    server.restart();
    while node.member.sync().await.is_err() {}
    assert!(node.member.status().connected);
    assert_eq!(node.member.status().disconnects, 1);
}

#[tokio::test]
async fn a_joined_fleet_syncs_by_itself() {
    let Some(server) = RedisServer::start() else { return };
    let config = FleetConfig::builder("joined").sync_interval(Duration::from_millis(5)).build().unwrap();
    let registries = [Registry::new(), Registry::new()];
    let fleets: Vec<Fleet> = registries
        .iter()
        .map(|registry| Fleet::join(registry.clone(), manager(server.url()), config.clone()))
        .collect();
    let (opened, mut opening) = tokio::sync::mpsc::unbounded_channel();
    let remote = registries[1].get_or_create("payments");
    let _subscription = remote.on_event(move |_, event: &Event| {
        if let Event::StateChanged(change) = event {
            let _ = opened.send(change.to);
        }
    });
    let rules = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1_000)).build().unwrap();
    let local = registries[0].create("payments", rules).unwrap();
    fail(&local, 20);
    let change = tokio::time::timeout(Duration::from_secs(30), opening.recv()).await;
    assert_eq!(change.unwrap(), Some(State::Open), "{:?}", fleets[1].status());
}

#[tokio::test]
async fn names_that_are_not_used_any_more_are_removed() {
    let Some(server) = RedisServer::start() else { return };
    // States of ten milliseconds, plus one second.
    let config = FleetConfig::builder("checkout")
        .sync_interval(Duration::from_millis(1))
        .window(Duration::from_millis(10))
        .open_duration(Duration::from_millis(1))
        .probe_timeout(Duration::from_millis(1))
        .minimum_calls(1_000_000)
        .build()
        .unwrap();
    let mut node = nodes(&server, 1, &config).await.remove(0);
    succeed(&node.registry.get_or_create("old"), 1);
    node.sync().await;
    node.registry.remove("old");
    let states = || server.command(&["HKEYS", "halfopen:fleet:{checkout}:breakers"]);
    for number in 0.. {
        let name = format!("new-{number}");
        succeed(&node.registry.get_or_create(&name), 1);
        node.sync().await;
        node.registry.remove(&name);
        if !states().lines().any(|state| state == "old") {
            break;
        }
    }
    assert!(states().contains("new-"));
}

#[tokio::test]
async fn every_second_sync_extends_the_life_of_a_node() {
    let Some(server) = RedisServer::start() else { return };
    let mut nodes = nodes(&server, 1, &plain()).await;
    for _interval in 0..4 {
        nodes[0].sync().await;
    }
    assert_eq!(commands(&server, "zadd"), 2);
}

/// The known faults of gobreaker's distributed breaker, one by one.
mod unlike_gobreaker {
    use super::*;

    #[tokio::test]
    async fn no_count_is_lost_among_nodes_that_sync_together() {
        let Some(server) = RedisServer::start() else { return };
        let config = config().minimum_calls(1_000_000).build().unwrap();
        let mut nodes = nodes(&server, 50, &config).await;
        for _interval in 0..4 {
            for node in &nodes {
                succeed(&node.payments, 3);
                fail(&node.payments, 2);
            }
            join_all(nodes.iter_mut().map(|node| node.sync())).await;
        }
        nodes[0].sync().await;
        let shared = &nodes[0].member.status().breakers[0];
        assert_eq!((shared.calls, shared.failures), (1_000, 400));
    }

    #[tokio::test]
    async fn a_call_that_hangs_holds_nothing_up() {
        let Some(server) = RedisServer::start() else { return };
        let mut nodes = nodes(&server, 2, &plain()).await;
        let hanging = nodes[0].payments.try_acquire_owned().unwrap();
        sync_all(&mut nodes).await;
        succeed(&nodes[0].payments, 1);
        succeed(&nodes[1].payments, 1);
        open_all(&mut nodes).await;
        drop(hanging);
    }

    #[tokio::test]
    async fn a_call_costs_no_request_and_a_sync_costs_one() {
        let Some(server) = RedisServer::start() else { return };
        let mut nodes = nodes(&server, 1, &plain()).await;
        nodes[0].sync().await;
        server.command(&["CONFIG", "RESETSTAT"]);
        succeed(&nodes[0].payments, 1_000);
        assert_eq!(commands(&server, "evalsha"), 0);
        nodes[0].sync().await;
        let sent = ["evalsha", "eval", "script|load"].map(|name| commands(&server, name));
        assert_eq!(sent, [1, 0, 0]);
    }

    #[tokio::test]
    async fn a_server_that_fails_fails_no_call() {
        let Some(mut server) = RedisServer::start() else { return };
        let mut node: Node<ConnectionManager> = Node::new(manager(server.url()), &plain());
        server.kill();
        node.member.sync().await.unwrap_err();
        node.payments.call(async || Ok::<_, std::io::Error>(7)).await.unwrap();
    }

    #[tokio::test]
    async fn every_key_expires() {
        let Some(server) = RedisServer::start() else { return };
        let mut nodes = nodes(&server, 2, &plain()).await;
        succeed(&nodes[0].payments, 1);
        sync_all(&mut nodes).await;
        assert_keys_expire(&server);
        open_all(&mut nodes).await;
        assert_keys_expire(&server);
        until_one_probes(&server, &mut nodes).await;
        assert_keys_expire(&server);
    }

    #[tokio::test]
    async fn nodes_with_different_clocks_agree() {
        let Some(server) = RedisServer::start() else { return };
        let mut nodes = nodes(&server, 2, &plain()).await;
        nodes[1].hands.advance(24 * HOUR);
        open_all(&mut nodes).await;
        for node in &nodes {
            assert!(node.payments.changes_in().unwrap() <= plain().lease(), "{}", node.payments.explain());
        }
    }

    #[tokio::test]
    async fn a_sync_is_as_large_after_many_calls_as_after_few() {
        let Some(server) = RedisServer::start() else { return };
        let mut nodes = nodes(&server, 1, &config().build().unwrap()).await;
        nodes[0].sync().await;
        let mut sizes = Vec::new();
        for calls in [10, 10_000] {
            succeed(&nodes[0].payments, calls);
            let before = received(&server);
            nodes[0].sync().await;
            sizes.push(received(&server) - before);
        }
        assert_eq!(sizes[0], sizes[1]);
    }

    /// The bytes that the server has received, including its own query.
    fn received(server: &RedisServer) -> u64 {
        let statistics = server.command(&["INFO", "stats"]);
        let line = statistics.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:"));
        line.unwrap().trim().parse().unwrap()
    }
}
