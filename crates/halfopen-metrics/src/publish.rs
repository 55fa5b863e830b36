use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use halfopen::{Registry, Subscription, Watch};

use crate::durations::Durations;
use crate::{names, series};

/// The breakers of a registry as metrics.
///
/// Cheap to clone; every clone is the same. Attaching it adds nothing to a call, admitted or
/// rejected: it listens to changes of state alone, and reads everything else from the breakers when
/// [`publish`](Self::publish) is called. It stops listening when the last clone is dropped.
///
/// All series are labelled by the names of the registry's breakers and by nothing that comes from a
/// call, so there are as many at a time as the registry has room for ([`capacity`]). The exporter keeps those of
/// breakers that are gone, without a limit, unless it drops what is no longer updated: where names come from
/// outside, give it an `idle_timeout` as well. Two registries can share a
/// recorder if they share no names; the two counters that are the registry's own
/// ([`names::REGISTRY_OVERFLOWED`], [`names::REGISTRY_EVICTED`]) then show the larger number.
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
/// // Late, and nothing is lost.
/// let exporter = PrometheusBuilder::new().install_recorder()?;
///
/// // What the handler of `/metrics` does:
/// metrics.publish();
/// let page = exporter.render();
///
/// assert!(page.contains(r#"circuit_breaker_state{breaker="payments",state="open"} 1"#));
/// # Ok::<(), metrics_exporter_prometheus::BuildError>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreakerMetrics(Arc<Shared>);

struct Shared {
    watch: Watch,
    durations: Option<Arc<Durations>>,
    publishing: Mutex<()>,
    _subscription: Option<Subscription>,
}

impl CircuitBreakerMetrics {
    /// Attaches to a registry: to the breakers it has and to those to come.
    ///
    /// Transitions are counted from now on; all other totals are the breakers' own and complete.
    pub fn new(registry: &Registry) -> CircuitBreakerMetrics {
        CircuitBreakerMetrics::attach(registry, None)
    }

    /// The same, and records how long each call took ([`names::CALL_DURATION`]).
    ///
    /// This one is paid by every call: two readings of the clock, and the way to the histogram. It
    /// begins when there is a recorder, or, where [`publish`](Self::publish) was called before there was
    /// one, with the next: what was recorded until then is not kept anywhere.
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
            watch: registry.watch(),
            durations,
            publishing: Mutex::default(),
            _subscription: subscription,
        }))
    }

    /// Brings every series up to date: to be called by the handler of `/metrics` before it renders, or
    /// every few seconds where the exporter answers by itself or pushes.
    ///
    /// It may be called before there is a recorder, and does nothing then. It neither uses nor holds a
    /// breaker: one that is idle is evicted as if it were not shown.
    ///
    /// Of a breaker that has gone, the gauges are set once more: 0 for every state and NaN for the
    /// rest. The `metrics` facade cannot take a series away; an exporter that drops what is not
    /// updated (`idle_timeout` of the Prometheus exporter) does, because nothing updates it any more.
    pub fn publish(&self) {
        let shared = &*self.0;
        // Held to the end, so that of two at once the older does not overwrite the younger.
        let _publishing = shared.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        names::describe();
        series::write(&shared.watch.look());
        if let Some(durations) = &shared.durations {
            durations.rebind();
        }
    }
}

impl fmt::Debug for CircuitBreakerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerMetrics")
            .field("watch", &self.0.watch)
            .field("durations", &self.0.durations.is_some())
            .finish_non_exhaustive()
    }
}
