use std::collections::{BTreeMap, BTreeSet};

use halfopen::{Registry, Subscription};
use halfopen_limit::LimitRegistry;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, InMemoryMetricExporterBuilder, PeriodicReader, SdkMeterProvider, Temporality,
};

/// The real SDK with an exporter that stores the metrics.
pub(crate) struct Collector {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

/// The result of one collection.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    kinds: BTreeMap<String, String>,
    series: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Collector {
    pub(crate) fn new(registry: &Registry, temporality: Temporality) -> Collector {
        let collector = Collector::of_nothing(temporality);
        collector.observe(registry);
        collector
    }

    pub(crate) fn of_nothing(temporality: Temporality) -> Collector {
        let exporter = InMemoryMetricExporterBuilder::new().with_temporality(temporality).build();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Collector { provider, exporter }
    }

    pub(crate) fn observe_limits(&self, limits: &LimitRegistry) {
        halfopen_opentelemetry::observe_limits(limits, &self.provider.meter("limits"));
    }

    pub(crate) fn observe(&self, registry: &Registry) {
        halfopen_opentelemetry::observe(registry, &self.provider.meter("test"));
    }

    pub(crate) fn observe_durations(&self, registry: &Registry) -> Subscription {
        halfopen_opentelemetry::observe_durations(registry, &self.provider.meter("test"))
    }

    /// Collects now, regardless of the reader's period.
    pub(crate) fn collect(&self) -> Collected {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let mut collected = Collected::default();
        for resource in self.exporter.get_finished_metrics().unwrap() {
            for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
                collected.add(metric);
            }
        }
        collected
    }
}

impl Collected {
    fn add(&mut self, metric: &Metric) {
        let kind = match metric.data() {
            AggregatedMetrics::U64(data) => self.add_data(metric.name(), data, |value| value as f64),
            AggregatedMetrics::I64(data) => self.add_data(metric.name(), data, |value| value as f64),
            AggregatedMetrics::F64(data) => self.add_data(metric.name(), data, |value| value),
        };
        self.kinds.insert(metric.name().to_owned(), format!("{kind}, {}", metric.unit()));
    }

    fn add_data<T: Copy>(
        &mut self,
        name: &str,
        data: &MetricData<T>,
        number: impl Fn(T) -> f64,
    ) -> &'static str {
        match data {
            MetricData::Sum(sum) => {
                for point in sum.data_points() {
                    self.push(name, point.attributes(), number(point.value()));
                }
                if sum.is_monotonic() { "monotonic sum" } else { "sum" }
            }
            MetricData::Gauge(gauge) => {
                for point in gauge.data_points() {
                    self.push(name, point.attributes(), number(point.value()));
                }
                "gauge"
            }
            MetricData::Histogram(histogram) => {
                for point in histogram.data_points() {
                    self.push(name, point.attributes(), number(point.sum()));
                }
                "histogram"
            }
            MetricData::ExponentialHistogram(_) => "exponential histogram",
        }
    }

    fn push<'a>(&mut self, name: &str, attributes: impl Iterator<Item = &'a KeyValue>, value: f64) {
        let attributes = attributes.map(|pair| (pair.key.to_string(), pair.value.to_string())).collect();
        self.series.push((name.to_owned(), attributes, value));
    }

    pub(crate) fn kind(&self, name: &str) -> &str {
        &self.kinds[name]
    }

    /// The value, or the sum, of the one series with this name and these attributes.
    pub(crate) fn value(&self, name: &str, attributes: &[(&str, &str)]) -> Option<f64> {
        let wanted: BTreeMap<_, _> =
            attributes.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let mut found = self.series.iter().filter(|(is, has, _)| is == name && *has == wanted);
        let (_, _, value) = found.next()?;
        assert!(found.next().is_none(), "{name} {attributes:?} is there twice");
        Some(*value)
    }

    /// The breakers with at least one reported series.
    pub(crate) fn breakers(&self) -> Vec<&str> {
        let names: BTreeSet<_> =
            self.series.iter().filter_map(|(_, attributes, _)| attributes.get("breaker")).collect();
        names.into_iter().map(String::as_str).collect()
    }
}
