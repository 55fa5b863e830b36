//! The error that the caller of a rejected call receives.

use std::convert::Infallible;

use axum::response::IntoResponse;
use halfopen::{BoxError, CircuitBreaker, RejectReason, rejection};
use halfopen_tonic::{CircuitBreakerInterceptor, GrpcCircuitBreakerLayer, rejected_status};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service, ServiceBuilder};

use crate::proto::inventory_client::InventoryClient;
use crate::proto::inventory_server::InventoryServer;
use crate::shop::{Open, Shop};
use crate::{SECOND, Scene, article};

/// As a user's layer might: a custom error, with the cause as its source.
#[derive(Debug)]
struct Wrapped(BoxError);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the call failed")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

fn assert_tells_all(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "circuit breaker `inventory` is open (opened by hand); retry in 1s");
    let details = status.check_error_details().unwrap();
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(SECOND));
    let info = details.error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("CIRCUIT_OPEN", "halfopen"));
    let rejected = rejection(status).expect("the source is kept");
    assert_eq!((rejected.name(), rejected.reason()), ("inventory", RejectReason::Open));
}

#[tokio::test]
async fn a_generated_client_returns_the_whole_status() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let mut client = scene.client(shop.channel());
    scene.breaker.trip();
    assert_tells_all(&client.count(article("3/0")).await.unwrap_err());
    assert_tells_all(&client.watch(article("3/0")).await.unwrap_err());
    assert_tells_all(&client.deliver(futures_util::stream::iter([])).await.unwrap_err());
    assert_tells_all(&client.ask(futures_util::stream::iter([])).await.unwrap_err());
    assert_eq!(scene.breaker.snapshot().totals.rejected, 4);
}

#[tokio::test]
async fn layers_that_wrap_the_error_hide_nothing() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let channel = ServiceBuilder::new()
        .timeout(60 * SECOND)
        .map_err(|error: BoxError| BoxError::from(Wrapped(error)))
        .map_err(|error: BoxError| BoxError::from(Wrapped(error)))
        .layer(scene.layer())
        .service(shop.channel());
    scene.breaker.trip();
    assert_tells_all(&InventoryClient::new(channel).count(article("3/0")).await.unwrap_err());
}

/// An error of `poll_ready` would become Unknown, "Service was not ready".
#[tokio::test]
async fn a_buffer_and_a_client_outlive_an_open_breaker() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let channel = ServiceBuilder::new().buffer(8).layer(scene.layer()).service(shop.channel());
    let mut client = InventoryClient::new(channel);
    scene.breaker.trip();
    assert_tells_all(&client.count(article("3/0")).await.unwrap_err());
    scene.hands.advance(SECOND);
    assert_eq!(client.count(article("3/0")).await.unwrap().into_inner().pieces, 3);
}

#[tokio::test]
async fn a_breaker_further_out_ignores_the_rejection() {
    let shop = Open::shop().await;
    let (outer, inner) = (Scene::new(), Scene::new());
    inner.breaker.force_open();
    let channel = ServiceBuilder::new().layer(outer.layer()).layer(inner.layer()).service(shop.channel());
    InventoryClient::new(channel).count(article("3/0")).await.unwrap_err();
    assert_eq!(outer.ended(), "ignored");
}

#[tokio::test]
async fn client_and_server_call_a_method_by_the_same_name() {
    let registry = halfopen::Registry::new();
    let layer = halfopen_tonic::GrpcCircuitBreakerLayer::per_method(registry.clone());
    let on_server = halfopen::Registry::new();
    let server_layer = halfopen_tonic::GrpcCircuitBreakerLayer::per_method(on_server.clone());
    let shop = Open::serve(|incoming| {
        let service = crate::proto::inventory_server::InventoryServer::new(crate::shop::Shop);
        let mut server = tonic::transport::Server::builder().layer(server_layer);
        server.add_service(service).serve_with_incoming(incoming)
    })
    .await;
    let mut client = InventoryClient::new(layer.layer(shop.channel()));
    client.count(article("3/0")).await.unwrap();
    client.watch(article("3/0")).await.unwrap();
    for registry in [registry, on_server] {
        let mut names: Vec<_> = registry.breakers().iter().map(|breaker| breaker.name().to_owned()).collect();
        names.sort_unstable();
        assert_eq!(names, ["shop.v1.Inventory/Count", "shop.v1.Inventory/Watch"]);
    }
}

#[tokio::test]
async fn one_method_that_fails_closes_no_door_to_another() {
    let shop = Open::shop().await;
    let registry = halfopen::Registry::new();
    let layer = halfopen_tonic::GrpcCircuitBreakerLayer::per_method(registry.clone());
    let mut client = InventoryClient::new(layer.layer(shop.channel()));
    registry.get_or_create("shop.v1.Inventory/Watch").force_open();
    let status = client.watch(article("3/0")).await.unwrap_err();
    assert_eq!(rejection(&status).unwrap().name(), "shop.v1.Inventory/Watch");
    client.count(article("3/0")).await.unwrap();

    let registry = halfopen::Registry::new();
    let layer = halfopen_tonic::GrpcCircuitBreakerLayer::per_service(registry.clone());
    let mut client = InventoryClient::new(layer.layer(shop.channel()));
    registry.get_or_create("shop.v1.Inventory").force_open();
    client.watch(article("3/0")).await.unwrap_err();
    client.count(article("3/0")).await.unwrap_err();
}

/// A status that exceeds the peer's header list arrives as a protocol error.
#[tokio::test]
async fn a_rejection_arrives_however_long_its_name_is() {
    for letter in ["n", "€", "\u{1f600}", "\"", "\n"] {
        for length in [100, 2_000, 8_000, 100_000] {
            let breaker = CircuitBreaker::builder(letter.repeat(length)).build();
            breaker.open_for(60 * SECOND);
            let headers =
                rejected_status(breaker.try_acquire().unwrap_err()).into_http::<()>().into_parts().0;
            let size: usize =
                headers.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
            assert!(size < 8 * 1024, "{length} times {letter:?}: {size} bytes of headers");

            let protects_itself = GrpcCircuitBreakerLayer::new(breaker.clone())
                .trailers_only()
                .layer(InventoryServer::new(Shop));
            let intercepted =
                InventoryServer::with_interceptor(Shop, CircuitBreakerInterceptor::new(breaker));
            assert_arrives(protects_itself).await;
            assert_arrives(intercepted).await;
        }
    }
}

async fn assert_arrives<S>(service: S)
where
    S: Service<http::Request<Body>, Response: IntoResponse, Error = Infallible, Future: Send>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
{
    let shop =
        Open::serve(|incoming| Server::builder().add_service(service).serve_with_incoming(incoming)).await;
    let status = InventoryClient::new(shop.channel()).count(article("3/0")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("is open (opened by hand); retry in"), "{}", status.message());
    assert!(status.check_error_details().unwrap().retry_info().is_some());
}
