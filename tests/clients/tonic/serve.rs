//! A server that protects its own service.

use halfopen::{CircuitBreaker, rejection};
use halfopen_tonic::{GrpcCircuitBreakerLayer, rejected_status};
use tonic::server::NamedService;
use tonic::service::{LayerExt, Routes};
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;
use tower::Layer;

use crate::proto::inventory_client::InventoryClient;
use crate::proto::inventory_server::{Inventory, InventoryServer};
use crate::proto::{Article, Stock};
use crate::shop::{Open, Shop};
use crate::{SECOND, Scene, article};

fn assert_tells_all_but_the_source(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "circuit breaker `inventory` is open (opened by hand); retry in 1s");
    assert_eq!(status.check_error_details().unwrap().retry_info().unwrap().retry_delay, Some(SECOND));
    assert!(rejection(status).is_none(), "it has come over the network");
}

/// tonic's `RecoverError` turns our error into a response.
#[tokio::test]
async fn a_layer_of_the_whole_server_answers_with_details() {
    let scene = Scene::new();
    let layer = scene.layer();
    let shop = Open::serve(|incoming| {
        let mut server = Server::builder().layer(layer);
        server.add_service(InventoryServer::new(Shop)).serve_with_incoming(incoming)
    })
    .await;
    let mut client = InventoryClient::new(shop.channel());
    client.count(article("3/0")).await.unwrap();
    client.count(article("-/14")).await.unwrap_err();
    assert_eq!(scene.ended(), "success failure");
    scene.breaker.trip();
    assert_tells_all_but_the_source(&client.count(article("3/0")).await.unwrap_err());
    assert_tells_all_but_the_source(&client.watch(article("3/0")).await.unwrap_err());
}

#[tokio::test]
async fn a_protected_service_keeps_its_name_and_answers() {
    let scene = Scene::new();
    let service = scene.layer().trailers_only().layer(InventoryServer::new(Shop));
    let shop =
        Open::serve(|incoming| Server::builder().add_service(service).serve_with_incoming(incoming)).await;
    let mut client = InventoryClient::new(shop.channel());
    client.count(article("3/0")).await.unwrap();
    let mut stream = client.watch(article("2/13")).await.unwrap().into_inner();
    while let Ok(Some(_)) = stream.message().await {}
    assert_eq!(scene.ended(), "success failure");
    scene.breaker.trip();
    assert_tells_all_but_the_source(&client.count(article("3/0")).await.unwrap_err());
    assert_tells_all_but_the_source(&client.ask(futures_util::stream::iter([])).await.unwrap_err());
}

#[tokio::test]
async fn it_goes_into_routes_by_tonics_named_layer_as_well() {
    fn name_of<S: NamedService>(_: &S) -> &'static str {
        S::NAME
    }
    let scene = Scene::new();
    scene.breaker.trip();
    let layer = scene.layer().trailers_only();
    let named = layer.named_layer(InventoryServer::new(Shop));
    assert_eq!(name_of(&named), "shop.v1.Inventory");
    assert_eq!(name_of(&layer.layer(InventoryServer::new(Shop))), "shop.v1.Inventory");
    let routes = Routes::new(named);
    let shop =
        Open::serve(|incoming| Server::builder().add_routes(routes).serve_with_incoming(incoming)).await;
    let status = InventoryClient::new(shop.channel()).count(article("3/0")).await.unwrap_err();
    assert_tells_all_but_the_source(&status);
}

/// Calls a warehouse whose breaker is open, and returns the result.
struct Front(CircuitBreaker);

#[tonic::async_trait]
impl Inventory for Front {
    async fn count(&self, _: Request<Article>) -> Result<Response<Stock>, Status> {
        let _permit = self.0.try_acquire().map_err(rejected_status)?;
        panic!("the warehouse's breaker is open");
    }
}

#[tokio::test]
async fn a_rejection_that_a_handler_returns_is_ignored() {
    let (scene, warehouse) = (Scene::new(), Scene::new());
    warehouse.breaker.force_open();
    let service = scene.layer().trailers_only().layer(InventoryServer::new(Front(warehouse.breaker.clone())));
    let shop =
        Open::serve(|incoming| Server::builder().add_service(service).serve_with_incoming(incoming)).await;
    let mut client = InventoryClient::new(shop.channel());
    assert_eq!(client.count(article("3/0")).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(client.watch(article("3/0")).await.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(scene.ended(), "success ignored");
}

/// For a client on the other side of the network an open breaker is an unavailable server, whose status has a
/// retry hint.
#[tokio::test]
async fn the_clients_breaker_takes_over_the_servers_wait() {
    let server = Scene::new();
    let layer = GrpcCircuitBreakerLayer::new(server.breaker.clone()).trailers_only();
    let service = layer.layer(InventoryServer::new(Shop));
    let shop =
        Open::serve(|incoming| Server::builder().add_service(service).serve_with_incoming(incoming)).await;
    server.breaker.open_for(20 * SECOND);
    let scene = Scene::with(|config| config.trip(halfopen::Trip::consecutive_failures(1)));
    scene.client(shop.channel()).count(article("3/0")).await.unwrap_err();
    assert_eq!(scene.breaker.snapshot().retry_after, Some(20 * SECOND));
}
