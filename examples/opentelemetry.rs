//! Run it: cargo run --example opentelemetry --features opentelemetry
//!
//! A dependency is down for two seconds. Every second the SDK collects, and every non-zero series is printed.
//! No collector is required: replace `Lines` with the exporter that you use.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::fmt::Display;
use std::time::Duration;

use halfopen::{BoxError, Registry};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let reader = PeriodicReader::builder(Lines).with_interval(Duration::from_secs(1)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();

    let registry = Registry::new();
    halfopen_opentelemetry::observe(&registry, &provider.meter("circuit-breakers"));

    let mut tick = tokio::time::interval(Duration::from_millis(100));
    for round in 0..55 {
        tick.tick().await;
        let down = (10..30).contains(&round);
        let answer = || async move { if down { Err("connection refused") } else { Ok("paid") } };
        let _ = registry.call("payments", answer).await;
    }
    Ok(provider.shutdown()?) // collects once more
}

struct Lines;

impl PushMetricExporter for Lines {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        println!("---");
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            match metric.data() {
                AggregatedMetrics::U64(data) => print(metric.name(), data),
                AggregatedMetrics::I64(data) => print(metric.name(), data),
                AggregatedMetrics::F64(data) => print(metric.name(), data),
            }
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// Prints a line for every non-zero series of a metric.
fn print<T: Copy + Default + Display + PartialEq>(name: &str, data: &MetricData<T>) {
    let points: Vec<(Vec<_>, T)> = match data {
        MetricData::Sum(all) => all.data_points().map(|at| (at.attributes().collect(), at.value())).collect(),
        MetricData::Gauge(all) => {
            all.data_points().map(|at| (at.attributes().collect(), at.value())).collect()
        }
        MetricData::Histogram(_) | MetricData::ExponentialHistogram(_) => return,
    };
    for (attributes, value) in points.into_iter().filter(|(_, value)| *value != T::default()) {
        let labels: Vec<_> = attributes.iter().map(|one| format!("{}={}", one.key, one.value)).collect();
        println!("{name} {} {value}", labels.join(" "));
    }
}
