use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use halfopen::{Collector, Registry, Subscription};

use crate::durations::Durations;
use crate::{names, series};

/// Publishes the breakers of a registry as metrics.
///
/// It adds no cost to a call, admitted or rejected: it subscribes only to transitions, and reads
/// everything else from the breakers in [`publish`](Self::publish). Clones are cheap and share the
/// subscription, which ends when the last clone is dropped.
///
/// The labels are the names of the registry's breakers and never come from a call, so the [`capacity`]
/// of the registry bounds the series that are published. The exporter keeps the series of removed breakers
/// without a limit, unless it drops idle series: if names come from outside, set its `idle_timeout` as well.
/// Two registries can share a recorder if their names are distinct. The two counters of the registry itself
/// ([`names::REGISTRY_OVERFLOWED`], [`names::REGISTRY_EVICTED`]) then show the larger value.
///
/// [`capacity`]: halfopen::RegistryBuilder::capacity
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
/// use halfopen_metrics::CircuitBreakerMetrics;
/// use metrics_exporter_prometheus::PrometheusBuilder;
///
/// let registry = Registry::new();
/// let metrics = CircuitBreakerMetrics::new(&registry);
/// registry.get_or_create("payments").trip();
///
/// // A recorder that is installed late misses nothing.
/// let exporter = PrometheusBuilder::new().install_recorder()?;
///
/// // In the handler of `/metrics`:
/// metrics.publish();
/// let page = exporter.render();
///
/// assert!(page.contains(r#"circuit_breaker_state{breaker="payments",state="open"} 1"#));
/// # Ok::<(), metrics_exporter_prometheus::BuildError>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreakerMetrics(Arc<Shared>);

struct Shared {
    collector: Collector,
    durations: Option<Arc<Durations>>,
    publishing: Mutex<series::Adaptive>,
    _subscription: Option<Subscription>,
}

impl CircuitBreakerMetrics {
    /// Attaches to all breakers of a registry, present and future.
    ///
    /// Transitions are counted from now on. All other totals are read from the breakers and complete.
    pub fn new(registry: &Registry) -> CircuitBreakerMetrics {
        CircuitBreakerMetrics::attach(registry, None)
    }

    /// The same as [`new`](Self::new), and records the duration of each call
    /// ([`names::CALL_DURATION`]).
    ///
    /// Every call pays for two readings of the clock and for recording into the histogram. Durations are
    /// recorded from the installation of a recorder, or, if [`publish`](Self::publish) was called before
    /// it, from the next `publish`. Earlier durations are lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Registry;
    /// use halfopen_metrics::{CircuitBreakerMetrics, DURATION_BUCKETS, names};
    /// use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
    ///
    /// let exporter = PrometheusBuilder::new()
    ///     .set_buckets_for_metric(Matcher::Full(names::CALL_DURATION.into()), &DURATION_BUCKETS)?
    ///     .install_recorder()?;
    /// let registry = Registry::new();
    /// let metrics = CircuitBreakerMetrics::with_durations(&registry);
    ///
    /// registry.get_or_create("payments").call_blocking(|| Ok::<_, ()>("paid")).unwrap();
    ///
    /// assert!(exporter.render().contains("circuit_breaker_call_duration_seconds_bucket"));
    /// # Ok::<(), metrics_exporter_prometheus::BuildError>(())
    /// ```
    pub fn with_durations(registry: &Registry) -> CircuitBreakerMetrics {
        CircuitBreakerMetrics::attach(registry, Some(Arc::default()))
    }

    fn attach(registry: &Registry, durations: Option<Arc<Durations>>) -> CircuitBreakerMetrics {
        let subscription = durations.clone().map(|durations| registry.subscribe(durations));
        CircuitBreakerMetrics(Arc::new(Shared {
            collector: registry.collector(),
            durations,
            publishing: Mutex::default(),
            _subscription: subscription,
        }))
    }

    /// Updates every series.
    ///
    /// Call it in the handler of `/metrics` before rendering, or every few seconds if the exporter has its
    /// own server or pushes. Without a recorder it has no effect. It does not count as a use of a breaker,
    /// so idle breakers are still evicted.
    ///
    /// The gauges of a removed breaker are set one last time: 0 for every state and NaN for the others. The
    /// `metrics` facade cannot remove a series. An exporter that drops idle series (`idle_timeout` of the
    /// Prometheus exporter) removes it, because nothing updates it.
    pub fn publish(&self) {
        let shared = &*self.0;
        // Held to the end, so that a concurrent call does not overwrite newer values with older ones.
        let mut adaptive = shared.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        names::describe();
        series::write(&shared.collector.collect(), &mut adaptive);
        if let Some(durations) = &shared.durations {
            durations.rebind();
        }
    }
}

impl fmt::Debug for CircuitBreakerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerMetrics")
            .field("collector", &self.0.collector)
            .field("durations", &self.0.durations.is_some())
            .finish_non_exhaustive()
    }
}
