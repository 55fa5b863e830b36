use std::time::Duration;

use halfopen_metrics::{CircuitBreakerMetrics, DURATION_BUCKETS, names};
use metrics::with_local_recorder;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;

use crate::page::Page;

/// A real exporter for this thread.
pub(crate) struct Exporter {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Exporter {
    pub(crate) fn new() -> Exporter {
        Exporter::built(PrometheusBuilder::new())
    }

    /// On each scrape, drops the series that were not updated since the previous one.
    pub(crate) fn that_forgets() -> Exporter {
        let at_once = Some(Duration::from_nanos(1));
        Exporter::built(PrometheusBuilder::new().idle_timeout(MetricKindMask::ALL, at_once))
    }

    fn built(builder: PrometheusBuilder) -> Exporter {
        let name = Matcher::Full(names::CALL_DURATION.into());
        let recorder = builder.set_buckets_for_metric(name, &DURATION_BUCKETS).unwrap().build_recorder();
        Exporter { handle: recorder.handle(), recorder }
    }

    /// Runs a closure with the exporter as the recorder.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        with_local_recorder(&self.recorder, work)
    }

    /// Renders the page without publishing first.
    pub(crate) fn render(&self) -> Page {
        Page::parse(&self.handle.render())
    }

    /// Publishes and renders the page, as the handler of `/metrics` does.
    pub(crate) fn scrape(&self, metrics: &CircuitBreakerMetrics) -> Page {
        Page::parse(&self.scrape_text(metrics))
    }

    pub(crate) fn scrape_text(&self, metrics: &CircuitBreakerMetrics) -> String {
        self.during(|| metrics.publish());
        self.handle.render()
    }
}
