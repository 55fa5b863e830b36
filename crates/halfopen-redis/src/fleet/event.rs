//! What a node reports when it loses its server, and when the server is back.

use std::fmt;
use std::sync::{Arc, Mutex};

use halfopen::adapter::catch_panic;

use super::FleetConfig;
use super::status::{FleetStatus, Syncs};
use crate::lock;

/// A change of the connection between a node and its fleet.
///
/// Syncs that repeat the result of the one before report nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetEvent {
    /// A sync has succeeded: the first one, or the first one after a loss.
    #[non_exhaustive]
    Connected {
        /// The name of the fleet.
        fleet: Arc<str>,
        /// The number of nodes that have synced lately.
        nodes: u64,
    },
    /// A sync has failed, and the one before has not: from now on breakers follow their own outcomes alone.
    #[non_exhaustive]
    Disconnected {
        /// The name of the fleet.
        fleet: Arc<str>,
        /// The error.
        error: Arc<str>,
    },
}

type Listener = Arc<dyn Fn(&FleetEvent) + Send + Sync>;

/// The state of a node that its handles share with the task that syncs.
pub(super) struct Shared {
    syncs: Mutex<Syncs>,
    listeners: Mutex<Vec<Listener>>,
}

impl Shared {
    pub(super) fn new(config: &FleetConfig, node: &str) -> Shared {
        Shared { syncs: Mutex::new(Syncs::new(config, node)), listeners: Mutex::default() }
    }

    pub(super) fn status(&self) -> FleetStatus {
        lock(&self.syncs).status.clone()
    }

    pub(super) fn listen(&self, listener: impl Fn(&FleetEvent) + Send + Sync + 'static) {
        lock(&self.listeners).push(Arc::new(listener));
    }

    pub(super) fn rename(&self, fleet: &str) {
        let mut syncs = lock(&self.syncs);
        // The gauge of the fleet that is left, which no later sync would change.
        syncs.status.connected = false;
        publish_metric(&syncs.status);
        syncs.rename(fleet);
    }

    /// Changes the status, and reports the event of the change.
    pub(super) fn update(&self, change: impl FnOnce(&mut Syncs) -> Option<FleetEvent>) {
        let event = {
            let mut syncs = lock(&self.syncs);
            let event = change(&mut syncs);
            publish_metric(&syncs.status);
            event
        };
        let Some(event) = event else { return };
        log(&event);
        // Outside both locks: a listener may ask for the status.
        let listeners = lock(&self.listeners).clone();
        for listener in listeners {
            // A panic in a listener must not end the task that syncs. The panic hook has reported it.
            let _ = catch_panic(|| listener(&event));
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("syncs", &self.syncs).finish_non_exhaustive()
    }
}

#[cfg(feature = "tracing")]
fn log(event: &FleetEvent) {
    match event {
        FleetEvent::Connected { fleet, nodes } => {
            tracing::info!(target: "halfopen", fleet = &**fleet, nodes, "fleet joined");
        }
        FleetEvent::Disconnected { fleet, error } => {
            let (fleet, error) = (&**fleet, &**error);
            tracing::warn!(target: "halfopen", fleet, error, "fleet lost: breakers follow their own outcomes");
        }
    }
}

#[cfg(not(feature = "tracing"))]
fn log(_: &FleetEvent) {}

/// With every sync, so that an exporter that drops idle series keeps this one.
#[cfg(feature = "metrics")]
fn publish_metric(status: &FleetStatus) {
    metrics::describe_gauge!(
        crate::FLEET_CONNECTED,
        "Whether the last sync of this node with its fleet has succeeded: 1 or 0."
    );
    metrics::gauge!(crate::FLEET_CONNECTED, "fleet" => status.fleet.to_string())
        .set(f64::from(u8::from(status.connected)));
}

#[cfg(not(feature = "metrics"))]
fn publish_metric(_: &FleetStatus) {}
