use std::sync::Arc;

use halfopen::CircuitBreaker;
use halfopen_tonic::GrpcCircuitBreakerLayer;
use http::header::{CONTENT_TYPE, RETRY_AFTER, TE};
use http::{HeaderValue, Method, Response, Uri};
use http_body_util::BodyExt;
use tonic::transport::{Channel, Endpoint};
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder};

use crate::clients::{Body, Client, Making};
use crate::ledger::Ledger;
use crate::pace::Pace;
use crate::request::HttpRequest;
use crate::sent::Sent;

type Message = http::Request<tonic::body::Body>;

/// Retry, and tonic's channel with a timeout of its own.
pub(crate) fn bare(making: Making, uri: &Uri, ledger: Arc<Ledger>) -> Client {
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(making.try_again()))
        .map_response(boxed)
        .map_err(BoxError::from)
        .map_request(as_grpc)
        .service(Sent::new(network(making, uri), ledger, making.pace));
    BoxCloneSyncService::new(service)
}

/// Retry, breaker, and the channel.
///
/// The timeout is inside the breaker, so a hang reaches it as an error.
pub(crate) fn protected(making: Making, uri: &Uri, ledger: Arc<Ledger>, breaker: CircuitBreaker) -> Client {
    let pace = making.pace;
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(making.try_again()))
        .map_response(boxed)
        .map_request(as_grpc)
        .layer(GrpcCircuitBreakerLayer::new(breaker))
        .map_response(move |response| at_our_pace(pace, response))
        .service(Sent::new(network(making, uri), ledger, pace));
    BoxCloneSyncService::new(service)
}

fn network(making: Making, uri: &Uri) -> Channel {
    let endpoint = Endpoint::from(uri.clone());
    endpoint.tcp_nodelay(true).timeout(making.patience()).connect_timeout(making.patience()).connect_lazy()
}

/// The request as a gRPC call without a message.
fn as_grpc(request: HttpRequest) -> Message {
    let mut request = request.map(tonic::body::Body::new);
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    request
}

/// Replaces the server's `Retry-After`, which is in script seconds, with a pushback in real time.
fn at_our_pace<B>(pace: Pace, mut response: Response<B>) -> Response<B> {
    let Some(hint) = halfopen_http::retry_after_now(response.headers()) else { return response };
    response.headers_mut().remove(RETRY_AFTER);
    let milliseconds = u64::try_from(pace.real(hint).as_millis()).unwrap_or(u64::MAX);
    response.headers_mut().insert("grpc-retry-pushback-ms", milliseconds.into());
    response
}

fn boxed<B>(response: Response<B>) -> Response<Body>
where
    B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}
