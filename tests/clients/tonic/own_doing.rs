//! Cancellations and errors of this side are ignored, and a CANCELLED that arrives is the peer's.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{BoxError, CircuitBreakerError, Classify, Outcome, rejection};
use halfopen_tonic::{ResilientGrpcClient, StatusClassify};
use tonic::transport::Server;
use tonic::{Code, Status};

use crate::proto::inventory_client::InventoryClient;
use crate::proto::inventory_server::InventoryServer;
use crate::shop::{Open, Shop};
use crate::{Scene, article};

#[tokio::test]
async fn a_message_refused_by_the_client_is_ignored() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let mut client = scene.client(shop.channel()).max_encoding_message_size(1);
    let status = client.count(article("3/0")).await.unwrap_err();
    assert_eq!((status.code(), scene.ended().as_str()), (Code::Internal, "ignored"));

    let scene = Scene::new();
    let client = InventoryClient::new(shop.channel()).max_encoding_message_size(1);
    let client = ResilientGrpcClient::new(client, scene.breaker.clone());
    client.call(|mut client| async move { client.count(article("3/0")).await }).await.unwrap_err();
    assert_eq!(scene.ended(), "ignored");
}

/// An overloaded server: without a deadline of ours it is a plain CANCELLED.
#[tokio::test]
async fn a_servers_own_timeout_is_a_failure() {
    let shop = Open::serve(|incoming| {
        let mut server = Server::builder().timeout(Duration::from_millis(1));
        server.add_service(InventoryServer::new(Shop)).serve_with_incoming(incoming)
    })
    .await;
    let scene = Scene::new();
    let status = scene.client(shop.channel()).count(article("-/never")).await.unwrap_err();
    assert_eq!((status.code(), scene.ended().as_str()), (Code::Cancelled, "failure"));
    assert!(status.source().is_none());
}

/// An error of an SDK over tonic, which exposes its status as the source.
#[derive(Debug)]
struct Sdk(Status);

impl fmt::Display for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request failed")
    }
}

impl Error for Sdk {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_status_is_found_in_whatever_holds_it() {
    fn outcome<E: 'static>(error: E) -> Outcome {
        StatusClassify::default().classify(&Err::<(), E>(error))
    }
    let statuses: [(fn() -> Status, Outcome); 4] = [
        (|| Status::not_found("no such article"), Outcome::Success),
        (|| Status::unavailable("restarting"), Outcome::Failure),
        (|| Status::resource_exhausted("quota"), Outcome::Throttled),
        (|| Status::cancelled("drained"), Outcome::Failure),
    ];
    for (status, expected) in statuses {
        assert_eq!(outcome(status()), expected);
        assert_eq!(outcome(Box::new(status())), expected);
        assert_eq!(outcome(Arc::new(status())), expected);
        assert_eq!(outcome(CircuitBreakerError::Inner(status())), expected);
        assert_eq!(outcome(io::Error::other(status())), expected);
        assert_eq!(outcome::<BoxError>(Box::new(Sdk(status()))), expected);
        assert_eq!(outcome::<BoxError>(Box::new(io::Error::other(Sdk(status())))), expected);
        let typed = StatusClassify::default().typed_errors();
        assert_eq!(typed.classify(&Err::<(), _>(Sdk(status()))), expected);
        assert_eq!(StatusClassify::default().outcome(&status()), expected);
        assert_eq!(StatusClassify::default().outcome_of(&Sdk(status())), expected);
    }
    assert_eq!(outcome("no status at all"), Outcome::Failure);
    assert_eq!(outcome::<BoxError>("no status at all".into()), Outcome::Failure);
}

#[test]
fn a_pushback_is_found_in_whatever_holds_the_status() {
    let status = || {
        let mut status = Status::unavailable("restarting");
        status.metadata_mut().insert("grpc-retry-pushback-ms", "1500".parse().unwrap());
        status
    };
    let hint = Some(Duration::from_millis(1500));
    let classify = StatusClassify::default();
    assert_eq!(classify.retry_after(&Err::<(), _>(status())), hint);
    assert_eq!(classify.retry_after(&Err::<(), BoxError>(Box::new(Sdk(status())))), hint);
    assert_eq!(classify.typed_errors().retry_after(&Err::<(), _>(Sdk(status()))), hint);
}

#[tokio::test]
async fn a_rejection_inside_another_error_is_ignored() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    scene.breaker.trip();
    let status = scene.client(shop.channel()).count(article("3/0")).await.unwrap_err();
    assert!(rejection(&status).is_some());
    assert_eq!(StatusClassify::default().outcome_of(&Sdk(status)), Outcome::Ignored);
}
