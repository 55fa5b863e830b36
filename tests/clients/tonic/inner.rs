//! The `Service` contract, and bodies of other types than tonic's.

use std::convert::Infallible;
use std::future::ready;
use std::task::{Context, Poll};

use bytes::Bytes;
use halfopen::BoxError;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::Status;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::Scene;

/// Never ready, and must never be called.
struct Stuck;

impl Service<Request<()>> for Stuck {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        panic!("called without being ready");
    }
}

/// A service whose worker has died.
struct Dead;

impl Service<Request<()>> for Dead {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err("the worker is gone".into()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        panic!("called without being ready");
    }
}

#[tokio::test]
async fn while_open_the_inner_service_is_left_alone() {
    let scene = Scene::new();
    scene.breaker.force_open();
    let mut service = scene.layer().layer(Stuck);
    let error = service.ready().await.unwrap().call(Request::new(())).await.unwrap_err();
    assert!(error.is::<Status>());
    assert!(halfopen::rejection(&*error).is_some());
}

#[tokio::test]
async fn a_call_is_rejected_with_what_poll_ready_was_told() {
    let scene = Scene::new();
    scene.breaker.force_open();
    let mut service = scene.layer().layer(Stuck);
    service.ready().await.unwrap();
    scene.breaker.force_closed();
    service.call(Request::new(())).await.unwrap_err();
    assert_eq!(scene.breaker.snapshot().totals.rejected, 1);
}

#[tokio::test]
async fn a_service_that_is_never_ready_is_one_failed_call() {
    let scene = Scene::new();
    let error = scene.layer().layer(Dead).ready().await.unwrap_err();
    assert_eq!((error.to_string().as_str(), scene.ended().as_str()), ("the worker is gone", "failure"));
}

#[tokio::test]
async fn bodies_can_be_of_any_type() {
    let scene = Scene::new();
    let inner = service_fn(|request: Request<String>| {
        ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(request.into_body())))))
    });
    let answer = scene.layer().layer(inner).oneshot(Request::new("hello".to_owned())).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(scene.ended(), "failure", "no status came");
}
