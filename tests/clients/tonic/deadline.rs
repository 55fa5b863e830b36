//! Deadlines of a client, of a request and of a server.

use std::time::Duration;

use futures_util::FutureExt;
use halfopen::{CircuitBreaker, CircuitBreakerConfig};
use halfopen_tonic::GrpcCircuitBreakerLayer;
use tonic::transport::Server;
use tonic::{Code, Request};

use crate::peer::Peer;
use crate::proto::Article;
use crate::proto::inventory_client::InventoryClient;
use crate::proto::inventory_server::InventoryServer;
use crate::shop::{Open, Shop};
use crate::{SECOND, Scene, article, ended};

/// Short, because the server never responds; its length does not matter.
const SHORT: Duration = Duration::from_millis(5);

fn within(timeout: Duration) -> Request<Article> {
    let mut request = Request::new(article("-/never"));
    request.set_timeout(timeout);
    request
}

#[tokio::test]
async fn a_client_timeout_is_cancelled_and_a_failure() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let mut client = scene.client(shop.endpoint().timeout(SHORT).connect_lazy());
    let status = client.count(article("-/never")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Cancelled, "Timeout expired"));
    assert_eq!(scene.ended(), "failure");
}

#[tokio::test]
async fn the_timeout_of_a_request_is_a_failure_too() {
    let peer = Peer::start().await;
    let scene = Scene::new();
    let status = scene.cued(&peer, "silent").count(within(SHORT)).await.unwrap_err();
    assert_eq!((status.code(), scene.ended().as_str()), (Code::Cancelled, "failure"));
}

#[tokio::test]
async fn cancelled_by_a_server_is_a_failure() {
    let peer = Peer::start().await;
    let scene = Scene::new();
    let mut client = scene.cued(&peer, "unary/1");
    client.count(within(SECOND)).await.unwrap_err();
    assert_eq!(scene.ended(), "failure");

    let mut stream = client.watch(within(SECOND)).await.unwrap().into_inner();
    scene.hands.advance(SECOND);
    while let Ok(Some(_)) = stream.message().await {}
    assert_eq!(scene.ended(), "failure failure");
}

#[tokio::test]
async fn a_call_given_up_after_its_deadline_is_a_failure() {
    let peer = Peer::start().await;
    let scene = Scene::new();
    let mut client = scene.cued(&peer, "silent");
    let mut call = Box::pin(client.count(within(SECOND)));
    assert!(call.as_mut().now_or_never().is_none());
    scene.hands.advance(SECOND);
    drop(call);
    assert_eq!(scene.ended(), "failure");

    let scene = Scene::new();
    let mut stream = scene.cued(&peer, "stalled").watch(within(SECOND)).await.unwrap().into_inner();
    stream.message().await.unwrap();
    scene.hands.advance(SECOND);
    drop(stream);
    assert_eq!(scene.ended(), "failure");
}

/// tonic drops the inner future at its timeout, as it does when a client disconnects.
#[tokio::test]
async fn a_server_timeout_drops_the_call_of_its_layer() {
    let breaker = CircuitBreaker::new("shop", CircuitBreakerConfig::default());
    let layer = GrpcCircuitBreakerLayer::new(breaker.clone());
    let shop = Open::serve(|incoming| {
        let mut server = Server::builder().timeout(SHORT).layer(layer);
        server.add_service(InventoryServer::new(Shop)).serve_with_incoming(incoming)
    })
    .await;
    let status = InventoryClient::new(shop.channel()).count(article("-/never")).await.unwrap_err();
    assert_eq!((status.code(), ended(&breaker).as_str()), (Code::Cancelled, "abandoned"));
}
