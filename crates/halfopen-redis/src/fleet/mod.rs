//! Breakers of many processes that decide together.

mod config;
#[cfg(feature = "config")]
mod document;
mod event;
mod member;
mod node;
mod status;
mod wire;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use halfopen::Registry;
use redis::aio::ConnectionLike;
use tokio::task::JoinHandle;

pub use self::config::{FleetConfig, FleetConfigBuilder};
#[cfg(feature = "config")]
pub use self::document::FleetSection;
pub use self::event::FleetEvent;
use self::event::Shared;
pub use self::member::FleetMember;
pub use self::node::Phase;
pub use self::status::{FleetStatus, SharedBreaker};

/// The script of a sync, for programs in other languages that join a fleet.
///
/// Its first lines describe the keys and the arguments. Every key expires.
pub const FLEET_SCRIPT: &str = include_str!("sync.lua");

/// Breakers that many processes share through a server.
///
/// A breaker with ten calls a minute learns slowly that its dependency is down. In a fleet the calls of all processes
/// count together, and one of them probes for all:
///
/// - Each node sends what its breakers have counted, in one request per
///   [`sync_interval`](FleetConfigBuilder::sync_interval), and gets the state of the fleet. Calls never wait for the
///   server: breakers decide locally, as ever.
/// - When the [`failure_rate`](FleetConfigBuilder::failure_rate) of all nodes is reached, the fleet opens for
///   [`open_duration`](FleetConfigBuilder::open_duration), and each node opens its breaker with its next sync. That
///   opening is a lease: without an answer from the server it ends by itself after [`FleetConfig::lease`].
/// - After that one node that has calls to make becomes the prober: its breaker is half-open by its own
///   configuration, and the others wait. When its breaker closes, so does the fleet, and the others are
///   half-open, each until its own probes have passed. When it opens, the fleet opens again. A prober that is gone is
///   replaced after [`probe_timeout`](FleetConfigBuilder::probe_timeout).
/// - The fleet opens breakers early. It keeps none open beyond its lease, and closes none: a breaker that was opened
///   by its own rules runs to the end of its own wait, unless by a probe that it made for the fleet.
/// - While the server is away, breakers follow their own outcomes alone. [`status`](Self::status) shows it,
///   [`on_event`](Self::on_event) reports it once, with the feature `tracing` a warning is logged once, and with the feature
///   `metrics` a gauge is 0.
/// - Openings by the fleet have the reason [`TripReason::Fleet`](halfopen::TripReason::Fleet).
///
/// All times are those of the server's clock: nodes send counts and get durations. Outcomes count in the epoch of the
/// fleet in which they were sent: those from before an opening do not count after it. A count is sent at most once.
///
/// # Examples
///
/// ```no_run
/// use halfopen::Registry;
/// use halfopen_redis::{Fleet, FleetConfig};
/// use redis::aio::{ConnectionManager, ConnectionManagerConfig};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), halfopen::BoxError> {
/// let client = redis::Client::open("redis://127.0.0.1/")?;
/// let config = ConnectionManagerConfig::new().set_number_of_retries(1);
/// let manager = ConnectionManager::new_lazy_with_config(client, config)?;
///
/// let registry = Registry::new();
/// let config = FleetConfig::builder("checkout").share(["payments", "db-*"]).build()?;
/// let fleet = Fleet::join(registry.clone(), manager, config);
///
/// let payments = registry.get_or_create("payments"); // as without a fleet
/// println!("{} of {:?}", payments.state(), fleet.status());
/// # Ok(()) }
/// ```
///
/// The node leaves its fleet when the last clone of this handle is dropped. Its breakers stay as they are.
#[derive(Clone)]
#[must_use = "a node leaves its fleet when this is dropped"]
pub struct Fleet(Arc<Joined>);

struct Joined {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Fleet {
    /// Joins a fleet: spawns a task that syncs the breakers of the registry.
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime with its timer.
    pub fn join<C>(registry: Registry, connection: C, config: FleetConfig) -> Fleet
    where
        C: ConnectionLike + Send + 'static,
    {
        Fleet::follow(registry, connection, config, || None)
    }

    /// Joins a fleet whose configuration `current` returns before each sync, if it has one.
    fn follow<C>(
        registry: Registry,
        connection: C,
        config: FleetConfig,
        current: impl Fn() -> Option<FleetConfig> + Send + 'static,
    ) -> Fleet
    where
        C: ConnectionLike + Send + 'static,
    {
        let mut member = FleetMember::new(registry, connection, config);
        let shared = member.shared();
        let task = tokio::spawn(async move {
            loop {
                if let Some(config) = current() {
                    member.set_config(config);
                }
                // The error is in the status.
                let _ = member.sync().await;
                tokio::time::sleep(varied(member.sync_interval())).await;
            }
        });
        Fleet(Arc::new(Joined { shared, task }))
    }

    /// Returns the state of the fleet as of the last sync; sends nothing.
    pub fn status(&self) -> FleetStatus {
        self.0.shared.status()
    }

    /// Calls a listener when this node loses its server, and when the server is back.
    ///
    /// The listener is called by the task that syncs, one event after the other, until the node leaves the fleet. A panic in
    /// it is caught.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_redis::{Fleet, FleetEvent};
    ///
    /// fn watch(fleet: &Fleet) {
    ///     fleet.on_event(|event| match event {
    ///         FleetEvent::Disconnected { error, .. } => eprintln!("on our own: {error}"),
    ///         FleetEvent::Connected { nodes, .. } => eprintln!("one of {nodes} nodes"),
    ///         _ => {}
    ///     });
    /// }
    /// ```
    pub fn on_event(&self, listener: impl Fn(&FleetEvent) + Send + Sync + 'static) {
        self.0.shared.listen(listener);
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An interval within 10 %, so that nodes that start together do not sync together.
fn varied(interval: Duration) -> Duration {
    let permille = 900 + RandomState::new().hash_one(()) % 201;
    interval * u32::try_from(permille).expect("at most 1,100") / 1_000
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("status", &self.status()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_vary_by_a_tenth() {
        let second = Duration::from_secs(1);
        for _ in 0..1_000 {
            assert!((second * 9 / 10..=second * 11 / 10).contains(&varied(second)));
        }
    }
}
