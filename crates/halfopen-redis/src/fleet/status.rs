use std::sync::Arc;

use redis::RedisError;

use super::FleetConfig;
use super::node::Phase;

/// The state of a fleet, as one of its nodes has received it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetStatus {
    /// The name of the fleet.
    pub fleet: Arc<str>,
    /// The id of this node.
    pub node: Arc<str>,
    /// Whether the last sync has succeeded. If not, the breakers follow their own outcomes alone.
    pub connected: bool,
    /// The number of nodes that have synced lately, this one included; as of the last sync that succeeded.
    pub nodes: u64,
    /// Syncs that have succeeded.
    pub syncs: u64,
    /// Syncs that have failed.
    pub failed_syncs: u64,
    /// How often the server was lost.
    pub disconnects: u64,
    /// The error of the last sync that failed.
    pub last_error: Option<Arc<str>>,
    /// The shared breakers in the order of their names, as of the last sync that succeeded.
    pub breakers: Vec<SharedBreaker>,
}

/// The state of a breaker in its fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedBreaker {
    /// The name.
    pub name: Arc<str>,
    /// The state in the fleet. That of the breaker in this process can differ.
    pub phase: Phase,
    /// Calls of all nodes in the window.
    pub calls: u64,
    /// Failures among them.
    pub failures: u64,
}

impl FleetStatus {
    pub(super) fn new(config: &FleetConfig, node: &str) -> FleetStatus {
        FleetStatus {
            fleet: config.fleet.as_str().into(),
            node: node.into(),
            connected: false,
            nodes: 0,
            syncs: 0,
            failed_syncs: 0,
            disconnects: 0,
            last_error: None,
            breakers: Vec::new(),
        }
    }

    pub(super) fn heard(&mut self, nodes: u64, breakers: Vec<SharedBreaker>) {
        self.syncs += 1;
        self.nodes = nodes;
        self.breakers = breakers;
        if !std::mem::replace(&mut self.connected, true) {
            report_connected(self);
        }
    }

    pub(super) fn lost(&mut self, error: &RedisError) {
        self.failed_syncs += 1;
        let error: Arc<str> = error.to_string().into();
        // The first sync of all can fail too: that is a loss as well, of a server that was expected.
        if std::mem::replace(&mut self.connected, false) || self.failed_syncs == 1 {
            self.disconnects += 1;
            report_lost(self, &error);
        }
        self.last_error = Some(error);
    }
}

#[cfg(feature = "tracing")]
fn report_connected(status: &FleetStatus) {
    tracing::info!(target: "halfopen", fleet = &*status.fleet, nodes = status.nodes, "fleet joined");
}

#[cfg(feature = "tracing")]
fn report_lost(status: &FleetStatus, error: &str) {
    let fleet = &*status.fleet;
    tracing::warn!(target: "halfopen", fleet, error, "fleet lost: breakers follow their own outcomes");
}

#[cfg(not(feature = "tracing"))]
fn report_connected(_: &FleetStatus) {}

#[cfg(not(feature = "tracing"))]
fn report_lost(_: &FleetStatus, _: &str) {}
