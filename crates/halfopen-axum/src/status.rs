use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use halfopen::{Registry, State as BreakerState};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;

/// Returns the routes `/circuit-breakers` and `/health/ready` of this registry.
///
/// - `GET /circuit-breakers`: the [`RegistryStatus`](halfopen::RegistryStatus) as JSON.
/// - `GET /health/ready`: 200, or 503 while a breaker of [`ready_unless_open`](StatusRoutes::ready_unless_open)
///   rejects every call; JSON with the names of those.
///
/// They show the names and the traffic of every dependency, so they belong on a port or behind a middleware that
/// strangers do not reach. There is no route for liveness: a restart mends no dependency.
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use axum::http::Request;
/// use halfopen::Registry;
/// use halfopen_axum::status_routes;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), halfopen::BoxError> {
/// let registry = Registry::new();
/// let app: Router = Router::new().merge(status_routes(registry.clone()).ready_unless_open(["db"]));
///
/// registry.get_or_create("db").force_open();
/// let response = app.oneshot(Request::get("/health/ready").body(String::new())?).await?;
/// assert_eq!(response.status(), 503);
/// # Ok(())
/// # }
/// ```
pub fn status_routes(registry: Registry) -> StatusRoutes {
    StatusRoutes { registry, needed: Vec::new() }
}

/// The routes of [`status_routes`], for [`Router::merge`].
#[derive(Clone, Debug)]
#[must_use = "it becomes routes with `Router::merge` or `into_router`"]
pub struct StatusRoutes {
    registry: Registry,
    needed: Vec<Arc<str>>,
}

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    open: Vec<&'a str>,
}

impl StatusRoutes {
    /// Adds breakers without which the server is not ready: while one of them is open or forced open,
    /// `/health/ready` answers 503.
    ///
    /// A half-open breaker leaves the server ready, as only traffic can close it. A name that the registry does
    /// not have is ready, as nothing has called it yet.
    pub fn ready_unless_open<N: Into<Arc<str>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.needed.extend(names.into_iter().map(Into::into));
        self
    }

    /// Returns the routes as a router, for [`Router::nest`] and layers of their own.
    pub fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route("/circuit-breakers", get(circuit_breakers))
            .route("/health/ready", get(ready))
            .with_state(Arc::new(self))
    }

    fn open(&self) -> Vec<&str> {
        self.needed.iter().map(|name| &**name).filter(|name| self.is_open(name)).collect()
    }

    fn is_open(&self, name: &str) -> bool {
        // Not created by the question: a breaker that has made no call is not open.
        let state = self.registry.get(name).map(|breaker| breaker.state());
        matches!(state, Some(BreakerState::Open | BreakerState::ForcedOpen))
    }
}

impl<S: Clone + Send + Sync + 'static> From<StatusRoutes> for Router<S> {
    fn from(routes: StatusRoutes) -> Router<S> {
        routes.into_router()
    }
}

async fn circuit_breakers(State(routes): State<Arc<StatusRoutes>>) -> Response {
    uncached(Json(routes.registry.status()))
}

async fn ready(State(routes): State<Arc<StatusRoutes>>) -> Response {
    let open = routes.open();
    let status = if open.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    uncached((status, Json(Readiness { ready: open.is_empty(), open })))
}

/// An answer that is about this moment.
fn uncached(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    // A cached page would show a state of the past, and a cached readiness keep traffic away.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
