use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::routing::get;
use halfopen::{CircuitBreakerConfig, HalfOpen, Outcome, Registry, Shadow, Trip};
use halfopen_metrics::CircuitBreakerMetrics;
use tokio::net::TcpListener;

use crate::page::Page;
use crate::world::Exporter;
use test_support::registry::{SECOND, fail, registry, succeed};

/// A page with all possible series, fetched from a server over HTTP.
pub(crate) fn scraped() -> &'static Page {
    static PAGE: LazyLock<Page> = LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Page::parse(&runtime.block_on(serve_and_fetch()))
    });
    &PAGE
}

async fn serve_and_fetch() -> String {
    let exporter = Arc::new(Exporter::new());
    let (metrics, _shadow) = exporter.during(everything_happens);
    let page = move || {
        let text = exporter.scrape_text(&metrics);
        async { text }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum::serve(listener, Router::new().route("/metrics", get(page)));
    let server = tokio::spawn(server.into_future());
    let answer = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
    assert!(answer.status().is_success());
    let text = answer.text().await.unwrap();
    server.abort();
    text
}

/// Breakers in every state, calls with every outcome, changes for every reason that is queried.
fn everything_happens() -> (CircuitBreakerMetrics, Shadow) {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let patient = CircuitBreakerConfig::builder()
        .trip(Trip::failure_rate(0.5).minimum_calls(4))
        .trip(Trip::slow_call_rate(0.5, SECOND).minimum_calls(4))
        .half_open(HalfOpen::new().probe_timeout(SECOND))
        .build()
        .unwrap();
    registry.configure("hangs", patient);

    let late = registry.get_or_create("open").try_acquire_owned().unwrap();
    let open = registry.get_or_create("open");
    let shadow = open.shadow("candidate", CircuitBreakerConfig::default()).unwrap();
    succeed(&open, 3);
    open.try_acquire().unwrap().ignore();
    drop(open.try_acquire().unwrap());
    fail(&open, 2);
    open.try_acquire().unwrap_err();
    late.success();

    let hangs = registry.get_or_create("hangs");
    for _ in 0..4 {
        hangs.try_acquire().unwrap().record_after(Outcome::Failure, SECOND);
    }
    hands.advance(60 * SECOND);
    let probe = hangs.try_acquire().unwrap();
    hands.advance(2 * SECOND);
    drop(probe);
    hands.advance(60 * SECOND); // half-open by now, as "open" is
    fail(&open, 1);

    registry.get_or_create("closed");
    registry.configure("learns", CircuitBreakerConfig::adaptive());
    let learns = registry.get_or_create("learns");
    while learns.is_closed() {
        learns.try_acquire().unwrap().failure();
    }
    overrides(&registry);
    (metrics, shadow)
}

fn overrides(registry: &Registry) {
    registry.get_or_create("forced").force_open();
    registry.get_or_create("disabled").disable();
    registry.get_or_create("watched").metrics_only();
}
