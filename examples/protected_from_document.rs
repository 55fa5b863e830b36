//! Run it: cargo run --example protected_from_document --features axum,config
//!
//! Everything is in `examples/config/protected.yaml`, which is watched: change a number while the server runs. A
//! handler calls its backend through the protection `claude_production`; the routes have their own.
//!
//! ```text
//! curl -i localhost:8081/api/v1/query/orders        # 200 after 200 ms
//! curl -i localhost:8081/api/v1/query/hang          # 504: beyond the call_timeout
//! curl -i localhost:8081/api/v1/experts/search      # the 6th within a minute: 429 with Retry-After
//! curl -s localhost:8081/circuit-breakers
//! seq 8 | xargs -P8 -I{} curl -s localhost:8081/api/v1/query/{}   # 4 in flight, 4 rejected by the bulkhead
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use halfopen::{BoxError, Rejected};
use halfopen_axum::{Rejection, RouteProtectionLayer, status_routes};
use halfopen_config::watch::{FileWatch, Reload};
use halfopen_config::{Format, LiveRegistry, Loader};
use halfopen_tower::ProtectionLayer;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/protected.yaml");

type Backend = BoxCloneSyncService<String, String, BoxError>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let live = LiveRegistry::new(Loader::new().file(DOCUMENT))?;
    let _watching = live.follow(FileWatch::new(DOCUMENT), Format::Yaml, |reload| match reload {
        Reload::Applied { difference, .. } => println!("{difference}"),
        Reload::Invalid(error) => println!("{error}"),
        Reload::Unreadable(error) => println!("{error}"),
    })?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8081").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app(&live)?).await?)
}

fn app(live: &LiveRegistry) -> Result<Router, BoxError> {
    let claude = ProtectionLayer::new(live.protection("claude_production")?).layer(service_fn(ask));
    Ok(Router::new()
        .route("/api/v1/query/{*rest}", get(query))
        .route("/api/v1/experts/{*rest}", get(|| async { "2 experts\n" }))
        .layer(RouteProtectionLayer::from_document(live)?)
        .merge(status_routes(live.registry().clone()).ready_unless_open(["claude_production"]))
        .with_state(Backend::new(claude)))
}

/// The backend: slow, and for one request slower than the timeout.
async fn ask(question: String) -> Result<String, BoxError> {
    let takes = if question == "hang" { 60_000 } else { 200 };
    tokio::time::sleep(Duration::from_millis(takes)).await;
    Ok(format!("3 rows of {question}\n"))
}

async fn query(State(backend): State<Backend>, Path(rest): Path<String>) -> Response {
    match backend.oneshot(rest).await {
        Ok(answer) => answer.into_response(),
        Err(error) => match halfopen::rejection(&*error) {
            Some(rejected) => Rejection(Rejected::clone(rejected)).into_response(),
            None => (StatusCode::GATEWAY_TIMEOUT, format!("{error}\n")).into_response(),
        },
    }
}
