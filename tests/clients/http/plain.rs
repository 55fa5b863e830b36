use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use halfopen::{BoxError, Rejected, State};
use halfopen_http::{HttpClassify, WatchedBody, WatchedCall};
use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::server::Server;
use crate::{Protected, SECOND, get, read_all, read_into_the_fault};

const RULES: halfopen_http::TypedErrors<HttpClassify> = HttpClassify::new().typed_errors();

#[tokio::test]
async fn an_answer_read_to_its_end_is_a_success() {
    let server = Server::start().await;
    for path in ["/whole", "/chunked", "/empty", "/status/404", "/status/501"] {
        for client in [Protected::http1(), Protected::http2()] {
            let response = client.send(RULES, get(&server, path)).await.unwrap();
            assert!(read_all(response.into_body()).await);
            assert_eq!(client.ended(), "success", "{path}");
        }
    }
}

#[tokio::test]
async fn a_known_length_settles_with_its_last_byte() {
    let server = Server::start().await;
    let client = Protected::http1();
    let mut body = client.send(RULES, get(&server, "/whole")).await.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(5));
    assert_eq!(client.ended(), "");

    body.frame().await.unwrap().unwrap();
    assert_eq!(client.ended(), "success");
    assert!(!body.is_watched());
}

#[tokio::test]
async fn a_failing_status_counts_at_its_head() {
    let server = Server::start().await;
    for status in [408, 429, 500, 502, 503, 504, 599] {
        let client = Protected::http1();
        let response = client.send(RULES, get(&server, &format!("/status/{status}"))).await.unwrap();
        assert_eq!(client.ended(), "failure", "{status}");
        assert!(read_all(response.into_body()).await);
        assert_eq!(client.ended(), "failure", "{status}");
    }
}

#[tokio::test]
async fn a_sick_server_opens_the_breaker_until_a_probe() {
    let server = Server::start().await;
    let client = Protected::http1();
    for _ in 0..3 {
        drop(client.send(RULES, get(&server, "/busy/20")).await);
    }
    assert_eq!(client.breaker.state(), State::Open);
    assert_eq!(client.breaker.snapshot().retry_after, Some(20 * SECOND));

    client.hands.advance(20 * SECOND);
    let probe = client.send(RULES, get(&server, "/whole")).await.unwrap();
    assert_eq!(client.breaker.state(), State::HalfOpen);
    assert!(read_all(probe.into_body()).await);
    assert_eq!(client.breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_direct_call_is_classified_at_the_head() {
    let server = Server::start().await;
    let Protected { client, breaker, .. } = Protected::http1();
    for _ in 0..3 {
        let request = get(&server, "/busy/20");
        let response = breaker.call_with(|| client.request(request), &RULES).await.unwrap();
        assert_eq!(response.status(), 503);
    }
    assert_eq!(breaker.snapshot().retry_after, Some(20 * SECOND));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure() {
    let server = Server::start().await;
    for client in [Protected::http1(), Protected::http2()] {
        let response = client.send(RULES, get(&server, "/cut")).await.unwrap();
        assert!(response.status().is_success());
        assert!(!read_into_the_fault(&server, response.into_body()).await);
        assert_eq!(client.ended(), "failure");
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_a_failure() {
    let server = Server::start().await;
    for client in [Protected::http1(), Protected::http2()] {
        assert!(client.send(RULES, get(&server, "/dropped")).await.is_err());
        assert_eq!(client.ended(), "failure");
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_failure() {
    let server = Server::start().await;
    let request = get(&server, "/whole");
    let address = server.address();
    drop(server);
    // The listener of the server is dropped with its task; this one is dropped here.
    while TcpListener::bind(address).await.is_err() {
        tokio::task::yield_now().await;
    }

    let client = Protected::http1();
    let error = client.send(RULES, request).await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(client.ended(), "failure");
}

#[tokio::test]
async fn a_breaker_in_the_connector_is_not_the_server() {
    let server = Server::start().await;
    let outer = Protected::http1();
    let guarded = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(OpenBreaker);

    let call = WatchedCall::new(outer.breaker.try_acquire_owned().unwrap());
    let answer = call.watch(&RULES, guarded.request(get(&server, "/whole"))).await;
    assert!(halfopen::rejection(&answer.unwrap_err()).is_some());
    assert_eq!(outer.ended(), "ignored");
}

#[tokio::test]
async fn an_unread_body_is_a_success_a_hanging_one_is_not() {
    let server = Server::start().await;
    let client = Protected::http1();
    drop(client.send(RULES, get(&server, "/stalled")).await.unwrap());
    assert_eq!(client.ended(), "success");

    let client = Protected::http1();
    let mut body = client.send(RULES, get(&server, "/stalled")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().now_or_never().is_none());
    drop(body);
    assert_eq!(client.ended(), "abandoned");
}

#[tokio::test]
async fn a_call_dropped_before_its_answer_is_abandoned() {
    let server = Server::start().await;
    let client = Protected::http1();
    assert!(client.send(RULES, get(&server, "/silent")).now_or_never().is_none());
    assert_eq!(client.ended(), "abandoned");
}

#[tokio::test]
async fn a_probe_on_an_endless_body_closes_by_first_data() {
    let server = Server::start().await;
    let client = Protected::http1();
    client.about_to_probe();

    let mut body = client.send(RULES, get(&server, "/stalled")).await.unwrap().into_body();
    assert_eq!(client.breaker.state(), State::HalfOpen);
    body.frame().await.unwrap().unwrap();
    assert_eq!(client.breaker.state(), State::Closed);
}

#[test]
fn the_body_can_stand_where_the_clients_body_stood() {
    fn is_a_body<B: Body<Data = Bytes, Error = hyper::Error> + Send + Sync + Unpin + Default + 'static>() {}
    is_a_body::<WatchedBody<Defaulted>>();
}

/// `Incoming` does not implement `Default`; tonic's bodies do, and interceptors require it.
#[derive(Default)]
struct Defaulted(Option<Incoming>);

impl Body for Defaulted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }
}

/// A connector behind an open breaker.
#[derive(Clone)]
struct OpenBreaker;

impl tower_service::Service<Uri> for OpenBreaker {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let breaker = halfopen::CircuitBreaker::builder("connector").build();
        breaker.force_open();
        let rejected: Rejected = breaker.try_acquire().map(drop).expect_err("it is forced open");
        std::future::ready(Err(rejected.into()))
    }
}
