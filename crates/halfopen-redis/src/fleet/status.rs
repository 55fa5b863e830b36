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
}

/// The state of a fleet, and the result of the sync before.
#[derive(Debug)]
pub(super) struct Syncs {
    pub(super) status: FleetStatus,
    /// Whether the last sync with this fleet has succeeded, if there was one.
    last: Option<bool>,
}

impl Syncs {
    pub(super) fn new(config: &FleetConfig, node: &str) -> Syncs {
        Syncs { status: FleetStatus::new(config, node), last: None }
    }

    /// Another fleet, of which the first sync is still to come.
    pub(super) fn rename(&mut self, fleet: &str) {
        self.last = None;
        self.status.fleet = fleet.into();
        self.status.connected = false;
    }

    /// A sync has succeeded. Returns the event if the one before has not.
    pub(super) fn heard(&mut self, nodes: u64, breakers: Vec<SharedBreaker>) -> Option<FleetEvent> {
        let status = &mut self.status;
        status.syncs += 1;
        status.nodes = nodes;
        status.breakers = breakers;
        status.connected = true;
        let is_new = self.last.replace(true) != Some(true);
        is_new.then(|| FleetEvent::Connected { fleet: Arc::clone(&status.fleet), nodes })
    }

    /// A sync has failed. Returns the event if the one before has not, be it the first one: its server was expected.
    pub(super) fn lost(&mut self, error: &RedisError) -> Option<FleetEvent> {
        let status = &mut self.status;
        status.failed_syncs += 1;
        let error: Arc<str> = error.to_string().into();
        status.last_error = Some(Arc::clone(&error));
        status.connected = false;
        let is_new = self.last.replace(false) != Some(false);
        is_new.then(|| {
            status.disconnects += 1;
            FleetEvent::Disconnected { fleet: Arc::clone(&status.fleet), error }
        })
    }
}
