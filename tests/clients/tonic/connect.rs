//! Connecting: refused, hanging, lazy, eager.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use halfopen::{Abandoned, Trip};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tower::{Service, ServiceExt, service_fn};

use crate::{SECOND, Scene, article};

/// An address without a listener.
pub(crate) async fn deserted() -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Channel::builder(crate::uri(&format!("http://{address}")))
}

/// A connector that never connects, and counts its calls.
fn hanging(
    asked: &Arc<AtomicUsize>,
) -> impl Service<http::Uri, Response = TokioIo<TcpStream>, Error = io::Error, Future: Send> + Send + use<> {
    let asked = Arc::clone(asked);
    service_fn(move |_| {
        asked.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<io::Result<TokioIo<TcpStream>>>()
    })
}

#[tokio::test]
async fn a_refused_connection_is_an_error_of_the_call() {
    let scene = Scene::new();
    let channel = deserted().await.connect_lazy();
    let mut layered = tower::Layer::layer(&scene.layer(), channel);
    ServiceExt::<http::Request<tonic::body::Body>>::ready(&mut layered).await.unwrap();
    assert_eq!(scene.ended(), "");
    let mut client = crate::proto::inventory_client::InventoryClient::new(layered);
    assert_eq!(client.count(article("3/0")).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(scene.ended(), "failure");
}

#[tokio::test]
async fn an_eager_channel_fails_before_there_is_a_layer() {
    deserted().await.connect().await.unwrap_err();
}

/// A lazy channel reconnects for every call, without a pause.
#[tokio::test]
async fn an_open_breaker_stops_a_storm_of_connects() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let refusing = service_fn(move |_: http::Uri| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Err::<TokioIo<TcpStream>, _>(io::Error::from(io::ErrorKind::ConnectionRefused)))
    });
    let scene = Scene::new();
    let mut client =
        scene.client(Endpoint::from_static("http://nowhere").connect_with_connector_lazy(refusing));
    for _ in 0..20 {
        client.count(article("3/0")).await.unwrap_err();
    }
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    assert_eq!(scene.breaker.snapshot().totals.rejected, 17);
}

/// With a custom connector, tonic reports Unknown; it is a failure nevertheless.
#[tokio::test]
async fn a_connect_timeout_is_a_failure() {
    let scene = Scene::new();
    let endpoint = Endpoint::from_static("http://nowhere").connect_timeout(Duration::from_millis(5));
    let asked = Arc::default();
    let mut client = scene.client(endpoint.connect_with_connector_lazy(hanging(&asked)));
    client.count(article("3/0")).await.unwrap_err();
    assert_eq!(scene.ended(), "failure");
}

/// tonic's timeout starts when there is a connection.
#[tokio::test(start_paused = true)]
async fn a_hanging_connect_is_seen_when_the_call_ends() {
    let asked = Arc::default();
    let endpoint = Endpoint::from_static("http://nowhere").timeout(SECOND);
    let channel = endpoint.connect_with_connector_lazy(hanging(&asked));

    let scene = Scene::new();
    let mut request = Request::new(article("3/0"));
    request.set_timeout(SECOND);
    let mut client = scene.client(channel.clone());
    tokio::time::timeout(60 * SECOND, client.count(request)).await.expect_err("nothing ends it but this");
    assert_eq!(scene.ended(), "abandoned", "the breaker's clock has stood still");
    let mut request = Request::new(article("3/0"));
    request.set_timeout(SECOND);
    let mut call = Box::pin(client.count(request));
    assert!(call.as_mut().now_or_never().is_none());
    scene.hands.advance(SECOND);
    drop(call);
    assert_eq!(scene.ended(), "failure abandoned");

    let scene = Scene::with(|config| {
        config.trip(Trip::consecutive_failures(3)).abandoned(Abandoned::FailureAfter(SECOND))
    });
    let mut client = scene.client(channel);
    let mut call = Box::pin(client.count(article("3/0")));
    assert!(call.as_mut().now_or_never().is_none());
    scene.hands.advance(SECOND);
    drop(call);
    assert_eq!(scene.ended(), "failure");
}
