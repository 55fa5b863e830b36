//! Serves the protected client's breaker to Prometheus or `curl`.

use std::io;
use std::net::SocketAddr;

use axum::response::IntoResponse;
use axum::{Json, Router, routing::get};
use halfopen::{CircuitBreaker, Registry};
use halfopen_metrics::{CircuitBreakerMetrics, DURATION_BUCKETS, names::CALL_DURATION};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::net::TcpListener;
use tower::BoxError;

/// Serves `/metrics` and `/circuit-breakers` for as long as the demonstration runs, and returns the address.
///
/// # Errors
///
/// If the address cannot be bound.
pub(crate) async fn serve(address: SocketAddr, breaker: CircuitBreaker) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.map_err(|error| io::Error::new(error.kind(), format!("--metrics {address}: {error}")))?;
    let exporter = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(CALL_DURATION.to_owned()), &DURATION_BUCKETS)?
        .install_recorder()?;
    let registry = Registry::new();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    registry.insert(breaker)?;
    let page = move || {
        metrics.publish();
        let page = exporter.render();
        async { page }
    };
    let breakers = move || {
        let status = registry.status();
        async { Json(status).into_response() }
    };
    let pages = Router::new().route("/metrics", get(page)).route("/circuit-breakers", get(breakers));
    let address = listener.local_addr()?;
    // It ends with the program, so there is no receiver for an error.
    drop(tokio::spawn(axum::serve(listener, pages).into_future()));
    Ok(address)
}
