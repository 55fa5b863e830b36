use halfopen::CircuitBreaker;
use halfopen_http::HttpClassify;
use halfopen_tower::CircuitBreakerLayer;
use kube::client::ClientBuilder;
use kube::{Client, Config};

/// Returns a client of the cluster that sends nothing while the breaker is open.
pub fn client(mut config: Config, breaker: CircuitBreaker) -> Result<Client, kube::Error> {
    config.default_retry = false; // lies inside every layer and repeats a 503 for minutes
    let protect = CircuitBreakerLayer::new(breaker).classify(HttpClassify::new());
    Ok(ClientBuilder::try_from(config)?.with_layer(&protect).build())
}
