use std::sync::Arc;

use halfopen::CircuitBreaker;
use halfopen_tower::HttpCircuitBreakerLayer;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};

/// Returns a client of the API that sends nothing while the breaker is open, and repeats no request.
pub fn client(api: http::Uri, authorization: HeaderValue, breaker: CircuitBreaker) -> Octocrab {
    let http = Client::builder(TokioExecutor::new()).build_http(); // or `.build(connector)` with your TLS
    let headers: Vec<(HeaderName, HeaderValue)> =
        vec![(USER_AGENT, HeaderValue::from_static("octocrab")), (AUTHORIZATION, authorization)];
    let built = OctocrabBuilder::new_empty()
        .with_service(http)
        .with_layer(&HttpCircuitBreakerLayer::new(breaker))
        .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
        .with_layer(&BaseUriLayer::new(api))
        .with_auth(AuthState::None)
        .build();
    match built {
        Ok(octocrab) => octocrab,
        Err(never) => match never {},
    }
}
