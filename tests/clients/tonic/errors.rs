//! Errors from inside the layer are passed on unchanged.

use std::future::ready;
use std::io;

use halfopen::BoxError;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::load_shed::error::Overloaded;
use tower::{Layer, ServiceExt, service_fn};

use crate::proto::inventory_client::InventoryClient;
use crate::{Scene, article};

type Answer = Result<http::Response<Body>, BoxError>;

/// Returns the status that a caller receives, and the recorded outcome, when the inner service fails with this
/// error.
async fn fails<E: Into<BoxError>>(error: impl Fn() -> E + Clone + Send + 'static) -> (Status, String) {
    let scene = Scene::new();
    let inner = service_fn(move |_: http::Request<Body>| ready(Answer::Err(error().into())));
    let mut client = InventoryClient::new(scene.layer().layer(inner));
    (client.count(article("")).await.unwrap_err(), scene.ended())
}

/// Wrapped in our own error type it would be Unknown: tonic inspects the error itself.
#[tokio::test]
async fn an_inner_load_shed_is_resource_exhausted() {
    let (status, ended) = fails(Overloaded::new).await;
    assert_eq!((status.code(), ended.as_str()), (Code::ResourceExhausted, "ignored"));
}

#[tokio::test]
async fn an_error_of_the_transport_is_a_failure() {
    let (status, ended) = fails(|| io::Error::from(io::ErrorKind::ConnectionReset)).await;
    assert_eq!((status.code(), ended.as_str()), (Code::Unknown, "failure"));
}

#[tokio::test]
async fn the_status_of_an_inner_layer_never_succeeds() {
    let (status, ended) = fails(|| Status::unauthenticated("no token")).await;
    assert_eq!((status.code(), ended.as_str()), (Code::Unauthenticated, "ignored"));
    let (status, ended) = fails(|| Status::unavailable("no token server")).await;
    assert_eq!((status.code(), ended.as_str()), (Code::Unavailable, "failure"));
}

#[tokio::test]
async fn an_h2_error_without_a_wrapper_is_a_failure() {
    let (status, ended) = fails(|| h2::Error::from(h2::Reason::REFUSED_STREAM)).await;
    assert_eq!((status.code(), ended.as_str()), (Code::Unavailable, "failure"));
}

#[tokio::test]
async fn a_panic_in_the_call_is_a_failure_and_goes_on() {
    let scene = Scene::new();
    let inner = service_fn(|_: http::Request<Body>| async {
        if true {
            panic!("in the future");
        }
        Answer::Err("never".into())
    });
    let layered = scene.layer().layer(inner);
    let call = tokio::spawn(layered.oneshot(http::Request::new(Body::empty())));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!(scene.ended(), "failure");
}
