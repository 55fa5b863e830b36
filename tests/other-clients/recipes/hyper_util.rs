use halfopen::CircuitBreaker;
use halfopen_tower::{HttpCircuitBreakerLayer, HttpCircuitBreakerService};
use http_body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::Layer;

/// Returns a tower service that sends nothing while the breaker is open; it is cloned as the client is.
pub fn client<B>(breaker: CircuitBreaker) -> HttpCircuitBreakerService<Client<HttpConnector, B>>
where
    B: Body<Data: Send> + Send,
{
    let http = Client::builder(TokioExecutor::new()).build_http(); // or `.build(connector)` with your TLS
    HttpCircuitBreakerLayer::new(breaker).layer(http)
}
