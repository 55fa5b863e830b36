//! Run it: cargo run --example axum_server --features axum
//!
//! ```text
//! curl -i localhost:8080/api/v1/query/orders        # 200, or 500 for /broken: five of them open the breaker
//! curl -i localhost:8080/api/v1/query/broken
//! curl -i localhost:8080/api/v1/experts/search      # the 6th within a minute: 429 and problem+json
//! curl -i localhost:8080/health/ready               # 503 while query_handler is open
//! curl -s localhost:8080/circuit-breakers
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use halfopen::{BoxError, CircuitBreakerConfig, Registry, Trip};
use halfopen_axum::{Route, RouteProtection, status_routes};
use halfopen_limit::Quota;
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(5)).build()?;
    let app = app(Registry::builder().default_config(config).build());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

fn app(registry: Registry) -> Router {
    let protection = RouteProtection::new(registry.clone())
        .route(
            "/api/v1/query/{*rest}",
            Route::breaker("query_handler")
                .max_concurrent_calls(50)
                .fallback(json!({"error": "Service temporarily unavailable"})),
        )
        .route("/api/v1/experts/{*rest}", Route::breaker("experts").rate_limit(Quota::calls(5).per(MINUTE)));
    Router::new()
        .route("/api/v1/query/{*rest}", get(query))
        .route("/api/v1/experts/{*rest}", get(|| async { "2 experts\n" }))
        .layer(protection)
        .merge(status_routes(registry).ready_unless_open(["query_handler"]))
}

async fn query(Path(rest): Path<String>) -> (StatusCode, String) {
    match rest.as_str() {
        "broken" => (StatusCode::INTERNAL_SERVER_ERROR, "the database is away\n".to_owned()),
        table => (StatusCode::OK, format!("3 rows of {table}\n")),
    }
}
