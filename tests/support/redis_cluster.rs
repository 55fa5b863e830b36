//! Real Redis servers that form a cluster, or a primary and a replica under a sentinel.

use std::ops::{Index, IndexMut, Range};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::redis::RedisServer;
use crate::server::{ServerProcess, on_free_port, program};

/// A cluster of three primaries, each with a third of the slots.
#[derive(Debug)]
pub struct RedisCluster([RedisServer; 3]);

/// The slots of each primary.
const SLOTS: [Range<u16>; 3] = [0..5461, 5461..10923, 10923..16384];

impl RedisCluster {
    /// Starts the servers and returns when all of them serve, or returns [`None`] if the program is missing and
    /// [`program`] permits that.
    pub fn start() -> Option<RedisCluster> {
        // A node that is lost takes only its own slots with it.
        let options = [
            "--cluster-enabled",
            "yes",
            "--cluster-require-full-coverage",
            "no",
            "--cluster-node-timeout",
            "1000",
        ];
        let start = || RedisServer::with(&options);
        let cluster = RedisCluster([start()?, start()?, start()?]);
        for (server, slots) in cluster.0.iter().zip(SLOTS) {
            let (first, last) = (slots.start.to_string(), (slots.end - 1).to_string());
            server.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        for (number, server) in cluster.0.iter().enumerate() {
            // Different epochs, so that no two nodes have to settle a collision later.
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        for server in &cluster.0[1..] {
            let (ip, port) = (server.address().ip().to_string(), server.address().port().to_string());
            cluster.0[0].command(&["CLUSTER", "MEET", &ip, &port]);
        }
        for server in &cluster.0 {
            until(|| {
                let info = server.command(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_slots_assigned:16384")
            });
        }
        Some(cluster)
    }

    /// Returns the URLs for a client.
    pub fn urls(&self) -> Vec<String> {
        self.0.iter().map(RedisServer::url).collect()
    }

    /// Returns the slot of a key.
    pub fn slot(&self, key: &str) -> u16 {
        self.0[0].command(&["CLUSTER", "KEYSLOT", key]).parse().expect("a number")
    }

    /// Returns the index of the primary that has had the slot of a key from the start.
    pub fn home(&self, key: &str) -> usize {
        let slot = self.slot(key);
        SLOTS.iter().position(|slots| slots.contains(&slot)).expect("every slot has a node")
    }

    /// Begins to move the slot of a key: its node answers ASK for keys that it does not have.
    pub fn begin_move(&self, key: &str, to: usize) {
        let slot = self.slot(key).to_string();
        let [from, to] = [self.home(key), to].map(|index| &self.0[index]);
        to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
        from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
    }

    /// Moves the keys of that slot, and ends the move: its former node answers MOVED.
    pub fn end_move(&self, key: &str, to: usize) {
        let slot = self.slot(key).to_string();
        let (from, to) = (&self.0[self.home(key)], &self.0[to]);
        let (ip, port) = (to.address().ip().to_string(), to.address().port().to_string());
        let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]);
        for key in keys.lines() {
            from.command(&["MIGRATE", &ip, &port, key, "0", "5000"]);
        }
        let new = id(to);
        for server in [to, from] {
            server.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &new]);
        }
    }
}

fn id(server: &RedisServer) -> String {
    server.command(&["CLUSTER", "MYID"])
}

/// Polls a server that needs some milliseconds for a change.
pub fn until(mut is_done: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if is_done() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("not within half a minute");
}

impl Index<usize> for RedisCluster {
    type Output = RedisServer;

    fn index(&self, index: usize) -> &RedisServer {
        &self.0[index]
    }
}

impl IndexMut<usize> for RedisCluster {
    fn index_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.0[index]
    }
}

/// A primary and its replica under one sentinel, which promotes the replica when the primary is away.
#[derive(Debug)]
pub struct RedisSentinel {
    /// The server that is the primary at first.
    pub first: RedisServer,
    /// Its replica.
    pub second: RedisServer,
    address: std::net::SocketAddr,
    _process: ServerProcess,
    _folder: TempDir,
}

impl RedisSentinel {
    /// The name of the primary for clients.
    pub const SERVICE: &'static str = "cache";

    /// Starts the servers, or returns [`None`] if the program is missing and [`program`] permits that.
    pub fn start() -> Option<RedisSentinel> {
        let first = RedisServer::with(&["--repl-diskless-sync-delay", "0"])?;
        let (ip, port) = (first.address().ip().to_string(), first.address().port().to_string());
        let second = RedisServer::with(&["--replicaof", &ip, &port])?;
        until(|| second.command(&["INFO", "replication"]).contains("master_link_status:up"));
        let folder = TempDir::new().expect("a folder for temporary files");
        let (address, process) = on_free_port("the sentinel", |address| {
            let file = configuration(&folder, address.port(), &format!("{ip} {port}"));
            let mut command = Command::new(program("redis-server")?);
            command.arg(file).arg("--sentinel").current_dir(folder.path());
            ServerProcess::start(&mut command, "+monitor master")
        });
        let sentinel = RedisSentinel { first, second, address, _process: process, _folder: folder };
        until(|| sentinel.command(&["SENTINEL", "MASTER", Self::SERVICE]).contains("num-slaves\n1"));
        Some(sentinel)
    }

    /// Returns the URL of the sentinel.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Waits until the sentinel has promoted the replica.
    pub fn until_promoted(&self) {
        let port = self.second.address().port().to_string();
        until(|| {
            // Not GET-MASTER-ADDR-BY-NAME, which has the new address before the list that the `redis` crate reads.
            let primary = self.command(&["SENTINEL", "MASTER", Self::SERVICE]);
            primary.contains(&format!("\nport\n{port}\n"))
                && self.second.command(&["INFO", "replication"]).contains("role:master")
        });
    }

    fn command(&self, words: &[&str]) -> String {
        crate::redis::Admin::connect(self.address).command(words)
    }
}

/// A sentinel rewrites its configuration, which therefore is a file of its own.
fn configuration(folder: &TempDir, port: u16, primary: &str) -> PathBuf {
    let file = folder.path().join("sentinel.conf");
    let name = RedisSentinel::SERVICE;
    let text = format!(
        "bind 127.0.0.1\nport {port}\nsentinel monitor {name} {primary} 1\n\
         sentinel down-after-milliseconds {name} 300\nsentinel failover-timeout {name} 2000\n"
    );
    std::fs::write(&file, text).expect("the folder is writable");
    file
}
