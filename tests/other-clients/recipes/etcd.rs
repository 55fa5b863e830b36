use etcd_client::{Channel, Client, Error};
use halfopen::{CircuitBreaker, Rejected};
use halfopen_tonic::GrpcCircuitBreakerLayer;
use http::Response;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;

/// Returns a client of the endpoint that sends nothing while the breaker is open.
pub async fn client(endpoint: &Endpoint, breaker: CircuitBreaker) -> Result<Client, Error> {
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(GrpcCircuitBreakerLayer::new(breaker))
        .service(endpoint.connect_lazy());
    Client::from_channel(Channel::Custom(BoxCloneSyncService::new(service)), None).await
}

/// Finds the rejection in an error of etcd-client, which has no `source()`.
pub fn rejection(error: &Error) -> Option<&Rejected> {
    match error {
        Error::GRpcStatus(status) => halfopen::rejection(status),
        _ => None,
    }
}
