use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerError};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// A span exporter that drops its batches while the breaker is open.
#[derive(Debug)]
pub struct Protected<E> {
    pub exporter: E,
    pub breaker: CircuitBreaker,
}

impl<E: SpanExporter> SpanExporter for Protected<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.breaker.call(|| self.exporter.export(batch)).await.map_err(|error| match error {
            CircuitBreakerError::Inner(error) => error,
            CircuitBreakerError::Rejected(rejected) => OTelSdkError::InternalFailure(rejected.to_string()),
        })
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
