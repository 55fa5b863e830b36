//! The cost of a fleet: bytes per sync, and the CPU time of the server.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use halfopen::{CircuitBreaker, Registry};
use halfopen_redis::{FleetConfig, FleetMember};
use redis::aio::MultiplexedConnection;
use test_support::redis::RedisServer;
use tokio::runtime::Runtime;

use crate::table::{Group, Row, Table};
use crate::verdict::verdict;

const NODES: usize = 1_000;
const BREAKERS: usize = 10;
/// Each node syncs once a second, for this number of seconds.
const SECONDS: u64 = 10;
/// Connections that the nodes share: the number of sockets that the server reads.
const CONNECTIONS: usize = 50;

struct Node {
    member: FleetMember<MultiplexedConnection>,
    breakers: Vec<CircuitBreaker>,
}

impl Node {
    fn new(connection: MultiplexedConnection, fleet: &str, breakers: usize) -> Node {
        let config =
            FleetConfig::builder(fleet).sync_interval(Duration::from_secs(1)).build().expect("in range");
        let registry = Registry::new();
        let breakers =
            (0..breakers).map(|place| registry.get_or_create(&format!("service-{place}"))).collect();
        Node { member: FleetMember::new(registry, connection, config), breakers }
    }

    /// Some calls of each breaker, of which a few fail, and a sync.
    async fn sync(&mut self) {
        for (place, breaker) in self.breakers.iter().enumerate() {
            for call in 0..20 {
                let permit = breaker.try_acquire().expect("no breaker opens");
                if (call + place) % 10 == 0 { permit.failure() } else { permit.success() }
            }
        }
        self.member.sync().await.expect("the server answers");
    }
}

/// Bytes of a sync, both ways.
pub(crate) fn bytes(runtime: &Rc<Runtime>, server: &RedisServer) -> Group {
    const SYNCS: u64 = 20;
    let rows = [1, 10, 100].map(|breakers| {
        runtime.block_on(async {
            let mut node = Node::new(connect(server).await, &format!("bytes-{breakers}"), breakers);
            node.sync().await; // with the script
            let question = traffic(server);
            let before = traffic(server);
            for _ in 0..SYNCS {
                node.sync().await;
            }
            let of_a_question = before - question;
            let sent = (traffic(server) - before - of_a_question) as f64 / SYNCS as f64;
            let name = format!("{breakers} shared breakers");
            Row::new(name, sent, format!("{:.0} a breaker", sent / breakers as f64))
        })
    });
    Group::new("sync of a node, both ways", "bytes").with(rows.into_iter())
}

/// The share of a core that the server uses for a thousand nodes.
pub(crate) fn thousand_nodes(runtime: &Rc<Runtime>, server: &RedisServer, table: &mut Table) -> String {
    let (share, per_sync) = runtime.block_on(async {
        let connections = join_all((0..CONNECTIONS).map(|_| connect(server))).await;
        let nodes =
            (0..NODES).map(|place| Node::new(connections[place % CONNECTIONS].clone(), "bench", BREAKERS));
        let mut nodes: Vec<Node> = nodes.collect();
        for node in &mut nodes {
            node.sync().await;
        }
        let mut turns = tokio::time::interval(Duration::from_secs(1) / NODES as u32);
        let before = cpu_seconds(server);
        let took = crate::harness::now();
        for _ in 0..SECONDS {
            for node in &mut nodes {
                turns.tick().await;
                node.sync().await;
            }
        }
        let (took, used) = (took.elapsed().as_secs_f64(), cpu_seconds(server) - before);
        assert!(took < 1.2 * SECONDS as f64, "this machine cannot play the nodes: {took:.1} s");
        (used / took, used * 1e6 / (NODES as u64 * SECONDS) as f64)
    });
    let row = Row::new(format!("{NODES} nodes, {BREAKERS} breakers, an interval of 1 s"), 100.0 * share, "");
    table.push(Group::new("time of the server", "% of a core").with(std::iter::once(row)));
    let row = Row::new(format!("{BREAKERS} breakers"), per_sync, "");
    table.push(Group::new("time of the server for a sync", "microseconds").with(std::iter::once(row)));
    verdict(
        share <= 0.1,
        &format!("a thousand nodes cost the server at most 10 % of a core ({:.1} %)", 100.0 * share),
    )
}

async fn connect(server: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("the server is there")
}

fn traffic(server: &RedisServer) -> u64 {
    let statistics = server.command(&["INFO", "stats"]);
    let of = |name: &str| figure(&statistics, name) as u64;
    of("total_net_input_bytes") + of("total_net_output_bytes")
}

fn cpu_seconds(server: &RedisServer) -> f64 {
    let used = server.command(&["INFO", "cpu"]);
    figure(&used, "used_cpu_sys") + figure(&used, "used_cpu_user")
}

fn figure(info: &str, name: &str) -> f64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|figure| figure.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {info}"))
}
