use std::sync::Arc;

use redis::RedisError;

use super::FleetConfig;
use super::event::FleetEvent;
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

    /// A sync has succeeded. Returns the event if it is the first one, or the first one after a loss.
    pub(super) fn heard(&mut self, nodes: u64, breakers: Vec<SharedBreaker>) -> Option<FleetEvent> {
        self.syncs += 1;
        self.nodes = nodes;
        self.breakers = breakers;
        let was_connected = std::mem::replace(&mut self.connected, true);
        (!was_connected).then(|| FleetEvent::Connected { fleet: Arc::clone(&self.fleet), nodes })
    }

    /// A sync has failed. Returns the event if it is the first one in a row.
    pub(super) fn lost(&mut self, error: &RedisError) -> Option<FleetEvent> {
        self.failed_syncs += 1;
        let error: Arc<str> = error.to_string().into();
        self.last_error = Some(Arc::clone(&error));
        // The first sync of all can fail too: that is a loss as well, of a server that was expected.
        let is_new = std::mem::replace(&mut self.connected, false) || self.syncs + self.failed_syncs == 1;
        is_new.then(|| {
            self.disconnects += 1;
            FleetEvent::Disconnected { fleet: Arc::clone(&self.fleet), error }
        })
    }
}
