use opentelemetry_otlp::{RetryPolicy, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::trace::SpanExporter;
use other_clients::otlp::Protected;

use crate::server::grpc;
use crate::world::World;

#[tokio::test]
async fn an_exporter_of_otlp_opens_rejects_and_recovers() {
    let world = World::new("collector", grpc).await;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&world.server.url)
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .unwrap();
    let exporter = Protected { exporter, breaker: world.breaker.clone() };

    let error = world.outage(async || exporter.export(Vec::new()).await).await;
    assert!(error.to_string().contains("circuit breaker `collector` is open"), "{error}");
}
