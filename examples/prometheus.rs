//! Run it: cargo run --example prometheus --features metrics
//!
//! A service with three dependencies, of which `payments` is down for ten of every thirty seconds. Then:
//! curl localhost:9464/metrics, curl localhost:9464/circuit-breakers (/table, /history), curl -i localhost:9464/health

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router, routing::get};
use halfopen::{BoxError, History, Registry};
use halfopen_metrics::{CircuitBreakerMetrics, DURATION_BUCKETS, names};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;

/// The dependencies without which this service cannot work: while one of them is open, the service is not
/// ready. A breaker is not critical unless it is added here: one open breaker alone is no reason to take every
/// instance of a service out of the load balancer.
const NEEDED: [&str; 1] = ["payments"];

#[derive(Clone)]
struct Service {
    registry: Registry,
    history: History,
    metrics: CircuitBreakerMetrics,
    exporter: PrometheusHandle,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let exporter = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(names::CALL_DURATION.into()), &DURATION_BUCKETS)?
        .idle_timeout(MetricKindMask::ALL, Some(Duration::from_secs(300)))
        .install_recorder()?;
    let registry = Registry::new();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let history = registry.keep_history(1_000);
    tokio::spawn(call_them_for_ever(registry.clone()));

    let pages = Router::new()
        .route("/metrics", get(metrics_page))
        .route("/circuit-breakers", get(async |State(s): State<Service>| Json(s.registry.status())))
        .route(
            "/circuit-breakers/table",
            get(async |State(s): State<Service>| format!("{}\n", s.registry.status())),
        )
        .route("/circuit-breakers/history", get(async |State(s): State<Service>| Json(s.history.changes())))
        .route("/health", get(health))
        .with_state(Service { registry, history, metrics, exporter });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:9464").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, pages).await?)
}

async fn metrics_page(State(service): State<Service>) -> String {
    service.metrics.publish();
    service.exporter.render()
}

async fn health(State(service): State<Service>) -> (StatusCode, String) {
    let needed = NEEDED.iter().filter_map(|name| service.registry.get(name));
    match needed.into_iter().find(halfopen::CircuitBreaker::is_open) {
        Some(open) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready. {}\n", open.explain())),
        None => (StatusCode::OK, "ready\n".to_owned()),
    }
}

async fn call_them_for_ever(registry: Registry) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    for round in 0_u64.. {
        tick.tick().await;
        for name in ["inventory", "payments", "search"] {
            let down = name == "payments" && (50..150).contains(&(round % 300));
            let answer = || async move { if down { Err("connection refused") } else { Ok(round) } };
            let _ = registry.call(name, answer).await;
        }
    }
}
