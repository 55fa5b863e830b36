use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use halfopen::CircuitBreaker;
use halfopen_tower::CircuitBreakerLayer;
use http::Response;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::ServiceBuilder;
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;

use crate::answer::Answers;
use crate::clients::{Body, Client, Making};
use crate::ledger::Ledger;
use crate::sent::Sent;

/// How long an idle connection is kept open.
pub(crate) const IDLE: Duration = Duration::from_secs(5);
/// The maximum of idle connections.
pub(crate) const MOST_IDLE: usize = 64;

/// Retry, timeout, network.
pub(crate) fn bare(making: Making, ledger: Arc<Ledger>) -> Client {
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(making.try_again()))
        .map_response(boxed)
        .timeout(making.patience())
        .service(Sent::new(network(), ledger, making.pace));
    BoxCloneSyncService::new(service)
}

/// Retry, breaker, timeout, network: the order of layers of the guide.
///
/// Each attempt is permitted and recorded by the breaker, a hang ends as a timeout and is recorded as a
/// failure, and a rejection is not retried.
pub(crate) fn protected(making: Making, ledger: Arc<Ledger>, breaker: CircuitBreaker) -> Client {
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(making.try_again()))
        .layer(CircuitBreakerLayer::new(breaker).classify(Answers::new(making.pace)))
        .map_response(boxed)
        .timeout(making.patience())
        .service(Sent::new(network(), ledger, making.pace));
    BoxCloneSyncService::new(service)
}

/// Each client has its own connections, as two processes would.
pub(crate) fn network() -> HyperClient<HttpConnector, Empty<Bytes>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE)
        .build(connector)
}

fn boxed(response: Response<Incoming>) -> Response<Body> {
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}
