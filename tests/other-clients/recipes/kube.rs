use halfopen::CircuitBreaker;
use halfopen_tower::HttpCircuitBreakerLayer;
use kube::client::ClientBuilder;
use kube::{Client, Config};

/// Returns a client of the cluster that sends nothing while the breaker is open.
pub fn client(mut config: Config, breaker: CircuitBreaker) -> Result<Client, kube::Error> {
    config.default_retry = false; // inside of every layer; repeats a 503 for minutes
    Ok(ClientBuilder::try_from(config)?.with_layer(&HttpCircuitBreakerLayer::new(breaker)).build())
}
